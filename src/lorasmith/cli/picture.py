"""Verbs on pictures from a model: sample."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lorasmith.models.device import Device


def samplers() -> list[str]:
    """For the shell's completion."""
    from lorasmith.models.samplers import SAMPLERS

    return list(SAMPLERS)


def sample(
    base: Annotated[str, typer.Option(help="Base model: a file, a diffusers folder, or a hub id (owner/name).")],
    prompt: Annotated[list[str], typer.Option(help="What to generate; give it several times for several pictures.")],
    lora: Annotated[list[Path] | None, typer.Option(help="LoRA file, of any trainer and kind; may be given several times.")] = None,
    strength: Annotated[
        list[float] | None, typer.Option(help="How strongly a LoRA acts; 1 as trained. Once for all, or once for each --lora.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("samples"),
    seed: Annotated[int, typer.Option(help="Picture k uses seed + k.")] = 1,
    sampler: Annotated[
        str | None,
        typer.Option(
            help="How noise becomes a picture, such as euler_a or dpmpp_2m_karras. Empty: as usual for the base.", autocompletion=samplers
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Denoising steps. Empty: as usual for the base.")] = None,
    cfg_scale: Annotated[float | None, typer.Option(min=1, help="Guidance; 1 is none. Empty: as usual for the base.")] = None,
    guidance: Annotated[
        float | None, typer.Option(min=0, help="The distilled guidance that Flux dev takes. Empty: as usual for the base.")
    ] = None,
    negative_prompt: Annotated[str, typer.Option(help="What should not be in the pictures.")] = "",
    width: Annotated[int | None, typer.Option(min=1, help="In pixels. Empty: the base's native size.")] = None,
    height: Annotated[int | None, typer.Option(min=1, help="In pixels. Empty: the base's native size.")] = None,
    clip_skip: Annotated[int, typer.Option(min=1, help="The text encoder's last layer that is read; 2 for anime bases.")] = 1,
    vae: Annotated[Path | None, typer.Option(help="Another autoencoder: its file or folder.")] = None,
    text_encoder: Annotated[Path | None, typer.Option(help="Text encoder in a file of its own (Flux: CLIP-L).")] = None,
    text_encoder_2: Annotated[Path | None, typer.Option(help="Second text encoder in a file of its own (Flux: T5).")] = None,
    config: Annotated[Path | None, typer.Option(help="Diffusers folder whose settings and tokenizers are used.")] = None,
    allow_pickle: Annotated[bool, typer.Option(help="Read .ckpt and .pt files, as weights alone.")] = False,
    precision: Annotated[str | None, typer.Option(help="fp32, bf16 or fp16. Empty: bf16 on a GPU, else fp32.")] = None,
    device: Annotated[Device, typer.Option(help="auto takes an NVIDIA GPU where there is one, else the CPU.")] = "auto",
) -> None:
    """Generate pictures with a base model, with or without LoRAs.

    lorasmith sample --base models/base --lora zorvex.safetensors --prompt "zorvex, happy, beach" --out pictures

    lorasmith sample --base flux1-dev.safetensors --vae ae.safetensors --text-encoder clip_l.safetensors --text-encoder-2 t5xxl.safetensors --prompt "a cat"
    """
    from lorasmith.evaluation.sampling import sample as generate

    pictures = generate(
        base, prompt, lora=_with_strengths(lora or [], strength or [1.0]), seed=seed, width=width, height=height, sampler=sampler, steps=steps,
        cfg_scale=cfg_scale, guidance=guidance, negative_prompt=negative_prompt, clip_skip=clip_skip, precision=precision,
        device=device, vae=vae, text_encoder=text_encoder, text_encoder_2=text_encoder_2, config=config, allow_pickle=allow_pickle,
    )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    for k, picture in enumerate(pictures):
        path = out / f"{k:04d}-seed{seed + k}.png"
        picture.save(path)
        typer.echo(path)


def _with_strengths(files: list[Path], strengths: list[float]) -> list[tuple[str | Path, float]]:
    if len(strengths) == 1:
        strengths = strengths * len(files)
    if len(strengths) != len(files):
        raise typer.BadParameter(
            f"Give it once, or once for each --lora: {len(files)} LoRAs have {len(strengths)} strengths.", param_hint="--strength"
        )
    return list(zip(files, strengths, strict=True))
