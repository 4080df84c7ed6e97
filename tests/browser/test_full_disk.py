"""The workspace's disk is full: each refusal says so, what was typed stays, and all goes on when there is room again."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.console import Console
from tests.browser.windows import SAVED, new_project, window
from tests.running_studio import RunningStudio, running_studio

ON_A_SMALL_DISK = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", 'mount -t tmpfs -o size=16m tmpfs "$0" && exec "$@"')
"""Runs a command with a disk of 16 MB, in memory, where the folder of the next argument is."""


@pytest.fixture
def studio_on_a_small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningStudio]:
    disk = tmp_path / "disk"
    disk.mkdir()
    within = (*ON_A_SMALL_DISK, str(disk))
    if not shutil.which("unshare") or subprocess.run([*within, "true"], capture_output=True).returncode:
        pytest.skip("this system lets no user mount a disk in memory")
    monkeypatch.setenv("LORASMITH_LIBRARY", str(tmp_path / "library"))
    with running_studio(disk, within) as studio:
        studio.workspace = Path(f"/proc/{studio.process.pid}/root{disk}")  # as it is for the studio
        yield studio
        studio.workspace = disk


def fill(file: Path) -> None:
    """Take all room that is left."""
    with file.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while filler.write(bytes(4096)):
            pass


def test_a_full_disk_loses_nothing(
    browser: Browser, studio_on_a_small_disk: RunningStudio, creatures: Path, console: Console, tmp_path: Path
) -> None:
    studio = studio_on_a_small_disk
    project = new_project(studio, creatures)
    caption = studio.workspace / "projects" / project / "dataset" / "0.txt"
    filler = studio.workspace / "filler"
    with window(browser, studio, console) as page:
        page.goto(f"{studio.client.address}projects/{project}/captions?at=0.png")
        page.get_by_text("Text", exact=True).click()
        text = page.get_by_label("Caption as text")
        text.fill("zorvex, written on a full disk")
        fill(filler)
        page.get_by_role("button", name="Keys").focus()  # leaving a caption saves it
        expect(page.get_by_role("alert")).to_contain_text("the disk is full: make room and try again")
        expect(text).to_have_value("zorvex, written on a full disk")
        page.reload()
        expect(text).to_have_value("zorvex, written on a full disk")

        page.goto(f"{studio.client.address}projects/{project}/images")
        page.get_by_role("button", name="Add pictures").click()
        with page.expect_file_chooser() as chooser:
            page.get_by_role("menuitem", name="Files or archives").click()
        picture = tmp_path / "one more.png"
        shutil.copy(creatures / "1.png", picture)
        chooser.value.set_files([picture])
        expect(page.get_by_role("alert")).to_contain_text("Make room")

        os.remove(filler)
        page.goto(f"{studio.client.address}projects/{project}/captions?at=0.png")
        expect(text).to_have_value("zorvex, written on a full disk")
        text.focus()
        page.get_by_role("button", name="Keys").focus()
        expect(page.get_by_role("status").filter(has_text=SAVED)).to_be_visible()
        assert caption.read_text(encoding="utf-8").strip() == "zorvex, written on a full disk"
    console.expect("(Insufficient Storage)")
    assert console.faults == []
