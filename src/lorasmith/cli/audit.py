"""Verbs on pictures before a training: audit; and how often the audit is right: bench audit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lorasmith.cli.findings import print_finding
from lorasmith.cli.options import CACHE, AsJson, CacheFolder, Ray
from lorasmith.pages.numbers import count

if TYPE_CHECKING:
    from lorasmith.curation.audit.audit import Audit

MOST_LISTED = 20
"""Findings that are printed without --all."""

bench = typer.Typer(help="Measure how well Lorasmith judges, on made sets.", no_args_is_help=True)


def audit(
    dataset: Annotated[Path, typer.Argument(help="Folder of pictures, or its URL in a store; folders in it are looked at, too.")],
    kind: Annotated[
        Literal["character", "style", "concept"] | None, typer.Option(help="What the LoRA is to be of: are there enough pictures?")
    ] = None,
    resolution: Annotated[int, typer.Option(help="Side of the training's square, in pixels: 512, 768, 1024.")] = 1024,
    words: Annotated[
        bool, typer.Option("--words", help="Look for words on the pictures; a second or two each. Needs lorasmith[ocr].")
    ] = False,
    without: Annotated[
        list[str] | None, typer.Option(metavar="CHECK", help="Switch a check off: dark, greyscale ...; may be given several times.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with pictures of the worst.")] = None,
    cache: CacheFolder = CACHE,
    ray: Ray = None,
    as_json: AsJson = False,
    everything: Annotated[bool, typer.Option("--all", help="List every finding, not the gravest twenty.")] = False,
) -> None:
    """Say what is wrong with each picture and with the set, how sure that is, what it does to a LoRA, and what mends it.

    lorasmith audit pictures/zorvex --kind character --resolution 1024 --html audit.html

    With --ray the nodes of a cluster measure, on storage that all see under the same paths; what is measured is kept as it comes.

    Exit code 0: no picture is unreadable; 3: some are, or the audit was stopped. Ctrl-C judges what was seen so far.
    """
    from lorasmith.cli.interrupt import stop_on_ctrl_c
    from lorasmith.cli.output import print_json
    from lorasmith.cli.progress import progress_bar
    from lorasmith.curation.audit.dataset import audited_files
    from lorasmith.errors import InputError
    from lorasmith.images.lettering import can_read_words
    from lorasmith.images.picture_cache import PICTURES
    from lorasmith.jobs.auditing import audit as audit_anywhere
    from lorasmith.stores import here

    if words and not can_read_words():
        raise InputError("--words needs an extra: pip install lorasmith[ocr]", code="extra.missing", extra="ocr")
    with progress_bar("looking at pictures") as progress, stop_on_ctrl_c() as stopping:
        result = audit_anywhere(
            dataset, kind=kind, resolution=resolution, cache=cache / PICTURES, read_words=words, without=without or (), cancelled=stopping,
            progress=progress, ray=ray,
        )  # fmt: skip
    if html is not None:
        from lorasmith.curation.audit.page import audit_page
        from lorasmith.pages.render import write_page

        write_page(html, audit_page(result))
    _, unknown = audited_files(here(dataset))
    if as_json:
        print_json({**result.as_data, "not_pictures": unknown})
    else:
        _print_audit(result, unknown, everything)
        if html is not None:
            typer.echo(f"wrote {html}")
    if result.left_out or "audit.unreadable" in result.counts:
        raise typer.Exit(3)


def _print_audit(result: Audit, unknown: list[Path], everything: bool) -> None:
    from lorasmith.findings import alike_together, one_of_each_first

    known = f", {result.from_cache} of them known from before" if result.from_cache else ""
    size = f"{result.resolution} x {result.resolution}"
    typer.echo(f"{count(len(result.pictures), 'picture')} in {result.seconds:.1f} s{known}; judged for {size} pixels")
    typer.echo(f"score {result.score} of 100")
    for reason, points in result.why:
        typer.echo(f"  -{points:<5g} {reason}")
    if result.without:
        names = ", ".join(code.removeprefix("audit.") for code in result.without)
        typer.echo(f"{count(len(result.without), 'check')} {'is' if len(result.without) == 1 else 'are'} off: {names}")
    if result.left_out:
        typer.echo(f"stopped: {count(result.left_out, 'picture')} {'was' if result.left_out == 1 else 'were'} not looked at")
    if unknown:
        names = ", ".join(path.name for path in unknown[:5])
        more = " ..." if len(unknown) > 5 else ""
        typer.echo(f"not looked at, for their names: {count(len(unknown), 'file')} ({names}{more})")
    gravest = result.gravest_first if everything else alike_together(result.gravest_first)
    listed = gravest if everything else one_of_each_first(gravest, MOST_LISTED)
    for finding in listed:
        print_finding(finding)
    if len(gravest) > len(listed):
        typer.echo(f"\n{count(len(gravest) - len(listed), 'more finding')}: --all lists them")


@bench.command("audit")
def bench_audit(
    pictures: Annotated[
        Literal["drawn", "shipped"],
        typer.Option(help="What the made set is made from: drawings, or pictures that installed packages ship."),
    ] = "drawn",
    seed: Annotated[int, typer.Option(min=0, help="Which draw: the limits were set on 0 to 6, others are draws of their own.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Print precision and recall of each finding on a made set: pictures that have it, nearly have it, and do not.

    lorasmith bench audit
    lorasmith bench audit --pictures shipped --seed 7

    Photographs and other pictures come from scikit-image, scikit-learn and matplotlib, as far as those are installed.
    """
    from lorasmith.cli.output import print_json
    from lorasmith.demo.audit_bench.bench import bench as scores_of
    from lorasmith.demo.audit_bench.shipped import packages_missing

    scores = scores_of(pictures, lambda words: None if as_json else typer.echo(words, err=True), seed=seed)
    if as_json:
        print_json(
            {
                "seed": seed,
                "scores": [
                    {"kind": s.kind, "present": s.present, "absent": s.absent, "recall": s.recall, "precision": s.precision} for s in scores
                ],
            }
        )
        return
    typer.echo(f"{'finding':20} {'have it':>8} {'do not':>8} {'recall':>8} {'precision':>10}")
    for s in scores:
        typer.echo(f"{s.kind:20} {s.present:8} {s.absent:8} {s.recall:8.3f} {s.precision:10.3f}")
        for word, names in (("missed", s.missed), ("wrongly", s.wrongly)):
            for name in names[:5]:
                typer.echo(f"    {word}: {name}")
    if pictures == "shipped" and (missing := packages_missing()):
        typer.echo(f"without the pictures of {', '.join(missing)}: pip install {' '.join(missing)}")
