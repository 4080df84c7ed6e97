"""Checks of the audit are switched off one by one, by whoever audits."""

import pytest
from PIL import Image

from lorasmith.curation.audit.checks import checks
from lorasmith.curation.audit.dataset import audit_dataset
from lorasmith.curation.audit.kinds import KINDS
from lorasmith.curation.audit.page import audit_page
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene
from lorasmith.errors import InputError
from lorasmith.pages.render import page_html
from tests.pages.reader import ReadPage


@pytest.fixture
def pile(tmp_path):
    """Two drawings, the second of which is there once more, a grey one, and a file that is no picture."""
    folder = tmp_path / "pile"
    folder.mkdir()
    for number in range(2):
        draw_scene(random_scene(number), 256).save(folder / f"{number}.png")
    (folder / "again.png").write_bytes((folder / "1.png").read_bytes())
    draw_scene(random_scene(2), 256).convert("L").save(folder / "grey.png")
    (folder / "broken.png").write_bytes(b"not a picture")
    return folder


def audit(pile, without=()):
    return audit_dataset(pile, kind="character", resolution=256, cache=pile.parent / "cache", without=without)


def test_a_check_that_is_off_finds_nothing_and_costs_nothing_and_the_others_say_what_they_said(pile):
    everything = audit(pile)
    assert {"audit.greyscale", "audit.exact_duplicate", "audit.set_too_small", "audit.unreadable"} <= set(everything.counts)
    off = ("greyscale", "audit.exact_duplicate", "set_too_small")
    chosen = audit(pile, off)
    assert chosen.without == ("audit.exact_duplicate", "audit.greyscale", "audit.set_too_small")
    assert chosen.findings == tuple(finding for finding in everything.findings if finding.code not in chosen.without)
    assert chosen.score > everything.score
    lost = [reason for reason, _ in everything.why if reason not in [KINDS[name.removeprefix("audit.")].title for name in off]]
    assert [reason for reason, _ in chosen.why] == lost
    assert chosen.as_data["without"] == list(chosen.without)


def test_the_page_says_what_is_off(pile):
    assert (
        "2 checks are off: without colour, few pictures."
        in ReadPage(page_html(audit_page(audit(pile, ["greyscale", "set_too_small"])))).words
    )
    assert "off:" not in ReadPage(page_html(audit_page(audit(pile)))).words


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("grayscale", "'grayscale' is not a check of the audit; did you mean 'greyscale'?"),
        ("audit.drak", "'audit.drak' is not a check of the audit; did you mean 'dark'?"),
        ("unreadable", "'unreadable' is always looked for: what has it cannot be trained on. Leave it out."),
    ],
)
def test_what_cannot_be_switched_off_is_refused_before_a_picture_is_looked_at(pile, name, said):
    with pytest.raises(InputError) as refused:
        audit(pile, [name])
    assert str(refused.value) == said
    assert refused.value.code == "audit.unknown_check"
    assert not (pile.parent / "cache").exists()


def test_all_but_errors_can_be_switched_off(tmp_path):
    Image.new("RGB", (40, 400), "black").save(tmp_path / "black.png")
    assert audit_dataset(tmp_path, kind="style").counts
    assert audit_dataset(tmp_path, kind="style", without=checks()).score == 100
    assert {name for name in KINDS if name not in checks()} == {"unreadable"}
