"""Verbs on LoRA files: check; lora show, resize, merge, convert."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lorasmith.cli.options import AsJson, LoraFile, Overwrite
from lorasmith.pages.numbers import count

if TYPE_CHECKING:
    from lorasmith.adapters.compatibility.check import CheckReport

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="LoRA files: look into them, resize, merge and convert them.")

Out = Annotated[Path, typer.Option(help="The new file.")]
Precision = Annotated[str | None, typer.Option(help="Numbers of the new file: fp32, fp16 or bf16. Empty: those of the (first) file.")]
Family = Annotated[str | None, typer.Option(help="The family of base models, such as sdxl, where the file does not show it.")]
BaseOption = Annotated[str | None, typer.Option("--base", help="The base model: a file, a folder or a hub id.")]


def check(
    file: LoraFile,
    base: BaseOption = None,
    family: Family = None,
    program: Annotated[list[str] | None, typer.Option("--for", help="Only this program; may be given several times.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check what a LoRA file will do in AUTOMATIC1111, Forge, ComfyUI and diffusers, and whether it is sound and fits its base.

    lorasmith check mimi.safetensors
    lorasmith check mimi.safetensors --base models/animagine.safetensors --for ComfyUI

    Exit code 0: all is well. 1: something is dropped, generated wrongly, damaged or does not fit. 2: the file is not a LoRA.
    """
    from lorasmith.adapters.compatibility.check import check_file
    from lorasmith.adapters.kinds.programs import programs_named
    from lorasmith.cli.output import print_json

    programs = programs_named(program or [])
    report = check_file(file, family, base)
    problems = report.problems(programs)
    if as_json:
        print_json({"file": str(file), **report.as_data(programs)})
    else:
        _print_report(file.name, report, programs)
        for problem in problems:
            typer.echo(f"problem: {problem.message}")
    raise typer.Exit(1 if problems else 0)


def _print_report(name: str, report: CheckReport, programs: tuple[str, ...]) -> None:
    kinds = ", ".join(f"{number} {kind}" for kind, number in report.kinds.items())
    ranks = ", ".join(f"{rank} ({count(number, 'layer')})" for rank, number in report.ranks.items()) or "none"
    typer.echo(f"{name}: {report.family}, {count(report.layers, 'layer')}: {kinds}")
    typer.echo(f"ranks: {ranks}; names: {', '.join(report.dialects)}; compared with {report.base}")
    for program in programs:
        found = report.consumers[program]
        words = {
            "all": "loads all of it", "part": f"loads {found.loads} of {found.layers} layers",
            "wrong": "loads it, and applies it differently than trained", "none": "loads nothing", "unknown": "not tried",
            "family": f"has no {report.family} models",
        }[found.verdict]  # fmt: skip
        typer.echo(f"  {program:<14} {words}")
    for note in report.notes(programs):
        typer.echo(f"note: {note.message}")


@app.command()
def show(file: LoraFile, family: Family = None, as_json: AsJson = False) -> None:
    """Show what is in a LoRA file: its layers, ranks and alphas, and what it says about its training.

    lorasmith lora show mimi.safetensors
    """
    from lorasmith.adapters.files.summary import summarise
    from lorasmith.cli.output import print_json

    found = summarise(file, family)
    if as_json:
        print_json(found.as_data())
        return
    typer.echo(
        f"{file.name}: {found.family}, {count(found.parameters, 'parameter')}, {_megabytes(found.bytes)}, names of {', '.join(found.names)}"
    )
    for label, counts in (("parts", found.parts), ("kinds", found.kinds), ("ranks", found.ranks), ("alphas", found.alphas)):
        listed = ", ".join(f"{value} ({count(number, 'layer')})" for value, number in counts.items())
        typer.echo(f"  {label}: {listed or 'none'}")
    if found.dora:
        typer.echo(f"  with a magnitude (DoRA): {count(found.dora, 'layer')}")
    for note in (*found.notes, *(f"{key} cannot be read: {reason}." for key, reason in found.unread.items())):
        typer.echo(f"note: {note}")
    for key, value in sorted(found.metadata.items()):
        typer.echo(f"  {key}: {value if len(value) <= 100 else value[:97] + '...'}")


@app.command()
def resize(
    file: LoraFile,
    out: Out,
    rank: Annotated[int, typer.Option(help="The new rank; with --by the most that a layer may have.")],
    conv_rank: Annotated[int | None, typer.Option(help="The same for convolutions.")] = None,
    by: Annotated[str | None, typer.Option(help="Choose each layer's rank: sv_ratio, sv_fro or sv_cumulative.")] = None,
    target: Annotated[float, typer.Option(help="For --by: a ratio (say 20), or a share (say 0.9).")] = 0.9,
    family: Family = None,
    precision: Precision = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a LoRA in other ranks, keeping as much of what it does as they allow.

    lorasmith lora resize mimi.safetensors --rank 8 --out mimi-8.safetensors
    lorasmith lora resize mimi.safetensors --rank 32 --by sv_fro --target 0.95 --out mimi-small.safetensors
    """
    from lorasmith.adapters.tools.resize import resize_file

    reports = resize_file(file, out, rank, conv_rank, by, target, precision, overwrite, family)
    before, after = sum(report.old_rank for report in reports), sum(report.rank for report in reports)
    least, most = min(report.rank for report in reports), max(report.rank for report in reports)
    typer.echo(f"{count(len(reports), 'layer')}, sum of ranks {before} -> {after} (each from {least} to {most})")
    if kept := [report.norm_retained for report in reports if report.norm_retained == report.norm_retained]:
        typer.echo(f"kept of the change's norm: {min(kept):.1%} in the worst layer, {sum(kept) / len(kept):.1%} on average")
    _say_what_was_left_out(file)
    typer.echo(f"{out}: {_size(file)} -> {_size(out)}")


@app.command()
def merge(
    files: Annotated[
        list[str], typer.Argument(help="LoRA files, each with its ratio after a colon: mimi.safetensors:0.8. Without one: 1.")
    ],
    out: Out,
    rank: Annotated[int | None, typer.Option(help="Approximate the sum by this rank. Empty: exact, the ranks add up.")] = None,
    conv_rank: Annotated[int | None, typer.Option(help="The same for convolutions with kernels wider than 1x1.")] = None,
    base: BaseOption = None,
    family: Family = None,
    precision: Precision = None,
    overwrite: Overwrite = False,
) -> None:
    """Make one LoRA that does what several do together, each at its ratio.

    lorasmith lora merge mimi.safetensors:0.8 watercolour.safetensors:0.5 --out both.safetensors
    """
    from lorasmith.adapters.tools.merge import merge_files

    chosen = [_with_ratio(text) for text in files]
    layers = merge_files(chosen, out, rank, conv_rank, base, family, precision, overwrite)
    ranks = [layer.rank for layer in layers.values() if layer.rank is not None]
    merged = ", ".join(f"{path.name}:{ratio:g}" for path, ratio in chosen)
    typer.echo(
        f"{merged}: {count(len(layers), 'layer')}" + (f", ranks from {min(ranks)} to {max(ranks)}" if ranks else ", written as differences")
    )
    typer.echo(f"{out}: {_size(out)}")


@app.command()
def convert(
    file: LoraFile,
    out: Out,
    to: Annotated[str, typer.Option(help="kohya (names alone), lora, diff, or diffusers (a LoRA in diffusers' names).")] = "kohya",
    rank: Annotated[int | None, typer.Option(help="Rank of the LoRA that replaces layers of other kinds.")] = None,
    base: BaseOption = None,
    family: Family = None,
    precision: Precision = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a network another way: in the names that all programs read, as a plain LoRA, or as differences.

    lorasmith lora convert from-diffusers.safetensors --out kohya.safetensors
    lorasmith lora convert loha.safetensors --to lora --rank 16 --out lora.safetensors
    """
    from lorasmith.adapters.tools.convert import convert_file

    reports, notes = convert_file(file, out, to, rank, base, family, precision, overwrite)
    for note in notes:
        typer.echo(f"note: {note}")
    if lossy := sorted((report for report in reports if report.error > 0), key=lambda report: -report.error):
        mean, worst = sum(report.error for report in lossy) / len(lossy), lossy[0]
        typer.echo(f"{len(lossy)} of {count(len(reports), 'layer')} approximated: lost {mean:.1%} of the change on average,")
        typer.echo(f"{worst.error:.1%} at most ({worst.name}, {worst.kind.name} -> rank {worst.rank})")
    else:
        typer.echo(_rounded([report.rounding for report in reports]))
    _say_what_was_left_out(file)
    typer.echo(f"{out}: {count(len(reports), 'layer')}, {_size(out)}")


def _say_what_was_left_out(file: Path) -> None:
    """Say which entries of a file's metadata were not copied into the one that was made from it, as they have secrets in them."""
    from lorasmith.adapters.files.header import read_lora_header
    from lorasmith.secrets import entries_with_secrets

    if entries := entries_with_secrets(read_lora_header(file).metadata):
        typer.echo(f"note: access keys and passwords in the metadata of {file.name} were left out ({', '.join(entries)}).")


def _rounded(lost: list[float | None]) -> str:
    """What rounding lost where nothing was approximated: 'exact' is said only of what was measured."""
    measured = [each for each in lost if each is not None]
    most = max(measured, default=0.0)
    if len(measured) < len(lost):
        return f"nothing was approximated; what rounding lost was measured in {len(measured)} of {count(len(lost), 'layer')}: {most:.1g} at most"
    if most > 0.01:
        return f"rounding lost {most:.1%} of a layer's change: write the file in fp32 (--precision)"
    return "exact: nothing of the change was lost" + (
        f" but the rounding of numbers ({most:.1g} of a layer's change at most)" if most else ""
    )


def _with_ratio(text: str) -> tuple[Path, float]:
    from lorasmith.errors import SettingsError

    path, colon, ratio = text.rpartition(":")
    if not colon or ratio.endswith(".safetensors") or "/" in ratio or "\\" in ratio:
        return Path(text), 1.0
    try:
        return Path(path), float(ratio)
    except ValueError:
        raise SettingsError(f"The ratio '{ratio}' of {path} is not a number: write {path}:0.8.", code="merge.ratio") from None


def _size(path: Path) -> str:
    return _megabytes(path.stat().st_size)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
