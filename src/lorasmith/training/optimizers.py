"""Optimizers by the names that users type."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from lorasmith.errors import SettingsError


def _adamw() -> type[torch.optim.Optimizer]:
    return torch.optim.AdamW


def _prodigy() -> type[torch.optim.Optimizer]:
    try:
        from prodigyopt import Prodigy
    except ImportError as error:
        raise SettingsError("optimizer.type 'Prodigy' needs the package prodigyopt; install it with: pip install prodigyopt") from error
    return Prodigy


OPTIMIZERS: dict[str, Callable[[], type[torch.optim.Optimizer]]] = {"AdamW": _adamw, "Prodigy": _prodigy}

# What differs from the class's own defaults: Prodigy as its authors advise for diffusion models.
DEFAULTS: dict[str, dict[str, Any]] = {
    "AdamW": {"weight_decay": 0.01},
    "Prodigy": {"decouple": True, "weight_decay": 0.01, "use_bias_correction": True, "safeguard_warmup": True},
}


def make_optimizer(name: str, groups: Iterable[Mapping[str, Any]], args: Mapping[str, Any]) -> torch.optim.Optimizer:
    """The optimizer over parameter `groups` (each with `params`, `lr`, `name`).

    Raises SettingsError where it does not know one of `args`.
    """
    kind = OPTIMIZERS[name]()
    known = set(inspect.signature(kind).parameters) - {"params", "lr"}
    for key in args:
        if key not in known:
            raise SettingsError(f"optimizer.args: {name} knows no {key!r}; it knows {', '.join(sorted(known))}")
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in {**DEFAULTS[name], **args}.items()}
    try:
        return kind([dict(group) for group in groups], **values)
    except (ValueError, TypeError) as error:
        raise SettingsError(f"optimizer.args: {name} refuses them ({error}); mend the values") from error


def class_path(name: str) -> str:
    """Where the optimizer comes from, as kohya's metadata has it: torch.optim.adamw.AdamW."""
    kind = OPTIMIZERS[name]()
    return f"{kind.__module__}.{kind.__qualname__}"
