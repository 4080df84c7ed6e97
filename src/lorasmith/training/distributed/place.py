"""The place of a run in a Ray cluster, which is given back where the run's driver dies.

Ray Train asks an actor of Ray, which outlives all runs, for the place of a run, and again every 20 seconds; each time it is the run's for 180
seconds (`AUTOSCALING_REQUESTS_EXPIRE_TIME_S` in `ray.train.v2`, Ray 2.60). A driver that ends in order takes that back. One that is killed
cannot, and another run, or the same one that is resumed, would wait for three minutes for nodes on which nothing runs. So another
actor, on the head, watches one of the driver's, and takes the request back for it. Where the head dies, the cluster has ended.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import ray

COORDINATOR = "AutoscalingCoordinator"
"""Name and namespace of Ray's actor."""
HEAD = "node:__internal_head__"
"""What only the head has."""
LOOK = 2.0
"""Seconds between two looks whether the driver lives."""
ONCE_MORE_AFTER = 10.0
"""Seconds after which the request is taken back again: what dies with the driver may have made it once more."""


@contextlib.contextmanager
def given_back(run_id: str, mailbox: Any) -> Iterator[None]:
    """Where the process dies within the block, and with it `mailbox`, the place of Ray Train's run is given back within seconds."""
    watch: Any = (
        ray.remote(num_cpus=0, resources={HEAD: 0.001})(PlaceWatch).options(name=f"place of {run_id}", lifetime="detached").remote()
    )
    watch.wait_for_end.remote(f"train-{run_id}", mailbox)
    try:
        yield
    finally:
        ray.kill(watch)


class PlaceWatch:
    """An actor that outlives the driver, until it has given the place back."""

    def wait_for_end(self, requester: str, mailbox: Any) -> None:
        """Take the request back once the mailbox has died, and end."""
        with contextlib.suppress(ray.exceptions.RayError):
            while True:
                ray.get(mailbox.is_over.remote())
                time.sleep(LOOK)
        for pause in (0, ONCE_MORE_AFTER):
            time.sleep(pause)
            with contextlib.suppress(ValueError, ray.exceptions.RayError):  # no such actor: Ray has nothing to give back
                ray.get(ray.get_actor(COORDINATOR, COORDINATOR).cancel_request.remote(requester_id=requester))
        ray.actor.exit_actor()
