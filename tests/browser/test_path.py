"""The path of somebody who has never trained: from the first page to a file that is kept, click by click."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.clicks import Clicks
from tests.browser.console import Console
from tests.running_studio import RunningStudio

EXPECTED = ("409 (Conflict)", "404 (Not Found)")
"""What browsers say of a list that has changed meanwhile, and of a proof that is not there yet; the page asks for both again."""
TRAINED = 600_000
"""Milliseconds that training and judging may take on a busy machine."""


@pytest.mark.slow
def test_the_demo_is_a_proven_lora_in_five_clicks(page: Page, studio: RunningStudio, console: Console) -> None:
    clicks = Clicks(page)
    clicks.on("button", "Demo project", "Try it with the demo")
    page.wait_for_url("**/images*")
    clicks.on("button", "Next: captions")
    page.wait_for_url("**/captions*")
    clicks.on("link", "Next: Train")
    page.wait_for_url("**/train*")
    page.get_by_label("Length in epochs").fill("1")  # the demo's ten take minutes
    clicks.on("button", "Train")
    page.wait_for_url("**/runs/*")
    expect(page.get_by_text(re.compile("^(Judging|Finished)$"))).to_be_visible(timeout=TRAINED)
    page.goto(f"{page.url}/proof")
    clicks.on("button", "Keep", timeout=TRAINED)
    expect(page.get_by_role("button", name="Kept")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Kept")).to_be_visible()
    assert clicks.count == 5
    assert list((studio.workspace / "loras").glob("*.safetensors"))
    console.expect(*EXPECTED)
    assert console.faults == []


def test_ones_own_pictures_are_there_after_a_drop_and_a_card(page: Page, studio: RunningStudio, creatures: Path, console: Console) -> None:
    clicks = Clicks(page)
    clicks.on("button", "New LoRA", "Your pictures")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose files").click()
    chooser.value.set_files([file for file in creatures.rglob("*") if file.suffix in (".png", ".txt")])
    clicks.on("button", "Character")
    page.wait_for_url("**/images*")
    there = page.get_by_role("status").filter(has_text="5 pictures, ")
    expect(there).to_be_visible()
    page.reload()
    expect(there).to_be_visible()
    assert clicks.count == 2
    assert console.faults == []
