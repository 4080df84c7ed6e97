"""Verbs on pictures before a training: audit; and how often the audit is right: bench audit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

bench = typer.Typer(help="Measure how well Lorasmith judges, on made sets.", no_args_is_help=True)


def audit(
    dataset: Annotated[Path, typer.Argument(help="Folder of pictures; folders in it are looked at, too.")],
    kind: Annotated[
        Literal["character", "style", "concept"] | None, typer.Option(help="What the LoRA shall be of: are there enough?")
    ] = None,
    resolution: Annotated[int, typer.Option(help="Side of the training's square, in pixels: 512, 768, 1024.")] = 1024,
    words: Annotated[
        bool, typer.Option("--words", help="Look for words on the pictures; a second or two each. Needs lorasmith[ocr].")
    ] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with pictures of the worst.")] = None,
    cache: Annotated[Path, typer.Option(help="Folder that keeps what was measured; safe to delete.")] = Path("cache"),
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="List every finding, not the gravest twenty.")] = False,
) -> None:
    """Say what is wrong with each picture and with the set, how sure that is, what it does to a LoRA, and what mends it.

    lorasmith audit pictures/zorvex --kind character --resolution 1024 --html audit.html

    Exit code 0: no picture is unreadable; 3: some are, or the audit was stopped. Ctrl-C judges what was seen so far.
    """
    import signal
    from types import FrameType

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from lorasmith.curation.audit.dataset import audit_dataset, pictures_in
    from lorasmith.errors import InputError
    from lorasmith.images.lettering import can_read_words

    if words and not can_read_words():
        raise InputError("--words needs a part of its own: pip install lorasmith[ocr]")
    stopped = False

    def stop(signum: int, frame: FrameType | None) -> None:
        nonlocal stopped
        if stopped:
            raise KeyboardInterrupt
        stopped = True

    before = signal.signal(signal.SIGINT, stop)
    bar = Progress(
        TextColumn("looking at pictures"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True
    )  # fmt: skip
    try:
        with bar:
            task = bar.add_task("", total=None)
            result = audit_dataset(
                dataset, kind=kind, resolution=resolution, cache=cache / "audit", read_words=words, cancel=lambda: stopped,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, before)
    if html is not None:
        from lorasmith.curation.audit.page import audit_page
        from lorasmith.pages.render import write_page

        write_page(html, audit_page(result))
    unknown = pictures_in(dataset)[1]
    if as_json:
        typer.echo(json.dumps({**result.as_json(), "not_pictures": [str(path) for path in unknown]}, ensure_ascii=False))
    else:
        _tell(result, unknown, everything)
        if html is not None:
            typer.echo(f"wrote {html}")
    if result.left_out or result.counts.get("unreadable"):
        raise typer.Exit(3)


def _tell(result, unknown: list[Path], everything: bool) -> None:  # type: ignore[no-untyped-def]
    """The audit in words."""
    from lorasmith.curation.audit.audit import WEIGHTS
    from lorasmith.curation.audit.kinds import KINDS

    known = f", {result.from_cache} of them known from before" if result.from_cache else ""
    typer.echo(
        f"{len(result.pictures)} pictures in {result.seconds:.1f} s{known}; judged for {result.resolution} x {result.resolution} pixels"
    )
    typer.echo(f"score {result.score} of 100")
    for reason, points in result.why:
        typer.echo(f"  -{points:<5g} {reason}")
    if result.left_out:
        typer.echo(f"stopped: {result.left_out} pictures were not looked at")
    if unknown:
        names = ", ".join(path.name for path in unknown[:5])
        typer.echo(
            f"{len(unknown)} files are no pictures by their names and were not looked at: {names}{' ...' if len(unknown) > 5 else ''}"
        )
    ordered = sorted(result.findings, key=lambda f: -WEIGHTS[f.severity] * f.certainty)
    for finding in ordered if everything else ordered[:20]:
        where = ", ".join(path.relative_to(result.root).as_posix() for path in finding.paths[:3])
        more = f" and {len(finding.paths) - 3} more" if len(finding.paths) > 3 else ""
        detail = f" {finding.detail}" if finding.detail else ""
        typer.echo(f"\n{finding.severity}: {finding.meaning.title}: {where or 'the set'}{more}")
        typer.echo(f"  {finding.evidence} (sure: {finding.certainty:.0%}).{detail}")
        action = f" [mend: {finding.meaning.action}]" if finding.meaning.action else ""
        typer.echo(f"  {KINDS[finding.kind].consequence} {KINDS[finding.kind].remedy}{action}")
    if len(ordered) > 20 and not everything:
        typer.echo(f"\n{len(ordered) - 20} more findings: --all lists them")


@bench.command("audit")
def bench_audit(
    seed: Annotated[
        int, typer.Option(min=0, help="Which made set: 0 is the one that the limits were set on, others are draws of their own.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Print precision and recall of each finding on a made set: pictures that have it, nearly have it, and do not.

    lorasmith bench audit
    lorasmith bench audit --seed 1

    Photographs come from scikit-image where that is installed (pip install scikit-image); else demo scenes alone are used.
    """
    from lorasmith.demo.audit_bench import bench as scores_of
    from lorasmith.demo.audit_bench import photographs

    given = photographs()
    scores = scores_of(given, lambda words: None if as_json else typer.echo(words, err=True), seed=seed)
    if as_json:
        rows = [{"kind": s.kind, "present": s.present, "absent": s.absent, "recall": s.recall, "precision": s.precision} for s in scores]
        typer.echo(json.dumps(rows))
        return
    typer.echo(f"{'finding':20} {'have it':>8} {'do not':>8} {'recall':>8} {'precision':>10}")
    for s in scores:
        typer.echo(f"{s.kind:20} {s.present:8} {s.absent:8} {s.recall:8.3f} {s.precision:10.3f}")
        for word, names in (("missed", s.missed), ("wrongly", s.wrongly)):
            for name in names[:5]:
                typer.echo(f"    {word}: {name}")
    if not given:
        typer.echo("without photographs: scikit-image is not installed")
