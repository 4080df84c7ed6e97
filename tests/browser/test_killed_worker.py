"""The process of a training is killed, as by a system that is out of memory: it goes on by itself; killed again there, it says why, and how to go on."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Page, expect

from tests.running_studio import PATIENCE, RunningStudio

BEGUN = 240_000
"""Milliseconds until the first step of a training on a busy machine."""


def kill_worker(studio: RunningStudio, killed: set[int]) -> None:
    """End the process of the training at once, as soon as there is one that was not killed yet."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for worker in studio.workers():
            if worker.pid not in killed:
                killed.add(worker.pid)
                worker.kill()
                return
        time.sleep(0.05)
    raise AssertionError("no process does a job")


@pytest.mark.slow
def test_a_training_whose_process_is_killed_goes_on_and_says_so_when_that_does_not_help(
    page: Page, studio: RunningStudio, demo: str
) -> None:
    page.goto(f"{studio.client.address}projects/{demo}/train")
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url("**/runs/*")
    expect(page.get_by_role("button", name="Stop and save")).to_be_visible(timeout=BEGUN)
    killed: set[int] = set()
    kill_worker(studio, killed)
    kill_worker(studio, killed)  # the one that goes on
    trouble = page.get_by_role("main")
    expect(trouble).to_contain_text("It was ended by signal 9", timeout=BEGUN)
    expect(trouble).to_contain_text("the second time at the same place")
    trouble.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("button", name="Stop and save")).to_be_visible(timeout=BEGUN)
    (job,) = (one for one in studio.client.get("jobs") if one["kind"] == "train")
    studio.client.post(f"jobs/{job['id']}:cancel")
