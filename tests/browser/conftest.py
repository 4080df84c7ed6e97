"""A real studio and a real browser: Chromium with a fresh profile, in which the printed address was opened.

Everything here carries the mark `browser`, and is skipped where there is no Chromium.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("playwright")

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.chromium import MISSING, chromium, flags
from tests.running_studio import PATIENCE, RunningStudio, running_studio

HERE = Path(__file__).parent

HANDLED = ("/labels:preview",)
"""Ends of addresses whose refusal is an answer to the page, though browsers write it into the console: no tagger was run yet."""

expect.set_options(timeout=PATIENCE * 1000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, started once for a file of tests; each test has a profile of its own in it (`page`). It ends with them: playwright leaves an event loop
    running meanwhile, in which tests of other files could not run one of their own."""
    program = chromium()
    if program is None:
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=flags())
        yield started
        started.close()


@pytest.fixture(scope="module")
def studio(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    """A studio for all tests that do not end it; what they change is in a `project` of their own."""
    folder = tmp_path_factory.mktemp("studio")
    (folder / "workspace").mkdir()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LORASMITH_LIBRARY", str(folder / "library"))
        with running_studio(folder / "workspace") as running:
            yield running


@pytest.fixture
def project(studio: RunningStudio, creatures: Path) -> str:
    """The id of a project with five captioned pictures."""
    made = studio.client.post("projects", {"name": "Zorvex", "trigger": "zorvex"})
    shutil.copytree(creatures, studio.workspace / "projects" / made["id"] / "dataset", dirs_exist_ok=True)
    return str(made["id"])


@pytest.fixture
def console() -> list[str]:
    """What `page` says in its console; a test that expects something takes it out, the rest is a fault."""
    return []


@pytest.fixture
def page(browser: Browser, studio: RunningStudio, console: list[str]) -> Iterator[Page]:
    """The studio in a fresh profile, at home."""
    with browser.new_context(reduced_motion="reduce") as context:
        context.set_default_timeout(PATIENCE * 1000)
        opened = context.new_page()
        opened.on("console", lambda message: message.location["url"].endswith(HANDLED) or console.append(f"{message.type}: {message.text}"))
        opened.on("pageerror", lambda error: console.append(f"not caught: {error}"))
        opened.goto(studio.address)
        expect(opened.get_by_role("heading", level=1)).to_be_visible()
        yield opened
    assert console == []
