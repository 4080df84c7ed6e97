"""The device is made known when tests are collected: torch must know its devices before it computes its first gradient, and then does until it ends.

So these tests run in processes of their own, which `make second-device` starts.
"""

import os
from pathlib import Path

import pytest

from lorasmith.models.device import DEVICES
from tests.evaluation.conftest import tiny_effort  # noqa: F401
from tests.second_device.device import DEVICE, SECOND, register_device

ALONE = "LORASMITH_TESTS_SECOND_DEVICE"
"""In the environment of processes that run nothing else."""

if ALONE in os.environ:
    register_device()


def pytest_collection_modifyitems(items):
    if ALONE not in os.environ:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="needs processes of its own: make second-device"))


@pytest.fixture(autouse=True)
def second(monkeypatch):
    """The device is there beside the CPU, and `auto` takes it."""
    cpu = DEVICES["cpu"]
    monkeypatch.delitem(DEVICES, "cpu")
    monkeypatch.setitem(DEVICES, DEVICE, SECOND)
    monkeypatch.setitem(DEVICES, "cpu", cpu)
