"""A reload loses nothing that was typed, on any screen and in any dialog that has an address."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.running_studio import RunningStudio

TYPED = [
    ("?dialog=new", "Name", "Mimi in the rain"),
    ("projects/{project}/images", "Filter", "cat"),
    ("projects/{project}/captions?at=0001.png", "Add a tag", "a tag that is not take"),
    ("projects/{project}/captions?at=0001.png", "Trigger", "zorv"),
    ("projects/{project}/train", "Name", "second try"),
    ("projects/{project}/train", "Length in epochs", "7"),
    ("projects/{project}/train", "Sample prompt 1", "zorvex on the moon"),
    ("projects/{project}/train?level=expert", "Search the settings", "rank"),
    ("projects/{project}/train?level=expert&search=network.rank", re.compile("network.rank$"), "12"),
    ("projects/{project}/train?dialog=import", "Or its path on this machine", "/models/theirs.toml"),
    ("library", "Search the library", "zorvex"),
    ("playground", "Prompt", "zorvex on the moon"),
    ("settings/bases", "Add a base", "owner/name"),
]  # fmt: skip
"""A screen's address, the label of a field in it, and what is typed there."""

SETTLED = 500
"""Milliseconds after which what is typed into a filter is in the address."""


@pytest.mark.parametrize(("screen", "label", "typed"), TYPED)
def test_what_was_typed_is_there_after_a_reload(
    page: Page, studio: RunningStudio, demo: str, screen: str, label: str | re.Pattern[str], typed: str
) -> None:
    page.goto(studio.client.address + screen.format(project=demo))
    field = (
        page.get_by_role("dialog" if "dialog=" in screen else "main")
        .get_by_label(label, exact=True)
        .and_(page.locator("input, textarea"))
        .first
    )
    field.fill(typed)
    expect(field).to_have_value(typed)
    page.keyboard.press("Tab")
    page.wait_for_timeout(SETTLED)
    page.reload()
    expect(field).to_have_value(typed)


def test_an_edit_of_many_captions_is_there_after_a_reload(page: Page, studio: RunningStudio, demo: str) -> None:
    page.goto(f"{studio.client.address}projects/{demo}/captions?dialog=edit")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Tags").first.fill("seen from afar")
    page.keyboard.press("Enter")
    page.reload()
    expect(dialog).to_contain_text("seen from afar")
