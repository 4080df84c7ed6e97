"""What a batch is asked, and how wrong the answer is: noise in, prediction, target, loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lorasmith.models.diffusion import TARGETS, Ddpm, add_noise
from lorasmith.models.family import Base, SizeConditioning
from lorasmith.models.texts import EncodedTexts
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
    weights: torch.Tensor | None = None
    """(n,) float32: how much each sample counts; None where all count alike."""
    masks: torch.Tensor | None = None
    """(n, 1, h, w) float32 in the latents' cells, 0-1: how much each place counts; None where all do."""


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


@dataclass(frozen=True, eq=False)
class BatchLoss:
    """`mean` is a scalar with gradients; `per_sample` (n,) and `timesteps` (n,) are for the record."""

    mean: torch.Tensor
    per_sample: torch.Tensor
    timesteps: torch.Tensor


def batch_loss(base: Base, batch: PreparedBatch, texts: EncodedTexts, settings: Settings, step: int, first_sample: int) -> BatchLoss:
    """How wrong the model is on one batch, weighted; it may be not finite."""
    seed = settings.training.seed
    added = noise.draw_noise(batch.latents.shape, seed, step, first_sample)
    timesteps = timesteps_for(base.diffusion, batch.latents.shape, settings.flow, seed, step, first_sample)
    answer = ask(base, batch.latents, added, timesteps, texts, settings.flow, batch.sizes)
    threshold = huber_threshold(base, timesteps, settings.loss).to(answer.prediction.device)
    per_element = LOSSES[settings.loss.loss_type](answer.prediction, answer.target, threshold.view(-1, 1, 1, 1))
    per_sample = sample_mean(per_element) * answer.weight * weight_of_timesteps(base, timesteps, settings.loss).to(answer.weight.device)
    return BatchLoss(per_sample.mean(), per_sample.detach(), timesteps)


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
