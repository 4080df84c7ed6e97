"""What plan tells before a run is what the run then writes, needs and takes."""

import pytest
import torch

from lorasmith.models.open import describe
from lorasmith.training.forecast.kept_rehearsals import rehearsal_of
from lorasmith.training.forecast.machine import OPERATIONS, Machine, small_network
from lorasmith.training.forecast.rehearsal import attach_blank, blank_base, rehearse_step
from lorasmith.training.forecast.rehearsed import rehearsed_run
from lorasmith.training.forecast.report import as_text, make_report
from lorasmith.training.forecast.watch import Watch
from lorasmith.training.optim.optimizers import OPTIMIZERS, make_optimizer
from lorasmith.training.planning.check import check
from lorasmith.training.run import train
from lorasmith.training.settings.tree import settings_from
from tests.models.toys import toy_folder
from tests.training.forecast.memory_by_card import described

SLOW_MACHINE = Machine(1e9, 1e9, 1e-5)


def rehearsal(family, side, *, dtype=torch.bfloat16, batch=1, train_text_encoder=False, **training):
    settings = settings_from({
        "base": {"path": "base"}, "datasets": [{"path": "."}], "network": {"rank": 16, "train_text_encoder": train_text_encoder},
        "training": {"epochs": 1, **training},
    })  # fmt: skip
    return step_of(settings, described(family), side, batch, dtype)


def step_of(settings, description, side, batch, dtype):
    """The work of one step over square pictures."""
    base, run = blank_base(description, dtype), rehearsed_run(settings, description, (side, side), batch, (side, side))
    return rehearse_step(base, attach_blank(base, run), run)


# FLOPs of a forward and a backward over one picture, and bytes kept between them in bf16: counted on the real modules with torch's
# own counter (docs/guide/performance.md).
COUNTED = [("sd1", 512, {}, 1.80e12, 0.97e9), ("sd1", 512, {"gradient_checkpointing": True}, 2.4e12, 0.15e9)]
COUNTED_SLOWLY = [
    ("sd1", 768, {}, 5.25e12, 2.18e9),
    ("sdxl", 1024, {}, 14.65e12, 7.2e9),
    ("sdxl", 1024, {"gradient_checkpointing": True}, 20.8e12, 0.57e9),
    ("flux", 1024, {}, 172e12, 36.2e9),
]


@pytest.mark.parametrize(
    ("family", "side", "training", "flops", "kept"), [*COUNTED, *[pytest.param(*case, marks=pytest.mark.slow) for case in COUNTED_SLOWLY]]
)
def test_a_rehearsed_step_does_the_work_and_keeps_the_memory_of_a_real_one(family, side, training, flops, kept):
    work = rehearsal(family, side, **training)
    assert work.flops == pytest.approx(flops, rel=0.03)
    assert work.kept == pytest.approx(kept, rel=0.05)
    assert work.peak > work.kept


@pytest.fixture(scope="module")
def toy_step(toy_base):
    """Rehearses a step on the smallest Stable Diffusion, or on another toy."""

    def rehearse(toy=None, side=64, batch=2, dtype=torch.float32, te=False, network=None, **training):
        settings = settings_from({
            "base": {"path": str(toy_folder(toy) if toy else toy_base)}, "datasets": [{"path": "."}],
            "network": {"rank": 16, "train_text_encoder": te, **(network or {})}, "training": {"epochs": 1, **training},
        })  # fmt: skip
        return step_of(settings, describe(settings.base.path), side, batch, dtype)

    return rehearse


def test_memory_grows_with_area_and_batch_and_falls_with_checkpointing_and_half_precision(toy_step):
    defaults = toy_step()
    assert toy_step(batch=4).peak > 1.5 * defaults.peak
    assert toy_step(side=128).kept > 3 * defaults.kept
    assert toy_step(dtype=torch.bfloat16).peak < 0.75 * defaults.peak
    assert toy_step(te=True).peak > defaults.peak
    assert toy_step(network={"rank": 64}).peak > defaults.peak
    checkpointed = toy_step(gradient_checkpointing=True)
    assert checkpointed.kept < 0.6 * defaults.kept
    assert checkpointed.flops > 1.2 * defaults.flops


@pytest.mark.parametrize("toy", ["sd2", "sdxl", "flux"])
def test_every_family_is_rehearsed_with_its_text_encoders(toy_step, toy):
    assert toy_step(toy, te=True).flops > 0


@pytest.mark.parametrize("kind", ["loha", "lokr", "dylora", "glora", "ia3", "diag-oft", "boft", "full"])
def test_every_kind_of_network_is_rehearsed(toy_step, kind):
    assert toy_step(network={"kind": kind, "rank": 16}, side=32, batch=1).flops > 0


def test_samples_are_rehearsed_on_a_text_encoder_whose_network_changes_whole_weights(settings_for):
    settings = settings_for(network={"kind": "loha", "train_text_encoder": True}, samples={"prompts": ["{trigger}"], "steps": 1})
    assert make_report(settings, SLOW_MACHINE).forecast.duration.samples > 0


def test_a_rehearsal_at_another_size_is_what_scaling_says(toy_step):
    small, large = toy_step(side=256, batch=1), toy_step(side=512, batch=2)
    scaled = small.scaled(4, 2)
    assert scaled.flops == pytest.approx(large.flops, rel=0.1)  # what does not grow: captions, the timestep
    assert scaled.attention_flops == pytest.approx(large.attention_flops, rel=0.01)  # of captions the same


def test_the_loras_have_the_size_that_plan_tells(settings_for, tmp_path):
    settings = settings_for(training={"epochs": 2, "ema_decay": 0.9}, network={"rank": 3}, checkpoints={"save_precision": "bf16"})
    files = make_report(settings, SLOW_MACHINE).forecast.files
    result = train(settings, tmp_path / "run")
    written = sorted((tmp_path / "run" / "checkpoints").glob("*.safetensors"))
    assert len(written) == files.loras == 4
    assert result.file.stat().st_size == files.lora
    assert all(abs(path.stat().st_size - files.lora) <= 16 for path in written)  # digits of the epoch and of the steps
    states = sorted((tmp_path / "run" / "state").glob("step-*"))
    largest, checked = max(path.stat().st_size for path in states), check(settings)
    tensors = rehearsal_of(settings, checked.description, checked.training_set).tensors
    assert files.state < largest < files.state + 700 * tensors * 4  # names and places of each tensor beside its numbers


@pytest.mark.parametrize("name", [name for name, kind in OPTIMIZERS.items() if not kind.needs_gpu])
def test_an_optimizer_keeps_as_many_numbers_as_the_table_says(name):
    module = pytest.importorskip(OPTIMIZERS[name].path.split(":")[0])
    assert module is not None
    weights = [torch.nn.Parameter(torch.randn(64, 64)) for _ in range(2)]
    optimizer = make_optimizer(name, [{"params": weights, "lr": 1.0 if OPTIMIZERS[name].learning_rate_free else 1e-3, "name": "unet"}], {})
    for weight in weights:
        weight.grad = torch.randn(64, 64)
    if OPTIMIZERS[name].schedule_free:
        optimizer.train()
    optimizer.step()
    kept = sum(
        value.numel() for state in optimizer.state.values() for value in state.values() if isinstance(value, torch.Tensor) and value.dim()
    )
    assert kept / (2 * 64 * 64) == pytest.approx(OPTIMIZERS[name].state_per_parameter, abs=0.25)


def test_a_machine_that_is_twice_as_fast_takes_half_the_time(settings_for):
    settings = settings_for(training={"epochs": None, "max_train_steps": 4, "batch_size": 4})
    slow, fast = (make_report(settings, machine).forecast.duration for machine in (SLOW_MACHINE, Machine(2e9, 2e9, 0.5e-5)))
    assert slow.step == pytest.approx(2 * fast.step)
    assert slow.steps == pytest.approx(4 * slow.step)
    assert slow.total > slow.steps, "no latent is cached yet"


def test_the_network_that_operations_are_timed_with_has_as_many_as_said():
    network, given = small_network(), torch.ones(1, 8)
    with Watch() as watch:
        network(given).sum().backward()
    assert watch.operations == OPERATIONS


def test_without_a_machine_this_one_is_measured(settings_for):
    assert 0 < make_report(settings_for()).forecast.duration.step < float("inf")


def test_what_leaves_memory_after_caching_is_counted_while_caching_alone(settings_for):
    def memory(**sections):
        return make_report(settings_for(**sections), SLOW_MACHINE).forecast.memory.phases

    kept = memory(network={"train_text_encoder": False}, samples={"prompts": ["{trigger}"], "steps": 1})
    freed = memory(network={"train_text_encoder": False}, captions={"cached_variants": 2})
    undrawn = memory(network={"train_text_encoder": False})
    assert freed["training"]["base"] < undrawn["training"]["base"] < kept["training"]["base"]
    assert freed["caching"]["base"] == kept["caching"]["base"] == kept["training"]["base"]
    assert "sampling" in kept
    assert "sampling" not in freed
    assert (
        memory(base={"quantize": "nf4"})["training"]["base"]
        < memory(base={"quantize": "int8"})["training"]["base"]
        < memory()["training"]["base"]
    )


def test_no_weight_is_read(settings_for, monkeypatch):
    def read(*_, **__):
        raise AssertionError("a weight was read")

    monkeypatch.setattr("lorasmith.models.files.weights.open_tensors", read)
    monkeypatch.setattr("safetensors.safe_open", read)
    assert make_report(settings_for(), SLOW_MACHINE).forecast.memory.peak > 0


def test_the_report_in_words_names_buckets_files_memory_and_time(settings_for):
    text = as_text(make_report(settings_for(), SLOW_MACHINE))
    for words in (
        "5 pictures",
        "6 steps: 2 epochs of 3",
        "area lost",
        "2 LoRAs of",
        "memory  about",
        "time    about",
        "trained parameters",
    ):
        assert words in text, text
