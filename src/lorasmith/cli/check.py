"""Verb check: what a LoRA file will do in the programs that people generate with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lorasmith.cli.lora.options import BaseOption, Family
from lorasmith.cli.options import AllowPickle, AsJson, LoraFile
from lorasmith.cli.output import print_json, shown
from lorasmith.pages.numbers import count

if TYPE_CHECKING:
    from lorasmith.adapters.compatibility.check import CheckReport


def check(
    file: LoraFile,
    base: BaseOption = None,
    family: Family = None,
    program: Annotated[list[str] | None, typer.Option("--for", help="Only this program; may be given several times.")] = None,
    allow_pickle: AllowPickle = False,
    as_json: AsJson = False,
) -> None:
    """Check what a LoRA file will do in AUTOMATIC1111, Forge, ComfyUI and diffusers, and whether it is sound and fits its base.

    lorasmith check mimi.safetensors
    lorasmith check mimi.safetensors --base models/animagine.safetensors --for ComfyUI

    Exit code 0: all is well. 1: something is dropped, generated wrongly, damaged or does not fit. 2: the file is not a LoRA.
    """
    from lorasmith.adapters.compatibility.check import check_file
    from lorasmith.adapters.kinds.programs import programs_named

    programs = programs_named(program or [])
    report = check_file(file, family, base, allow_pickle=allow_pickle)
    problems = report.problems(programs)
    if as_json:
        print_json({"file": str(file), **report.as_data(programs)})
    else:
        _print_report(file.name, report, programs)
        for problem in problems:
            typer.echo(f"problem: {shown(problem.message)}")
    raise typer.Exit(1 if problems else 0)


def _print_report(name: str, report: CheckReport, programs: tuple[str, ...]) -> None:
    kinds = ", ".join(f"{number} {kind}" for kind, number in report.kinds.items())
    ranks = ", ".join(f"{rank} ({count(number, 'layer')})" for rank, number in report.ranks.items()) or "none"
    typer.echo(f"{name}: {' or '.join((report.family, *report.alike))}, {count(report.layers, 'layer')}: {kinds}")
    typer.echo(f"ranks: {ranks}; names: {', '.join(report.dialects)}; compared with {report.base}")
    for program in programs:
        typer.echo(f"  {program:<14} {report.consumers[program].words(report.family)}")
    for note in report.notes(programs):
        typer.echo(f"note: {shown(note.message)}")
