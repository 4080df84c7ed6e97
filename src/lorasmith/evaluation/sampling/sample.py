"""Pictures from a base with LoRAs on it, in one call.

pictures = sample("models/base.safetensors", "zorvex, beach", lora=[("zorvex.safetensors", 0.8)])
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from lorasmith.errors import SettingsError
from lorasmith.evaluation.sampling.lora_folder import LoraFolder
from lorasmith.evaluation.sampling.loras import LoraUse
from lorasmith.evaluation.sampling.session import SamplingSession
from lorasmith.models.base import Base
from lorasmith.models.device import Device, choose_device
from lorasmith.models.open import open_base
from lorasmith.models.prompts.lines import read_line, requests_of
from lorasmith.models.prompts.parameters import ENTRY, parameters_text
from lorasmith.models.prompts.request import PictureRequest
from lorasmith.models.prompts.syntax import prompt_findings
from lorasmith.models.samplers import sampler_key
from lorasmith.registry import nearest

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

log = logging.getLogger(__name__)


def sample(
    base: Base | str | Path, prompts: str | Sequence[str], *, lora: Sequence[tuple[str | Path, float]] | str | Path = (),
    lora_folder: str | Path | None = None, seed: int = 1,
    width: int | None = None, height: int | None = None, sampler: str | None = None, steps: int | None = None, cfg_scale: float | None = None,
    guidance: float | None = None, negative_prompt: str = "", clip_skip: int = 1,
    precision: str | None = None, device: Device = "auto", **open_options: Any,
) -> list[Image.Image]:  # fmt: skip
    """Generate a picture for each prompt; its `info["parameters"]` says how, in A1111's form.

    Parameters
    ----------
    base
        An opened base, or what `open_base` opens: a file, a diffusers folder, a hub id.
    prompts
        One prompt, or several; picture k uses `seed` + k. A1111's emphasis `(word:1.2)` and LoRAs `<lora:zorvex:0.7>` are read, and flags
        such as `--n blurry --w 768`, as in prompt files of sd-scripts and A1111.
    lora
        LoRA files of any trainer and kind with their strengths (1 as trained); a single path is one at strength 1.
    lora_folder
        Where the LoRAs that prompts call by name are.
    width, height
        In pixels. None: the base's native size.
    sampler
        A key of `lorasmith.models.samplers.SAMPLERS` or A1111's label. None: as is usual for the base.
    steps, cfg_scale, guidance
        None: as is usual for the base.
    clip_skip
        The text encoder's last layer that is read; 2 for anime bases.
    precision, device, open_options
        How to open a base that is given by its name: fp32, bf16 or fp16 (None: bf16 on a GPU, else fp32); auto or a device; and the
        options of `open_base`, such as `vae`.

    Raises
    ------
    InputError
        The base or a LoRA cannot be opened, they do not fit each other, or a prompt asks for something that is not offered.

    Examples
    --------
    >>> (picture,) = ls.sample("base", "zorvex, beach", lora=[("my-lora.safetensors", 0.8)], steps=1)
    >>> picture.size
    (32, 32)
    """
    usual = PictureRequest(
        negative_prompt=negative_prompt, seed=seed, width=width, height=height, sampler=sampler and sampler_key(sampler), steps=steps,
        cfg_scale=cfg_scale, guidance=guidance, clip_skip=clip_skip,
    )  # fmt: skip
    lines = [read_line(prompt) for prompt in ([prompts] if isinstance(prompts, str) else prompts)]
    session = open_session(base, lora_folder, precision, device, open_options)
    given = [LoraUse.of(lora)] if isinstance(lora, str | Path) else [LoraUse.of(*each) for each in lora]
    requests = requests_of(lines, usual)
    for finding in prompt_findings((one.prompt for one in requests), session.base.family):
        log.warning("%s", finding)
    made = dict(session.generate([session.drawing(one, given) for one in requests]))
    for each in made.values():
        each.picture.info[ENTRY] = parameters_text(each.parameters)
    return [made[place].picture for place in range(len(requests))]


def open_session(
    base: Base | str | Path, lora_folder: str | Path | None, precision: str | None, device: Device, open_options: Mapping[str, Any]
) -> SamplingSession:
    """A session on a base that is open, or that is opened for it.

    Raises InputError where it cannot be opened.
    """
    folder = LoraFolder(None if lora_folder is None else Path(lora_folder))
    if isinstance(base, str | Path):
        return SamplingSession(open_with(base, precision, device, open_options), folder, Path(base))
    return SamplingSession(base, folder)


def open_with(base: str | Path, precision: str | None, device: Device, open_options: Mapping[str, Any]) -> Base:
    """A base in the precision that users name; None: bf16 on a GPU, else fp32."""
    if precision is not None and precision not in PRECISIONS:
        raise SettingsError(f"There is no precision {precision!r}; {nearest(precision, PRECISIONS)}", code="sample.unknown_precision")
    chosen = choose_device(device)
    return open_base(base, PRECISIONS[precision or ("fp32" if chosen == "cpu" else "bf16")], chosen, **open_options)
