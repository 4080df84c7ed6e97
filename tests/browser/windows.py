"""A browser's window with the studio in it, as a new user has it: a profile of its own, the printed address opened."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.console import Console
from tests.running_studio import PATIENCE, RunningStudio

SAVED = re.compile("^Saved$")
"""What stands under a caption that is saved."""


@contextmanager
def window(browser: Browser, studio: RunningStudio, console: Console) -> Iterator[Page]:
    """The studio in a fresh profile, at home. What its page says in its console is put into `console`."""
    with browser.new_context(reduced_motion="reduce") as context:
        context.set_default_timeout(PATIENCE * 1000)
        yield tab(context, studio, console)


def tab(context: BrowserContext, studio: RunningStudio, console: Console) -> Page:
    """One more tab of a window, at home."""
    page = context.new_page()
    page.on("console", lambda message: console.hear(f"{message.type}: {message.text}", message.location["url"]))
    page.on("pageerror", lambda error: console.hear(f"not caught: {error}"))
    page.goto(studio.address)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    return page


def new_project(studio: RunningStudio, pictures: Path, name: str = "Zorvex", trigger: str | None = "zorvex") -> str:
    """The id of a new project with a folder's pictures and captions."""
    made = studio.client.post("projects", {"name": name, "trigger": trigger})
    shutil.copytree(pictures, studio.workspace / "projects" / made["id"] / "dataset", dirs_exist_ok=True)
    return str(made["id"])
