"""Deterministic kernels are switched on within a run on a GPU alone, and off again. What they do needs a GPU, and was not run."""

import os

import pytest
import torch

from lorasmith.training.determinism import WORKSPACE, deterministic_kernels


def switched_on():
    return torch.are_deterministic_algorithms_enabled(), os.environ.get(WORKSPACE)


@pytest.mark.parametrize(
    ("enabled", "device", "within"), [(True, "cuda", (True, ":4096:8")), (False, "cuda", (False, None)), (True, "cpu", (False, None))]
)
def test_they_are_on_where_they_are_enabled_and_off_again_afterwards(enabled, device, within, monkeypatch):
    monkeypatch.delenv(WORKSPACE, raising=False)
    with deterministic_kernels(enabled, device):
        assert switched_on() == within
    assert switched_on() == (False, None)


def test_a_users_own_choice_of_buffers_stays(monkeypatch):
    monkeypatch.setenv(WORKSPACE, ":16:8")
    with deterministic_kernels(True, "cuda"):
        assert switched_on() == (True, ":16:8")
    assert switched_on() == (False, ":16:8")
