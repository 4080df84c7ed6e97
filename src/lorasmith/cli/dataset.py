"""Verbs on datasets: import, mend, layout, export."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from types import FrameType

    from lorasmith.curation.mend.mend import Mended, Proposal, Recipe, Wish


def import_(
    sources: Annotated[
        list[Path], typer.Argument(metavar="SOURCE...", help="Pictures, folders, ZIP or TAR archives, other trainers' files.")
    ],
    into: Annotated[Path, typer.Option("--into", help="The dataset's folder; made if need be.")],
    concept: Annotated[str | None, typer.Option(help="What pictures in no N_name folder show: they go into N_CONCEPT.")] = None,
    repeats: Annotated[int, typer.Option(min=1, max=999, help="The N of --concept.")] = 1,
    link: Annotated[bool, typer.Option("--link", help="Hard links instead of copies, where the disk can.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Decode every picture whole, so that hidden damage shows (slower).")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Bring pictures with their captions into a dataset. Sources are never changed; importing again adds nothing.

    \b
    lorasmith import photos.zip --into datasets/anna
    lorasmith import pictures/ more.tar.gz cat.jpg --into datasets/cats --concept "cat" --repeats 2
    lorasmith import sd-scripts/dataset.toml --into datasets/anna
    """
    from lorasmith.curation.imports.imports import import_pictures

    with _progress("importing") as progress, _stop_on_ctrl_c() as stopping:
        report = import_pictures(
            sources, into, concept=concept, repeats=repeats, link=link, verify=check, progress=progress, cancelled=stopping
        )
    if as_json:
        _print_json(
            {
                "into": into,
                "added": [vars(one) for one in report.added],
                "left_out": [vars(one) for one in report.left_out],
                "captions_added": report.captions_added,
                "notes": report.notes,
                "stopped": report.stopped,
            }
        )
    else:
        captioned = sum(bool(one.captions) for one in report.added)
        typer.echo(f"{_count(len(report.added), 'picture')} added to {into}, {captioned} with a caption")
        if report.captions_added:
            typer.echo(f"{_count(len(report.captions_added), 'caption')} added to pictures that were there already")
        for one in report.added:
            if one.renamed:
                typer.echo(f"  {one.source} is now {one.path.name}: {one.renamed}")
        for note in report.notes:
            typer.echo(f"  {note}")
        for why, count in Counter(left.why for left in report.left_out).items():
            typer.echo(f"left out, {why}: {count}")
            for left in report.left_out:
                if left.why == why and (why != "already there" or "left out" in left.sentence):
                    typer.echo(f"  {left.sentence}")
    if report.stopped:
        typer.echo("stopped; the same command goes on from here", err=True)
        raise typer.Exit(130)


def mend(
    dataset: Annotated[Path, typer.Argument(help="The dataset's folder.")],
    only: Annotated[
        list[str] | None, typer.Option(help="Only pictures that fit: 'cat*.png', '10_anna/*'. May be given several times.")
    ] = None,
    bars: Annotated[bool, typer.Option("--bars", help="Cut letterbox bars off.")] = False,
    trim: Annotated[bool, typer.Option("--trim", help="Cut wide even margins off.")] = False,
    subject: Annotated[bool, typer.Option("--subject", help="Crop to what stands out from the ground.")] = False,
    crop: Annotated[str | None, typer.Option(metavar="LEFT,TOP,RIGHT,BOTTOM", help="Crop to a box, in pixels; needs --only.")] = None,
    cut: Annotated[bool, typer.Option("--cut", help="Cut sheets of several views into pictures.")] = False,
    rotate: Annotated[int | None, typer.Option(metavar="90|180|270", help="Turn clockwise; needs --only.")] = None,
    flip: Annotated[Literal["horizontal", "vertical"] | None, typer.Option(help="Mirror; needs --only.")] = None,
    clean: Annotated[
        Literal["filter", "down-up"] | None, typer.Option(help="Take fine noise away, as protections leave it; needs --only.")
    ] = None,
    upscale: Annotated[
        int | None, typer.Option(metavar="PIXELS", min=16, max=16384, help="Enlarge until the shorter side has so many.")
    ] = None,
    upscaler: Annotated[Path | None, typer.Option(help="ESRGAN-family file to enlarge with (needs spandrel); Lanczos without.")] = None,
    max_: Annotated[
        int | None, typer.Option("--max", metavar="PIXELS", min=16, help="Scale down until the longer side has so many.")
    ] = None,
    flatten: Annotated[bool, typer.Option("--flatten", help="Put a ground behind transparent pictures.")] = False,
    background: Annotated[str, typer.Option(metavar="COLOUR", help="The ground of --flatten: a name or #rrggbb.")] = "white",
    convert: Annotated[Literal["png", "jpg", "webp"] | None, typer.Option(help="Save as this kind.")] = None,
    duplicates: Annotated[bool, typer.Option("--duplicates", help="Take near duplicates out, all but the best copy.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take pictures out; needs --only.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    sheet: Annotated[Path | None, typer.Option(metavar="PNG", help="Write a picture of before and after, to look at.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List what was mended.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Bring the originals back.")] = False,
    last: Annotated[bool, typer.Option("--last", help="With --undo: take back the last step alone.")] = False,
    replay: Annotated[bool, typer.Option("--replay", help="Make results that are lost or were changed again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Mend pictures where they need it. Originals are kept, and every step can be undone.

    \b
    lorasmith mend datasets/anna --bars --trim --flatten --max 3000 --dry-run --sheet look.png
    lorasmith mend datasets/anna --upscale 1024 --upscaler models/4x-clear.safetensors
    lorasmith mend datasets/anna --only cat.png --crop 40,0,800,760
    lorasmith mend datasets/anna --duplicates
    lorasmith mend datasets/anna --list
    lorasmith mend datasets/anna --undo --only "cat*"
    """
    from lorasmith.curation.imports import imports
    from lorasmith.curation.mend import mend as mending
    from lorasmith.errors import DatasetError

    if not dataset.is_dir():
        raise DatasetError(f"{dataset} is no folder: give the dataset's folder, or import pictures into it first.")
    patterns = only or []
    wishes = _wishes(bars, trim, subject, crop, cut, rotate, flip, clean, upscale, upscaler, max_, flatten, background, convert)
    _refuse_more_than_one_thing(wishes, [duplicates, remove, list_, undo, replay])
    _refuse_what_needs_chosen_pictures(wishes, remove, patterns)
    imports.settle(dataset)
    if list_ or undo or replay:
        chosen = _recipes_that_fit(dataset, patterns)
        if list_ or dry_run:
            _show_recipes(chosen, as_json)
        elif undo:
            _show_mended(dataset, mending.undo(dataset, chosen, 1 if last else None), as_json)
        else:
            _show_mended(dataset, mending.replay(dataset, chosen), as_json)
        return
    proposals = _proposals(dataset, patterns, wishes, duplicates, remove)
    if sheet is not None:
        _write_sheet(dataset, proposals, sheet)
    if dry_run:
        _show_proposals(dataset, proposals, as_json)
        return
    with _progress("mending") as progress:
        mended = mending.mend(dataset, proposals, progress)
    mended += [mending.Mended(one.path, (one.path,), "", one.problem) for one in proposals if one.problem]
    _show_mended(dataset, mended, as_json)


def _refuse_more_than_one_thing(wishes: list[Wish], others: list[bool]) -> None:
    """Raises InputError where mend was asked for nothing, or for two things that do not go together."""
    from lorasmith.errors import InputError

    asked = sum([bool(wishes), *others])
    if asked != 1:
        more = "say one thing at a time" if asked > 1 else "say what to mend, for example --bars --trim, or --list"
        raise InputError(f"mend can change pictures, take duplicates out, remove, list, undo or replay: {more} (lorasmith mend --help).")


def _refuse_what_needs_chosen_pictures(wishes: list[Wish], remove: bool, patterns: list[str]) -> None:
    """Raises InputError where something that no whole dataset wants was asked for without saying of which pictures."""
    from lorasmith.errors import InputError

    if (remove or any(wish.way in ("crop", "rotate", "flip", "clean") for wish in wishes)) and not patterns:
        raise InputError(
            "--crop, --rotate, --flip, --clean and --remove are for chosen pictures: name them with --only (all of them: --only '*')."
        )


def _recipes_that_fit(dataset: Path, patterns: list[str]) -> list[Recipe]:
    """What was mended, of the pictures that were chosen by their name before or after."""
    from lorasmith.curation.mend import mend as mending

    return [
        recipe
        for recipe in mending.recipes(dataset)
        if any(mending.fits(place, patterns) for place in (recipe.original.path, *(result.path for result in recipe.results)))
    ]


def _proposals(dataset: Path, patterns: list[str], wishes: list[Wish], duplicates: bool, remove: bool) -> list[Proposal]:
    """What would be done to each picture; raises DatasetError where none was chosen."""
    from lorasmith.curation.mend import mend as mending
    from lorasmith.errors import DatasetError

    pictures = mending.dataset_pictures(dataset, patterns)
    if not pictures:
        raise DatasetError(
            f"{dataset} has no pictures{f' that fit {patterns}' if patterns else ''}: mind that patterns know upper and lower case."
        )
    if remove:
        return [mending.Proposal(path, (mending.Remove(why="by hand"),)) for path in pictures]
    with _progress("looking") as progress:
        if duplicates:
            return mending.propose_removing_duplicates(pictures, progress)
        return mending.propose(dataset, pictures, wishes, progress)


def layout(
    dataset: Annotated[Path, typer.Argument(help="The dataset's folder.")],
    concept: Annotated[str | None, typer.Option(help="What the pictures in no folder show: the trigger word first.")] = None,
    rename: Annotated[list[str] | None, typer.Option(metavar="FOLDER=NAME", help="Call a folder's concept otherwise.")] = None,
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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be moved, and move nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Lay a dataset out in N_name folders, with repeats that give every concept the same time.

    \b
    lorasmith layout datasets/anna --concept anna
    lorasmith layout datasets/two --rename "photos of bert=bert, blue coat" --epochs 12 --dry-run
    lorasmith layout datasets/anna --regularisation woman --holdout 0.1 --rights "my own photographs"
    """
    from lorasmith.curation import rights as of_rights
    from lorasmith.curation.holdout import hold_out, plan_holdout
    from lorasmith.curation.imports.imports import settle
    from lorasmith.curation.layout import lay_out, plan_layout, rehearsal, settings_for

    settle(dataset)
    names, by_hand = dict(_pairs(rename, "--rename")), _numbers(repeats)
    plan = plan_layout(
        dataset,
        concept=concept,
        names=names,
        repeats=by_hand,
        regularisation=regularisation or (),
        base_repeats=base_repeats,
        epochs=epochs,
    )
    moves, split = list(plan.moves), None
    with rehearsal(dataset) if dry_run and holdout is not None else nullcontext(dataset) as place:
        if holdout is not None or not dry_run:
            lay_out(place, plan)
        if holdout is not None:
            with _progress("looking") as progress:
                split = plan_holdout(place, holdout, seed, progress)
            hold_out(place, split)
            left = {names.get(name, name): number for name, number in by_hand.items()}
            plan = plan_layout(place, repeats=left, base_repeats=base_repeats, epochs=epochs)  # balance what is left to train on
            lay_out(place, plan)
            moves += [*split.moves, *plan.moves]
    said = of_rights.confirm(dataset, rights) if rights is not None and not dry_run else of_rights.confirmed(dataset)
    if as_json:
        _print_json(
            {
                "concepts": [{**vars(one), "share": {**vars(one.share), "passes": one.share.passes}} for one in plan.concepts],
                "moves": moves,
                "warnings": plan.warnings,
                "held_out": None if split is None else len(split.held_out),
                "rights": None if said is None else vars(said),
            }
        )
        return
    typer.echo(f"{'folder':<40} {'pictures':>8} {'repeats':>8} {'a picture is seen':>18}")
    for one in plan.concepts:
        typer.echo(f"{one.folder:<40} {one.share.pictures:>8} {one.share.repeats:>8} {f'{one.share.passes} times':>18}")
    typer.echo(f"{plan.samples_per_epoch} pictures shown in an epoch; times are for {epochs} epochs")
    for warning in plan.warnings:
        typer.echo(f"warning: {warning}")
    if sum(not one.is_reg for one in plan.concepts) > 1:
        typer.echo("several concepts: a batch size of 1 and a rank of 32 are usual; flipping, if any, flips all of them")
    if split is not None:
        for problem in split.problems:
            typer.echo(f"not looked at: {problem.replace(str(place), str(dataset))}")
        typer.echo(
            f"held out for evaluation: {len(split.held_out)} of {len(split.held_out) + len(split.training)} pictures, in {dataset / 'holdout'}"
        )
    if dry_run:
        for old, new in moves:
            typer.echo(f"would move {old} to {new}")
        return
    typer.echo(
        said.sentence(dataset) if said else "rights not confirmed: --rights WORDS says that you may train on these pictures, and why"
    )
    typer.echo(f"{_count(len(moves), 'move')} made; in the settings of a run:\n\n{settings_for(dataset)}")


def export(
    dataset: Annotated[Path, typer.Argument(help="The dataset's folder.")],
    out: Annotated[Path, typer.Argument(help="A new folder, or a file named .zip.")],
    form: Annotated[Literal["kohya", "sd-scripts", "diffusers"], typer.Option("--for", help="Who will read it.")] = "kohya",
    absolute: Annotated[bool, typer.Option("--absolute", help="Full paths in dataset.toml.")] = False,
    resolution: Annotated[
        int | None, typer.Option(min=16, max=8192, help="Training resolution to write into dataset.toml, in pixels.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Write a dataset for other trainers: kohya's folders, sd-scripts' dataset.toml, diffusers' metadata.jsonl.

    \b
    lorasmith export datasets/anna anna.zip
    lorasmith export datasets/anna out/anna --for sd-scripts --absolute --resolution 1024
    lorasmith export datasets/anna out/anna --for diffusers
    """
    from lorasmith.curation.export import export as write

    with _progress("exporting") as progress:
        done = write(dataset, out, form, absolute=absolute, resolution=resolution, progress=progress)
    if as_json:
        _print_json(vars(done))
        return
    typer.echo(f"{_count(done.pictures, 'picture')} written to {done.out} for {form}")
    for note in done.notes:
        typer.echo(f"  {note}")


def _wishes(
    bars: bool, trim: bool, subject: bool, crop: str | None, cut: bool, rotate: int | None, flip: str | None, clean: str | None,
    upscale: int | None, upscaler: Path | None, max_: int | None, flatten: bool, background: str, convert: str | None,
) -> list[Wish]:  # fmt: skip
    from lorasmith.curation.mend.mend import Wish
    from lorasmith.errors import InputError

    if upscaler is not None and upscale is None:
        raise InputError("--upscaler has no effect without --upscale: say how many pixels the shorter side shall have.")
    if background != "white" and not flatten:
        raise InputError("--background has no effect without --flatten.")
    if rotate not in (None, 90, 180, 270):
        raise InputError(f"--rotate is {rotate}, but pictures turn by 90, 180 or 270 degrees.")
    asked: list[tuple[str, object]] = [
        ("bars", bars or None), ("trim", trim or None), ("subject", subject or None), ("cut", cut or None),
        ("crop", None if crop is None else _box(crop)), ("rotate", rotate), ("flip", flip), ("clean", clean),
        ("upscale", None if upscale is None else (upscale, upscaler)), ("max", max_),
        ("flatten", _colour(background) if flatten else None), ("convert", convert),
    ]  # fmt: skip
    return [Wish(way, value) for way, value in asked if value is not None]


def _box(text: str) -> tuple[int, ...]:
    from lorasmith.errors import InputError

    parts = text.split(",")
    if len(parts) != 4 or not all(part.strip().isdigit() for part in parts):
        raise InputError(f"--crop is {text!r}, but must be four numbers of pixels: left,top,right,bottom.")
    return tuple(int(part) for part in parts)


def _colour(text: str) -> tuple[int, ...]:
    from PIL import ImageColor

    from lorasmith.errors import InputError

    try:
        return ImageColor.getrgb(text)[:3]
    except ValueError as error:
        raise InputError(f"--background is {text!r}, but must be a colour: white, grey, #f0e0c0.") from error


def _pairs(given: Sequence[str] | None, option: str) -> Iterator[tuple[str, str]]:
    from lorasmith.errors import InputError

    for one in given or ():
        name, equals, value = one.rpartition("=")
        if not equals or not name.strip() or not value.strip():
            raise InputError(f"{option} is {one!r}, but must be two words with = between them.")
        yield name.strip(), value.strip()


def _numbers(given: Sequence[str] | None) -> dict[str, int]:
    from lorasmith.errors import InputError

    found = {}
    for name, value in _pairs(given, "--repeats"):
        if not value.isdigit() or not 1 <= int(value) <= 999:
            raise InputError(f"--repeats of {name!r} is {value!r}, but must be a number from 1 to 999.")
        found[name] = int(value)
    return found


def _show_recipes(chosen: Sequence[Recipe], as_json: bool) -> None:
    if as_json:
        _print_json([recipe.model_dump() for recipe in chosen])
        return
    for recipe in chosen:
        typer.echo(recipe.words)
    typer.echo(f"{_count(len(chosen), 'picture')} mended")


def _show_proposals(root: Path, proposals: Sequence[Proposal], as_json: bool) -> None:
    from lorasmith.curation.mend.mend import in_words

    if as_json:
        _print_json(
            [
                {**vars(one), "steps": [step.model_dump() for step in one.steps], "words": [in_words(step) for step in one.steps]}
                for one in proposals
            ]
        )
        return
    changing = [one for one in proposals if one.steps]
    for one in changing:
        typer.echo(f"{one.path.relative_to(root)}: would be {', '.join(in_words(step) for step in one.steps)}")
    for one in proposals:
        if one.problem:
            typer.echo(f"cannot be mended: {one.problem}")
    typer.echo(f"{len(changing)} of {_count(len(proposals), 'picture')} would change")


def _show_mended(root: Path, mended: Sequence[Mended], as_json: bool) -> None:
    done = [one for one in mended if not one.problem]
    if as_json:
        _print_json([vars(one) for one in mended])
    else:
        for one in done:
            now = ", ".join(path.relative_to(root).as_posix() for path in one.after) or "the bin"
            before = one.before.relative_to(root).as_posix()
            typer.echo(f"{before}: {one.words}" + ("" if now == before else f", now {now}"))
        for one in mended:
            if one.problem:
                typer.echo(f"not mended: {one.problem}")
        typer.echo(f"{_count(len(done), 'picture')} changed")


def _write_sheet(root: Path, proposals: Sequence[Proposal], file: Path) -> None:
    from lorasmith.curation.mend.mend import before_and_after

    picture = before_and_after(root, proposals)
    if picture is None:
        typer.echo("nothing would change, so there is no picture of it", err=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file, "PNG")
    typer.echo(f"before and after: {file}", err=True)


def _print_json(value: object) -> None:
    import json

    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: object) -> object:
    return list(value) if isinstance(value, (tuple, set)) else str(value)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


@contextmanager
def _progress(doing: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on the terminal; none where errors go to a file."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True),
        transient=True, disable=not sys.stderr.isatty(),
    )  # fmt: skip
    with bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def _stop_on_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Ctrl-C stops after this picture; a second one ends at once."""
    pressed: list[int] = []

    def stop(signum: int, frame: FrameType | None) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(signum)

    before = {one: signal.signal(one, stop) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(pressed)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
