"""Uploads with something wrong: what is sound comes in, what is not is named with its reason, and the next drop works."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from urllib.request import Request, urlopen

from playwright.sync_api import Page, Route, expect

from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene
from tests.browser.clicks import Clicks
from tests.browser.console import Console
from tests.running_studio import RunningStudio


def begin_with(page: Page, files: list[Path]) -> None:
    """A new LoRA of a style, with these files."""
    clicks = Clicks(page)
    clicks.on("button", "New LoRA", "Your pictures")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose files").click()
    chooser.value.set_files(files)
    clicks.on("button", "Style")
    page.wait_for_url("**/images*")


def add_to(page: Page, studio: RunningStudio, project: str, files: list[Path]) -> None:
    """Files for a project that there is."""
    page.goto(f"{studio.client.address}projects/{project}/images")
    page.get_by_role("button", name="Add pictures").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("menuitem", name="Files or archives").click()
    chooser.value.set_files(files)


def drawn(folder: Path, count: int) -> list[Path]:
    """Pictures that no project has."""
    files = [folder / f"cat-{number}.png" for number in range(count)]
    for number, file in enumerate(files):
        draw_scene(random_scene(100 + number)).save(file)
    return files


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
    page: Page, creatures: Path, tmp_path: Path, console: Console
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
    console.expect("corrupt.png", "(Bad Request)")  # it cannot be drawn, and then it is not there


def test_a_file_whose_receipt_was_lost_is_not_sent_for_ever(
    page: Page, studio: RunningStudio, project: str, tmp_path: Path, console: Console
) -> None:
    (picture,) = drawn(tmp_path, 1)

    def lose_the_answer(route: Route) -> None:
        """The file arrives as a whole, and its sender does not hear of it."""
        token = studio.address.partition("token=")[2]
        sent = {name: value for name, value in route.request.headers.items() if name in ("x-name", "upload-length", "upload-offset")}
        received = Request(route.request.url, picture.read_bytes(), {"Authorization": f"Bearer {token}", **sent}, method="PUT")
        with urlopen(received) as answer:
            assert json.load(answer)["complete"]
        route.abort("connectionreset")

    page.route("**/api/uploads/*/files/0", lose_the_answer, times=1)
    add_to(page, studio, project, [picture])
    expect(page.get_by_role("list", name="Files on their way")).to_contain_text("Pictures added: 1; files left out: 0")
    console.expect("ERR_CONNECTION_RESET")


def test_a_file_that_is_removed_before_its_turn_is_named_and_the_others_come_in(
    page: Page, studio: RunningStudio, project: str, tmp_path: Path, console: Console
) -> None:
    pictures = drawn(tmp_path, 2)

    def remove_first(route: Route) -> None:
        pictures[0].unlink()
        route.continue_()

    page.route("**/api/uploads", remove_first, times=1)
    add_to(page, studio, project, pictures)
    uploads = page.get_by_role("list", name="Files on their way")
    expect(uploads).to_contain_text("Pictures added: 1; files left out: 0")
    uploads.locator("summary").click()
    expect(uploads).to_contain_text("cat-0.png could not be read: it was removed or changed meanwhile.")
    console.expect("ERR_FILE_NOT_FOUND", "ERR_UPLOAD_FILE_CHANGED")
