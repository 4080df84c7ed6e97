"""The studio is killed while somebody works, and started again: what they selected and typed is there, and is saved."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.console import Console
from tests.browser.windows import SAVED, new_project, tab, window
from tests.running_studio import RunningStudio

UNREACHABLE = (
    "ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "ERR_CONTENT_LENGTH_MISMATCH",
)  # fmt: skip
"""Whatever was under way when it was killed, and what was asked after."""
SAYS_SO = "The studio does not answer."
WIDTH = 64
"""Pixels of the pictures."""


def test_what_is_selected_and_typed_survives_a_studio_that_is_killed(
    browser: Browser, own_studio: RunningStudio, creatures: Path, console: Console
) -> None:
    project = new_project(own_studio, creatures)
    here = f"{own_studio.client.address}projects/{project}"
    caption = own_studio.workspace / "projects" / project / "dataset" / "0.txt"
    with window(browser, own_studio, console) as images:
        images.goto(f"{here}/images?q=zorvex")
        images.get_by_role("gridcell", name="0.png").click()
        images.get_by_role("gridcell", name="2.png").click(modifiers=["Control"])
        expect(images.get_by_text("2 selected").first).to_be_visible()
        captions = tab(images.context, own_studio, console)
        captions.goto(f"{here}/captions?at=0.png")
        captions.get_by_text("Text", exact=True).click()
        text = captions.get_by_label("Caption as text")
        expect(text).to_have_value(caption.read_text(encoding="utf-8").strip())

        looked_at = tab(images.context, own_studio, console)
        looked_at.goto(f"{here}/captions?at=1.png")
        another = looked_at.get_by_role("gridcell", name="2.png: ")
        expect(another).to_be_visible()

        own_studio.kill()
        text.fill("zorvex, written while nobody listened")
        captions.get_by_role("button", name="Keys").focus()  # leaving a caption saves it
        for page in (images, captions):
            expect(page.get_by_text(SAYS_SO).first).to_be_visible()
        images.get_by_role("gridcell", name="3.png").click(modifiers=["Control"])
        another.click()
        picture = looked_at.get_by_role("img", name="2.png", exact=True)
        expect(picture).to_have_attribute("data-missing", "waiting")

        own_studio.start()
        expect(picture).not_to_have_attribute("data-missing", "waiting")
        expect(picture).to_have_js_property("naturalWidth", WIDTH)
        expect(images.get_by_text(SAYS_SO)).to_have_count(0)
        expect(images.get_by_text("3 selected").first).to_be_visible()
        assert "q=zorvex" in images.url
        expect(text).to_have_value("zorvex, written while nobody listened")
        captions.get_by_role("button", name="Try again").click()
        expect(captions.get_by_role("status").filter(has_text=SAVED)).to_be_visible()
        assert caption.read_text(encoding="utf-8").strip() == "zorvex, written while nobody listened"
    console.expect(*UNREACHABLE)
    assert console.faults == []
