"""What can be mended without looking at each picture first: it loses nothing that one would train on."""

from lorasmith.curation.mend.safe import safe_mends
from lorasmith.findings import Finding, Fix, MendChange


def finding(rule, subjects, *ways, about="picture"):
    changes = tuple(MendChange(way) for way in ways)
    return Finding(f"audit.{rule}", "warning", "It is so.", about, tuple(subjects), fix=Fix("Mend it.", changes))


def test_pictures_with_the_same_safe_changes_are_mended_together_each_change_once():
    found = safe_mends(
        [
            finding("transparent", ["a.png"], "flatten"),
            finding("letterbox", ["b.png"], "bars"),
            finding("transparent", ["c.png"], "flatten"),
            finding("letterbox", ["c.png"], "bars"),
            finding("transparent", ["d.png"], "flatten"),
        ]
    )
    assert [(one.pictures, [change.way for change in one.changes]) for one in found] == [
        (("a.png", "d.png"), ["flatten"]),
        (("b.png",), ["bars"]),
        (("c.png",), ["flatten", "bars"]),
    ]


def test_what_loses_something_or_has_nothing_to_do_is_not_mended_without_asking():
    assert safe_mends([finding("too_small", ["a.png"], "upscale"), finding("dark", ["a.png"])]) == []
    assert safe_mends([finding("near_duplicate", ["a.png", "b.png"], "duplicates"), finding("x", [], "bars", about="set")]) == []
