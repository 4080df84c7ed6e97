"""Whatever pictures, captions, names, runs and LoRA files say is shown as words, and never becomes part of the page."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from lorasmith.training import events
from lorasmith.training.records.event_log import EventLog
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.settings.tree import settings_from
from tests.browser.console import Console
from tests.browser.test_every_screen import wait_for_screen
from tests.library.lora_files import write_lora
from tests.running_studio import RunningStudio

HOSTILE = "<img src=x onerror=window.taken=1><script>window.taken=1</script>"
"""What would run if it were put into the page as HTML. A file name cannot have its slash."""
NAMED = "<img src=x onerror=window.taken=1>"


@pytest.fixture(scope="module")
def hostile(studio: RunningStudio, creatures: Path) -> str:
    """The id of a project in which everything has a hostile name."""
    id = str(studio.client.post("projects", {"name": HOSTILE, "trigger": NAMED})["id"])
    folder = studio.workspace / "projects" / id
    shutil.copy(creatures / "0.png", folder / "dataset" / f"{NAMED}.png")
    (folder / "dataset" / f"{NAMED}.txt").write_text(f"{NAMED}, {HOSTILE}, cat", encoding="utf-8")
    run = RunFolder(folder / "runs" / "first")
    prompts = {"samples": {"prompts": [HOSTILE]}}
    run.create(settings_from({"name": "first", "base": {"path": "base"}, "datasets": [{"path": "pictures"}], **prompts}))
    log = EventLog(run.events)
    for event in (events.Planned(10, 5, 4, 2, 1000), events.Warned(HOSTILE), events.Stopped(2, HOSTILE)):
        log(event)
    log.close()
    loras = studio.workspace / "loras"
    loras.mkdir()
    write_lora(loras / f"{NAMED}.safetensors", metadata={"ss_output_name": HOSTILE, HOSTILE: HOSTILE, "modelspec.description": HOSTILE})
    studio.client.put("library/folders", {"folders": [str(loras)]})
    studio.client.post("library:refresh")
    return id


@pytest.mark.parametrize(
    ("screen", "shows"),
    {
        "": HOSTILE, "projects/{project}/images": NAMED, "projects/{project}/captions": HOSTILE, "projects/{project}/captions?dialog=edit": NAMED,
        "projects/{project}/train": NAMED, "runs": HOSTILE, "runs/{project}~first": HOSTILE, "runs/{project}~first?part=log": HOSTILE,
        "runs/{project}~first?part=settings": HOSTILE, "library": NAMED, "library/{lora}": HOSTILE, "playground?lora={name}:1": NAMED,
    }.items(),
)  # fmt: skip
def test_words_are_words(page: Page, studio: RunningStudio, hostile: str, screen: str, shows: str, console: Console) -> None:
    lora = studio.client.get("library")["items"][0]["id"]
    page.goto(studio.client.address + screen.format(project=hostile, lora=lora, name=quote(NAMED)))
    wait_for_screen(page)
    expect(page.locator("body")).to_contain_text(shows)
    assert page.evaluate("() => window.taken") is None
    assert page.locator("img[src='x'], script:not([src])").count() == 0
