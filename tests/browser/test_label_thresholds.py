"""The thresholds of a tagger, moved by keyboard: captions follow at once from what it said before, and what is written is taken back whole."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from lorasmith.captions.taggers.probabilities import ProbabilityStore
from lorasmith.captions.taggers.tagger import WdTagger
from lorasmith.captions.taggers.tagging import tag_pictures
from lorasmith.demo.weights import TAGGER
from tests.browser.console import Console
from tests.running_studio import RunningStudio

FIRM, SHAKY = "desert", "cat"
"""What the tagger sees in the last picture with 96 % and with 81 %, all else with more than 99 %: of its own threshold, 35 %, both are."""


def test_thresholds_change_the_preview_without_a_run_and_what_was_written_is_taken_back_by_one_undo(
    page: Page, studio: RunningStudio, project: str, console: Console
) -> None:
    dataset = studio.workspace / "projects" / project / "dataset"
    with ProbabilityStore(dataset) as store:
        tag_pictures(store, WdTagger(TAGGER), sorted(dataset.glob("*.png")))
    before = _captions(dataset)
    page.goto(f"{studio.client.address}projects/{project}/captions")
    page.get_by_role("button", name="Auto-label").first.click()
    dialog = page.get_by_role("dialog", name="Auto-label")
    dialog.get_by_label("Tagger", exact=True).fill(str(TAGGER))
    dialog.get_by_role("radiogroup", name="Captions that are there").get_by_text("Replace").click()

    seen = dialog.get_by_role("list", name="Before and after").get_by_role("listitem").filter(has_text="4.png")
    tags = seen.locator("ins, span")
    threshold = dialog.get_by_role("slider", name="General tags above")
    expect(tags.filter(has_text=SHAKY)).to_be_visible()
    threshold.press("End")
    expect(dialog.get_by_text("General tags above")).to_contain_text("99")
    expect(tags.filter(has_text=SHAKY)).to_have_count(0)
    expect(tags.filter(has_text=FIRM)).to_have_count(0)
    for _ in range(4):
        threshold.press("ArrowLeft")
    expect(tags.filter(has_text=FIRM)).to_be_visible()
    expect(tags.filter(has_text=SHAKY)).to_have_count(0)
    assert studio.client.get("jobs") == []
    assert _captions(dataset) == before

    dialog.get_by_role("button", name="Write tags").click()
    expect(dialog).to_have_count(0)
    undo = page.get_by_role("button", name=re.compile("^Undo: tag by tagger"))
    expect(undo).to_be_enabled()
    (job,) = studio.client.get("jobs")
    assert job["outcome"] == {"tagged": 0, "tagged_before": 5, "changed": 5, "failures": 0}
    written = _captions(dataset)
    assert all(written[name] != before[name] for name in before)
    assert FIRM in written["4.txt"].decode().split(", ")
    assert SHAKY not in written["4.txt"].decode().split(", ")

    undo.click()
    expect(page.get_by_role("button", name=re.compile("^Redo: tag by tagger"))).to_be_enabled()
    assert _captions(dataset) == before
    console.expect("(Conflict)", "(Not Found)")


def _captions(dataset: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in dataset.glob("*.txt")}
