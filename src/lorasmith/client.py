"""The studio's API from a script, without any package but Lorasmith.

    studio = Client("http://127.0.0.1:8611/?token=...")     # the address that `lorasmith studio` printed
    for project in studio.get("projects"): ...
    job = studio.post("jobs", {"kind": "train", "arguments": {"settings_file": "mimi.toml"}})
    studio.wait(job)

Paths are those of docs/api.json, without `/api/` in front; what is sent and answered is JSON as Python has it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qs, quote, urlencode, urlsplit
from urllib.request import Request, urlopen

from lorasmith.errors import LorasmithError

AT_REST = ("done", "failed", "cancelled", "stopped", "paused")
"""States in which nothing more happens to a job by itself."""

AS_IT_IS = "/%?&=+:;,@~!$'()*"
"""What a path and its query are sent with as they are; letters of other scripts, as projects may be called by, are encoded."""


class ApiError(LorasmithError):
    """The studio refused a call, or could not be reached; `code` and `values` are those of its answer."""

    default_code = "api"


class Client:
    """Calls a studio; `address` is what `lorasmith studio` printed, with the token in it or given by itself."""

    def __init__(self, address: str, token: str = ""):
        parts = urlsplit(address)
        self.address = f"{parts.scheme}://{parts.netloc}/"
        self._token = token or parse_qs(parts.query).get("token", [""])[0]

    def __repr__(self) -> str:
        return f"Client({self.address!r})"

    def get(self, path: str, **query: Any) -> Any:
        """What a resource is now. Raises ApiError."""
        return self._call("GET", path + (f"?{urlencode(query, doseq=True)}" if query else ""))

    def post(self, path: str, body: Any = None) -> Any:
        """Make something, or ask something of a resource. Raises ApiError."""
        return self._call("POST", path, body)

    def put(self, path: str, body: Any) -> Any:
        """Write a resource as a whole. Raises ApiError."""
        return self._call("PUT", path, body)

    def patch(self, path: str, body: Any) -> Any:
        """Change some of a resource. Raises ApiError."""
        return self._call("PATCH", path, body)

    def delete(self, path: str) -> Any:
        """Remove a resource. Raises ApiError."""
        return self._call("DELETE", path)

    def upload(self, project: str, files: Iterable[str | Path], **commit: Any) -> dict[str, Any]:
        """Send files and folders into a project's dataset, and give the job that imports them; `commit` is its concept and repeats."""
        id = self.post("uploads", {"project": project})["id"]
        for number, (file, name) in enumerate(_files(files)):
            headers = {"X-Name": quote(name), "Upload-Length": str(file.stat().st_size), "Content-Type": "application/octet-stream"}
            with file.open("rb") as content, self._answered("PUT", f"uploads/{id}/files/{number}", content, headers):
                pass
        job: dict[str, Any] = self.post(f"uploads/{id}/commit", commit)
        return job

    def wait(
        self, job: Mapping[str, Any], seen: Callable[[dict[str, Any]], None] = lambda job: None, every: float = 1.0
    ) -> dict[str, Any]:  # fmt: skip
        """Wait until a job has come to rest, and give it; `seen` is called with it now and then.

        Raises ApiError where it did not get done.
        """
        while (now := self.get(f"jobs/{job['id']}"))["state"] not in AT_REST:
            seen(now)
            time.sleep(every)
        seen(now)
        if now["state"] != "done":
            raise ApiError(f"Job {now['id']} ({now['kind']}) is {now['state']}. {now['sentence']}".strip(), code="api.job", job=now["id"])
        found: dict[str, Any] = now
        return found

    def events(self, *watch: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """(topic, data) of everything that happens from now on; goes on where it was when the connection breaks."""
        last = ""
        while True:
            with self._answered(
                "GET", f"events?{urlencode({'watch': watch}, doseq=True)}", None, {"Last-Event-ID": last} if last else {}
            ) as answer:
                fields: dict[str, str] = {}
                for line in answer:
                    name, _, value = line.decode().rstrip("\n").partition(": ")
                    fields[name] = value
                    if not name and "data" in fields:
                        last = fields["id"]
                        yield fields["event"], json.loads(fields["data"])
                        fields = {}
            time.sleep(1.0)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        sent = None if body is None else json.dumps(body).encode()
        with self._answered(method, path, sent, {} if sent is None else {"Content-Type": "application/json"}) as answer:
            text = answer.read()
            return json.loads(text) if text and "json" in answer.headers.get("content-type", "") else text.decode()

    @contextmanager
    def _answered(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Iterator[HTTPResponse]:
        place = quote(path, safe=AS_IT_IS)
        request = Request(f"{self.address}api/{place}", body, {"Authorization": f"Bearer {self._token}", **headers}, method=method)
        try:
            with urlopen(request) as answer:
                yield answer
        except HTTPError as error:
            raise _refusal(error) from None
        except URLError as error:
            raise ApiError(
                f"No studio answers at {self.address} ({error.reason}). Start it: lorasmith studio", code="api.unreachable"
            ) from None


def _refusal(error: HTTPError) -> ApiError:
    try:
        problem = json.loads(error.read())
        return ApiError(problem["detail"], code=problem["code"], **problem["values"])
    except (ValueError, KeyError, TypeError):
        return ApiError(f"The studio answered {error.code} ({error.reason}).", status=error.code)


def _files(given: Iterable[str | Path]) -> Iterator[tuple[Path, str]]:
    """Each file with the name that it comes in under: below its folder, where a folder was given."""
    for place in map(Path, given):
        if place.is_dir():
            yield from ((file, file.relative_to(place).as_posix()) for file in sorted(place.rglob("*")) if file.is_file())
        else:
            yield place, place.name
