"""The verb mend: change pictures where they need it, list what was changed, take it back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from lorasmith.cli.options import CACHE, AsJson, CacheFolder, DryRun, refuse_without

if TYPE_CHECKING:
    from lorasmith.curation.mend.mend import Mended
    from lorasmith.curation.mend.proposals import Proposal
    from lorasmith.curation.mend.recipes import Recipe
    from lorasmith.findings import MendChange


BOX = "LEFT,TOP,RIGHT,BOTTOM"
Only = Annotated[list[str] | None, typer.Option(help="Only pictures that fit: 'cat*.png', '10_anna/*'. May be given several times.")]
CutBox = Annotated[list[str] | None, typer.Option(metavar=BOX, help="With --cut: a picture to cut out, given for each; needs --only.")]
Clean = Annotated[Literal["filter", "down-up"] | None, typer.Option(help="Take fine noise away, as protections leave it; needs --only.")]
Erase = Annotated[
    list[str] | None,
    typer.Option(metavar=BOX, help="Paint a box over, and leave it out of training; may be given several times; needs --only."),
]
ErasePainted = Annotated[
    Path | None, typer.Option(metavar="PNG", help="The same for what is white in a picture of the same size; needs --only.")
]


def mend(
    dataset: Annotated[Path, typer.Argument(help="The dataset's folder.")],
    only: Only = None,
    bars: Annotated[bool, typer.Option("--bars", help="Cut letterbox bars off.")] = False,
    trim: Annotated[bool, typer.Option("--trim", help="Cut wide even margins off.")] = False,
    subject: Annotated[bool, typer.Option("--subject", help="Crop to what stands out from an even ground; needs --only.")] = False,
    crop: Annotated[str | None, typer.Option(metavar="LEFT,TOP,RIGHT,BOTTOM", help="Crop to a box, in pixels; needs --only.")] = None,
    cut: Annotated[bool, typer.Option("--cut", help="Cut sheets of several views into pictures.")] = False,
    cut_box: CutBox = None,
    rotate: Annotated[int | None, typer.Option(metavar="90|180|270", help="Turn clockwise; needs --only.")] = None,
    flip: Annotated[Literal["horizontal", "vertical"] | None, typer.Option(help="Mirror; needs --only.")] = None,
    clean: Clean = None,
    upscale: Annotated[
        int | None, typer.Option(metavar="PIXELS", min=16, max=16384, help="Enlarge until the shorter side has this many.")
    ] = None,
    upscaler: Annotated[Path | None, typer.Option(help="ESRGAN-family file to enlarge with (needs spandrel); Lanczos without.")] = None,
    max_: Annotated[
        int | None, typer.Option("--max", metavar="PIXELS", min=16, help="Scale down until the longer side has this many.")
    ] = None,
    flatten: Annotated[bool, typer.Option("--flatten", help="Put a ground behind transparent pictures.")] = False,
    background: Annotated[str, typer.Option(metavar="COLOUR", help="The ground of --flatten: a name or #rrggbb.")] = "white",
    convert: Annotated[Literal["png", "jpg", "webp"] | None, typer.Option(help="Save as this kind.")] = None,
    erase: Erase = None,
    erase_painted: ErasePainted = None,
    duplicates: Annotated[bool, typer.Option("--duplicates", help="Take near duplicates out, all but the best copy.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take pictures out; needs --only.")] = False,
    dry_run: DryRun = False,
    sheet: Annotated[Path | None, typer.Option(metavar="PNG", help="Write a picture of before and after, to look at.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List what was mended.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Bring the originals back.")] = False,
    last: Annotated[bool, typer.Option("--last", help="With --undo: take back the last step alone.")] = False,
    replay: Annotated[bool, typer.Option("--replay", help="Make results that are lost or were changed again.")] = False,
    cache: CacheFolder = CACHE,
    as_json: AsJson = False,
) -> None:
    """Mend pictures where they need it. Originals are kept, and every step can be undone.

    \b
    lorasmith mend datasets/anna --bars --trim --flatten --max 3000 --dry-run --sheet look.png
    lorasmith mend datasets/anna --upscale 1024 --upscaler models/4x-clear.safetensors
    lorasmith mend datasets/anna --only cat.png --crop 40,0,800,760
    lorasmith mend datasets/anna --only sheet.png --cut --cut-box 0,0,512,512 --cut-box 512,0,1024,512
    lorasmith mend datasets/anna --only cat.png --erase 600,700,790,750
    lorasmith mend datasets/anna --duplicates
    lorasmith mend datasets/anna --list
    lorasmith mend datasets/anna --undo --only "cat*"
    """
    from lorasmith.curation.moves import settle
    from lorasmith.images.picture_cache import PICTURES

    patterns = only or []
    changes = _erasures(erase or [], erase_painted)
    changes += _changes(
        bars, trim, subject, crop, cut, cut_box or [], rotate, flip, clean, upscale, upscaler, max_, flatten, background, convert
    )
    _refuse_more_than_one_thing(changes, [duplicates, remove, list_, undo, replay])
    changes += _if_asked("duplicates", duplicates) + _if_asked("remove", remove)
    refuse_without("--undo", undo, last=last)
    refuse_without("something to mend", changes, sheet=sheet)
    if not dry_run:
        _refuse_what_needs_chosen_pictures(changes, patterns)
    settle(dataset)
    if changes:
        _mend(dataset, patterns, changes, sheet, dry_run, as_json, cache / PICTURES)
    else:
        _look_back(dataset, patterns, undo and not dry_run, last, replay and not dry_run, as_json, cache / PICTURES)


def _mend(
    dataset: Path, patterns: list[str], changes: list[MendChange], sheet: Path | None, dry_run: bool, as_json: bool, cache: Path
) -> None:
    from lorasmith.cli.progress import progress_bar
    from lorasmith.curation.chosen_pictures import dataset_pictures
    from lorasmith.curation.mend.mend import mend as carry_out
    from lorasmith.curation.mend.proposals import propose
    from lorasmith.errors import DatasetError

    pictures = dataset_pictures(dataset, patterns)
    if not pictures:
        chosen = f" that fit {patterns}" if patterns else ""
        raise DatasetError(f"{dataset} has no pictures{chosen}: mind that patterns distinguish upper and lower case.")
    with progress_bar("looking") as progress:
        proposals = propose(dataset, pictures, changes, progress, cache)
    if sheet is not None:
        _write_sheet(dataset, proposals, sheet)
    if dry_run:
        _show_proposals(dataset, proposals, as_json)
        return
    with progress_bar("mending") as progress:
        mended = carry_out(dataset, proposals, progress)
    _show_mended(dataset, mended, as_json)


def _look_back(dataset: Path, patterns: list[str], undo: bool, last: bool, replay: bool, as_json: bool, cache: Path) -> None:
    """List what was mended, or take it back, or make it again."""
    from lorasmith.curation.chosen_pictures import chosen_recipes
    from lorasmith.curation.mend.mend import replay as make_again
    from lorasmith.curation.undo import undo_mends

    chosen = chosen_recipes(dataset, patterns)
    if undo:
        _show_mended(dataset, undo_mends(dataset, chosen, 1 if last else None, cache), as_json)
    elif replay:
        _show_mended(dataset, make_again(dataset, chosen), as_json)
    else:
        _show_recipes(dataset, chosen, as_json)


# From options to changes


def _changes(
    bars: bool, trim: bool, subject: bool, crop: str | None, cut: bool, cut_boxes: Sequence[str], rotate: int | None, flip: str | None,
    clean: str | None, upscale: int | None, upscaler: Path | None, max_: int | None, flatten: bool, background: str, convert: str | None,
) -> list[MendChange]:  # fmt: skip
    from lorasmith.errors import InputError

    if upscaler is not None and upscale is None:
        raise InputError("--upscaler has no effect without --upscale: say how many pixels the shorter side is to have.")
    if cut_boxes and not cut:
        raise InputError("--cut-box has no effect without --cut: add that option, or leave this one out.")
    if len(cut_boxes) == 1:
        raise InputError("--cut-box is given once, but cutting makes several pictures: give it for each, or use --crop.")
    if background != "white" and not flatten:
        raise InputError("--background has no effect without --flatten: add that option, or leave this one out.")
    if rotate not in (None, 90, 180, 270):
        raise InputError(f"--rotate is {rotate}, but pictures turn by 90, 180 or 270 degrees.")
    boxes = {"boxes": tuple(_box(box, "--cut-box") for box in cut_boxes)} if cut_boxes else {}
    return [
        *_if_asked("bars", bars), *_if_asked("trim", trim), *_if_asked("subject", subject), *_if_asked("cut", cut, **boxes),
        *_if_asked("crop", crop is not None, box=None if crop is None else _box(crop, "--crop")), *_if_asked("rotate", rotate is not None, degrees=rotate),
        *_if_asked("flip", flip is not None, way=flip), *_if_asked("clean", clean is not None, way=clean),
        *_if_asked("upscale", upscale is not None, pixels=upscale, network=upscaler), *_if_asked("max", max_ is not None, pixels=max_),
        *_if_asked("flatten", flatten, background=_colour(background)), *_if_asked("convert", convert is not None, to=convert),
    ]  # fmt: skip


def _erasures(boxes: Sequence[str], painted: Path | None) -> list[MendChange]:
    from lorasmith.errors import InputError

    parameters: dict[str, Any] = {"boxes": tuple(_box(box, "--erase") for box in boxes)} if boxes else {}
    if painted is not None:
        try:
            parameters["painted"] = painted.read_bytes()
        except OSError as error:
            raise InputError(
                f"{painted} cannot be opened ({error.strerror}): check its name and that you may read it.", file=str(painted)
            ) from error
    return _if_asked("erase", bool(parameters), **parameters)


def _if_asked(way: str, asked: bool, /, **parameters: Any) -> list[MendChange]:
    """The change, if it was asked for."""
    from lorasmith.findings import MendChange

    return [MendChange(way, parameters)] if asked else []


def _box(text: str, option: str) -> tuple[int, ...]:
    from lorasmith.errors import InputError

    parts = text.split(",")
    if len(parts) != 4 or not all(part.strip().isdigit() for part in parts):
        raise InputError(f"{option} is {text!r}, but must be four numbers of pixels: left,top,right,bottom.")
    return tuple(int(part) for part in parts)


def _colour(text: str) -> tuple[int, ...]:
    from PIL import ImageColor

    from lorasmith.errors import InputError

    try:
        return ImageColor.getrgb(text)[:3]
    except ValueError as error:
        raise InputError(f"--background is {text!r}, but must be a colour: white, grey, #f0e0c0.") from error


def _refuse_more_than_one_thing(changes: list[MendChange], others: list[bool]) -> None:
    """Raises InputError where mend was asked for nothing, or for two things that do not go together."""
    from lorasmith.errors import InputError

    asked = sum([bool(changes), *others])
    if asked != 1:
        more = "ask for one thing at a time" if asked > 1 else "say what to mend, for example --bars --trim, or --list"
        raise InputError(f"mend can change pictures, take duplicates out, remove, list, undo or replay: {more} (lorasmith mend --help).")


def _refuse_what_needs_chosen_pictures(changes: list[MendChange], patterns: list[str]) -> None:
    """Raises InputError where something that no whole dataset needs was asked for without saying of which pictures."""
    from lorasmith.curation.mend.ways import FOR_CHOSEN_PICTURES, PLACES
    from lorasmith.errors import InputError

    if any(change.way in FOR_CHOSEN_PICTURES or set(PLACES) & set(change.parameters) for change in changes) and not patterns:
        raise InputError(
            "--erase, --crop, --cut-box, --rotate, --flip, --clean, --subject and --remove are for chosen pictures: look at them with --dry-run --sheet look.png, "
            "then name them with --only (all of them: --only '*')."
        )


# What is printed


def _show_recipes(root: Path, chosen: Sequence[Recipe], as_json: bool) -> None:
    from lorasmith.cli.output import print_json
    from lorasmith.pages.numbers import count

    if as_json:
        print_json({"dataset": root, "recipes": [recipe.model_dump() for recipe in chosen]})
        return
    for recipe in chosen:
        typer.echo(recipe.words)
    typer.echo(f"{count(len(chosen), 'picture')} mended")


def _show_proposals(root: Path, proposals: Sequence[Proposal], as_json: bool) -> None:
    from lorasmith.cli.output import print_json
    from lorasmith.pages.numbers import count

    if as_json:
        listed = [
            {
                **vars(one),
                "steps": [step.model_dump(exclude={"at", "undone"}) for step in one.steps],
                "words": [step.words for step in one.steps],
            }
            for one in proposals
        ]
        print_json({"dataset": root, "proposals": listed})
        return
    changing = [one for one in proposals if one.steps]
    for one in changing:
        typer.echo(f"{one.path.relative_to(root)}: would be {one.words}")
    for one in proposals:
        if one.problem:
            typer.echo(f"cannot be mended: {one.problem}")
    typer.echo(f"{len(changing)} of {count(len(proposals), 'picture')} would change")


def _show_mended(root: Path, mended: Sequence[Mended], as_json: bool) -> None:
    from lorasmith.cli.output import print_json
    from lorasmith.pages.numbers import count

    if as_json:
        print_json({"dataset": root, "mended": [vars(one) for one in mended]})
        return
    done = [one for one in mended if not one.problem]
    for one in done:
        now = ", ".join(path.relative_to(root).as_posix() for path in one.after) or "in the bin"
        before = one.before.relative_to(root).as_posix()
        typer.echo(f"{before}: {one.words}" + ("" if now == before else f", now {now}"))
    for one in mended:
        if one.problem:
            typer.echo(f"not mended: {one.problem}")
    typer.echo(f"{count(len(done), 'picture')} changed")


def _write_sheet(root: Path, proposals: Sequence[Proposal], file: Path) -> None:
    from lorasmith.curation.mend.sheet import before_and_after

    picture = before_and_after(root, proposals)
    if picture is None:
        typer.echo("nothing would change, so there is no picture of it", err=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file, "PNG")
    typer.echo(f"before and after: {file}", err=True)
