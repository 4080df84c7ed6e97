"""What a run saves on its way: LoRA files to use, and its state to continue from. Only the main process writes."""

from __future__ import annotations

from pathlib import Path

from lorasmith.training import events
from lorasmith.training.learner.state import TrainState, save_state
from lorasmith.training.non_finite import weights_not_finite
from lorasmith.training.records.checkpoints import ema_beside, write_checkpoint
from lorasmith.training.records.lora_metadata import TrainedBase, lora_metadata, model_files, ranks_and_alphas
from lorasmith.training.records.manifest import continued_with
from lorasmith.training.running import Run


def save_run_state(run: Run, state: TrainState) -> None:
    """Save everything that a killed run needs to continue.

    Raises RunError where the weights are not finite: what was saved before stays the newest.
    """
    if not run.is_main:
        return
    _refuse_not_finite(run, state.step)
    run.learner.save_to(state)
    state.loss_sums = run.metrics.sums
    save_state(run.folder.state, state)
    run.emit(events.StateSaved(state.step))


def save_checkpoint(run: Run, epoch: int, step: int, suffix: str = "", final: bool = False) -> Path:
    """Write the LoRA of this moment as NAME + `suffix`, and the EMA's beside it where there is one; returns its path.

    Raises RunError where the weights are not finite.
    """
    path = run.folder.checkpoints / f"{run.settings.name}{suffix}.safetensors"
    if not run.is_main:
        return path
    _refuse_not_finite(run, step)
    learner = run.learner
    metadata = lora_metadata(
        run.settings,
        run.plan,
        run.data.training_set,
        TrainedBase.of(learner.base),
        epoch,
        step,
        ranks_and_alphas(learner.adapters),
        learner.parent,
        model_files(run.settings), continued_with(run.folder.manifest), 0 if run.validator is None else run.validator.held_out,
    )  # fmt: skip
    for written in reversed(write_checkpoint(path, learner, metadata, run.settings.checkpoints.save_precision)):
        run.emit(events.CheckpointSaved(written.relative_to(run.folder.root).as_posix(), epoch, step, final and written == path))
    return path


def _refuse_not_finite(run: Run, step: int) -> None:
    if not run.learner.is_finite:
        raise weights_not_finite(step, run.folder.root)


def keep_final(run: Run, state: TrainState) -> None:
    """Where a finished run goes on, name the LoRA that was its last one after its epoch or step, so that the new last one spares it."""
    final = run.folder.checkpoints / f"{run.settings.name}.safetensors"
    if not run.is_main or not final.exists() or state.step >= run.plan.steps:
        return
    epoch, into_epoch = run.plan.epoch_and_step_of(state.step)
    suffix = step_suffix(state.step) if into_epoch else epoch_suffix(epoch - 1)
    for path in (final, ema_beside(final)):
        if path.exists():
            kept = path.replace(path.with_name(path.name.replace(run.settings.name, run.settings.name + suffix, 1)))
            run.emit(events.CheckpointSaved(kept.relative_to(run.folder.root).as_posix(), epoch if into_epoch else epoch - 1, state.step))


def step_suffix(step: int) -> str:
    """How the LoRA of a step within an epoch is named: NAME-step00000412."""
    return f"-step{step:08d}"


def epoch_suffix(epoch: int) -> str:
    """How the LoRA of an epoch is named: NAME-000003."""
    return f"-{epoch:06d}"
