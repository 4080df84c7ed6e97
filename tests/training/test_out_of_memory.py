"""A step that does not fit the GPU: the run ends with a sentence, and is continued with less memory."""

import pytest
import torch

from lorasmith.errors import RunError
from lorasmith.models.device import DEVICES
from lorasmith.training import events
from lorasmith.training import loop as training_loop
from lorasmith.training.out_of_memory import out_of_memory
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


SAVING = {"gradient_checkpointing": True, "mixed_precision": "bf16", "offload_while_caching": True}


@pytest.mark.parametrize(
    ("step", "sections", "advice"),
    [
        (0, {}, "before the first step. Set training.mixed_precision to bf16 .*, and start a new run.$"),
        (7, {}, "after step 7. .* Set training.gradient_checkpointing to true .* --set training.gradient_checkpointing=true$"),
        (0, {"training": SAVING}, "Set base.quantize to int8 .* start a new run.$"),
        (
            7,
            {"training": SAVING},
            "Set training.blocks_to_swap to 10 .* continue with: lorasmith resume .* --set training.blocks_to_swap=10$",
        ),
        (
            7,
            {"training": {**SAVING, "blocks_to_swap": 10}, "base": {"quantize": "nf4"}},
            "Lower training.batch_size or buckets.resolution, and start a new run.$",
        ),
    ],
)
def test_the_next_means_is_the_cheapest_that_is_not_used_and_that_the_run_can_go_on_with(
    settings_for, tmp_path, monkeypatch, step, sections, advice
):
    kind = DEVICES["cuda"]
    monkeypatch.setitem(DEVICES, "cuda", type("Card", (type(kind),), {"has_bf16": lambda self: True})(**vars(kind)))
    with pytest.raises(RunError, match=f"^The GPU ran out of memory .*{advice}"):
        raise out_of_memory(settings_for(**sections), "cuda", step, tmp_path)
