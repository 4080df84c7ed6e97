"""The events of a run can be read while it writes them, after a kill, and from runs of the first version."""

import dataclasses
import json
from pathlib import Path

import pytest

from lorasmith.errors import RunError
from lorasmith.findings import Finding, Fix
from lorasmith.training import events
from lorasmith.training.events import CheckpointSaved, Emitter, Event, Resumed, StepDone, Warned
from lorasmith.training.records.event_log import RENAMED_SINCE_1, TYPES, VERSION, EventLog, read_events, read_history

OLD_RUN = Path(__file__).parent / "old_run" / "events.jsonl"
"""Of a run that was made before fields were renamed."""


def step(number):
    return StepDone(number, 1, 0.5, {"unet": 1e-4}, 0.1)


def write(path, *written):
    log = EventLog(path)
    for event in written:
        log(event)
    log.close()


def in_order(read):
    return [event for _, event in read]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.jsonl"


def test_events_come_back_as_they_were_written(path):
    written = [Warned("zwei\u2028Zeilen, \x85 und ein ä"), step(1), CheckpointSaved("checkpoints/a.safetensors", 1, 1)]
    write(path, *written)
    assert in_order(read_events(path).events) == written
    assert {json.loads(line)["version"] for line in path.read_text(encoding="utf-8").split("\n") if line} == {VERSION}


def test_what_a_resume_discarded_is_left_out_of_the_history_alone(path):
    write(path, step(1), step(2), step(3), Resumed(1), step(2))
    assert in_order(read_history(path)) == [step(1), Resumed(1), step(2)]
    assert in_order(read_events(path).events) == [step(1), step(2), step(3), Resumed(1), step(2)]


def test_a_line_torn_by_a_kill_harms_neither_itself_nor_the_next(path):
    write(path, step(1), Warned("ä" * 20))
    path.write_bytes(path.read_bytes()[:-15])
    write(path, step(2))
    assert in_order(read_events(path).events) == [step(1), step(2)]


def test_a_growing_file_is_read_on_from_the_offset_and_only_whole_lines_count(path):
    write(path, step(1), step(2))
    first, offset = read_events(path)
    assert in_order(first) == [step(1), step(2)]
    assert offset == path.stat().st_size
    write(path, step(3))
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    assert read_events(path, offset) == ([], offset)
    path.write_bytes(whole)
    later, offset = read_events(path, offset)
    assert in_order(later) == [step(3)]
    assert read_events(path, offset) == ([], len(whole))


def test_the_events_of_a_run_of_the_first_version_are_read_by_their_new_names():
    found = {type(event): event for event in in_order(read_history(OLD_RUN))}
    assert found[events.Planned].images == 5
    assert found[events.Planned].trainable_parameters == 7424
    assert found[StepDone].step == 4
    assert set(found[StepDone].loss_by_timestep) == {"0-199", "200-399", "400-599", "600-799", "800-999"}
    validated = found[events.ValidationDone]
    assert (validated.epoch, validated.best_epoch) == (1, 0)
    assert validated.val_loss_delta == pytest.approx(-0.0022615)
    assert len(validated.val_losses) == len(validated.train_losses) == 3
    assert validated.above_best == pytest.approx(validated.val_loss_delta)


def test_every_renamed_field_is_one_of_its_event():
    for name, renamed in RENAMED_SINCE_1.items():
        assert set(renamed.values()) <= {field.name for field in dataclasses.fields(TYPES[name])}


def test_events_of_a_newer_version_are_refused_and_unknown_types_skipped(path):
    path.write_text('{"event": "Unknown", "version": 2, "time": 1.0}\n', encoding="utf-8")
    assert read_events(path).events == []
    path.write_text(f'{{"event": "EpochDone", "version": {VERSION + 1}, "time": 1.0}}\n', encoding="utf-8")
    with pytest.raises(RunError, match=r"newer Lorasmith .* Update Lorasmith\.") as caught:
        read_events(path)
    assert caught.value.code == "run.newer_version"


def test_a_warning_that_is_a_finding_carries_it(path):
    finding = Finding("run.odd", "warning", "Something is odd.", about="set", fix=Fix("Change it."))
    log = EventLog(path)
    Emitter([log]).warn("Plain words.", finding)
    log.close()
    plain, warned = in_order(read_events(path).events)
    assert (plain.message, plain.finding) == ("Plain words.", None)
    assert warned.message == "Something is odd. Change it."
    assert warned.finding["code"] == "run.odd"


def test_every_event_says_what_it_is():
    assert all(event_type.__doc__ and not event_type.__doc__.startswith(event_type.__name__) for event_type in Event.__subclasses__())
