"""Pictures of the playground whose files somebody has removed."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from lorasmith.jobs.queue import Queue
from tests.browser.accessibility import grave_findings
from tests.browser.console import Console
from tests.running_studio import RunningStudio


def generated(workspace: Path, prompt: str) -> Path:
    """The picture of a job that is done."""
    out = workspace / "playground" / prompt
    picture = out / "0000-seed7.png"
    out.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 64), "teal").save(picture)
    asked = {"base": "base", "prompts": [prompt], "loras": [], "seed": 7, "negative_prompt": "", "out": f"playground/{prompt}"}
    with Queue(workspace) as queue:
        number = queue.add("sample", asked, "accelerator").id
        queue.claim("accelerator", "cpu")
        queue.end(number, "done", outcome={"pictures": [str(picture)]})
    return picture


def test_a_picture_whose_file_was_removed_is_said_to_be_gone_and_is_not_among_the_earlier_ones(
    page: Page, studio: RunningStudio, idle: None, console: Console
) -> None:
    for _ in range(2):  # the second time after its file was removed
        generated(studio.workspace, "castle")
    gone = generated(studio.workspace, "meadow")
    page.goto(f"{studio.client.address}playground")
    page.get_by_role("button", name="Show this again: meadow, seed 7").click()
    expect(page.get_by_role("img", name="Base")).to_be_visible()
    gone.unlink()
    page.reload()
    expect(page.get_by_text("The file of this picture was removed. Generate it again.")).to_be_visible()
    expect(page.get_by_role("button", name="Show this again: castle, seed 7")).to_have_count(1)
    expect(page.get_by_role("button", name="Show this again: meadow, seed 7")).to_have_count(0)
    expect(page.get_by_role("button", name="Generate")).to_be_enabled()
    assert grave_findings(page) == []
    console.expect("(Not Found)")
