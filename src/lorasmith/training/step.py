"""One optimizer step: noise in, prediction, loss, gradients, update. It can be called alone, as the tests do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch

from lorasmith.adapters.attach import AttachedAdapter
from lorasmith.errors import RunError
from lorasmith.models.family import Base
from lorasmith.training import noise
from lorasmith.training.settings import Settings
from lorasmith.training.targets import TARGETS
from lorasmith.training.weighting import signal_to_noise, timestep_weight


@dataclass(frozen=True)
class PreparedBatch:
    """Samples that train together. `latents` (n, c, h, w) float32; `names` are for messages."""

    latents: torch.Tensor
    captions: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class StepResult:
    """`loss` is the mean over the step's batches."""

    loss: float
    grad_norm: float


class TextStates:
    """Encoded captions; kept for the run where no text encoder trains, since then they never change."""

    def __init__(self, base: Base, clip_skip: int, trained: bool):
        self._base, self._clip_skip, self._trained = base, clip_skip, trained
        self._kept: dict[str, torch.Tensor] = {}

    def __call__(self, captions: Sequence[str]) -> torch.Tensor:
        """(n, tokens, width)."""
        if self._trained:
            return self._base.encode_texts(captions, self._clip_skip)
        for caption in captions:
            if caption not in self._kept:
                with torch.no_grad():
                    self._kept[caption] = self._base.encode_texts([caption], self._clip_skip)[0]
        return torch.stack([self._kept[caption] for caption in captions])


def batch_loss(base: Base, batch: PreparedBatch, states: torch.Tensor, settings: Settings, step: int, first_sample: int) -> torch.Tensor:
    """The weighted mean squared error of one batch, with gradients; a scalar.

    Raises RunError where it is not finite, with the pictures and timesteps: such a loss must not reach the weights.
    """
    seed = settings.training.seed
    added = noise.draw_noise(batch.latents.shape, seed, step, first_sample)
    timesteps = noise.draw_timesteps(len(batch.latents), len(base.alphas_cumprod), seed, step, first_sample)
    noisy = noise.add_noise(batch.latents, added, timesteps, base.alphas_cumprod)
    target = TARGETS[base.prediction_type](batch.latents, added, timesteps, base.alphas_cumprod)
    prediction = base.predict(noisy, timesteps, states).float()
    per_sample = (prediction - target.to(prediction.device)).square().mean(dim=(1, 2, 3))
    if settings.loss.min_snr_gamma:
        snr = signal_to_noise(base.alphas_cumprod)[timesteps]
        weights = timestep_weight(snr, base.prediction_type, min_snr_gamma=settings.loss.min_snr_gamma)
        per_sample = per_sample * weights.to(per_sample.device)
    loss = per_sample.mean()
    if not torch.isfinite(loss):
        shown = ", ".join(f"{name} at timestep {t}" for name, t in zip(batch.names, timesteps.tolist(), strict=True))
        raise RunError(f"the loss of step {step + 1} is not a finite number ({shown}); lower the learning rate or leave that picture out")
    return loss


def step(
    base: Base, adapters: Mapping[str, AttachedAdapter], optimizer: torch.optim.Optimizer, texts: TextStates,
    batches: Sequence[PreparedBatch], settings: Settings, number: int,
) -> StepResult:  # fmt: skip
    """Train on `batches` (one, or as many as are accumulated) as step `number` (from 0); learning rates are already set."""
    optimizer.zero_grad(set_to_none=True)
    total, first_sample = 0.0, 0
    frozen_text = "text_encoder" not in adapters
    for batch in batches:
        with torch.no_grad() if frozen_text else nullcontext():
            states = texts(batch.captions)
        loss = batch_loss(base, batch, states, settings, number, first_sample) / len(batches)
        loss.backward()
        total += loss.item()
        first_sample += len(batch.latents)
    parameters = [p for adapter in adapters.values() for p in adapter.parameters()]
    limit = settings.training.max_grad_norm or float("inf")
    grad_norm = torch.nn.utils.clip_grad_norm_(parameters, limit).item()
    optimizer.step()
    return StepResult(total, grad_norm)
