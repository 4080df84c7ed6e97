"""The process beside a program that trains over Ray: what they say to each other, however either ends."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest

from lorasmith.errors import RunError, TensorFileError
from lorasmith.training.distributed.driver import Driver
from lorasmith.training.distributed.lost import LOST
from lorasmith.training.events import Resumed, StateSaved, Warned

PATIENCE = 300
"""Seconds that a process may take, on a busy machine."""


@pytest.fixture
def driver(monkeypatch, tmp_path):
    """Makes the made-up driver, with how it is to end."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]))

    def make(ends):
        order = {"step": 3, "ends": ends, "file": tmp_path / "a.safetensors"}
        return Driver("tests.training.distributed.made_up_driver", order, "Go on.")

    return make


def events_of(driver, count):
    """The events that come, until there are so many, or it is over."""
    found, until = [], time.monotonic() + PATIENCE
    while len(found) < count and not driver.is_over:
        assert time.monotonic() < until, f"{found} are not {count}"
        found += driver.events(0.1)
    return found


def test_events_and_the_error_come_from_the_driver_as_they_were_there_and_requests_go_to_it(driver, tmp_path):
    with driver("with an error") as asked:
        assert events_of(asked, 2) == [Resumed(3), StateSaved(4)]
        assert not asked.is_over
        asked.request("save")
        assert events_of(asked, 9) == [Warned("It was saved.")]
        assert isinstance(asked.outcome, TensorFileError)
        assert str(asked.outcome) == f"{tmp_path / 'a.safetensors'} is damaged; give a safetensors file."


def test_a_driver_that_ends_without_a_word_is_reported_in_its_last_ones(driver):
    with driver("without a word") as asked:
        assert len(events_of(asked, 9)) == 2
        assert isinstance(asked.outcome, RunError)
        assert asked.outcome.code == LOST
        assert str(asked.outcome) == "The process that belongs to the Ray cluster has ended (There is no more memory). Go on."


def test_a_driver_notices_that_the_program_no_longer_waits_and_has_ended_with_the_block(driver, tmp_path):
    with driver("when the program does") as asked:
        assert events_of(asked, 2) == [Resumed(3), StateSaved(4)]
    pid = int((tmp_path / "a.safetensors").read_text())
    assert not psutil.pid_exists(pid)
