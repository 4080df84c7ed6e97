"""Uploads with something wrong: what is sound comes in, what is not is named with its reason, and the next drop works."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.clicks import Clicks
from tests.browser.windows import forget


def begin_with(page: Page, files: list[Path]) -> None:
    """A new LoRA of a style, with these files."""
    clicks = Clicks(page)
    clicks.on("button", "New LoRA", "Your pictures")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose files").click()
    chooser.value.set_files(files)
    clicks.on("button", "Style")
    page.wait_for_url("**/images*")


def test_a_broken_zip_is_named_and_sound_pictures_can_follow(page: Page, creatures: Path, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole.zip", tmp_path / "holiday.zip"
    with zipfile.ZipFile(whole, "w") as archive:
        for picture in creatures.glob("*.png"):
            archive.write(picture, picture.name)
    broken.write_bytes(whole.read_bytes()[:-200])  # as a download that broke off
    begin_with(page, [broken])
    uploads = page.get_by_role("list", name="Files on their way")
    expect(uploads).to_contain_text("holiday.zip")
    expect(uploads).to_contain_text("could not be imported")
    expect(page.get_by_text("There are no pictures yet.")).to_be_visible()

    page.get_by_role("button", name="Add pictures").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("menuitem", name="Files or archives").click()
    chooser.value.set_files([whole])
    expect(page.get_by_role("status").filter(has_text=re.compile("^5 pictures(,|$)"))).to_be_visible()


def test_what_is_no_picture_is_left_out_with_its_reason_and_a_corrupt_one_says_what_to_do(
    page: Page, creatures: Path, tmp_path: Path, console: list[str]
) -> None:
    corrupt, note = tmp_path / "corrupt.png", tmp_path / "note.png"
    corrupt.write_bytes((creatures / "0.png").read_bytes()[:150])
    note.write_text("This is a note and no picture.")
    begin_with(page, [*sorted(creatures.glob("*.png")), corrupt, note])
    uploads = page.get_by_role("list", name="Files on their way")
    expect(uploads).to_contain_text("Pictures added: 6; files left out: 1")
    uploads.locator("summary").click()
    expect(uploads).to_contain_text("note.png")
    expect(page.get_by_role("status").filter(has_text=re.compile("^6 pictures, "))).to_be_visible()
    page.get_by_role("gridcell", name="corrupt.png").click()
    inspector = page.get_by_role("complementary", name="Inspector")
    expect(inspector).to_contain_text("The picture cannot be read.")
    inspector.get_by_role("button", name="Remove").first.click()
    expect(page.get_by_role("status").filter(has_text=re.compile("^5 pictures, "))).to_be_visible()
    forget(console, "corrupt.png", "(Bad Request)")  # it cannot be drawn, and then it is not there
