"""The rehearsal of a run on a base without weights: its own modules and networks on torch's meta device, and what a step, a latent and a
sample picture do there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any

import psutil
import torch
from torch import Tensor, nn

from lorasmith.adapters.attach import AttachedAdapter, adapter_tensors, attach_network
from lorasmith.adapters.files.key_style import in_style_of
from lorasmith.adapters.files.lora_file import PRECISIONS, stored_dtype
from lorasmith.adapters.selection import select_network
from lorasmith.models.base import Base
from lorasmith.models.block_swap import repeated_blocks, swappable_weights
from lorasmith.models.description import Description
from lorasmith.models.files.weights import empty_module, kept_in_float32
from lorasmith.models.open import base_class
from lorasmith.models.parts import Part
from lorasmith.models.prepacked import convolutions_to_prepack
from lorasmith.models.quantize import PACKINGS, packings_of
from lorasmith.models.texts import EncodedTexts
from lorasmith.training.forecast.rehearsed import LoraLayout, PartBytes, Rehearsal, RehearsedRun
from lorasmith.training.forecast.watch import Watch
from lorasmith.training.forecast.work import Work
from lorasmith.training.records.checkpoints import DTYPES
from lorasmith.training.records.lora_metadata import ranks_and_alphas


def rehearse(run: RehearsedRun) -> Rehearsal:
    """Rehearse a step, a latent and a sample picture."""
    base = blank_base(run.description, DTYPES[run.mixed_precision])
    adapters = attach_blank(base, run)
    encode = rehearse_encode(base, run.encoded)
    denoise, decode = None, None
    if drawn := run.drawn:
        denoise = rehearse_predict(base, run, drawn.size, drawn.guided * drawn.pictures)
        decode = rehearse_decode(base, drawn.size, drawn.pictures)
    step = rehearse_step(base, adapters, run)
    if run.prior_preservation:
        step += step + rehearse_predict(base, run, run.largest, run.batch)
    modules = {"vae": base.autoencoder.vae, **base.parts}  # type: ignore[attr-defined]
    parts = {name: part_bytes(module, run.description.parts[name].config) for name, module in modules.items()}
    trained = [parameter for adapter in adapters.values() for parameter in adapter.parameters()]
    return Rehearsal(
        run, parts, tuple(adapters), sum(parameter.numel() for parameter in trained), len(trained),
        _lora_layout(base.family, adapters, PRECISIONS[run.save_precision]), base.latent_channels, base.latent_step,
        step, encode, denoise, decode, psutil.Process().memory_info().rss,
    )  # fmt: skip


# -- what is kept and written -----------------------------------------------------------------------------------------


def part_bytes(module: nn.Module, part: Part) -> PartBytes:
    """What a part's weights and buffers take, as they are and in every quantised form (`models.quantize`), and its blocks apart."""
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    sizes = {"none": {name: tensor.nbytes for name, tensor in tensors.items()}}
    for quantize in PACKINGS if part.architecture.quantizable else ():
        packed = packings_of(module, quantize)
        sizes[quantize] = {
            name: PACKINGS[packed[name]].bytes_of(tensor.shape) if name in packed else tensor.nbytes for name, tensor in tensors.items()
        }
    blocks = swappable_weights(repeated_blocks(module)) if hasattr(module, "_repeated_blocks") else {}
    return PartBytes(
        {quantize: sum(found.values()) for quantize, found in sizes.items()},
        tuple({quantize: sum(map(found.__getitem__, names)) for quantize, found in sizes.items()} for names in blocks.values()),
        sum(layer.weight.nbytes for layer in convolutions_to_prepack(module)),
    )


def _lora_layout(family: str, adapters: Mapping[str, AttachedAdapter], dtype: torch.dtype) -> LoraLayout:
    tensors, metadata = in_style_of(family, adapter_tensors(*adapters.values()), {})
    stored = {key: (_name(stored_dtype(key, tensor, dtype)), tuple(tensor.shape)) for key, tensor in tensors.items()}
    return LoraLayout(stored, metadata, ranks_and_alphas(adapters))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


# -- a base without weights -------------------------------------------------------------------------------------------


def blank_base(description: Description, dtype: torch.dtype) -> Base:
    """The base with its modules on the meta device, its denoiser and text encoders in `dtype`; it computes shapes alone."""
    with torch.device("meta"):
        modules = {name: empty_module(place.config) for name, place in description.parts.items()}
    for name, module in modules.items():
        exact = kept_in_float32(module)
        nn.Module.to(module.requires_grad_(False).eval(), torch.float32 if name == "vae" else dtype)
        for parameter in map(module.get_parameter, exact):
            parameter.data = parameter.data.float()
    tokenizers = {name: _NoWords() for name in description.needed_tokenizers}
    fingerprints = dict.fromkeys(modules, "0" * 64)  # as long as real ones
    opened = base_class(description.record)
    base: Base = opened(modules, tokenizers, opened.diffusion_of(description.scheduler[1]), fingerprints, description.variant)
    return base


class _NoWords:
    """A tokenizer for which every caption is empty: its states have the same shape as any other's."""

    bos_token_id = eos_token_id = pad_token_id = 0
    model_max_length = 512

    def __call__(self, texts: str | list[str], max_length: int = 0, **options: Any) -> Any:
        ids = torch.zeros(len(texts), max_length, dtype=torch.int64)
        if "return_tensors" not in options:
            return SimpleNamespace(input_ids=[] if isinstance(texts, str) else ids.tolist())
        found = SimpleNamespace(input_ids=ids, attention_mask=torch.ones_like(ids))
        found.to = lambda device: SimpleNamespace(input_ids=ids.to(device), attention_mask=torch.ones_like(ids, device=device))
        return found


def attach_blank(base: Base, run: RehearsedRun) -> dict[str, AttachedAdapter]:
    """The run's networks on a blank base, by part, in the shapes that they will have."""
    parts = {part: module for part, module in base.parts.items() if part in run.trained}
    with torch.device("meta"):
        return {
            part: attach_network(parts[part], chosen.targets, chosen.settings, seed=0)
            for part, chosen in select_network(base.family, parts, run.network).items()
        }


# -- what is rehearsed ------------------------------------------------------------------------------------------------


def rehearse_step(base: Base, adapters: Mapping[str, AttachedAdapter], run: RehearsedRun) -> Work:
    """One forward and backward over the largest batch, on a blank base with its networks."""
    size, batch = run.largest, run.batch
    if run.gradient_checkpointing:
        base.checkpoint_gradients()
    frozen_texts = set(adapters) == {base.denoiser}
    watch = Watch()
    with watch.as_on_a_device():
        with torch.no_grad():
            texts = _texts(base, run, batch)
        with watch, _dropouts(adapters):
            if not frozen_texts:
                texts = _texts(base, run, batch)
            timesteps = torch.zeros(batch, dtype=torch.int64)
            answer = base.predict(_latents(base, size, batch), timesteps, texts, None, run.guidance_scale)
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


def rehearse_predict(base: Base, run: RehearsedRun, size: tuple[int, int], batch: int) -> Work:
    """One forward for sampling."""
    latents, timesteps = _latents(base, size, batch), torch.zeros(batch)
    return _rehearse(lambda texts: base.predict(latents, timesteps, texts), lambda: _texts(base, run, batch))


def rehearse_encode(base: Base, size: tuple[int, int]) -> Work:
    """One picture into a latent."""
    return _rehearse(base.encode_pixels, lambda: torch.empty(1, 3, size[1], size[0], device="meta"))


def rehearse_decode(base: Base, size: tuple[int, int], batch: int) -> Work:
    """Latents into pictures."""
    return _rehearse(base.decode_latents, lambda: _latents(base, size, batch))


@torch.no_grad()
def _rehearse(work: Callable[[Any], Tensor], given: Callable[[], Any]) -> Work:
    """The work on what `given` makes, which is not counted."""
    watch = Watch()
    with watch.as_on_a_device():
        ready = given()
        with watch:
            work(ready)
    return watch.work()


def _latents(base: Base, size: tuple[int, int], batch: int) -> Tensor:
    width, height = size
    return torch.empty(batch, base.latent_channels, height // base.latent_step, width // base.latent_step, device="meta")


def _texts(base: Base, run: RehearsedRun, batch: int) -> EncodedTexts:
    return base.encode_texts([""] * batch, run.text_options)
