"""One optimizer step: noise in, prediction, loss, gradients, update. It can be called alone, as the tests do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass

import torch

from lorasmith.adapters.attach import AttachedAdapter
from lorasmith.errors import RunError
from lorasmith.models.diffusion import TARGETS, Ddpm, add_noise
from lorasmith.models.family import Base, SizeConditioning
from lorasmith.models.texts import EncodedTexts, TextOptions
from lorasmith.training import noise
from lorasmith.training.flow_settings import FlowSettings
from lorasmith.training.losses import LOSSES, THRESHOLDS, sample_mean
from lorasmith.training.settings import LossSettings, Settings
from lorasmith.training.timesteps import flow_weight, timesteps_for
from lorasmith.training.weighting import signal_to_noise, timestep_weight


@dataclass(frozen=True)
class PreparedBatch:
    """Samples that train together. `latents` (n, c, h, w) float32; `names` are for messages; `sizes` are for SDXL."""

    latents: torch.Tensor
    captions: tuple[str, ...]
    names: tuple[str, ...]
    sizes: tuple[SizeConditioning, ...] | None = None


@dataclass(frozen=True)
class StepResult:
    """`loss` is the mean over the step's batches."""

    loss: float
    grad_norm: float


class TextStates:
    """Encoded captions; kept for the run where no text encoder trains, since then they never change."""

    def __init__(self, base: Base, options: TextOptions, trained: bool):
        self._base, self._options, self._trained = base, options, trained
        self._kept: dict[str, EncodedTexts] = {}

    def __call__(self, captions: Sequence[str]) -> EncodedTexts:
        """The captions' states in their order."""
        if self._trained:
            return self._base.encode_texts(captions, self._options)
        for caption in captions:
            if caption not in self._kept:
                with torch.no_grad():
                    self._kept[caption] = self._base.encode_texts([caption], self._options)
        return EncodedTexts.cat([self._kept[caption] for caption in captions])


@dataclass(frozen=True, eq=False)
class Answer:
    """What the model said and what it should have said, (n, c, h, w) float32, and how much each sample counts for it (n,)."""

    prediction: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor


def ask(
    base: Base, latents: torch.Tensor, added: torch.Tensor, timesteps: torch.Tensor, texts: EncodedTexts, flow: FlowSettings,
    sizes: Sequence[SizeConditioning] | None = None, seen: torch.Tensor | None = None,
) -> Answer:  # fmt: skip
    """The model's answer to latents with noise `added` at `timesteps`, and the target; carries gradients.

    `seen` is the noise that the model sees, where it differs from the one it should name (input perturbation).
    """
    levels = base.diffusion.levels(timesteps)
    noisy = add_noise(latents, added if seen is None else seen, levels)
    target = TARGETS[base.diffusion.prediction_type](latents, added, levels)
    prediction = base.predict(noisy, timesteps, texts, sizes, flow.guidance_scale).float()
    sigma, noisy = levels[1].to(prediction.device), noisy.to(prediction.device)
    weight = torch.ones_like(sigma)
    if base.diffusion.prediction_type == "flow":
        if flow.model_prediction_type == "additive":
            prediction = prediction + noisy
        elif flow.model_prediction_type == "sigma_scaled":
            prediction = noisy - sigma.view(-1, 1, 1, 1) * prediction
            weight = flow_weight(sigma, flow.weighting_scheme)
    return Answer(prediction, target.to(prediction.device), weight)


def batch_loss(base: Base, batch: PreparedBatch, texts: EncodedTexts, settings: Settings, step: int, first_sample: int) -> torch.Tensor:
    """The weighted mean squared error of one batch, with gradients; a scalar.

    Raises RunError where it is not finite, with the pictures and timesteps: such a loss must not reach the weights.
    """
    seed = settings.training.seed
    added = noise.draw_noise(batch.latents.shape, seed, step, first_sample)
    timesteps = timesteps_for(base.diffusion, batch.latents.shape, settings.flow, seed, step, first_sample)
    answer = ask(base, batch.latents, added, timesteps, texts, settings.flow, batch.sizes)
    threshold = huber_threshold(base, timesteps, settings.loss).to(answer.prediction.device)
    per_element = LOSSES[settings.loss.loss_type](answer.prediction, answer.target, threshold.view(-1, 1, 1, 1))
    per_sample = sample_mean(per_element) * answer.weight * weight_of_timesteps(base, timesteps, settings.loss).to(answer.weight.device)
    loss = per_sample.mean()
    if not torch.isfinite(loss):
        shown = ", ".join(f"{name} at timestep {t:g}" for name, t in zip(batch.names, timesteps.tolist(), strict=True))
        raise RunError(f"the loss of step {step + 1} is not a finite number ({shown}); lower the learning rate or leave that picture out")
    return loss


def huber_threshold(base: Base, timesteps: torch.Tensor, loss: LossSettings) -> torch.Tensor:
    """Where huber and smooth_l1 turn, per sample; ones for the losses that do not."""
    if loss.loss_type not in ("huber", "smooth_l1"):
        return torch.ones(timesteps.shape)
    ddpm = isinstance(base.diffusion, Ddpm)
    alphas = base.diffusion.alphas_cumprod[timesteps] if isinstance(base.diffusion, Ddpm) else None
    schedule = loss.huber_schedule or ("snr" if ddpm else "exponential")
    return THRESHOLDS[schedule](timesteps, alphas, loss.huber_c, loss.huber_scale)


def weight_of_timesteps(base: Base, timesteps: torch.Tensor, loss: LossSettings) -> torch.Tensor:
    """How much each sample counts by its timestep, (n,); ones for flow models, which weight by how timesteps are drawn."""
    if not isinstance(base.diffusion, Ddpm):
        return torch.ones(timesteps.shape)
    return timestep_weight(
        signal_to_noise(base.diffusion.alphas_cumprod)[timesteps], base.diffusion.prediction_type, min_snr_gamma=loss.min_snr_gamma,
        scale_v_pred_loss_like_noise_pred=loss.scale_v_pred_loss_like_noise_pred, v_pred_like_loss=loss.v_pred_like_loss,
        debiased_estimation=loss.debiased_estimation,
    )  # fmt: skip


def step(
    base: Base, adapters: Mapping[str, AttachedAdapter], optimizer: torch.optim.Optimizer, texts: TextStates,
    batches: Sequence[PreparedBatch], settings: Settings, number: int,
) -> StepResult:  # fmt: skip
    """Train on `batches` (one, or as many as are accumulated) as step `number` (from 0); learning rates are already set."""
    optimizer.zero_grad(set_to_none=True)
    total, first_sample = 0.0, 0
    frozen_text = set(adapters) == {base.denoiser}
    with ExitStack() as thinned:
        for adapter in adapters.values():
            thinned.enter_context(adapter.at_step(settings.training.seed, number))
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
    if settings.network.scale_weight_norms:
        for adapter in adapters.values():
            adapter.scale_weight_norms(settings.network.scale_weight_norms)
    return StepResult(total, grad_norm)
