"""Each base says whether its training fits the memory of the graphics card that the machine has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.windows import window
from tests.running_studio import RunningStudio, running_studio

SAYS = "#!/bin/sh\necho '0, Small card, 100, 90'\n"
"""What a driver's program says of a card of 100 MiB."""


@pytest.fixture
def small_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningStudio]:
    """A studio on a machine with a card that is too small for anything."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(SAYS)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "workspace").mkdir()
    with running_studio(tmp_path / "workspace") as running:
        yield running


@pytest.mark.slow  # the memory is estimated by a process with torch
@pytest.mark.skipif(os.name != "posix", reason="the program is a shell script")
def test_a_card_that_is_too_small_is_named_on_the_base_and_in_the_plan(browser: Browser, small_card: RunningStudio) -> None:
    demo = small_card.client.post("projects:demo")["id"]
    with window(browser, small_card, []) as page:
        page.goto(f"{small_card.client.address}projects/{demo}/train")
        expect(page.get_by_role("radiogroup", name="Base")).to_contain_text("of memory; there are 105 MB")
        expect(page.get_by_role("region", name="The plan")).to_contain_text("This does not fit.")
