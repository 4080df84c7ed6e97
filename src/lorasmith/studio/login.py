"""`/login`: a password in place of the token, for browsers on other machines. The page is a form without scripts.

Sessions are in memory: whoever starts the studio again logs in again. Between two tries is a second, for all who try together, so that
nobody gets far by guessing.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qs, quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from lorasmith.studio.access import Access, from_our_host

PATH = "/login"

BETWEEN_TRIES = 1.0
"""Seconds."""
MOST_WAITING = 10
"""Tries that wait for their turn; more are refused."""
MOST_SESSIONS = 1000
MOST_SENT = 4096
"""Bytes of the form."""

HEADERS = {"cache-control": "no-store", "referrer-policy": "same-origin"}
"""Under `no-referrer` browsers do not say where a form comes from."""


@dataclass(frozen=True)
class Words:
    """What the page says, in one language."""

    language: str
    title: str
    password: str
    log_in: str
    wrong: str
    too_many: str
    without_form: str
    from_elsewhere: str


ENGLISH = Words(
    "en", "Log in", "Password", "Log in", "This is not the password.", "Too many tries. Wait a little.", "Send the password with the form.",
    "The password must come from this page.",
)  # fmt: skip
JAPANESE = Words(
    "ja", "ログイン", "パスワード", "ログイン", "パスワードが違います。", "試行回数が多すぎます。少し待ってください。",
    "パスワードはフォームから送信してください。", "パスワードはこのページから送信してください。",
)  # fmt: skip

PAGE = """<!doctype html>
<html lang="{words.language}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{words.title} · Lorasmith</title>
<style>
:root {{ color-scheme: light dark; font: 14px/22px system-ui, sans-serif }}
body {{ display: grid; place-items: center; min-height: 90vh; margin: 0; color: light-dark(#171a21, #e8eaee); background: light-dark(#ffffff, #14161b) }}
form {{ display: grid; gap: 12px; width: min(320px, 90vw) }}
h1 {{ font-size: 20px; font-weight: 600; margin: 0 }}
label {{ display: grid; gap: 4px }}
input, button {{ font: inherit; min-height: 44px; border-radius: 4px; padding: 0 12px; border: 1px solid light-dark(#7b8494, #7a8394) }}
button {{ color: light-dark(#ffffff, #14161b); background: light-dark(#3a4fd0, #9aa8ff); border: 0; font-weight: 600; cursor: pointer }}
[role=alert] {{ color: light-dark(#b3261e, #ff8a80); margin: 0 }}
</style>
<form method="post" action="{action}">
<h1>Lorasmith</h1>
<label>{words.password} <input type="password" name="password" autocomplete="current-password" required autofocus></label>
{problem}
<button>{words.log_in}</button>
</form>
</html>
"""


class Login:
    """Who knows the password, and who is logged in."""

    def __init__(self, password: str):
        self._password = _digest(password)
        self._sessions: dict[str, None] = {}
        """Hashes of the sessions' cookies, the oldest first."""
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._last_try = 0.0

    def knows(self, cookie: str) -> bool:
        """Whether a cookie is that of a session."""
        return _digest(cookie).hex() in self._sessions

    def begin(self) -> str:
        """A new session's cookie."""
        cookie = secrets.token_urlsafe(32)
        self._sessions[_digest(cookie).hex()] = None
        while len(self._sessions) > MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        return cookie

    async def is_password(self, given: str) -> bool | None:
        """Whether a text is the password, a second after the last try at the earliest; None where too many wait for their turn."""
        if self._waiting >= MOST_WAITING:
            return None
        self._waiting += 1
        try:
            async with self._turn:
                await asyncio.sleep(max(0.0, self._last_try + BETWEEN_TRIES - time.monotonic()))
                self._last_try = time.monotonic()
                return hmac.compare_digest(_digest(given), self._password)
        finally:
            self._waiting -= 1


def to_login(path: str, query: str) -> Response:
    """The answer for who opens a page and is not logged in; the address comes along."""
    wanted = f"{path}?{query}" if query else path
    return RedirectResponse(f"{PATH}?to={quote(wanted, safe='')}", 303)


async def answer_login(access: Access, login: Login, scope: Scope, receive: Receive, send: Send) -> None:
    """The form, and what becomes of a password that was typed into it."""
    request = Request(scope, receive)
    to = _local(request.query_params.get("to", "/"))
    words = _words_for(request.headers.get("accept-language", ""))
    if request.method in ("GET", "HEAD"):
        response = _page(words, to)
    elif request.method != "POST":
        response = _page(words, to, words.without_form, 405)
    elif not from_our_host(request.headers):
        response = _page(words, to, words.from_elsewhere, 403)
    elif (given := await _typed(request)) is None:
        response = _page(words, to, words.without_form, 400)
    else:
        right = await login.is_password(given)
        response = _page(words, to, words.wrong, 401) if right is False else _page(words, to, words.too_many, 429)
        if right:
            response = RedirectResponse(to, 303)
            secure = scope.get("scheme") == "https"
            response.set_cookie(access.cookie_name, login.begin(), path="/", httponly=True, samesite="strict", secure=secure)
    await response(scope, receive, send)


async def _typed(request: Request) -> str | None:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_SENT:
            return None
    return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True).get("password", [None])[0]


def _words_for(accepted: str) -> Words:
    """Those of the language that a browser names first (`Accept-Language`), if it is one of ours."""
    return JAPANESE if accepted.lower().startswith("ja") else ENGLISH


def _page(words: Words, to: str, problem: str = "", status: int = 200) -> Response:
    said = f'<p role="alert">{escape(problem)}</p>' if problem else ""
    return HTMLResponse(PAGE.format(words=words, action=escape(f"{PATH}?to={quote(to, safe='')}"), problem=said), status, HEADERS)


def _local(path: str) -> str:
    """An address of this studio: `//evil.example` would name another host."""
    return "/" + path.lstrip("/\\") if path.isprintable() else "/"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
