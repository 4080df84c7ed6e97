"""More tabs than a browser has connections to one host: all are live, over one."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.console import Console
from tests.browser.windows import new_project, tab, window
from tests.running_studio import PATIENCE, RunningStudio

TABS = 7
"""One more than the connections that browsers allow to a host over HTTP/1.1."""


def connections(studio: RunningStudio) -> int:
    """How many are open to the studio. It closes those on which nothing is asked, and never the streams of events."""
    return sum(one.status == "ESTABLISHED" and one.laddr.port == studio.port for one in studio.process.net_connections("tcp"))


def test_seven_tabs_are_live_over_one_connection(browser: Browser, own_studio: RunningStudio, creatures: Path, console: Console) -> None:
    project = new_project(own_studio, creatures)
    with window(browser, own_studio, console) as first:
        tabs = [first, *(tab(first.context, own_studio, console) for _ in range(TABS - 1))]
        for page in tabs:
            page.goto(f"{own_studio.client.address}projects/{project}/images")
            expect(page.get_by_role("status").filter(has_text="5 pictures")).to_be_visible()
        end = time.monotonic() + PATIENCE
        while (there := connections(own_studio)) > 1 and time.monotonic() < end:
            first.wait_for_timeout(200)
        assert there == 1
        dataset = own_studio.workspace / "projects" / project / "dataset"
        shutil.copy(dataset / "0.png", dataset / "by another program.png")
        for page in tabs:
            expect(page.get_by_role("status").filter(has_text="6 pictures")).to_be_visible()
    assert console.faults == []
