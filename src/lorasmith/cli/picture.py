"""Verbs on pictures from a model: sample."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sample(
    base: Annotated[Path, typer.Option(help="Base model: a diffusers folder.")],
    prompt: Annotated[list[str], typer.Option(help="What to draw; give it several times for several pictures.")],
    lora: Annotated[Path | None, typer.Option(help="LoRA file.")] = None,
    strength: Annotated[float, typer.Option(help="How strongly the LoRA acts; 1 as trained.")] = 1.0,
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("samples"),
    seed: Annotated[int, typer.Option(help="Picture k uses seed + k.")] = 1,
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 20,
    cfg_scale: Annotated[float, typer.Option(help="Guidance.")] = 7.0,
    negative_prompt: Annotated[str, typer.Option(help="What should not be seen.")] = "",
    width: Annotated[int | None, typer.Option(help="Pixels; the base's own size where left out.")] = None,
    height: Annotated[int | None, typer.Option(help="Pixels; the base's own size where left out.")] = None,
) -> None:
    """Draw pictures with a base model, with or without a LoRA.

    lorasmith sample --base models/base --lora zorvex.safetensors --prompt "zorvex, happy, beach" --out pictures
    """
    import torch

    from lorasmith.evaluation.sampling import with_lora
    from lorasmith.models.checkpoint import open_base
    from lorasmith.models.sampling import sample as draw

    opened = open_base(base, torch.float32)
    with with_lora(opened, lora, strength):
        pictures = draw(
            opened, prompt, [seed + k for k in range(len(prompt))], width=width, height=height, steps=steps, cfg_scale=cfg_scale,
            negative_prompt=negative_prompt,
        )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    for k, picture in enumerate(pictures):
        path = out / f"{k:04d}-seed{seed + k}.png"
        picture.save(path)
        typer.echo(path)
