"""Optimizers by the names that users type.

The classes are those of their authors, or of libraries that maintain them. An entry of `OPTIMIZERS` says everything about one: where it
comes from, which defaults differ from the class's own for training LoRAs, what it keeps in memory, and what it asks of other settings.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lorasmith.errors import SettingsError
from lorasmith.models.device import DEVICES
from lorasmith.registry import nearest, register

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Optimizer:
    """Where an optimizer comes from, what it needs and what it asks for."""

    path: str
    """module:class"""
    package: str
    """What to install where the module is missing."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Arguments that Lorasmith sets where the user does not."""
    class_defaults: Mapping[str, Any] = field(default_factory=dict)
    """What the class itself has for those of `defaults` that differ from it: how other trainers run it."""
    state_per_parameter: float = 2.0
    """Float32 numbers that it keeps for each trained parameter, beside weight and gradient."""
    learning_rate_free: bool = False
    """Finds its own learning rate: it wants 1, the same for all parts, and no LoRA+."""
    schedule_free: bool = False
    """Trains one set of weights and gives out another, their average; it needs no schedule and no EMA."""
    steps_like_adam: bool = False
    """Its steps are as large as Adam's, so that rates for Adam are right for it."""
    on_cpu: str = ""
    """It needs an NVIDIA GPU; the optimizer to use where there is none. "": it runs everywhere."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Arguments that would override the learning rate of the settings, with what to do instead."""
    also_called: tuple[str, ...] = ()
    """Names in other trainers, in lower case."""
    renamed_arguments: Mapping[str, str] = field(default_factory=dict)
    """Argument in other trainers -> its name in the class used here."""

    @property
    def needs_gpu(self) -> bool:
        return bool(self.on_cpu)

    @property
    def state_bytes_per_parameter(self) -> float:
        return 4 * self.state_per_parameter


OPTIMIZERS: dict[str, Optimizer] = {}
DEFAULT_OPTIMIZER = "AdamW"

_DECAY = {"weight_decay": 0.01}
_NO_DECAY = {"weight_decay": 0.0}

register(
    OPTIMIZERS, DEFAULT_OPTIMIZER,
    Optimizer("torch.optim:AdamW", "torch", {**_DECAY, "fused": True}, steps_like_adam=True),  # fused: a quarter of the time on a CPU
)  # fmt: skip
register(
    OPTIMIZERS, "AdamW8bit",
    Optimizer(
        "bitsandbytes.optim:AdamW8bit", "bitsandbytes", _DECAY, state_per_parameter=0.5, steps_like_adam=True, on_cpu=DEFAULT_OPTIMIZER,
        also_called=("adamw8bitkahan",),
    ),
)  # fmt: skip
register(
    OPTIMIZERS, "PagedAdamW8bit",
    Optimizer(
        "bitsandbytes.optim:PagedAdamW8bit", "bitsandbytes", _DECAY, state_per_parameter=0.5, steps_like_adam=True, on_cpu=DEFAULT_OPTIMIZER
    ),
)  # fmt: skip
register(OPTIMIZERS, "Lion", Optimizer("pytorch_optimizer:Lion", "pytorch-optimizer", _DECAY, _NO_DECAY, state_per_parameter=1))
register(OPTIMIZERS, "Lion8bit", Optimizer("bitsandbytes.optim:Lion8bit", "bitsandbytes", _DECAY, state_per_parameter=0.25, on_cpu="Lion"))
register(
    OPTIMIZERS, "Prodigy",
    Optimizer(
        "prodigyopt:Prodigy", "prodigyopt",
        {"decouple": True, "weight_decay": 0.01, "use_bias_correction": True, "safeguard_warmup": True},  # as its authors advise
        {"weight_decay": 0.0, "use_bias_correction": False, "safeguard_warmup": False},
        state_per_parameter=4, learning_rate_free=True, also_called=("prodigyopt.prodigy",),
    ),
)  # fmt: skip
for _name, _state, _others in (
    ("DAdaptAdam", 3, ("dadaptation", "dadaptadampreprint")), ("DAdaptAdaGrad", 3, ()), ("DAdaptAdan", 5, ("dadaptadanip",)),
    ("DAdaptLion", 2, ()), ("DAdaptSGD", 3, ()),
):  # fmt: skip
    register(
        OPTIMIZERS, _name,
        Optimizer(
            f"pytorch_optimizer:{_name}", "pytorch-optimizer", {"weight_decouple": True, "weight_decay": 0.01},
            {"weight_decay": 0.0, "weight_decouple": False}, state_per_parameter=_state, learning_rate_free=True, also_called=_others,
            renamed_arguments={"decouple": "weight_decouple"},
        ),
    )  # fmt: skip
_OWN_RATE = "Set it to false and give optimizer.learning_rate, or use Prodigy, which finds its rate"
register(
    OPTIMIZERS, "Adafactor",
    Optimizer(
        "transformers.optimization:Adafactor", "transformers", {"relative_step": False, "scale_parameter": False},
        state_per_parameter=0.1, steps_like_adam=True, refused={"relative_step": _OWN_RATE, "warmup_init": _OWN_RATE},
    ),
)  # fmt: skip
register(
    OPTIMIZERS, "CAME",
    Optimizer(
        "pytorch_optimizer:CAME", "pytorch-optimizer", _DECAY, _NO_DECAY, state_per_parameter=1.2, steps_like_adam=True,
        also_called=("pytorch_optimizer.came", "came_pytorch.came"),
    ),
)  # fmt: skip
register(
    OPTIMIZERS, "AdamWScheduleFree",
    Optimizer("schedulefree:AdamWScheduleFree", "schedulefree", _DECAY, _NO_DECAY, schedule_free=True, steps_like_adam=True),
)  # fmt: skip
register(OPTIMIZERS, "Muon", Optimizer("lorasmith.training.optim.muon:Muon", "torch", state_per_parameter=1))


def optimizer_of(name: str) -> Optimizer:
    """The entry behind a name, or behind a dotted path such as `torch.optim.RAdam`.

    Raises:
        SettingsError: there is no such name; the nearest one is named.
    """
    if name in OPTIMIZERS:
        return OPTIMIZERS[name]
    module, dot, class_name = name.rpartition(".")
    if dot and module and class_name:
        return Optimizer(f"{module}:{class_name}", module.split(".")[0])
    raise SettingsError(
        f"optimizer.type: there is no optimizer {name!r}; {nearest(name, OPTIMIZERS)} A dotted path such as torch.optim.RAdam works, too.",
        code="settings.unknown_name", setting="optimizer.type",
    )  # fmt: skip


def optimizer_class(name: str) -> type[torch.optim.Optimizer]:
    """The class behind a name.

    Raises:
        SettingsError: a package or a GPU is missing; the message says what to install or use instead.
    """
    import torch

    entry = optimizer_of(name)
    if entry.needs_gpu and not DEVICES["cuda"].count():
        raise SettingsError(
            f"optimizer.type {name!r} keeps its state in 8 bits on an NVIDIA GPU, and torch sees none. Use {entry.on_cpu!r}.",
            code="settings.needs_gpu", setting="optimizer.type",
        )  # fmt: skip
    module, class_name = entry.path.split(":")
    try:
        found = getattr(importlib.import_module(module), class_name, None)
    except ImportError as error:
        raise SettingsError(
            f"optimizer.type {name!r} needs the package {entry.package}. Install it with: pip install {entry.package}",
            code="settings.needs_package", setting="optimizer.type", package=entry.package,
        ) from error  # fmt: skip
    if not (isinstance(found, type) and issubclass(found, torch.optim.Optimizer)):
        raise SettingsError(f"optimizer.type: {module} has no optimizer {class_name}. Check the path.", setting="optimizer.type")
    return found


def make_optimizer(name: str, groups: Iterable[Mapping[str, Any]], args: Mapping[str, Any]) -> torch.optim.Optimizer:
    """The optimizer over parameter `groups` (each with `params`, `lr`, `name`).

    Raises:
        SettingsError: it does not take one of `args`, or one is of the wrong type.
    """
    check_optimizer(name, args)
    entry, found = optimizer_of(name), optimizer_class(name)
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in {**entry.defaults, **args}.items()}
    try:
        make: Any = found  # each class has arguments of its own
        with redirect_stdout(sys.stderr):  # Prodigy prints what it does; standard output is the command's own, which may be JSON
            optimizer = make([dict(group) for group in groups], **values)
    except (ValueError, TypeError, NotImplementedError, AssertionError) as error:
        raise SettingsError(f"optimizer.args: {name} refuses them ({error}). Change the values.", setting="optimizer.args") from error
    if entry.schedule_free:
        optimizer.train()
    return optimizer


def check_optimizer(name: str, args: Mapping[str, Any]) -> None:
    """Whether the optimizer can be used here with these arguments.

    Raises:
        SettingsError: a package or a GPU is missing, it does not take one of `args`, or one is of the wrong type.
    """
    entry, found = optimizer_of(name), optimizer_class(name)
    known = {
        key: parameter
        for key, parameter in inspect.signature(found).parameters.items()
        if key not in ("params", "lr", "self") and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }
    for key, value in args.items():
        where = {"setting": f"optimizer.args.{key}"}
        if key not in known:
            raise SettingsError(
                f"optimizer.args: {name} has no argument {key!r}; {nearest(key, sorted(known))}", code="settings.unknown_key", **where
            )
        if key in entry.refused and value:
            raise SettingsError(
                f"optimizer.args: {name}'s {key} overrides the learning rate of the settings. {entry.refused[key]}.", **where
            )
        if not _fits(value, known[key].default):
            raise SettingsError(f"optimizer.args: {name}'s {key} is {value!r}, but must be of the type of {known[key].default!r}.", **where)


def _fits(value: Any, default: Any) -> bool:
    """Whether a setting is of the same type as an argument's default; an argument without one takes anything."""
    if default is None or default is inspect.Parameter.empty:
        return True
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, int | float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, tuple):
        return isinstance(value, list | tuple) and len(value) >= 2
    return isinstance(value, type(default))


def class_path(name: str) -> str:
    """Where the optimizer comes from, as kohya's metadata has it: torch.optim.adamw.AdamW."""
    found = optimizer_class(name)
    return f"{found.__module__}.{found.__qualname__}"


@contextmanager
def weights_for_use(name: str, optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Within the block the parameters hold the weights to save and to sample with; afterwards, bit for bit, those to train.

    Only schedule-free optimizers make a difference between the two.
    """
    import torch

    if not optimizer_of(name).schedule_free:
        yield
        return
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    before = [p.detach().clone() for p in parameters]
    optimizer.eval()  # type: ignore[attr-defined]
    try:
        yield
    finally:
        optimizer.train()  # type: ignore[attr-defined]
        with torch.no_grad():  # switching there and back rounds
            for parameter, kept in zip(parameters, before, strict=True):
                parameter.copy_(kept)
