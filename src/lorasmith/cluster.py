"""Ray, the engine over several machines: joining a cluster that is there, and saying in a sentence why that cannot be done.

    with joined("auto") as ray:
        ray.get(ray.remote(work).remote())

The machines of a cluster are its nodes. One is the head; the others were told its address (`ray start --address=HEAD:6379`).
"""

from __future__ import annotations

import importlib
import logging
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lorasmith.errors import InputError

ANSWER_WITHIN = 10.0
"""Seconds in which a head has to answer. Ray itself tries for two minutes."""
NAMESPACE = "lorasmith"
START = "Start one with `ray start --head`, and on the other machines with `ray start --address=HEAD:6379`."


def imported() -> Any:
    """Ray.

    Raises:
        InputError: it is not installed (`extra.missing`).
    """
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise InputError('Ray is missing. Install it with: pip install "lorasmith[scale]"', code="extra.missing", extra="scale") from error


@contextmanager
def joined(address: str) -> Iterator[Any]:
    """Within the block this process belongs to the cluster; yields Ray.

    `address` is HEAD:PORT, or `auto`: the cluster that this machine is a node of. A process that belongs to one already stays in it.

    Raises:
        InputError: Ray is missing, or there is no cluster at the address, or this machine is not a node of it (`cluster.no_answer`).
    """
    ray = imported()
    if ray.is_initialized():
        yield ray
        return
    _check_answers(address)
    try:
        with _own_signals():
            ray.init(address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
    except (RuntimeError, ConnectionError, TimeoutError, ValueError) as error:
        raise _no_answer(f"The cluster at {address} could not be joined ({_first_line(error)}). Run this on one of its nodes.") from error
    try:
        yield ray
    finally:
        ray.shutdown()


@contextmanager
def _own_signals() -> Iterator[None]:
    """What SIGTERM does is left as it is, which Ray would end the process with."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _check_answers(address: str) -> None:
    host, port = _head_of(address)
    try:
        socket.create_connection((host, port), timeout=ANSWER_WITHIN).close()
    except OSError as error:
        raise _no_answer(f"No head of a Ray cluster answers at {host}:{port} ({error.strerror or error}). {START}") from error


def _head_of(address: str) -> tuple[str, int]:
    """Host and port of the head."""
    if "://" in address:
        raise _no_answer(f"{address} is the address of a Ray client. Run this on a node of the cluster, with `auto` or HEAD:PORT.")
    services = importlib.import_module("ray._private.services")
    try:
        host, _, port = str(services.canonicalize_bootstrap_address_or_die(address)).rpartition(":")
        return host.strip("[]"), int(port)
    except ConnectionError:
        raise _no_answer(f"This machine is not a node of any Ray cluster. {START}") from None
    except (ValueError, OSError):
        raise _no_answer(f"{address} is not the address of a Ray cluster. Give HEAD:PORT, such as 10.0.0.1:6379, or auto.") from None


def _no_answer(sentence: str) -> InputError:
    return InputError(sentence, code="cluster.no_answer")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
