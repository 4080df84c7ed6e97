"""The path of somebody who has trained elsewhere: their dataset and settings come in, and what they know is where they look for it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lorasmith.demo.weights import BASE
from tests.browser.clicks import Clicks
from tests.browser.console import Console
from tests.running_studio import RunningStudio

THEIRS = {
    "LoRA_type": "Standard", "epoch": 1, "train_batch_size": 1, "network_dim": 8, "network_alpha": 4, "learning_rate": 2e-4, "unet_lr": 2e-4,
    "optimizer": "AdamW", "lr_scheduler": "cosine", "max_resolution": "64,64", "min_snr_gamma": 5, "seed": 7, "caption_extension": ".txt",
    "shuffle_caption": True, "keep_tokens": 1, "mixed_precision": "no", "save_every_n_epochs": 1, "output_name": "theirs",
}  # fmt: skip
"""What kohya_ss saves as a settings file, as far as it matters here."""

CHANGED = {
    "training.batch_size": "8", "network.rank": "4", "optimizer.learning_rate": "5e-4", "captions.caption_dropout_rate": "0.1",
    "noise.noise_offset": "0.05",
}  # fmt: skip
"""Five settings that are changed in the view of all settings, by their names."""

TRAINED = 200_000
"""Milliseconds that a training of a few steps may take on a busy machine."""


def change(page: Page, name: str, value: str) -> None:
    """Find a setting by its name, and set it."""
    page.get_by_label("Search the settings").fill(name)
    page.get_by_role("textbox", name=re.compile(f"{re.escape(name)}$")).fill(value)


def train(page: Page, studio: RunningStudio) -> str:
    """Begin, wait for the LoRA, and leave out its proof; returns the run's id."""
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url("**/runs/*")
    expect(page.get_by_text(re.compile("^(Judging|Finished)$"))).to_be_visible(timeout=TRAINED)
    run = page.url.rpartition("/")[2].replace("%7E", "~")
    for job in studio.client.get("jobs"):
        if job["state"] == "running":
            studio.client.post(f"jobs/{job['id']}:cancel")
    return run


@pytest.mark.slow
def test_a_kohya_dataset_and_its_settings_become_two_runs_that_are_compared_merged_and_published(
    page: Page, studio: RunningStudio, creatures: Path, tmp_path: Path, console: Console
) -> None:
    theirs = tmp_path / "theirs"
    shutil.copytree(creatures, theirs / "img" / "10_zorvex creature")
    settings = tmp_path / "theirs.json"
    settings.write_text(json.dumps({**THEIRS, "train_data_dir": str(theirs / "img")}), encoding="utf-8")
    clicks = Clicks(page)

    clicks.on("button", "New LoRA", "Your pictures")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a folder").click()
    chooser.value.set_files(theirs)
    clicks.on("button", "Character")
    page.wait_for_url("**/images*")
    expect(page.get_by_role("status").filter(has_text=re.compile("^5 pictures"))).to_be_visible()
    expect(page.get_by_text("zorvex creature").first).to_be_visible()
    expect(page.get_by_text("5 × 10").first).to_be_visible()

    page.get_by_role("link", name="Train", exact=True).click()
    expect(page.get_by_role("heading", name="The plan")).to_be_visible()
    page.get_by_label("Another base").fill(str(BASE))
    clicks.on("button", "Use it")
    clicks.on("button", "More")
    clicks.on("menuitem", "Import settings")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a file").click()
    chooser.value.set_files(settings)
    clicks.on("button", "Use these settings")
    page.get_by_text("All settings", exact=True).click()
    expect(page.get_by_role("textbox", name=re.compile("network.alpha$"))).to_have_value("4")
    for name, value in CHANGED.items():
        change(page, name, value)
    expect(page.get_by_text("Only what I changed")).to_be_visible()
    first = train(page, studio)

    clicks.on("button", "More")
    clicks.on("menuitem", "Train again with changes")
    page.wait_for_url("**/train*")
    expect(page.get_by_role("textbox", name=re.compile("noise.noise_offset$"))).to_have_value("0.05")
    change(page, "network.rank", "6")
    second = train(page, studio)

    page.goto(f"{studio.client.address}runs")
    for run in (first, second):
        page.get_by_role("checkbox", name=f"Compare {run.rpartition('~')[2]}", exact=True).check()
    clicks.on("button", "Compare 2")
    differences = page.get_by_role("table", name="Where the runs differ")
    expect(differences.get_by_role("row").filter(has_text="network.rank")).to_contain_text(re.compile("4.*6|6.*4"))

    page.goto(f"{studio.client.address}library")
    clicks.on("button", "Add the folder")
    clicks.on("button", "Add this workspace")
    page.keyboard.press("Escape")
    loras = page.get_by_role("gridcell")
    expect(loras).to_have_count(2)
    loras.first.click()
    loras.last.click(modifiers=["Control"])
    clicks.on("button", "Merge")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Start").click()
    expect(dialog).to_contain_text("Done:", timeout=TRAINED)
    dialog.get_by_role("button", name="Close").last.click()
    expect(loras).to_have_count(3)

    loras.filter(has_text="merged").click()
    clicks.on("button", "Publish")
    dialog.get_by_role("button", name="Start").click()
    expect(dialog).to_contain_text("Done:", timeout=TRAINED)
    assert list((studio.workspace / "publish").rglob("README.md"))
    console.expect("(Conflict)", "(Not Found)")
