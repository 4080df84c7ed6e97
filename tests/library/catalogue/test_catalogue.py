"""Folders of LoRA files: what is read, what is found, what is the same, and what was moved."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import date

import pytest

from lorasmith.errors import AdapterError, InputError
from lorasmith.library.catalogue import heads as heads_room
from lorasmith.library.catalogue.catalogue import Catalogue
from lorasmith.library.catalogue.entry import newest_first, trainings
from lorasmith.library.catalogue.heads import Heads
from lorasmith.library.catalogue.place import INDEX, library_folder
from lorasmith.library.catalogue.query import Query, read_rank
from lorasmith.library.catalogue.store import FILE, Index
from lorasmith.training.records.run_layout import sample_name
from tests.as_windows import needs_posix
from tests.library.lora_files import write_lora


@pytest.fixture
def loras(tmp_path):
    folder = tmp_path / "loras"
    write_lora(
        folder / "zorvex.safetensors",
        {"modelspec.title": "Zorvex the creature", "modelspec.trigger_phrase": "zorvex, zvx", "modelspec.tags": "creature, cute"},
    )
    write_lora(folder / "styles" / "aquarelle.safetensors", {"modelspec.description": "Soft Watercolour of Ägypten"}, rank=16, seed=1)
    return folder


@pytest.fixture
def catalogue(tmp_path, loras):
    made = Catalogue(tmp_path / "library")
    made.add(loras)
    made.refresh()
    return made


def names(entries):
    return [entry.name for entry in entries]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(["watercolour"]), ["aquarelle"]),
        (Query(["ägypten", "soft"]), ["aquarelle"]),
        (Query(["ÄGYPTEN", "harsh"]), []),
        (Query(["the creature"]), ["zorvex"]),
        (Query(trigger="ZVX"), ["zorvex"]),
        (Query(tag="cute"), ["zorvex"]),
        (Query(tag="cut"), []),
        (Query(base="animagine"), ["aquarelle", "zorvex"]),
        (Query(family="sd1", rank=read_rank("8-")), ["aquarelle"]),
        (Query(rank=read_rank("-8")), ["zorvex"]),
        (Query(rank=read_rank("4")), ["zorvex"]),
        (Query(kind="LoRA"), ["aquarelle", "zorvex"]),
        (Query(since=date(2100, 1, 1)), []),
        (Query(until=date(2100, 1, 1)), ["aquarelle", "zorvex"]),
        (Query(), ["aquarelle", "zorvex"]),
    ],
)
def test_a_lora_is_found_by_what_is_in_it(catalogue, query, found):
    assert names(catalogue.find(query)) == found


@pytest.mark.parametrize("text", ["", "-", "8-x", "big", "1-2-3"])
def test_a_rank_that_is_none_is_refused(text):
    with pytest.raises(InputError, match="A rank is given as"):
        read_rank(text)


def test_a_kind_that_no_lora_has_is_said_with_the_nearest(catalogue):
    assert Query(kind="lorra").notes(catalogue.entries()) == ["No LoRA of the catalogue has the kind 'lorra'; did you mean 'lora'?"]
    assert Query(kind="lora", family="sdxl").notes(catalogue.entries()) == []


def test_a_file_is_read_again_only_when_it_or_what_lies_beside_it_changes(catalogue, loras, monkeypatch):
    read = []
    reading = Heads.read
    monkeypatch.setattr(Heads, "read", lambda self, path: read.append(path.name) or reading(self, path))
    catalogue.refresh()
    assert read == []
    (loras / "zorvex.json").write_text('{"activation text": "zorvexine", "notes": "from Mimi"}', encoding="utf-8")
    assert catalogue.refresh().changed == 1
    assert read == ["zorvex.safetensors"]
    assert names(catalogue.find(Query(["mimi"], trigger="zorvexine"))) == ["zorvex"]


def test_a_picture_beside_a_file_is_its_preview(catalogue, loras):
    (loras / "zorvex.preview.png").write_bytes(b"")
    catalogue.refresh()
    assert [entry.preview for entry in catalogue.entries()] == [None, loras / "zorvex.preview.png"]
    (loras / "zorvex.png").write_bytes(b"")
    catalogue.refresh()
    assert catalogue.entries()[1].preview == loras / "zorvex.png"


def test_what_civitai_says_is_read_and_damage_is_no_reason_to_leave_the_file_out(catalogue, loras):
    said = {
        "trainedWords": ["zrvx, horns"],
        "baseModel": "SD 1.5",
        "description": "<p>A <b>horned</b>&nbsp;one</p>",
        "model": {"name": "Zorvex!"},
    }
    (loras / "zorvex.civitai.info").write_text(json.dumps(said), encoding="utf-8")
    (loras / "zorvex.json").write_text("[1, 2", encoding="utf-8")
    catalogue.refresh()
    (entry,) = catalogue.find(Query(["horned one", "zorvex!"], trigger="horns"))
    assert entry.facts.notes == ("zorvex.json is not a JSON object, and was left out.",)


def test_kohyas_folder_names_are_the_trigger_where_nothing_else_says_it(catalogue, loras):
    folders = {"10_plonth, hat": {"n_repeats": 10, "img_count": 20}, "1_cat": {"n_repeats": 1, "img_count": 50}}
    regularisation = {"1_cat": {"n_repeats": 1, "img_count": 50}}
    write_lora(loras / "p.safetensors", {"ss_dataset_dirs": json.dumps(folders), "ss_reg_dataset_dirs": json.dumps(regularisation)}, seed=5)
    catalogue.refresh()
    assert catalogue.find(Query(["p"], trigger="plonth"))[0].facts.triggers == ("plonth", "hat")


def test_a_moved_or_renamed_file_keeps_what_is_known_of_it(catalogue, loras):
    write_lora(loras / "copy.safetensors", {"ss_training_comment": "the same"}, rank=16, seed=1)
    catalogue.refresh()
    assert [sorted(names(group)) for group in catalogue.duplicates()] == [["aquarelle", "copy"]]
    known = {entry.name: entry.content for entry in catalogue.entries()}
    moved = loras / "moved" / "water.safetensors"
    moved.parent.mkdir()
    os.rename(loras / "styles" / "aquarelle.safetensors", moved)
    changes = catalogue.refresh()
    assert (changes.moved, changes.new, changes.gone) == (((loras / "styles" / "aquarelle.safetensors", moved),), 0, 0)
    (entry,) = catalogue.find(Query(["water", "soft"]))
    assert entry.content == known["aquarelle"] != ""


def test_another_file_of_the_same_header_is_not_taken_for_a_moved_one(catalogue, loras):
    """Two checkpoints without metadata differ in their numbers alone."""
    write_lora(loras / "old.safetensors", {}, seed=1)
    catalogue.refresh()
    (loras / "old.safetensors").unlink()
    os.utime(write_lora(loras / "new.safetensors", {}, seed=2), (1, 1))
    changes = catalogue.refresh()
    assert (changes.moved, changes.new, changes.gone) == ((), 1, 1)


def test_copies_are_told_from_checkpoints_of_one_shape_and_from_links(catalogue, loras):
    shutil.copy(loras / "zorvex.safetensors", loras / "again.safetensors")
    os.link(loras / "zorvex.safetensors", loras / "link.safetensors")
    write_lora(loras / "other.safetensors", seed=9)
    catalogue.refresh()
    (group,) = catalogue.duplicates()
    assert len(group) == 2
    assert {"again"} < {*names(group)} <= {"again", "zorvex", "link"}


def test_files_that_state_different_hashes_are_not_read_for_duplicates(catalogue, loras, monkeypatch):
    for digit in "ab":
        write_lora(loras / f"{digit}.safetensors", {"sshs_model_hash": digit * 64}, rank=8)
    catalogue.refresh()
    monkeypatch.setattr("lorasmith.library.catalogue.catalogue.model_hash", lambda file: pytest.fail("a file was read"))
    assert catalogue.duplicates() == []


def test_checkpoints_of_one_training_are_together_under_the_last(catalogue, loras):
    for name, epoch in (("mimi-000001", 1), ("mimi-000002", 2), ("mimi", 3)):
        write_lora(
            loras / f"{name}.safetensors", {"ss_session_id": "77", "ss_output_name": "mimi", "ss_epoch": str(epoch)}, rank=8, seed=epoch
        )
    for name in ("plain-000004", "plain-000008", "cat-1", "cat-2"):
        write_lora(loras / f"{name}.safetensors", {}, seed=len(name))
    catalogue.refresh()
    shown = {training.shown.name: names(training.files) for training in trainings(catalogue.entries())}
    assert shown["mimi"] == ["mimi-000001", "mimi-000002", "mimi"]
    assert shown["plain-000008"] == ["plain-000004", "plain-000008"]
    assert shown["cat-1"] == ["cat-1"]


def test_a_file_that_cannot_be_read_has_its_reason_and_stops_nothing(catalogue, loras):
    (loras / "torn.safetensors").write_bytes((loras / "zorvex.safetensors").read_bytes()[:5000])
    (loras / "old.pt").write_bytes(b"PK")
    (loras / "gone.safetensors").symlink_to(loras / "nowhere.safetensors")
    catalogue.refresh()
    problems = {entry.path.name: entry.problem for entry in catalogue.entries() if entry.problem}
    assert "download it again" in problems["torn.safetensors"]
    assert "pickle" in problems["old.pt"]
    assert names(catalogue.find(Query(kind="lora"))) == ["aquarelle", "zorvex"]
    assert names(catalogue.find(Query(["torn"]))) == ["torn"]


def test_odd_numbers_halves_of_characters_and_names_of_other_systems_keep_no_file_from_the_catalogue(catalogue, loras):
    (loras / "zorvex.json").write_text(r'{"description": "a creature \ud83d"}', encoding="utf-8")
    (loras / "zorvex.civitai.info").write_text(r'{"trainedWords": ["zvx\udc00"], "model": {"name": "Z\ud83d"}}', encoding="utf-8")
    write_lora(loras / "odd.safetensors", {"ss_epoch": "9" * 5000, "ss_steps": "9" * 5000, "modelspec.title": "TITLE"}, seed=3)
    raw = (loras / "odd.safetensors").read_bytes()
    length = int.from_bytes(raw[:8], "little")
    head = raw[8 : 8 + length].replace(b"TITLE", rb"a \ud83d")
    (loras / "torn.safetensors").write_bytes(len(head).to_bytes(8, "little") + head + raw[8 + length :])
    changes = catalogue.refresh()
    found = {entry.name: entry for entry in catalogue.entries()}
    assert (found["zorvex"].facts.title, found["zorvex"].facts.triggers) == ("Z?", ("zvx?", "zorvex", "zvx"))
    assert (found["odd"].facts.epoch, found["odd"].facts.step) == (None, None)
    assert "damaged" in found["torn"].problem
    assert changes.unreadable == {}


@needs_posix
def test_a_name_that_is_not_utf8_is_said_and_the_others_are_read(catalogue, loras):
    odd = os.fsdecode(os.fsencode(loras) + b"/caf\xe9.safetensors")
    try:
        shutil.copy(loras / "zorvex.safetensors", odd)
        os.mkdir(os.fsdecode(os.fsencode(loras) + b"/\xff"))
    except OSError:
        pytest.skip("this disk has names in UTF-8 alone")
    write_lora(loras / "new.safetensors")
    changes = catalogue.refresh()
    assert names(catalogue.entries()) == ["new", "aquarelle", "zorvex"]
    assert changes.unreadable == dict.fromkeys((rf"{loras}/caf\udce9.safetensors", rf"{loras}/\udcff"), "its name is not UTF-8: rename it")


def test_a_folder_that_is_not_there_now_loses_nothing(catalogue, loras, tmp_path):
    loras.rename(tmp_path / "away")
    changes = catalogue.refresh()
    assert list(changes.unreadable) == [str(loras)]
    assert names(catalogue.entries()) == ["aquarelle", "zorvex"]


def test_links_in_a_circle_are_walked_once(catalogue, loras):
    (loras / "styles" / "up").symlink_to(loras, target_is_directory=True)
    assert catalogue.refresh().files == 2


def test_of_a_run_the_checkpoints_are_read_and_of_a_cache_nothing(catalogue, loras):
    run = loras / "run"
    write_lora(run / "checkpoints" / "made.safetensors", seed=3)
    (run / "events.jsonl").touch()
    (run / "state").mkdir()
    (run / "state" / "step-1.pt").touch()
    write_lora(loras / "cache" / "latent.safetensors", seed=3)
    (loras / "cache" / "CACHEDIR.TAG").touch()
    catalogue.refresh()
    assert names(catalogue.entries()) == ["made", "aquarelle", "zorvex"]


def test_the_index_can_be_thrown_away_or_be_damaged(catalogue):
    shutil.rmtree(catalogue.folder / INDEX)
    assert catalogue.refresh().new == 2
    (catalogue.folder / INDEX / FILE).write_bytes(b"no database" * 1000)
    assert catalogue.refresh().new == 2
    with closing(sqlite3.connect(catalogue.folder / INDEX / FILE)) as db:
        db.execute("PRAGMA user_version = 99")
    assert catalogue.refresh().new == 2


def test_a_folder_that_leaves_the_catalogue_stays_on_the_disk(catalogue, loras):
    with pytest.raises(InputError, match="is not in the catalogue"):
        catalogue.remove(loras / "styles")
    catalogue.remove(loras)
    assert (catalogue.refresh().gone, catalogue.entries()) == (2, [])
    assert (loras / "zorvex.safetensors").exists()


def test_a_folder_that_is_none_is_refused(catalogue, tmp_path):
    with pytest.raises(InputError, match="There is no folder"):
        catalogue.add(tmp_path / "nowhere")


def test_two_processes_may_read_at_once(tmp_path, loras):
    for seed in range(300):
        write_lora(loras / f"{seed}.safetensors", seed=seed)
    catalogue = Catalogue(tmp_path / "library")
    catalogue.add(loras)
    program = f"from lorasmith.library.catalogue.catalogue import Catalogue; print(Catalogue({str(catalogue.folder)!r}).refresh().files)"
    running = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in running] == ["302", "302"]
    assert catalogue.refresh().new == 0


def test_the_hash_of_a_file_that_has_changed_since_is_not_kept(catalogue):
    entry = catalogue.entries()[0]
    with Index(catalogue.folder / INDEX) as index:
        index.keep_content(str(entry.path), entry.bytes, entry.changed + 1, "0" * 64)
    assert catalogue.entries()[0].content == ""


def test_the_catalogue_is_where_the_system_keeps_a_users_data(monkeypatch, tmp_path):
    monkeypatch.setenv("LORASMITH_LIBRARY", str(tmp_path))
    assert library_folder() == tmp_path
    monkeypatch.delenv("LORASMITH_LIBRARY")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert library_folder() == tmp_path / "lorasmith" / "library"


def test_other_networks_and_other_names_are_known_and_what_is_no_lora_is_said(catalogue, loras):
    from safetensors.torch import save_file
    from torch import zeros

    save_file(
        {"lora_unet_x.lokr_w1": zeros(4, 4), "lora_unet_x.lokr_w2_a": zeros(80, 6), "lora_unet_x.lokr_w2_b": zeros(6, 80)},
        loras / "lokr.safetensors",
    )
    save_file({"unet.a.to_q.lora_A.weight": zeros(3, 8), "unet.a.to_q.lora_B.weight": zeros(8, 3)}, loras / "diffusers.safetensors")
    save_file({"first_stage_model.x.weight": zeros(3, 8)}, loras / "vae.safetensors")
    catalogue.refresh()
    assert names(catalogue.find(Query(kind="lokr", rank=(6, 6)))) == ["lokr"]
    assert names(catalogue.find(Query(kind="lora", rank=(3, 3)))) == ["diffusers"]
    assert "There is no LoRA" in catalogue.find(Query(["vae"]))[0].problem


def test_a_table_of_tensors_that_many_files_have_is_read_once_and_tells_nothing_of_their_metadata(tmp_path, monkeypatch):
    read = []
    reading = heads_room.read_lora_header
    monkeypatch.setattr(heads_room, "read_lora_header", lambda path: read.append(path.name) or reading(path))
    heads = Heads()
    one = heads.read(write_lora(tmp_path / "a.safetensors", {"ss_output_name": "a"}))
    other = heads.read(write_lora(tmp_path / "b.safetensors", {"ss_output_name": "b"}, seed=1))
    assert read == ["a.safetensors"]
    assert one.network == other.network
    assert (other.metadata["ss_output_name"], one.identity == other.identity) == ("b", False)
    heads.read(write_lora(tmp_path / "c.safetensors", {"ss_base_model_version": "sdxl_base_v1-0"}))
    assert read == ["a.safetensors", "c.safetensors"]
    assert heads.read(write_lora(tmp_path / "d.safetensors", {})).metadata == {}
    whole = (tmp_path / "b.safetensors").read_bytes()
    (tmp_path / "b.safetensors").write_bytes(whole[:-7])
    with pytest.raises(AdapterError, match="cut short"):
        heads.read(tmp_path / "b.safetensors")


@pytest.fixture
def run(loras):
    """The folder of a run with two checkpoints, of which the first has samples of two prompts, and its last file."""
    run = loras / "runs" / "mimi"
    for name, epoch in (("mimi-000001", 1), ("mimi", 2)):
        said = {"ss_session_id": "77", "ss_output_name": "mimi", "ss_epoch": str(epoch), "ss_steps": str(30 * epoch)}
        write_lora(run / "checkpoints" / f"{name}.safetensors", said, rank=8, seed=epoch)
    (run / "events.jsonl").write_text("", encoding="utf-8")
    (run / "samples").mkdir()
    for number in (0, 1):
        (run / "samples" / sample_name(1, 30, number)).write_bytes(b"")
    return run


def test_a_checkpoint_of_a_run_shows_the_first_sample_of_its_step(catalogue, run):
    catalogue.refresh()
    pictures = {entry.name: entry.preview for entry in catalogue.entries()}
    assert (pictures["mimi-000001"], pictures["mimi"], pictures["zorvex"]) == (run / "samples" / sample_name(1, 30, 0), None, None)
    (run / "samples" / sample_name(2, 60, 0)).write_bytes(b"")
    catalogue.refresh()
    assert {entry.name: entry.preview for entry in catalogue.entries()}["mimi"] == run / "samples" / sample_name(2, 60, 0)
    (run / "checkpoints" / "mimi.png").write_bytes(b"")
    catalogue.refresh()
    assert {entry.name: entry.preview for entry in catalogue.entries()}["mimi"] == run / "checkpoints" / "mimi.png"
    changes = catalogue.refresh()
    assert (changes.new, changes.changed) == (0, 0), "a file was read again"


def test_a_file_in_a_folder_called_like_that_of_a_run_has_no_picture_of_it(catalogue, run):
    (run / "events.jsonl").unlink()
    catalogue.refresh()
    assert [entry.preview for entry in catalogue.entries()] == [None] * 4


def test_runs_that_say_the_same_of_their_training_are_two(catalogue, loras, run):
    shutil.copytree(run, loras / "runs" / "again")
    catalogue.refresh()
    assert sorted(names(newest_first(catalogue.entries()))) == ["aquarelle", "mimi", "mimi", "zorvex"]


def test_a_run_that_went_on_with_other_settings_is_one(catalogue, loras, run):
    said = {"ss_session_id": "78", "ss_output_name": "mimi", "ss_epoch": "3", "ss_steps": "90"}
    write_lora(run / "checkpoints" / "mimi-000003.safetensors", said, rank=8, seed=3)
    catalogue.refresh()
    assert sorted(names(newest_first(catalogue.entries()))) == ["aquarelle", "mimi", "zorvex"]


def test_a_kept_file_stands_for_its_training_and_the_newest_training_is_first(catalogue, loras, run):
    catalogue.refresh()
    assert {"mimi", "aquarelle", "zorvex"} == {*names(newest_first(catalogue.entries()))}
    kept = loras / "kept" / "the-one.safetensors"
    kept.parent.mkdir()
    shutil.copy(run / "checkpoints" / "mimi-000001.safetensors", kept)
    os.utime(kept, (2**31, 2**31))
    (loras / "torn.safetensors").write_bytes(b"no LoRA")
    catalogue.refresh()
    found = newest_first(catalogue.entries())
    assert found[0].path == kept
    assert {*names(found)} == {"the-one", "aquarelle", "zorvex"}
