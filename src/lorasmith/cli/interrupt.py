"""Ctrl-C, for every verb that takes long: the first one stops tidily, the second one ends at once.

    with stop_on_ctrl_c("Stopping after this picture.") as stopping:
        done = describe(folder, cancelled=stopping)      # calls stopping() between two pictures
        if stopping():
            raise typer.Exit(STOPPED)

SIGTERM, which a shutdown or a job queue sends, counts as Ctrl-C.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import typer

STOPPED = 130
"""The exit code of a verb that the user stopped."""


def _echo(message: str) -> None:
    typer.echo(message, err=True)


@contextmanager
def stop_on_ctrl_c(
    message: str = "Stopping after this picture.", say: Callable[[str], None] = _echo, stop: Callable[[], None] = lambda: None
) -> Iterator[Callable[[], bool]]:
    """Within the block the first Ctrl-C calls `stop` and says `message`; yields a function that says whether that has happened.

    The second one ends the program at once, with exit code 130.
    """
    stopping = False

    def interrupted(signum: int, frame: FrameType | None) -> None:
        nonlocal stopping
        if stopping:
            raise SystemExit(STOPPED)
        stopping = True
        stop()
        say(f"{message} Press Ctrl-C again to end at once.")

    before = {number: signal.signal(number, interrupted) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
