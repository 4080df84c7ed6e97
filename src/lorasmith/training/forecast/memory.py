"""What each phase of a run needs on the device."""

from __future__ import annotations

from typing import NamedTuple

from lorasmith.models.block_swap import SLOTS, swapped_blocks
from lorasmith.models.device import DEVICES
from lorasmith.models.prepacked import prepacks
from lorasmith.models.settings import Quantize
from lorasmith.training.forecast.forecast import Memory
from lorasmith.training.forecast.rehearsed import PartBytes, Rehearsal
from lorasmith.training.learner.learner import prepacks_base
from lorasmith.training.optim.optimizers import optimizer_of
from lorasmith.training.planning.check import CheckedRun


def memory_of(checked: CheckedRun, rehearsal: Rehearsal, device: str) -> Memory:
    """What each phase holds on the device; what is freed after caching is counted in that phase alone."""
    settings, denoiser = checked.settings, checked.description.denoiser
    stored = {
        name: weight_bytes(part, settings.base.quantize, settings.training.blocks_to_swap if name == denoiser else 0)
        for name, part in rehearsal.parts.items()
    }
    weights = {name: size.on_device + (size.on_host if not DEVICES[device].own_memory else 0) for name, size in stored.items()}
    freed = _freed_after_caching(checked, rehearsal)
    each = 2 if settings.training.weight_dtype == "bf16" else 4
    network = each * rehearsal.parameters * (1 + (settings.training.ema_decay is not None))
    program = DEVICES[device].context_bytes if DEVICES[device].own_memory else rehearsal.program
    stays = {
        "base": sum(size for name, size in weights.items() if name not in freed), "network": network,
        "optimizer": optimizer_bytes(rehearsal.parameters, settings.optimizer.type), "program": program,
    }  # fmt: skip
    if device == "cpu" and prepacks() and prepacks_base(settings) and settings.base.quantize == "none":
        stays["weights laid out for the CPU"] = rehearsal.parts[denoiser].prepacked
    if not DEVICES[device].own_memory and settings.training.latents_in_memory:
        stays["latents"] = sum(
            4 * rehearsal.latent_channels * (item.fit.bucket[0] // rehearsal.latent_step) * (item.fit.bucket[1] // rehearsal.latent_step)
            for item in checked.training_set.listed
        )
    always = {"network": network, "program": program}
    encoders = sum(size for name, size in weights.items() if name not in (denoiser, "vae"))
    phases = {"opening": {"base": sum(weights.values()), **always}, "caching": {"activations": rehearsal.encode.peak, **always}}
    if settings.training.offload_while_caching and DEVICES[device].own_memory:
        phases["caching"]["base"] = weights["vae"]
        phases["encoding texts"] = {"base": encoders + weights["vae"], **always}
    else:
        phases["caching"]["base"] = sum(weights.values())
    phases["training"] = {**stays, "activations": rehearsal.step.peak}
    if rehearsal.denoise is not None and rehearsal.decode is not None:
        phases["sampling"] = {**stays, "activations": max(rehearsal.denoise.peak, rehearsal.decode.peak)}
        if DEVICES[device].graphs and settings.training.cuda_graphs and not settings.training.blocks_to_swap:
            phases["sampling"]["recorded steps"] = rehearsal.step.peak  # their memory is nobody else's
    return Memory(phases)


def _freed_after_caching(checked: CheckedRun, rehearsal: Rehearsal) -> set[str]:
    """The parts that nothing asks for any more once latents and texts are cached."""
    settings, denoiser = checked.settings, checked.description.denoiser
    freed: set[str] = set()
    if settings.captions.cached_variants and rehearsal.carriers == (denoiser,):
        freed |= rehearsal.parts.keys() - {denoiser, "vae"}
    encodes = any(dataset.color_aug or dataset.random_crop for dataset in settings.datasets)
    if not settings.samples.any and not encodes:
        freed.add("vae")
    return freed


def optimizer_bytes(parameters: int, optimizer: str) -> int:
    """What an optimizer keeps for this many trained parameters."""
    return int(parameters * optimizer_of(optimizer).state_bytes_per_parameter)


class WeightBytes(NamedTuple):
    """Bytes of a part's weights."""

    on_device: int
    on_host: int
    """Of swapped blocks."""


def weight_bytes(part: PartBytes, quantize: Quantize, blocks_to_swap: int = 0) -> WeightBytes:
    """A part's weights and buffers: in their quantised form where the base is quantised (`models.quantize`), and of swapped blocks two at
    a time on the device (`models.block_swap`)."""
    form = quantize if quantize in part.whole else "none"
    whole = part.whole[form]
    if not blocks_to_swap:
        return WeightBytes(whole, 0)
    swapped = [block[form] for block in swapped_blocks(part.blocks, blocks_to_swap)]
    return WeightBytes(whole - sum(swapped) + SLOTS * max(swapped), sum(swapped))
