"""The handbook: what a page of the studio links to is there, and links in it lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import lorasmith
from lorasmith.evaluation.verdict.labels import meanings
from lorasmith.handbook import findings, settings
from lorasmith.handbook.html import anchors_of, html_of
from lorasmith.handbook.pages import pages, title_of
from lorasmith.training.settings.tree import setting_names

PACKAGE = Path(lorasmith.__file__).parent


@cache
def anchors() -> dict[str, set[str]]:
    known = pages()
    return {place: anchors_of(html_of(markdown(), place, known.keys())) for place, markdown in known.items()}


def leads_somewhere(address: str) -> bool:
    place, _, anchor = address.partition("#")
    return place in anchors() and (not anchor or anchor in anchors()[place])


def codes_made() -> Iterator[str]:
    """The codes of findings in the source; of those that are put together, what stands before their point."""
    for file in PACKAGE.rglob("*.py"):
        if "handbook" not in file.parts:
            yield from re.findall(r"Finding\(\s*(?:code=)?f?\"([a-z_]+\.[a-z_]*)", file.read_text(encoding="utf-8"))


def test_every_setting_has_an_entry():
    assert [name for name in setting_names() if not leads_somewhere(settings.address(name))] == []


def test_the_second_folder_of_pictures_has_the_entries_of_the_first():
    assert settings.address("datasets.1.repeats") == settings.address("datasets.repeats") == "reference/settings.md#datasets.repeats"


def test_every_finding_of_a_registry_has_an_entry_with_words():
    assert [
        code
        for code in findings.codes()
        if findings.address(code) != f"{findings.PAGE}#{code}" or not leads_somewhere(findings.address(code))
    ] == []


def test_every_finding_that_is_made_is_explained():
    made = set(codes_made())
    assert len(made) > 40
    assert [code for code in sorted(made) if findings.address(code) == findings.PAGE or not leads_somewhere(findings.address(code))] == []


def test_every_guide_for_a_room_has_its_heading():
    assert [room for room, address in findings.GUIDES.items() if not leads_somewhere(address)] == []


def test_every_verdict_has_an_entry():
    assert [verdict for verdict in meanings() if not leads_somewhere(findings.verdict_address(verdict))] == []
    assert findings.verdict_address("cannot tell") == "reference/findings.md#verdict.cannot-tell"


@pytest.mark.parametrize("place", pages())
def test_links_of_a_page_lead_somewhere(place):
    html = html_of(pages()[place](), place, pages().keys())
    inside = [link for link in re.findall(r'href="([^"]+)"', html) if not link.startswith("http")]
    targets = [place + link if link.startswith("#") else str(Path("/", place).parent.joinpath(link).resolve())[1:] for link in inside]
    assert [target for target in targets if not leads_somewhere(target)] == []
    assert title_of(pages()[place]())
    assert "<img" not in html
    assert "<script" not in html


def test_a_link_out_of_the_handbook_is_text():
    html = html_of(
        "See [why](../decisions/0001-x.md), [proof](proof.md#labels) and ![a grid](../images/grid.png).", "guide/x.md", ["guide/proof.md"]
    )
    assert html == '<p>See why, <a href="proof.md#labels">proof</a> and [a grid].</p>\n'


def test_headings_of_one_name_have_two_anchors():
    assert anchors_of(html_of("# Will it `load`?\n\n## Again\n\n## Again", "x.md", [])) == {"will-it-load", "again", "again_1"}


def test_a_lint_is_explained_in_the_words_that_it_says_itself():
    said = findings.page()

    assert "captions.shuffle_caption is on, but most captions are sentences. They are torn apart at their commas." in said
    assert "noise.noise_offset … is over …. Pictures turn out too dark or too bright, and contrast is burnt in." in said


def test_no_finding_of_a_registry_is_explained_by_its_name_alone():
    rows = [line for line in findings.page().splitlines() if line.startswith('| <a id="')]

    assert [row for row in rows if len(row.split(" | ")[1].split()) < 4] == []
