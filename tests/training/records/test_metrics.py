"""The metrics of a run are right, cheap, and continue over a resume."""

import json
import math

import psutil
import pytest
import torch

from lorasmith.training.events import StepDone
from lorasmith.training.optim.optimizers import make_optimizer
from lorasmith.training.records.event_log import EventLog, read_history
from lorasmith.training.records.metrics import Metrics, MovingAverage, adapted_rates, band_of, layer_norms
from lorasmith.training.step import SampleLoss, StepResult


class Layers(torch.nn.Module):
    """Stands where an adapter does: two layers with two factors each."""

    def __init__(self):
        super().__init__()
        for name in ("lora_a", "lora_b"):
            self.add_module(name, torch.nn.ModuleDict({"lora_down": torch.nn.Linear(3, 2, False), "lora_up": torch.nn.Linear(2, 3, False)}))


@pytest.fixture
def adapters():
    torch.manual_seed(0)
    return {"unet": Layers()}


def result(loss, *samples, grad_norm=0.5):
    return StepResult(loss, grad_norm, tuple(SampleLoss("a.png", t, value) for t, value in samples))


def metrics_over(adapters, steps=100, sums=None):
    optimizer = torch.optim.AdamW([{"params": list(adapters["unet"].parameters()), "lr": 1e-4, "name": "unet"}])
    return Metrics(adapters, optimizer, steps, sums)


def test_a_fading_mean_is_the_moving_average_without_the_bias_of_its_start():
    fading, average = MovingAverage(0.98), 0.0
    assert fading.mean is None
    for n, number in enumerate([3.0, 1.0, 4.0, 1.0, 5.0, 9.0], 1):
        fading.add(number)
        average = 0.98 * average + 0.02 * number
        assert fading.mean == pytest.approx(average / (1 - 0.98**n))


@pytest.mark.parametrize(
    ("timestep", "band"), [(0, "0-199"), (199.9, "0-199"), (200, "200-399"), (999, "800-999"), (1000.0, "800-999"), (431.7, "400-599")]
)
def test_every_timestep_of_every_family_lies_in_one_of_five_bands(timestep, band):
    assert band_of(timestep) == band


def test_losses_are_told_smoothed_and_by_the_timesteps_of_their_samples(adapters):
    metrics = metrics_over(adapters)
    metrics.step_done(1, 1, result(0.3, (50, 0.5), (950, 0.1)), {"unet": 1e-4}, 1.0)
    event = metrics.step_done(2, 1, result(0.1, (60, 0.1)), {"unet": 1e-4}, 1.0)
    assert event.loss == 0.1
    assert event.loss_smoothed == pytest.approx((0.98 * 0.3 + 0.1) / 1.98)
    assert event.loss_by_timestep == pytest.approx({"0-199": (0.98 * 0.5 + 0.1) / 1.98, "800-999": 0.1})


def test_speed_is_that_of_the_steps_and_the_time_left_counts_the_pauses_between(adapters):
    metrics = metrics_over(adapters, steps=10)
    metrics.step_done(1, 1, result(0.3, (50, 0.5), (950, 0.1)), {}, 2.0, now=100.0)
    event = metrics.step_done(2, 1, result(0.3, (50, 0.5), (950, 0.1)), {}, 2.0, now=106.0)  # 4 s went into samples
    assert event.images_per_second == pytest.approx(1.0)
    assert event.eta == pytest.approx(8 * (0.98 * 2 + 6) / 1.98)
    assert metrics.step_done(10, 1, result(0.3, (50, 0.5)), {}, 2.0, now=108.0).eta == 0


def test_norms_are_those_of_all_weights_and_the_longest_layers_come_first(adapters):
    squares = {name: sum(p.square().sum().item() for p in layer.parameters()) for name, layer in adapters["unet"].named_children()}
    assert layer_norms(adapters) == pytest.approx({name: math.sqrt(s) for name, s in squares.items()})
    event = metrics_over(adapters).step_done(1, 1, result(0.3, (50, 0.5)), {}, 1.0)
    assert event.weight_norm == pytest.approx(math.sqrt(sum(squares.values())))
    assert list(event.largest_layers) == sorted(squares, key=lambda name: -squares[name])


def test_memory_is_that_of_this_process(adapters):
    held = torch.ones(50_000_000)
    reported = metrics_over(adapters).step_done(1, 1, result(0.3, (50, 0.5)), {}, 1.0).memory_bytes
    assert reported > held.nbytes
    assert reported > 0.9 * psutil.Process().memory_info().rss  # or more, where it was more before


@pytest.mark.parametrize("name", ["Prodigy", "DAdaptAdam", "DAdaptLion"])
def test_what_an_optimizer_finds_by_itself_is_told_for_each_group(name):
    weight = torch.nn.Parameter(torch.ones(4))
    optimizer = make_optimizer(name, [{"params": [weight], "lr": 1.0, "name": "unet"}], {})
    start = adapted_rates(optimizer)
    for _ in range(15):
        weight.grad = weight.detach() - 3
        optimizer.step()
    assert list(start) == ["unet"]
    assert adapted_rates(optimizer)["unet"] > start["unet"]


def test_an_optimizer_with_the_rate_of_the_settings_has_found_none(adapters):
    assert metrics_over(adapters).step_done(1, 1, result(0.3, (50, 0.5)), {"unet": 1e-4}, 1.0).d == {}


def test_after_a_resume_the_smoothed_losses_go_on_as_if_nothing_had_been(adapters):
    def reported(metrics, steps):
        events = [metrics.step_done(n, 1, result(1 / n, (37 * n % 1000, 2 / n)), {}, 1.0) for n in steps]
        return [(event.loss_smoothed, event.loss_by_timestep) for event in events]

    whole = reported(metrics_over(adapters), range(1, 21))
    first = metrics_over(adapters)
    reported(first, range(1, 11))
    kept = json.loads(json.dumps(first.sums))  # as plain as that
    assert reported(metrics_over(adapters, sums=kept), range(11, 21)) == whole[10:]


def test_a_step_comes_back_from_the_log_with_all_that_it_told(adapters, tmp_path):
    event = metrics_over(adapters).step_done(1, 1, result(0.3, (50, 0.5)), {"unet": 1e-4}, 1.0)
    log = EventLog(tmp_path / "events.jsonl")
    log(event)
    log.close()
    assert [e for _, e in read_history(tmp_path / "events.jsonl")] == [event]


def test_a_log_from_before_there_were_metrics_is_still_read(tmp_path):
    line = '{"event": "StepDone", "time": 1.0, "step": 1, "epoch": 1, "loss": 0.5, "lr": {"unet": 0.0001}, "seconds": 0.1}\n'
    (tmp_path / "events.jsonl").write_text(line, encoding="utf-8")
    assert [e for _, e in read_history(tmp_path / "events.jsonl")] == [StepDone(1, 1, 0.5, {"unet": 1e-4}, 0.1)]
