"""lora show: what is in a LoRA file."""

from __future__ import annotations

import typer

from lorasmith.cli.lora.options import Family
from lorasmith.cli.options import AsJson, LoraFile
from lorasmith.pages.numbers import count, file_size


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
        f"{file.name}: {found.family}, {count(found.parameters, 'parameter')}, {file_size(found.bytes)}, names of {', '.join(found.names)}"
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
