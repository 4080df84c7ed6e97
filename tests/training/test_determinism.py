"""Deterministic kernels are asked for within a run on a GPU alone, and given back. What they do needs a GPU, and was not run."""

import os

import pytest
import torch

from lorasmith.training.determinism import WORKSPACE, deterministic_kernels


def asked_for():
    return torch.are_deterministic_algorithms_enabled(), os.environ.get(WORKSPACE)


@pytest.mark.parametrize(
    ("wanted", "device", "within"), [(True, "cuda", (True, ":4096:8")), (False, "cuda", (False, None)), (True, "cpu", (False, None))]
)
def test_they_are_on_where_they_are_wanted_and_off_again_afterwards(wanted, device, within, monkeypatch):
    monkeypatch.delenv(WORKSPACE, raising=False)
    with deterministic_kernels(wanted, device):
        assert asked_for() == within
    assert asked_for() == (False, None)


def test_a_users_own_choice_of_buffers_stays(monkeypatch):
    monkeypatch.setenv(WORKSPACE, ":16:8")
    with deterministic_kernels(True, "cuda"):
        assert asked_for() == (True, ":16:8")
    assert asked_for() == (False, ":16:8")
