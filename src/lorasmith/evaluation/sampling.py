"""Pictures from a base with LoRAs on it.

pictures = sample("models/base.safetensors", "zorvex, beach", lora=[("zorvex.safetensors", 0.8)])

base = open_base("models/base.safetensors", torch.float32)      # opened once, for many pictures
with with_lora(base, "zorvex.safetensors"):
    ...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from lorasmith.adapters.attach import AttachedAdapter, attach_layers
from lorasmith.adapters.base_weights import BaseWeights
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.lora_file import load_tensors
from lorasmith.adapters.layer import Layer
from lorasmith.adapters.tools.merge import merge
from lorasmith.errors import AdapterError, SettingsError
from lorasmith.models.base import Base
from lorasmith.models.device import Device, choose_device
from lorasmith.models.open import open_base
from lorasmith.models.sampling import sample as sample_base
from lorasmith.models.texts import TextOptions

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def sample(
    base: Base | str | Path, prompts: str | Sequence[str], *, lora: Sequence[tuple[str | Path, float]] | str | Path = (), seed: int = 1,
    width: int | None = None, height: int | None = None, sampler: str | None = None, steps: int | None = None, cfg_scale: float | None = None,
    guidance: float | None = None, negative_prompt: str = "", clip_skip: int = 1,
    precision: str | None = None, device: Device = "auto", **open_options: Any,
) -> list[Image.Image]:  # fmt: skip
    """Generate a picture for each prompt.

    Parameters
    ----------
    base
        An opened base, or what `open_base` opens: a file, a diffusers folder, a hub id.
    prompts
        One prompt, or several; picture k uses `seed` + k.
    lora
        LoRA files of any trainer and kind with their strengths (1 as trained); a single path is one at strength 1.
    width, height
        In pixels. None: the base's native size.
    sampler
        A key of `lorasmith.models.samplers.SAMPLERS`. None: as is usual for the base.
    steps, cfg_scale, guidance
        None: as is usual for the base.
    clip_skip
        The text encoder's last layer that is read; 2 for anime bases.
    precision, device, open_options
        How to open a base that is given by its name: fp32, bf16 or fp16 (None: bf16 on a GPU, else fp32); auto, cpu or cuda; and the
        options of `open_base`, such as `vae`.

    Raises
    ------
    InputError
        The base or a LoRA cannot be opened, or they do not fit each other.

    Examples
    --------
    >>> (picture,) = ls.sample("base", "zorvex, beach", lora=[("my-lora.safetensors", 0.8)], steps=1)
    >>> picture.size
    (32, 32)
    """
    opened = _open(base, precision, device, open_options) if isinstance(base, str | Path) else base
    for name, pixels in (("width", width), ("height", height)):
        if pixels is not None and pixels % opened.pixel_step:
            raise SettingsError(
                f"The {name} {pixels} does not fit this base, whose sides must be multiples of {opened.pixel_step} pixels. Change it.",
                code="sample.size_does_not_fit", value=pixels, multiple_of=opened.pixel_step,
            )  # fmt: skip
    asked = [prompts] if isinstance(prompts, str) else list(prompts)
    loras = [(lora, 1.0)] if isinstance(lora, str | Path) else lora
    with with_loras(opened, loras):
        return sample_base(
            opened, asked, [seed + k for k in range(len(asked))], width=width, height=height, sampler=sampler, steps=steps, cfg_scale=cfg_scale,
            guidance=guidance, negative_prompt=negative_prompt, texts=TextOptions(clip_skip=clip_skip),
        )  # fmt: skip


def _open(base: str | Path, precision: str | None, device: Device, options: Mapping[str, Any]) -> Base:
    if precision is not None and precision not in PRECISIONS:
        raise SettingsError(f"There is no precision {precision!r}. Choose {', '.join(PRECISIONS)}.", code="sample.unknown_precision")
    chosen = choose_device(device)
    return open_base(base, PRECISIONS[precision or ("bf16" if chosen == "cuda" else "fp32")], chosen, **options)


@contextmanager
def with_lora(base: Base, file: str | Path | None, strength: float = 1.0) -> Iterator[None]:
    """Within the block the base has the LoRA in `file` on it (None: nothing); see `with_loras`.

    Examples
    --------
    >>> base = ls.open_base("base")
    >>> with ls.with_lora(base, "my-lora.safetensors", strength=0.8):
    ...     pictures = ls.sample(base, ["zorvex, beach", "zorvex, snow"], steps=1)
    >>> len(pictures)
    2
    """
    with with_loras(base, [] if file is None else [(file, strength)]):
        yield


@contextmanager
def with_loras(base: Base, loras: Sequence[tuple[str | Path, float]]) -> Iterator[None]:
    """Within the block the base has LoRAs of any kind and dialect on it, each at its strength; the changes of several are added.

    Raises AdapterError where something of a file cannot be read, or the base has none of its layers.
    """
    networks = [(_layers(Path(file), base), strength) for file, strength in loras]
    with ExitStack() as stack:
        if len(networks) == 1:
            (layers, strength) = networks[0]
            for adapter in _attach(base, layers, stack):
                stack.enter_context(adapter.strength(strength))
        elif networks:
            _attach(base, merge(networks, base=BaseWeights(base.family, base.parts)), stack)
        yield


def _layers(file: Path, base: Base) -> Mapping[str, Layer]:
    """The layers in a file, all of which the base has."""
    lora = load_tensors(file)
    shape = keys.denoiser_shape(base.family, base.parts)
    layers = read_network(lora.tensors, lora.metadata, base.family, shape).whole().layers
    known = {name for targets in _targets(base).values() for name in targets}
    if unknown := sorted(layers.keys() - known):
        more = f" and {len(unknown) - 1} more layers" if len(unknown) > 1 else ""
        raise AdapterError(
            f"The LoRA {file} has {unknown[0]}{more}, which this base does not have. It was made for another base model.",
            code="adapter.does_not_fit", path=str(file), layers=unknown,
        )  # fmt: skip
    return layers


def _targets(base: Base) -> dict[str, dict[str, tuple[str, ...]]]:
    """Part of the base -> the layers that a LoRA file can have there, of the parts that carry LoRAs."""
    carrying = keys.naming_of(base.family).parts
    return {part: keys.targets(base.family, part, module, "full") for part, module in base.parts.items() if part in carrying}


def _attach(base: Base, layers: Mapping[str, Layer], stack: ExitStack) -> list[AttachedAdapter]:
    """Put layers on the base until `stack` ends."""
    adapters = []
    for part, targets in _targets(base).items():
        if (adapter := attach_layers(base.parts[part], targets, layers)) is not None:
            stack.callback(adapter.detach)
            adapters.append(adapter)
    return adapters
