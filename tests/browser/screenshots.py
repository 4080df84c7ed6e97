"""Pictures of every screen for the documentation, to be looked at: light and dark, at the widths of a desk and of a tablet, and in Japanese.

    python -m tests.browser.screenshots WORKSPACE docs/images/studio

The workspace has a project `demo` with pictures, captions, and a run `first` that is proven.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.chromium import chromium, flags
from tests.running_studio import running_studio

SCREENS = {
    "home": "", "new": "?dialog=new", "images": "projects/demo/images", "picture": "projects/demo/images/0001.png", "captions": "projects/demo/captions",
    "label": "projects/demo/captions?dialog=label", "train": "projects/demo/train?level=simple", "train-all": "projects/demo/train?level=expert",
    "runs": "runs", "run": "runs/demo~first", "samples": "runs/demo~first?part=samples", "viewer": "runs/demo~first?part=samples&sample=2,0",
    "proof": "runs/demo~first/proof", "log": "runs/demo~first?part=log", "library": "library", "lora": "library/{lora}", "gone": "projects/none/images",
    "duplicates": "projects/demo/images?view=duplicates", "edit": "projects/demo/captions?dialog=edit", "advice": "projects/demo/captions?dialog=advice",
    "history": "projects/demo/captions?dialog=history", "import": "projects/demo/train?dialog=import", "export": "projects/demo/train?dialog=export",
    "bases": "settings/bases", "playground": "playground", "settings": "settings",
}  # fmt: skip
SIZES = {1280: 860, 820: 1100}
"""Width -> height, in pixels."""
SETTLED = 1500
"""Milliseconds in which a screen begins to fetch, and in which pictures arrive when all that is fetched is there."""
PATIENCE = 60_000
"""Milliseconds in which that and the estimate of a plan arrive."""
WORDS = Path(__file__).parents[2] / "studio-ui" / "src" / "words"


def main(workspace: str, out: str) -> None:
    """Take all of them."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["LORASMITH_LIBRARY"] = tempfile.mkdtemp()  # a catalogue of its own, and not the user's
    with running_studio(Path(workspace)) as studio, sync_playwright() as playwright:
        studio.client.put("library/folders", {"folders": [str(Path(workspace, "projects/demo/runs/first/checkpoints").absolute())]})
        studio.client.post("library:refresh")
        lora = studio.client.get("library")["items"][0]["id"]
        browser = playwright.chromium.launch(executable_path=chromium(), args=flags())
        for language in ("en-GB", "ja-JP"):
            for scheme in ("light", "dark"):
                for width, height in SIZES.items():
                    if language == "ja-JP" and (scheme, width) != ("light", 1280):
                        continue
                    with browser.new_context(
                        locale=language, color_scheme=scheme, viewport={"width": width, "height": height}, reduced_motion="reduce"  # type: ignore[arg-type]
                    ) as context:  # fmt: skip
                        page = context.new_page()
                        page.goto(studio.address)
                        for name, address in SCREENS.items():
                            page.goto(studio.client.address + address.format(lora=lora))
                            ending = "ja" if language == "ja-JP" else f"{scheme}-{width}"
                            _take(page, folder / f"{name}-{ending}.webp")
        browser.close()


def _take(page: Page, file: Path) -> None:
    page.wait_for_timeout(SETTLED)
    expect(page.locator("main .mantine-Skeleton-root")).to_have_count(0, timeout=PATIENCE)
    for language in ("en", "ja"):
        estimating = json.loads((WORDS / language / "train.json").read_text(encoding="utf-8"))["estimating"]
        expect(page.get_by_text(estimating)).to_have_count(0, timeout=PATIENCE)
    page.wait_for_timeout(SETTLED)
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").save(file, "WEBP", quality=82, method=4)


if __name__ == "__main__":
    main(*sys.argv[1:])
