"""The way to a LoRA without a mouse: from the first page to a training that has begun."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.console import Console
from tests.running_studio import RunningStudio

MOST_TABS = 60
"""Presses of Tab within which anything on a screen is reached."""


def tab_to(page: Page, name: str) -> None:
    """Press Tab until what has that name, or begins with it, has the focus."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if focused(page).startswith(name):
            return
    raise AssertionError(f"{name} is not reached by Tab; the focus is on {focused(page)!r}")


def focused(page: Page) -> str:
    """The name of what has the focus."""
    return str(
        page.evaluate("() => { const e = document.activeElement; return e.ariaLabel || e.labels?.[0]?.innerText || e.innerText || '' }")
    )


def test_a_training_is_begun_without_a_mouse(page: Page, studio: RunningStudio, console: Console) -> None:
    tab_to(page, "Try it with the demo")
    page.keyboard.press("Enter")
    page.wait_for_url("**/images*")
    project = page.url.split("/projects/")[1].split("/")[0]
    expect(page.get_by_role("gridcell").first).to_be_visible()
    tab_to(page, "Pictures")
    page.keyboard.press("End")
    page.keyboard.press("Shift+ArrowLeft")
    expect(page.get_by_text("2 selected").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("2 selected")).to_have_count(0)

    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/captions*")
    expect(page.get_by_role("list", name="Tags of this caption")).to_be_visible()
    page.keyboard.press("a")
    page.keyboard.type("seen from afar")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+Enter")
    written = studio.workspace / "projects" / project / "dataset"
    expect(page.get_by_role("listitem").filter(has_text="seen from afar").first).to_be_visible()
    page.keyboard.press("Control+ArrowUp")
    expect(page.get_by_role("list", name="Tags of this caption")).to_contain_text("seen from afar")
    assert any("seen from afar" in caption.read_text(encoding="utf-8") for caption in written.rglob("*.txt"))

    tab_to(page, "Previous picture")  # out of the text field, in which letters are letters
    page.keyboard.press("g")
    page.keyboard.press("t")
    page.wait_for_url("**/train*")
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_enabled()
    tab_to(page, "Length in epochs")
    page.keyboard.press("Control+A")
    page.keyboard.type("1")
    expect(page.get_by_text("1 epoch of").first).to_be_visible()
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/runs/*")
    (job,) = studio.client.get("jobs")
    assert (job["kind"], job["project"]) == ("train", project)
    studio.client.post(f"jobs/{job['id']}:cancel")


def test_a_key_that_is_held_changes_a_picture_once(page: Page, studio: RunningStudio, project: str, console: Console) -> None:
    page.goto(f"{studio.client.address}projects/{project}/images/0.png")
    expect(page.get_by_role("button", name="Flip")).to_be_visible()
    for _ in range(4):
        page.keyboard.down("f")
    page.keyboard.up("f")
    expect(page.get_by_role("alert").filter(has_text="1 picture")).to_have_count(1)
    for _ in range(4):
        page.keyboard.down("Delete")
    page.keyboard.up("Delete")
    page.wait_for_url("**/images?*")
    expect(page.get_by_role("gridcell")).to_have_count(4)
    assert len(studio.client.get(f"projects/{project}/history")) == 2
    console.expect("(Not Found)")  # a picture that is gone


def test_dialogs_give_the_focus_back_to_what_opened_them(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    tab_to(page, "Jobs")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Jobs")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Jobs").first).to_be_focused()  # a moment after the dialog has gone
    page.keyboard.press("Control+k")
    expect(page.get_by_role("textbox", name="Find")).to_be_focused()
    page.keyboard.type("playg")
    page.keyboard.press("Enter")
    page.wait_for_url("**/playground*")
