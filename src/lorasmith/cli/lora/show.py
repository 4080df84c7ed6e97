"""lora show: what is in a LoRA file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lorasmith.cli.lora.options import Family
from lorasmith.cli.options import AllowPickle, AsJson, LoraFile
from lorasmith.cli.output import one_line, print_json, shown
from lorasmith.command_line import quoted
from lorasmith.pages.numbers import count, file_size

if TYPE_CHECKING:
    from lorasmith.adapters.files.hashes import FileHashes
    from lorasmith.library.changes import WeightStatistics
    from lorasmith.library.inspect import LoraInfo


def show(
    file: LoraFile,
    family: Family = None,
    hashes: Annotated[bool, typer.Option("--hashes", help="Compute all hashes that sites know the file by; reads the whole file.")] = False,
    weights: Annotated[
        bool, typer.Option("--weights", help="Read the numbers too: norms by block, layers that do nothing, NaN and infinite numbers.")
    ] = False,
    allow_pickle: AllowPickle = False,
    as_json: AsJson = False,
) -> None:
    """Show what is in a LoRA file: its layers, ranks and alphas, which programs load it, and what it says about its training.

    lorasmith lora show mimi.safetensors
    lorasmith lora show mimi.safetensors --hashes --weights

    Only the header is read where neither is asked for. Whether the numbers are sound is for `lorasmith check`.
    """
    from lorasmith.library.inspect import inspect

    info, computed = inspect(file, family, allow_pickle), None
    if hashes:
        from lorasmith.adapters.files.hashes import file_hashes

        computed = file_hashes(file)
    statistics = _statistics(file, family, allow_pickle) if weights else None
    if as_json:
        more = ({"hashes": computed.as_data()} if computed else {}) | ({"weights": statistics.as_data()} if statistics else {})
        print_json(info.as_data() | more)
        return
    typer.echo(
        f"{file.name}: {_family(info)}, {count(info.parameters, 'parameter')} in "
        f"{', '.join(info.precisions)}, {file_size(info.bytes)}" + (f", names of {', '.join(info.names)}" if info.names else "")
    )
    _print_network(info)
    for program, report in info.programs.items():
        typer.echo(f"  {program:<14} {report.words(info.family)}")
    if info.programs:
        typer.echo(
            f"  by names and shapes; damaged numbers, layers that do nothing and the fit to a base: lorasmith check {quoted(file.name)}"
        )
    for note in (*info.notes, *_unread(info)):
        typer.echo(f"note: {shown(note)}")
    _print_said(info)
    if statistics:
        _print_statistics(statistics)
    if computed:
        _print_hashes(computed)


def _family(info: LoraInfo) -> str:
    from lorasmith.models.families import FAMILIES

    if info.made_for and not info.family:
        return f"for {info.made_for}, which is not supported here"
    if info.family and info.made_for != FAMILIES[info.family].title:  # or for another model with these layers
        return f"{info.family}, for {info.made_for}"
    return info.family or "of no family that is known here"


def _print_network(info: LoraInfo) -> None:
    for label, counts in (("parts", info.parts), ("kinds", info.kinds), ("ranks", info.ranks), ("alphas", info.alphas)):
        listed = ", ".join(f"{value} ({count(number, 'layer')})" for value, number in counts.items())
        typer.echo(f"  {label}: {listed or 'none'}")
    if info.dora:
        typer.echo(f"  with a magnitude (DoRA): {count(info.dora, 'layer')}")
    for part, blocks in info.blocks.items():
        if len({tuple(block.ranks) for block in blocks.values()}) > 1:
            typer.echo(f"  ranks in {part}: " + ", ".join(f"{name} {'/'.join(block.ranks) or '-'}" for name, block in blocks.items()))
        else:
            typer.echo(f"  blocks of {part}: {' '.join(blocks)}")


def _unread(info: LoraInfo) -> list[str]:
    """What cannot be read, by reason."""
    reasons: dict[str, list[str]] = {}
    for key, reason in info.unread.items():
        reasons.setdefault(reason, []).append(key)
    return [f"{count(len(keys), 'tensor')} cannot be read, {keys[0]} first. {reason}." for reason, keys in reasons.items()]


def _print_said(info: LoraInfo) -> None:
    group = ""
    for said in info.said:
        if said.group != group:
            group = said.group
            typer.echo(f"{group}:")
        typer.echo(f"  {one_line(said.title)}: {one_line(said.text)}" + (" (--json shows them)" if said.partial else ""))


def _print_hashes(computed: FileHashes) -> None:
    typer.echo("hashes, computed:")
    for title, digits in (
        ("SHA256", computed.sha256), ("AutoV1", computed.auto_v1), ("AutoV2", computed.auto_v2), ("AutoV3", computed.auto_v3),
        ("sshs_model_hash", computed.sshs_model_hash), ("sshs_legacy_hash", computed.sshs_legacy_hash), ("CRC32", computed.crc32),
        ("BLAKE3", computed.blake3 or "not computed: it needs the package blake3 (pip install blake3)"),
    ):  # fmt: skip
        typer.echo(f"  {title}: {digits}")


BAR = 30
"""Letters of the longest bar."""
NAMED = 5
"""Layers that are named."""


def _statistics(file: Path, family: str | None, allow_pickle: bool) -> WeightStatistics:
    from lorasmith.adapters.tools.opened import open_lora
    from lorasmith.library.changes import weight_statistics

    opened = open_lora(file, family, allow_pickle=allow_pickle)
    return weight_statistics(opened.family, opened.layers)


def _print_statistics(statistics: WeightStatistics) -> None:
    typer.echo(f"weights: norm of the change {statistics.norm:.3g}, by block:")
    most = max(statistics.blocks.values(), default=0.0) or 1.0
    for (part, block), norm in statistics.blocks.items():
        typer.echo(f"  {part} {block:<8} {norm:9.3g} {'#' * round(BAR * norm / most)}".rstrip())
    for layers, what in (
        (statistics.dead, "do nothing"), (statistics.not_finite, "have numbers that are NaN or infinite"),
        (statistics.unknown, "change by what the base is, and were not measured"),
    ):  # fmt: skip
        if layers:
            named = ", ".join(layers[:NAMED]) + (" ..." if len(layers) > NAMED else "")
            typer.echo(f"  layers that {what}: {len(layers):,} ({named})")
