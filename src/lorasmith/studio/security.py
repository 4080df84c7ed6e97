"""The door that every request passes: who may call (`access`), how much may be sent, and the headers of every answer."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lorasmith.studio.access import Access, refusal
from lorasmith.studio.login import PATH, Login, answer_login, to_login
from lorasmith.studio.problems import Problem, answer, problem

HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
        "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
"""Of every answer that does not set them itself. There is none of CORS: no other origin reads anything."""

MOST_SENT = 32 * 2**20
"""Bytes of a call's body. Uploads, which are streamed to the disk, have limits of their own."""

UPLOADS = "/api/uploads/"
FOR_PROGRAMS = ("/api/", "/files/")
"""Paths whose answers programs read; the rest are pages."""

TOO_LARGE = problem(413, "call.too_large", f"The call sends more than {MOST_SENT // 2**20} MB. Send pictures and archives as uploads.")
WRONG_TOKEN = problem(401, "studio.no_token", "This token is not the studio's. Open the address that `lorasmith studio` printed last.")


class Door:
    """Middleware: refuses what may not be answered, and puts the headers on what is."""

    def __init__(self, app: ASGIApp, access: Access, login: Login | None = None):
        self.app, self.access, self.login = app, access, login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if self.login is not None and scope["path"] == PATH and self.access.knows_host(Headers(scope=scope).get("host", "")):
            await answer_login(self.access, self.login, scope, receive, send_with_headers)
            return
        allowed = self.app if scope["path"].startswith(UPLOADS) else self._with_small_body
        app: ASGIApp = self._refused(scope) or allowed
        await app(scope, receive, send_with_headers)

    async def _with_small_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, and go on where it is not too large."""
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":  # the client has gone
                return
            body += message.get("body", b"")
            if len(body) > MOST_SENT:
                await answer(TOO_LARGE)(scope, receive, send)
                return
            if not message.get("more_body", False):
                break
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def receive_whole() -> Message:
            return whole.pop() if whole else await receive()

        await self.app(scope, receive_whole, send)

    def _refused(self, scope: Scope) -> Response | None:
        """The answer of a request that goes no further: a refusal, or the cookie for an opened address."""
        headers, path = dict(Headers(scope=scope)), scope["path"]
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        token = dict(query).get("token")
        opening = token is not None and scope["method"] == "GET" and not path.startswith(FOR_PROGRAMS)
        if opening and self.access.knows_host(headers.get("host", "")):
            return self._opened(path, query) if self.access.opens(token or "") else _told(WRONG_TOKEN, path)
        logged_in = self.login.knows if self.login is not None else lambda cookie: False
        found = refusal(self.access, scope["method"], headers, cookie_parser(headers.get("cookie", "")), logged_in)
        if found is not None and found.status == 401 and self.login is not None and not path.startswith(FOR_PROGRAMS):
            return to_login(path, scope["query_string"].decode("latin-1"))
        return None if found is None else _told(found, path)

    def _opened(self, path: str, query: list[tuple[str, str]]) -> Response:
        """The same address without its token, which then stays out of the browser's history, and the cookie in its place."""
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        local = "/" + path.lstrip("/\\")  # `//evil.example` would name another host
        response = RedirectResponse(f"{local}?{rest}" if rest else local, 303)
        if self.access.token is not None:
            response.set_cookie(self.access.cookie_name, self.access.cookie, path="/", httponly=True, samesite="strict")
        return response


def _told(found: Problem, path: str) -> Response:
    """A refusal: a problem for programs, a sentence for people."""
    headers = {"www-authenticate": "Bearer"} if found.status == 401 else {}
    if path.startswith(FOR_PROGRAMS):
        return answer(found, headers)
    return PlainTextResponse(found.detail, found.status, headers)
