"""Who may call the studio, decided from a request's headers alone.

- The host that the browser believes to speak to must be ours, or a page of another name could be pointed at our address (DNS rebinding).
- The caller must know the token: a browser by a cookie that the opened address sets, a script by `Authorization: Bearer`.
- A call that changes something must come from our own page, because a browser sends its cookies along with any other page's forms too.

The cookie is made from the token and not the token itself, so whoever sees one does not know the other. The token stays in the workspace
(`.lorasmith/studio.token`, readable by its owner alone): a page outlives a studio that is started again, and removing the file makes a new one.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from lorasmith.jobs.workspace import Workspace
from lorasmith.studio.problems import Problem, problem

TOKEN = "studio.token"
"""The file in a workspace's `.lorasmith` that keeps its token."""

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

OUR_HEADER = "x-lorasmith"
"""A form of another page cannot send it, and a script of another page may not without being asked for first, which we never allow."""

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
FROM_OUR_PAGE = ("same-origin", "none")
"""`Sec-Fetch-Site` of calls by our own page, and of addresses that the user typed."""


@dataclass(frozen=True)
class Access:
    """The token, None where everybody may call, and the names under which the studio is reached."""

    token: str | None
    port: int
    hosts: Collection[str] = ()
    """Names beside those of the loopback, such as `studio.lan` or `studio.lan:8080`; without a port they are good for every one."""

    @property
    def cookie_name(self) -> str:
        """One a port: browsers keep the cookies of all ports of a host together."""
        return f"lorasmith-{self.port}"

    @property
    def cookie(self) -> str:
        return hmac.new((self.token or "").encode(), b"cookie of the studio", hashlib.sha256).hexdigest()

    def knows_host(self, host: str) -> bool:
        """Whether a `Host` header names this studio."""
        name = host.lower()
        if name in {f"{each}:{self.port}" for each in LOOPBACK} or (self.port == 80 and name in LOOPBACK):
            return True
        without_port = name.rpartition(":")[0] if name.rpartition(":")[2].isdecimal() else name
        return any(each.lower() in (name, without_port) for each in self.hosts)

    def is_token(self, given: str) -> bool:
        return self.token is not None and hmac.compare_digest(given.encode(), self.token.encode())

    def opens(self, given: str) -> bool:
        """Whether an address with this `?token=` may be opened."""
        return self.token is None or self.is_token(given)

    def is_cookie(self, given: str) -> bool:
        return self.token is not None and hmac.compare_digest(given.encode(), self.cookie.encode())


def refusal(
    access: Access,
    method: str,
    headers: Mapping[str, str],
    cookies: Mapping[str, str],
    logged_in: Callable[[str], bool] = lambda cookie: False,
) -> Problem | None:
    """Why a request may not be answered; None where it may. Names of headers are in lower case. `logged_in` knows the cookies of sessions."""
    host = headers.get("host", "")
    if not access.knows_host(host):
        return problem(
            421, "studio.unknown_host",
            f"This studio is not called {host!r}. Open the address that `lorasmith studio` printed, or start it with --allow-host.", host=host,
        )  # fmt: skip
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    by_script = scheme.lower() == "bearer" and access.is_token(bearer.strip())
    cookie = cookies.get(access.cookie_name, "")
    if access.token is not None and not by_script and not access.is_cookie(cookie) and not logged_in(cookie):
        return problem(
            401, "studio.no_token",
            "The token is missing or wrong. Open the address that `lorasmith studio` printed; scripts send `Authorization: Bearer TOKEN`.",
        )  # fmt: skip
    if method in SAFE_METHODS or by_script or _from_our_page(headers):
        return None
    return problem(
        403, "studio.foreign_page",
        "A call that changes something must come from the studio's own page, with the header X-Lorasmith: 1; scripts send the token.",
    )  # fmt: skip


def _from_our_page(headers: Mapping[str, str]) -> bool:
    """Whether the browser says that our own page calls."""
    return headers.get(OUR_HEADER) == "1" and from_our_host(headers)


def from_our_host(headers: Mapping[str, str]) -> bool:
    """Whether the browser says that a page of this studio sends something; where it says two things, both must hold."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is None and origin is None:
        return False
    host = headers.get("host", "").lower()
    return site in (None, *FROM_OUR_PAGE) and origin in (None, f"http://{host}", f"https://{host}")


def token_of(workspace: Path) -> str:
    """The workspace's token, 32 random bytes in letters; made where there is none, or where its file is empty: that would let everybody in."""
    file = Workspace.at(workspace).state / TOKEN
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_suffix(".lock")):  # of two studios that start, one makes it
        return _kept(file) or _made(file)


def _kept(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def _made(file: Path) -> str:
    """A new token, in the file once it is whole: a full disk leaves none rather than an empty one."""
    token, aside = secrets.token_urlsafe(32), file.with_suffix(".new")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as opened:
        opened.write(token)
        opened.flush()
        os.fsync(opened.fileno())
    os.replace(aside, file)
    return token
