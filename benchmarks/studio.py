"""The studio's server under load: five browsers that watch a run and scroll 10,000 pictures. Prints times of calls, CPU and memory.

python benchmarks/studio.py [pictures]
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import psutil
from PIL import Image

from lorasmith.projects.project import Project
from lorasmith.projects.projects import Projects
from lorasmith.training import events
from lorasmith.training.records.event_log import EventLog
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.settings.tree import settings_from

BROWSERS, SECONDS, EVENTS_A_SECOND = 5, 20, 10


def make_workspace(folder: Path, pictures: int) -> RunFolder:
    """A project with that many captioned pictures, and a run."""
    draw = random.Random(0)
    dataset = Projects(folder).make(Project(name="Big")).dataset
    for number in range(pictures):
        Image.frombytes("RGB", (32, 32), draw.randbytes(3072)).save(dataset / f"{number:05d}.jpg", quality=60)
        (dataset / f"{number:05d}.txt").write_text(f"big, tag {draw.randrange(300)}, tag {draw.randrange(300)}", encoding="utf-8")
    run = RunFolder(folder / "runs" / "watched")
    run.create(settings_from({"base": {"path": "base"}, "datasets": [{"path": "pictures"}]}))
    return run


class Browser(threading.Thread):
    """Listens to the events, and scrolls: pages of 200 pictures with the thumbnails in view."""

    def __init__(self, address: str, token: str, until: float):
        super().__init__()
        self.address, self.headers, self.until = address, {"Authorization": f"Bearer {token}"}, until
        self.calls: list[float] = []
        self.thumbnails: list[float] = []
        self.steps = 0

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(urllib.request.Request(self.address + path, headers=self.headers)) as answer:
            found: bytes = answer.read()
            return found

    def run(self) -> None:
        threading.Thread(target=self.listen, daemon=True).start()
        draw = random.Random(id(self))
        total = len(json.loads(self.timed("api/projects/big/pictures", self.calls))["ids"])
        while time.monotonic() < self.until:
            page = json.loads(
                self.timed(f"api/projects/big/pictures/page?start={draw.randrange(max(1, total - 200))}&count=200", self.calls)
            )
            for item in page["items"][:24]:
                self.timed(item["thumbnail"].lstrip("/"), self.thumbnails)
            self.timed("api/runs", self.calls)
            time.sleep(1)

    def timed(self, path: str, into: list[float]) -> bytes:
        began = time.monotonic()
        found = self.get(path)
        into.append(time.monotonic() - began)
        return found

    def listen(self) -> None:
        request = urllib.request.Request(f"{self.address}api/events?watch=run:watched@0", headers=self.headers)
        with urllib.request.urlopen(request) as answer:
            for line in answer:
                if line.startswith(b"data: "):
                    self.steps += len(json.loads(line[6:]).get("events", ()))


def main() -> None:
    """Print the figures."""
    pictures = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        run = make_workspace(Path(folder), pictures)
        began = time.monotonic()
        command = [sys.executable, "-m", "lorasmith", "studio", "--workspace", folder, "--port", "0", "--no-browser"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        address, token = server.stdout.readline().split()[-1].split("?token=")
        process = psutil.Process(server.pid)
        first = Browser(address, token, 0.0)
        first.get("api/system")
        print(f"start to first answer: {time.monotonic() - began:.2f} s, {process.memory_info().rss / 1e6:.0f} MB")
        for path in ("pictures", "pictures", "pictures/page", "tags", "audit", "pictures/page"):
            began, cpu = time.monotonic(), sum(process.cpu_times()[:2])
            first.get(f"api/projects/big/{path}")
            print(f"{path}: {1000 * (time.monotonic() - began):.0f} ms, {1000 * (sum(process.cpu_times()[:2]) - cpu):.0f} ms of CPU")
        print(f"with {pictures} pictures open: {process.memory_info().rss / 1e6:.0f} MB")
        began, cpu = time.monotonic(), sum(process.cpu_times()[:2])
        browsers = [Browser(address, token, time.monotonic() + SECONDS) for _ in range(BROWSERS)]
        for browser in browsers:
            browser.start()
        log, steps = EventLog(run.events), 0
        while any(browser.is_alive() for browser in browsers):
            steps += 1
            log(events.StepDone(steps, 1, 0.5, {"unet": 1e-4}, 0.1, loss_smoothed=0.5))
            time.sleep(1 / EVENTS_A_SECOND)
        time.sleep(1)
        share = (sum(process.cpu_times()[:2]) - cpu) / (time.monotonic() - began)
        for name, times in (("calls", [t for b in browsers for t in b.calls]), ("thumbnails", [t for b in browsers for t in b.thumbnails])):
            ordered = sorted(times)
            print(
                f"{name}: {len(ordered)}, median {1000 * ordered[len(ordered) // 2]:.0f} ms, p95 {1000 * ordered[int(len(ordered) * 0.95)]:.0f} ms"
            )
        print(
            f"events: {steps} written, {[browser.steps for browser in browsers]} arrived; server {share:.0%} of a core, {process.memory_info().rss / 1e6:.0f} MB"
        )
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
