"""Optimizers by the names that users type.

The classes are those of their authors or of libraries that keep them; here stand the names, where they come from, which
defaults differ from the class's own for training LoRAs, and what each asks of the other settings.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lorasmith.errors import SettingsError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class OptimizerKind:
    """Where an optimizer comes from and what it asks for."""

    path: str
    """module:class"""
    package: str
    """What to install where the module is missing."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    learning_rate_free: bool = False
    """Finds its own learning rate and wants 1, the same for all parts."""
    averages: bool = False
    """Trains one set of weights and hands out another, their average; it needs no schedule."""
    needs_gpu: bool = False
    refused: Mapping[str, str] = field(default_factory=dict)
    """Arguments that take the learning rate out of the settings' hands, with what to do instead."""


_DADAPT = {"weight_decouple": True, "weight_decay": 0.01}
_OWN_RATE = "set it to false and give optimizer.learning_rate, or take Prodigy, which finds its rate"

OPTIMIZERS: dict[str, OptimizerKind] = {
    "AdamW": OptimizerKind("torch.optim:AdamW", "torch", {"weight_decay": 0.01, "fused": True}),  # a quarter of the time on a CPU
    "AdamW8bit": OptimizerKind("bitsandbytes.optim:AdamW8bit", "bitsandbytes", {"weight_decay": 0.01}, needs_gpu=True),
    "PagedAdamW8bit": OptimizerKind("bitsandbytes.optim:PagedAdamW8bit", "bitsandbytes", {"weight_decay": 0.01}, needs_gpu=True),
    "Lion": OptimizerKind("pytorch_optimizer:Lion", "pytorch-optimizer", {"weight_decay": 0.01}),
    "Lion8bit": OptimizerKind("bitsandbytes.optim:Lion8bit", "bitsandbytes", {"weight_decay": 0.01}, needs_gpu=True),
    "Prodigy": OptimizerKind(  # as its authors advise for diffusion models
        "prodigyopt:Prodigy", "prodigyopt",
        {"decouple": True, "weight_decay": 0.01, "use_bias_correction": True, "safeguard_warmup": True}, learning_rate_free=True,
    ),
    "DAdaptAdam": OptimizerKind("pytorch_optimizer:DAdaptAdam", "pytorch-optimizer", _DADAPT, learning_rate_free=True),
    "DAdaptAdaGrad": OptimizerKind("pytorch_optimizer:DAdaptAdaGrad", "pytorch-optimizer", _DADAPT, learning_rate_free=True),
    "DAdaptAdan": OptimizerKind("pytorch_optimizer:DAdaptAdan", "pytorch-optimizer", _DADAPT, learning_rate_free=True),
    "DAdaptLion": OptimizerKind("pytorch_optimizer:DAdaptLion", "pytorch-optimizer", _DADAPT, learning_rate_free=True),
    "DAdaptSGD": OptimizerKind("pytorch_optimizer:DAdaptSGD", "pytorch-optimizer", _DADAPT, learning_rate_free=True),
    "Adafactor": OptimizerKind(
        "transformers.optimization:Adafactor", "transformers", {"relative_step": False, "scale_parameter": False},
        refused={"relative_step": _OWN_RATE, "warmup_init": _OWN_RATE},
    ),
    "CAME": OptimizerKind("pytorch_optimizer:CAME", "pytorch-optimizer", {"weight_decay": 0.01}),
    "AdamWScheduleFree": OptimizerKind("schedulefree:AdamWScheduleFree", "schedulefree", {"weight_decay": 0.01}, averages=True),
    "Muon": OptimizerKind("lorasmith.training.optim.muon:Muon", "torch"),
}  # fmt: skip


def kind_of(name: str) -> OptimizerKind:
    """The kind behind a name, or behind a dotted path such as `torch.optim.RAdam`.

    Raises SettingsError where there is no such name; it names the nearest one.
    """
    if name in OPTIMIZERS:
        return OPTIMIZERS[name]
    module, dot, class_name = name.rpartition(".")
    if dot and module and class_name:
        return OptimizerKind(f"{module}:{class_name}", module.split(".")[0])
    folded = {known.casefold(): known for known in OPTIMIZERS}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    hint = f"did you mean {folded[near[0]]!r}?" if near else f"known: {', '.join(OPTIMIZERS)}, or a dotted path such as torch.optim.RAdam"
    raise SettingsError(f"optimizer.type: there is no optimizer {name!r}; {hint}")


def optimizer_class(name: str) -> type[torch.optim.Optimizer]:
    """The class behind a name; raises SettingsError with what to install, or what machine it needs."""
    import torch

    kind = kind_of(name)
    if kind.needs_gpu and not torch.cuda.is_available():
        raise SettingsError(
            f"optimizer.type {name!r} keeps its state in 8 bits on an NVIDIA GPU, and torch sees none; use {name.replace('Paged', '').replace('8bit', '')!r}"
        )
    module, class_name = kind.path.split(":")
    try:
        found = getattr(importlib.import_module(module), class_name, None)
    except ImportError as error:
        raise SettingsError(
            f"optimizer.type {name!r} needs the package {kind.package}; install it with: pip install {kind.package}"
        ) from error
    if not (isinstance(found, type) and issubclass(found, torch.optim.Optimizer)):
        raise SettingsError(f"optimizer.type: {module} has no optimizer {class_name}; check the path")
    return found


def make_optimizer(name: str, groups: Iterable[Mapping[str, Any]], args: Mapping[str, Any]) -> torch.optim.Optimizer:
    """The optimizer over parameter `groups` (each with `params`, `lr`, `name`).

    Raises SettingsError where it does not know one of `args`, or one is of another type than it expects.
    """
    kind, found = kind_of(name), optimizer_class(name)
    known = {
        key: parameter
        for key, parameter in inspect.signature(found).parameters.items()
        if key not in ("params", "lr", "self") and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }
    for key, value in args.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it knows {', '.join(sorted(known))}"
            raise SettingsError(f"optimizer.args: {name} knows no {key!r}; {hint}")
        if key in kind.refused and value:
            raise SettingsError(f"optimizer.args: {name}'s {key} takes the learning rate out of the settings' hands; {kind.refused[key]}")
        if not _fits(value, known[key].default):
            raise SettingsError(f"optimizer.args: {name}'s {key} is {value!r}, but should be like {known[key].default!r}; mend it")
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in {**kind.defaults, **args}.items()}
    try:
        make: Any = found  # each class has arguments of its own
        optimizer = make([dict(group) for group in groups], **values)
    except (ValueError, TypeError, NotImplementedError, AssertionError) as error:
        raise SettingsError(f"optimizer.args: {name} refuses them ({error}); mend the values") from error
    if kind.averages:
        optimizer.train()
    return optimizer


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
    """Within the block the trained parameters hold the weights to save and to draw with; afterwards, bit for bit, those to train.

    Only averaging optimizers make a difference between the two.
    """
    import torch

    if not kind_of(name).averages:
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
