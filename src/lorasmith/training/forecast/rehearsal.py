"""The rehearsal of a run on a base without weights: its own modules and networks on torch's meta device, and what a step, a latent and a
sample picture do there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from lorasmith.adapters.attach import AttachedAdapter, attach_network
from lorasmith.adapters.selection import select_network
from lorasmith.datasets.training_set import TrainingSet
from lorasmith.models.base import Base
from lorasmith.models.description import Description
from lorasmith.models.diffusion import Ddpm, Flow
from lorasmith.models.files.weights import empty_module
from lorasmith.models.open import base_class
from lorasmith.models.texts import EncodedTexts
from lorasmith.training.forecast.watch import Watch
from lorasmith.training.forecast.work import Work
from lorasmith.training.records.checkpoints import DTYPES
from lorasmith.training.sample_requests import sample_requests
from lorasmith.training.settings.tree import Settings

SAMPLED_AT_ONCE = 16
"""Sample pictures that are computed in one batch."""


@dataclass(frozen=True)
class Rehearsal:
    """A base without weights, its networks, and the work of a step over the largest batch, of a latent, of sampling."""

    base: Base
    adapters: Mapping[str, AttachedAdapter]
    size: tuple[int, int]
    """Of the largest batch's pictures, in pixels."""
    batch: int
    step: Work
    encode: Work
    denoise: Work | None
    """One denoising step over all prompts that are sampled together."""
    decode: Work | None
    drawn: int = 0
    """How many sample pictures those two have."""
    guided: int = 1
    """Predictions of a denoising step of each of them."""

    @property
    def parameters(self) -> int:
        """Trained parameters."""
        return sum(p.numel() for adapter in self.adapters.values() for p in adapter.parameters())

    @property
    def tensors(self) -> int:
        return sum(1 for adapter in self.adapters.values() for _ in adapter.parameters())


def rehearse(settings: Settings, description: Description, training_set: TrainingSet) -> Rehearsal:
    """Rehearse a step, a latent and a sample picture."""
    base = blank_base(description, DTYPES[settings.training.mixed_precision])
    adapters = attach_blank(base, settings)
    shapes = training_set.batch_shapes(settings.training.batch_size)
    largest, count = max(shapes, key=lambda shape: shape[0][0] * shape[0][1] * shape[1])
    encode = rehearse_encode(base, max(training_set.buckets, key=lambda size: size[0] * size[1]))
    denoise, decode, prompts, guided = None, None, 0, 1
    if requests := sample_requests(settings):
        native, prompts = base.native_resolution, min(len(requests), SAMPLED_AT_ONCE)
        size = max(((one.width or native, one.height or native) for one in requests), key=lambda side: side[0] * side[1])
        guided = 1 if (settings.samples.cfg_scale or base.defaults.cfg_scale) == 1 else 2
        denoise, decode = rehearse_predict(base, settings, size, guided * prompts), rehearse_decode(base, size, prompts)
    step = rehearse_step(base, adapters, settings, largest, count)
    if settings.loss.prior_preservation:
        step += step + rehearse_predict(base, settings, largest, count)
    return Rehearsal(base, adapters, largest, count, step, encode, denoise, decode, prompts, guided)


# -- a base without weights -------------------------------------------------------------------------------------------


def blank_base(description: Description, dtype: torch.dtype) -> Base:
    """The base with its modules on the meta device, its denoiser and text encoders in `dtype`; it computes shapes alone."""
    with torch.device("meta"):
        modules = {name: empty_module(place.config) for name, place in description.parts.items()}
    for name, module in modules.items():
        nn.Module.to(module.requires_grad_(False).eval(), torch.float32 if name == "vae" else dtype)
    diffusion = Flow if description.prediction_type == "flow" else Ddpm.from_config
    tokenizers = {name: _NoWords() for name in description.record.tokenizers}
    fingerprints = dict.fromkeys(modules, "0" * 64)  # as long as real ones
    base: Base = base_class(description.record)(modules, tokenizers, diffusion(description.scheduler[1]), fingerprints)
    return base


class _NoWords:
    """A tokenizer for which every caption is empty: its states have the same shape as any other's."""

    bos_token_id = eos_token_id = pad_token_id = 0
    model_max_length = 512

    def __call__(self, texts: str | list[str], max_length: int = 0, **options: Any) -> Any:
        ids = torch.zeros(len(texts), max_length, dtype=torch.int64)
        found = SimpleNamespace(input_ids=[] if isinstance(texts, str) else ids, attention_mask=torch.ones_like(ids))
        found.to = lambda device: SimpleNamespace(input_ids=ids.to(device), attention_mask=torch.ones_like(ids, device=device))
        return found


def attach_blank(base: Base, settings: Settings) -> dict[str, AttachedAdapter]:
    """The run's networks on a blank base, by part, in the shapes that they will have."""
    parts = {part: module for part, module in base.parts.items() if settings.lr_of(part, base.family) > 0}
    with torch.device("meta"):
        return {
            part: attach_network(parts[part], chosen.targets, chosen.settings, settings.training.seed)
            for part, chosen in select_network(base.family, parts, settings.network).items()
        }


# -- what is rehearsed ------------------------------------------------------------------------------------------------


def rehearse_step(base: Base, adapters: Mapping[str, AttachedAdapter], settings: Settings, size: tuple[int, int], batch: int) -> Work:
    """One forward and backward over a batch of pictures of `size` (width, height), on a blank base with its networks."""
    if settings.training.gradient_checkpointing:
        base.checkpoint_gradients()
    frozen_texts = set(adapters) == {base.denoiser}
    watch = Watch()
    with watch.as_on_a_device():
        with torch.no_grad():
            texts = _texts(base, settings, batch)
        with watch, _dropouts(adapters):
            if not frozen_texts:
                texts = _texts(base, settings, batch)
            timesteps = torch.zeros(batch, dtype=torch.int64)
            answer = base.predict(_latents(base, size, batch), timesteps, texts, None, settings.flow.guidance_scale)
            loss = answer.float().square().mean()
            kept = watch.live
            loss.backward()
    for adapter in adapters.values():
        for parameter in adapter.parameters():
            parameter.grad = None
    return watch.work(kept)


@contextmanager
def _dropouts(adapters: Mapping[str, AttachedAdapter]) -> Iterator[None]:
    """Within the block dropouts are drawn as in a step."""
    with ExitStack() as stack:
        for adapter in adapters.values():
            stack.enter_context(adapter.at_step(0, 0))
        yield


def rehearse_predict(base: Base, settings: Settings, size: tuple[int, int], batch: int) -> Work:
    """One forward for sampling."""
    return _rehearse(lambda texts: base.predict(_latents(base, size, batch), torch.zeros(batch), texts), _texts(base, settings, batch))


def rehearse_encode(base: Base, size: tuple[int, int]) -> Work:
    """One picture into a latent."""
    return _rehearse(base.encode_pixels, torch.empty(1, 3, size[1], size[0], device="meta"))


def rehearse_decode(base: Base, size: tuple[int, int], batch: int) -> Work:
    """Latents into pictures."""
    return _rehearse(base.decode_latents, _latents(base, size, batch))


@torch.no_grad()
def _rehearse(work: Callable[[Any], Tensor], given: Any) -> Work:
    watch = Watch()
    with watch.as_on_a_device(), watch:
        work(given)
    return watch.work()


def _latents(base: Base, size: tuple[int, int], batch: int) -> Tensor:
    width, height = size
    return torch.empty(batch, base.latent_channels, height // base.latent_step, width // base.latent_step, device="meta")


def _texts(base: Base, settings: Settings, batch: int) -> EncodedTexts:
    return base.encode_texts([""] * batch, settings.base.text_options)
