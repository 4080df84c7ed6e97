"""Whether this machine can do a run: the GPUs and packages that it asks for. Only torch knows, so this is apart from `check`."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec

from lorasmith import cluster
from lorasmith.errors import SettingsError
from lorasmith.models.device import choose_device
from lorasmith.training.distributed.workers import check_gpus
from lorasmith.training.listeners import wandb_log
from lorasmith.training.optim.optimizers import check_optimizer
from lorasmith.training.settings.tree import Settings


def check_machine(settings: Settings) -> None:
    """Raises SettingsError where a GPU or a package is missing, or the optimizer does not take its arguments."""
    check_gpus(settings.training.num_processes, choose_device(settings.training.device))
    check_packages(settings)


def check_packages(settings: Settings) -> None:
    """The same of the packages alone, where the GPUs are of other machines as well."""
    check_optimizer(settings.optimizer.type, settings.optimizer.args)
    if settings.training.torch_compile:
        check_compiler(choose_device(settings.training.device))
    if settings.logging.wandb_project is not None:
        wandb_log.check_installed()


def check_can_use_ray(settings: Settings) -> None:
    """Raises InputError where Ray is not installed, SettingsError where a setting means this machine alone."""
    cluster.check_installed()
    if settings.training.memory != "off":
        raise SettingsError(
            "training.memory fits a run to the GPU of this machine, and --ray trains on others. Set it to off, and "
            "training.gradient_checkpointing or training.blocks_to_swap as the nodes need it.",
            code="settings.contradiction", setting="training.memory",
        )  # fmt: skip
    if settings.training.device == "mps":
        raise SettingsError(
            "training.device is mps, and Ray knows no such GPUs. Set it to auto, cuda or cpu.",
            code="settings.value", setting="training.device",
        )  # fmt: skip


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
