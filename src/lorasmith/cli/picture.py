"""Verbs on pictures from a model: sample."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sample(
    base: Annotated[str, typer.Option(help="Base model: a file, a diffusers folder, or a hub id (owner/name).")],
    prompt: Annotated[list[str], typer.Option(help="What to draw; give it several times for several pictures.")],
    lora: Annotated[Path | None, typer.Option(help="LoRA file, of any trainer and kind.")] = None,
    strength: Annotated[float, typer.Option(help="How strongly the LoRA acts; 1 as trained.")] = 1.0,
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("samples"),
    seed: Annotated[int, typer.Option(help="Picture k uses seed + k.")] = 1,
    steps: Annotated[int | None, typer.Option(min=1, help="Denoising steps. Empty: as usual for the base.")] = None,
    cfg_scale: Annotated[float | None, typer.Option(min=1, help="Guidance; 1 is none. Empty: as usual for the base.")] = None,
    guidance: Annotated[float | None, typer.Option(min=0, help="What Flux dev is told of guidance. Empty: as usual for the base.")] = None,
    negative_prompt: Annotated[str, typer.Option(help="What should not be seen.")] = "",
    width: Annotated[int | None, typer.Option(min=1, help="Pixels; the base's own size where left out.")] = None,
    height: Annotated[int | None, typer.Option(min=1, help="Pixels; the base's own size where left out.")] = None,
    clip_skip: Annotated[int, typer.Option(min=1, help="The text encoder's last layer that is read; 2 for anime bases.")] = 1,
    vae: Annotated[Path | None, typer.Option(help="Another autoencoder: its file or folder.")] = None,
    text_encoder: Annotated[Path | None, typer.Option(help="Text encoder in a file of its own (Flux: CLIP-L).")] = None,
    text_encoder_2: Annotated[Path | None, typer.Option(help="Second text encoder in a file of its own (Flux: T5).")] = None,
    config: Annotated[Path | None, typer.Option(help="Diffusers folder whose settings and tokenizers are used.")] = None,
    allow_pickle: Annotated[bool, typer.Option(help="Read .ckpt and .pt files, as weights alone.")] = False,
    precision: Annotated[str | None, typer.Option(help="fp32, bf16 or fp16. Empty: bf16 on a GPU, else fp32.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Draw pictures with a base model, with or without a LoRA.

    lorasmith sample --base models/base --lora zorvex.safetensors --prompt "zorvex, happy, beach" --out pictures

    lorasmith sample --base flux1-dev.safetensors --vae ae.safetensors --text-encoder clip_l.safetensors --text-encoder-2 t5xxl.safetensors --prompt "a cat"
    """
    import torch

    from lorasmith.errors import SettingsError
    from lorasmith.evaluation.sampling import with_lora
    from lorasmith.models.open import open_base
    from lorasmith.models.sampling import sample as draw
    from lorasmith.models.texts import TextOptions

    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    if device not in ("auto", "cpu", "cuda"):
        raise SettingsError(f"there is no device {device!r}; choose auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise SettingsError("torch sees no GPU; install a GPU build of torch, or leave --device out")
    if precision is not None and precision not in dtypes:
        raise SettingsError(f"there is no precision {precision!r}; choose {', '.join(dtypes)}")
    where = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    dtype = dtypes[precision or ("bf16" if where == "cuda" else "fp32")]
    opened = open_base(
        base, dtype, where, vae=vae, text_encoder=text_encoder, text_encoder_2=text_encoder_2, config=config, allow_pickle=allow_pickle
    )
    for side, pixels in (("width", width), ("height", height)):
        if pixels is not None and pixels % opened.pixel_step:
            raise SettingsError(
                f"--{side} {pixels} does not fit this base, whose sides go in steps of {opened.pixel_step} pixels; change it"
            )
    with with_lora(opened, lora, strength):
        pictures = draw(
            opened, prompt, [seed + k for k in range(len(prompt))], width=width, height=height, steps=steps, cfg_scale=cfg_scale,
            guidance=guidance, negative_prompt=negative_prompt, texts=TextOptions(clip_skip=clip_skip),
        )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    for k, picture in enumerate(pictures):
        path = out / f"{k:04d}-seed{seed + k}.png"
        picture.save(path)
        typer.echo(path)
