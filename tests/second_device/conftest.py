"""The device is made known when tests are collected: torch must know its devices before it computes its first gradient."""

import pytest

from lorasmith.models.device import DEVICES
from tests.evaluation.conftest import tiny_effort  # noqa: F401
from tests.second_device.device import DEVICE, SECOND, register_device

register_device()


@pytest.fixture(autouse=True)
def second(monkeypatch):
    """The device is there beside the CPU, and `auto` takes it."""
    cpu = DEVICES["cpu"]
    monkeypatch.delitem(DEVICES, "cpu")
    monkeypatch.setitem(DEVICES, DEVICE, SECOND)
    monkeypatch.setitem(DEVICES, "cpu", cpu)
