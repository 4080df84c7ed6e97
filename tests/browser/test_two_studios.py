"""Two studios over one workspace, and somebody else in its folders: nothing is overwritten unseen, and nothing that was typed is lost."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from lorasmith.dataset_folder import locked
from tests.browser.console import Console
from tests.browser.windows import SAVED, new_project, window
from tests.running_studio import RunningStudio, running_studio


def write(page: Page, studio: RunningStudio, project: str, words: str) -> None:
    """Write the first caption as text."""
    page.goto(f"{studio.client.address}projects/{project}/captions?at=0.png")
    page.get_by_text("Text", exact=True).click()
    page.get_by_label("Caption as text").fill(words)


def leave(page: Page) -> None:
    """The field, by which it is saved."""
    page.get_by_role("button", name="Keys").focus()


def test_a_caption_that_the_other_studio_changed_waits_for_a_choice(
    browser: Browser, own_studio: RunningStudio, creatures: Path, console: Console
) -> None:
    project = new_project(own_studio, creatures)
    caption = own_studio.workspace / "projects" / project / "dataset" / "0.txt"
    with (
        running_studio(own_studio.workspace) as other,
        window(browser, own_studio, console) as mine,
        window(browser, other, console) as theirs,
    ):
        write(mine, own_studio, project, "zorvex, mine")
        write(theirs, other, project, "zorvex, theirs")
        leave(theirs)
        expect(theirs.get_by_role("status").filter(has_text=SAVED)).to_be_visible()
        leave(mine)
        asked = mine.get_by_role("alert").filter(has_text="was changed elsewhere")
        expect(asked).to_contain_text("zorvex, theirs")
        expect(mine.get_by_label("Caption as text")).to_have_value("zorvex, mine")
        assert caption.read_text(encoding="utf-8").strip() == "zorvex, theirs"
        mine.reload()
        expect(mine.get_by_label("Caption as text")).to_have_value("zorvex, mine")
        mine.get_by_label("Caption as text").focus()
        leave(mine)
        expect(asked).to_be_visible()
        mine.get_by_role("button", name="Save mine").click()
        expect(mine.get_by_role("status").filter(has_text=SAVED)).to_be_visible()
        assert caption.read_text(encoding="utf-8").strip() == "zorvex, mine"
        expect(theirs.get_by_label("Caption as text")).to_have_value("zorvex, mine")
    console.expect("(Precondition Failed)")
    assert console.faults == []


def test_pictures_that_another_program_works_on_are_left_alone_until_it_is_done(
    page: Page, studio: RunningStudio, project: str, console: Console
) -> None:
    page.goto(f"{studio.client.address}projects/{project}/images")
    page.get_by_role("gridcell", name="0.png").click()
    picture = studio.workspace / "projects" / project / "dataset" / "0.png"
    with locked(picture.parent):
        page.keyboard.press("Delete")
        expect(page.get_by_text("is being changed by another program")).to_be_visible()
        expect(page.get_by_role("gridcell", name="0.png")).to_be_visible()
        assert picture.is_file()
    page.get_by_role("gridcell", name="0.png").click()
    page.keyboard.press("Delete")
    expect(page.get_by_role("gridcell", name="0.png")).to_have_count(0)
    assert not picture.exists()
    console.expect("(Locked)", "(Conflict)", "/pictures/0.png", "/files/thumbs/")  # the page asks for what has just gone
