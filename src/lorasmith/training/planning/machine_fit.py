"""Whether this machine can do a run: the GPUs and packages that it asks for. Only torch knows, so this is apart from `check`."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec

from lorasmith.errors import SettingsError
from lorasmith.models.device import choose_device
from lorasmith.training.distributed.workers import check_gpus
from lorasmith.training.listeners import wandb_log
from lorasmith.training.optim.optimizers import check_optimizer
from lorasmith.training.settings.tree import Settings


def check_machine(settings: Settings) -> None:
    """Raises SettingsError where a GPU or a package is missing, or the optimizer does not take its arguments."""
    device = choose_device(settings.training.device)
    check_gpus(settings.training.num_processes, device)
    check_optimizer(settings.optimizer.type, settings.optimizer.args)
    if settings.training.torch_compile:
        check_compiler(device)
    if settings.logging.wandb_project is not None:
        wandb_log.check_installed()


COMPILERS = ("cc", "gcc", "clang", "cl")


def check_compiler(device: str) -> None:
    """Raises SettingsError where torch could not compile: it needs a C compiler and, for a GPU, Triton."""
    if device != "cpu" and find_spec("triton") is None:
        raise _cannot_compile("the package triton, which comes with torch on Linux (on Windows: pip install triton-windows)", "triton")
    if not any(shutil.which(name) for name in (os.environ.get("CC"), *COMPILERS) if name):
        raise _cannot_compile("a C compiler such as gcc", "gcc")


def _cannot_compile(needed: str, package: str) -> SettingsError:
    return SettingsError(
        f"training.torch_compile needs {needed}. Install it, or set training.torch_compile to false.",
        code="settings.needs_package", setting="training.torch_compile", package=package,
    )  # fmt: skip
