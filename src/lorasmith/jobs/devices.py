"""What jobs run on: each accelerator of the machine takes one job at a time, and the CPU two beside them.

Devices are counted without torch, which the supervisor does not load: it asks NVIDIA's `nvidia-smi`. Where that finds none, the machine as
a whole is the one device, and torch finds in the job what is there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping

from lorasmith.jobs.job import Job

VISIBLE = "CUDA_VISIBLE_DEVICES"
MACHINE = "machine"
"""The one device of a machine without NVIDIA GPUs, or with one that nobody need be told of."""
CPU_JOBS = 2
"""How many jobs that need no accelerator run at once."""

_LISTED = re.compile(r"^\s*(?:GPU|MIG) .*\(UUID: ([\w-]+)\)", re.MULTILINE)


def accelerators(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The devices that take jobs, as `CUDA_VISIBLE_DEVICES` names them; `MACHINE` alone where there is no choice."""
    named = environment.get(VISIBLE)
    found = [name.strip() for name in named.split(",") if name.strip()] if named is not None else listed(_nvidia_smi())
    return found if len(found) > 1 else [MACHINE]


def listed(text: str) -> list[str]:
    """The devices in what `nvidia-smi -L` prints: the parts of a GPU that is divided (MIG), else the GPU."""
    found: list[str] = []
    for uuid in _LISTED.findall(text):
        if uuid.startswith("MIG") and found and found[-1].startswith("GPU"):
            found.pop()
        found.append(uuid)
    return found


def environment_for(job: Job, devices: int, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a job's process: it sees its own device alone, and takes its share of the CPU's threads."""
    share = _cores() // (CPU_JOBS if job.needs == "cpu" else devices)
    own = {"OMP_NUM_THREADS": str(max(1, share)), **environment, "PYTHONUNBUFFERED": "1"}
    if job.needs == "cpu":
        own[VISIBLE] = ""
    elif job.device != MACHINE:
        own[VISIBLE] = job.device
    return own


def _cores() -> int:
    """Those that this process may use; all of the machine's on macOS and Windows, which do not say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _nvidia_smi() -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    try:
        return subprocess.run([program, "-L"], capture_output=True, text=True, timeout=30, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
