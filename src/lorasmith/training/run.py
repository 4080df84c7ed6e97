"""A run, from settings to a finished LoRA, as a short story: check, load the model, attach what trains, cache latents and texts, free
memory, begin, loop, finish.

`train` starts a run in a new folder, `resume` continues one that was stopped or killed. Since every random draw is a function of
(seed, step, ...), the state is small, and a resumed run ends in the same bytes as one that was never interrupted.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lorasmith.adapters.tools.merged_base import check_removable, with_merged
from lorasmith.atomic import WriteFailed
from lorasmith.command_line import quoted
from lorasmith.errors import InputError, LorasmithError, SettingsError
from lorasmith.findings import Finding
from lorasmith.models.base import Base
from lorasmith.models.compiled_blocks import uncompiled
from lorasmith.models.description import Description
from lorasmith.models.device import choose_device
from lorasmith.models.memory import offloaded
from lorasmith.models.open import load_base
from lorasmith.pages.numbers import count
from lorasmith.stores import url_of
from lorasmith.training import events
from lorasmith.training.base_fit import check_base_fits
from lorasmith.training.caching import cache_latents, cache_texts, free_unused, latent_source
from lorasmith.training.commands import Commands, StopRequested, drop_all
from lorasmith.training.data import TrainingData
from lorasmith.training.determinism import deterministic_kernels
from lorasmith.training.distributed.lost import LOST
from lorasmith.training.distributed.process_group import ProcessGroup
from lorasmith.training.distributed.workers import several_processes
from lorasmith.training.events import Emitter, Listener
from lorasmith.training.forecast.memory_fit import fit_to_memory
from lorasmith.training.learner.continuation import check_weights, forget_parent, open_parent
from lorasmith.training.learner.learner import Learner, make_learner
from lorasmith.training.learner.saved_states import newest_step
from lorasmith.training.learner.state import TrainState, load_newest_state
from lorasmith.training.listeners.registry import plotting_listeners
from lorasmith.training.loop import loop
from lorasmith.training.out_of_memory import out_of_memory
from lorasmith.training.planning.base_fit import check_merged
from lorasmith.training.planning.check import CheckedRun, check
from lorasmith.training.planning.machine_fit import check_can_use_ray, check_machine
from lorasmith.training.records.checkpoints import DTYPES
from lorasmith.training.records.event_log import EventLog, read_history
from lorasmith.training.records.manifest import (
    check_inputs_unchanged,
    inputs_of,
    record_stretch,
    settings_before,
    thread_count,
    write_manifest,
)
from lorasmith.training.records.metrics import Metrics
from lorasmith.training.records.mirror import Mirror, begin_mirror, bring_run, folder_of, mirror_of, refuse_taken
from lorasmith.training.records.run_folder import RunFolder, could_not_write
from lorasmith.training.running import Run
from lorasmith.training.sampling import generate_samples
from lorasmith.training.saving import keep_final, save_checkpoint, save_run_state, step_suffix
from lorasmith.training.settings.changes import changes_between, check_changes, with_changes
from lorasmith.training.settings.tree import Settings
from lorasmith.training.validation.validation import Validator, validation_pictures, validation_timesteps
from lorasmith.training.validation.validation_set import PLAIN
from lorasmith.training.validation.warnings import never_over

WORKER = f"{__package__}.worker"
"""What the other processes of a run execute."""
RAY_DRIVER = f"{__package__}.ray_driver"
"""What the process executes that belongs to the cluster of a run over Ray."""


@dataclass(frozen=True)
class RunResult:
    """`finished` is False where the run was stopped; `file` is the final LoRA or that of the last step, None where there is none."""

    folder: Path
    finished: bool
    step: int
    file: Path | None


def train(
    settings: Settings, folder: str | Path, listeners: Iterable[Listener] = (), commands: Commands | None = None, ray: str | None = None
) -> RunResult:
    """Train a LoRA in a new run folder; a URL is that of a folder in a store, where the run in runs/NAME is kept as well (`records.mirror`).

    With `ray`, the address of a Ray cluster as `lorasmith.cluster.joined` has it, its processes are on the nodes of that.

    Raises InputError where settings, pictures or base cannot be used, and then leaves nothing behind; RunError where the run could not go
    on, and then what was saved before is whole.
    """
    started = time.monotonic()
    checked = check(settings)
    if ray is not None:
        check_can_use_ray(settings)
    else:
        check_machine(settings)
        checked = fit_to_memory(checked)
    settings = checked.settings
    check_weights(settings, checked.description.family)
    check_merged(settings.base, checked.description.family)
    url = url_of(folder)
    if url is not None:
        refuse_taken(url)
    run_folder = RunFolder(folder_of(folder))
    run_folder.create(settings)
    if url is not None:
        begin_mirror(run_folder.root, url)
    try:
        with run_folder.in_use():
            return run_here_or_there(checked, run_folder, listeners, commands or Commands(), started, ray)
    except InputError:
        run_folder.remove_unstarted()
        raise


def resume(
    folder: str | Path, listeners: Iterable[Listener] = (), commands: Commands | None = None, changes: Mapping[str, Any] | None = None,
    ray: str | None = None,
) -> RunResult:  # fmt: skip
    """Continue the run in `folder`, or at its URL in a store, from its last saved state; a finished run is left as it is, unless it is made longer.

    `changes` are settings to continue with, by dotted names (`{"training.epochs": 20}`); those that were edited in the run's settings.toml
    count as well. Either begins a new stretch of the run, which its manifest records.

    Raises SettingsError where such a setting cannot change any more, RunError where pictures, captions or base have changed since the run
    began, or another version of Lorasmith saved it.
    """
    started = time.monotonic()
    run_folder = RunFolder(bring_run(folder))
    settings = run_folder.read_settings()
    with run_folder.in_use():
        if changes:
            settings = with_changes(settings, changes)
        checked = check(settings)
        check_continues(checked, run_folder)
        if ray is not None:
            check_can_use_ray(settings)
        if changes:
            run_folder.write_settings(settings)
        return run_here_or_there(checked, run_folder, listeners, commands or Commands(), started, ray)


def check_continues(checked: CheckedRun, folder: RunFolder) -> None:
    """Raises SettingsError where the run cannot go on with these settings; one without a saved state starts again, with any."""
    step, before = newest_step(folder.state), settings_before(folder.manifest)
    if not step:
        forget_parent(folder.root, before, checked.settings)
    elif before is not None and check_changes(before, checked.settings, str(folder.root)) and checked.plan.steps < step:
        raise SettingsError(
            f"The run {folder.root} has done {count(step, 'step')}, and its settings would end it after {checked.plan.steps}. Make it longer, or use one "
            f"of the LoRAs in {folder.checkpoints}.",
            code="run.cannot_shorten", step=step, steps=checked.plan.steps,
        )  # fmt: skip


def run_here_or_there(
    checked: CheckedRun, folder: RunFolder, listeners: Iterable[Listener], commands: Commands, started: float, ray: str | None
) -> RunResult:
    """The run in processes of this machine or, with an address, on the nodes of a Ray cluster."""
    if ray is None:
        return run_main_process(checked, folder, listeners, commands, started)
    from lorasmith.training.run_over_ray import run_over_ray

    result: RunResult | None = run_over_ray(checked, folder, listeners, commands, ray, started, RAY_DRIVER)
    return result or RunResult(folder.root, False, newest_step(folder.state), None)


def run_main_process(
    checked: CheckedRun, folder: RunFolder, listeners: Iterable[Listener], commands: Commands, started: float
) -> RunResult:
    """The run in the process that the user started: it reports events, takes commands, and starts the other processes."""
    training = checked.settings.training
    device = choose_device(training.device)
    drop_all(folder.commands)
    with (
        deterministic_kernels(training.deterministic, device),
        several_processes(training.num_processes, WORKER, folder.root, device) as process_group,
    ):
        return lead(checked, folder, listeners, commands, process_group, started)


def lead(
    checked: CheckedRun, folder: RunFolder, listeners: Iterable[Listener], commands: Commands, process_group: ProcessGroup,
    started: float, warnings: Sequence[str] = (),
) -> RunResult:  # fmt: skip
    """The run in its process 0, wherever that is: it alone writes files and reports events, `warnings` before anything else."""
    settings, state = checked.settings, TrainState()
    is_new = not folder.events.exists()
    plots = plotting_listeners(settings.logging, folder.root, settings.name, settings.model_dump(mode="json"))
    event_log = EventLog(folder.events)
    emit = Emitter([event_log, *plots, *listeners])
    url = mirror_of(folder.root)
    mirror = Mirror(folder.root, url, emit.warn) if url is not None else None
    if mirror is not None:
        emit.listeners.append(mirror)
    try:
        emit.warn(*warnings)
        commands.listen(folder.commands)
        folder.remove_leftovers()
        state = last_state(folder, emit)
        return phases(checked, folder, state, emit, commands, process_group, is_new, started)
    except StopRequested:
        return stopped_before_a_step(folder, state, emit)
    except (WriteFailed, torch.OutOfMemoryError) as error:
        if isinstance(error, WriteFailed):
            failed = could_not_write(error, folder.root)
        else:
            failed = out_of_memory(settings, choose_device(settings.training.device), state.step, folder.root)
        emit(events.Stopped(state.step, str(failed), failed.code))
        raise failed from error
    except LorasmithError as error:
        if not (process_group.restarts and error.code == LOST):
            emit(events.Stopped(state.step, str(error), error.code))
        raise
    finally:
        if mirror is not None:
            mirror.close()
        event_log.close()


def run_worker(folder: Path, process_group: ProcessGroup) -> None:
    """The run in `folder` in another of its processes: the same phases, without reporting anything or writing into the folder."""
    run_folder, nobody = RunFolder(folder), Emitter()
    checked = check(run_folder.read_settings())
    training = checked.settings.training
    with deterministic_kernels(training.deterministic, choose_device(training.device)):
        phases(
            checked, run_folder, last_state(run_folder, nobody), nobody, Commands(), process_group, is_new=True, started=time.monotonic()
        )


def phases(
    checked: CheckedRun, folder: RunFolder, state: TrainState, emit: Emitter, commands: Commands, process_group: ProcessGroup,
    is_new: bool, started: float,
) -> RunResult:  # fmt: skip
    """The phases after the check: the same for a new run and a resumed one, and in every process that shares it."""
    settings, plan = checked.settings, checked.plan
    emit.warn(*checked.findings)
    commands.raise_if_stopping()
    base = load_model(checked, emit)
    learner = attach_learner(settings, folder, base, emit, process_group)
    check_inputs(checked, folder, learner, state, emit)
    offloads = settings.training.offload_while_caching
    encoders = [module for name, module in base.parts.items() if name != base.denoiser]
    with offloaded([base.parts[base.denoiser]], offloads):
        with offloaded(encoders, offloads):
            data = cache_training_latents(checked, learner, emit, commands)
            validator = make_validator(checked, learner, emit, commands)
        metrics = Metrics(learner.adapters, learner.optimizer, plan.steps, state.loss_sums)
        run = Run(settings, folder, plan, learner, data, validator, metrics, emit, commands)
        cache_texts(run)
        free_unused(run)
        del encoders
    emit(events.Planned(plan.steps, plan.epochs, plan.pictures, plan.batches_per_epoch, sum(p.numel() for p in learner.parameters)))
    begin(run, state, is_new)
    emit(events.PhaseStarted("train", f"after {time.monotonic() - started:.1f} s"))
    stopped = loop(run, state)
    return stop_early(run, state) if stopped else finish(run, state)


# -- the phases -------------------------------------------------------------------------------------------------------


def last_state(folder: RunFolder, emit: Emitter) -> TrainState:
    """What was saved last, or the beginning; damaged files are reported."""
    state, damaged = load_newest_state(folder.state)
    for path in damaged:
        since = f"step {state.step}, the one saved before" if state else "the beginning"
        emit.warn(f"The saved state {path} is damaged, so the run continues from {since}. Check the disk.")
    return state or TrainState()


def load_model(checked: CheckedRun, emit: Emitter) -> Base:
    """Load the base and make sure that settings and pictures fit it."""
    settings = checked.settings
    emit(events.PhaseStarted("model", str(settings.base.path)))
    base = open_trained_base(settings, checked.description)
    emit.warn(*check_base_fits(settings, checked.training_set, base))
    return base


def open_trained_base(settings: Settings, description: Description) -> Base:
    """The base of a training as its settings ask for it, on its device."""
    dtype, device = DTYPES[settings.training.mixed_precision], choose_device(settings.training.device)
    for path, _ in settings.base.merged(in_samples=False):
        check_removable(description.family, path)
    merged = with_merged(description, settings.base.merged())
    return load_base(merged, dtype, device, settings.base.quantize, settings.training.blocks_to_swap)


def attach_learner(settings: Settings, folder: RunFolder, base: Base, emit: Emitter, process_group: ProcessGroup) -> Learner:
    """The networks on the parts that train, with their optimizer; they start from a finished LoRA, if one is given."""
    learner, findings = make_learner(settings, base, open_parent(settings, folder.root, base), process_group)
    emit.warn(*findings)
    learner.ready_base()
    return learner


def check_inputs(checked: CheckedRun, folder: RunFolder, learner: Learner, state: TrainState, emit: Emitter) -> None:
    """Record what the run works with or, where it continues, make sure that it still is the same."""
    if not learner.process_group.is_main:
        return
    inputs = inputs_of(checked.training_set, learner.base.fingerprints, learner.parent.sha256 if learner.parent else None)
    threads = torch.get_num_threads()
    if not state.saved:
        write_manifest(folder.manifest, inputs, checked.settings, choose_device(checked.settings.training.device), threads)
        return
    check_inputs_unchanged(folder.manifest, inputs)
    begin_stretch(checked.settings, folder, state, emit)
    before = thread_count(folder.manifest)
    if before not in (None, threads):
        emit.warn(
            f"The run began with {count(before or 0, 'thread')} and continues with {threads}, so the result can differ in the last digits. "
            f"Set OMP_NUM_THREADS={before} to keep it exact."
        )


def begin_stretch(settings: Settings, folder: RunFolder, state: TrainState, emit: Emitter) -> None:
    """Record and report settings that differ from those that the run had up to here."""
    before = settings_before(folder.manifest)
    changes = changes_between(before, settings) if before is not None else []
    if changes or before is None:
        record_stretch(folder.manifest, state.step, settings)
    if changes:
        emit.warn(
            Finding(
                "run.settings_changed", "note", about="setting", subjects=tuple(change.setting for change in changes),
                message=f"The run continues after step {state.step} with changed settings: {'; '.join(map(str, changes))}.",
            )
        )  # fmt: skip


def cache_training_latents(checked: CheckedRun, learner: Learner, emit: Emitter, commands: Commands) -> TrainingData:
    """The training images with their latents."""
    settings, pictures = checked.settings, checked.training_set.pictures
    emit(events.PhaseStarted("cache", count(len(pictures), "picture")))
    source = latent_source(settings, learner.base, pictures, settings.datasets)
    cache_latents(source, emit, commands, learner.process_group)
    return TrainingData(settings, checked.training_set, checked.plan, source, learner.process_group)


def make_validator(checked: CheckedRun, learner: Learner, emit: Emitter, commands: Commands) -> Validator | None:
    """What validates the run, with the latents of its pictures; None where nothing is held out."""
    settings, chosen = checked.settings, checked.validation_set
    if chosen is None:
        return None
    source = latent_source(settings, learner.base, chosen.pictures, [PLAIN])
    cache_latents(source, emit, commands, learner.process_group, "validation latents")
    pictures = validation_pictures(chosen, source, settings.captions.rules)
    timesteps = validation_timesteps(settings.validation.timesteps, settings.noise.timesteps)
    count = len(chosen.held_out)
    validator = Validator(
        learner.base, learner.objective, settings.training.batch_size, timesteps, pictures[:count], pictures[count:],
        settings.validation.stop_when_over,
    )  # fmt: skip
    if settings.validation.stop_when_over is not None and not validator.tells_over:
        emit.warn(never_over())
    return validator


def begin(run: Run, state: TrainState, is_new: bool) -> None:
    """Restore what was saved or, at the very start, sample and validate the base as it is."""
    learner, validator = run.learner, run.validator
    if state.saved:
        learner.restore(state)
    if state.saved or not is_new:
        run.emit(events.Resumed(state.step))
        keep_final(run, state)
    learner.process_group.barrier()
    if validator is not None and state.saved:
        validator.restore(event for _, event in read_history(run.folder.events))
    if not state.saved:
        generate_samples(run, epoch=0, step=0)
        if validator is not None:
            with uncompiled(run.settings.training.torch_compile):
                run.emit(*validator.validate_base(learner.adapters, learner.texts, learner.process_group))


def finish(run: Run, state: TrainState) -> RunResult:
    """Write the final LoRA, and say why where the run ends before its last step."""
    run.emit(events.PhaseStarted("finish"))
    file = save_checkpoint(run, run.plan.epoch_and_step_of(state.step - 1)[0], state.step, final=True)
    early = ""
    if run.over is not None and state.step < run.plan.steps:
        early = f"{run.over} Continue anyway with: lorasmith resume {quoted(run.folder.root)} --set validation.stop_when_over="
    run.emit(events.Finished(state.step, state.elapsed, file.relative_to(run.folder.root).as_posix(), early))
    return RunResult(run.folder.root, True, state.step, file)


def stop_early(run: Run, state: TrainState) -> RunResult:
    """Save the state, and the LoRA of this moment; before the first step there is nothing to save, and the run starts again."""
    if not state.step:
        return stopped_before_a_step(run.folder, state, run.emit)
    save_run_state(run, state)
    file = save_checkpoint(run, run.plan.epoch_and_step_of(state.step)[0], state.step, step_suffix(state.step))
    reason = f"Stopped after step {state.step} of {run.plan.steps}. Continue with: lorasmith resume {quoted(run.folder.root)}"
    run.emit(events.Stopped(state.step, reason))
    return RunResult(run.folder.root, False, state.step, file)


def stopped_before_a_step(folder: RunFolder, state: TrainState, emit: Emitter) -> RunResult:
    """End before a step was done; what was saved earlier stays the newest."""
    emit(events.Stopped(state.step, f"Stopped before step {state.step + 1}. Continue with: lorasmith resume {quoted(folder.root)}"))
    return RunResult(folder.root, False, state.step, None)
