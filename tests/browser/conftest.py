"""A real studio and a real browser: Chromium with a fresh profile, in which the printed address was opened.

Everything here carries the mark `browser`, and is skipped where there is no Chromium.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("playwright")

from playwright.sync_api import Browser, Page, expect, sync_playwright

from lorasmith.jobs.lock import take_lock
from lorasmith.jobs.workspace import Workspace
from tests.browser.chromium import MISSING, chromium, flags
from tests.browser.console import Console
from tests.browser.windows import new_project, window
from tests.running_studio import PATIENCE, RunningStudio, running_studio

HERE = Path(__file__).parent

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
def own_studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningStudio]:
    """A studio for one test, which may kill it."""
    (tmp_path / "workspace").mkdir()
    monkeypatch.setenv("LORASMITH_LIBRARY", str(tmp_path / "library"))
    with running_studio(tmp_path / "workspace") as running:
        yield running


@pytest.fixture
def idle(studio: RunningStudio) -> Iterator[None]:
    """Nobody begins what waits."""
    place = Workspace.at(studio.workspace)
    place.state.mkdir(exist_ok=True)
    lock = take_lock(place.supervisor_lock)
    assert lock is not None
    yield
    for job in studio.client.get("jobs", state=["queued", "paused"]):
        studio.client.post(f"jobs/{job['id']}:cancel")
    lock.release()


@pytest.fixture
def project(studio: RunningStudio, creatures: Path) -> str:
    """The id of a project with five captioned pictures."""
    return new_project(studio, creatures)


@pytest.fixture(scope="module")
def demo(studio: RunningStudio) -> str:
    """The id of the demo's project, for tests that change nothing of it."""
    return str(studio.client.post("projects:demo")["id"])


@pytest.fixture
def console() -> Console:
    """What `page` says in its console; what a test does not expect of it is a fault."""
    return Console()


@pytest.fixture
def page(browser: Browser, studio: RunningStudio, console: Console) -> Iterator[Page]:
    """The studio in a fresh profile, at home."""
    with window(browser, studio, console) as opened:
        yield opened
    assert console.faults == []
