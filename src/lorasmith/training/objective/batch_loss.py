"""How wrong the model is on a batch.

    noising = noising_for(base, latents, objective, step, first_sample)     noise and timesteps, drawn for each sample
    predicted = predict_batch(base, batch, noising, texts, objective.flow)  the model's prediction, and its target
    loss = loss_of(predicted, noising, objective.loss, weights, masks)      how far apart they are, and how much that counts

`batch_loss` is the last two in a row. A sample's loss does not depend on the batch that it is in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lorasmith.models.base import Base, SizeConditioning
from lorasmith.models.diffusion import TARGETS, Ddpm, Diffusion, add_noise
from lorasmith.models.texts import EncodedTexts
from lorasmith.models.transfer import to_device
from lorasmith.training.objective.flow_predictions import FLOW_PREDICTIONS
from lorasmith.training.objective.flow_settings import FlowSettings
from lorasmith.training.objective.loss_settings import LossSettings
from lorasmith.training.objective.losses import LOSSES, THRESHOLDS, threshold_name
from lorasmith.training.objective.masked import masked_mean, sample_mean
from lorasmith.training.objective.noise import Noise, noise_for
from lorasmith.training.objective.noise_settings import NoiseSettings
from lorasmith.training.objective.timesteps import flow_weight, size_shift_of, timesteps_for
from lorasmith.training.objective.weighting import WEIGHTINGS, signal_to_noise, timestep_weight


@dataclass(frozen=True)
class Objective:
    """What a run minimises: the settings of noise and loss, and the seed of all that is drawn for them."""

    noise: NoiseSettings
    loss: LossSettings
    flow: FlowSettings
    seed: int
    trigger: str | None = None
    """For prior preservation; see `preservation`."""


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
    """(n, 1, h, w) float32 at the latents' resolution, 0-1: how much each position counts; None where all do."""
    first_sample: int = 0
    """The number of its first sample in the step, where a step has several batches."""
    noising: Noising | None = None
    """What is drawn for it in its step, where that was done ahead."""
    texts: EncodedTexts | None = None
    """Its captions' states, where they were encoded ahead."""


@dataclass(frozen=True, eq=False)
class Noising:
    """How a batch's latents are noised: everything that is drawn for them. `timesteps` are (n,)."""

    noise: Noise
    timesteps: torch.Tensor
    diffusion: Diffusion


def noising_for(base: Base, latents: torch.Tensor, objective: Objective, step: int, first_sample: int = 0) -> Noising:
    """How the samples of a step, from number `first_sample` on, are noised; the same each time it is called."""
    drawn_for = (objective.seed, step, first_sample)
    diffusion = trained_diffusion(base, objective.noise)
    shift = size_shift_of(base, *latents.shape[-2:])
    timesteps = timesteps_for(diffusion, len(latents), shift, objective.flow, *drawn_for, objective.noise.timesteps)
    return Noising(noise_for(latents, objective.noise, *drawn_for), timesteps, diffusion)


def trained_diffusion(base: Base, noise: NoiseSettings) -> Diffusion:
    """The base's noise schedule as the run trains it: with zero terminal SNR where the settings ask for that."""
    diffusion = base.diffusion
    return diffusion.with_zero_terminal_snr() if noise.zero_terminal_snr and isinstance(diffusion, Ddpm) else diffusion


@dataclass(frozen=True, eq=False)
class Predicted:
    """The model's prediction and its target, (n, c, h, w) float32, and how much each sample counts for it, (n,)."""

    prediction: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor


def predict(
    base: Base, latents: torch.Tensor, added: torch.Tensor, timesteps: torch.Tensor, texts: EncodedTexts, flow: FlowSettings,
    sizes: Sequence[SizeConditioning] | None = None, seen: torch.Tensor | None = None, diffusion: Diffusion | None = None,
) -> Predicted:  # fmt: skip
    """The model's prediction for latents with noise `added` at `timesteps`, and the target; carries gradients.

    `seen` is the noise that the model sees, where it differs from the one that it has to predict (input perturbation), and `diffusion` the
    noise schedule, where it is not the base's own.
    """
    diffusion = diffusion or base.diffusion
    levels = diffusion.levels(timesteps)
    device = next(base.parts[base.denoiser].parameters()).device
    noisy = to_device(add_noise(latents, added if seen is None else seen, levels), device)
    target = to_device(TARGETS[diffusion.prediction_type](latents, added, levels), device)
    sigma = to_device(levels[1], device)
    prediction = base.predict(noisy, timesteps, texts, sizes, flow.guidance_scale).float()
    weight = torch.ones_like(sigma)
    if diffusion.prediction_type == "flow":
        of_flow = FLOW_PREDICTIONS[flow.model_prediction_type]
        prediction = of_flow.compared(prediction, noisy, sigma.view(-1, 1, 1, 1))
        if of_flow.weighted:
            weight = flow_weight(sigma, flow.weighting_scheme)
    return Predicted(prediction, target, weight)


def predict_batch(base: Base, batch: PreparedBatch, noising: Noising, texts: EncodedTexts, flow: FlowSettings) -> Predicted:
    """The model's prediction for a batch whose captions are encoded as `texts`; carries gradients."""
    noise = noising.noise
    return predict(base, batch.latents, noise.added, noising.timesteps, texts, flow, batch.sizes, noise.seen, noising.diffusion)


@dataclass(frozen=True, eq=False)
class BatchLoss:
    """The loss of a batch.

    `mean` is a scalar with gradients. `per_sample` (n,), for the record, is what each sample adds to it, with everything that makes it
    count more or less (timestep, mask, dataset): its mean is `mean`. `timesteps` (n,) are those that were drawn.
    """

    mean: torch.Tensor
    per_sample: torch.Tensor
    timesteps: torch.Tensor


def batch_loss(base: Base, batch: PreparedBatch, texts: EncodedTexts, noising: Noising, objective: Objective) -> BatchLoss:
    """How wrong the model is on one batch, weighted; it may be not finite."""
    predicted = predict_batch(base, batch, noising, texts, objective.flow)
    return loss_of(predicted, noising, objective.loss, batch.weights, batch.masks)


def loss_of(
    predicted: Predicted, noising: Noising, loss: LossSettings, weights: torch.Tensor | None = None, masks: torch.Tensor | None = None
) -> BatchLoss:
    """How wrong a prediction is: each sample's mean over all places, or over what its mask (n, 1, h, w) lets count; times its weights."""
    timesteps, device = noising.timesteps, predicted.prediction.device
    threshold = to_device(huber_threshold(noising.diffusion, timesteps, loss), device)
    per_element = LOSSES[loss.loss_type].elements(predicted.prediction, predicted.target, threshold.view(-1, 1, 1, 1))
    if masks is None:
        per_sample = sample_mean(per_element)
    else:
        per_sample = masked_mean(per_element, masks, loss.unmasked_weight, loss.normalize_masked_area)
    per_sample = per_sample * predicted.weight * to_device(weight_of_timesteps(noising.diffusion, timesteps, loss), device)
    if weights is not None:
        per_sample = per_sample * to_device(weights, device)
    return BatchLoss(per_sample.mean(), per_sample.detach(), timesteps)


def huber_threshold(diffusion: Diffusion, timesteps: torch.Tensor, loss: LossSettings) -> torch.Tensor:
    """Where huber and smooth_l1 turn from square to straight, per sample; ones for the losses that do not."""
    if not LOSSES[loss.loss_type].has_threshold:
        return torch.ones(timesteps.shape)
    alphas = diffusion.alphas_cumprod[timesteps] if isinstance(diffusion, Ddpm) else None
    schedule = threshold_name(loss.huber_schedule, flow=alphas is None)
    return THRESHOLDS[schedule].of_samples(timesteps, alphas, loss.huber_c, loss.huber_scale)


def weight_of_timesteps(diffusion: Diffusion, timesteps: torch.Tensor, loss: LossSettings) -> torch.Tensor:
    """How much each sample counts by its timestep, (n,); ones for flow models, which weight by how timesteps are drawn."""
    if not isinstance(diffusion, Ddpm):
        return torch.ones(timesteps.shape)
    strengths = {name: getattr(loss, name) for name in WEIGHTINGS}
    return timestep_weight(signal_to_noise(diffusion.alphas_cumprod)[timesteps], diffusion.prediction_type, **strengths)
