"""The numbers of a set of captions, and the report: JSON, a page that needs nothing else, and a cloud of tags."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image, ImageFont
from scipy.ndimage import label

from lorasmith.captions.advice.advise import advise
from lorasmith.captions.advice.checked import CheckedCaptions
from lorasmith.captions.caption import Caption
from lorasmith.captions.caption_report import report_data, report_page, write_report
from lorasmith.captions.statistics import Spread, statistics_of, tag_pairs
from lorasmith.captions.tag_cloud import BACKGROUND, FONTS, tag_cloud, undrawable
from lorasmith.captions.token_limit import token_counter
from lorasmith.pages.render import page_html
from tests.pages.reader import ReadPage


class Words:
    def tokenize(self, text):
        return text.split()


COUNT = token_counter([Words()], 75, in_chunks=True)


CAPTIONS = {
    key: Caption(text.encode())
    for key, text in {
        "a.txt": "zorvex, horn, red hat", "b.txt": "zorvex, horn, happy, happy", "c.txt": "zorvex, sad\nA sad creature.", "d.txt": "",
        "e.txt": "zorvex, sad, <script>alert(1)</script>",
    }.items()
}  # fmt: skip


def test_frequencies_count_captions_and_not_repetitions():
    found = statistics_of(CAPTIONS)
    assert list(found.frequencies.items())[:3] == [("zorvex", 4), ("horn", 2), ("sad", 2)]
    assert found.frequencies["happy"] == 1
    assert (found.captions, found.empty) == (5, 1)


def test_each_caption_is_counted_in_tags_characters_and_tokens():
    found = statistics_of(CAPTIONS, COUNT)
    assert found.tags == {"a.txt": 3, "b.txt": 4, "c.txt": 2, "d.txt": 0, "e.txt": 3}
    assert found.characters["a.txt"] == len("zorvex, horn, red hat")
    assert found.tokens["c.txt"] == 2  # the line that trains
    assert statistics_of({"a.txt": Caption(b"red hat BREAK zorvex")}, COUNT).tokens == {"a.txt": 3}  # BREAK is no word of it
    assert Spread.of(found.tags.values()) == Spread(0, 3, 2.4, 4)
    assert Spread.of([]) == Spread(0, 0, 0, 0)
    assert statistics_of(CAPTIONS).tokens == {}


def test_pairs_that_occur_together_more_often_than_by_chance():
    lists = [["sun", "beach"], ["beach", "sun", "x"], ["night", "moon"], ["moon", "night"], ["x", "y"], ["sun", "y"]]
    counts = {"sun": 3, "beach": 2, "night": 2, "moon": 2, "x": 2, "y": 2}
    found = tag_pairs(lists, counts)
    assert [(pair.first, pair.second, pair.captions) for pair in found] == [("moon", "night", 2), ("beach", "sun", 2)]
    assert found[0].strength == 1.0
    assert found[1].strength == pytest.approx(np.log2((1 / 3) / (1 / 2 * 1 / 3)) / np.log2(3), abs=1e-3)
    assert tag_pairs([["a", "b"]] * 4, {"a": 4, "b": 4}) == ()  # what is everywhere tells nothing


def test_the_json_has_everything():
    findings = advise(CheckedCaptions(CAPTIONS, triggers=("zorvex",)))
    tree = json.loads(json.dumps(report_data("set", statistics_of(CAPTIONS, COUNT), findings)))
    assert tree["frequencies"]["zorvex"] == 4
    assert tree["by_caption"]["b.txt"] == {"tags": 4, "characters": 26, "tokens": 4}
    assert {finding["code"] for finding in tree["findings"]} >= {"captions.empty", "captions.repeated_tag"}


def test_the_page_shows_advice_and_tags_as_text():
    findings = advise(CheckedCaptions(CAPTIONS, triggers=("zorvex",)))
    page = ReadPage(page_html(report_page("my <set>", statistics_of(CAPTIONS), findings)))
    assert "script" not in page.tags
    assert "<script>alert(1)</script>" in page.words
    assert "Captions of a dataset, by Lorasmith my <set>" in page.words
    assert "error 1 of 5 pictures has no caption." in page.words
    assert "zorvex 4 80 %" in page.words


def test_a_set_without_tags_has_a_page_too():
    words = ReadPage(page_html(report_page("none", statistics_of({}), []))).words
    assert "Nothing is wrong" in words
    assert "No caption has a tag." in words


def test_a_report_is_a_page_its_numbers_and_the_cloud(tmp_path):
    page = write_report(str(tmp_path / "out"), "set", statistics_of(CAPTIONS), [])
    assert page == tmp_path / "out" / "report.html"
    assert sorted(path.name for path in page.parent.iterdir()) == ["report.html", "report.json", "tag-cloud.png"]
    assert Image.open(tmp_path / "out" / "tag-cloud.png").size == (1200, 700)


def ink(picture):
    return np.abs(np.asarray(picture).astype(int) - BACKGROUND).sum(-1) > 60


def test_the_cloud_shows_the_frequent_large_and_is_the_same_every_time():
    cloud = tag_cloud({"zorvex": 40, **{f"tag {k}": 3 for k in range(30)}}, 500, 300)
    assert cloud.size == (500, 300)
    np.testing.assert_array_equal(cloud, tag_cloud({"zorvex": 40, **{f"tag {k}": 3 for k in range(30)}}, 500, 300))
    alone, one_of_two = ink(tag_cloud({"zorvex": 40}, 500, 300)), ink(tag_cloud({"horn": 40, "zorvex": 1}, 500, 300))
    assert alone.sum() > one_of_two.sum() / 2
    rows, columns = np.where(ink(cloud))
    assert 100 < rows.mean() < 200
    assert 170 < columns.mean() < 330


def test_no_two_tags_of_a_cloud_touch():
    """There are as many pieces of ink as letters (and dots of i and j); a few letters touch their neighbours in the font itself."""
    words = ["red hat", "happy", "sitting", "meadow", "zorvex", "flat style", "ink"]
    cloud = tag_cloud({word: 9 - place for place, word in enumerate(words)}, 600, 400)
    _, pieces = label(ink(cloud), np.ones((3, 3)))
    letters = sum(len(word.replace(" ", "")) + word.count("i") + word.count("j") for word in words)
    assert letters - 6 <= pieces <= letters


def test_a_cloud_of_nothing_and_of_one_endless_tag():
    assert ink(tag_cloud({})).any()
    assert tag_cloud({"x" * 400: 3, "cat": 1}).size == (1200, 700)


def test_tags_without_a_font_are_left_out_and_named_rather_than_drawn_as_boxes():
    unheard = "\U000f1234"  # of Unicode's private use: no font has it
    assert undrawable(["cat", "café", "^_^", unheard, f"cat {unheard}"]) == [unheard, f"cat {unheard}"]
    np.testing.assert_array_equal(tag_cloud({"cat": 2, unheard: 1}), tag_cloud({"cat": 2}))


def test_tags_in_other_scripts_are_drawn_with_a_font_that_has_them():
    def has(name):
        try:
            return bool(ImageFont.truetype(name))
        except OSError:
            return False

    if not has("DejaVuSans.ttf"):
        pytest.skip(f"this machine has none of the fonts that are known to have these letters, such as {FONTS[0]}")
    assert undrawable(["шляпа", "γάτα"]) == []
    assert ink(tag_cloud({"шляпа": 1})).sum() > 500
