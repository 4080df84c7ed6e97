"""What learns in a run: the networks on the base's parts, the optimizer that moves them, and the EMA of their weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch

from lorasmith.adapters.attach import AttachedAdapter, attach_network
from lorasmith.adapters.selection import select_network
from lorasmith.datasets.texts import TextCache
from lorasmith.findings import Finding
from lorasmith.models.base import Base
from lorasmith.models.compiled_blocks import compile_blocks
from lorasmith.models.prepacked import prepack_convolutions
from lorasmith.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from lorasmith.training.learner.continuation import Parent, start_from
from lorasmith.training.learner.cuda_graphs import RecordedDenoiser, can_be_recorded
from lorasmith.training.learner.precision import LossScale, in_float32
from lorasmith.training.learner.state import TrainState
from lorasmith.training.learner.text_states import TextStates
from lorasmith.training.objective.batch_loss import Objective
from lorasmith.training.optim.ema import EMA
from lorasmith.training.optim.optimizers import make_optimizer, weights_for_use
from lorasmith.training.optim.parameter_groups import ParameterGroup, PartRates, make_groups, set_rates
from lorasmith.training.settings.tree import Settings

WEIGHT_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass
class Learner:
    """Everything that a step works with, and changes."""

    base: Base
    adapters: Mapping[str, AttachedAdapter]
    optimizer: torch.optim.Optimizer
    texts: TextStates
    settings: Settings
    groups: Sequence[ParameterGroup] = ()
    ema: EMA | None = None
    process_group: ProcessGroup = SINGLE_PROCESS
    parent: Parent | None = None
    """The finished LoRA that this one started from."""
    scale: LossScale | None = None
    """Of the loss, where the base computes in fp16."""
    recorded: RecordedDenoiser | None = None
    """The denoiser's passes as CUDA graphs, where they are."""

    def __repr__(self) -> str:
        count = sum(p.numel() for p in self.parameters)
        return f"Learner({type(self.optimizer).__name__}, {count:,} parameters on {', '.join(self.adapters)})"

    @cached_property
    def parameters(self) -> list[torch.nn.Parameter]:
        return list(self.named_parameters.values())

    @cached_property
    def named_parameters(self) -> dict[str, torch.nn.Parameter]:
        return {f"{part}.{name}": p for part, adapter in self.adapters.items() for name, p in adapter.named_parameters()}

    @cached_property
    def objective(self) -> Objective:
        return objective_of(self.settings)

    @property
    def trains_texts(self) -> bool:
        """Whether a text encoder trains."""
        return set(self.adapters) != {self.base.denoiser}

    @property
    def is_finite(self) -> bool:
        """Whether every trained weight is a finite number."""
        return all(bool(torch.isfinite(p).all()) for p in self.parameters)

    def set_rates(self, factor: float) -> dict[str, float]:
        """Apply the schedule's factor to the learning rates; returns them by group, for the log."""
        return set_rates(self.optimizer, self.groups, factor)

    def in_float32(self, step: int) -> AbstractContextManager[None]:
        """Within the block trained bf16 weights are float32, for the optimizer; at its end they are rounded stochastically."""
        return in_float32(self.named_parameters, self.settings.training.seed, step)

    def ready_base(self) -> None:
        """Checkpoint, compile and record the base's passes as the settings say, and lay out its weights for the device.

        To be called once, before the first step.
        """
        training, denoiser = self.settings.training, self.base.parts[self.base.denoiser]
        adapter = self.adapters.get(self.base.denoiser)
        if prepacks_base(self.settings):
            prepack_convolutions(denoiser, adapter.target_modules if adapter is not None else ())
        if training.gradient_checkpointing:
            self.base.checkpoint_gradients()
        if training.torch_compile:
            compile_blocks(denoiser)
        if training.cuda_graphs:
            self.record_passes()

    def record_passes(self) -> None:
        """From now on keep the denoiser's passes as CUDA graphs, where that can be; nothing on a CPU. See `cuda_graphs`."""
        denoiser, adapter = self.base.parts[self.base.denoiser], self.adapters.get(self.base.denoiser)
        if adapter is not None and not self.settings.training.blocks_to_swap and can_be_recorded(denoiser, adapter):
            self.recorded = RecordedDenoiser(denoiser, adapter)

    @contextmanager
    def weights_for_use(self) -> Iterator[None]:
        """Within the block the networks hold the weights to save, validate and sample with; see `optimizers.weights_for_use`."""
        with self.in_float32(0), weights_for_use(self.settings.optimizer.type, self.optimizer):
            yield

    def save_to(self, state: TrainState) -> None:
        """Put everything that has been learnt into the state of the run."""
        state.adapter = {f"{part}.{key}": value for part, adapter in self.adapters.items() for key, value in adapter.state_dict().items()}
        state.optimizer = self.optimizer.state_dict()
        state.ema = self.ema.values if self.ema is not None else {}
        state.scale = self.scale.state() if self.scale is not None else {}

    def restore(self, state: TrainState) -> None:
        """Continue from what `save_to` put into a state."""
        for part, adapter in self.adapters.items():
            own = {key.removeprefix(f"{part}."): value for key, value in state.adapter.items() if key.startswith(f"{part}.")}
            adapter.load_state_dict(own)
        with self.in_float32(state.step):
            self.optimizer.load_state_dict(state.optimizer)
        if self.scale is not None:
            self.scale = LossScale.from_state(state.scale)
        if self.ema is not None:
            self.ema.load(state.ema)


def prepacks_base(settings: Settings) -> bool:
    """Whether a run lays its base's weights out for the CPU; `models.prepacked`. torch's compiler does that its own way."""
    return not settings.training.torch_compile


def objective_of(settings: Settings) -> Objective:
    """What a run with these settings minimises."""
    return Objective(settings.noise, settings.loss, settings.flow, settings.training.seed, settings.captions.trigger)


def make_learner(
    settings: Settings, base: Base, parent: Parent | None = None, process_group: ProcessGroup = SINGLE_PROCESS
) -> tuple[Learner, list[Finding]]:
    """A network on each part that trains, starting from `parent` if there is one, with its optimizer; and what is odd about it."""
    parts = {part: module for part, module in base.parts.items() if settings.lr_of(part, base.family) > 0}
    chosen = select_network(base.family, parts, settings.network)
    adapters = {
        part: attach_network(
            parts[part], of_part.targets, of_part.settings, settings.training.seed, WEIGHT_DTYPES[settings.training.weight_dtype]
        )
        for part, of_part in chosen.items()
    }
    findings: list[Finding] = []
    if parent is not None:
        adapters, findings = start_from(adapters, parent, settings, base)
    rates = {
        part: PartRates(adapter, settings.lr_of(part, base.family), settings.optimizer.loraplus_ratio(part), chosen[part].rates)
        for part, adapter in adapters.items()
    }
    groups = make_groups(rates, [rule.pattern for rule in settings.network.layers if rule.lr is not None])
    named = {f"{part}.{name}": p for part, adapter in adapters.items() for name, p in adapter.named_parameters()}
    with in_float32(named, settings.training.seed, 0):
        optimizer = make_optimizer(settings.optimizer.type, [group.for_optimizer() for group in groups], settings.optimizer.args)
    cache = TextCache(settings.cache_folder / "texts", settings.cached_at("texts")) if settings.captions.cached_variants else None
    texts = TextStates(base, settings.base.text_options, trained=set(adapters) != {base.denoiser}, cache=cache)
    learner = Learner(base, adapters, optimizer, texts, settings, groups, process_group=process_group, parent=parent)
    if settings.training.mixed_precision == "fp16":
        learner.scale = LossScale()
    if settings.training.ema_decay is not None:
        learner.ema = EMA(learner.named_parameters, settings.training.ema_decay)
    return learner, findings
