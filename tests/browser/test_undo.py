"""The button beside what was just done takes that back, and nothing that was done later."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.console import Console
from tests.running_studio import RunningStudio


def test_undo_beside_what_was_done_takes_back_nothing_later(page: Page, studio: RunningStudio, project: str, console: Console) -> None:
    page.goto(f"{studio.client.address}projects/{project}/images")
    page.get_by_role("gridcell", name="0.png").click()
    page.keyboard.press("Delete")
    undo = page.get_by_role("alert").filter(has_text="1 picture").get_by_role("button", name="Undo")
    expect(undo).to_be_visible()
    studio.client.put(f"projects/{project}/captions/1.txt", {"text": "zorvex, written in another tab"})
    undo.click()
    expect(page.get_by_role("alert").filter(has_text="Something else was done since: write 1.txt. Undo that first.")).to_be_visible()
    assert studio.client.get(f"projects/{project}/captions/1.txt")["text"] == "zorvex, written in another tab"
    expect(page.get_by_role("gridcell")).to_have_count(4)

    page.get_by_role("gridcell", name="2.png").click()
    page.keyboard.press("Delete")
    expect(page.get_by_role("gridcell")).to_have_count(3)
    page.get_by_role("alert").filter(has_text="1 picture").get_by_role("button", name="Undo").last.click()
    expect(page.get_by_role("gridcell")).to_have_count(4)
    console.expect("(Conflict)", "(Not Found)")  # lists and a picture that have changed meanwhile


def test_in_a_field_ctrl_z_takes_back_what_was_typed_there(page: Page, studio: RunningStudio, project: str, console: Console) -> None:
    studio.client.post(f"projects/{project}/mends", {"pictures": ["0.png"], "changes": [{"way": "remove", "parameters": {}}]})
    page.goto(f"{studio.client.address}projects/{project}/images")
    expect(page.get_by_role("gridcell")).to_have_count(4)
    field = page.get_by_label("Filter", exact=True)
    field.press_sequentially("zorvex")
    field.press("Control+z")
    expect(field).not_to_have_value("zorvex")
    assert len(studio.client.get(f"projects/{project}/pictures")["ids"]) == 4
    field.fill("")
    expect(page.get_by_role("gridcell")).to_have_count(4)
    field.press("Control+z")  # nothing is typed there any more
    expect(page.get_by_role("gridcell")).to_have_count(5)
    console.expect("(Conflict)", "(Not Found)")
