"""`train --profile N`: a trace and a table of some steps."""

import json

import pytest

from lorasmith.training.listeners.profiler import WARM_UP, Profiler
from lorasmith.training.run import train


@pytest.mark.parametrize(("steps", "of"), [(1, WARM_UP + 2), (100, WARM_UP + 1)], ids=["some steps", "to the end"])
def test_steps_are_profiled_after_the_first_ones(settings_for, tmp_path, steps, of):
    shown = []
    settings = settings_for(training={"epochs": None, "max_train_steps": of, "batch_size": 2})
    result = train(settings, tmp_path / "run", [Profiler(tmp_path / "run", steps, shown.append)])
    assert result.step > WARM_UP
    assert len(shown) == 1
    assert "aten::" in shown[0]
    assert (tmp_path / "run" / "profile.txt").read_text(encoding="utf-8") == shown[0]
    assert json.loads((tmp_path / "run" / "profile.json").read_text(encoding="utf-8"))["traceEvents"]


def test_a_run_that_is_over_before_has_no_profile(settings_for, tmp_path):
    settings = settings_for(training={"epochs": None, "max_train_steps": WARM_UP - 1})
    train(settings, tmp_path / "run", [Profiler(tmp_path / "run", 5, lambda table: pytest.fail("nothing was profiled"))])
    assert not (tmp_path / "run" / "profile.json").exists()
