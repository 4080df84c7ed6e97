"""The path with real photographs in a ZIP with everything wrong, from the drop to a training that has begun. What it takes is counted, and said in the guide."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.clicks import Clicks
from tests.browser.console import Console
from tests.browser.photo_pile import PICTURES, write_pile
from tests.running_studio import RunningStudio

CLICKS = 6
"""After the drop: the kind, the safe mends, the rights, two times Next, and Train."""

HOLDING = """([name, data]) => {
    const dragged = new DataTransfer();
    dragged.items.add(new File([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))], name));
    return dragged;
}"""


def drop(page: Page, file: Path) -> None:
    """Drop a file on the window."""
    content = base64.b64encode(file.read_bytes()).decode()
    page.dispatch_event("body", "drop", {"dataTransfer": page.evaluate_handle(HOLDING, [file.name, content])})


def test_fifteen_photographs_with_everything_wrong_are_in_training_after_a_drop_and_six_clicks(
    page: Page, studio: RunningStudio, tmp_path: Path, console: Console
) -> None:
    clicks = Clicks(page)
    drop(page, write_pile(tmp_path / "My holiday.zip"))
    clicks.on("button", "Concept")
    page.wait_for_url("**/images*")
    uploads = page.get_by_role("list", name="Files on their way")
    expect(uploads).to_contain_text(f"Pictures added: {PICTURES}; files left out: 8")
    uploads.locator("summary").first.click()
    expect(uploads).to_contain_text("leads out of the archive")
    expect(uploads).to_contain_text("astronaut (1).png has the same bytes as astronaut.png")
    uploads.get_by_role("button", name="Close").click()

    bar = page.get_by_role("status").filter(has_text=re.compile(f"^{PICTURES} pictures, "))
    expect(bar).to_be_visible()
    expect(bar).not_to_contain_text("looking at")
    clicks.on("button", "Mend ")
    expect(page.get_by_text(re.compile("pictures? mended"))).to_be_visible()
    clicks.on("checkbox", "I may use these pictures")
    clicks.on("button", "Next: captions")
    page.wait_for_url("**/captions*")
    expect(page.get_by_text("astronaut, woman, orange suit").first).to_be_visible()
    clicks.on("link", "Next: Train")
    page.wait_for_url("**/train*")
    expect(page.get_by_text("Stable Diffusion 1.x").first).to_be_visible()  # the demo's base, as there is no other
    clicks.on("button", "Train")
    page.wait_for_url("**/runs/*")
    assert clicks.count == CLICKS
    (job,) = (one for one in studio.client.get("jobs") if one["kind"] == "train")
    studio.client.post(f"jobs/{job['id']}:cancel")
    console.expect("(Bad Request)", "(Conflict)")  # a thumbnail of the broken picture; a list that has changed meanwhile
