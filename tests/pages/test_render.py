"""Every block on a page, and what a page promises whatever it contains."""

import base64
import io
import re
import typing
from pathlib import Path

import pytest
from PIL import Image

from lorasmith.findings import CaptionChange, Evidence, Finding, Fix, MendChange, SettingChange
from lorasmith.pages import content
from lorasmith.pages.content import (
    Bar,
    Code,
    Collapsible,
    Column,
    Curve,
    Facts,
    Figure,
    Figures,
    Findings,
    Flip,
    FlipCell,
    Listing,
    Page,
    Panel,
    Quiet,
    Score,
    Section,
    Series,
    Status,
    Strong,
    Table,
    TagCloud,
    Text,
    Verdict,
)  # fmt: skip
from lorasmith.pages.markup import Html, element, escape
from lorasmith.pages.picture import Picture
from lorasmith.pages.render import change_text, page_html, write_page
from tests.pages.reader import ReadPage

HOSTILE = "</style></pre><script>alert('x')</script> \" onload='y' & <b>"


def picture(size=(64, 32), alt="a red box", longest=256, format="png"):
    return Picture.of(Image.new("RGB", size, "red"), alt, longest, format)


def finding(**fields):
    return Finding(**{"code": "audit.too_small", "severity": "warning", "message": "It is small.", "about": "picture", **fields})


def blocks(text):
    """One of each block, with `text` wherever text goes."""
    words = (text, Code(text), Strong(text), Quiet(text), Verdict("good", text))
    whole = finding(
        code=text, message=text, subjects=(text,) * 20, evidence=Evidence(3, text), why=text, details=(text,) * 20, source=text, confidence=0.7,
        fix=Fix(text, (SettingChange(text, text), MendChange(text, {text: text}), CaptionChange(text))),
    )  # fmt: skip
    return (
        Text(words, quiet=True),
        Status("warning", words, words),
        Score(57, words),
        Facts(((text, words),)),
        Figures((Figure((Panel(picture(alt=text), text), Panel(None, text, text)), words, (words,)),), "wide"),
        Flip(text, (text,), (text,), ((FlipCell(picture(alt=text), picture(alt=text), text, text),),)),
        Table(text, (Column(text), Column(text, "number"), Column(text)), ((words, words, Bar(0.5, text)),)),
        Curve(text, (Series(text, ((1, 1.0), (2, 3.0))), Series(text, ((1, 2.0),), faint=True)), words, text, text, ((1, text),)),
        Findings((whole,), text),
        TagCloud(((text, 3), (text, 1))),
        Listing(text, text),
        Collapsible(text, (Text(text),)),
    )


def read(*page_blocks):
    return ReadPage(page_html(Page("toy", (Section("Part", page_blocks),))))


def test_every_kind_of_block_is_tried_here():
    assert {type(block) for block in blocks("x")} == set(typing.get_args(content.Block))


def test_text_of_others_stays_text_in_every_block():
    plain, hostile = (
        ReadPage(page_html(Page(text, (Section(text, blocks(text)),), top=(Text(text),), kicker=text, footer=text)))
        for text in ("zorvex", HOSTILE)
    )
    assert hostile.tags == plain.tags
    assert [set(a) for _, a in hostile.attributes] == [set(a) for _, a in plain.attributes]
    assert hostile.words.count("<script>alert('x')</script>") == plain.words.count("zorvex") > 100


@pytest.mark.parametrize(("text", "shown"), [("caf\udce9.png", "caf\\udce9.png"), ("\x1b[31mred\x00", "�[31mred�"), ("a\nb", "a\nb")])
def test_names_that_are_not_text_can_be_shown(text, shown):
    html = page_html(Page(text, ()))
    html.encode()
    assert f"<h1>{shown}</h1>" in html


def test_a_page_asks_no_other_machine_for_anything():
    html = page_html(Page("toy", (Section("Part", blocks("x")),)))
    page = ReadPage(html)
    assert not {"script", "link", "iframe", "a"} & set(page.tags)
    assert "url(" not in html
    assert "@import" not in html
    assert all(attributes.get("src", "data:image/").startswith("data:image/") for _, attributes in page.attributes)
    assert set(re.findall(r"https?://[^\s\"<]+", html)) == {"http://www.w3.org/2000/svg"}


def test_a_page_is_for_every_reader():
    html = page_html(Page("toy", (Section("Part", blocks("x")),)))
    page = ReadPage(html)
    assert 'lang="en"' in html
    assert "width=device-width" in html
    assert page.headings == ["h1", "h2", "h3"]
    assert all(a["alt"] for a in page.pictures)
    assert all(a.get("aria-label") for tag, a in page.attributes if tag in ("section", "pre") or a.get("role") in ("img", "region"))
    assert all(a["scope"] in ("row", "col") for tag, a in page.attributes if tag == "th")
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def test_a_page_written_again_is_the_same(tmp_path):
    page = Page("toy", (Section("Part", blocks("x")),))
    for name in ("a.html", "b.html"):
        write_page(str(tmp_path / name), page)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_picture_is_made_no_larger_than_it_is_shown():
    [shown] = read(Figures((Figure((Panel(picture((1024, 512), longest=256), "before"),)),))).pictures
    data = base64.b64decode(shown["src"].removeprefix("data:image/png;base64,"))
    assert Image.open(io.BytesIO(data)).size == (256, 128)
    assert (shown["width"], shown["height"]) == ("256", "128")
    assert "class" not in shown


def test_small_drawings_keep_their_pixels():
    [shown] = read(Figures((Figure((Panel(picture((64, 64), format="jpeg")),)),))).pictures
    assert shown["class"] == "pixelated"
    assert shown["src"].startswith("data:image/jpeg;base64,")


def test_flipping_begins_with_the_first_picture_and_needs_no_script():
    cells = tuple(tuple(FlipCell(picture(), picture(), f"{column}, {row}") for column in "ab") for row in "cd")
    page = read(Flip("mine", ("a", "b"), ("c", "d"), cells))
    radios = [attributes for tag, attributes in page.attributes if tag == "input"]
    assert [(radio["aria-label"], "checked" in radio) for radio in radios] == [
        ("a, c", True), ("b, c", False), ("a, d", False), ("b, d", False)
    ]  # fmt: skip
    assert {radio["name"] for radio in radios} == {"mine"}
    assert len(page.pictures) == 8


def test_a_missing_picture_says_so_in_its_place():
    page = read(Figures((Figure((Panel(None, "after"),), "zorvex"),)))
    assert "The picture is missing or damaged. after zorvex" in page.words
    assert page.pictures == []


def test_a_finding_shows_what_is_wrong_why_and_what_to_do():
    page = read(
        Findings(
            (
                finding(
                    subjects=("a/b.png",), evidence=Evidence(312, "pixels"), why="It is enlarged.", confidence=0.9, source="Kohya's guide",
                    fix=Fix("Upscale it.", (MendChange("upscale", {"by": 2}),)),
                ),
            )
        )
    )  # fmt: skip
    assert (
        "warning It is small. 312 pixels. It is enlarged. What to do: Upscale it. mend upscale · by: 2 a/b.png audit.too_small · 90% sure · Kohya's guide"
        in page.words
    )


def test_a_finding_on_many_subjects_shows_a_few_and_has_all():
    page = read(Findings((finding(subjects=tuple(f"{k}.png" for k in range(30))),)))
    before, _, after = page.words.partition("18 more")
    assert ("11.png" in before, "12.png" in before, "29.png" in after) == (True, False, True)


def test_no_findings_are_said_to_be_none():
    assert "Nothing speaks against it." in read(Findings((), "Nothing speaks against it.")).words


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (SettingChange("network.rank", 16), "network.rank = 16"),
        (SettingChange("network.dora", True), "network.dora = true"),
        (SettingChange("network.rank", None), "remove network.rank"),
        (MendChange("trim"), "mend trim"),
        (CaptionChange("add", {"tags": ["red hat", "horn"], "front": True, "all": False}), "captions add · tags: red hat, horn · front"),
    ],
)
def test_a_change_in_short(change, text):
    assert change_text(change) == text


def test_frequent_tags_are_large():
    page = read(TagCloud((("zorvex", 40), ("horn", 10))))
    sizes = [
        float(re.search(r"([\d.]+)em", a["style"]).group(1)) for tag, a in page.attributes if tag == "span" and "em" in a.get("style", "")
    ]
    assert sizes[0] > sizes[1] > 0


def test_an_element_escapes_children_and_attributes():
    assert (
        element("p", "a < b", Html("<b>c</b>"), title='"', hidden=True, class_="", id=None)
        == '<p title="&quot;" hidden>a &lt; b<b>c</b></p>'
    )
    assert element("img", alt="x") == '<img alt="x">'
    assert escape("'") == "&#x27;"


def test_the_dot_of_every_tone_has_a_colour():
    css = (Path(content.__file__).parent / "style.css").read_text(encoding="utf-8")
    assert [tone for tone in typing.get_args(content.Tone) if f".status.{tone} .dot {{ background" not in css] == []
