"""The library in the studio: pictures of a run's checkpoints, files of one name told apart, and where what is made of a LoRA goes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from lorasmith.jobs.queue import Queue
from lorasmith.training.records.run_layout import sample_name
from tests.browser.accessibility import grave_findings
from tests.library.lora_files import write_lora
from tests.running_studio import RunningStudio


@pytest.fixture(scope="module")
def loras(studio: RunningStudio) -> Path:
    """Two files called mimi, and a run of which the first of two checkpoints has a sample."""
    said = {"ss_session_id": "7", "ss_output_name": "zorvex"}
    run = studio.workspace / "runs" / "zorvex"
    for name, step in (("zorvex-000001", 30), ("zorvex", 60)):
        write_lora(run / "checkpoints" / f"{name}.safetensors", {**said, "ss_steps": str(step)}, seed=step)
    (run / "events.jsonl").touch()
    (run / "samples").mkdir()
    Image.new("RGB", (8, 8), "red").save(run / "samples" / sample_name(1, 30, 0))
    for seed, folder in enumerate(("old", "new")):
        settings = json.dumps({"base": {"path": "sd15.safetensors"}, "datasets": [{"path": "pictures"}]})
        write_lora(
            studio.workspace / "loras" / folder / "mimi.safetensors", {"lorasmith_settings": settings, "ss_seed": str(seed)}, seed=seed
        )
    studio.client.put("library/folders", {"folders": [str(studio.workspace)]})
    studio.client.post("library:refresh")
    return studio.workspace / "loras"


def test_home_shows_one_file_of_a_run_and_the_library_each_with_its_sample_or_its_letters(
    page: Page, studio: RunningStudio, loras: Path
) -> None:
    page.reload()
    strip = page.get_by_role("region", name="Library")
    expect(strip.get_by_role("listitem")).to_have_count(3)
    expect(strip.get_by_role("link", name="zorvex", exact=True).locator("[data-letters=zo]")).to_be_visible()
    page.goto(f"{studio.client.address}library")
    expect(page.get_by_role("gridcell", name="zorvex-000001").locator("img")).to_be_visible()
    expect(page.get_by_role("gridcell", name="mimi (old)").locator("[data-letters=mi]")).to_be_visible()


def test_of_two_files_of_one_name_that_one_is_tried_which_was_chosen(page: Page, studio: RunningStudio, loras: Path, idle: None) -> None:
    page.goto(f"{studio.client.address}library")
    page.get_by_role("gridcell", name="mimi (old)").click()
    page.get_by_role("button", name="Try it").click()
    chosen = page.get_by_role("combobox", name="LoRA 1")
    expect(chosen).to_have_value("mimi (old)")
    page.get_by_role("textbox", name="Prompt", exact=True).fill("zorvex")
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_text("With the LoRAs")).to_be_visible()
    used = [lora for job in studio.client.get("jobs") for lora in job["arguments"].get("loras", [])]
    assert used == [{"file": str(loras / "old" / "mimi.safetensors"), "strength": 1}]

    page.goto(f"{studio.client.address}playground?lora=mimi:0.5")  # as somebody types it
    expect(page.get_by_text("Several LoRAs have this name. Choose one.")).to_be_visible()
    chosen.click()
    page.get_by_role("option", name="mimi (new)").click()
    expect(page).to_have_url(re.compile(r"new.*mimi\.safetensors(:|%3A)0\.5"))


def test_what_is_made_of_a_checkpoint_does_not_go_into_its_run_and_its_ways_are_chosen(
    page: Page, studio: RunningStudio, loras: Path
) -> None:
    (loras / "zorvex-000001-converted.safetensors").touch()
    page.goto(f"{studio.client.address}library")
    page.get_by_role("gridcell", name="zorvex-000001, ").click()
    page.get_by_role("button", name="Resize").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Output")).to_have_value("loras/zorvex-000001-resized.safetensors")
    dialog.get_by_label("By", exact=True).select_option("sv_fro")
    assert grave_findings(page) == []
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Convert").click()
    expect(dialog.get_by_label("Output")).to_have_value("loras/zorvex-000001-converted-2.safetensors")
    (loras / "zorvex-000001-converted-2.safetensors").touch()
    with Queue(studio.workspace) as queue:  # by a job that ends while the dialog is open
        job = queue.add("convert", {}, "cpu")
        assert queue.claim("cpu", "cpu") == queue.get(job.id)
        queue.end(job.id, "done")
    expect(dialog.get_by_label("Output")).to_have_value("loras/zorvex-000001-converted-3.safetensors")


def test_an_entry_of_the_metadata_that_is_a_table_is_opened_in_its_place(page: Page, studio: RunningStudio, loras: Path) -> None:
    page.goto(f"{studio.client.address}library")
    page.get_by_role("gridcell", name="mimi (new)").click()
    page.get_by_role("button", name="Open").click()
    page.get_by_text("base, datasets", exact=True).click()
    whole = page.get_by_role("region", name="lorasmith_settings")
    expect(whole).to_contain_text('"path": "sd15.safetensors"')
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert grave_findings(page) == [], scheme
