"""How planned changes of captions are shown and saved, for every verb that changes captions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lorasmith.cli.output import one_line, print_json
from lorasmith.command_line import quoted
from lorasmith.pages.numbers import count

if TYPE_CHECKING:
    from lorasmith.captions.collection import CaptionCollection
    from lorasmith.captions.plan import CaptionPlan
    from lorasmith.captions.scope import Scope

EXAMPLES = 5
"""Changed captions that are shown."""


def save_plan(
    plan: CaptionPlan,
    dry_run: bool,
    as_json: bool,
    *,
    counts: Mapping[str, int] | None = None,
    failures: Mapping[Path, str] | None = None,
    given: Mapping[str, object] | None = None,
) -> None:
    """Save a plan, or show what would be saved; exit code 1 where pictures failed.

    `counts` are further numbers of the result, by name; `given` is what the verb was given beside the folder.
    """
    counts, failures = counts or {}, failures or {}
    before = {key: plan.before(key) for key in plan.changes}
    operation = None if dry_run else plan.save()
    if as_json:
        data = {
            "folder": plan.collection.folder, **(given or {}),
            "operation": operation.as_data if operation else None, "summary": plan.summary, "considered": plan.considered,
            **{name.replace(" ", "_"): number for name, number in counts.items()},
            "changed": len(plan.changes), "written": operation is not None,
            "captions": [{"key": key, "before": before[key].text, "after": new.text} for key, new in plan.changes.items()],
            "failures": [{"picture": str(path), "message": message} for path, message in failures.items()],
        }  # fmt: skip
        print_json(data)
    else:
        for key in list(plan.changes)[:EXAMPLES]:
            typer.echo(f"{key}\n  - {one_line(before[key].text) or '(empty)'}\n  + {one_line(plan.changes[key].text) or '(empty)'}")
        if len(plan.changes) > EXAMPLES:
            typer.echo(f"and {len(plan.changes) - EXAMPLES:,} more")
        if counts:
            typer.echo(", ".join(f"{name} {number}" for name, number in counts.items()))
        typer.echo(
            f"{plan.summary}: {'would change' if dry_run else 'changed'} {len(plan.changes):,} of {count(plan.considered, 'caption')}"
        )
        if operation is not None:
            typer.echo(f"to undo it: lorasmith captions undo {quoted(plan.collection.folder)}")
        for message in failures.values():
            typer.echo(f"warning: {message}", err=True)
    if failures:
        raise typer.Exit(1)


def utf8_failures(collection: CaptionCollection, scope: Scope) -> dict[Path, str]:
    """What is wrong with the selected pictures whose captions are not UTF-8."""
    from lorasmith.captions.collection import not_utf8
    from lorasmith.captions.scope import select_unreadable

    return {
        collection.folder / entry.pictures[0]: not_utf8(collection.folder, [entry.key], collection.unreadable_text)
        for entry in select_unreadable(collection, scope)
    }


def warn_of_unreadable(collection: CaptionCollection, scope: Scope) -> None:
    """Name the selected captions that are not UTF-8, where the others are only looked at."""
    for message in utf8_failures(collection, scope).values():
        typer.echo(f"warning: {message}", err=True)
