"""Hand a secret to a job's process without writing it anywhere: through a pipe with a name, which holds nothing.

    name = offer(folder, "token=...")     in the process that knows it, which goes on offering it while it lives
    take(folder, name)                    in the job's process, as often as it begins again

Windows has no such pipes; there a secret has to be in the environment.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from pathlib import Path

from lorasmith.errors import InputError

OFFERED_FOR = 24 * 3600.0
"""Seconds."""
PATIENCE = 5.0
"""How long a job waits for its secret to be offered, in seconds."""
LOOK_EVERY = 0.1
"""Seconds between two looks whether somebody takes it."""


def offer(folder: Path, secret: str) -> str:
    """Offer a secret under a name, until it was discarded or this process ends.

    Raises:
        InputError: this system has no pipes with names (`download.secret`).
    """
    if not hasattr(os, "mkfifo"):
        raise InputError(
            "A link with a token cannot be queued on this system. Set CIVITAI_TOKEN, and leave the token out.", code="download.secret"
        )
    folder.mkdir(parents=True, exist_ok=True)
    name = secrets.token_hex(8)
    os.mkfifo(folder / name, 0o600)
    threading.Thread(target=_keep_offering, args=(folder / name, secret.encode()), daemon=True).start()
    return name


def take(folder: Path, name: str) -> str:
    """The secret of this name.

    Raises:
        InputError: nobody offers it any more (`download.secret`).
    """
    gone = InputError(
        "The token of the link is not known any more, since it is never kept. Start the download again with it; what came is kept.", code="download.secret"
    )  # fmt: skip
    try:
        pipe = os.open(folder / name, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise gone from error
    try:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with contextlib.suppress(BlockingIOError):
                if said := os.read(pipe, 65536):
                    return said.decode()
            time.sleep(LOOK_EVERY / 2)
    finally:
        os.close(pipe)
    raise gone


def discard(folder: Path, name: str) -> None:
    """Offer the secret no longer."""
    (folder / name).unlink(missing_ok=True)


def _keep_offering(place: Path, secret: bytes) -> None:
    until = time.monotonic() + OFFERED_FOR
    while place.exists() and time.monotonic() < until:
        with contextlib.suppress(OSError):  # nobody reads, or not any more
            pipe = os.open(place, os.O_WRONLY | os.O_NONBLOCK)
            try:
                os.write(pipe, secret)
            finally:
                os.close(pipe)
        time.sleep(LOOK_EVERY)
    place.unlink(missing_ok=True)
