"""lora compare: LoRA files beside one another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lorasmith.cli.lora.options import BaseOption, Family
from lorasmith.cli.options import AllowPickle, AsJson

if TYPE_CHECKING:
    from lorasmith.library.lora_comparison import LoraComparison


def compare(
    files: Annotated[list[Path], typer.Argument(help="Two LoRA files or more, of one family.")],
    html: Annotated[Path | None, typer.Option(help="Page to write, with the norms as bars.")] = None,
    base: BaseOption = None,
    family: Family = None,
    allow_pickle: AllowPickle = False,
    as_json: AsJson = False,
) -> None:
    """Compare LoRA files: settings that differ, how much each block changes, and whether they change the same.

    lorasmith lora compare mimi-v1.safetensors mimi-v2.safetensors
    lorasmith lora compare mimi-000004.safetensors mimi-000008.safetensors mimi.safetensors --html epochs.html

    A cosine of 1 is the same change, 0 has nothing to do with it, below 0 undoes it.
    """
    from lorasmith.cli.output import print_json
    from lorasmith.library.lora_comparison import compare_loras
    from lorasmith.library.lora_comparison_page import write_lora_comparison

    comparison = compare_loras(list(files), family, base, allow_pickle)
    page = None if html is None else write_lora_comparison(comparison, html)
    if as_json:
        print_json(comparison.as_data() | {"page": page})
        return
    _print(comparison)
    if page is not None:
        typer.echo(f"\nLook at: {page}")


def _print(comparison: LoraComparison) -> None:
    from lorasmith.cli.output import one_line

    names = [Path(info.file).stem[-20:] for info in comparison.files]
    typer.echo(f"{'norm of the change':24} " + " ".join(f"{name:>20}" for name in names))
    for block in comparison.blocks:
        norms = " ".join(f"{'-' if norm is None else f'{norm:.3g}':>20}" for norm in block.norms)
        typer.echo(f"{block.part + ' ' + block.block:24} {norms}")
    typer.echo(f"{'all layers':24} " + " ".join(f"{norm:20.3g}" for norm in comparison.norms))
    typer.echo(f"\n{f'cosine with {names[0]}':45} " + " ".join(f"{name:>20}" for name in names[1:]))
    for block in comparison.blocks:
        typer.echo(f"{block.part + ' ' + block.block:45} " + " ".join(f"{_number(cosine):>20}" for cosine in block.cosines))
    typer.echo(f"{'all layers':45} " + " ".join(f"{_number(cosine):>20}" for cosine in comparison.cosines[0][1:]))
    typer.echo("\nsettings that differ:" if comparison.settings else "\nTheir metadata say nothing that differs.")
    for one in comparison.settings:
        typer.echo(f"  {one_line(one.setting)}: " + " | ".join("-" if value is None else one_line(str(value), 60) for value in one.values))
    for note in comparison.notes:
        typer.echo(f"note: {note}")


def _number(cosine: float | None) -> str:
    return "-" if cosine is None else f"{cosine:.3f}"
