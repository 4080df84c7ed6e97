"""`lorasmith captions` as a user meets it: what is shown, what is written, and that it can be taken back."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from lorasmith.captions.edits.registry import EDITS
from lorasmith.cli.captions.app import app
from lorasmith.errors import DatasetError, InputError, SettingsError

TEXTS = {
    "anna/1": "zorvex, red hat, happy, beach",
    "anna/2": "zorvex, red hat, sad, city",
    "bob/1": "hat, bunny, rabbit, happy, happy",
    "bob/2": "solo, A happy cat on a beach, asleep.",
    "bob/3": None,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in TEXTS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
        if text is not None:
            (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    return tmp_path


def captions(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def texts(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).with_suffix("").as_posix(): path.read_text(encoding="utf-8") for path in folder.rglob("*.txt")}


def test_captions_are_listed_by_a_filter(folder):
    shown = captions("list", folder, "--where", "tag:zorvex AND NOT beach")
    assert "anna/2.txt: zorvex, red hat, sad, city" in shown
    assert "1 of 5 captions" in shown
    rows = json.loads(captions("list", folder, "--only", "bob", "--json"))["captions"]
    assert [(row["key"], row["exists"]) for row in rows] == [("bob/1.txt", True), ("bob/2.txt", True), ("bob/3.txt", False)]


def test_one_caption_is_shown_with_its_tags_its_sentence_and_what_is_unknown(folder):
    shown = captions("show", folder, "bob/2.png", "--vocabulary", "demo")
    assert "solo  (unknown)" in shown
    assert "sentence: A happy cat on a beach, asleep." in shown
    assert json.loads(captions("show", folder, "anna/1.txt", "--json"))["tags"] == ["zorvex", "red hat", "happy", "beach"]


def test_tags_are_counted_over_a_scope_and_compared(folder):
    assert json.loads(captions("tags", folder, "--view", "common", "--where", "path:anna/", "--json"))["tags"] == [
        {"tag": "zorvex", "captions": 2},
        {"tag": "red hat", "captions": 2},
    ]
    shown = captions("tags", folder, "--view", "difference", "--where", "path:anna/", "--than", "path:bob/", "--vocabulary", "demo")
    assert "     2  100%  red hat" in shown
    assert "happy" not in shown
    with pytest.raises(SettingsError, match="--than"):
        captions("tags", folder, "--view", "difference")


def test_a_dry_run_shows_the_change_and_writes_nothing(folder):
    before = texts(folder)
    shown = captions("add", folder, "new, tags", "--front", "--where", "path:anna/", "--dry-run")
    assert "  - zorvex, red hat, happy, beach\n  + new, tags, zorvex, red hat, happy, beach" in shown
    assert "would change 2 of 2 captions" in shown
    assert texts(folder) == before
    assert not (folder / ".lorasmith").exists()


EDITED = [
    (["add", "new", "--after", "red hat"], "anna/1", "zorvex, red hat, new, happy, beach"),
    (["add", "beach", "--front", "--move"], "anna/1", "beach, zorvex, red hat, happy"),
    (["add", "zorvex"], "bob/3", "zorvex"),
    (["remove", "red hat", "sad, city"], "anna/2", "zorvex"),
    (["remove", "*hat", "--wildcards"], "bob/1", "bunny, rabbit, happy, happy"),
    (["replace", "happy", "--by", "smile, glad"], "anna/1", "zorvex, red hat, smile, glad, beach"),
    (["rename", "red hat", "crimson hat"], "anna/1", "zorvex, crimson hat, happy, beach"),
    (["regex", "(red) hat", r"\1 cap"], "anna/1", "zorvex, red cap, happy, beach"),
    (["regex", "^HAPPY$", "", "--each-tag", "--ignore-case"], "bob/1", "hat, bunny, rabbit"),
    (["front", "beach"], "anna/1", "beach, zorvex, red hat, happy"),
    (["sort", "--by", "name", "--keep", 1], "anna/1", "zorvex, beach, happy, red hat"),
    (["sort", "--reverse"], "anna/2", "sad, city, zorvex, red hat"),
    (["dedupe"], "bob/1", "hat, bunny, rabbit, happy"),
    (["truncate", "--tags", 2], "anna/1", "zorvex, red hat"),
    (["truncate", "--tokens", 3, "--base", "demo"], "anna/2", "zorvex"),
    (["drop-rare", "--fewer-than", 2], "anna/1", "zorvex, red hat, happy"),
    (["drop-common", "--above", 0.4, "--keep", "zorvex"], "anna/1", "zorvex, beach"),
    (["drop-common", "--above", 0.9, "--count-in", "scope", "--where", "path:anna/"], "anna/1", "happy, beach"),
    (["split", "--keep", "lines"], "bob/2", "solo\nA happy cat on a beach, asleep."),
    (["spell", "underscores"], "anna/1", "zorvex, red_hat, happy, beach"),
    (["implications", "--vocabulary", "demo", "--add"], "anna/2", "zorvex, red hat, sad, city, cat, hat, teal body"),
    (["aliases", "--vocabulary", "demo"], "bob/1", "hat, rabbit, happy, happy"),
    (["set-triggers", "vexlor", "--replacing", "zorvex"], "anna/1", "vexlor, red hat, happy, beach"),
    (["mend-triggers", "happy"], "anna/1", "happy, zorvex, red hat, beach"),
]


@pytest.mark.parametrize(
    ("command", "name", "text"), EDITED, ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else ""
)
def test_an_edit_is_written_and_undone(folder, command, name, text):
    before = texts(folder)
    verb, *rest = command
    made = captions(verb, folder, *rest)
    assert texts(folder)[name] == text
    assert "to undo it: lorasmith captions undo" in made
    captions("undo", folder)
    assert texts(folder) == before
    captions("redo", folder)
    assert texts(folder)[name] == text


def test_every_edit_of_the_registry_is_a_command():
    assert {command[0] for command, _, _ in EDITED} | {"folder-triggers"} == set(EDITS)


def test_scripts_get_every_change(folder):
    tree = json.loads(captions("rename", folder, "red hat", "cap", "--json"))
    assert (tree["changed"], tree["considered"], tree["written"], tree["operation"]["number"]) == (2, 5, True, 1)
    assert tree["captions"][0] == {"key": "anna/1.txt", "before": "zorvex, red hat, happy, beach", "after": "zorvex, cap, happy, beach"}
    tree = json.loads(captions("rename", folder, "cap", "hat", "--json", "--dry-run"))
    assert (tree["changed"], tree["written"], tree["operation"]) == (2, False, None)


def test_the_history_lists_what_was_done(folder):
    assert "have not been changed yet" in captions("history", folder)
    captions("add", folder, "new")
    captions("remove", folder, "red hat", "--where", "path:anna/")
    assert "undone: remove red hat where path:anna/ (2 captions)" in captions("undo", folder)
    shown = captions("history", folder).splitlines()
    assert "5 captions  add new at the back" in shown[0]
    assert shown[1].endswith("2 captions  remove red hat where path:anna/ (undone)")
    assert [one["state"] for one in json.loads(captions("history", folder, "--json"))["operations"]] == ["applied", "undone"]
    captions("redo", folder)
    assert json.loads(captions("undo", folder, "--steps", 2, "--json"))["operations"][1]["number"] == 1
    with pytest.raises(DatasetError, match="nothing to undo"):
        captions("undo", folder)


def test_more_steps_than_the_history_has_undo_those_that_it_has(folder):
    before = texts(folder)
    captions("add", folder, "new")
    captions("remove", folder, "red hat")
    shown = captions("undo", folder, "--steps", 9)
    assert shown.splitlines()[:2] == ["undone: remove red hat (2 captions)", "undone: add new at the back (5 captions)"]
    assert "no more than these 2 of 9" in shown
    assert texts(folder) == before
    assert len(json.loads(CliRunner().invoke(app, ["redo", str(folder), "--steps", "9", "--json"]).stdout)["operations"]) == 2
    captions("undo", folder)
    (folder / "anna/1.txt").write_text("changed outside", encoding="utf-8")
    result = CliRunner().invoke(app, ["undo", str(folder), "--steps", "9"])
    assert result.exit_code != 0


def test_other_encodings_are_converted_and_undone(folder):
    (folder / "bob/3.txt").write_bytes("café".encode("latin-1"))
    (folder / "bob/1.txt").write_bytes("the cat\u2019s hat".encode("cp1252"))
    for command in (["list"], ["tags"]):
        shown = captions(command[0], folder, *command[1:])
        assert "bob/3.txt --from latin-1" in shown
        assert "bob/1.txt --from cp1252" in shown
    assert "anna/2.txt: zorvex, red hat, sad, city" in captions("list", folder)
    captions("convert", folder, "--where", "cat")
    assert (folder / "bob/1.txt").read_text(encoding="utf-8") == "the cat\u2019s hat"
    assert "+ café" in captions("convert", folder, "--from", "latin-1", "--dry-run")
    captions("convert", folder, "--only", "bob")
    assert (folder / "bob/3.txt").read_text(encoding="utf-8") == "café"
    captions("undo", folder)
    assert (folder / "bob/3.txt").read_bytes() == "café".encode("latin-1")


def test_a_caption_of_several_possible_encodings_is_never_converted_in_silence(folder):
    for number, text in ((1, "家"), (2, "猫, 帽子"), (3, "café")):
        (folder / f"bob/{number}.txt").write_bytes(text.encode({1: "gbk", 2: "shift-jis", 3: "latin-1"}[number]))
    result = CliRunner().invoke(app, ["convert", str(folder)])
    assert result.exit_code == 1
    assert "changed 2 of 3 captions" in result.output
    assert "bob/1.txt --from ENCODING" in result.output
    assert "it could be euc-jp ('社'), gbk ('家'), euc-kr ('소')" in result.output
    assert "take the one that reads right" in result.output
    assert (folder / "bob/1.txt").read_bytes() == "家".encode("gbk")
    captions("convert", folder, "--only", "bob/1.txt", "--from", "gbk")
    assert [(folder / f"bob/{n}.txt").read_text(encoding="utf-8") for n in (1, 2, 3)] == ["家", "猫, 帽子", "café"]


def test_a_caption_that_cannot_be_read_does_not_keep_the_others_from_an_edit(folder):
    (folder / "bob/3.txt").write_bytes(b"caf\xe9")
    result = CliRunner().invoke(app, ["add", str(folder), "new"])
    assert result.exit_code == 1
    assert "changed 4 of 4 captions" in result.output
    assert "bob/3.txt --from latin-1" in result.output
    assert (folder / "anna/1.txt").read_text(encoding="utf-8") == "zorvex, red hat, happy, beach, new"
    assert (folder / "bob/3.txt").read_bytes() == b"caf\xe9"


def test_tags_are_completed_from_a_list(tmp_path):
    (tmp_path / "list.csv").write_text('long_hair,0,900,"longhair"\nlong_skirt,0,100\n', encoding="utf-8")
    assert captions("autocomplete", "long h", "--vocabulary", tmp_path / "list.csv").split() == ["900", "long_hair"]
    assert json.loads(captions("autocomplete", "longh", "--vocabulary", tmp_path / "list.csv", "--json"))["tags"][0]["alias"] == "longhair"
    assert "beach" in captions("autocomplete", "b", "--vocabulary", "demo")
    with pytest.raises(SettingsError, match="--vocabulary"):
        captions("autocomplete", "long")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["add", "new", "--where", "tga:x"], "at character 1: there is no field tga:"),
        (["add", "new", "--only", "carl"], "carl"),
        (["add", ","], "edit add"),
        (["sort", "--by", "probability"], "captions tag"),
        (["sort", "--by", "colour"], "edit sort cannot use by"),
        (["truncate", "--tokens", "75"], "name the base model"),
        (["drop-common", "--above", "90"], "less than 1"),
        (["drop-rare", "--fewer-than", "2", "--count-in", "world"], "choose folder or scope"),
        (["implications"], "--vocabulary"),
        (["regex", "(", ""], "cannot be used"),
        (["spell", "loudly"], "spell"),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(folder, command, words):
    before = texts(folder)
    with pytest.raises(InputError, match=words):
        captions(command[0], folder, *command[1:])
    assert texts(folder) == before
    assert not (folder / ".lorasmith").exists()


def test_the_commands_load_nothing_heavy_until_they_are_called():
    program = "import sys, lorasmith.cli.captions.app; print([m for m in ('torch', 'numpy', 'PIL', 'pydantic', 'transformers') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.strip() == "[]"


# -- regularisation pictures are not the subject's --------------------------------------------------------------------


@pytest.fixture(params=["regularisation/1_woman", "reg", "Regularization/1_woman"])
def with_regularisation(request, tmp_path: Path) -> tuple[Path, str]:
    """Six captions of a subject, and seven of regularisation pictures that one of the names in use is for."""
    for number in range(6):
        _write(tmp_path / "10_zorvex" / f"{number}.png", f"zorvex, red hat, place {number}")
    for number in range(7):
        _write(tmp_path / request.param / f"{number}.png", f"woman, solo, park {number}")
    return tmp_path, request.param


def checked(folder: Path, *options: str) -> dict:
    """What `captions check` finds, without the notes beside it."""
    return json.loads(CliRunner().invoke(app, ["check", str(folder), "--json", *options]).stdout)


def _write(picture: Path, text: str) -> None:
    picture.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(picture)
    picture.with_suffix(".txt").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "verb",
    [
        ["triggers", "--set", "sks"],
        ["triggers", "--mend", "--trigger", "sks"],
        ["triggers", "--from-folders", "--replacing", "zorvex, red hat"],
        ["add", "sks"],
        ["sort"],
        ["add", "sks", "--where", "tag:*"],
    ],
)
def test_captions_of_regularisation_pictures_are_left_alone_unless_their_folder_is_named(with_regularisation, verb):
    folder, reg = with_regularisation
    before = texts(folder)
    shown = captions(verb[0], folder, *verb[1:])
    after = texts(folder)
    assert {name for name in before if after[name] != before[name]} <= {name for name in before if name.startswith("10_zorvex")}
    assert "7 captions of regularisation pictures left alone" in shown
    captions("add", folder, "quiet", "--only", reg)
    assert all(text.endswith("quiet") for name, text in texts(folder).items() if name.startswith(reg))


def test_a_trigger_in_the_caption_of_a_regularisation_picture_is_an_error_and_its_fix_takes_it_out(with_regularisation):
    folder, reg = with_regularisation
    sound = checked(folder)
    assert sound["triggers"] == ["zorvex", "red hat"]  # though most captions begin with woman
    assert not [one for one in sound["findings"] if "trigger" in one["code"]]
    (folder / reg / "3.txt").write_text("zorvex, woman, park", encoding="utf-8")
    (found,) = [one for one in checked(folder)["findings"] if "trigger" in one["code"]]
    assert (found["code"], found["severity"], found["subjects"]) == ("captions.trigger_in_regularisation", "error", [f"{reg}/3.txt"])
    result = CliRunner().invoke(app, ["triggers", str(folder)])
    assert (result.exit_code, f"{reg}/3.txt: zorvex" in result.output) == (1, True)
    captions("remove", folder, "zorvex", "--only", reg)
    assert texts(folder)[f"{reg}/3"] == "woman, park"


def test_a_trigger_that_is_asked_for_in_a_regularisation_folder_is_warned_of(with_regularisation):
    folder, reg = with_regularisation
    assert "are trained without it" in captions("triggers", folder, "--set", "sks", "--only", reg)
    findings = checked(folder / reg, "--trigger", "sks")["findings"]
    assert [one["code"] for one in findings if "trigger" in one["code"]] == ["captions.trigger_in_regularisation"]


def test_a_regularisation_folder_by_itself_is_not_told_to_have_a_trigger(with_regularisation):
    folder, reg = with_regularisation
    findings = checked(folder / reg)["findings"]
    assert not [one for one in findings if "trigger" in one["code"]]


def test_the_trigger_is_no_way_to_fill_the_empty_caption_of_a_regularisation_picture(with_regularisation):
    folder, reg = with_regularisation
    (folder / reg / "3.txt").write_text("", encoding="utf-8")
    (empty,) = [one for one in checked(folder, "--only", reg)["findings"] if one["code"] == "captions.empty"]
    assert empty["fix"]["changes"] == []
