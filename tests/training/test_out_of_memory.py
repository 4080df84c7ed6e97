"""A step that does not fit the GPU: the run ends with a sentence, and is continued with less memory."""

import pytest
import torch

from lorasmith.errors import RunError
from lorasmith.training import events
from lorasmith.training import loop as training_loop
from lorasmith.training.records.event_log import read_history
from lorasmith.training.run import resume, train


def test_a_run_that_runs_out_of_memory_says_how_to_continue(settings_for, tmp_path, monkeypatch):
    settings, run = settings_for(training={"epochs": 2, "batch_size": 2}), tmp_path / "run"
    whole, steps = training_loop.step, []

    def too_large(*arguments, **named):
        steps.append(1)
        if len(steps) == 5:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return whole(*arguments, **named)

    monkeypatch.setattr(training_loop, "step", too_large)
    with pytest.raises(
        RunError, match=r"ran out of memory after step 4\. .* lorasmith resume .*run --set training\.gradient_checkpointing=true"
    ) as error:
        train(settings, run)
    assert error.value.code == "run.out_of_memory"
    last = read_history(run / "events.jsonl")[-1].event
    assert (type(last), last.code) == (events.Stopped, "run.out_of_memory")
    assert resume(run, changes={"training.gradient_checkpointing": True}).finished
