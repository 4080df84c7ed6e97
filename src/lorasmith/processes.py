"""Processes apart from this one: they do not end with its window or at its Ctrl-C, and are ended with all that they have started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import TypedDict


class Apart(TypedDict):
    start_new_session: bool
    creationflags: int


APART: Apart = {
    "start_new_session": True,  # means nothing to Windows, and the flags nothing elsewhere
    "creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0) | getattr(subprocess, "CREATE_NO_WINDOW", 0),
}
"""How `subprocess.Popen` starts such a process."""


def kill_with_children(process: int) -> None:
    """Kill a process that was started apart, and those that it has started; nothing where it is gone."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)
        return
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process)
        for one in [*parent.children(recursive=True), parent]:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
