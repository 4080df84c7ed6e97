"""The studio's server under load: five browsers that watch two runs and scroll 10,000 pictures. Prints times of calls, CPU and memory.

python benchmarks/studio.py [pictures] [new|imported|audited]

`new` are pictures that nobody has looked at; `imported` ones have thumbnails, as an import makes them; `audited` ones were measured, too.
A bare application that answers `ok` is called the same way first, so that what calls and the machine cost can be told from what the studio does.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from PIL import Image

from lorasmith.curation.audit.dataset import audit_dataset
from lorasmith.dataset_folder import pictures_below
from lorasmith.images.picture_cache import PictureCache
from lorasmith.images.thumbnails import Thumbnails, make_thumbnails
from lorasmith.jobs.workspace import Workspace
from lorasmith.projects.project import Project
from lorasmith.projects.projects import Projects
from lorasmith.training import events
from lorasmith.training.records.event_log import EventLog
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.settings.tree import settings_from

BROWSERS, SECONDS, EVENTS_A_SECOND = 5, 20, 10
WATCHED = ("first", "second")

BARE = """
import socket, uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
async def ok(request): return PlainTextResponse("ok")
listener = socket.create_server(("127.0.0.1", 0))
listener = socket.socket(listener.family, listener.type, socket.IPPROTO_TCP, fileno=listener.detach())
print(f"http://127.0.0.1:{listener.getsockname()[1]}/?token=none", flush=True)
app = Starlette(routes=[Route("/ok", ok)])
uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")).run(sockets=[listener])
"""


def noise(number: int) -> bytes:
    """A picture that costs little to make, as a file."""
    written = io.BytesIO()
    Image.frombytes("RGB", (32, 32), random.Random(number).randbytes(3072)).save(written, "JPEG", quality=60)
    return written.getvalue()


def make_project(folder: Path, pictures: int, state: str) -> None:
    """A project with that many captioned pictures."""
    draw = random.Random(0)
    dataset = Projects(folder).make(Project(name="Big")).dataset
    for number in range(pictures):
        (dataset / f"{number:05d}.jpg").write_bytes(noise(number))
        (dataset / f"{number:05d}.txt").write_text(f"big, tag {draw.randrange(300)}, tag {draw.randrange(300)}", encoding="utf-8")
    cache = folder / "cache" / "pictures"
    if state != "new":
        with PictureCache(cache) as known:
            make_thumbnails(
                pictures_below(dataset), Thumbnails(Workspace(folder).thumbnails), known, os.cpu_count() or 1, lambda done, of: None
            )
    if state == "audited":
        audit_dataset(dataset, kind="character", cache=cache)


def make_runs(folder: Path) -> list[RunFolder]:
    """Two runs that have not begun."""
    runs = [RunFolder(folder / "runs" / name) for name in WATCHED]
    for run in runs:
        run.create(settings_from({"base": {"path": "base"}, "datasets": [{"path": "pictures"}]}))
    return runs


class Server:
    """A server in a process, and what it takes."""

    def __init__(self, *command: str):
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self.began = time.monotonic()
        self._popen = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True, env=environment)
        assert self._popen.stdout is not None
        address, self.token = self._popen.stdout.readline().split()[-1].split("?token=")
        self.host = urlsplit(address).netloc
        self._process = psutil.Process(self._popen.pid)

    @property
    def cpu(self) -> float:
        """Seconds so far."""
        return sum(self._process.cpu_times()[:2])

    @property
    def memory(self) -> str:
        return f"{self._process.memory_info().rss / 1e6:.0f} MB"

    def end(self) -> None:
        self._popen.terminate()
        self._popen.wait()


@contextmanager
def serving(*command: str) -> Iterator[Server]:
    server = Server(*command)
    try:
        yield server
    finally:
        server.end()


class Connection:
    """One connection of a browser, which stays open."""

    def __init__(self, server: Server):
        self._headers = {"Authorization": f"Bearer {server.token}"}
        self._http = http.client.HTTPConnection(server.host)

    def open(self, path: str) -> http.client.HTTPResponse:
        self._http.request("GET", path, headers=self._headers)
        answer = self._http.getresponse()
        assert answer.status == 200, (path, answer.status)
        return answer

    def get(self, path: str, into: list[float] | None = None) -> bytes:
        """What is answered; the seconds that it took go into a list."""
        began = time.monotonic()
        found = self.open(path).read()
        if into is not None:
            into.append(time.monotonic() - began)
        return found


class Browser(threading.Thread):
    """Listens to the events, and scrolls: each second a page of 200 pictures somewhere, with the 24 thumbnails in view, and the list of runs."""

    def __init__(self, server: Server, until: float):
        super().__init__()
        self.server, self.until = server, until
        self.calls: list[float] = []
        self.thumbnails: list[float] = []
        self.steps = 0

    def run(self) -> None:
        threading.Thread(target=self.listen, daemon=True).start()
        draw, connection = random.Random(id(self)), Connection(self.server)
        total = len(json.loads(connection.get("/api/projects/big/pictures", self.calls))["ids"])
        while time.monotonic() < self.until:
            place = draw.randrange(max(1, total - 200))
            page = json.loads(connection.get(f"/api/projects/big/pictures/page?start={place}&count=200", self.calls))
            for item in page["items"][:24]:
                connection.get(item["thumbnail"], self.thumbnails)
            connection.get("/api/runs", self.calls)
            time.sleep(1)

    def listen(self) -> None:
        watched = "&".join(f"watch=run:{name}@0" for name in WATCHED)
        for line in Connection(self.server).open(f"/api/events?{watched}&watch=dataset:big"):
            if line.startswith(b"data: "):
                self.steps += len(json.loads(line[6:]).get("events", ()))


def cost(server: Server, path: str, times: int) -> str:
    """What a call takes the server, and how long it is waited for."""
    connection, waited = Connection(server), list[float]()
    cpu = server.cpu
    for _ in range(times):
        connection.get(path, waited)
    return f"{1000 * (server.cpu - cpu) / times:.1f} ms of CPU, {1000 * sorted(waited)[times // 2]:.1f} ms"


def percentiles(times: list[float]) -> str:
    ordered = sorted(times)
    return f"{len(ordered)}, median {1000 * ordered[len(ordered) // 2]:.1f} ms, p95 {1000 * ordered[int(len(ordered) * 0.95)]:.1f} ms"


def load(server: Server, runs: list[RunFolder]) -> None:
    """Five browsers, while the runs go on."""
    began, cpu = time.monotonic(), server.cpu
    browsers = [Browser(server, began + SECONDS) for _ in range(BROWSERS)]
    for browser in browsers:
        browser.start()
    logs: list[Callable[[events.Event], None]] = [EventLog(run.events) for run in runs]
    steps = 0
    while any(browser.is_alive() for browser in browsers):
        steps += 1
        for log in logs:
            log(events.StepDone(steps, 1, 0.5, {"unet": 1e-4}, 0.1, loss_smoothed=0.5))
        time.sleep(1 / EVENTS_A_SECOND)
    time.sleep(1)
    share = (server.cpu - cpu) / (time.monotonic() - began)
    print("calls:", percentiles([each for browser in browsers for each in browser.calls]))
    print("thumbnails:", percentiles([each for browser in browsers for each in browser.thumbnails]))
    print(f"events: {2 * steps} written, {[browser.steps for browser in browsers]} arrived")
    print(f"server: {share:.1%} of a core, {server.memory}")


def main() -> None:
    """Print the figures."""
    pictures = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    state = sys.argv[2] if len(sys.argv) > 2 else "imported"
    with serving("-c", BARE) as bare:
        print("bare application:", cost(bare, "/ok", 500))
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        make_project(Path(folder), pictures, state)
        runs = make_runs(Path(folder))
        print(f"{pictures} pictures, {state}: {time.process_time() - began:.0f} s of CPU to make them")
        studio = ("-m", "lorasmith", "studio", "--workspace", folder, "--port", "0", "--no-browser")
        Server(*studio).end()  # Python compiles the modules, as an installation does
        with serving(*studio) as server:
            Connection(server).get("/api/system")
            print(f"start to first answer: {time.monotonic() - server.began:.2f} s, {server.cpu:.2f} s of CPU, {server.memory}")
            for path in (
                "pictures",
                "pictures",
                "pictures?q=tag:big",
                "pictures/page",
                "pictures/page",
                "pictures/page?start=5000",
                "tags",
                "audit",
            ):
                print(f"{path}: {cost(server, f'/api/projects/big/{path}', 1)}")
            print(f"with {pictures} pictures open: {server.memory}")
            for path in ("projects/big/pictures/page", "runs", "preferences"):
                print(f"{path}, 50 times: {cost(server, f'/api/{path}', 50)}")
            load(server, runs)


if __name__ == "__main__":
    main()
