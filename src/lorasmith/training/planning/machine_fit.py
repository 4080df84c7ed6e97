"""Whether this machine can do a run: the GPUs and packages that it asks for. Only torch knows, so this is apart from `check`."""

from __future__ import annotations

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
    if settings.logging.wandb_project is not None:
        wandb_log.check_installed()
