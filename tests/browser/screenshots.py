"""Pictures of every screen and state for the documentation, to be looked at: light and dark, at the widths of a desk and of a tablet, and in Japanese.

    python -m tests.browser.screenshots WORKSPACE docs/images/studio [NAME ...]

The workspace is that of photographed.py. Some screens show where the workspace and the package are. So both have to be where a user has them, such
as /home/alex/lora and /home/alex/.venv (a copy of the package, and PYTHONPATH, are enough): a picture that shows where this repository is, is not
taken.
"""

from __future__ import annotations

import io
import os
import re
import secrets
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from lorasmith.cli.studio import PASSWORD
from lorasmith.library.keep import LORAS
from tests.browser.chromium import chromium, flags
from tests.running_studio import RunningStudio, running_studio

Then = Callable[[Page], None]

ROOT = Path(__file__).parents[2]
SIZES = {1280: 860, 820: 1100}
"""Width -> height, in pixels."""
SETTLED = 1500
"""Milliseconds in which a screen begins to fetch, and in which pictures arrive when all that is fetched is there."""
PATIENCE = 60_000
"""Milliseconds in which that and the estimate of a plan arrive."""
VIEWS = {
    "light-1280": ("en-GB", "light", 1280), "dark-1280": ("en-GB", "dark", 1280), "light-820": ("en-GB", "light", 820), "ja": ("ja-JP", "light", 1280),
}  # fmt: skip
"""Ending of a picture's name -> language, scheme, width. A state other than a screen's usual one has the first alone."""


@dataclass(frozen=True)
class Screen:
    """What is photographed: an address, what is done there, and what is done before it is opened."""

    address: str
    then: Then | None = None
    before: Then | None = None
    stranger: bool = False
    """By a browser that is not let in yet."""


def press(key: str) -> Then:
    """A key."""
    return lambda page: page.keyboard.press(key)


def click(name: str, role: str = "button") -> Then:
    """A click on what is called so."""
    return lambda page: page.get_by_role(role, name=re.compile(name)).first.click()  # type: ignore[arg-type]


def see(words: str) -> Then:
    """What comes a moment after the rest."""
    return lambda page: expect(page.get_by_text(re.compile(words)).first).to_be_visible(timeout=PATIENCE)


def both(first: Then, second: Then) -> Then:
    """One after the other."""

    def done(page: Page) -> None:
        first(page)
        second(page)

    return done


def pick(count: int, *then: Then) -> Then:
    """So many things of the gallery, and what comes after."""

    def picked(page: Page) -> None:
        tiles = page.get_by_role("gridcell")
        expect(tiles.nth(count - 1)).to_be_visible()
        for at in range(count):
            box = tiles.nth(at).bounding_box()
            assert box is not None
            page.keyboard.down("Control")
            page.mouse.click(box["x"] + 40, box["y"] + 60)
            page.keyboard.up("Control")
        for step in then:
            step(page)

    return picked


def refused(*parts: str) -> Then:
    """The studio answers these with an error, as where a disk fails."""

    def answer(route: Route) -> None:
        route.fulfill(status=500, content_type="application/problem+json", body=PROBLEM)

    return lambda page: [page.route(f"**/api/**/{part}*", answer) for part in parts] and None


PROBLEM = '{"type": "/problems/studio", "title": "Error", "status": 500, "detail": "The folder cannot be read: the disk does not answer.", "code": "studio.disk"}'


def with_failed_download(page: Page) -> None:
    """As where a model could not be had."""

    def answer(route: Route) -> None:
        jobs = route.fetch().json()
        source = {"kind": "base", "source": "stabilityai/stable-diffusion-3.5-medium"}
        sentence = f"{source['source']} asks its users to accept terms first; accept them on its page, and set HF_TOKEN to a token of that account."
        route.fulfill(
            json=[*jobs, {**jobs[0], "id": 999, "kind": "download", "arguments": source, "state": "failed", "sentence": sentence}]
        )

    page.route("**/api/jobs", answer)


def held(part: str) -> Then:
    """The studio does not answer this yet."""
    return lambda page: page.route(f"**/api/**/{part}*", lambda route: None)


USUAL = {
    "home": Screen(""), "new": Screen("?dialog=new"), "images": Screen("projects/demo/images", see("Score|スコア")), "picture": Screen("projects/demo/images/0001.png"),
    "captions": Screen("projects/demo/captions", see("75")), "label": Screen("projects/demo/captions?dialog=label"),
    "train": Screen("projects/demo/train?level=simple", see("≈|約")), "train-all": Screen("projects/demo/train?level=expert", see("≈|約")),
    "runs": Screen("runs"), "compare": Screen("runs?compare=demo~demo,demo~demo-short"),
    "run": Screen("runs/demo~demo"), "samples": Screen("runs/demo~demo?part=samples"), "viewer": Screen("runs/demo~demo?part=samples&sample=2,0"),
    "log": Screen("runs/demo~demo?part=log"), "run-settings": Screen("runs/demo~demo?part=settings"), "proof": Screen("runs/demo~demo/proof"),
    "library": Screen("library"), "lora": Screen("library/{lora}"),
    "playground": Screen("playground?lora={file}:1&prompt=zorvex", lambda page: page.locator("main button:has(img)").first.click()),
    "grid": Screen("playground?view=grid&lora={file}:1&prompt=zorvex, happy&seed=7"), "settings": Screen("settings"), "bases": Screen("settings/bases"),
    "sweep": Screen("sweeps/demo~demo-rates"), "vary": Screen("projects/demo/train?level=sweep"), "login": Screen("", stranger=True),
}  # fmt: skip
"""Each screen in its usual state."""

STATES = {
    "home-menu": Screen("", click("^More for")), "palette": Screen("", press("Control+k")), "keys": Screen("", press("?")),
    "jobs": Screen("runs", click("^Jobs$|^One job|jobs are running")),
    "images-findings": Screen("projects/holiday/images", see("Score")), "images-selected": Screen("projects/holiday/images", pick(3)),
    "images-inspected": Screen("projects/holiday/images", pick(1)), "images-empty": Screen("projects/empty/images"),
    "images-none-found": Screen("projects/demo/images?q=tag:nothing"), "images-bad-filter": Screen("projects/demo/images?q=tag:"),
    "images-expert": Screen("projects/demo/images", both(see("Score"), lambda page: page.get_by_text("Expert", exact=True).click())),
    "grid-bases": Screen("playground?view=grid", click("^Base$", "combobox")),
    "images-loading": Screen("projects/demo/images", before=held("audit")),
    "images-part-failed": Screen("projects/demo/images", before=refused("audit", "duplicates")),
    "duplicates": Screen("projects/holiday/images?view=duplicates"), "duplicates-none": Screen("projects/demo/images?view=duplicates"),
    "picture-findings": Screen("projects/holiday/images/with_bars.jpg"), "picture-gone": Screen("projects/demo/images/none.png"),
    **{tool: Screen(f"projects/demo/images/0001.png?tool={tool}") for tool in ("crop", "erase", "split")},
    "captions-untagged": Screen("projects/holiday/captions"), "captions-many": Screen("projects/chalk_drawings/captions"),
    "captions-empty": Screen("projects/empty/captions"), "captions-none-found": Screen("projects/demo/captions?q=tag:nothing"),
    "captions-failed": Screen("projects/demo/captions", before=refused("pictures")),
    "edit": Screen("projects/demo/captions?dialog=edit"), "advice": Screen("projects/holiday/captions?dialog=advice"),
    "history": Screen("projects/chalk_drawings/captions?dialog=history"), "encodings": Screen("projects/holiday/captions?dialog=encodings"),
    "train-search": Screen("projects/demo/train?level=expert&search=learning+rate"), "train-findings": Screen("projects/holiday/train?level=simple", see("More about it")),
    "train-none-found": Screen("projects/demo/train?level=expert&search=nothing+has+it", see("No setting has")), "train-empty": Screen("projects/empty/train"),
    "vary-rates": Screen("projects/demo/train?level=sweep", both(click("^Rates and ranks"), see("trials"))),
    "import": Screen("projects/demo/train?dialog=import"), "export": Screen("projects/demo/train?dialog=export"),
    "runs-loading": Screen("runs", before=held("runs")), "runs-failed": Screen("runs", before=refused("runs")),
    "run-gone": Screen("runs/demo~none"), "unproven": Screen("runs/demo~demo-short/proof"), "proof-none": Screen("projects/empty/proof"),
    "library-selected": Screen("library", pick(2)), "library-folders": Screen("library?dialog=folders"),
    "library-none-found": Screen("library?q=nothing+has+it"), "lora-gone": Screen("library/none"),
    **{f"lora-{words.lower()}": Screen("library", pick(1, click(f"^{words}$"))) for words in ("Resize", "Convert", "Publish", "Install")},
    "lora-compare": Screen("library", pick(2, click("^Compare$"), see("How alike"))), "lora-merge": Screen("library", pick(2, click("^Merge$"))),
    "extract": Screen("library", both(click("^Extract"), see("Output"))), "lora-edit": Screen("library/{lora}?edit=ss_output_name"),
    **{name: Screen(f"settings/{name}") for name in ("folders", "taggers", "vocabularies", "upscalers")},
    "bases-failed": Screen("settings/bases", before=with_failed_download), "gone": Screen("nowhere"), "project-gone": Screen("projects/none/images"),
}  # fmt: skip
"""Other states, and what opens over a screen."""


def main(workspace: str, out: str, *names: str) -> None:
    """Take all of them, or those of these names."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["LORASMITH_LIBRARY"] = tempfile.mkdtemp()  # a catalogue of its own, and not the user's
    os.environ[PASSWORD] = secrets.token_urlsafe()
    with running_studio(Path(workspace), options=["--password"]) as studio, sync_playwright() as playwright:
        studio.client.put("library/folders", {"folders": [str(Path(workspace).absolute())]})
        studio.client.post("library:refresh")
        browser = playwright.chromium.launch(executable_path=chromium(), args=flags())
        for ending in VIEWS:
            screens = USUAL if ending != "light-1280" else {**USUAL, **STATES}
            _take_all(
                browser,
                studio,
                {name: screens[name] for name in screens if not names or name in names},
                ending,
                folder,
            )
        browser.close()


def _take_all(
    browser: Browser,
    studio: RunningStudio,
    screens: dict[str, Screen],
    ending: str,
    folder: Path,
) -> None:
    language, scheme, width = VIEWS[ending]
    lora = next(item for item in studio.client.get("library")["items"] if LORAS in Path(item["file"]).parts)  # the one that was kept
    for name, screen in screens.items():
        with browser.new_context(
            locale=language, color_scheme=scheme, viewport={"width": width, "height": SIZES[width]}, reduced_motion="reduce"  # type: ignore[arg-type]
        ) as context:  # fmt: skip
            page = context.new_page()
            if not screen.stranger:
                page.goto(studio.address)
            if screen.before:
                screen.before(page)
            page.goto(studio.client.address + screen.address.format(lora=lora["id"], file=quote(lora["file"], safe="")))
            _settle(page, whole=screen.before is None)
            if screen.then:
                screen.then(page)
                _settle(page, whole=screen.before is None)
            _take(page, folder / f"{name}-{ending}.webp")


def _settle(page: Page, whole: bool) -> None:
    """Wait until all is there, unless the screen waits for something that never comes."""
    page.wait_for_timeout(SETTLED)
    if whole:
        expect(page.locator("main .mantine-Skeleton-root")).to_have_count(0, timeout=PATIENCE)
        expect(page.locator("main [aria-busy=true]")).to_have_count(0, timeout=PATIENCE)
        expect(page.get_by_text(re.compile("estimating…|見積もり中|looking at [0-9]+ more|を確認中"))).to_have_count(0, timeout=PATIENCE)
        page.wait_for_timeout(SETTLED)
        page.wait_for_function(PICTURES_ARE_THERE, timeout=PATIENCE)


PICTURES_ARE_THERE = """() => [...document.images].every((one) => {
  const { top, left } = one.getBoundingClientRect();
  return one.complete || top > innerHeight || left > innerWidth;
})"""
"""Those that are seen."""


def _take(page: Page, file: Path) -> None:
    for shown in _words(page):
        if str(ROOT) in shown or tempfile.gettempdir() + os.sep in shown:
            raise SystemExit(f"{file.name} would show a folder of this machine: {shown}. Put package and workspace where a user has them.")
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").save(file, "WEBP", quality=82, method=6)


def _words(page: Page) -> Sequence[str]:
    """What can be read on the page, line by line, with what is in its fields."""
    fields = page.locator("input, textarea").evaluate_all("fields => fields.map(field => field.value)")
    return [*page.locator("body").inner_text().splitlines(), *fields]


if __name__ == "__main__":
    main(*sys.argv[1:])
