"""Starting the supervisor of a workspace, for whoever adds a job; what that process does is in `supervisor`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lorasmith.jobs.lock import is_held
from lorasmith.jobs.workspace import Workspace
from lorasmith.processes import APART

PYTHON = (sys.executable, "-P")
"""Without the current folder on the path: what is in a workspace is data, whatever it is called."""


def start_supervisor(workspace: str | Path) -> subprocess.Popen[bytes] | None:
    """See to it that a supervisor works through the queue: start one that outlives this process, unless one is there (then None).

    To be called after a job was added. A supervisor lets its lock go before it looks at the queue for the last time, so that either it
    sees the job or its lock is found free here.
    """
    place = Workspace.at(workspace)
    if is_held(place.supervisor_lock):
        return None
    place.state.mkdir(parents=True, exist_ok=True)
    with place.supervisor_log.open("ab") as output:
        return subprocess.Popen(
            [*PYTHON, "-m", "lorasmith", "jobs", "work", "--workspace", str(place.root)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, **APART,
        )  # fmt: skip
