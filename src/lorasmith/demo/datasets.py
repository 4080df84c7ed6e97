"""The demo world's ready datasets, written as ordinary folders of pictures and captions that any trainer can read.

    write_datasets(Path("datasets"), ["character-zorvex-small", "messy"])

`<kind>-<name>-<size>` is a plain folder, `0001.png` beside `0001.txt`: one for each held-out character, style and
concept, small and large (`SIZES`); the small one is the beginning of the large one. The captions are tags, the trigger
word first; what the trigger is to absorb is not said. `multi-two-characters` and `regularisation` have the layout of
kohya's scripts, folders named `N_words`. `messy` is an archive with everything that can be wrong with a dataset, and
`messy.json` beside it, the truth about each member.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from lorasmith.dataset_folder import HOLDOUT, make_state_folder
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.messy import write_messy
from lorasmith.demo.scenes import (
    DATASET_SEEDS,
    REGULARISATION_PICTURES,
    SIZES,
    THINGS,
    TRIGGERS,
    TWO_CHARACTERS,
    balanced_scenes,
    check_known,
    first_seed_of,
    fixed_attributes,
    trained_caption,
)  # fmt: skip
from lorasmith.demo.world import Scene, tag_caption
from lorasmith.errors import DatasetError, InputError

HELD_OUT = 8
"""Pictures that the demo never trains on."""


def dataset_names() -> tuple[str, ...]:
    """All datasets that `write_dataset` can write."""
    return (*_PICTURES, "messy")


def write_datasets(out: str | Path, names: Sequence[str] | None = None, size: int = 64) -> list[Path]:
    """Write the datasets `names` (all of them without) into the folder `out`; see `write_dataset`."""
    names = dataset_names() if names is None else names
    for name in names:
        check_known(name, dataset_names(), "dataset")
    return [write_dataset(out, name, size) for name in names]


def write_dataset(out: str | Path, name: str, size: int = 64) -> Path:
    """Write one dataset, pictures of `size` pixels a side, and give its folder; for `messy` the archive.

    What is there already is kept, files that are missing are added, and nothing half-written is ever under its name. The
    size does not matter to `messy`.

    Raises:
        InputError: there is no such dataset, the size is not 16 to 1024, or `out` is not a folder.
        DatasetError: the folder is there with pictures of another size, or its first picture cannot be read.
    """
    out = Path(out)
    check_known(name, dataset_names(), "dataset")
    if not 16 <= size <= 1024:
        raise InputError(f"A picture of the demo world is 16 to 1024 pixels wide, not {size}: choose a size in this range.")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: name a folder to write the datasets into.")
    out.mkdir(parents=True, exist_ok=True)
    return write_messy(out) if name == "messy" else _write_folder(out / name, _PICTURES[name](), size)


def write_held_out(dataset: str | Path, kind: str, name: str, count: int = HELD_OUT, size: int = 64) -> Path:
    """Write `count` fresh pictures of a thing into the hold-out of its large dataset, and give that folder."""
    trained = SIZES[kind]["large"]
    make_state_folder(Path(dataset))  # so that its hold-out counts as one
    scenes = balanced_scenes(trained + count, first_seed_of(DATASET_SEEDS, name), **fixed_attributes(kind, name))[trained:]
    return _write_folder(Path(dataset) / HOLDOUT, _numbered(scenes, lambda scene: trained_caption(kind, scene)), size)


@dataclass(frozen=True)
class _Picture:
    """One picture of a folder: where it goes (without suffix), what it shows, what its caption says."""

    stem: str
    scene: Scene
    caption: str


def _numbered(scenes: list[Scene], caption: Callable[[Scene], str], folder: str = "") -> list[_Picture]:
    return [_Picture(f"{folder}{number:04d}", scene, caption(scene)) for number, scene in enumerate(scenes, 1)]


def _thing(kind: str, name: str, count: int) -> list[_Picture]:
    scenes = balanced_scenes(count, first_seed_of(DATASET_SEEDS, name), **fixed_attributes(kind, name))
    return _numbered(scenes, lambda scene: trained_caption(kind, scene))


def _two_characters() -> list[_Picture]:
    pictures = []
    repeats = _balanced_repeats([count for _, _, count in TWO_CHARACTERS])
    for (name, (color, worn), count), times in zip(TWO_CHARACTERS, repeats, strict=True):
        fixed = fixed_attributes("character", name) | {"accessory": worn, "accessory_color": color}
        scenes = balanced_scenes(count, first_seed_of(DATASET_SEEDS, f"multi {name}"), **fixed)
        pictures += _numbered(scenes, lambda scene: trained_caption("character", scene), f"{times}_{TRIGGERS[name]}, {color} {worn}/")
    return pictures


def _balanced_repeats(counts: Sequence[int]) -> list[int]:
    """Repeats that give every folder about as many steps as the one with most pictures has at one repeat."""
    return [round(max(counts) / count) for count in counts]


def _regularisation() -> list[_Picture]:
    scenes = balanced_scenes(REGULARISATION_PICTURES, first_seed_of(DATASET_SEEDS, "regularisation"))
    return _numbered(scenes, tag_caption, "1_creature/")


def _named_things() -> dict[str, Callable[[], list[_Picture]]]:
    return {
        f"{kind}-{name.replace(' ', '-')}-{size}": partial(_thing, kind, name, count)
        for kind, names in THINGS.items()
        for name in names
        for size, count in SIZES[kind].items()
    }  # fmt: skip


_PICTURES: dict[str, Callable[[], list[_Picture]]] = {
    **_named_things(),
    "multi-two-characters": _two_characters,
    "regularisation": _regularisation,
}


def _write_folder(folder: Path, pictures: list[_Picture], size: int) -> Path:
    present = [p for p in pictures if (folder / f"{p.stem}.png").exists()]
    if present:
        width, height = _size_of(folder / f"{present[0].stem}.png")
        if (width, height) != (size, size):
            raise DatasetError(
                f"{folder} is there already with pictures of {width} x {height} pixels: remove it or write the pictures of "
                f"{size} pixels into another folder."
            )
    if len(present) == len(pictures) and all((folder / f"{p.stem}.txt").exists() for p in pictures):
        return folder
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as beside:
        aside = Path(beside) / folder.name
        for picture in pictures:
            file = aside / f"{picture.stem}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            draw_scene(picture.scene, size).save(file, "PNG")
            file.with_suffix(".txt").write_text(picture.caption + "\n", "utf-8")
        if not folder.exists():
            aside.rename(folder)
        for file in sorted(aside.rglob("*.*")):
            kept = folder / file.relative_to(aside)
            if not kept.exists():
                kept.parent.mkdir(parents=True, exist_ok=True)
                file.rename(kept)
    return folder


def _size_of(file: Path) -> tuple[int, int]:
    try:
        with Image.open(file) as picture:
            return picture.size
    except OSError as error:
        raise DatasetError(f"{file} cannot be read as a picture: remove it, and it is written again.") from error
