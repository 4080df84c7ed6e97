"""An optimizer, a schedule and a loss say everything about themselves in their registry, and their names are written nowhere else."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from lorasmith.errors import SettingsError
from lorasmith.registry import register
from lorasmith.training.events import StepDone
from lorasmith.training.forecast.memory import optimizer_bytes
from lorasmith.training.objective.flow_predictions import FLOW_PREDICTIONS
from lorasmith.training.objective.losses import LOSSES, THRESHOLDS, Loss
from lorasmith.training.objective.timestep_samplings import TIMESTEP_SAMPLINGS, WEIGHTING_SCHEMES
from lorasmith.training.optim.optimizers import OPTIMIZERS, Optimizer
from lorasmith.training.optim.schedules import SCHEDULES, Schedule
from lorasmith.training.run import train
from lorasmith.training.settings.checks import check_together
from lorasmith.training.settings.tree import Settings, settings_from


class SignSteps(torch.optim.SGD):
    """A made-up optimizer: steps of one size along the gradient's sign."""

    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.grad = parameter.grad.sign()
        return super().step(closure)


def stairs(step, shape):
    """A made-up schedule: full rate in the first half, half of it in the second."""
    return 1.0 if 2 * step < shape.steps else 0.5


def fourth_power(prediction, target, c):
    """A made-up loss."""
    return (prediction - target) ** 4


@pytest.fixture
def made_up(monkeypatch):
    """One of each, added as a contributor would add it, with `register`."""
    monkeypatch.setitem(OPTIMIZERS, "SignSteps", Optimizer(f"{__name__}:SignSteps", "torch", state_per_parameter=0.0))
    monkeypatch.setitem(SCHEDULES, "stairs", Schedule(stairs, "falls once"))
    monkeypatch.setitem(LOSSES, "fourth_power", Loss(fourth_power, "for large errors"))


def test_a_run_trains_with_a_made_up_optimizer_schedule_and_loss(made_up, settings_for, tmp_path):
    settings = settings_for(
        optimizer={"type": "SignSteps", "learning_rate": 1e-3}, schedule={"lr_scheduler": "stairs"}, loss={"loss_type": "fourth_power"},
        logging={"tensorboard": False},
    )  # fmt: skip
    assert check_together(settings) == []
    told = []
    result = train(settings, tmp_path / "run", [told.append])
    steps = [event for event in told if isinstance(event, StepDone)]
    assert result.finished
    assert [event.lr["unet"] for event in steps] == [1e-3] * 3 + [5e-4] * 3
    assert optimizer_bytes(1000, "SignSteps") == 0


def test_the_settings_know_what_a_made_up_entry_takes(made_up, settings_for):
    with pytest.raises(SettingsError, match="lr_warmup_steps has no effect with lr_scheduler 'stairs'"):
        check_together(settings_for(schedule={"lr_scheduler": "stairs", "lr_warmup_steps": 5}))
    with pytest.raises(SettingsError, match="huber_c has no effect with loss_type 'fourth_power'"):
        check_together(settings_for(loss={"loss_type": "fourth_power", "huber_c": 0.2}))
    for section, setting, name in (
        ("schedule", "lr_scheduler", "stears"),
        ("loss", "loss_type", "fourth_powr"),
        ("optimizer", "type", "SignStep"),
    ):
        with pytest.raises(SettingsError, match="did you mean"):
            settings_for(**{section: {setting: name}})


def test_the_schema_lists_what_the_registry_holds(made_up):
    schema = Settings.model_json_schema()["$defs"]
    assert schema["ScheduleSettings"]["properties"]["lr_scheduler"]["enum"] == [*SCHEDULES]
    assert schema["LossSettings"]["properties"]["loss_type"]["enum"] == [*LOSSES]
    assert schema["OptimizerSettings"]["properties"]["type"]["examples"] == [*OPTIMIZERS]


def test_a_name_can_be_taken_once(made_up):
    with pytest.raises(ValueError, match="'stairs' is already taken"):
        register(SCHEDULES, "stairs", Schedule(stairs, "falls once more"))


# -- the names are written once ---------------------------------------------------------------------------------------

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "lorasmith"
REGISTRIES = {
    "training/optim/optimizers.py": OPTIMIZERS,
    "training/optim/schedules.py": SCHEDULES,
    "training/objective/losses.py": LOSSES | THRESHOLDS,
    "training/objective/timestep_samplings.py": TIMESTEP_SAMPLINGS | WEIGHTING_SCHEMES,
    "training/objective/flow_predictions.py": FLOW_PREDICTIONS,
}
NOT_DISTINCT = {"constant", "linear", "l1", "sigmoid", "uniform", "none", "raw", "shift", "sigma", "mode"}
"""Names that are everyday words elsewhere."""
CHOSEN_BY_NAME = {
    "training/recipes/recipes.py": "recipes choose",
    "demo/recipes.py": "recipes choose",
    "demo/verdict_bench/recipes.py": "recipes choose",
    "training/importers/sd_scripts_options.py": "names of another trainer, and what they are here",
    "training/importers/ai_toolkit.py": "names of another trainer, and what they are here",
    "training/importers/kohya_metadata.py": "names of another trainer, and what they are here",
    "training/importers/simpletuner.py": "names of another trainer, and what they are here",
    "training/importers/onetrainer.py": "its constant schedule takes a warm-up, which has another name here",
    "training/importers/sd_scripts_blocks.py": "sd-scripts' curves over blocks have names of their own",
    "training/importers/sd_scripts_names.py": "names of another trainer, as values of its options",
    "handbook/moving.py": "names of other trainers, as values of their options",
    "models/family.py": "a family's record says how its bases are usually trained",
    "models/klein/config.py": "a word of diffusers' for how a shift acts",
    "models/krea2/config.py": "a word of diffusers' for how a shift acts",
}
"""File -> why it may write a name."""


def names_written(package: Path) -> Iterator[str]:
    """file:line and name of every string that is a name of a registry, outside of where it is defined or may be chosen."""
    for file in sorted(package.rglob("*.py")):
        where = file.relative_to(package).as_posix()
        if where in CHOSEN_BY_NAME:
            continue
        names = {name for own, registry in REGISTRIES.items() if own != where for name in registry} - NOT_DISTINCT
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names:
                yield f"{where}:{node.lineno} writes {node.value!r}"


def test_the_names_are_written_where_they_are_defined():
    assert list(names_written(PACKAGE)) == []


def test_a_name_elsewhere_is_seen(tmp_path):
    (tmp_path / "run.py").write_text('if settings.optimizer.type == "Prodigy": pass', encoding="utf-8")
    assert list(names_written(tmp_path)) == ["run.py:1 writes 'Prodigy'"]


def test_settings_of_a_registry_default_to_an_entry():
    settings = settings_from({"base": {"path": "b"}, "datasets": [{"path": "d"}]})
    assert settings.optimizer.type in OPTIMIZERS
    assert settings.schedule.lr_scheduler in SCHEDULES
    assert settings.loss.loss_type in LOSSES
    assert settings.flow.timestep_sampling in TIMESTEP_SAMPLINGS
