"""Flipping through pictures in rows and columns: those of a proof, and the cells of a grid. Both were made without the studio."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from lorasmith.evaluation.grid.grid import grid
from lorasmith.evaluation.prompts import Counts
from lorasmith.evaluation.proof.plan import EFFORTS, Effort
from lorasmith.evaluation.prove import prove
from lorasmith.jobs.queue import Queue
from lorasmith.training.run import train
from lorasmith.training.settings.tree import settings_from
from tests.browser.accessibility import grave_findings
from tests.browser.windows import new_project
from tests.running_studio import RunningStudio

FEW = Effort("for tests", Counts(2, 0, 0, 1, 1), most_steps=1, most_drawn=2, loss_pictures=1)
"""Pictures in one step, two of them new."""


@pytest.fixture(scope="module")
def run(studio: RunningStudio, toy_base: Path, creatures: Path) -> Path:
    """A run of two epochs with its proof."""
    project = studio.workspace / "projects" / new_project(studio, creatures)
    settings = settings_from({
        "name": "toy", "base": {"path": str(toy_base)}, "datasets": [{"path": str(project / "dataset")}], "captions": {"trigger": "zorvex"},
        "buckets": {"resolution": 32, "min_bucket_reso": 16, "max_bucket_reso": 64, "bucket_reso_steps": 8}, "network": {"rank": 2},
        "training": {"epochs": 2, "batch_size": 5}, "samples": {"prompts": ["{trigger}"], "steps": 1, "cfg_scale": 1.0, "every_n_epochs": 2},
        "cache": str(project / "cache"),
    })  # fmt: skip
    folder = train(settings, project / "runs" / "toy").folder
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(EFFORTS, "few", FEW)
        prove(folder, effort="few", weights=())
    return folder


@pytest.fixture(scope="module")
def job(studio: RunningStudio, run: Path) -> int:
    """The number of a job that has generated a grid of two columns, two rows and two blocks."""
    made = grid(run, x="weight=0,1", y="seed=1,2", z="prompts=zorvex,happy", steps=1, out=studio.workspace / "playground" / "grids")
    assert made.record is not None
    with Queue(studio.workspace) as queue:
        number = queue.add("grid", {"out": "playground/grids", "x": "weight=0,1"}, "accelerator").id
        queue.claim("accelerator", "cpu")
        queue.end(number, "done", outcome={"sheet": str(made.sheet), "page": str(made.page), "record": str(made.record)})
    return number


def labels(table: Locator) -> tuple[list[str], list[str]]:
    """What is said of the columns, and of the rows."""
    expect(table).to_be_visible()
    return table.locator("thead th").all_inner_texts(), table.locator("tbody th").all_inner_texts()


def opened(page: Page, *parts: str) -> Locator:
    """The viewer, when it shows the cell of these labels, whole."""
    viewer = page.get_by_role("dialog", name=" · ".join(parts), exact=True)
    expect(viewer).to_be_visible()
    picture = viewer.get_by_role("img", name=" · ".join(parts), exact=True)
    expect(picture).to_be_visible()
    page.wait_for_function("picture => picture.complete && picture.naturalWidth > 0", arg=picture.element_handle())
    return viewer


def place(page: Page, row: int, column: int) -> re.Pattern[str]:
    """An address with this cell in it."""
    return re.compile(rf"[?&]cell={row}(,|%2C){column}(&|$)")


def scale(page: Page) -> float:
    """How much the picture in the viewer is enlarged."""
    return float(page.get_by_role("dialog").locator("img").evaluate("img => new DOMMatrix(getComputedStyle(img).transform).a"))


def nothing_grave(page: Page) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert grave_findings(page) == [], scheme


def test_the_pictures_of_a_proof_are_flipped_through_with_the_keyboard(page: Page, studio: RunningStudio, run: Path) -> None:
    page.goto(f"{studio.client.address}runs/{run.parents[1].name}~toy/proof")
    table = page.get_by_role("table", name="See for yourself")
    columns, rows = labels(table)
    assert (len(columns), rows) == (2, ["The base", "epoch 1", "epoch 2"])

    table.get_by_role("button").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    opened(page, "epoch 1", columns[1])
    expect(page).to_have_url(place(page, 1, 1))
    nothing_grave(page)

    page.keyboard.press("ArrowDown")
    opened(page, "epoch 2", columns[1])
    page.keyboard.press("1")
    opened(page, "epoch 2", columns[0])
    page.keyboard.down("b")
    expect(page.get_by_role("dialog", name="The base alone")).to_be_visible()
    page.keyboard.up("b")
    page.keyboard.down(" ")
    opened(page, "epoch 2", columns[1])
    page.keyboard.up(" ")
    opened(page, "epoch 2", columns[0])

    page.keyboard.press("+")
    page.keyboard.press("+")
    assert scale(page) > 1
    page.keyboard.press("0")
    assert scale(page) == 1

    page.reload()
    opened(page, "epoch 2", columns[0])
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page).not_to_have_url(re.compile("cell="))
    expect(table.get_by_role("button", name=f"epoch 2, {columns[0]}")).to_be_focused()


def test_the_cells_of_a_grid_are_flipped_through_in_the_playground(page: Page, studio: RunningStudio, job: int) -> None:
    page.goto(f"{studio.client.address}playground?view=grid")
    table = page.get_by_role("table", name="The cells of the grid")
    expect(table.get_by_role("button")).to_have_count(8)
    columns, rows = labels(table)
    assert columns == ["weight 0", "weight 1"]
    assert rows == ["zorvex · seed 1", "zorvex · seed 2", "happy · seed 1", "happy · seed 2"]

    table.get_by_role("button", name="zorvex · seed 1, weight 0").click()
    opened(page, "zorvex · seed 1", "weight 0")
    nothing_grave(page)
    page.keyboard.press("ArrowRight")
    opened(page, "zorvex · seed 1", "weight 1")
    page.keyboard.press("PageDown")
    viewer = opened(page, "happy · seed 1", "weight 1")
    viewer.get_by_role("button", name="Zoom in").click()
    assert scale(page) > 1
    page.keyboard.down(" ")  # the click left the focus alone, so that this compares
    opened(page, "zorvex · seed 1", "weight 1")
    page.keyboard.up(" ")

    expect(page).to_have_url(place(page, 2, 1))
    assert f"grid={job}" in page.url
    page.reload()
    opened(page, "happy · seed 1", "weight 1")
    page.keyboard.press("Escape")
    expect(table.get_by_role("button", name="happy · seed 1, weight 1")).to_be_focused()
    nothing_grave(page)


def test_the_list_of_jobs_leads_to_the_cells_of_a_grid(page: Page, studio: RunningStudio, job: int) -> None:
    page.get_by_role("button", name="Jobs").click()
    page.get_by_role("dialog", name="Jobs").get_by_role("link", name="Show the grid").click()
    expect(page).to_have_url(re.compile(f"grid={job}$"))
    expect(page.get_by_role("table", name="The cells of the grid")).to_be_visible()
