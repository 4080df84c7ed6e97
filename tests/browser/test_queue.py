"""The queue's order is changed by dragging and by keys, and what failed is dismissed. Both are so in the studio: it is the same after a reload."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from lorasmith.jobs.queue import Queue
from lorasmith.training import events
from lorasmith.training.records.event_log import EventLog
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.settings.tree import settings_from
from tests.running_studio import RunningStudio


@pytest.mark.usefixtures("idle")
def test_the_order_is_changed_by_dragging_and_by_keys_and_is_there_after_a_reload(page: Page, studio: RunningStudio, demo: str) -> None:
    settings = studio.client.post(f"projects/{demo}/settings")["settings"]
    for name in ("rests", "one", "two", "three"):
        arguments = {"settings": {**settings, "name": name}, "out": f"projects/{demo}/runs/{name}"}
        job = studio.client.post("jobs", {"kind": "train", "project": demo, "arguments": arguments})
        if name == "rests":
            studio.client.post(f"jobs/{job['id']}:pause")

    page.goto(f"{studio.client.address}runs")
    listed = page.get_by_role("region", name="Queue").get_by_role("listitem")
    expect(listed).to_contain_text(["rests", "one", "two", "three"])
    listed.filter(has_text="three").drag_to(listed.filter(has_text="one"))
    expect(listed).to_contain_text(["rests", "three", "one", "two"])
    page.get_by_role("button", name="Move down: Train a LoRA: three").press("Enter")
    expect(listed).to_contain_text(["rests", "one", "three", "two"])
    page.get_by_role("button", name="Move up: Train a LoRA: two").press("Enter")
    expect(listed).to_contain_text(["rests", "one", "two", "three"])
    page.get_by_role("button", name="Move down: Train a LoRA: one").press("Enter")
    page.reload()
    expect(listed).to_contain_text(["rests", "two", "one", "three"])
    order = [job["arguments"]["settings"]["name"] for job in studio.client.get("jobs") if job["state"] == "queued"]
    assert order == ["two", "one", "three"]


@pytest.mark.usefixtures("idle")
def test_a_run_is_resumed_by_the_job_that_was_paused_and_by_no_second_one(page: Page, studio: RunningStudio, project: str) -> None:
    run = RunFolder(studio.workspace / "projects" / project / "runs" / "first")
    run.create(settings_from({"name": "first", "base": {"path": "base"}, "datasets": [{"path": "pictures"}]}))
    log = EventLog(run.events)
    for event in (events.Planned(10, 5, 4, 2, 1000), events.Stopped(2, "It was asked to stop.")):
        log(event)
    log.close()
    with Queue(studio.workspace) as queue:
        job = queue.add("train", {"out": f"projects/{project}/runs/first"}, "accelerator", project)
        queue.request(job.id, "pause")
        page.goto(f"{studio.client.address}runs/{project}~first")
        page.get_by_role("main").get_by_role("button", name="Resume").click()
        expect(page.get_by_role("main").get_by_text("Waiting", exact=True)).to_be_visible()
        expect(page.get_by_role("main").get_by_role("button", name="Resume")).to_have_count(0)
        assert [(one.id, one.state) for one in queue.jobs() if one.project == project] == [(job.id, "queued")]


@pytest.mark.usefixtures("idle")
def test_a_download_that_failed_is_dismissed_everywhere_and_for_good(page: Page, studio: RunningStudio) -> None:
    with Queue(studio.workspace) as queue:
        for source in ("owner/gone", "owner/full"):
            queue.add("download", {"kind": "base", "source": source}, "cpu")
            claimed = queue.claim("cpu", "cpu")
            assert claimed is not None
            queue.end(claimed.id, "failed", f"{source} is not on the hub.")
    page.goto(f"{studio.client.address}settings/bases")
    expect(page.get_by_role("alert")).to_have_count(2)
    page.get_by_role("button", name="Dismiss: Download a model: gone").click()
    expect(page.get_by_role("alert")).to_have_text(["owner/full is not on the hub."])
    page.reload()
    expect(page.get_by_role("alert")).to_have_text(["owner/full is not on the hub."])
    page.get_by_role("button", name="Jobs").click()
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_text("owner/full is not on the hub.")).to_be_visible()
    expect(drawer.get_by_text("owner/gone is not on the hub.")).to_have_count(0)
    drawer.get_by_role("button", name="Dismiss: Download a model: full").press("Enter")
    expect(drawer.get_by_text("owner/full is not on the hub.")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.get_by_role("alert")).to_have_count(0)
