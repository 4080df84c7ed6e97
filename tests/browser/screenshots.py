"""Pictures of every screen for the documentation, to be looked at: light and dark, at the widths of a desk and of a tablet, and in Japanese.

    python -m tests.browser.screenshots WORKSPACE docs/images/studio

The workspace has a project `demo` with pictures, captions, and a run `first` that is proven.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.browser.chromium import chromium, flags
from tests.running_studio import running_studio

SCREENS = {
    "home": "", "new": "?dialog=new", "images": "projects/demo/images", "picture": "projects/demo/images/0001.png", "captions": "projects/demo/captions",
    "label": "projects/demo/captions?dialog=label", "train": "projects/demo/train?level=simple", "train-all": "projects/demo/train?level=expert",
    "runs": "runs", "run": "runs/demo~first", "samples": "runs/demo~first?part=samples", "viewer": "runs/demo~first?part=samples&sample=2,0",
    "proof": "runs/demo~first/proof", "library": "library", "playground": "playground", "settings": "settings",
}  # fmt: skip
SIZES = {1280: 860, 820: 1100}
"""Width -> height, in pixels."""
SETTLED = 1500
"""Milliseconds in which pictures and the estimate of a plan arrive."""


def main(workspace: str, out: str) -> None:
    """Take all of them."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    with running_studio(Path(workspace)) as studio, sync_playwright() as playwright:
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
                            page.goto(studio.client.address + address)
                            ending = "ja" if language == "ja-JP" else f"{scheme}-{width}"
                            _take(page, folder / f"{name}-{ending}.webp")
        browser.close()


def _take(page: Page, file: Path) -> None:
    page.wait_for_timeout(SETTLED)
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").save(file, "WEBP", quality=82, method=4)


if __name__ == "__main__":
    main(*sys.argv[1:])
