"""A process of a run over several machines, which Ray Train started: see `run_over_ray`."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lorasmith.errors import LorasmithError
from lorasmith.models.device import choose_device
from lorasmith.training.commands import Commands
from lorasmith.training.determinism import deterministic_kernels
from lorasmith.training.distributed.lost import LOST
from lorasmith.training.planning.check import check
from lorasmith.training.planning.machine_fit import check_packages
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.run import lead, run_worker

BEAT = 5.0
"""Seconds between two signs of life of process 0."""


def work(order: dict[str, Any]) -> None:
    """One process of the run, which Ray Train started; it starts it again wherever this raises."""
    import ray

    mailbox = order["mailbox"]
    try:
        _share(order)
    except LorasmithError as error:
        if error.code != LOST:
            ray.get(mailbox.end.remote(error))
        elif not ray.get(mailbox.is_over.remote()):
            raise


def _share(order: dict[str, Any]) -> None:
    """This process's share of the run. How the run ended is said before the others lose this process, so that they do not take it for dead."""
    import ray
    import ray.train

    from lorasmith.training.distributed import ray_nodes

    if Path(order["working_folder"]).is_dir():
        os.chdir(order["working_folder"])
    folder, mailbox = RunFolder(Path(order["folder"])), order["mailbox"]
    ray_nodes.check_shares(Path(order["mark"]), folder.root.absolute())
    settings = folder.read_settings()
    device = choose_device(settings.training.device)
    ray_nodes.check_device(device, order["on_gpus"])
    threads = int(order["threads"]) if order["threads"] else None
    with ray_nodes.joined_nodes(device, threads) as process_group:
        try:
            if not process_group.is_main:
                run_worker(folder.root, process_group)
                return
            warnings = _changes(ray.get(mailbox.begin.remote()), process_group.count, settings.training.num_processes)
            with _beating(mailbox.alive.remote), deterministic_kernels(settings.training.deterministic, device):
                check_packages(settings)
                began = time.monotonic() - max(0.0, time.time() - order["started"])
                result = lead(check(settings), folder, [mailbox.send.remote], Commands(), process_group, began, warnings)
            ray.get(mailbox.end.remote(result))
        except LorasmithError as error:
            if error.code == LOST:
                raise
            ray.get(mailbox.end.remote(error))


def _changes(why: str, count: int, asked: int) -> list[str]:
    """What the user should know of how the run begins here."""
    if count < asked:
        room = f"The cluster has room for {count} of {asked} processes, so a step takes longer; the LoRA is the same."
    else:
        room = f"There are {count} of {asked} processes."
    if why:
        return [f"{why} The run goes on from its last saved state. {room}"]
    return [room] if count < asked else []


@contextmanager
def _beating(beat: Callable[[], Any]) -> Iterator[None]:
    """Within the block `beat` is called every few seconds, whatever else goes on."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(BEAT):
            beat()

    threading.Thread(target=go_on, daemon=True).start()
    try:
        yield
    finally:
        over.set()
