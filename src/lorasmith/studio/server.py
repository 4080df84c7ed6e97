"""The server: a free port on the loopback, the application behind it, until it is told to stop."""

from __future__ import annotations

import gc
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import uvicorn

from lorasmith.errors import InputError
from lorasmith.studio.access import Access, token_of
from lorasmith.studio.app import make_app
from lorasmith.studio.login import Login

PORT = 8611
HOST = "127.0.0.1"

SHORTEST_PASSWORD = 8
"""Characters."""

SWITCH = 0.001
"""Seconds for which a thread that computes keeps the others waiting; with Python's own 0.005 every answer beside it is late by several times that."""

LAST_WORDS = 2
"""Seconds that running calls get when the server is told to stop; streams of events never end by themselves."""


def serve(
    workspace: str | Path, host: str = HOST, port: int | None = None, allowed_hosts: tuple[str, ...] = (), with_token: bool = True,
    password: str | None = None, ready: Callable[[str], None] = lambda address: None,
) -> None:  # fmt: skip
    """Serve a workspace until the process is told to stop. `ready` is called with the address to open, token included.

    Without a `port` it is 8611, or any that is free where that one is taken. With a `password` browsers may log in with that, too.

    Raises:
        InputError: the workspace is not a folder, the password is short, or the host and port cannot be listened to.
    """
    root = Path(workspace).absolute()
    if not root.is_dir():
        raise InputError(
            f"{workspace} is not a folder: give the folder of your projects and runs with --workspace.", code="studio.workspace"
        )
    if password is not None and len(password) < SHORTEST_PASSWORD:
        raise InputError(f"A password has at least {SHORTEST_PASSWORD} characters. Choose a longer one.", code="studio.password")
    with listening(host, port) as listener:
        taken = listener.getsockname()[1]
        token = token_of(root) if with_token else None
        own = () if host in ("0.0.0.0", "::") else (f"[{host}]" if ":" in host else host,)
        login = None if password is None else Login(password)
        app = make_app(root, Access(token, taken, (*own, *allowed_hosts)), login=login)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=LAST_WORDS, lifespan="off"
        )
        sys.setswitchinterval(SWITCH)
        gc.freeze()  # what was imported stays, and no search for garbage need look at it
        ready(f"http://{own[0] if own else HOST}:{taken}/" + (f"?token={token}" if token else ""))
        uvicorn.Server(config).run(sockets=[listener])


def listening(host: str, port: int | None) -> socket.socket:
    """A socket on that port, or on 8611 or any that is free. Raises InputError where that cannot be (`studio.address`)."""
    try:
        family = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][0]
        if port is not None:
            return _of_tcp(socket.create_server((host, port), family=family))
        try:
            return _of_tcp(socket.create_server((host, PORT), family=family))
        except OSError:
            return _of_tcp(socket.create_server((host, 0), family=family))
    except OSError as error:
        where = f"{host}:{PORT if port is None else port}"
        raise InputError(
            f"The studio cannot listen on {where} ({error.strerror or error}). Give another --port or --host.",
            code="studio.address",
            host=host,
        ) from error


def _of_tcp(listener: socket.socket) -> socket.socket:
    """The same socket, which says that it is of TCP: asyncio sends on such ones at once, and would hold the end of each answer back for 40 ms on others."""
    return socket.socket(listener.family, listener.type, socket.IPPROTO_TCP, fileno=listener.detach())
