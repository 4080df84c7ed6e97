"""The caption commands that look at pictures or words, as a user meets them: auto-label, describe, trigger, check, report."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile
from collections import defaultdict

import pytest
from PIL import Image
from typer.testing import CliRunner

from lorasmith.captions.collection import open_captions
from lorasmith.cli.captions.app import app
from lorasmith.demo.datasets import write_dataset
from lorasmith.errors import InputError, LorasmithError
from tests.chat_server import ChatServer, completion, error


def captions(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, LorasmithError):
        raise result.exception
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def as_data(*arguments):
    return json.loads(captions(*arguments, "--json").stdout)


def new_texts(data):
    """Key -> new caption, of a command's JSON."""
    return {change["key"]: change["after"] for change in data["captions"]}


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("demo"), "character-zorvex-small")


@pytest.fixture
def zorvex(world, tmp_path):
    """Pictures of zorvex with their captions."""
    for file in world.iterdir():
        (tmp_path / "set" / file.name).parent.mkdir(exist_ok=True)
        (tmp_path / "set" / file.name).write_bytes(file.read_bytes())
    return tmp_path / "set"


@pytest.fixture
def server():
    server = ChatServer()
    yield server
    server.close()


@pytest.fixture
def bare(zorvex):
    """The pictures alone."""
    for file in zorvex.glob("*.txt"):
        file.unlink()
    return zorvex


LATIN = "zorvex, café".encode("latin-1")


def texts(folder):
    return {file.stem: file.read_text() for file in sorted(folder.glob("*.txt"))}


# -- tag --------------------------------------------------------------------------------------------------------------


def test_untagged_pictures_are_labelled_as_their_makers_did(world, bare):
    result = captions("tag", bare, "--tagger", "demo", "--prepend", "zorvex")
    assert "tagged now 15, tagged before 0\ntag by tagger (ignore): changed 15 of 15 captions" in result.output
    truth, found = texts(world), texts(bare)
    right = [set(found[stem].split(", ")) == set(truth[stem].strip().split(", ")) for stem in truth]
    assert sum(right) >= 14
    assert all(text.startswith("zorvex, ") for text in found.values())


def test_thresholds_move_later_without_the_tagger_and_undo_brings_back(bare):
    captions("tag", bare, "--base", "demo")
    before = texts(bare)
    with pytest.raises(InputError, match="ignore, append or overwrite"):
        captions("tag", bare, "--mode", "replace")
    moved = as_data("tag", bare, "--threshold", "0.999", "--mode", "overwrite", "--max-tags", "2")
    assert (moved["tagged_now"], moved["tagged_before"]) == (0, 15)
    assert all(len(text.split(", ")) <= 2 for text in texts(bare).values())
    open_captions(bare).undo()
    assert texts(bare) == before


def test_a_dry_run_writes_no_caption_and_ignore_keeps_what_is_there(zorvex):
    before = texts(zorvex)
    shown = as_data("tag", zorvex, "--tagger", "demo", "--mode", "append", "--append", "new", "--dry-run")
    assert (shown["changed"], shown["written"]) == (15, False)
    assert new_texts(shown)["0001.txt"].endswith(", new")
    assert as_data("tag", zorvex, "--mode", "ignore")["changed"] == 0
    assert texts(zorvex) == before


def test_overwriting_says_when_the_trigger_is_lost(zorvex):
    assert (
        "lose their trigger zorvex"
        in captions("tag", zorvex, "--tagger", "demo", "--blacklist", "zorvex", "--mode", "overwrite", "--dry-run").stderr
    )
    kept = captions("tag", zorvex, "--blacklist", "zorvex", "--mode", "overwrite", "--prepend", "zorvex", "--dry-run")
    assert "lose" not in kept.stderr


def test_append_keeps_a_sentence_behind_the_tags(zorvex):
    (zorvex / "0001.txt").write_text("zorvex, A creature stands there in the night.\nsecond line")
    captions("tag", zorvex, "--tagger", "demo", "--mode", "append", "--only", "0001.png")
    assert (zorvex / "0001.txt").read_text().startswith("zorvex, happy, ") or "night" in (zorvex / "0001.txt").read_text()
    assert (zorvex / "0001.txt").read_text().endswith("A creature stands there in the night.\nsecond line")


def test_one_bad_picture_is_named_and_the_others_are_labelled(bare):
    (bare / "0002.png").write_bytes(b"torn")
    result = captions("tag", bare, "--tagger", "demo")
    assert result.exit_code == 1
    assert "0002.png" in result.stderr
    assert sorted(texts(bare)) == [f"{k:04d}" for k in range(1, 16) if k != 2]


def test_implied_tags_go_and_filters_choose(bare, tmp_path):
    words = tmp_path / "tag_implications.csv"
    words.write_text("id,antecedent_name,consequent_name,created_at,status\n1,zorvex,night,2020,active\n2,zorvex,city,2020,active\n")
    without = as_data("tag", bare, "--tagger", "demo", "--vocabulary", words, "--dry-run")
    with_all = as_data("tag", bare, "--dry-run")
    assert any("zorvex" in text and "night" in text for text in new_texts(with_all).values())
    assert not any("zorvex" in text and ("night" in text or "city" in text) for text in new_texts(without).values())
    demo = as_data("tag", bare, "--vocabulary", "demo", "--blacklist", "style", "--category", "general", "--append", "end", "--dry-run")
    assert all("style" in text for text in new_texts(demo).values())  # flat style implies style, and not the other way round
    few = as_data("tag", bare, "--category", "character", "--dry-run")
    assert set(new_texts(few).values()) == {"zorvex"}
    blocked = as_data("tag", bare, "--blacklist", "zorvex, flat style", "--dry-run")
    assert not any("zorvex" in text or "flat style" in text for text in new_texts(blocked).values())


def test_one_caption_in_another_encoding_is_named_and_the_others_are_labelled(zorvex, server):
    (zorvex / "0002.txt").write_bytes(LATIN)
    result = captions("tag", zorvex, "--tagger", "demo", "--mode", "append", "--append", "new")
    assert result.exit_code == 1
    assert "0002.txt cannot be read as UTF-8 text: convert it with `lorasmith captions convert" in result.stderr
    assert "changed 14 of 14 captions" in result.output
    assert as_data("tag", zorvex, "--mode", "append", "--only", "0001.png")["failures"] == []
    result = captions("describe", zorvex, "--endpoint", server.url, "--model", "eyes", "--prompt", "?")
    assert (result.exit_code, len(server.requests)) == (1, 14)
    assert "0002.txt cannot be read as UTF-8" in result.stderr
    assert (zorvex / "0002.txt").read_bytes() == LATIN


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "No tagger was run on"), (["--tagger", "nowhere"], "neither a folder"), (["--tagger", "demo", "--max-tags", "0"], "max_tags cannot be 0"),
        (["--tagger", "demo", "--category-threshold", "copyright"], "category=number"), (["--tagger", "demo", "--where", "tag:"], ""),
    ],
)  # fmt: skip
def test_bad_input_to_tag_is_a_sentence(bare, arguments, words):
    with pytest.raises(InputError, match=words):
        captions("tag", bare, *arguments)
    assert texts(bare) == {}


def test_a_stopped_job_keeps_its_probabilities_and_continues(bare):
    """Ctrl-C while a tagger looks, which waits for it: no caption is written, and the second run only looks at the rest."""
    program = (
        "import sys, typer\nfrom lorasmith.captions.taggers.tagger import Tagger\nfrom lorasmith.cli.captions import tag\n"
        "fast = Tagger.probabilities\n"
        "def slow(self, *a):\n    print('looking', flush=True)\n    sys.stdin.readline()\n    return fast(self, *a)\n"
        "Tagger.probabilities = slow\ntyper.run(tag.tag)"
    )
    job = subprocess.Popen(
        [sys.executable, "-c", program, bare, "--tagger", "demo", "--batch-size", "1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert job.stdout.readline() == "looking\n"
    job.send_signal(signal.SIGINT)
    job.communicate("\n")
    assert job.returncode == 130
    assert texts(bare) == {}
    rest = as_data("tag", bare, "--tagger", "demo")
    assert rest["tagged_before"] >= 1
    assert rest["tagged_now"] + rest["tagged_before"] == 15


# -- describe ---------------------------------------------------------------------------------------------------------


def test_descriptions_go_below_the_tags_or_into_separate_files(zorvex, server):
    before = texts(zorvex)
    result = captions("describe", zorvex, "--endpoint", server.url, "--model", "eyes", "--prompt", "{name}: {tags}?")
    assert "described now 15" in result.output
    assert texts(zorvex) == {stem: f"{text.strip()}\na red field" + ("\n" if text.endswith("\n") else "") for stem, text in before.items()}
    asked = server.requests[0][2]["messages"][0]["content"][0]["text"]
    assert asked == f"0001: {before['0001'].strip()}?"
    open_captions(zorvex).undo()
    again = captions("describe", zorvex, "--endpoint", server.url, "--model", "eyes", "--prompt", "{name}: {tags}?", "--extension", ".caption",
                     "--place", "instead", "--trigger", "zorvex")  # fmt: skip
    assert "described before 15" in again.output
    assert len(server.requests) == 15
    assert texts(zorvex) == before
    assert {file.read_text() for file in zorvex.glob("*.caption")} == {"zorvex, a red field"}


def test_a_refused_picture_is_named_and_a_wrong_key_is_an_error(bare, server):
    server.answers = [error(400, "too odd"), (200, {}, completion("fine"))]
    result = captions("describe", bare, "--endpoint", server.url, "--model", "eyes", "--place", "instead", "--retries", "0")
    assert result.exit_code == 1
    assert "too odd" in result.stderr
    assert len(texts(bare)) == 14
    server.answers = [error(401)]
    with pytest.raises(InputError, match="OPENAI_API_KEY"):
        captions("describe", bare, "--endpoint", server.url, "--model", "other eyes", "--place", "instead")
    with pytest.raises(InputError, match="--endpoint and --model"):
        captions("describe", bare)
    with pytest.raises(InputError, match="instead, second-line or only-new"):
        captions("describe", bare, "--model", "x", "--place", "beside")


# -- triggers ---------------------------------------------------------------------------------------------------------


def test_a_trigger_is_set_checked_and_mended(zorvex):
    assert captions("triggers", zorvex).exit_code == 0
    assert as_data("triggers", zorvex, "--set", "vexlor", "--replacing", "zorvex")["changed"] == 15
    assert all(text.startswith("vexlor, ") and "zorvex" not in text for text in texts(zorvex).values())
    (zorvex / "0003.txt").write_text("happy, vexlorian hat, vexlor")
    leaking = captions("triggers", zorvex, "--trigger", "vexlor")
    assert leaking.exit_code == 1
    assert "0003.txt: vexlor not first (place 3 of 3)" in leaking.output
    assert "0003.txt: vexlor inside a word (vexlorian hat)" in leaking.output
    captions("triggers", zorvex, "--trigger", "vexlor", "--mend")
    assert (zorvex / "0003.txt").read_text() == "vexlor, happy, hat"
    assert captions("triggers", zorvex).exit_code == 0


def test_words_are_checked_and_suggested_with_the_bases_tokenizer(zorvex):
    checks = as_data("triggers", zorvex, "--check", "zorvex", "--check", "cat", "--base", "demo")["checks"]
    assert checks[0]["splits"] == {"tokenizer": ["z", "or", "v", "e", "x"]}
    assert [doubt["kind"] for doubt in checks[1]["doubts"]] == ["ordinary word"]
    shown = captions("triggers", zorvex, "--suggest", "3", "--base", "demo").output.splitlines()
    assert len(shown) == 3
    assert all("tokens)" in line for line in shown)
    with pytest.raises(InputError, match="give --base"):
        captions("triggers", zorvex, "--suggest", "3")
    with pytest.raises(InputError, match="separate steps"):
        captions("triggers", zorvex, "--suggest", "3", "--mend")


def test_folders_named_after_their_triggers_set_them(tmp_path):
    for folder in ("10_anna, red dress", "5_bert"):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (16, 16)).save(tmp_path / folder / "1.png")
        (tmp_path / folder / "1.txt").write_text("red dress, hat")
    captions("triggers", tmp_path, "--from-folders")
    assert (tmp_path / "10_anna, red dress" / "1.txt").read_text() == "anna, red dress, hat"
    assert (tmp_path / "5_bert" / "1.txt").read_text() == "bert, red dress, hat"
    (tmp_path / "5_bert").rename(tmp_path / "no such names")
    with pytest.raises(InputError, match="N_trigger"):
        captions("triggers", tmp_path / "no such names", "--from-folders")


# -- check and report -------------------------------------------------------------------------------------------------


def test_check_says_what_is_wrong_with_its_number_and_strict_fails(zorvex):
    (zorvex / "0002.txt").write_text("")
    (zorvex / "0004.txt").write_text("zorvex, (red hat:1.3), " + ", ".join(["happy sitting night"] * 30))
    captions("tag", zorvex, "--tagger", "demo", "--dry-run")
    tree = as_data("check", zorvex, "--base", "demo", "--trigger", "zorvex")
    found = {finding["code"]: finding for finding in tree["findings"]}
    assert {
        f"captions.{rule}"
        for rule in ("empty", "prompt_weights", "over_tagged", "too_many_tokens", "under_tagged", "style_for_base", "repeated_tag")
    } <= set(found)
    assert found["captions.empty"]["subjects"] == ["0002.txt"]
    assert found["captions.too_many_tokens"]["details"][0].startswith("0004.txt: ")
    assert tree["notes"] == ["Tags beside tags that imply them were not looked for: name a list of implications."]
    shown = captions("check", zorvex, "--base", "demo", "--strict")
    assert shown.exit_code == 1
    assert "error: 1 of 15 pictures has no caption.\n  7% of the captions. With the trigger zorvex alone, " in shown.output
    with pytest.raises(InputError, match="sd1, sd2, sdxl, .* or pony"):
        captions("check", zorvex, "--family", "sd15")


def test_break_is_named_where_the_base_takes_it_for_a_word(zorvex):
    (zorvex / "0004.txt").write_text("zorvex, red hat BREAK night")
    found = {family: as_data("check", zorvex, "--family", family)["findings"] for family in ("flux", "sdxl")}
    having = {family: [one for one in findings if one["code"] == "captions.breaks_not_read"] for family, findings in found.items()}
    assert [one["message"] for one in having["flux"]] == ["1 caption has BREAK, which this base takes for the word."]
    assert [one["message"] for one in having["sdxl"]] == ["1 caption has BREAK, which means nothing at 75 tokens."]


def test_a_caption_in_another_encoding_is_a_finding_and_the_rest_is_looked_at(zorvex):
    (zorvex / "0002.txt").write_bytes(LATIN)
    (zorvex / "0003.txt").write_text("")
    tree = as_data("check", zorvex)
    found = {finding["code"]: finding for finding in tree["findings"]}
    assert tree["captions"] == 14
    assert (found["captions.not_utf8"]["subjects"], found["captions.empty"]["subjects"]) == (["0002.txt"], ["0003.txt"])
    assert "lorasmith captions convert" in found["captions.not_utf8"]["fix"]["words"]
    assert captions("check", zorvex, "--strict").exit_code == 1
    assert [finding["code"] for finding in as_data("check", zorvex, "--only", "0002.png")["findings"]] == ["captions.not_utf8"]
    assert "not_utf8" not in str(as_data("check", zorvex, "--only", "0001.png")["findings"])
    report = as_data("report", zorvex)
    assert (report["captions"], report["findings"][0]["code"]) == (14, "captions.empty")
    assert "captions.not_utf8" in {finding["code"] for finding in report["findings"]}


def test_every_fault_of_the_captions_in_the_messy_set_is_found_where_it_is(tmp_path):
    """The demo's own truth about its archive says which captions have which fault."""
    with zipfile.ZipFile(write_dataset(tmp_path, "messy")) as archive:
        archive.extractall(tmp_path / "messy")
    truth = json.loads((tmp_path / "messy.json").read_text())
    tree = as_data("check", tmp_path / "messy", "--trigger", "zorvex", "--vocabulary", "demo", "--base", "demo")
    found = defaultdict(set)
    for finding in tree["findings"]:
        found[finding["code"].removeprefix("captions.")].update(finding["subjects"])
    faults = {
        "caption-empty": "empty", "caption-latin-1": "not_utf8", "trigger-missing": "trigger_missing", "trigger-not-first": "trigger_not_first",
        "trigger-inside-word": "trigger_inside_word", "prompt-weights": "prompt_weights", "implied-tag": "implied_tag",
        "duplicate-tag": "repeated_tag", "too-many-tags": "over_tagged", "single-tag": "single_tag",
    }  # fmt: skip
    for fault, rule in faults.items():
        files = {name for name, labels in truth.items() if fault in labels}
        assert files, fault
        assert files <= found[rule], fault
    assert found["implied_tag"] == {name for name, labels in truth.items() if "implied-tag" in labels}


def test_an_untagged_background_is_found_by_the_taggers_probabilities(zorvex):
    for stem, text in texts(zorvex).items():
        if "night" in text or "beach" in text or "city" in text:
            (zorvex / f"{stem}.txt").write_text(
                text.replace("standing", "").replace("sitting", "").replace("jumping", "").replace("lying", "")
            )
    for stem, text in texts(zorvex).items():
        (zorvex / f"{stem}.txt").write_text(
            ", ".join(tag for tag in text.split(", ") if tag not in ("standing", "sitting", "jumping", "lying"))
        )
    captions("tag", zorvex, "--tagger", "demo", "--dry-run")
    found = [finding for finding in as_data("check", zorvex)["findings"] if finding["code"] == "captions.untagged_background_or_pose"]
    assert {finding["details"][0] for finding in found} <= {"standing", "sitting", "jumping", "lying"}
    assert found
    assert all(finding["evidence"]["number"] >= 25 for finding in found)


def test_a_report_is_a_page_a_tree_and_a_picture(zorvex, tmp_path):
    out = tmp_path / "report"
    result = captions("report", zorvex, "--out", out, "--base", "demo")
    assert "zorvex" in result.output
    assert "look at: " in result.output
    assert json.loads((out / "report.json").read_text())["frequencies"]["zorvex"] == 15
    assert (out / "report.html").read_text().startswith("<!DOCTYPE html>")
    with Image.open(out / "tag-cloud.png") as cloud:
        assert cloud.size == (1200, 700)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        captions("report", zorvex, "--out", tmp_path / "file")
    assert as_data("report", zorvex)["captions"] == 15


def test_the_commands_import_nothing_heavy_before_they_run():
    heavy = ("torch", "transformers", "numpy", "PIL", "cv2", "onnxruntime", "pydantic")
    program = f"import sys, lorasmith.cli.captions.app; print([m for m in {heavy!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**os.environ})
    assert result.stdout.strip() == "[]"
