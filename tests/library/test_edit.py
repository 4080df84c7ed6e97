"""Edits of metadata: what a user asked for is there, every tensor byte is as it was, and the former file can be made again."""

import base64
import hashlib
import io
import json
import os
import signal
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from lorasmith.adapters.files.hashes import auto_v1, model_hash
from lorasmith.adapters.files.header import read_lora_header
from lorasmith.adapters.files.lora_file import load_tensors, save_lora
from lorasmith.atomic import aside_of
from lorasmith.errors import AdapterError, DatasetError, InputError, SettingsError
from lorasmith.library.edit import edit_lora, edited, undo_edits

TENSORS = {"lora_unet_a.alpha": torch.tensor(2.0), "lora_unet_a.lora_down.weight": torch.arange(8.0).view(2, 4)}
METADATA = {"ss_output_name": "mimi", "ss_network_dim": "2", "modelspec.title": "mimi"}


@pytest.fixture
def lora(tmp_path):
    save_lora(tmp_path / "mimi.safetensors", TENSORS, METADATA, torch.float32)
    return tmp_path / "mimi.safetensors"


def numbers(path):
    """The bytes of the tensors, as they are in the file."""
    data = path.read_bytes()
    return data[8 + struct.unpack("<Q", data[:8])[0] :]


def metadata_of(path):
    return read_lora_header(path).metadata


def test_entries_are_set_removed_and_renamed_in_a_new_file_and_the_old_one_stays(lora, tmp_path):
    before, out = lora.read_bytes(), tmp_path / "new.safetensors"
    done = edit_lora(lora, {"modelspec.title": "Mimi", "modelspec.trigger_phrase": "mimi cat", "my.key": "ä=1\n2"}, remove=["ss_network_dim"],
                     rename={"ss_output_name": "name"}, out=out)  # fmt: skip
    new = metadata_of(out)
    assert (new["modelspec.title"], new["modelspec.trigger_phrase"], new["my.key"], new["name"]) == ("Mimi", "mimi cat", "ä=1\n2", "mimi")
    assert not new.keys() & {"ss_network_dim", "ss_output_name"}
    assert [(c.key, c.before, c.after) for c in done.changes] == [
        ("modelspec.title", "mimi", "Mimi"), ("modelspec.trigger_phrase", None, "mimi cat"), ("my.key", None, "ä=1\n2"), ("name", None, "mimi"),
        ("ss_network_dim", "2", None), ("ss_output_name", "mimi", None),
    ]  # fmt: skip
    assert lora.read_bytes() == before
    assert numbers(out) == numbers(lora)
    with safe_open(out, "pt") as opened:  # the format's own library
        assert opened.metadata() == new
        assert torch.equal(opened.get_tensor("lora_unet_a.lora_down.weight"), TENSORS["lora_unet_a.lora_down.weight"])


def test_hashes_before_and_after_are_those_of_the_files(lora, tmp_path):
    out = tmp_path / "new.safetensors"
    done = edit_lora(lora, {"modelspec.title": "Mimi"}, out=out)
    for path, hashes in ((lora, done.before), (out, done.after)):
        with path.open("rb") as file:
            assert (hashes.auto_v3, hashes.auto_v1) == (model_hash(file), auto_v1(file))
        assert hashes.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert done.before.auto_v3 == done.after.auto_v3 == metadata_of(out)["sshs_model_hash"]
    assert done.before.sha256 != done.after.sha256


def test_the_hashes_in_the_metadata_are_those_that_a_trainer_would_have_written(tmp_path):
    """Over 1 MiB the old hash depends on the length of the ss_ metadata; kohya takes it of a file with these alone."""
    tensors = {"a.alpha": torch.tensor(1.0), "a.w": torch.arange(300_000.0)}
    save_lora(tmp_path / "a.safetensors", tensors, METADATA, torch.float32)
    save_lora(
        tmp_path / "wanted.safetensors", tensors, METADATA | {"ss_training_comment": "x" * 100, "modelspec.title": "b"}, torch.float32
    )
    edit_lora(tmp_path / "a.safetensors", {"ss_training_comment": "x" * 100, "modelspec.title": "b"}, out=tmp_path / "b.safetensors")
    assert (tmp_path / "b.safetensors").read_bytes() == (tmp_path / "wanted.safetensors").read_bytes()
    assert metadata_of(tmp_path / "b.safetensors")["sshs_legacy_hash"] != metadata_of(tmp_path / "a.safetensors")["sshs_legacy_hash"]


def test_a_wrong_hash_of_the_tensors_is_corrected_and_none_is_invented(tmp_path):
    """ai-toolkit wrote the hash of nothing, by which sites take every file for one and the same."""
    nothing = hashlib.sha256(b"").hexdigest()
    save_file(TENSORS, tmp_path / "a.safetensors", {"sshs_model_hash": nothing})
    save_file(TENSORS, tmp_path / "b.safetensors", {"software": "x"})
    edit_lora(tmp_path / "a.safetensors", {"modelspec.title": "a"}, in_place=True)
    edit_lora(tmp_path / "b.safetensors", {"modelspec.title": "b"}, in_place=True)
    assert metadata_of(tmp_path / "a.safetensors")["sshs_model_hash"] == hashlib.sha256(numbers(tmp_path / "a.safetensors")).hexdigest()
    assert metadata_of(tmp_path / "b.safetensors") == {"software": "x", "modelspec.title": "b"}


@pytest.mark.parametrize(
    "names",
    [
        ["some.unknown.tensor"],
        ["unet.down_blocks.0.attn1.to_q.lora_A.weight", "unet.down_blocks.0.attn1.to_q.lora_B.weight"],
        ["emb_params"],
    ],
    ids=["no known family", "diffusers", "an embedding"],
)
def test_any_safetensors_file_can_be_edited(names, tmp_path):
    tensors = {name: torch.randn(3, 2).to(torch.float8_e4m3fn if number else torch.float64) for number, name in enumerate(names)}
    path = tmp_path / "a.safetensors"
    save_file(tensors, path)
    before = numbers(path)
    edit_lora(path, {"modelspec.author": "me"}, in_place=True)
    assert numbers(path) == before
    with safe_open(path, "pt") as opened:
        assert opened.metadata() == {"modelspec.author": "me"}
        assert set(opened.keys()) == set(names)


# ---- what is replaced can be undone


def test_edits_in_place_are_taken_back_byte_by_byte(lora):
    before = lora.read_bytes()
    first = edit_lora(lora, {"modelspec.title": "one"}, in_place=True)
    edit_lora(lora, {"modelspec.title": "two"}, remove=["ss_output_name"], in_place=True)
    assert first.kept.is_file()
    assert metadata_of(lora)["modelspec.title"] == "two"
    assert undo_edits(lora).after == first.before
    assert lora.read_bytes() == before
    assert [path.name for path in lora.parent.iterdir()] == [lora.name]
    with pytest.raises(InputError, match="nothing to undo"):
        undo_edits(lora)


def test_the_header_of_an_earlier_training_is_never_put_before_other_tensors(lora):
    edit_lora(lora, {"modelspec.title": "one"}, in_place=True)
    save_lora(lora, {key: tensor + 1 for key, tensor in TENSORS.items()}, METADATA, torch.float32)
    with pytest.raises(InputError, match="nothing to undo"):
        undo_edits(lora)


def test_a_damaged_header_is_not_put_back(lora):
    done = edit_lora(lora, {"modelspec.title": "one"}, in_place=True)
    now = lora.read_bytes()
    done.kept.write_bytes(done.kept.read_bytes()[:-9])
    with pytest.raises(InputError, match="damaged"):
        undo_edits(lora)
    assert lora.read_bytes() == now


def test_a_dry_run_says_what_would_be_and_writes_nothing(lora):
    before = lora.read_bytes()
    dry = edit_lora(lora, {"modelspec.title": "one"}, in_place=True, dry_run=True)
    assert (dry.out, lora.read_bytes(), len(list(lora.parent.iterdir()))) == (None, before, 1)
    assert edit_lora(lora, {"modelspec.title": "one"}, in_place=True).after == dry.after
    assert edit_lora(lora, {"modelspec.title": "one"}, in_place=True).out is None  # it says so already


KILLED = """
import os, signal, sys
from lorasmith.library.edit import edit_lora
os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)  # the new file is written, and not yet there
edit_lora(sys.argv[1], {"modelspec.title": "one"}, out=sys.argv[2], overwrite=True)
"""


def test_a_kill_in_the_middle_leaves_what_was_there(lora, tmp_path):
    out = tmp_path / "out.safetensors"
    out.write_bytes(b"before")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run([sys.executable, "-c", KILLED, lora, out], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = out.parent.glob(".*.part")
    os.utime(left, (0, 0))
    other = out.with_name(f".{out.name}.{os.getpid()}.part")  # of a process that runs
    other.write_bytes(b"x")
    os.utime(other, (0, 0))
    edit_lora(lora, {"a": "b"}, out=out.with_name("another.safetensors"))
    assert left.exists()  # it belongs to a file of another name
    aside_of(out)
    assert not left.exists()
    assert other.exists()
    other.unlink()
    assert out.read_bytes() == b"before"


def test_a_large_file_takes_no_more_memory_than_a_small_one(tmp_path):
    """Pieces of 1 MiB: the file here has 200 MB, most of it a hole."""
    size = 200_000_000
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    path = tmp_path / "large.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + size)
    tracemalloc.start()
    edit_lora(path, {"modelspec.title": "one"}, in_place=True)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 8 << 20
    assert path.stat().st_size > size


ENTRIES = st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), st.text(st.characters(codec="utf-8")), max_size=4)


@given(ENTRIES, ENTRIES)
def test_an_edit_and_its_inverse_give_the_same_bytes(own, new):
    reserved = {"__metadata__", "sshs_model_hash", "sshs_legacy_hash"}
    own, new = ({key: value for key, value in each.items() if key not in reserved} for each in (own, new))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.safetensors"
        save_lora(path, TENSORS, own, torch.float16)
        before = path.read_bytes()
        tensors = numbers(path)
        done = edit_lora(path, new or {"x": ""}, in_place=True)
        assert numbers(path) == tensors
        assert metadata_of(path).items() >= new.items()
        back = {change.key: change.before for change in done.changes if change.before is not None}
        added = [change.key for change in done.changes if change.before is None]
        if back or added:
            edit_lora(path, back, remove=added, in_place=True)
        assert path.read_bytes() == before


# ---- what is refused


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ({"entries": {"a": 3}}, "text alone: give '3'"),
        ({"entries": {"a": None}}, "text alone"),
        ({"entries": {"a": "\udcff"}}, "not UTF-8"),
        ({"entries": {"": "a"}}, "cannot be called"),
        ({"entries": {"sshs_model_hash": "0"}}, "computed"),
        ({"remove": ["ss_output_nam"]}, "ss_output_name"),
        ({"rename": {"nothing": "x"}}, "no entry nothing"),
        ({"rename": {"ss_output_name": "modelspec.title"}}, "already"),
        ({"rename": {"ss_output_name": "sshs_model_hash"}}, "computed"),
        ({}, "Nothing was asked for"),
        ({"entries": {"description": "x" * 13_000_000}}, "shorten"),
    ],
)
def test_what_cannot_be_is_a_sentence_and_nothing_is_written(edit, words, lora, tmp_path):
    with pytest.raises(SettingsError, match=words):
        edit_lora(lora, **edit, out=tmp_path / "out.safetensors")
    assert len(list(tmp_path.iterdir())) == 1


def test_where_the_file_goes_is_said_once(lora, tmp_path):
    taken = tmp_path / "taken.safetensors"
    taken.write_bytes(b"x")
    for where, words in (
        ({}, "--in-place"), ({"out": lora}, "--in-place"), ({"out": taken, "in_place": True}, "one of them"), ({"out": taken}, "--overwrite"),
        ({"out": tmp_path / "a.txt"}, "safetensors"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=words):
            edit_lora(lora, {"modelspec.title": "x"}, **where)
    assert taken.read_bytes() == b"x"


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"<html>")
    for name in ("a.safetensors", "b.safetensors"):
        with pytest.raises(AdapterError, match=name):
            edit_lora(tmp_path / name, {"modelspec.title": "x"}, out=tmp_path / "c.safetensors")


# ---- thumbnails


def test_a_thumbnail_is_a_small_square_of_the_pictures_middle(lora, tmp_path):
    picture = Image.new("RGB", (1200, 600), "white")
    picture.paste("red", (300, 0, 900, 600))
    picture.save(tmp_path / "best.png", pnginfo=None)
    edit_lora(lora, thumbnail=tmp_path / "best.png", in_place=True)
    head, _, data = metadata_of(lora)["modelspec.thumbnail"].partition(",")
    shown = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (head, shown.format, shown.size) == ("data:image/jpeg;base64", "JPEG", (256, 256))
    assert all(abs(a - b) < 8 for corner in ((9, 9), (246, 246)) for a, b in zip(shown.getpixel(corner), (255, 0, 0), strict=True))
    assert len(data) < 30_000
    assert load_tensors(lora).tensors.keys() == TENSORS.keys()


def test_a_thumbnail_of_no_picture_is_refused(lora, tmp_path):
    (tmp_path / "best.png").write_bytes(b"x")
    with pytest.raises(DatasetError, match="best.png"):
        edit_lora(lora, thumbnail=tmp_path / "best.png", in_place=True)


def test_private_entries_go_before_others_are_set():
    metadata = {"ss_training_comment": "at home", "ss_dataset_dirs": "{}", "ss_output_name": "mimi"}
    assert edited(metadata, {"ss_training_comment": "for all"}, remove=["ss_dataset_dirs"], private=True) == {
        "ss_output_name": "mimi",
        "ss_training_comment": "for all",
    }
