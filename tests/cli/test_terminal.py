"""What a person sees of a run, also in a narrow window."""

import io
import math
import re
from dataclasses import replace

import pytest
from rich.console import Console

from lorasmith.cli.terminal import Terminal, clock, step_note, validation_line
from lorasmith.training.events import PhaseStarted, Planned, StepDone, StepSkipped, ValidationDone

A_STEP = StepDone(
    14_850, 12, 0.2, {"unet": 1e-4}, 0.5, loss_smoothed=0.0812, images_per_second=12.34, eta=3 * 3600 + 125, memory_bytes=23_400_000_000
)


def screen(*reported, width=80):
    out = io.StringIO()
    terminal = Terminal(Console(file=out, width=width, force_terminal=True, color_system=None, soft_wrap=True))
    with terminal.progress:
        for event in reported:
            terminal(event)
        terminal.progress.refresh()
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", out.getvalue())


def test_in_80_columns_everything_is_in_one_line_beside_the_bar():
    seen = screen(Planned(15_000, 30, 100, 500, 1), PhaseStarted("train"), A_STEP)
    (line,) = {line.strip() for line in seen.replace("\r", "\n").splitlines() if "14850/15000" in line}
    assert "ep 12 loss 0.0812 12.3 img/s 23.4 GB 3:02:05 left" in line
    assert line.startswith("training ━")
    assert len(line) <= 80


def test_a_step_without_metrics_shows_its_own_loss():
    assert step_note(StepDone(1, 1, 0.5, {}, 0.1)) == "ep 1 loss 0.5000"


def test_on_a_gpu_its_memory_is_shown():
    assert "31.0 GB" in step_note(StepDone(1, 1, 0.5, {}, 0.1, memory_bytes=5, gpu_memory_bytes=31_000_000_000))


@pytest.mark.parametrize(("seconds", "shown"), [(7.4, "0:07"), (247, "4:07"), (3779, "1:02:59"), (3599.7, "1:00:00")])
def test_time_left_is_a_clock(seconds, shown):
    assert clock(seconds) == shown


def test_a_validation_is_a_line_with_its_margins():
    event = ValidationDone(3, 30, 0.41, 0.3, -0.0123, 0.0041, -0.05, None, 0.04, None, {"a": 0.41}, {"b": 0.3})
    assert validation_line(event) == "Epoch 3: val loss 0.4100 (-0.0123 ± 0.0041), train loss 0.3000 (-0.0500)"
    told_apart = replace(event, bands={"texture": {"val_change": math.log(1.12)}, "composition": {"val_change": math.log(0.8)}})
    assert validation_line(told_apart).endswith("train loss 0.3000 (-0.0500), val loss by noise: texture +12%, composition -20%")


def test_a_step_that_is_skipped_names_its_pictures():
    assert "Step 7 is skipped: its loss is not finite (a.png, b [1].png)." in screen(StepSkipped(7, ["a.png", "b [1].png"], [1.0, 2.0], 1))
