"""Mend pictures so that every change can be listed, undone and made again.

A dataset's folder always shows the current pictures, so training and every other tool see what was mended without knowing of it. What
was there before is kept beside them, in the dataset's folder `.lorasmith`:

    originals/ab/ab12...      the bytes of each mended picture as they came, under their SHA-256
    mends/<id>.json           a recipe: the original, the steps that were taken, the hash of each result
    bin/<id>/                 pictures taken out and captions put aside, under their own names

A result is always made from the original by all steps of the recipe, so nothing is decoded and compressed twice, and undoing a step
means making the others again. Steps hold plain numbers (the box, not 'find the margins'), so that they give the same result again.
Captions follow their picture: where a sheet is cut into views, each view gets a copy, and undoing brings the first one back.

The recipe is written before the pictures are touched; if the work is cut short, the next call that opens the dataset finishes it.
"""

from __future__ import annotations

import fnmatch
import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from lorasmith.atomic import write_atomically
from lorasmith.dataset_folder import (
    BIN,
    CAPTION_SUFFIXES,
    ORIGINALS,
    RECIPES,
    WRITTEN_ASIDE,
    locked,
    pictures_below,
    sidecars,
)
from lorasmith.errors import DatasetError, InputError
from lorasmith.images.crop import Box, about_subject, inside_bars, inside_margins, views_on_sheet
from lorasmith.images.duplicates import Copy, Signature, best_copy, near_duplicate_groups, signature_of_pixels
from lorasmith.images.read import content_hash, read_picture, read_with_facts
from lorasmith.images.signs import jpeg_quality, view_of
from lorasmith.images.upscale import Upscaler, lanczos, open_upscaler, size_from, size_within

LONGEST = 8192
"""Pixels of the longest side that enlarging may lead to."""

Progress = Callable[[int, int], None]
"""Told (done, of how many)."""


# What can be done to a picture: the steps of a recipe


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Flatten(_Step):
    """Show `background` (red, green, blue; 0-255) where the picture is transparent. Without this step it is white."""

    do: Literal["flatten"] = "flatten"
    background: tuple[int, int, int] = (255, 255, 255)


class Convert(_Step):
    """Save as this kind of file; mended pictures are PNG otherwise. `quality` (1-100) does not matter to PNG."""

    do: Literal["convert"] = "convert"
    to: Literal["png", "jpg", "webp"]
    quality: int = Field(95, ge=1, le=100)


class Rotate(_Step):
    """Turn clockwise, in degrees."""

    do: Literal["rotate"] = "rotate"
    degrees: Literal[90, 180, 270]


class Flip(_Step):
    """Mirror: `horizontal` swaps left and right."""

    do: Literal["flip"] = "flip"
    way: Literal["horizontal", "vertical"] = "horizontal"


class Crop(_Step):
    """Keep the box (left, top, right, bottom; pixels)."""

    do: Literal["crop"] = "crop"
    box: Box
    why: str = ""


class Cut(_Step):
    """Make each box a picture of its own."""

    do: Literal["cut"] = "cut"
    boxes: tuple[Box, ...] = Field(min_length=2)


class Resize(_Step):
    """Scale to (width, height) pixels with Lanczos."""

    do: Literal["resize"] = "resize"
    size: tuple[int, int]


class Upscale(_Step):
    """Enlarge with a network, as often as it takes, then down to (width, height) pixels with Lanczos."""

    do: Literal["upscale"] = "upscale"
    size: tuple[int, int]
    network: str
    """Path of its file."""
    content: str
    """Hash of its file."""


class Clean(_Step):
    """Take fine noise away, such as protections against training lay over a picture: see `clean_by_filters` and `clean_by_scaling`."""

    do: Literal["clean"] = "clean"
    way: Literal["filter", "down-up"] = "filter"


class Remove(_Step):
    """Take the picture out of the dataset, into the bin."""

    do: Literal["remove"] = "remove"
    why: str = ""


Step = Annotated[Flatten | Convert | Rotate | Flip | Crop | Cut | Resize | Upscale | Clean | Remove, Field(discriminator="do")]


def in_words(step: Step) -> str:
    """A step as a person says it."""
    match step:
        case Flatten():
            return f"flattened on {'white' if step.background == (255, 255, 255) else '#{:02x}{:02x}{:02x}'.format(*step.background)}"
        case Convert():
            return f"saved as {step.to.upper()}"
        case Rotate():
            return f"turned by {step.degrees} degrees"
        case Flip():
            return "mirrored" if step.way == "horizontal" else "turned upside down"
        case Crop(box=(left, top, right, bottom)):
            return f"cropped{f' ({step.why})' if step.why else ''} to {right - left} x {bottom - top} at {left},{top}"
        case Cut():
            return f"cut into {len(step.boxes)} pictures"
        case Resize():
            return "scaled to {} x {}".format(*step.size)
        case Upscale():
            return f"upscaled to {step.size[0]} x {step.size[1]} with {Path(step.network).name}"
        case Clean():
            return "cleaned of fine noise by " + ("filters" if step.way == "filter" else "scaling down and up")
        case Remove():
            return f"taken out{f': {step.why}' if step.why else ''}"


def take_step(picture: Image.Image, step: Step, upscalers: dict[str, Upscaler] | None = None) -> list[Image.Image]:
    """What becomes of an RGB picture: one, several (`Cut`) or none (`Remove`). `upscalers` keeps opened networks by their path."""
    match step:
        case Flatten() | Convert():
            return [picture]
        case Rotate():
            turn = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
            return [picture.transpose(turn[step.degrees])]
        case Flip():
            return [ImageOps.mirror(picture) if step.way == "horizontal" else ImageOps.flip(picture)]
        case Crop():
            return [picture.crop(step.box)]
        case Cut():
            return [picture.crop(box) for box in step.boxes]
        case Resize():
            return [lanczos(picture, step.size)]
        case Upscale():
            opened = upscalers if upscalers is not None else {}
            network = opened.setdefault(step.network, opened.get(step.network) or open_upscaler(Path(step.network)))
            if network.content != step.content:
                raise DatasetError(
                    f"{step.network} is another file than the one that a picture was upscaled with: put that one back, or undo all."
                )
            while network.scale > 1 and (picture.width < step.size[0] or picture.height < step.size[1]):
                picture = network(picture)
            return [lanczos(picture, step.size)]
        case Clean():
            pixels = np.asarray(picture)
            return [Image.fromarray(clean_by_filters(pixels) if step.way == "filter" else clean_by_scaling(pixels))]
        case Remove():
            return []


# Cleaning: pure functions on pixels, height x width x 3, uint8


def clean_by_filters(pixels: np.ndarray) -> np.ndarray:
    """Without fine low-contrast patterns, edges kept: many light bilateral passes, then guided by their result.

    The recipe is that of lllyasviel's AdverseCleaner (2023): 64 bilateral passes (5 pixels, 8 steps of 255 apart), then 4 passes of a
    guided filter (radius 4, epsilon 16). It takes fine texture with it, and a strong pattern may survive: look at the result.
    """
    smooth: np.ndarray = pixels.astype(np.float32)
    for _ in range(64):
        smooth = cv2.bilateralFilter(smooth, 5, 8, 8)
    clean = pixels.astype(np.float32)
    for _ in range(4):
        clean = guided_filter(clean, smooth, radius=4, epsilon=16)
    return clean.clip(0, 255).round().astype(np.uint8)


def clean_by_scaling(pixels: np.ndarray, to: float = 0.5) -> np.ndarray:
    """Down to the share `to` of each side by averaging, and up again with Lanczos: what was finer is gone, detail too."""
    height, width = pixels.shape[:2]
    small = cv2.resize(pixels, (max(1, round(width * to)), max(1, round(height * to))), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LANCZOS4)


def guided_filter(guide: np.ndarray, source: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """`source` smoothed along the edges of `guide` (He et al. 2010, "Guided Image Filtering", with a colour guide, eq. 18-20).

    Both float32, height x width x 3, 0-255; `radius` in pixels, `epsilon` in squared steps of 255.
    """
    side = (2 * radius + 1, 2 * radius + 1)

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.blur(values, side)

    mean_guide, mean_source = mean(guide), mean(source)
    spread = np.empty((*guide.shape[:2], 3, 3), np.float32)
    shared = np.empty((*guide.shape[:2], 3, 3), np.float32)
    for i in range(3):
        for j in range(3):
            spread[..., i, j] = mean(guide[..., i] * guide[..., j]) - mean_guide[..., i] * mean_guide[..., j]
            shared[..., i, j] = mean(guide[..., i] * source[..., j]) - mean_guide[..., i] * mean_source[..., j]
    slope = np.linalg.solve(spread + epsilon * np.eye(3, dtype=np.float32), shared)
    offset = mean_source - np.einsum("hwi,hwij->hwj", mean_guide, slope)
    slope = np.stack([mean(np.ascontiguousarray(slope[:, :, i])) for i in range(3)], 2)
    return np.einsum("hwi,hwij->hwj", guide, slope) + mean(offset)


# What to do to which picture: a look at each, before anything is changed


@dataclass(frozen=True)
class Wish:
    """One thing to do where it is needed: a key of `WAYS` and what it takes."""

    way: str
    value: object = None


@dataclass(frozen=True)
class Proposal:
    """What would be done to one picture."""

    path: Path
    steps: tuple[Step, ...]
    """Empty where nothing is to be done."""
    before: tuple[int, int] = (0, 0)
    after: tuple[tuple[int, int], ...] = ()
    """Sizes in pixels."""
    why_not: tuple[str, ...] = ()
    """For each wish that changes nothing here, the reason."""
    problem: str = ""
    """Why the picture cannot be mended; '' where it can."""


@dataclass
class _Seen:
    """A picture as it is looked at: its file, and its pixels after the steps so far."""

    path: Path
    picture: Image.Image
    steps: list[Step]
    upscalers: dict[str, Upscaler]


def _flatten(seen: _Seen, value: object) -> Step | str:
    if _opacity(seen.path) is None:
        return "nothing in it is transparent"
    return Flatten(background=_colour(value)) if value else Flatten()


def _convert(seen: _Seen, value: object) -> Step | str:
    kinds = {".jpeg": ".jpg"}
    suffix = seen.path.suffix.lower()
    same = kinds.get(suffix, suffix) == f".{value}" and not seen.steps
    return f"it is {value} already" if same else Convert(to=value)


def _crop(seen: _Seen, value: object) -> Step | str:
    assert isinstance(value, tuple)
    left, top, right, bottom = value
    inside = (max(0, left), max(0, top), min(seen.picture.width, right), min(seen.picture.height, bottom))
    if inside[2] - inside[0] < 1 or inside[3] - inside[1] < 1:
        return f"the box lies outside its {seen.picture.width} x {seen.picture.height} pixels"
    return "the box is all of it" if inside == (0, 0, *seen.picture.size) else Crop(box=inside)


def _cropped(find: Callable[[_Seen], Box | None], why: str, nothing: str) -> Callable[[_Seen, object], Step | str]:
    def look(seen: _Seen, value: object) -> Step | str:
        box = find(seen)
        return nothing if box is None else Crop(box=box, why=why)

    return look


def _subject(seen: _Seen) -> Box | None:
    opacity = None if seen.steps else _opacity(seen.path)
    return about_subject(np.asarray(seen.picture), opacity)


def _cut(seen: _Seen, value: object) -> Step | str:
    boxes = views_on_sheet(np.asarray(seen.picture))
    return Cut(boxes=tuple(boxes)) if boxes else "it is no sheet of several views on an even ground"


def _max(seen: _Seen, value: object) -> Step | str:
    assert isinstance(value, int)
    size = size_within(seen.picture.size, value)
    return f"no side is over {value} pixels" if size == seen.picture.size else Resize(size=size)


def _upscale(seen: _Seen, value: object) -> Step | str:
    """`value`: (shortest side in pixels, path of a network or None)."""
    assert isinstance(value, tuple)
    shortest, network = value
    size = size_from(seen.picture.size, shortest)
    if size == seen.picture.size:
        return f"no side is under {shortest} pixels"
    if max(size) > LONGEST:
        return f"it is so thin that enlarging would make it {size[0]} x {size[1]} pixels: crop it first"
    if network is None:
        return Resize(size=size)
    opened = seen.upscalers.setdefault(str(network), seen.upscalers.get(str(network)) or open_upscaler(network))
    return Upscale(size=size, network=str(network), content=opened.content)


WAYS: dict[str, Callable[[_Seen, object], Step | str]] = {
    "bars": _cropped(lambda seen: inside_bars(np.asarray(seen.picture)), "bars", "it has no letterbox bars"),
    "trim": _cropped(lambda seen: inside_margins(np.asarray(seen.picture)), "margins", "it has no wide even margins"),
    "subject": _cropped(_subject, "to the subject", "no subject stands out clearly from a wider ground"),
    "crop": _crop,
    "cut": _cut,
    "rotate": lambda seen, value: Rotate(degrees=value),
    "flip": lambda seen, value: Flip(way=value),
    "clean": lambda seen, value: Clean(way=value),
    "upscale": _upscale,
    "max": _max,
    "flatten": _flatten,
    "convert": _convert,
}
"""What users ask for -> a look at a picture that gives the step, or why none is needed. Several are done in this order."""


def propose(root: Path, pictures: Sequence[Path], wishes: Sequence[Wish], progress: Progress | None = None) -> list[Proposal]:
    """What would be done to each picture; nothing is changed. Wishes are taken in the order of `WAYS`."""
    unknown = [wish.way for wish in wishes if wish.way not in WAYS]
    if unknown:
        raise InputError(f"There is no way to mend called {unknown[0]!r}: there are {', '.join(WAYS)}.")
    ordered = sorted(wishes, key=lambda wish: list(WAYS).index(wish.way))
    upscalers: dict[str, Upscaler] = {}
    by_result = _recipes_by_result(root)
    done: list[Proposal] = []
    with ThreadPoolExecutor(_THREADS) as pool:
        for one in pool.map(lambda path: _propose_one(path, ordered, by_result.get(_inside(root, path)), upscalers), pictures):
            done.append(one)
            if progress:
                progress(len(done), len(pictures))
    return done


def _propose_one(path: Path, wishes: Sequence[Wish], recipe: Recipe | None, upscalers: dict[str, Upscaler]) -> Proposal:
    try:
        picture = read_picture(path)
        before = picture.size
        seen, why_not, after = _Seen(path, picture, [], upscalers), [], [picture]
        for wish in wishes:
            if wish.way == "flatten" and recipe is not None:
                why_not.append("it is flat since it was mended")
                continue
            step = WAYS[wish.way](seen, wish.value)
            if isinstance(step, str):
                why_not.append(step)
                continue
            if isinstance(step, Flatten):
                seen.picture = read_picture(path, step.background)
            after = take_step(seen.picture, step, upscalers)
            seen.steps.append(step)
            if len(after) != 1:
                break
            seen.picture = after[0]
    except DatasetError as error:
        return Proposal(path, (), problem=str(error))
    return Proposal(path, tuple(seen.steps), before, tuple(one.size for one in after), tuple(why_not))


def propose_removing_duplicates(pictures: Sequence[Path], progress: Progress | None = None) -> list[Proposal]:
    """For each group of near duplicates, all but the best copy would go to the bin: the one that the audit names, too.

    Of copies in different folders none goes: there they belong to different concepts.
    """

    def look(path: Path) -> tuple[Copy, Signature] | str:
        try:
            reading = read_with_facts(path)
            quality = jpeg_quality(reading.tables)
            copy = Copy(reading.picture.size, 100.0 if quality is None else quality, path.stat().st_size, path.name)
            return copy, signature_of_pixels(view_of(np.asarray(reading.picture)))  # as the audit sees it: both name the same copies
        except DatasetError as error:
            return str(error)

    looks: list[tuple[Copy, Signature] | str] = []
    with ThreadPoolExecutor(_THREADS) as pool:
        for one in pool.map(look, pictures):
            looks.append(one)
            if progress:
                progress(len(looks), len(pictures))
    found = [Proposal(path, (), problem=look) for path, look in zip(pictures, looks, strict=True) if isinstance(look, str)]
    for folder in sorted({path.parent for path in pictures}):
        sound = [(p, look) for p, look in zip(pictures, looks, strict=True) if p.parent == folder and not isinstance(look, str)]
        for group in near_duplicate_groups([look[1] for _, look in sound]):
            members = [sound[index] for index in group.indices]
            best = members[best_copy([look[0] for _, look in members])][0]
            for path, (copy, _) in members:
                if path != best:
                    found.append(Proposal(path, (Remove(why=f"near duplicate of {best.name}"),), copy.size))
    return sorted(found, key=lambda proposal: proposal.path)


def _opacity(path: Path) -> np.ndarray | None:
    """Opacity of each pixel, 0-255, upright; None where the picture is opaque throughout."""
    try:
        with Image.open(path) as image:
            if not image.has_transparency_data:
                return None
            alpha = np.asarray(ImageOps.exif_transpose(image.convert("RGBA")).getchannel("A"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None  # formats that Pillow alone does not open; `read_picture` has judged the file already
    return alpha if (alpha < 255).any() else None


def _colour(value: object) -> tuple[int, int, int]:
    assert isinstance(value, tuple)
    red, green, blue = value
    return red, green, blue


# Recipes


class Version(BaseModel):
    """A picture file: its place in the dataset (with `/`) and the hash of its bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    path: str
    content: str


class Recipe(BaseModel):
    """How one picture was mended."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: Literal[1] = 1
    id: str
    original: Version
    upon: str | None = None
    """The recipe whose result is the original here: of a view cut from a sheet, or of a picture changed by hand in between."""
    steps: tuple[Step, ...] = ()
    results: tuple[Version, ...] = ()
    stale: tuple[Version, ...] = ()
    """Results of before, which go once the new ones are there."""
    done: bool = False
    """Whether the dataset shows the results."""

    @property
    def closed(self) -> bool:
        """Whether further steps begin a new recipe, because this one has not exactly one result."""
        return bool(self.steps) and isinstance(self.steps[-1], Cut | Remove)

    @property
    def words(self) -> str:
        """What was done, in one sentence."""
        return f"{self.original.path}: {', '.join(in_words(step) for step in self.steps) or 'as it came'}"


@dataclass(frozen=True)
class Mended:
    """What became of a picture: its path before, and the paths now."""

    before: Path
    after: tuple[Path, ...]
    words: str
    problem: str = ""
    """Why it could not be done; '' where it was."""


def recipes(root: Path) -> list[Recipe]:
    """All recipes of a dataset, by the original's name. Raises DatasetError where one cannot be read."""
    found = []
    for file in sorted((root / RECIPES).glob("*.json")):
        try:
            found.append(_RECIPE.validate_json(file.read_bytes()))
        except ValidationError as error:
            raise DatasetError(
                f"{file} is no recipe of this version: put it back as it was, or move it elsewhere to forget that mend."
            ) from error
    return sorted(found, key=lambda recipe: (recipe.original.path, recipe.id))


def mend(root: Path, proposals: Sequence[Proposal], progress: Progress | None = None) -> list[Mended]:
    """Do what was proposed; the pictures of one dataset, `root`."""
    wanted = [proposal for proposal in proposals if proposal.steps]
    upscalers: dict[str, Upscaler] = {}
    mended: list[Mended] = []
    with alone_in(root):
        by_result = _recipes_by_result(root)
        for number, proposal in enumerate(wanted, 1):
            words = ", ".join(in_words(step) for step in proposal.steps)
            try:
                recipe = by_result.get(_inside(root, proposal.path))
                now = Version(path=_inside(root, proposal.path), content=content_hash(proposal.path))
                if recipe is None or recipe.closed or recipe.results[0] != now:  # a view, or changed since: that is a new original
                    recipe = _new_recipe(root, now, recipe.id if recipe else None)
                recipe = _change(root, recipe, (*recipe.steps, *proposal.steps), upscalers)
                mended.append(Mended(proposal.path, _paths(root, recipe), words))
            except DatasetError as error:
                mended.append(Mended(proposal.path, (proposal.path,), words, str(error)))
            if progress:
                progress(number, len(wanted))
    return mended


def undo(root: Path, chosen: Iterable[Recipe], steps: int | None = None) -> list[Mended]:
    """Take back the last `steps` steps of each recipe, or all of them; then the original is back, byte for byte.

    Pictures and captions that were changed by hand since are not lost: they go to the bin.

    Raises:
        DatasetError: another picture lies in an original's place now.
    """
    undone: list[Mended] = []
    with alone_in(root):
        for one in chosen:
            undone += _undo(root, one.id, steps)
    return undone


def replay(root: Path, chosen: Iterable[Recipe]) -> list[Mended]:
    """Make each result again from its original; those that are as the recipe says are left alone. Gives those that were not."""
    again: list[Mended] = []
    with alone_in(root):
        for recipe in chosen:
            sound = all(_has(root / result.path, result.content) for result in recipe.results)
            if not sound and not recipe.closed:
                recipe = _change(root, recipe, recipe.steps, {})
                again.append(Mended(root / recipe.original.path, _paths(root, recipe), recipe.words))
    return again


def dataset_pictures(root: Path, only: Sequence[str] = ()) -> list[Path]:
    """The pictures of a dataset, in its folder and below, that fit one of the patterns (`cat*.png`, `10_anna/*`); all without any.

    Raises DatasetError where a name cannot be written down.
    """
    found = pictures_below(root)
    for path in found:
        if any("\ud800" <= character <= "\udfff" for character in path.name):
            raise DatasetError(
                f"{str(path)!a} is a name that is no text in UTF-8, and cannot be written down: rename it, or import the folder into a dataset."
            )
    return [path for path in found if fits(_inside(root, path), only)]


def origins(root: Path) -> dict[str, str]:
    """Place of each mended picture -> the hash of what it was made of in the beginning: of a view, of the sheet."""
    by_name = {recipe.id: recipe for recipe in recipes(root)}
    found = {}
    for place, recipe in _recipes_by_result(root).items():
        while recipe.upon in by_name:
            recipe = by_name[recipe.upon]
        found[place] = recipe.original.content
    return found


def fits(place: str, only: Sequence[str]) -> bool:
    """Whether a place in the dataset, or its name alone, fits one of the patterns, or there are none."""
    return not only or any(fnmatch.fnmatchcase(place, one) or fnmatch.fnmatchcase(place.rsplit("/", 1)[-1], one) for one in only)


@contextmanager
def alone_in(root: Path) -> Iterator[None]:
    """Nobody else changes the dataset meanwhile, and what was cut short is finished first.

    Raises:
        DatasetError: there is no such folder, or somebody else is at it.
    """
    with locked(root):
        for recipe in recipes(root):
            if not recipe.done:
                _carry_out(root, recipe, None)
        yield


def follow_moves(root: Path, moves: Sequence[tuple[str, str]]) -> None:
    """Tell the recipes that files or folders of the dataset have other names now: (old, new) places with `/`."""
    after = places_after(moves)

    def moved(version: Version) -> Version:
        return version.model_copy(update={"path": after(version.path)})

    for recipe in recipes(root):
        told = recipe.model_copy(
            update={
                "original": moved(recipe.original),
                "results": tuple(map(moved, recipe.results)),
                "stale": tuple(map(moved, recipe.stale)),
            }
        )
        if told != recipe:
            _save(root, told)


def places_after(moves: Sequence[tuple[str, str]]) -> Callable[[str], str]:
    """Where a file is after moves of files and folders, none of which moves what another has moved.

    A file takes along what has its name and another ending: the original of a mended picture may be of another kind.
    """
    exact = dict(moves)
    stems = {os.path.splitext(old)[0]: os.path.splitext(new)[0] for old, new in moves if os.path.splitext(old)[1]}

    def after(place: str) -> str:
        if place in exact:
            return exact[place]
        stem, ending = os.path.splitext(place)
        if stem in stems:
            return stems[stem] + ending
        parts = place.split("/")
        for depth in range(len(parts) - 1, 0, -1):
            if (folder := "/".join(parts[:depth])) in exact:
                return "/".join((exact[folder], *parts[depth:]))
        return place

    return after


_RECIPE: TypeAdapter[Recipe] = TypeAdapter(Recipe)
_THREADS = min(8, os.cpu_count() or 1)


def _new_recipe(root: Path, original: Version, upon: str | None) -> Recipe:
    number = 0
    while True:
        name = hashlib.sha256(f"{original.content} {original.path} {number}".encode()).hexdigest()[:16]
        if not (root / RECIPES / f"{name}.json").exists():
            return Recipe(id=name, original=original, upon=upon, results=(original,))
        number += 1


def _recipes_by_result(root: Path) -> dict[str, Recipe]:
    """Place of a picture -> the last recipe that it came out of."""
    all_of_them = recipes(root)
    built_upon = {(recipe.upon, recipe.original.path) for recipe in all_of_them}
    return {result.path: recipe for recipe in all_of_them for result in recipe.results if (recipe.id, result.path) not in built_upon}


def _undo(root: Path, name: str, steps: int | None) -> list[Mended]:
    recipe = next((one for one in recipes(root) if one.id == name), None)
    if recipe is None:  # it went with the sheet that it was cut from
        return []
    undone: list[Mended] = []
    for piece in [one for one in recipes(root) if one.upon == name]:
        undone += _undo(root, piece.id, None)
    words = "undone: " + ", ".join(in_words(step) for step in (recipe.steps if steps is None else recipe.steps[-steps:]))
    before = _paths(root, recipe)
    recipe = _change(root, recipe, () if steps is None else recipe.steps[:-steps], {})
    return [*undone, Mended(before[0] if before else root / recipe.original.path, _paths(root, recipe), words)]


def _change(root: Path, recipe: Recipe, steps: tuple[Step, ...], upscalers: dict[str, Upscaler]) -> Recipe:
    """Let the dataset show the recipe with these steps."""
    _keep_original(root, recipe)
    made = _make(root, recipe, steps, upscalers)
    results = tuple(
        Version(path=path, content=hashlib.sha256(data).hexdigest())
        for path, data in zip(_places(root, recipe, steps, len(made)), made, strict=True)
    )
    stale = tuple(version for version in recipe.results if version.path not in {result.path for result in results})
    _refuse_to_overwrite(root, recipe, results)
    for version in recipe.results:
        _bin_if_changed(root, recipe, version)
    changed = recipe.model_copy(update={"steps": steps, "results": results, "stale": stale, "done": False})
    _save(root, changed)
    _carry_out(root, changed, made)
    return changed.model_copy(update={"done": True})


def _make(root: Path, recipe: Recipe, steps: tuple[Step, ...], upscalers: dict[str, Upscaler]) -> list[bytes]:
    """The files that the steps make of the original."""
    original = _original(root, recipe)
    if not steps:
        return [original.read_bytes()]
    if isinstance(steps[-1], Remove):
        return []
    ground = next((step.background for step in reversed(steps) if isinstance(step, Flatten)), (255, 255, 255))
    pictures = [read_picture(original, ground)]
    for step in steps:
        pictures = [after for picture in pictures for after in take_step(picture, step, upscalers)]
    kind = next((step for step in reversed(steps) if isinstance(step, Convert)), Convert(to="png"))
    return [_encoded(picture, kind) for picture in pictures]


def _places(root: Path, recipe: Recipe, steps: tuple[Step, ...], count: int) -> list[str]:
    """Where the results go: the original's name with another ending; for several, numbered names that nobody has."""
    if not steps:
        return [recipe.original.path]
    kind = next((step.to for step in reversed(steps) if isinstance(step, Convert)), "png")
    stem = os.path.splitext(recipe.original.path)[0]
    if not isinstance(steps[-1], Cut):
        return [f"{stem}.{kind}"] * count
    folder = (root / stem).parent
    taken = {file.stem.casefold() for file in folder.iterdir()} - {Path(result.path).stem.casefold() for result in recipe.results}
    places: list[str] = []
    number = 1
    while len(places) < count:
        if f"{Path(stem).name}_{number}".casefold() not in taken:
            places.append(f"{stem}_{number}.{kind}")
        number += 1
    return places


def _carry_out(root: Path, recipe: Recipe, made: list[bytes] | None) -> None:
    """Make the dataset show what the recipe says. Can be cut short anywhere and done again."""
    if made is None:
        made = _make(root, recipe, recipe.steps, {})
        contents = [hashlib.sha256(data).hexdigest() for data in made]  # another version of a decoder may give other bytes
        again = tuple(Version(path=result.path, content=content) for result, content in zip(recipe.results, contents, strict=True))
        recipe = recipe.model_copy(update={"results": again})
    for result, data in zip(recipe.results, made, strict=True):
        if not _has(root / result.path, result.content):
            _write(root, root / result.path, data)
    aside = root / BIN / recipe.id
    stem = os.path.splitext(recipe.original.path)[0]
    in_place = [os.path.splitext(result.path)[0] for result in recipe.results] == [stem]
    if in_place:
        _bring_captions_back(root, recipe, aside)
    else:
        _put_captions_aside(root, recipe, aside)
    for version in recipe.stale:
        path = root / version.path
        if not path.is_file():
            continue
        if recipe.steps and isinstance(recipe.steps[-1], Remove):
            _move_aside(path, aside)
        elif _has(path, version.content):
            path.unlink()
        else:
            _move_aside(path, aside)
    for result in recipe.results:  # back from the bin
        if _has(binned := aside / Path(result.path).name, result.content):
            binned.unlink()
    if aside.is_dir() and not any(aside.iterdir()):
        aside.rmdir()
    if recipe.steps:
        _save(root, recipe.model_copy(update={"done": True, "stale": ()}))
        return
    (root / RECIPES / f"{recipe.id}.json").unlink(missing_ok=True)
    if not any(other.original.content == recipe.original.content for other in recipes(root)):
        _original(root, recipe).unlink(missing_ok=True)


def _put_captions_aside(root: Path, recipe: Recipe, aside: Path) -> None:
    """The original's captions go to the bin, and each of several results gets a copy."""
    for caption in sidecars(root / recipe.original.path):
        _move_aside(caption, aside)
    for suffix in CAPTION_SUFFIXES:
        kept = aside / (Path(recipe.original.path).stem + suffix)
        for result in recipe.results:
            copy = (root / result.path).with_name(Path(result.path).stem + suffix)
            if kept.is_file() and not copy.exists():
                _write(root, copy, kept.read_bytes())


def _bring_captions_back(root: Path, recipe: Recipe, aside: Path) -> None:
    """The original's captions come back from the bin; copies that nobody changed go, changed ones go to the bin."""
    for version in recipe.stale:
        if os.path.splitext(version.path)[0] == os.path.splitext(recipe.original.path)[0]:
            continue
        for copy in sidecars(root / version.path):
            kept = aside / (Path(recipe.original.path).stem + copy.suffix)
            if kept.is_file() and kept.read_bytes() == copy.read_bytes():
                copy.unlink()
            else:
                _move_aside(copy, aside)
    for suffix in CAPTION_SUFFIXES:
        kept = aside / (Path(recipe.original.path).stem + suffix)
        home = (root / recipe.original.path).with_name(kept.name)
        if kept.is_file() and not home.exists():
            os.replace(kept, home)


def _keep_original(root: Path, recipe: Recipe) -> None:
    kept = _original(root, recipe)
    if kept.exists():
        return
    path = root / recipe.original.path
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(kept, path.read_bytes())


def _refuse_to_overwrite(root: Path, recipe: Recipe, results: tuple[Version, ...]) -> None:
    """A picture that somebody put where a result has to go stays."""
    ours = {version.path for version in recipe.results}
    for result in results:
        path = root / result.path
        if result.path in ours or not path.exists() or _has(path, result.content):
            continue
        raise DatasetError(f"{path} is in the way of what {recipe.original.path} becomes: rename it, then try again.")


def _bin_if_changed(root: Path, recipe: Recipe, version: Version) -> None:
    """What somebody else made of a result goes to the bin before it is replaced."""
    path = root / version.path
    if path.is_file() and not _has(path, version.content):
        _move_aside(path, root / BIN / recipe.id)


def _move_aside(path: Path, aside: Path) -> None:
    aside.mkdir(parents=True, exist_ok=True)
    goal, number = aside / path.name, 2
    while goal.exists():
        goal, number = aside / f"{path.stem} ({number}){path.suffix}", number + 1
    os.replace(path, goal)


def _write(root: Path, path: Path, data: bytes) -> None:
    """A file of the dataset, whole or not at all; what a kill leaves half-written lies in `.lorasmith`."""
    aside = root / WRITTEN_ASIDE
    write_atomically(aside, data)
    os.replace(aside, path)


def _save(root: Path, recipe: Recipe) -> None:
    folder = root / RECIPES
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / f"{recipe.id}.json", (recipe.model_dump_json(indent=2) + "\n").encode())


def _original(root: Path, recipe: Recipe) -> Path:
    content = recipe.original.content
    return root / ORIGINALS / content[:2] / content


def _has(path: Path, content: str) -> bool:
    return path.is_file() and content_hash(path) == content


def _inside(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _paths(root: Path, recipe: Recipe) -> tuple[Path, ...]:
    return tuple(root / result.path for result in recipe.results)


def _encoded(picture: Image.Image, kind: Convert) -> bytes:
    buffer = io.BytesIO()
    if kind.to == "png":
        picture.save(buffer, "PNG")
    elif kind.to == "jpg":
        picture.save(buffer, "JPEG", quality=kind.quality, subsampling=0)
    else:
        picture.save(buffer, "WEBP", quality=kind.quality, method=4)
    return buffer.getvalue()


# Before and after, to look at


def before_and_after(root: Path, proposals: Sequence[Proposal], height: int = 200, most: int = 24) -> Image.Image | None:
    """A sheet with up to `most` of the pictures that would change, each before on the left and after on the right; None if none would."""
    upscalers: dict[str, Upscaler] = {}
    rows = []
    changing = [proposal for proposal in proposals if proposal.steps]
    for proposal in changing[:most]:
        ground = next((step.background for step in reversed(proposal.steps) if isinstance(step, Flatten)), (255, 255, 255))
        before = _on_checks(proposal.path)
        after = [read_picture(proposal.path, ground)]
        for step in proposal.steps:
            after = [one for picture in after for one in take_step(picture, step, upscalers)]
        words = f"{_inside(root, proposal.path)}: {', '.join(in_words(step) for step in proposal.steps)}"
        rows.append((words, [_within(before, height)], [_within(picture, height) for picture in after]))
    if not rows:
        return None
    gap, line = 12, 20
    left = max(one.width for _, before, _ in rows for one in before)
    right = max(sum(one.width + gap for one in after) for _, _, after in rows)
    font = ImageFont.load_default(13)
    rest = f"and {len(changing) - most} more" if len(changing) > most else ""
    texts = [words for words, _, _ in rows]
    width = max(left + right + 4 * gap, int(max(font.getlength(text) for text in texts)) + 2 * gap)
    sheet = Image.new("RGB", (width, len(rows) * (height + line + gap) + gap + (line if rest else 0)), (238, 238, 238))
    draw = ImageDraw.Draw(sheet)
    top = gap
    for words, befores, afters in rows:
        draw.text((gap, top), words, fill="black", font=font)
        sheet.paste(befores[0], (gap, top + line))
        x = left + 3 * gap
        draw.text((left + gap + 3, top + line + height // 2 - 8), ">", fill="black", font=font)
        for after_one in afters:
            sheet.paste(after_one, (x, top + line))
            x += after_one.width + gap
        top += height + line + gap
    draw.text((gap, top), rest, fill="black", font=font)
    return sheet


def _on_checks(path: Path) -> Image.Image:
    """The picture, with grey checks where it is transparent."""
    picture = read_picture(path)
    opacity = _opacity(path)
    if opacity is None:
        return picture
    rows, columns = np.indices((picture.height, picture.width)) // 12
    checks = np.where((rows + columns) % 2, 205, 165).astype(np.uint8)
    clear = Image.fromarray(255 - opacity)
    return Image.composite(Image.fromarray(checks).convert("RGB"), picture, clear)


def _within(picture: Image.Image, height: int) -> Image.Image:
    shown = picture.copy()
    shown.thumbnail((height * 2, height), Image.Resampling.LANCZOS)
    return shown
