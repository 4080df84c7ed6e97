"""The workspace that the documentation's pictures are taken of (screenshots.py): made by the studio's own jobs, which take a quarter of an hour.

    python -m tests.browser.photographed WORKSPACE

`demo` has two trained runs, of which `demo` is proven and kept, the second is `demo-short`, and a sweep, `demo-rates`; a picture was generated
in the playground. `holiday` has pictures that need a look (photo_pile.py), `chalk_drawings` many, whose captions were edited, and `empty` none.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.sync_api import expect, sync_playwright

from lorasmith.client import Client
from lorasmith.demo.datasets import write_datasets
from tests.browser.chromium import chromium, flags
from tests.browser.photo_pile import write_pile
from tests.running_studio import RunningStudio, running_studio

MANY = "style-chalk-large"
DEMO = "demo"
SHORT = 3
"""Epochs of the second run."""
RATES = (1 / 3, 1, 3)
"""Of the sweep, beside the demo's own."""
EDITS: tuple[tuple[str, dict[str, Any]], ...] = (("add", {"tags": ["chalk"]}), ("rename", {"old": "angry", "new": "angry face"}))
"""Of the many captions; their history shows them."""
GENERATED = 600_000
"""Milliseconds that a picture may take on a busy machine."""


def main(workspace: str) -> None:
    """Make it in a folder that has none of its projects."""
    place = Path(workspace).absolute()
    place.mkdir(parents=True, exist_ok=True)
    os.environ["LORASMITH_LIBRARY"] = tempfile.mkdtemp()  # a catalogue of its own, and not the user's
    with running_studio(place) as studio:
        _train_demo(studio.client)
        _keep(studio.client)
        _sweep(studio.client)
        with tempfile.TemporaryDirectory() as aside:
            _make_project(studio.client, "Holiday", write_pile(Path(aside) / "My holiday.zip"))
            write_datasets(Path(aside), [MANY])
            chalk = _make_project(studio.client, "Chalk drawings", Path(aside) / MANY)
        for edit, arguments in EDITS:
            studio.client.post(f"projects/{chalk}/edits", {"edit": edit, "arguments": arguments})
        studio.client.post("projects", {"name": "Empty"})
        _generate(studio)


def _train_demo(client: Client) -> None:
    assert client.post("projects:demo")["id"] == DEMO
    settings = client.post(f"projects/{DEMO}/settings")["settings"]
    short = {**settings, "name": "demo-short", "training": {**settings["training"], "epochs": SHORT}}
    for training, effort in (({**settings, "name": "demo"}, "quick"), (short, None)):
        out = f"projects/{DEMO}/runs/{training['name']}"
        _do(client, "train", {"settings": training, "out": out, "prove": effort}, DEMO)


def _keep(client: Client) -> None:
    """What the proof advises, as its button does."""
    run = f"runs/{DEMO}~demo"
    client.post(f"{run}/keep", {"file": client.get(f"{run}/proof")["recommended"]})


def _sweep(client: Client) -> None:
    """Three rates of which the middle one is the demo's, each for a part of its length."""
    settings = client.post(f"projects/{DEMO}/settings")["settings"]
    vary = {"optimizer.unet_lr": [float(f"{settings['optimizer']['unet_lr'] * times:.2g}") for times in RATES]}
    sweep = {"name": "demo-rates", "settings": settings, "vary": vary, "share": 0.3, "effort": "quick"}
    _do(client, "sweep", {"sweep": sweep, "out": f"projects/{DEMO}/runs/demo-rates"}, DEMO)


def _make_project(client: Client, name: str, pictures: Path) -> str:
    project: str = client.post("projects", {"name": name})["id"]
    client.wait(client.upload(project, [pictures]))
    return project


def _do(client: Client, kind: str, arguments: Mapping[str, Any], project: str) -> None:
    client.wait(client.post("jobs", {"kind": kind, "project": project, "arguments": arguments}))


def _generate(studio: RunningStudio) -> None:
    """A picture with the LoRA and without it, in the playground."""
    studio.client.put("library/folders", {"folders": [str(studio.workspace)]})
    studio.client.post("library:refresh")
    lora = max(studio.client.get("library")["items"], key=lambda item: item["facts"].get("step") or 0)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=flags())
        page = browser.new_page()
        page.goto(studio.address)
        page.goto(
            f"{studio.client.address}playground?lora={quote(lora['file'], safe='')}:1&prompt=zorvex, standing, meadow background&seed=7"
        )
        page.get_by_role("button", name="Generate").click()
        expect(page.locator("main button:has(img)")).to_have_count(2, timeout=GENERATED)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
