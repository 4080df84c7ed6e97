"""A run, from settings to a finished LoRA, as a short story: check, load the model, attach what learns, cache latents and texts,
give memory back, begin, loop, finish.

`train` begins a run in a new folder, `resume` goes on with one that was stopped or killed. Since every draw is a function of
(seed, step, ...), the state is small, and a resumed run ends in the same bytes as one that was never interrupted.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lorasmith.atomic import WriteFailed, write_atomically
from lorasmith.datasets.latent_source import LatentSource
from lorasmith.datasets.training_set import TrainingSet
from lorasmith.errors import InputError, LorasmithError, SettingsError
from lorasmith.models.base import Base
from lorasmith.models.open import open_base
from lorasmith.models.sampling import sample
from lorasmith.training import events
from lorasmith.training.commands import Commands
from lorasmith.training.data import TrainingData
from lorasmith.training.determinism import deterministic_kernels
from lorasmith.training.distributed.process_group import ProcessGroup
from lorasmith.training.distributed.workers import several_processes
from lorasmith.training.events import Emitter, EventLog, Listener, read_events
from lorasmith.training.learner.continuation import check_weights, open_parent
from lorasmith.training.learner.learner import Learner, make_learner
from lorasmith.training.listeners.curves import curve_listeners
from lorasmith.training.non_finite import give_up, weights_non_finite
from lorasmith.training.objective.preservation import all_class_captions
from lorasmith.training.planning.check import CheckedRun, check
from lorasmith.training.planning.plan import Plan
from lorasmith.training.records.checkpoints import DTYPES, write_checkpoint
from lorasmith.training.records.lora_metadata import lora_metadata
from lorasmith.training.records.metrics import Metrics
from lorasmith.training.records.run_folder import RunFolder, could_not_write, describe_inputs, describe_machine
from lorasmith.training.records.state import TrainState, load_newest_state, save_state
from lorasmith.training.settings.tree import Settings
from lorasmith.training.step import StepResult, step
from lorasmith.training.validation.validation import Validator, make_validator
from lorasmith.training.validation.validation import due as validation_due


@dataclass
class Run:
    """What the phases hand to each other."""

    settings: Settings
    folder: RunFolder
    plan: Plan
    learner: Learner
    data: TrainingData
    validator: Validator | None
    metrics: Metrics
    emit: Emitter
    commands: Commands


@dataclass(frozen=True)
class RunResult:
    """`finished` is False where the run was stopped; `file` is the final LoRA, if there is one."""

    folder: Path
    finished: bool
    step: int
    file: Path | None


class StopAsked(Exception):
    """A stop was asked for before the loop began."""


def train(settings: Settings, folder: Path, listeners: Iterable[Listener] = (), commands: Commands | None = None) -> RunResult:
    """Train a LoRA in a new run folder.

    Raises InputError before anything is written where settings, data or base cannot be used.
    """
    begun = time.monotonic()
    checked = check(settings)
    check_weights(settings)
    run_folder = RunFolder(folder)
    run_folder.create(settings)
    try:
        with run_folder.in_use(), ready_to_compute(settings, folder) as process_group:
            return _work(checked, run_folder, listeners, commands or Commands(), begun, process_group)
    except InputError:
        run_folder.remove_unstarted()
        raise


def resume(folder: Path, listeners: Iterable[Listener] = (), commands: Commands | None = None) -> RunResult:
    """Go on with the run in `folder` from its last saved state; a finished run is left as it is.

    Raises RunError where pictures, captions or base have changed since.
    """
    begun = time.monotonic()
    run_folder = RunFolder(folder)
    settings = run_folder.read_settings()
    with run_folder.in_use():
        checked = check(settings)
        with ready_to_compute(settings, folder) as process_group:
            return _work(checked, run_folder, listeners, commands or Commands(), begun, process_group)


def work_along(folder: Path, process_group: ProcessGroup) -> None:
    """Work as another process of the run under way in `folder`: the same phases, without a word, and without writing into the folder."""
    run_folder = RunFolder(folder)
    settings = run_folder.read_settings()
    with deterministic_kernels(settings.training.deterministic, _device(settings)):
        _work(check(settings), run_folder, [], Commands(), time.monotonic(), process_group)


def _work(
    checked: CheckedRun, folder: RunFolder, listeners: Iterable[Listener], commands: Commands, begun: float, process_group: ProcessGroup
) -> RunResult:
    """The phases after the check, the same for a new run and a resumed one, and for every process that shares it."""
    settings, plan = checked.settings, checked.plan
    begins_anew = process_group.gather(not folder.events.exists())[0]  # as the run's own process finds it, before it writes there
    event_log = EventLog(folder.events) if process_group.is_main else None
    emit = Emitter([event_log, *curve_listeners(settings, folder.root), *listeners] if event_log else [])
    state = TrainState()
    try:
        if commands.stopping:
            raise StopAsked
        if process_group.is_main:
            folder.remove_leftovers()
        emit.warn(*checked.warnings, *checked.problems)
        base = load_model(settings, checked.training_set, emit)
        state = last_state(folder, emit)
        learner = attach_learner(settings, folder, base, emit, process_group)
        check_inputs(settings, folder, describe_inputs(checked.training_set, base, learner.parent), state, emit, process_group)
        validator = make_validator(checked.validation_set, base, settings) if checked.validation_set else None
        data = cache_latents(checked, base, emit, commands, process_group)
        metrics = Metrics(learner.adapters, learner.optimizer, plan.steps, state.loss_sums)
        run = Run(settings, folder, plan, learner, data, validator, metrics, emit, commands)
        cache_texts(run)
        give_memory_back(run)
        emit(events.Planned(plan.steps, plan.epochs, plan.pictures, plan.batches_per_epoch, sum(p.numel() for p in learner.parameters)))
        begin(run, state, begins_anew)
        emit(events.PhaseStarted("train", f"after {time.monotonic() - begun:.1f} s"))
        stopped = loop(run, state)
        return leave(run, state) if stopped else finish(run, state)
    except StopAsked:
        emit(events.Stopped(state.step, f"stopped before step {state.step + 1}; go on with: lorasmith resume {folder.root}"))
        return RunResult(folder.root, False, state.step, None)
    except WriteFailed as error:
        failed = could_not_write(error, folder.root)
        emit(events.Stopped(state.step, str(failed)))
        raise failed from error
    except LorasmithError as error:
        emit(events.Stopped(state.step, str(error)))
        raise
    finally:
        if event_log:
            event_log.close()


@contextmanager
def ready_to_compute(settings: Settings, folder: Path) -> Iterator[ProcessGroup]:
    """Within the block the other processes of the run are there, if it has some, and the kernels are as exact as is wanted."""
    training, device = settings.training, _device(settings)
    with deterministic_kernels(training.deterministic, device), several_processes(training.num_processes, folder, device) as process_group:
        yield process_group


# -- the phases -------------------------------------------------------------------------------------------------------


def load_model(settings: Settings, training_set: TrainingSet, emit: Emitter) -> Base:
    """Open the base and make sure that buckets and captions fit it."""
    emit(events.PhaseStarted("model", str(settings.base.path)))
    base = open_base(settings.base.path, DTYPES[settings.training.mixed_precision], _device(settings), **settings.base.open_options)
    for side in (settings.samples.width, settings.samples.height):
        if side is not None and side % base.pixel_step:
            raise SettingsError(
                f"samples.width and samples.height must be multiples of {base.pixel_step} pixels for this base, but one is {side}; change it"
            )
    odd = next((b for b in training_set.buckets if b[0] % base.pixel_step or b[1] % base.pixel_step), None)
    if odd is not None:
        raise SettingsError(
            f"the bucket {odd[0]} x {odd[1]} does not fit the base, whose sides go in steps of {base.pixel_step} pixels; "
            f"make buckets.bucket_reso_steps a multiple of {base.pixel_step}"
        )
    largest = max(max(item.resolution or settings.buckets.size) for item in training_set.pictures)
    if largest > 2 * base.native_resolution:
        emit.warn(
            f"the resolution {largest} is more than twice the base's native {base.native_resolution}; pictures tend to come out doubled"
        )
    lengths = [(base.count_tokens(item.picture.caption), item) for item in training_set.pictures if item.picture.caption]
    longest, item = max(lengths, key=lambda pair: pair[0], default=(0, None))
    most = base.max_tokens(settings.base.text_options)
    if longest > most and item is not None:
        count = sum(length > most for length, _ in lengths)
        emit.warn(
            f"{count} captions are longer than the {most} tokens that the base reads (the longest, {item.picture.path.name}, "
            f"has {longest}); what stands beyond is not trained"
        )
    return base


def last_state(folder: RunFolder, emit: Emitter) -> TrainState:
    """What was saved last, or the beginning; a damaged file is told of."""
    state, damaged = load_newest_state(folder.state)
    for path in damaged:
        since = f"step {state.step}, the one saved before" if state else "the beginning"
        emit.warn(f"the saved state {path} is damaged, so the run goes on from {since}; check the disk")
    return state or TrainState()


def check_inputs(
    settings: Settings, folder: RunFolder, inputs: dict[str, Any], state: TrainState, emit: Emitter, process_group: ProcessGroup
) -> None:
    """Write down what the run works with or, where it goes on, make sure that this is the same still."""
    if not process_group.is_main:
        return
    if not state.saved:
        folder.write_manifest({"inputs": inputs, **describe_machine(_device(settings))})
        return
    folder.check_inputs_unchanged(inputs)
    if folder.thread_count() not in (None, torch.get_num_threads()):
        emit.warn(
            f"the run began with {folder.thread_count()} threads and goes on with {torch.get_num_threads()}; "
            f"the result can differ in the last digits (set OMP_NUM_THREADS to keep it exact)"
        )


def attach_learner(settings: Settings, folder: RunFolder, base: Base, emit: Emitter, process_group: ProcessGroup) -> Learner:
    """The networks on the parts that learn, with their optimizer; they start where an earlier LoRA ended, if one is given."""
    learner, warnings = make_learner(settings, base, open_parent(settings, folder.root, base), process_group)
    emit.warn(*warnings)
    if settings.training.gradient_checkpointing:
        base.checkpoint_gradients()
    return learner


def cache_latents(checked: CheckedRun, base: Base, emit: Emitter, commands: Commands, process_group: ProcessGroup) -> TrainingData:
    """The latents of all pictures, from the cache or made now, each process its share; a stop keeps those that are made."""
    settings, training_set = checked.settings, checked.training_set
    emit(events.PhaseStarted("cache", f"{len(training_set.pictures)} pictures"))
    source = LatentSource(
        training_set.pictures, settings.datasets, base.encode_pixels, base.fingerprints["vae"], torch.float32,
        settings.cache / "latents", settings.training.seed, settings.training.latents_in_memory,
    )  # fmt: skip
    for done, total in source.prepare(process_group.rank, process_group.count):
        if commands.stopping:
            raise StopAsked
        emit(events.CacheProgress(done, total))
    process_group.barrier()
    return TrainingData(settings, training_set, checked.plan, source, process_group.rank)


def cache_texts(run: Run) -> None:
    """Encode every text that the run will ask for, where captions are drawn beforehand; a stop keeps those that are made."""
    if not run.settings.captions.cached_variants:
        return
    captions = run.data.all_captions()
    asked = [*captions, *_prompts(run.settings), run.settings.samples.negative_prompt]
    if run.validator is not None:
        asked += run.validator.captions
    if run.settings.loss.prior_preservation:
        asked += all_class_captions(captions, run.settings)
    texts = list(dict.fromkeys(asked))
    run.emit(events.PhaseStarted("cache", f"{len(texts)} captions"))
    mine = run.learner.process_group.shard(texts)
    for done in run.learner.texts.encode_all(mine):
        if run.commands.stopping:
            raise StopAsked
        run.emit(events.CacheProgress(done, len(mine), "captions"))
    run.learner.process_group.barrier()


def give_memory_back(run: Run) -> None:
    """Let go of the parts of the base that nothing will ask for any more."""
    if run.settings.captions.cached_variants:
        run.learner.texts.free_encoders()
    if not run.data.latents.needs_encoder and not run.settings.samples.prompts:
        run.data.latents.release_encoder()
        run.learner.base.free_autoencoder()


def begin(run: Run, state: TrainState, begins_anew: bool) -> None:
    """Put what was saved in its place or, at the very start, draw and measure the base as it is."""
    if state.saved:
        run.learner.restore(state)
    if not begins_anew or state.saved:
        run.emit(events.Resumed(state.step))
        run.learner.process_group.barrier()
        if run.validator is not None:
            run.validator.remember(event for _, event in read_events(run.folder.events))
    if not state.saved:
        draw_samples(run, epoch=0, done=0)
        if run.validator is not None:
            run.emit(*run.validator.of_base(run.learner.adapters, run.learner.texts, run.learner.process_group))


def loop(run: Run, state: TrainState) -> bool:
    """Train to the last step, with checkpoints and samples at epoch ends; True where a stop was asked for."""
    settings, plan = run.settings, run.plan
    began, before = time.monotonic(), state.elapsed
    saved_at = time.monotonic()
    while state.step < plan.steps:
        if run.commands.stopping:
            return True
        epoch, place = plan.epoch_and_step_of(state.step)
        started = time.monotonic()
        lrs = run.learner.set_rates(settings.schedule.lr_factor(state.step, plan.steps))
        result = one_step(run, epoch, place, state.step)
        state.step += 1
        state.elapsed = before + time.monotonic() - began
        if result.overflowed:
            run.emit(events.StepSkipped(state.step, [], [], 0))
        elif result.non_finite:
            pass_over(run, state, result)
        else:
            state.non_finite_in_a_row = 0
            state.epoch_loss += result.loss
            state.epoch_steps += 1
            run.emit(run.metrics.step_done(state.step, epoch, result, lrs, time.monotonic() - started))
        if run.commands.take_save() or _due(settings.checkpoints.save_every_n_steps, state.step, plan):
            save_checkpoint(run, f"{settings.name}-step{state.step:08d}.safetensors", epoch, state.step)
        if run.commands.take_sample() or _due(settings.samples.every_n_steps, state.step, plan):
            draw_samples(run, epoch, state.step)
        if place + 1 == plan.steps_per_epoch or state.step == plan.steps:
            end_epoch(run, state, epoch)
            saved_at = time.monotonic()
        elif time.monotonic() - saved_at >= settings.checkpoints.save_state_every_seconds:
            keep_state(run, state)
            saved_at = time.monotonic()
    return False


def one_step(run: Run, epoch: int, place: int, number: int) -> StepResult:
    """The optimizer step at `place` in its epoch, over as many batches as are accumulated; this process takes its share of them."""
    dealt = run.data.share_of(epoch, place)
    batches = [run.data.prepare(batch, epoch, number) for _, batch in dealt]
    run.data.expect(epoch, place + 1)
    return step(run.learner, batches, number, of=run.plan.batches_in(place), first_samples=[first for first, _ in dealt])


def pass_over(run: Run, state: TrainState, result: StepResult) -> None:
    """Tell of a step whose loss was no finite number; raises RunError where that goes on."""
    state.non_finite_in_a_row += 1
    names, timesteps = [s.name for s in result.non_finite], [s.timestep for s in result.non_finite]
    run.emit(events.StepSkipped(state.step, names, timesteps, state.non_finite_in_a_row))
    if state.non_finite_in_a_row >= run.settings.training.max_non_finite_steps:
        raise give_up(state.step, state.non_finite_in_a_row, result.non_finite, run.settings.training.mixed_precision)


def end_epoch(run: Run, state: TrainState, epoch: int) -> None:
    """Report the epoch; save its checkpoint, its samples and, last, the state that goes on after it."""
    if state.epoch_steps:
        run.emit(events.EpochDone(epoch, state.step, state.epoch_loss / state.epoch_steps))
    state.epoch_loss, state.epoch_steps = 0.0, 0
    last = state.step == run.plan.steps
    every = run.settings.checkpoints.save_every_n_epochs
    if not last and every and epoch % every == 0:
        save_checkpoint(run, f"{run.settings.name}-{epoch:06d}.safetensors", epoch, state.step)
    if last or epoch % run.settings.samples.every_n_epochs == 0:
        draw_samples(run, epoch, state.step)
    if run.validator is not None and validation_due(run.settings, epoch, last):
        with run.learner.weights_for_use():
            run.emit(*run.validator.of_checkpoint(run.learner.adapters, run.learner.texts, epoch, state.step, run.learner.process_group))
    keep_state(run, state)


def keep_state(run: Run, state: TrainState) -> None:
    """Save all that a killed run needs to go on. Raises RunError where the weights are non-finite: what was saved before stays the newest."""
    learner = run.learner
    if not learner.process_group.is_main:
        return
    if not learner.finite:
        raise weights_non_finite(state.step, run.folder.root)
    learner.keep_in(state)
    state.loss_sums = run.metrics.sums
    save_state(run.folder.state, state)
    run.emit(events.StateSaved(state.step))


def save_checkpoint(run: Run, name: str, epoch: int, done: int, final: bool = False) -> Path:
    """Write a LoRA file of this moment, and the average's beside it where one is kept."""
    if not run.learner.process_group.is_main:
        return run.folder.checkpoints / name
    learner = run.learner
    metadata = lora_metadata(run.settings, run.plan, run.data.training_set, learner.base, epoch, done, learner.adapters, learner.parent)
    written = write_checkpoint(run.folder.checkpoints / name, run.learner, metadata, run.settings.checkpoints.save_precision)
    for path in reversed(written):
        run.emit(events.CheckpointSaved(str(path.relative_to(run.folder.root)), epoch, done, final and path == written[0]))
    return written[0]


def draw_samples(run: Run, epoch: int, done: int) -> None:
    """Draw every prompt with the LoRA as it is now; at epoch 0 it changes nothing, so that is the base."""
    wanted, base = run.settings.samples, run.learner.base
    if not wanted.prompts or not run.learner.process_group.is_main:
        return
    prompts = _prompts(run.settings)
    seeds = [wanted.seed + k for k in range(len(prompts))]
    with run.learner.weights_for_use():
        pictures = sample(
            base, prompts, seeds, width=wanted.width, height=wanted.height,
            steps=wanted.steps or base.defaults.steps, cfg_scale=wanted.cfg_scale or base.defaults.cfg_scale,
            negative_prompt=wanted.negative_prompt, texts=run.learner.texts,
        )  # fmt: skip
    for k, (prompt, seed, picture) in enumerate(zip(prompts, seeds, pictures, strict=True)):
        path = run.folder.samples / f"epoch{epoch:06d}-step{done:08d}-{k:02d}.png"
        content = io.BytesIO()
        picture.save(content, "PNG")
        write_atomically(path, content.getvalue())
        run.emit(events.SampleReady(str(path.relative_to(run.folder.root)), prompt, seed, epoch, done))


def finish(run: Run, state: TrainState) -> RunResult:
    """Write the final LoRA."""
    run.emit(events.PhaseStarted("finish"))
    file = save_checkpoint(run, f"{run.settings.name}.safetensors", run.plan.epochs, state.step, final=True)
    run.emit(events.Finished(state.step, state.elapsed, str(file.relative_to(run.folder.root))))
    return RunResult(run.folder.root, True, state.step, file)


def leave(run: Run, state: TrainState) -> RunResult:
    """A stop was asked for: keep the state, and the LoRA of this moment."""
    keep_state(run, state)
    file = None
    if state.step:
        file = save_checkpoint(
            run, f"{run.settings.name}-step{state.step:08d}.safetensors", run.plan.epoch_and_step_of(state.step)[0], state.step
        )
    run.emit(
        events.Stopped(state.step, f"stopped after step {state.step} of {run.plan.steps}; go on with: lorasmith resume {run.folder.root}")
    )
    return RunResult(run.folder.root, False, state.step, file)


# -- what they need ---------------------------------------------------------------------------------------------------


def _due(every: int | None, step: int, plan: Plan) -> bool:
    """Whether something that comes every so many steps is due after this one; what the end of the run does anyway is not."""
    return every is not None and step % every == 0 and step < plan.steps


def _prompts(settings: Settings) -> list[str]:
    return [prompt.replace("{trigger}", settings.captions.trigger or "") for prompt in settings.samples.prompts]


def _device(settings: Settings) -> str:
    """cpu or cuda; raises SettingsError where a GPU is asked for and there is none."""
    wanted = settings.training.device
    if wanted == "cuda" and not torch.cuda.is_available():
        raise SettingsError("training.device is 'cuda', but torch sees no GPU; install a GPU build of torch, or set it to 'cpu'")
    return "cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu"
