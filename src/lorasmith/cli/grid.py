"""The verb on many pictures at once: grid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lorasmith.cli.interrupt import STOPPED, stop_on_ctrl_c
from lorasmith.cli.options import AsJson, DeviceChoice, base_of
from lorasmith.cli.output import print_json
from lorasmith.cli.picture import ConfigFolder, Precision, TextEncoder, TextEncoder2, TextEncoder3, Vae, samplers
from lorasmith.cli.progress import progress_bar
from lorasmith.pages.numbers import count

if TYPE_CHECKING:
    from lorasmith.evaluation.grid.grid import GridResult
    from lorasmith.evaluation.grid.plan import GridPlan

_AXIS = "An axis with its values: checkpoints, 0.5..1.0:0.1, seed=1..4, 'sr: red, blue', 'Steps: 10-30 (+10)'."


def grid(
    target: Annotated[Path | None, typer.Argument(help="Folder of a run, or a LoRA file. Empty: --base alone.")] = None,
    x: Annotated[str | None, typer.Option("--x", help=_AXIS)] = None,
    y: Annotated[str | None, typer.Option("--y", help="The same, downwards.")] = None,
    z: Annotated[str | None, typer.Option("--z", help="The same, one block below the other.")] = None,
    base: Annotated[
        str | None, typer.Option(help="Base model: a file, a diffusers folder, a hub id, or demo. Empty: the run's.", callback=base_of)
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(help="May have <lora:name:0.7> and flags (--n blurry). Empty: the first of the run's sample prompts.")
    ] = None,
    negative_prompt: Annotated[str | None, typer.Option(help="What should not be in the pictures.")] = None,
    lora_folder: Annotated[
        Path | None, typer.Option(help="Folder of the LoRAs that the prompt calls. Empty: the run's checkpoints.")
    ] = None,
    strength: Annotated[float, typer.Option(help="Of the run's LoRA, or of the file; 1 as trained.")] = 1.0,
    seed: Annotated[int | None, typer.Option(min=0, help="Empty: that of the run's samples.")] = None,
    sampler: Annotated[str | None, typer.Option(help="Empty: as in the run, or as usual for the base.", autocompletion=samplers)] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Denoising steps. Empty: as in the run, or as usual for the base.")] = None,
    cfg_scale: Annotated[float | None, typer.Option(min=1, help="Guidance. Empty: as in the run, or as usual for the base.")] = None,
    width: Annotated[int | None, typer.Option(min=1, help="In pixels. Empty: as in the run, or the base's native size.")] = None,
    height: Annotated[int | None, typer.Option(min=1, help="In pixels. Empty: as in the run, or the base's native size.")] = None,
    clip_skip: Annotated[int | None, typer.Option(min=1, help="Empty: as in the run, or 1.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for sheet, page and cells. Empty: grids in the run's folder, or here.")] = None,
    name: Annotated[
        str, typer.Option(help="Of the sheet and the page. Empty: after the axes, and with a few letters of its own for each grid.")
    ] = "",
    image_format: Annotated[Literal["png", "webp"], typer.Option("--format", help="Of the sheet: png or webp.")] = "png",
    vae: Vae = None,
    text_encoder: TextEncoder = None,
    text_encoder_2: TextEncoder2 = None,
    text_encoder_3: TextEncoder3 = None,
    config: ConfigFolder = None,
    precision: Precision = None,
    device: DeviceChoice = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be generated; read no weight and write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Generate pictures side by side, over checkpoints, weights, prompts, seeds and more: a labelled sheet, and a page to flip through.

    Cells that are there already are kept. Ctrl-C stops after the picture at hand; the same command continues.

    lorasmith grid runs/zorvex --x checkpoints --y 0.5..1.0:0.1

    lorasmith grid runs/zorvex --x checkpoints --y seed=1..4 --z prompts

    lorasmith grid --base models/base --lora-folder loras --prompt "<lora:zorvex:1> zorvex, red hat" --x "sr: red hat, blue hat" --y "weight: 0.5-1 [3]"

    Exit code 130: stopped before the end.
    """
    from lorasmith.evaluation.grid.grid import generate_grid
    from lorasmith.evaluation.grid.plan import plan_grid

    plan = plan_grid(
        target, x=x, y=y, z=z, base=base, prompt=prompt, lora_folder=lora_folder, strength=strength, out=out, name=name, precision=precision,
        device=device, negative_prompt=negative_prompt, seed=seed, sampler=sampler, steps=steps, cfg_scale=cfg_scale, width=width,
        height=height, clip_skip=clip_skip,
        open_options={
            "vae": vae, "text_encoder": text_encoder, "text_encoder_2": text_encoder_2, "text_encoder_3": text_encoder_3, "config": config,
        },
    )  # fmt: skip
    for finding in plan.findings:
        typer.echo(f"{finding.severity}: {finding}", err=True)
    if dry_run:
        _print_plan(target, plan, as_json)
        return
    with stop_on_ctrl_c() as stopping, progress_bar("generating") as progress:
        result = generate_grid(plan, precision, device, image_format, progress, stopping)
    _print_result(target, result, as_json)
    if not result.finished:
        raise typer.Exit(STOPPED)


def _print_plan(target: Path | None, plan: GridPlan, as_json: bool) -> None:
    if as_json:
        print_json({"target": target, **plan.as_data})
        return
    for name, along in zip("xyz", plan.sides, strict=True):
        if along is not None:
            typer.echo(f"{name}  {along.axis.title}: {', '.join(value.label for value in along.values)}")
    missing = len(plan.missing)
    there = len({cell.file for cell in plan.cells.values()}) - missing
    typer.echo(f"{count(len(plan.cells), 'cell')}: {count(missing, 'picture')} to generate, {there:,} there already.")


def _print_result(target: Path | None, result: GridResult, as_json: bool) -> None:
    if as_json:
        print_json({"target": target, **result.as_data})
        return
    typer.echo(f"{count(result.generated, 'picture')} generated, {result.reused:,} there already.")
    if not result.finished:
        typer.echo("Stopped before the end. The same command continues.")
    for note in result.notes:
        typer.echo(note)
    for file in (result.sheet, result.page):
        if file is not None:
            typer.echo(file)
