"""Errors are plain data: what another process sends is what was raised there."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from lorasmith.errors import RunError, SettingsError, TensorFileError


@pytest.mark.parametrize(
    "error",
    [
        SettingsError("network.rank is 0.", code="settings.value", setting="network.rank"),
        RunError("The disk is full."),
        TensorFileError(Path("a.safetensors"), "is damaged", "download it again"),
    ],
)
def test_an_error_of_another_process_is_the_one_that_it_raised(error):
    sent = pickle.loads(pickle.dumps(error))
    assert type(sent) is type(error)
    assert str(sent) == str(error)
    assert vars(sent) == vars(error)
