"""Bases are told apart by name, family and place wherever one is shown or chosen; no dialog takes one as bare text alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lorasmith.demo.weights import BASE
from lorasmith.models.shelf import Shelf
from tests.running_studio import RunningStudio


@pytest.fixture
def two_of_a_family(studio: RunningStudio, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Two registered bases that differ by their folders alone."""
    folders = tmp_path / "anime", tmp_path / "photo"
    for folder in folders:
        folder.symlink_to(BASE, target_is_directory=True)
        studio.client.post("models", {"kind": "base", "source": str(folder)})
    yield folders
    shelf = Shelf(studio.workspace)
    for folder in folders:
        shelf.remove("base", str(folder))


def test_two_bases_of_one_family_are_told_apart_in_settings_and_in_a_jobs_dialog(
    page: Page, studio: RunningStudio, two_of_a_family: tuple[Path, Path]
) -> None:
    anime, photo = two_of_a_family
    page.goto(f"{studio.client.address}settings/bases")
    cards = page.get_by_role("article")
    expect(cards.locator("strong")).to_have_text(["anime", "photo"])
    expect(cards.first).to_contain_text("Stable Diffusion 1.x")
    expect(cards.first).to_contain_text(str(anime))

    page.goto(f"{studio.client.address}library?dialog=extract")
    field = page.get_by_role("combobox", name="Base", exact=True)
    field.click()
    options = page.get_by_role("listbox").get_by_role("option")
    expect(options).to_contain_text(["anime", "photo", "Demo base"])
    expect(options.nth(1)).to_contain_text("Stable Diffusion 1.x")
    expect(options.nth(1)).to_contain_text(str(photo))
    field.fill("phot")
    expect(options).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(field).to_have_value(str(photo))
    expect(page.get_by_text("photo · Stable Diffusion 1.x", exact=True)).to_be_visible()
    field.click()
    expect(options).to_have_count(3)
    field.fill("owner/another")
    field.blur()
    page.reload()
    expect(field).to_have_value("owner/another")


def test_the_bases_of_a_grids_axis_are_chosen_from_those_that_there_are(
    page: Page, studio: RunningStudio, two_of_a_family: tuple[Path, Path]
) -> None:
    page.goto(f"{studio.client.address}playground?view=grid")
    page.get_by_role("combobox", name="Rows (Y)").select_option("base")
    values = page.get_by_label("Values").nth(1)
    values.click()
    page.get_by_role("listbox").get_by_role("option", name="anime").click()
    page.get_by_role("listbox").get_by_role("option", name="photo").click()
    page.reload()
    for folder in two_of_a_family:
        expect(page.get_by_text(str(folder), exact=True).first).to_be_visible()
