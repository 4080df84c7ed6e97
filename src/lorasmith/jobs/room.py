"""Whether the disk has room for another job. On a full one each job of the queue would fail in turn; so they wait instead."""

from __future__ import annotations

import shutil

from lorasmith.jobs.workspace import Workspace
from lorasmith.pages.numbers import file_size

LEAST = 100_000_000
"""Bytes that must be free for a job to be started."""


def room_wanted(workspace: Workspace) -> str:
    """Why no job is started, in a sentence; "" where there is room."""
    free = shutil.disk_usage(workspace.root).free
    if free >= LEAST:
        return ""
    return f"The disk of {workspace.root} has {file_size(free)} free: jobs wait until there are {file_size(LEAST)}."
