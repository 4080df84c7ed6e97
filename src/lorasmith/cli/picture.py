"""Verbs on pictures from a model: sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lorasmith.cli.options import AllowPickle, AsJson, DeviceChoice, base_of
from lorasmith.cli.output import print_json
from lorasmith.models.device import Device
from lorasmith.models.families import part_in_words

if TYPE_CHECKING:
    from lorasmith.models.prompts.lines import PromptLine
    from lorasmith.models.prompts.parameters import Parameters
    from lorasmith.models.prompts.request import PictureRequest


Vae = Annotated[Path | None, typer.Option(help="Another autoencoder: its file or folder.")]
TextEncoder = Annotated[Path | None, typer.Option(help=f"Text encoder in a file of its own: {part_in_words('text_encoder')}.")]
TextEncoder2 = Annotated[Path | None, typer.Option(help=f"Second text encoder in a file of its own: {part_in_words('text_encoder_2')}.")]
TextEncoder3 = Annotated[Path | None, typer.Option(help=f"Third text encoder in a file of its own: {part_in_words('text_encoder_3')}.")]
ConfigFolder = Annotated[Path | None, typer.Option(help="Diffusers folder whose settings and tokenizers are used.")]
Precision = Annotated[str | None, typer.Option(help="fp32, bf16 or fp16. Empty: bf16 on a GPU, else fp32.")]


def samplers() -> list[str]:
    """For the shell's completion."""
    from lorasmith.models.samplers import SAMPLERS

    return list(SAMPLERS)


SamplerOption = Annotated[
    str | None,
    typer.Option(
        help='How noise becomes a picture, such as euler_a or "DPM++ 2M Karras". Empty: as usual for the base.', autocompletion=samplers
    ),
]


def sample(
    base: Annotated[str, typer.Option(help="Base model: a file, a diffusers folder, a hub id (owner/name), or demo.", callback=base_of)],
    prompt: Annotated[
        list[str] | None, typer.Option(help="What to generate; may have <lora:name:0.7> and flags (--n blurry). Once for each picture.")
    ] = None,
    prompts_file: Annotated[
        Path | None, typer.Option(help="File of prompts, one a line, with the flags of sd-scripts or A1111; or sd-scripts' TOML or JSON.")
    ] = None,
    from_captions: Annotated[
        Path | None,
        typer.Option(help="Folder of captioned pictures; prompts are made from its captions: new, bare, trained, held out, other."),
    ] = None,
    trigger: Annotated[
        str | None, typer.Option(help="With --from-captions: the trigger word. Empty: what most captions begin with.")
    ] = None,
    from_png: Annotated[Path | None, typer.Option(help="Generate the picture in this PNG again, from the parameters in it.")] = None,
    lora: Annotated[list[Path] | None, typer.Option(help="LoRA file, of any trainer and kind; may be given several times.")] = None,
    strength: Annotated[
        list[float] | None, typer.Option(help="How strongly a LoRA acts; 1 as trained. Once for all, or once for each --lora.")
    ] = None,
    lora_folder: Annotated[Path | None, typer.Option(help="Folder of the LoRAs that prompts call by name.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("samples"),
    seed: Annotated[int | None, typer.Option(min=0, help="Picture k uses seed + k. Empty: 1, or the PNG's.")] = None,
    sampler: SamplerOption = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Denoising steps. Empty: as usual for the base.")] = None,
    cfg_scale: Annotated[float | None, typer.Option(min=1, help="Guidance; 1 is none. Empty: as usual for the base.")] = None,
    guidance: Annotated[
        float | None,
        typer.Option(min=0, help="The guidance that a guidance-distilled base (Flux.1 dev) is told. Empty: as usual for the base."),
    ] = None,
    negative_prompt: Annotated[str | None, typer.Option(help="What should not be in the pictures.")] = None,
    width: Annotated[int | None, typer.Option(min=1, help="In pixels. Empty: the base's native size.")] = None,
    height: Annotated[int | None, typer.Option(min=1, help="In pixels. Empty: the base's native size.")] = None,
    clip_skip: Annotated[int | None, typer.Option(min=1, help="The text encoder's last layer that is read; 2 for anime bases.")] = None,
    vae: Vae = None,
    text_encoder: TextEncoder = None,
    text_encoder_2: TextEncoder2 = None,
    text_encoder_3: TextEncoder3 = None,
    config: ConfigFolder = None,
    allow_pickle: AllowPickle = False,
    precision: Precision = None,
    device: DeviceChoice = "auto",
    as_json: AsJson = False,
) -> None:
    """Generate pictures with a base model, with or without LoRAs. Each PNG says how it was generated, as A1111's do.

    lorasmith sample --base models/base --lora zorvex.safetensors --prompt "zorvex, happy, beach" --out pictures

    lorasmith sample --base models/base --lora-folder loras --prompt "<lora:zorvex:0.7> zorvex, (beach:1.2)" --steps 28

    lorasmith sample --base models/base --lora-folder loras --from-png pictures/0000-seed1.png

    lorasmith sample --base models/base --lora zorvex.safetensors --from-captions pictures/zorvex --trigger zorvex

    lorasmith sample --base flux1-dev.safetensors --vae ae.safetensors --text-encoder clip_l.safetensors --text-encoder-2 t5xxl.safetensors --prompt "a cat"
    """
    drawn = {"width": width, "height": height, "sampler": sampler, "steps": steps, "cfg_scale": cfg_scale, "guidance": guidance}
    given = _given(**drawn, seed=seed, negative_prompt=negative_prompt, clip_skip=clip_skip)
    parts = {"vae": vae, "text_encoder": text_encoder, "text_encoder_2": text_encoder_2, "text_encoder_3": text_encoder_3}
    options = {**parts, "config": config, "allow_pickle": allow_pickle}
    requests, source = _requests(prompt or [], prompts_file, from_png, given)
    if from_captions is not None:
        requests += _from_captions(base, from_captions, trigger, given)
    if not requests:
        raise typer.BadParameter("Give --prompt, --prompts-file, --from-captions or --from-png.", param_hint="--prompt")
    loras = _with_strengths(lora or [], strength or [1.0])
    written = _generated(requests, source, loras, base, lora_folder, precision, device, options, out)
    if as_json:
        print_json({"base": base, "pictures": written})
    else:
        for each in written:
            typer.echo(each["file"])


def _requests(
    prompts: Sequence[str], file: Path | None, png: Path | None, given: dict[str, Any]
) -> tuple[list[PictureRequest], Parameters | None]:
    """What the options ask for; and the parameters of the PNG that is generated again."""
    from lorasmith.models.prompts.lines import read_line, read_prompt_file, requests_of
    from lorasmith.models.prompts.parameters import read_png
    from lorasmith.models.prompts.request import PictureRequest

    if png is not None:
        if prompts or file:
            raise typer.BadParameter("The PNG has its prompt. Give --prompt or --from-png.", param_hint="--from-png")
        found = read_png(png)
        return [replace(found.request, **given)], found
    lines = [*map(read_line, prompts), *(read_prompt_file(file) if file else [])]
    _name_without_effect(lines)
    return requests_of(lines, replace(PictureRequest(), **given)), None


def _from_captions(base: str, folder: Path, trigger: str | None, given: dict[str, Any]) -> list[PictureRequest]:
    from lorasmith.evaluation.caption_prompts import lines_from_captions
    from lorasmith.models.prompts.lines import requests_of
    from lorasmith.models.prompts.request import PictureRequest

    return requests_of(lines_from_captions(base, folder, trigger), replace(PictureRequest(), **given))


def _given(**options: Any) -> dict[str, Any]:
    """The fields of a request that were given."""
    from lorasmith.models.samplers import sampler_key

    given = {name: value for name, value in options.items() if value is not None}
    return {**given, "sampler": sampler_key(given["sampler"])} if "sampler" in given else given


def _name_without_effect(lines: Sequence[PromptLine]) -> None:
    if flags := sorted({flag for line in lines for flag in line.without_effect}):
        typer.echo(f"warning: Flags that do nothing here: {', '.join(flags)}.", err=True)


def _generated(
    requests: Sequence[PictureRequest], source: Parameters | None, loras: list[tuple[str | Path, float]], base: str, lora_folder: Path | None,
    precision: str | None, device: Device, options: Mapping[str, object], out: Path,
) -> list[dict[str, object]]:  # fmt: skip
    """Generate and write the pictures; each with its file and what it says of itself."""
    from lorasmith.evaluation.sampling.again import differences
    from lorasmith.evaluation.sampling.loras import LoraUse
    from lorasmith.evaluation.sampling.sample import open_session
    from lorasmith.models.prompts.parameters import parameters_text
    from lorasmith.models.prompts.syntax import prompt_findings

    session = open_session(base, lora_folder, precision, device, options)
    drawings = [session.drawing(one, [LoraUse.of(*each) for each in loras]) for one in requests]
    findings = prompt_findings(
        (text for one in drawings for text in (one.request.prompt, one.request.negative_prompt)), session.base.family
    )
    if source is not None:
        findings += differences(source, session.parameters(drawings[0]))
    for finding in findings:
        typer.echo(f"{finding.severity}: {finding}", err=True)
    out.mkdir(parents=True, exist_ok=True)
    made = dict(session.generate(drawings))
    written: list[dict[str, object]] = []
    for place, drawing in enumerate(drawings):
        path = out / f"{place:04d}-seed{drawing.request.seed}.png"
        made[place].save(path)
        written.append({"file": path, "seed": drawing.request.seed, "parameters": parameters_text(made[place].parameters)})
    return written


def _with_strengths(files: list[Path], strengths: list[float]) -> list[tuple[str | Path, float]]:
    if len(strengths) == 1:
        strengths = strengths * len(files)
    if len(strengths) != len(files):
        raise typer.BadParameter(
            f"Give it once, or once for each --lora: {len(files)} LoRAs have {len(strengths)} strengths.", param_hint="--strength"
        )
    return list(zip(files, strengths, strict=True))
