"""A sweep in the studio: put together and refused in place before anything begins, followed, stopped and resumed, and what it recommends used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lorasmith.demo.weights import BASE
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.sweep.outcome import NOTHING_LEARNT
from lorasmith.jobs.sweep.sweep_folder import SweepFolder, read_sweep_folder
from tests.browser.accessibility import grave_findings
from tests.browser.console import Console
from tests.browser.windows import new_project
from tests.jobs.sweep.made_up_runner import made_up_sweep
from tests.library.lora_files import write_lora
from tests.running_studio import RunningStudio

SWEPT = 900_000
"""Milliseconds that two tiny trainings with their proofs may take on a busy machine."""


@pytest.fixture
def ready(studio: RunningStudio, creatures: Path) -> str:
    """The id of a project that can be trained at once."""
    project = new_project(studio, creatures)
    studio.client.patch(f"projects/{project}", {"base": str(BASE)})
    return project


def swept(studio: RunningStudio, project: str, name: str, looks: int | None = None) -> SweepFolder:
    """A sweep of three rates of a project that trained nothing, complete or stopped after so many looks; the last rate is ruled out."""
    rates = {1e-4: 0.8, 1e-5: 0.3, 1e-3: 0.5}
    return made_up_sweep(
        studio.workspace / "projects" / project / "runs" / name, {"optimizer.learning_rate": list(rates)},
        lambda settings: rates[settings.optimizer.learning_rate],
        lambda settings, epoch: 1.0 + epoch if settings.optimizer.learning_rate == 1e-3 else 0.9, looks,
    )  # fmt: skip


def test_a_sweep_is_one_row_of_runs_and_what_it_recommends_is_kept_proven_and_trained_from(
    page: Page, studio: RunningStudio, ready: str
) -> None:
    folder = swept(studio, ready, "rates")
    write_lora(folder.trial(1) / "checkpoints" / "toy.safetensors", {"ss_output_name": "toy"})
    page.goto(f"{studio.client.address}runs")
    trials = page.get_by_role("button", name="Trials of rates").last
    trials.press("Enter")
    expect(page.get_by_role("link", name="trial-2").last).to_be_visible()
    trials.press("Enter")
    expect(page.get_by_role("link", name="trial-2")).to_have_count(0)
    page.get_by_role("link", name="rates", exact=True).last.press("Enter")
    page.wait_for_url(f"**/sweeps/{ready}~rates")

    said = page.get_by_role("region", name="Which trial to use")
    expect(said).to_contain_text("Trial 1 (optimizer.learning_rate 0.0001) is recommended.")
    rows = page.get_by_role("table", name="Trials").get_by_role("row")
    expect(rows.nth(1)).to_contain_text(re.compile("recommended.*0.0001.*Judged.*30 of 30.*0.87 ± 0.0"))
    expect(rows.nth(3)).to_contain_text("Ruled out after epoch 1: held-out pictures are worse than in trial 1")
    expect(page.get_by_role("table", name="What each setting did").get_by_role("row").nth(1)).to_contain_text("worse")
    expect(page.get_by_role("columnheader", name="Held out")).to_be_visible()
    page.set_viewport_size({"width": 820, "height": 1100})
    expect(page.get_by_role("columnheader", name="Verdict")).to_have_count(0)
    expect(rows.filter(has_text=re.compile("^Ruled out after epoch 1"))).to_be_visible()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert grave_findings(page) == [], scheme

    said.get_by_role("button", name="Keep it").click()
    expect(said.get_by_role("button", name="Kept")).to_be_disabled()
    page.reload()
    said.get_by_role("link", name="Train from its settings").click()
    page.wait_for_url("**/train*")
    expect(page.get_by_text("These are the settings of trial-1.")).to_be_visible()
    page.go_back()
    said.get_by_role("link", name="See the proof").click()
    page.wait_for_url("**/proof")
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_a_sweep_that_was_stopped_failed_or_has_no_trial_says_so_and_goes_on(
    page: Page, studio: RunningStudio, ready: str, idle: None
) -> None:
    settings = studio.client.post(f"projects/{ready}/settings")["settings"]
    folder = studio.workspace / "projects" / ready / "runs" / "ranks"
    made_up_sweep(folder, {"network.rank": [1, 2]}, lambda settings: 0.5, looks=1, settings=settings)
    page.goto(f"{studio.client.address}sweeps/{ready}~ranks")
    expect(page.get_by_text("The sweep was stopped; resumed, it goes on where it was.")).to_be_visible()
    assert grave_findings(page) == []
    page.get_by_role("button", name="Resume").press("Enter")
    expect(page.get_by_text("The sweep goes on as soon as there is room for it.")).to_be_visible()
    page.get_by_role("button", name="Stop").press("Enter")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    assert page.get_by_text("The trials under way save and end.").count() == 0, "none is under way"  # at once: it goes away by itself
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    with Queue(studio.workspace) as queue:
        (job,) = [one for one in queue.jobs(("queued",)) if one.kind == "sweep"]
        while (claimed := queue.claim("cpu", "cpu")) is not None and claimed.id != job.id:
            queue.end(claimed.id, "cancelled")
        queue.end(job.id, "failed", "The base is gone. Put it back.")
    expect(page.get_by_role("main").get_by_role("alert")).to_contain_text("The base is gone. Put it back.")
    assert grave_findings(page) == []

    bare = read_sweep_folder(folder)
    bare.record.trials = []
    bare.save()
    page.reload()
    expect(page.get_by_text("No trial has begun yet.")).to_be_visible()
    page.get_by_role("tab", name="Log").click()
    expect(page.get_by_role("region", name="Log")).to_be_visible()


def test_what_varies_is_planned_and_refused_in_place_and_is_there_after_a_reload(
    page: Page, studio: RunningStudio, ready: str, idle: None, console: Console
) -> None:
    page.goto(f"{studio.client.address}projects/{ready}/train?level=sweep")
    add = page.get_by_role("combobox", name="Add a setting").or_(page.get_by_role("textbox", name="Add a setting"))
    add.fill("network_dim")  # as sd-scripts calls it
    page.get_by_role("option", name="network.rank").click()
    values = page.get_by_role("textbox", name="network.rank: values")
    values.fill("1, -2")
    plan = page.get_by_role("region", name="The sweep")
    expect(plan.get_by_role("alert")).to_contain_text("network.rank")
    expect(page.get_by_role("button", name="Start the sweep")).to_be_disabled()
    values.fill("0,5")
    expect(plan.get_by_role("alert")).to_contain_text("a comma may be a decimal one")
    values.fill("1, 2")
    expect(plan.get_by_text("Of all trainings together")).to_be_visible()
    expect(plan.get_by_role("alert")).to_have_count(0)
    expect(plan.get_by_text("2", exact=True)).to_be_visible()
    page.reload()
    expect(values).to_have_value("1, 2")
    assert grave_findings(page) == []

    page.get_by_role("button", name="Sweep file and command").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(re.compile(r"lorasmith sweep (\S+)\.toml --out projects/\S+/runs/\1"))
    expect(dialog).to_contain_text("network.rank = [1, 2]")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/sweeps/*")
    expect(page.get_by_text("It begins as soon as there is room for it.")).to_be_visible()
    (job,) = [one for one in studio.client.get("jobs", project=ready) if one["kind"] == "sweep"]
    assert job["arguments"]["sweep"]["vary"] == {"network.rank": [1, 2]}
    console.expect("(Unprocessable")


def test_several_rates_are_tried_by_one_click(page: Page, studio: RunningStudio, ready: str, idle: None) -> None:
    page.goto(f"{studio.client.address}projects/{ready}/train")
    page.get_by_role("button", name="Try several rates").click()
    page.wait_for_url("**/sweeps/*ladder")
    (job,) = [one for one in studio.client.get("jobs", project=ready) if one["kind"] == "sweep"]
    assert (job["arguments"]["sweep"]["share"], len(job["arguments"]["sweep"]["vary"])) == (0.3, 2)


@pytest.mark.slow
def test_two_tiny_trials_go_from_a_click_to_their_verdict(page: Page, studio: RunningStudio, ready: str, console: Console) -> None:
    page.goto(f"{studio.client.address}projects/{ready}/train")
    page.get_by_label("Length in epochs").fill("1")
    page.get_by_text("Vary settings", exact=True).first.click()
    page.get_by_role("combobox", name="Add a setting").or_(page.get_by_role("textbox", name="Add a setting")).fill("rank")
    page.get_by_role("option", name=re.compile("^network.rank ")).click()
    page.get_by_role("textbox", name="network.rank: values").fill("1, 2")
    page.get_by_role("button", name="Start the sweep").click()
    page.wait_for_url("**/sweeps/*")
    rows = page.get_by_role("table", name="Trials").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("Trial 1", timeout=SWEPT)
    page.reload()
    expect(page.get_by_text("Finished", exact=True)).to_be_visible(timeout=SWEPT)
    expect(rows.filter(has_text="Judged")).to_have_count(2)
    said = page.get_by_role("region", name="Which trial to use")
    expect(said).to_contain_text(NOTHING_LEARNT)  # in one epoch
    expect(said.get_by_role("button")).to_have_count(0)
    console.expect("(Unprocessable")
