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
from importlib.util import find_spec
from typing import Any

from lorasmith.errors import InputError

ANSWER_WITHIN = 10.0
"""Seconds in which a head has to answer. Ray itself tries for two minutes."""
JOIN_WITHIN = 60.0
"""Seconds in which a head that has answered has to take this process in."""
NAMESPACE = "lorasmith"
START = "Start one with `ray start --head`, and on the other machines with `ray start --address=HEAD:6379`."


def check_installed() -> None:
    """Raises InputError where Ray is not installed (`extra.missing`). Ray is not imported."""
    if find_spec("ray") is None:
        raise _missing()


def imported(part: str = "ray") -> Any:
    """Ray, or a part of it, such as `ray.data`.

    Raises:
        InputError: it is not installed (`extra.missing`).
    """
    try:
        return importlib.import_module(part)
    except ImportError as error:
        raise _missing() from error


@contextmanager
def joined(address: str) -> Iterator[Any]:
    """Within the block this process belongs to the cluster; yields Ray. What SIGTERM does is left as it is.

    `address` is HEAD:PORT, or `auto`: the cluster that this machine is a node of. A process that belongs to one already stays in it.

    Raises:
        InputError: Ray is missing, or there is no cluster at the address, or this machine is not a node of it (`cluster.no_answer`).
    """
    ray = imported()
    if ray.is_initialized():
        yield ray
        return
    _check_answers(address)
    _join(ray, address)
    _take_back_sigterm()
    try:
        yield ray
    finally:
        ray.shutdown()


def _take_back_sigterm() -> None:
    """Ray puts a handler of its own before this program's, which ends the program three seconds after SIGTERM, whatever it still saves."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))


def _join(ray: Any, address: str) -> None:
    """In a thread of its own: in the main one Ray would have SIGTERM end the process, and it waits for minutes where a head does not go on."""
    failed: list[Exception] = []
    given_up = threading.Event()

    def join() -> None:
        try:
            ray.init(address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
            if given_up.is_set():
                ray.shutdown()
        except Exception as error:
            failed.append(error)

    joining = threading.Thread(target=join, daemon=True)
    joining.start()
    joining.join(JOIN_WITHIN)
    if joining.is_alive() or failed:
        given_up.set()
        error = failed[0] if failed else None
        why = _first_line(error) if error else f"its head has not gone on within {JOIN_WITHIN:.0f} s"
        raise _no_answer(f"The cluster at {address} could not be joined ({why}). Run this on one of its nodes.") from error


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
        if services.find_gcs_addresses():
            raise _no_answer("This machine is a node of several Ray clusters. Give HEAD:PORT of one, instead of auto.") from None
        raise _no_answer(f"This machine is not a node of any Ray cluster. {START}") from None
    except (ValueError, OSError):
        raise _no_answer(f"{address} is not the address of a Ray cluster. Give HEAD:PORT, such as 10.0.0.1:6379, or auto.") from None


def _missing() -> InputError:
    return InputError('Ray is missing. Install it with: pip install "lorasmith[scale]"', code="extra.missing", extra="scale")


def _no_answer(sentence: str) -> InputError:
    return InputError(sentence, code="cluster.no_answer")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
