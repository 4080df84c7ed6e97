"""A saved state survives a kill before any of the writes that save the next, and a disk that spoils it."""

import hashlib
import io
import os

import pytest
import torch

from lorasmith.errors import RunError
from lorasmith.training.learner.state import LAYOUT, TrainState, load_newest_state, save_state, saved_states
from tests.training.torture import kill_before_each_operation


def state_of(step, value=0.0):
    return TrainState(step, {"w": torch.full((3,), float(step))}, {"m": torch.ones(2)}, value, 2, 1.5)


def steps_in(folder):
    return [int(path.stem.split("-")[1]) for path in saved_states(folder)]


def test_the_last_two_states_are_kept(tmp_path):
    for step in (3, 6, 9):
        save_state(tmp_path, state_of(step))
    assert steps_in(tmp_path) == [6, 9]
    state, damaged = load_newest_state(tmp_path)
    assert (state.step, state.adapter["w"].tolist(), damaged) == (9, [9.0] * 3, [])


@pytest.mark.parametrize("step", [9, 6], ids=["a new step", "the newest step once more"])
def test_a_kill_before_any_write_of_a_state_leaves_the_newest_one_or_the_one_before(tmp_path, step):
    def lay_out(folder):
        folder.mkdir()
        for earlier in (3, 6):
            save_state(folder, state_of(earlier))

    tried = kill_before_each_operation(tmp_path, lay_out, lambda folder: save_state(folder, state_of(step, value=7.0)))
    assert len(tried) >= 3  # the file aside, its renaming, the oldest state's end
    for folder in tried:
        state, damaged = load_newest_state(folder)
        assert state.step in (6, step)
        assert damaged == []


def test_a_damaged_state_is_named_and_the_one_before_is_read(tmp_path):
    save_state(tmp_path, state_of(3))
    newest = save_state(tmp_path, state_of(6))
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    state, damaged = load_newest_state(tmp_path)
    assert state.step == 3
    assert damaged == [newest]


def test_damaged_states_of_later_steps_do_not_push_out_the_good_ones(tmp_path):
    for step in (6, 9):
        save_state(tmp_path, state_of(step)).write_bytes(b"nothing of use")
    for step in (1, 2):
        save_state(tmp_path, state_of(step))
        assert load_newest_state(tmp_path)[0].step == step
    assert steps_in(tmp_path) == [1, 2]


def of_layout(folder, **values):
    """A state file as another version of Lorasmith wrote it."""
    content = io.BytesIO()
    torch.save(values, content)
    folder.mkdir(parents=True)
    path = folder / "step-00000004.pt"
    path.write_bytes(hashlib.sha256(content.getbuffer()).hexdigest().encode() + b"\n" + content.getbuffer())


@pytest.mark.parametrize(
    ("values", "which"),
    [
        ({"step": 4, "adapter": {}, "average": {}, "spoilt_in_a_row": 0}, "an older Lorasmith"),
        ({"layout": LAYOUT + 1, "step": 4}, "a newer Lorasmith"),
    ],
    ids=["before fields were renamed", "of a later version"],
)
def test_a_state_of_another_layout_is_refused_with_what_to_do(tmp_path, values, which):
    of_layout(tmp_path / "run" / "state", **values)
    with pytest.raises(RunError, match=rf"run was saved by {which} .*Continue it with that version .*network\.weights") as caught:
        load_newest_state(tmp_path / "run" / "state")
    assert caught.value.code == "run.state_layout"


def test_no_state_is_no_state(tmp_path):
    assert load_newest_state(tmp_path) == (None, [])
    assert os.listdir(tmp_path) == []
