"""Verbs on datasets: import, layout, export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lorasmith.cli.options import CACHE, AsJson, CacheFolder, DryRun, Ray, refuse_without
from lorasmith.pages.numbers import count
from lorasmith.stores import url_of

if TYPE_CHECKING:
    from lorasmith.curation.arrange import Arranged
    from lorasmith.curation.imports.placing import Imported

MOST_NAMED = 5
"""Files of one kind that are named among those an import leaves out."""

DatasetFolder = Annotated[Path, typer.Argument(help="The dataset's folder.")]


def import_(
    sources: Annotated[
        list[Path], typer.Argument(metavar="SOURCE...", help="Pictures, folders, ZIP or TAR archives, other trainers' files.")
    ],
    into: Annotated[Path, typer.Option("--into", help="The dataset's folder; made if need be.")],
    concept: Annotated[str | None, typer.Option(help="What pictures in no N_name folder show: they go into N_CONCEPT.")] = None,
    repeats: Annotated[int, typer.Option(min=1, max=999, help="The N of --concept.")] = 1,
    link: Annotated[bool, typer.Option("--link", help="Hard links instead of copies, where the disk can.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Decode every picture whole, so that hidden damage shows (slower).")] = False,
    cache: CacheFolder = CACHE,
    ray: Ray = None,
    as_json: AsJson = False,
) -> None:
    """Bring pictures with their captions into a dataset. Sources are never changed; importing again adds nothing.

    \b
    lorasmith import photos.zip --into datasets/anna
    lorasmith import pictures/ more.tar.gz cat.jpg --into datasets/cats --concept "cat" --repeats 2
    lorasmith import sd-scripts/dataset.toml --into datasets/anna
    lorasmith import s3://bucket/pictures/zorvex --into datasets/zorvex

    With --ray the nodes of a cluster copy, between folders that all see under the same paths, to the same dataset.
    """
    from lorasmith.cli.interrupt import STOPPED, stop_on_ctrl_c
    from lorasmith.cli.output import print_json
    from lorasmith.cli.progress import progress_bar
    from lorasmith.images.picture_cache import PICTURES
    from lorasmith.jobs.importing import import_pictures

    refuse_without("--concept", concept is not None, repeats=repeats != 1)
    with progress_bar("importing") as progress, stop_on_ctrl_c() as stopping:
        report = import_pictures(
            sources,
            into,
            concept=concept,
            repeats=repeats,
            link=link,
            verify=check,
            progress=progress,
            cancelled=stopping,
            cache=cache / PICTURES,
            ray=ray,
        )
    if as_json:
        print_json(
            {
                "sources": sources, "into": into, "added": [vars(one) for one in report.added], "left_out": [one.as_data for one in report.left_out],
                "captions_added": report.captions_added, "masks_added": report.masks_added, "notes": report.notes, "stopped": report.stopped,
            }
        )  # fmt: skip
    else:
        _print_import(report)
    if report.stopped:
        typer.echo("stopped; the same command goes on from here", err=True)
        raise typer.Exit(STOPPED)


def _print_import(report: Imported) -> None:
    from lorasmith.findings import worst_first

    captioned = sum(bool(one.captions) for one in report.added)
    typer.echo(f"{count(len(report.added), 'picture')} added to {report.into}, {captioned} with a caption")
    if report.captions_added:
        typer.echo(f"{count(len(report.captions_added), 'caption')} added to pictures that were there already")
    if report.masks_added:
        typer.echo(f"{count(len(report.masks_added), 'mask')} came along")
    for one in report.added:
        if one.renamed:
            typer.echo(f"  {one.source} is now {one.path.name}: {one.renamed}")
    for note in report.notes:
        typer.echo(f"  {note}")
    left_out = worst_first(report.left_out)
    for code in dict.fromkeys(finding.code for finding in left_out):
        alike = [finding for finding in left_out if finding.code == code]
        typer.echo(f"left out, {code.removeprefix('imports.').replace('_', ' ')}: {len(alike)}")
        named = [finding for finding in alike if code != "imports.already_there" or finding.details]
        for finding in named[:MOST_NAMED]:
            typer.echo(f"  {finding}")
        if len(named) > MOST_NAMED:
            typer.echo(f"  and {len(named) - MOST_NAMED} more; --json lists them all")


def layout(
    dataset: DatasetFolder,
    concept: Annotated[str | None, typer.Option(help="What the pictures in no folder show: the trigger word first.")] = None,
    rename: Annotated[list[str] | None, typer.Option(metavar="FOLDER=NAME", help="Rename a folder's concept.")] = None,
    repeats: Annotated[
        list[str] | None, typer.Option(metavar="NAME=N", help="Set a concept's repeats by hand; others are balanced.")
    ] = None,
    base_repeats: Annotated[int, typer.Option(min=1, max=999, help="Repeats of the concept with the most pictures.")] = 1,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs that you will train: for the warning of over-baking.")] = 10,
    regularisation: Annotated[list[str] | None, typer.Option(metavar="FOLDER", help="Mark a folder as regularisation pictures.")] = None,
    holdout: Annotated[
        float | None, typer.Option(metavar="SHARE", min=0, max=0.5, help="Hold this share out for evaluation: 0.1 is usual.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed holds other pictures out.")] = 0,
    rights: Annotated[
        str | None, typer.Option(metavar="WORDS", help="Confirm that you may train on these pictures, and why: 'my own photographs'.")
    ] = None,
    cache: CacheFolder = CACHE,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Lay a dataset out in N_name folders, with repeats that give every concept the same time.

    \b
    lorasmith layout datasets/anna --concept anna
    lorasmith layout datasets/two --rename "photos of bert=bert, blue coat" --epochs 12 --dry-run
    lorasmith layout datasets/anna --regularisation woman --holdout 0.1 --rights "my own photographs"
    """
    from lorasmith.cli.output import print_json
    from lorasmith.cli.progress import progress_bar
    from lorasmith.curation.arrange import arrange
    from lorasmith.curation.layout import settings_for
    from lorasmith.curation.rights import confirm, confirmed
    from lorasmith.images.picture_cache import PICTURES

    refuse_without("--holdout", holdout, seed=seed)
    with progress_bar("looking") as progress:
        arranged = arrange(
            dataset, concept=concept, names=dict(_pairs(rename, "--rename")), repeats=_repeats_by_hand(repeats),
            regularisation=regularisation or (), base_repeats=base_repeats, epochs=epochs, holdout=holdout, seed=seed, dry_run=dry_run,
            progress=progress, cache=cache / PICTURES,
        )  # fmt: skip
    confirmation = confirm(dataset, rights) if rights is not None and not dry_run else confirmed(dataset)
    if as_json:
        concepts = [{**vars(one), "share": {**vars(one.share), "passes": one.share.passes}} for one in arranged.layout.concepts]
        print_json(
            {
                "dataset": dataset, "concepts": concepts, "moves": arranged.moves, "findings": [finding.as_data for finding in arranged.layout.findings],
                "held_out": None if arranged.split is None else len(arranged.split.held_out),
                "rights": None if confirmation is None else vars(confirmation),
            }
        )  # fmt: skip
        return
    _print_layout(arranged, dataset, epochs)
    if dry_run:
        for old, new in arranged.moves:
            typer.echo(f"would move {old} to {new}")
        return
    unconfirmed = "rights not confirmed: --rights WORDS says that you may train on these pictures, and why"
    typer.echo(confirmation.sentence(dataset) if confirmation else unconfirmed)
    typer.echo(f"{count(len(arranged.moves), 'move')} made; in the settings of a run:\n\n{settings_for(dataset)}")


def _print_layout(arranged: Arranged, dataset: Path, epochs: int) -> None:
    layout, split = arranged.layout, arranged.split
    typer.echo(f"{'folder':<40} {'pictures':>8} {'repeats':>8} {'a picture is seen':>18}")
    for one in layout.concepts:
        typer.echo(f"{one.folder:<40} {one.share.pictures:>8} {one.share.repeats:>8} {count(one.share.passes, 'time'):>18}")
    typer.echo(f"{count(layout.samples_per_epoch, 'sample')} in an epoch; times are for {count(epochs, 'epoch')}")
    for finding in layout.findings:
        typer.echo(f"{finding.severity}: {finding}")
    if sum(not one.is_reg for one in layout.concepts) > 1:
        typer.echo("several concepts: a batch size of 1 and a rank of 32 are usual; flipping, if any, flips all of them")
    if split is not None:
        for problem in split.problems:
            typer.echo(f"not looked at: {problem}")
        whole = len(split.held_out) + len(split.training)
        typer.echo(f"held out for evaluation: {len(split.held_out)} of {whole} pictures, in {dataset / 'holdout'}")


def export(
    dataset: DatasetFolder,
    out: Annotated[Path, typer.Argument(help="A new folder, or a file named .zip.")],
    form: Annotated[Literal["kohya", "sd-scripts", "diffusers"], typer.Option("--for", help="Who will read it.")] = "kohya",
    absolute: Annotated[bool, typer.Option("--absolute", help="Full paths in dataset.toml.")] = False,
    resolution: Annotated[
        int | None, typer.Option(min=16, max=8192, help="Training resolution to write into dataset.toml, in pixels.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a dataset for other trainers: kohya's folders, sd-scripts' dataset.toml, diffusers' metadata.jsonl.

    \b
    lorasmith export datasets/anna anna.zip
    lorasmith export datasets/anna out/anna --for sd-scripts --absolute --resolution 1024
    lorasmith export datasets/anna out/anna --for diffusers
    """
    from lorasmith.cli.output import print_json
    from lorasmith.cli.progress import progress_bar
    from lorasmith.curation.export import export as write

    refuse_without("--for sd-scripts", form == "sd-scripts", absolute=absolute, resolution=resolution)
    with progress_bar("exporting") as progress:
        done = write(dataset, out, form, absolute=absolute, resolution=resolution, progress=progress)
    if as_json:
        print_json({"dataset": dataset, **vars(done)})
        return
    typer.echo(f"{count(done.pictures, 'picture')} written to {url_of(done.out) or done.out} for {form}")
    for note in done.notes:
        typer.echo(f"  {note}")


def _pairs(given: Sequence[str] | None, option: str) -> Iterator[tuple[str, str]]:
    """NAME=VALUE options as pairs."""
    from lorasmith.errors import InputError

    for one in given or ():
        name, equals, value = one.rpartition("=")
        if not equals or not name.strip() or not value.strip():
            raise InputError(f"{option} is {one!r}, but must be two words with = between them.")
        yield name.strip(), value.strip()


def _repeats_by_hand(given: Sequence[str] | None) -> dict[str, int]:
    from lorasmith.errors import InputError

    found = {}
    for name, value in _pairs(given, "--repeats"):
        if not value.isdigit() or not 1 <= int(value) <= 999:
            raise InputError(f"--repeats of {name!r} is {value!r}, but must be a number from 1 to 999.")
        found[name] = int(value)
    return found
