"""Captions that others wrote: in other encodings, and without a trigger. Each is put right by a click or two, which can be taken back."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, Route, expect

from tests.browser.console import Console
from tests.browser.windows import SAVED, new_project
from tests.running_studio import RunningStudio

WRITTEN = {
    "0": "café crème, naïve, déjà vu".encode("latin-1"), "1": "blue hat, night".encode("utf-16"), "2": "青い帽子、座っている猫".encode("shift-jis"),
}  # fmt: skip


def test_captions_in_other_encodings_are_converted_and_a_trigger_is_taken_from_the_name(
    page: Page, studio: RunningStudio, creatures: Path, console: Console
) -> None:
    project = new_project(studio, creatures, "Zoé Vexlor", trigger=None)
    captions = {name: studio.workspace / "projects" / project / "dataset" / f"{name}.txt" for name in WRITTEN}
    for name, caption in captions.items():
        caption.write_bytes(WRITTEN[name])
    page.goto(f"{studio.client.address}projects/{project}/captions")

    page.get_by_role("button", name="Convert to UTF-8").first.click()
    dialog = page.get_by_role("dialog", name="Captions in other encodings")
    expect(dialog.get_by_role("region", name="shift-jis")).to_contain_text("青い帽子、座っている猫")
    dialog.get_by_role("button", name="Convert all 3 that are clear").click()
    expect(dialog).to_contain_text("All captions are UTF-8.")
    assert captions["0"].read_text(encoding="utf-8") == "café crème, naïve, déjà vu"
    dialog.get_by_role("button", name="Close").last.click()
    page.get_by_role("button", name=re.compile("^Undo: convert")).click()
    expect(page.get_by_text("3 captions are not UTF-8 text.")).to_be_visible()
    assert {name: caption.read_bytes() for name, caption in captions.items()} == WRITTEN
    page.get_by_role("button", name=re.compile("^Redo: convert")).click()
    expect(page.get_by_text("are not UTF-8 text.")).to_have_count(0)

    expect(page.get_by_role("button", name="Use zoe", exact=True)).to_be_visible()
    page.get_by_role("button", name="Another word").click()
    page.get_by_role("button", name="Use vexlor").click()
    expect(page.get_by_label("Trigger", exact=True)).to_have_value("vexlor")
    assert captions["2"].read_text(encoding="utf-8") == "vexlor, 青い帽子、座っている猫"
    assert studio.client.get(f"projects/{project}")["trigger"] == "vexlor"
    console.expect("(Conflict)", "(Not Found)")  # lists that have changed meanwhile; no tokens are counted before there is a base


def test_a_tag_by_key_before_the_caption_has_come_is_put_behind_those_that_it_has(page: Page, studio: RunningStudio, project: str) -> None:
    captions = [studio.workspace / "projects" / project / "dataset" / f"{number}.txt" for number in range(2)]
    before = captions[1].read_text(encoding="utf-8").strip()
    saved, held = page.get_by_role("status").filter(has_text=SAVED), list[Route]()
    page.goto(f"{studio.client.address}projects/{project}/captions?at=0.png")
    page.get_by_label("Add a tag", exact=True).fill("seen from afar")
    page.keyboard.press("Enter")
    expect(saved).to_be_visible()
    page.route("**/captions/1.txt", lambda route: held.append(route), times=1)
    page.keyboard.press("Control+ArrowDown")
    expect(page.get_by_role("region", name="Caption 1.txt")).to_be_visible()
    page.keyboard.press("Alt+1")
    held[0].continue_()
    expect(page.get_by_role("region", name="Caption 1.txt")).to_contain_text("seen from afar")
    expect(saved).to_be_visible()
    assert captions[1].read_text(encoding="utf-8").strip() == f"{before}, seen from afar"
