"""The studio's page in a browser, as its user feels it: a gallery of 10,000 photographs and the page of a run that goes on. Prints a table.

python benchmarks/page.py [pictures]

Beside each figure stands that of the spike from which the page's technology was chosen (docs/decisions/0050-the-studios-page.md): the same screens,
built the same way and as small as they could be, on two cores that others used. Chromium without a graphics card, a fresh profile.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from benchmarks.gallery import make_gallery
from benchmarks.studio import Server, make_runs, serving
from lorasmith.training import events
from lorasmith.training.records.event_log import EventLog
from lorasmith.training.records.run_folder import RunFolder
from tests.browser.chromium import chromium, flags

CLICKS, FILTERS = 60, 10
SCROLLED, NOTCH = 24_000, 200
"""Pixels that are scrolled, and by one notch of the wheel."""
SECONDS, EVENTS_A_SECOND = 20, 10

FIRST_PICTURE = (
    """() => [...document.querySelectorAll('[role=gridcell] img')].some((one) => one.complete && one.naturalWidth) && performance.now()"""
)
ALL_PICTURES = """() => { const box = document.querySelector('[role=grid]').getBoundingClientRect();
    const shown = [...document.querySelectorAll('[role=gridcell]')].filter((cell) => { const at = cell.getBoundingClientRect();
        return at.bottom > box.top && at.top < box.bottom; });
    return shown.length > 0 && shown.every((cell) => { const one = cell.querySelector('img'); return one && one.complete && one.naturalWidth; })
        && performance.now(); }"""
CURVE = """() => document.querySelector('main canvas') !== null && performance.now()"""
WATCH_CLICKS = """() => { window.marked = []; let pressed = 0;
    addEventListener('pointerdown', () => (pressed = performance.now()), {capture: true});
    new MutationObserver(() => { if (!pressed) return; const from = pressed; pressed = 0;
        requestAnimationFrame(() => window.marked.push(performance.now() - from)); }
    ).observe(document.querySelector('[role=grid]'), {subtree: true, attributeFilter: ['aria-selected']}); }"""
WATCH_FRAMES = """() => { window.frames_ = []; let last = performance.now();
    const next = (now) => { window.frames_.push(now - last); last = now; requestAnimationFrame(next); }; requestAnimationFrame(next); }"""
JUMP = (
    """() => { const grid = document.querySelector('[role=grid]'); grid.scrollTop = 0.7 * grid.scrollHeight; return performance.now(); }"""
)

SPIKE = {
    "first picture, cold, ms": "1,830 (711-2,100)", "the same after a reload, ms": "1,260", "CPU of the page until then, s": "1.2",
    "CPU of the server until then, s": "0.08", "click to marked, median, ms": "15", "click to marked, 95th percentile, ms": "84",
    "filter to the new count, median, ms": "101", "jump to 70 % until all pictures are there, ms": "1,080 (310-3,500)",
    "scrolling 24,000 px, worst frame, ms": "311", "the same, 95th percentile of frames, ms": "", "CPU of the server for that, s": "0.70",
    "elements of the page after that": "473", "memory of the page after that, MB": "6", "page of a run until its curve, ms": "1,010-2,100",
    "the same after a reload, ms ": "550-1,220", "steps a second that arrive, of 10": "9.8-10.0", "CPU of the page for that, % of a core": "19",
    "CPU of the server for that, % of a core": "0.5",
}  # fmt: skip
"""What the spike took, in the order of the table."""


class Window:
    """A page in a profile of its own, and what it takes."""

    def __init__(self, browser: Browser, server: Server):
        context = browser.new_context(viewport={"width": 1280, "height": 860})
        context.set_default_timeout(120_000)
        self.page: Page = context.new_page()
        self._devtools: CDPSession = context.new_cdp_session(self.page)
        self._devtools.send("Performance.enable")
        self.page.goto(f"http://{server.host}/?token={server.token}")
        self.page.goto("about:blank")

    def metric(self, name: str) -> float:
        """One of the browser's own measures of the page."""
        found = {one["name"]: one["value"] for one in self._devtools.send("Performance.getMetrics")["metrics"]}
        return float(found[name])

    def until(self, function: str) -> float:
        """Milliseconds since the page was asked for until a function of it is true; it says when."""
        return float(self.page.wait_for_function(function, polling="raf").json_value())


def gallery(browser: Browser, server: Server) -> dict[str, float]:
    """Figures of the gallery."""
    window = Window(browser, server)
    page, found = window.page, {}
    cpu = server.cpu
    page.goto(f"http://{server.host}/projects/big/images", wait_until="commit")
    found["first picture, cold, ms"] = window.until(FIRST_PICTURE)
    found["CPU of the page until then, s"] = window.metric("TaskDuration")
    found["CPU of the server until then, s"] = server.cpu - cpu
    window.until(ALL_PICTURES)
    page.reload(wait_until="commit")
    found["the same after a reload, ms"] = window.until(FIRST_PICTURE)
    window.until(ALL_PICTURES)

    page.evaluate(WATCH_CLICKS)
    tiles = page.get_by_role("gridcell")
    for number in range(CLICKS):
        tiles.nth(number % 8).click()
        page.wait_for_timeout(50)
    clicks = sorted(page.evaluate("() => window.marked"))
    found["click to marked, median, ms"] = statistics.median(clicks)
    found["click to marked, 95th percentile, ms"] = clicks[int(0.95 * len(clicks))]
    found["filter to the new count, median, ms"] = statistics.median(_filtered(page, number) for number in range(FILTERS))
    page.get_by_label("Filter", exact=True).fill("")
    page.get_by_label("Filter", exact=True).press("Enter")
    window.until(ALL_PICTURES)

    began = page.evaluate(JUMP)
    found["jump to 70 % until all pictures are there, ms"] = window.until(ALL_PICTURES) - began
    cpu = server.cpu
    page.get_by_role("grid").hover()
    page.evaluate(WATCH_FRAMES)
    for _ in range(SCROLLED // NOTCH):
        page.mouse.wheel(0, -NOTCH)
    frames = sorted(page.evaluate("() => window.frames_"))
    found["scrolling 24,000 px, worst frame, ms"] = frames[-1]
    found["the same, 95th percentile of frames, ms"] = frames[int(0.95 * len(frames))]
    found["CPU of the server for that, s"] = server.cpu - cpu
    found["elements of the page after that"] = page.evaluate("() => document.querySelectorAll('*').length")
    found["memory of the page after that, MB"] = window.metric("JSHeapUsedSize") / 1e6
    page.context.close()
    return found


def _filtered(page: Page, number: int) -> float:
    """Milliseconds from Enter in the filter to the count of what it shows."""
    field, grid = page.get_by_label("Filter", exact=True), page.get_by_role("grid")
    before = grid.get_attribute("aria-rowcount")
    field.fill(f'tag:"tag {number}"' if number % 2 == 0 else "")
    began = time.perf_counter()
    field.press("Enter")
    page.wait_for_function("(before) => document.querySelector('[role=grid]')?.ariaRowCount !== before", arg=before, polling="raf")
    return 1000 * (time.perf_counter() - began)


def run_page(browser: Browser, server: Server, run: RunFolder) -> dict[str, float]:
    """Figures of the page of a run that goes on."""
    window = Window(browser, server)
    page, log, found = window.page, EventLog(run.events), {}
    step = 0

    def write(count: int) -> None:
        nonlocal step
        for _ in range(count):
            step += 1
            log(events.StepDone(step, 1, 0.5, {"unet": 1e-4}, 0.1, loss_smoothed=0.5))

    log(events.Planned(100_000, 5, 4, 2, 1000))
    write(20_000)
    with run.in_use():
        page.goto(f"http://{server.host}/runs/{run.root.name}", wait_until="commit")
        found["page of a run until its curve, ms"] = window.until(CURVE)
        page.reload(wait_until="commit")
        found["the same after a reload, ms "] = window.until(CURVE)
        page.wait_for_timeout(2000)
        shown, cpu, task, began = _step(page), server.cpu, window.metric("TaskDuration"), time.monotonic()
        while time.monotonic() - began < SECONDS:
            write(1)
            page.wait_for_timeout(1000 / EVENTS_A_SECOND)
        took = time.monotonic() - began
        found["steps a second that arrive, of 10"] = (_step(page) - shown) / took
        found["CPU of the page for that, % of a core"] = 100 * (window.metric("TaskDuration") - task) / took
        found["CPU of the server for that, % of a core"] = 100 * (server.cpu - cpu) / took
    page.context.close()
    return found


def _step(page: Page) -> int:
    """The step that the page shows."""
    words = page.locator("dt", has_text="Step").locator("xpath=following-sibling::dd").first.inner_text()
    return int(words.split(" of ")[0].replace(",", ""))


def print_table(found: dict[str, float]) -> None:
    """One line a figure, as Markdown."""
    print("| | here | the spike |\n| --- | --- | --- |")
    for name, spike in SPIKE.items():
        print(f"| {name.strip()} | {found[name]:,.{0 if found[name] >= 20 else 2 if found[name] < 2 else 1}f} | {spike} |")


def main() -> None:
    """Measure, and print the table."""
    pictures = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    measures: list[Callable[[Browser, Server], dict[str, float]]] = [gallery]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        make_gallery(Path(folder), pictures)
        first, _ = make_runs(Path(folder))
        measures.append(lambda browser, server: run_page(browser, server, first))
        browser = playwright.chromium.launch(executable_path=chromium(), args=flags())
        with serving("-m", "lorasmith", "studio", "--workspace", folder, "--port", "0", "--no-browser") as server:
            found = {name: value for measure in measures for name, value in measure(browser, server).items()}
        browser.close()
    print_table(found)


if __name__ == "__main__":
    main()
