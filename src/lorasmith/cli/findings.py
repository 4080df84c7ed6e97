"""How a finding is shown on a terminal, whatever room it is of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from lorasmith.cli.output import one_line, shown
from lorasmith.findings import MendChange

if TYPE_CHECKING:
    from lorasmith.findings import Finding

MOST_NAMED = 5
"""Subjects and details that are listed."""


def print_finding(finding: Finding) -> None:
    """What is wrong, what was measured and why it matters, what to do, and where."""
    typer.echo(f"\n{finding.severity}: {shown(finding.message)}")
    sure = f"Confidence {finding.confidence:.0%}." if finding.confidence < 1 else ""
    if reasons := [_sentence(str(reason)) for reason in (finding.evidence, sure, finding.why) if reason]:
        typer.echo(f"  {shown(' '.join(reasons))}")
    if finding.fix is not None:
        ways = ", ".join(change.way for change in finding.fix.changes if isinstance(change, MendChange))
        typer.echo(f"  {finding.fix.words}{f' [mend: {ways}]' if ways else ''}")
    for detail in finding.details[:MOST_NAMED]:
        typer.echo(f"  - {one_line(detail)}")
    if len(finding.details) > MOST_NAMED:
        typer.echo(f"  - and {len(finding.details) - MOST_NAMED} more")
    if finding.subjects:
        more = f" and {len(finding.subjects) - MOST_NAMED} more" if len(finding.subjects) > MOST_NAMED else ""
        typer.echo(f"  in {shown(', '.join(finding.subjects[:MOST_NAMED]))}{more}")


def _sentence(text: str) -> str:
    """What was measured, such as `23% of the area is bars`, with a capital and a full stop."""
    return f"{text[0].upper()}{text[1:].removesuffix('.')}." if text[-1] not in "!?" else text
