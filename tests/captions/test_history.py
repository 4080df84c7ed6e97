"""Whatever is done to captions can be undone, and no kill, full disk or other program makes one go missing."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lorasmith.captions import history as history_module
from lorasmith.captions.caption import Caption, is_utf8
from lorasmith.captions.collection import open_captions
from lorasmith.captions.edits.edit import Edit, EditContext
from lorasmith.captions.edits.planning import plan_edit
from lorasmith.captions.edits.registry import EDITS, edit_of
from lorasmith.captions.history import Change, History, write_caption
from lorasmith.captions.vocabulary import Vocabulary
from lorasmith.errors import DatasetError


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.txt"))}


def captioned(folder: Path, texts: list[bytes | None]) -> Path:
    """A folder with a picture for each text, and the text beside it; None leaves the caption file out."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(texts):
        if number == 0:
            (folder / "00000.png").touch()
        else:
            os.link(folder / "00000.png", folder / f"{number:05d}.png")
        if text is not None:
            (folder / f"{number:05d}.txt").write_bytes(text)
    return folder


TEXTS = [b"zorvex, hat, solo", b"zorvex,solo,,\r\nA cat.\r\n", "\ufeffhat, 猫, cat\n".encode(), b"", None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return captioned(tmp_path / "pictures", TEXTS)


# Undo and redo


def test_operations_are_undone_and_redone_in_order_also_after_a_restart(folder):
    stages = [contents(folder)]
    for edit in (edit_of("add", tags=["new"], front=True), edit_of("remove", tags=["solo"]), edit_of("rename", old="hat", new="cap")):
        plan_edit(open_captions(folder), edit).save()
        stages.append(contents(folder))
    assert len({str(stage) for stage in stages}) == 4
    for stage in reversed(stages[:-1]):
        open_captions(folder).undo()
        assert contents(folder) == stage
    for stage in stages[1:]:
        open_captions(folder).redo()
        assert contents(folder) == stage


def test_the_history_names_each_operation(folder):
    collection = open_captions(folder)
    plan_edit(collection, edit_of("remove", tags=["solo"])).save()
    plan_edit(collection, edit_of("add", tags=["new"])).save()
    collection.undo()
    found = [(one.number, one.summary, one.files, one.state) for one in History(folder).operations()]
    assert found == [(1, "remove solo", 2, "applied"), (2, "add new at the back", 5, "undone")]


def test_what_was_undone_cannot_be_redone_after_something_else_was_done(folder):
    collection = open_captions(folder)
    plan_edit(collection, edit_of("remove", tags=["solo"])).save()
    collection.undo()
    plan_edit(collection, edit_of("remove", tags=["hat"])).save()
    with pytest.raises(DatasetError, match="nothing to redo"):
        collection.redo()
    collection.undo()
    assert contents(folder) == contents(captioned(folder.parent / "fresh", TEXTS))
    with pytest.raises(DatasetError, match="nothing to undo"):
        collection.undo()
    assert [one.state for one in collection.history.operations()] == ["set aside", "undone"]


def test_a_folder_without_a_history_says_so(folder):
    with pytest.raises(DatasetError, match="no history yet"):
        open_captions(folder).undo()
    assert not (folder / ".lorasmith").exists()


def test_undo_refuses_where_a_caption_was_changed_outside_and_names_it(folder):
    collection = open_captions(folder)
    plan_edit(collection, edit_of("add", tags=["new"])).save()
    (folder / "00001.txt").write_text("by hand", encoding="utf-8")
    after = contents(folder)
    with pytest.raises(DatasetError, match=r"1 caption in .* was changed .*00001\.txt"):
        collection.undo()
    assert contents(folder) == after
    assert [one.state for one in collection.history.operations()] == ["applied"]


def test_saving_refuses_where_a_caption_was_changed_since_it_was_read(folder):
    collection = open_captions(folder)
    (folder / "00001.txt").write_text("by hand", encoding="utf-8")
    before = contents(folder)
    with pytest.raises(DatasetError, match=r"00001\.txt.*open the folder again"):
        plan_edit(collection, edit_of("add", tags=["new"])).save()
    assert contents(folder) == before
    assert collection.history.operations() == []


# What is there stays there, for any text and any sequence of edits

RAW = st.one_of(
    st.text(st.sampled_from('ab ,\n\r\ufeff()\\_^A."'), max_size=30).map(str.encode),
    st.text(max_size=30).map(lambda text: text.replace("\0", "").encode("utf-8", "ignore")),
    st.lists(st.sampled_from(["hat", "red hat", "solo", "^_^", r"a \(b\)", "A cat sits on a red mat now."]), max_size=6).map(
        lambda tags: ", ".join(tags).encode()
    ),
)
TAG = st.sampled_from(["hat", "red hat", "solo", "new", "a (b)", "^_^"])
TAG_LISTS = st.lists(TAG, min_size=1, max_size=3)
ARGUMENTS: dict[str, st.SearchStrategy[dict]] = {
    "add": st.builds(
        lambda tags, place, move: {"tags": tags, "move": move} | place,
        TAG_LISTS,
        st.sampled_from([{}, {"front": True}]) | st.fixed_dictionaries({"after": TAG}),
        st.booleans(),
    ),
    "remove": st.fixed_dictionaries({"tags": TAG_LISTS, "wildcards": st.booleans()}),
    "replace": st.fixed_dictionaries({"tags": TAG_LISTS, "by": TAG_LISTS}),
    "rename": st.fixed_dictionaries({"old": TAG, "new": TAG}),
    "regex": st.fixed_dictionaries(
        {
            "pattern": st.sampled_from(["a", "hat", "^", r"(\w+)", ",", r"\s+", "$"]),
            "replacement": st.sampled_from(["", "x", "a, b", "\n", "."]),
            "each_tag": st.booleans(),
        }
    ),
    "front": st.fixed_dictionaries({"tags": TAG_LISTS}),
    "sort": st.fixed_dictionaries({"by": st.sampled_from(["frequency", "name", "probability"]), "reverse": st.booleans()}),
    "dedupe": st.just({}),
    "truncate": st.fixed_dictionaries({"tags": st.integers(1, 4), "tokens": st.none() | st.integers(1, 5)}),
    "drop-rare": st.fixed_dictionaries({"fewer_than": st.integers(2, 4)}),
    "drop-common": st.fixed_dictionaries({"above": st.floats(0.1, 0.9)}),
    "split": st.fixed_dictionaries({"keep": st.sampled_from(["tags", "sentence", "lines"])}),
    "spell": st.fixed_dictionaries({"manner": st.sampled_from(["spaces", "underscores", "escaped", "unescaped", "lower"])}),
    "implications": st.fixed_dictionaries({"add": st.booleans()}),
    "aliases": st.just({}),
    "set-triggers": st.fixed_dictionaries({"triggers": TAG_LISTS, "replacing": TAG_LISTS}),
    "folder-triggers": st.just({}),
    "mend-triggers": st.fixed_dictionaries({"triggers": TAG_LISTS}),
}
ANY_EDIT: st.SearchStrategy[Edit] = st.sampled_from(sorted(EDITS)).flatmap(
    lambda name: ARGUMENTS[name].map(lambda arguments: edit_of(name, **arguments))
)
KNOWN = {
    "count_tokens": lambda text: len(text.split()),
    "vocabulary": Vocabulary({"hat": (0, 1)}, {"solo": "hat"}, {"red_hat": ["hat"], "hat": ["new"], "new": ["hat"]}),
}
PROBABILITIES = {"00000.txt": {"hat": 0.9, "solo": 0.3}}
FOLDERS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)


def test_every_edit_is_tested_here():
    assert set(ARGUMENTS) == set(EDITS)


@given(RAW)
def test_a_caption_that_nobody_edits_keeps_its_bytes(raw):
    if is_utf8(raw):
        caption = Caption(raw)
        assert caption.with_text(caption.text).raw == raw
        assert caption.with_tags(caption.tags).raw == raw


@given(RAW, ANY_EDIT)
def test_what_an_edit_makes_is_a_caption_again(raw, edit):
    if is_utf8(raw):
        caption = Caption(raw)
        new = edit.prepare(EditContext([caption], load_probabilities=lambda: PROBABILITIES, **KNOWN))("00000.txt", caption)
        assert is_utf8(new.raw)
        assert new.with_text(new.text) == new


@pytest.mark.parametrize("name", sorted(EDITS))
def test_one_edit_and_its_undo_leave_every_byte_as_it_was(name, tmp_path):
    count = 0

    @settings(max_examples=5)
    @given(st.lists(RAW.filter(is_utf8) | st.none(), min_size=1, max_size=4), ARGUMENTS[name])
    def check(raws, arguments):
        nonlocal count
        count += 1
        _edits_then_undos(tmp_path / str(count), raws, [edit_of(name, **arguments)])

    check()


@FOLDERS
@given(raws=st.lists(RAW.filter(is_utf8) | st.none(), min_size=1, max_size=4), edits=st.lists(ANY_EDIT, min_size=1, max_size=5))
def test_any_sequence_of_edits_and_its_undos_leave_every_byte_as_it_was(raws, edits, tmp_path_factory):
    _edits_then_undos(tmp_path_factory.mktemp("sequence") / "pictures", raws, edits)


def _edits_then_undos(folder: Path, raws: list[bytes | None], edits: list[Edit]) -> None:
    captioned(folder, raws)
    collection = open_captions(folder)
    stages = [contents(folder)]
    for edit in edits:
        with mock.patch("lorasmith.captions.taggers.probabilities.stored_tags", return_value=PROBABILITIES):
            plan = plan_edit(collection, edit, **KNOWN)
        if plan.save() is not None:
            stages.append(contents(folder))
            assert stages[-1] != stages[-2]
    for stage in reversed(stages[:-1]):
        collection.undo()
        assert contents(folder) == stage
        assert {key: caption.raw for key, caption in collection.captions.items() if collection[key].exists} == stage
    for stage in stages[1:]:
        collection.redo()
        assert contents(folder) == stage


# Kills, full disks, power cuts

EDITING = """
import os, signal, sys
from lorasmith.captions.collection import open_captions
from lorasmith.captions.edits.planning import plan_edit
from lorasmith.captions.edits.registry import edit_of

folder, edit, arguments, call, after = sys.argv[1], sys.argv[2], eval(sys.argv[3]), sys.argv[4], int(sys.argv[5])
collection = open_captions(folder)

def killing(real):
    left = [after]
    def system_call(*given):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*given)
    return system_call

if call != "none":
    setattr(os, call, killing(getattr(os, call)))
if edit == "undo":
    collection.undo()
else:
    plan_edit(collection, edit_of(edit, **arguments)).save()
"""
NUMBER = 40
EDITS_TO_KILL = {
    "remove": ({"tags": ["solo"]}, "zorvex, hat, picture {}"),
    "add": ({"tags": ["a new tag"], "front": True}, "a new tag, zorvex, solo, hat, picture {}"),
    "undo": ({}, "zorvex, solo, hat, picture {}"),
}


def editing(folder: Path, edit: str, call: str = "none", after: int = 0) -> subprocess.Popen:
    """An edit in a process of its own, which kills itself (kill -9) at the system call named `call` when `after` of them are done."""
    return subprocess.Popen([sys.executable, "-c", EDITING, str(folder), edit, repr(EDITS_TO_KILL[edit][0]), call, str(after)])


def before_and_after(folder: Path, edit: str, number: int) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """A folder ready for the edit: what its captions hold, and what they expected_after hold."""
    captioned(folder, [f"zorvex, solo, hat, picture {n}".encode() for n in range(number)])
    if edit == "undo":
        plan_edit(open_captions(folder), edit_of("remove", tags=["solo"])).save()
    return contents(folder), {f"{n:05d}.txt": EDITS_TO_KILL[edit][1].format(n).encode() for n in range(number)}


def nothing_is_lost(folder: Path, edit: str, before: dict[str, bytes], after: dict[str, bytes]) -> None:
    """As the kill left it, each file holds the old text or the new (with spaces behind it at most); and the next opening finishes it."""
    torn = [raw for key, raw in contents(folder).items() if raw not in (before[key], after[key]) and raw.rstrip(b" ") != after[key]]
    assert torn == []
    collection = open_captions(folder)
    assert contents(folder) == after
    assert collection.history.operations()[-1].state == ("undone" if edit == "undo" else "applied")
    collection.redo() if edit == "undo" else collection.undo()
    assert contents(folder) == before


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@pytest.mark.parametrize(
    ("edit", "call", "after"),
    [("remove", "write", 15), ("remove", "ftruncate", 15), ("add", "write", 0), ("add", "write", 39), ("undo", "write", 15)],
)
def test_a_kill_between_any_two_files_loses_no_caption(tmp_path, edit, call, after):
    folder = tmp_path / "pictures"
    before, expected_after = before_and_after(folder, edit, NUMBER)
    assert editing(folder, edit, call, after).wait() == -signal.SIGKILL
    written = sum(raw != before[key] for key, raw in contents(folder).items())
    assert written == after + (call == "ftruncate")
    nothing_is_lost(folder, edit, before, expected_after)


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_kill_from_outside_in_the_middle_of_a_bulk_edit_loses_no_caption(tmp_path):
    folder = tmp_path / "pictures"
    before, expected_after = before_and_after(folder, "remove", 2000)
    watched = folder / "00100.txt"
    process = editing(folder, "remove")
    while watched.read_bytes() == before[watched.name] and process.poll() is None:
        time.sleep(0)
    process.kill()
    process.wait()
    nothing_is_lost(folder, "remove", before, expected_after)


def test_a_kill_before_the_history_is_written_leaves_everything_as_it_was(folder, monkeypatch):
    before = contents(folder)
    collection = open_captions(folder)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(history_module, "_packed", killed)
    with pytest.raises(KeyboardInterrupt):
        plan_edit(collection, edit_of("add", tags=["new"])).save()
    monkeypatch.undo()
    assert contents(folder) == before
    assert open_captions(folder).history.operations() == []


def test_a_file_changed_by_hand_after_the_kill_is_left_alone(folder, caplog):
    interrupted(folder, "add", {"tags": ["new"]}, after_files=1)
    (folder / "00001.txt").write_text("by hand", encoding="utf-8")
    open_captions(folder)
    assert contents(folder)["00001.txt"] == b"by hand"
    assert contents(folder)["00002.txt"] == "\ufeffhat, 猫, cat, new\n".encode()
    assert "00001.txt was changed by another program" in caplog.text


def interrupted(folder: Path, edit: str, arguments: dict, after_files: int) -> None:
    """An edit whose process dies after some files: what is on the disk afterwards is what a kill leaves."""
    collection = open_captions(folder)
    written = 0

    def dies(*arguments):
        nonlocal written
        if written == after_files:
            raise KeyboardInterrupt
        written += 1
        write_caption(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history_module, "write_caption", dies)
        with pytest.raises(KeyboardInterrupt):
            plan_edit(collection, edit_of(edit, **arguments)).save()


@pytest.mark.parametrize("after_files", range(5))
def test_an_interrupted_operation_is_finished_wherever_it_stopped(folder, after_files):
    before = contents(folder)
    interrupted(folder, "add", {"tags": ["new"]}, after_files)
    (folder / ".lorasmith.part").write_bytes(b"half a cap")
    collection = open_captions(folder)
    assert all("new" in entry.caption.tags for entry in collection)
    assert not (folder / ".lorasmith.part").exists()
    collection.undo()
    assert contents(folder) == before


needs_boot_id = pytest.mark.skipif(history_module._boot_id() is None, reason="the system has no boot id: each file is flushed at once")


@needs_boot_id
@pytest.mark.parametrize("left", [b"", b"\0" * 17, b"zorvex, hat, solo, n\0\0\0\0", b"zorvex, hat, solo", b"zorvex, hat, solo, new      "])
def test_what_a_power_cut_undid_is_rewritten_after_the_next_boot(folder, left, monkeypatch):
    before = contents(folder)
    plan_edit(open_captions(folder), edit_of("add", tags=["new"])).save()
    after = contents(folder)
    path = folder / "00000.txt"
    path.write_bytes(left)
    an_hour_ago = time.time() - 3600
    os.utime(path, (an_hour_ago, an_hour_ago))
    monkeypatch.setattr(history_module, "_boot_id", lambda: "another start")
    collection = open_captions(folder)
    assert contents(folder) == after
    collection.undo()
    assert contents(folder) == before


def test_what_was_changed_by_hand_before_the_power_cut_stays(folder, monkeypatch):
    plan_edit(open_captions(folder), edit_of("add", tags=["new"])).save()
    (folder / "00000.txt").write_bytes(TEXTS[0])  # put back by hand, after the operation
    (folder / "00001.txt").write_bytes(b"by hand")
    monkeypatch.setattr(history_module, "_boot_id", lambda: "another start")
    open_captions(folder)
    assert contents(folder)["00000.txt"] == TEXTS[0]
    assert contents(folder)["00001.txt"] == b"by hand"


@needs_boot_id
def test_after_a_power_cut_the_last_word_on_each_file_counts(folder, monkeypatch):
    collection = open_captions(folder)
    plan_edit(collection, edit_of("add", tags=["one"])).save()
    plan_edit(collection, edit_of("add", tags=["two"])).save()
    collection.undo()
    plan_edit(collection, edit_of("remove", tags=["hat"])).save()
    after = contents(folder)
    for name in after:
        (folder / name).write_bytes(b"\0\0\0")
    monkeypatch.setattr(history_module, "_boot_id", lambda: "another start")
    open_captions(folder)
    assert contents(folder) == after


def test_a_file_that_cannot_be_written_stops_the_operation_and_undoes_it(folder):
    if os.geteuid() == 0:
        (folder / "00003.txt").unlink()
        (folder / "00003.txt").symlink_to(folder / "nowhere" / "else.txt")  # also root cannot write there
    else:
        (folder / "00003.txt").chmod(0o400)
    before = {path.name: path.read_bytes() for path in sorted(folder.glob("*.txt")) if path.exists()}
    collection = open_captions(folder)
    with pytest.raises(DatasetError, match=r"00003\.txt cannot be written .*no caption was changed"):
        collection.save({key: Caption(b"new") for key in collection.captions}, "write new")
    assert {path.name: path.read_bytes() for path in sorted(folder.glob("*.txt")) if path.exists()} == before
    assert collection.history.operations() == []


def test_a_damaged_history_is_named_and_harms_no_caption(folder):
    before = contents(folder)
    plan_edit(open_captions(folder), edit_of("add", tags=["new"])).save()
    open_captions(folder).undo()
    (folder / ".lorasmith" / "captions.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(DatasetError, match=r"captions\.sqlite cannot be used"):
        open_captions(folder)
    assert contents(folder) == before


# One file


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"short", b"a longer text"),
        (b"a longer text", b"short"),
        (b"x", b""),
        (b"", b"x"),
        (None, b"new"),
        (b"old", None),
        (b"a" * 9000, b"b"),
    ],
)
def test_a_file_is_written_from_any_text_to_any_other(tmp_path, before, after):
    path = tmp_path / "a.txt"
    if before is not None:
        path.write_bytes(before)
    write_caption(str(path), before, after, flush=True)
    assert (path.read_bytes() if path.exists() else None) == after
    assert [one.name for one in tmp_path.iterdir()] == (["a.txt"] if after is not None else [])


@pytest.mark.skipif(os.name != "posix", reason="permissions and links as on Unix")
@pytest.mark.parametrize("text", [b"short", b"long " * 2000])
def test_a_file_keeps_its_permissions_and_a_link_stays_a_link(tmp_path, text):
    target, link = tmp_path / "kept.txt", tmp_path / "a.txt"
    target.write_bytes(text)
    target.chmod(0o640)
    link.symlink_to(target)
    write_caption(str(link), text, text + b", new", flush=False)
    assert link.is_symlink()
    assert target.read_bytes() == text + b", new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_change_has_both_sides(folder):
    collection = open_captions(folder)
    operation = plan_edit(collection, edit_of("front", tags=["solo"])).save()
    assert Change("00000.txt", b"zorvex, hat, solo", b"solo, zorvex, hat") in collection.history.changes(operation)


def test_the_history_is_an_ordinary_database(folder):
    plan_edit(open_captions(folder), edit_of("add", tags=["new"])).save()
    with sqlite3.connect(folder / ".lorasmith" / "captions.sqlite") as database:
        assert database.execute("SELECT summary, files FROM operations").fetchall() == [("add new at the back", 5)]


def test_an_edit_that_changes_nothing_is_not_an_operation(folder):
    collection = open_captions(folder)
    assert plan_edit(collection, edit_of("remove", tags=["not there"])).save() is None
    assert collection.history.operations() == []
