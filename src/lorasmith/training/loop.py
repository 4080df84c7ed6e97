"""The loop: step after step to the last one, with everything that is due between them."""

from __future__ import annotations

import time

from lorasmith.models.compiled_blocks import uncompiled
from lorasmith.training import events
from lorasmith.training.due import due_after_epoch, due_after_step
from lorasmith.training.learner.state import TrainState
from lorasmith.training.non_finite import too_many_skipped
from lorasmith.training.running import Run
from lorasmith.training.sampling import generate_samples
from lorasmith.training.saving import epoch_suffix, save_checkpoint, save_run_state, step_suffix
from lorasmith.training.step import StepResult, ready, step


def loop(run: Run, state: TrainState) -> bool:
    """Train from `state` to the last step, or until validation says that the run is over; True where a stop was requested before that."""
    began, before = time.monotonic(), state.elapsed
    saved_at = time.monotonic()
    run.commands.look()
    while state.step < run.plan.steps and run.over is None:
        if run.learner.process_group.from_main(run.commands.stopping):
            return True
        epoch, step_in_epoch = run.plan.epoch_and_step_of(state.step)
        train_step(run, state, epoch, step_in_epoch)
        state.elapsed = before + time.monotonic() - began
        run.commands.look()
        ends_epoch = step_in_epoch + 1 == run.plan.steps_per_epoch or state.step == run.plan.steps
        save_and_sample(run, state, epoch, ends_epoch)
        if ends_epoch:
            end_epoch(run, state, epoch)
            saved_at = time.monotonic()
        elif time.monotonic() - saved_at >= run.settings.checkpoints.save_state_every_seconds:
            save_run_state(run, state)
            saved_at = time.monotonic()
    return False


def train_step(run: Run, state: TrainState, epoch: int, step_in_epoch: int) -> None:
    """Do the next step, and count and report it."""
    started = time.monotonic()
    lrs = run.learner.set_rates(run.settings.schedule.lr_factor(state.step, run.plan.steps))
    batches = run.ahead.pop(state.step, None) or run.data.batches(epoch, step_in_epoch, state.step)
    samples = run.data.samples_in(epoch, step_in_epoch)
    result = step(run.learner, batches, state.step, samples_in_step=samples, meanwhile=lambda: prepare_ahead(run, state.step + 1))
    state.step += 1
    if run.learner.recorded is not None and run.learner.recorded.findings:
        run.emit.warn(run.learner.recorded.findings.pop())
    if result.overflowed or result.non_finite:
        skip_step(run, state, result)
        return
    state.non_finite_in_a_row = 0
    state.epoch_loss += result.loss
    state.epoch_steps += 1
    run.emit(run.metrics.step_done(state.step, epoch, result, lrs, time.monotonic() - started))


def prepare_ahead(run: Run, number: int) -> None:
    """Prepare the batches of step `number`, unless that needs the autoencoder: what is drawn for them depends on nothing that comes before."""
    if number < run.plan.steps and not run.data.latents.needs_encoder:
        batches = run.data.batches(*run.plan.epoch_and_step_of(number), number)
        run.ahead[number] = [ready(run.learner, batch, number) for batch in batches]


def skip_step(run: Run, state: TrainState, result: StepResult) -> None:
    """Report a step that changed no weight. Raises RunError where its loss was not finite too many times in a row."""
    if result.overflowed:
        run.emit(events.StepSkipped(state.step, [], [], 0))
        return
    state.non_finite_in_a_row += 1
    images, timesteps = [s.name for s in result.non_finite], [s.timestep for s in result.non_finite]
    run.emit(events.StepSkipped(state.step, images, timesteps, state.non_finite_in_a_row))
    if state.non_finite_in_a_row >= run.settings.training.max_non_finite_steps:
        raise too_many_skipped(state.step, state.non_finite_in_a_row, result.non_finite, run.settings.training.mixed_precision)


def save_and_sample(run: Run, state: TrainState, epoch: int, ends_epoch: bool) -> None:
    """What is due after a step, or was requested meanwhile; samples that the end of its epoch generates are left to that."""
    due = due_after_step(run.settings, state.step, run.plan.steps)
    if run.commands.take("save") or due.checkpoint:
        save_checkpoint(run, epoch, state.step, step_suffix(state.step))
    follow = ends_epoch and due_after_epoch(run.settings, epoch, state.step == run.plan.steps, run.plan.steps_per_epoch).samples
    if (run.commands.take("sample") or due.samples) and not follow:
        generate_samples(run, epoch, state.step)


def end_epoch(run: Run, state: TrainState, epoch: int) -> None:
    """Report the epoch; save its checkpoint, generate its samples, validate and, last, save the state that continues after it."""
    if state.epoch_steps:
        run.emit(events.EpochDone(epoch, state.step, state.epoch_loss / state.epoch_steps))
    state.epoch_loss, state.epoch_steps = 0.0, 0
    due = due_after_epoch(run.settings, epoch, state.step == run.plan.steps, run.plan.steps_per_epoch)
    if due.checkpoint:
        save_checkpoint(run, epoch, state.step, epoch_suffix(epoch))
    if due.samples:
        generate_samples(run, epoch, state.step)
    if run.validator is not None and due.validation:
        learner = run.learner
        with learner.weights_for_use(), uncompiled(run.settings.training.torch_compile):
            run.emit(*run.validator.validate(learner.adapters, learner.texts, epoch, state.step, learner.process_group))
    save_run_state(run, state)
