"""A sweep in the studio: one row of the runs, with a page of its own that says which trial to use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lorasmith.demo.weights import BASE
from lorasmith.jobs.sweep.sweep_folder import SweepFolder
from tests.browser.accessibility import grave_findings
from tests.browser.windows import new_project
from tests.jobs.sweep.made_up_runner import made_up_sweep
from tests.library.lora_files import write_lora
from tests.running_studio import RunningStudio


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


def test_a_sweep_is_one_row_of_runs_and_what_it_recommends_is_kept(page: Page, studio: RunningStudio, ready: str) -> None:
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
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert grave_findings(page) == [], scheme

    said.get_by_role("button", name="Keep it").click()
    expect(said.get_by_role("button", name="Kept")).to_be_disabled()
