"""Write a dataset for other trainers, as a folder or a ZIP.

    kohya        img/N_name/..., reg/N_name/...: kohya's scripts and the many front ends that read its layout
    sd-scripts   the same and a dataset.toml (`--dataset_config`), paths beside it or absolute; masks/N_name/... where pictures have masks
    diffusers    a folder of pictures with metadata.jsonl (`--train_data_dir`, caption column `text`)

What a trainer cannot read is changed or left out in the export alone, and noted: sd-scripts reads no GIF, TIFF or AVIF without more
libraries, breaks on an empty caption, and on one that is not UTF-8; of others it reads the first line alone, a byte order mark with it. Held-out pictures are not exported, or the other trainer would see them.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import tomlkit
import tomlkit.items
from PIL import Image

from lorasmith.atomic import aside_of
from lorasmith.curation.moves import settle
from lorasmith.curation.names import safe_folder
from lorasmith.dataset_folder import REGULARISATION, mask_beside, sidecars
from lorasmith.datasets.folders import Picture, concept_in, open_folder
from lorasmith.errors import DatasetError, InputError
from lorasmith.images.read import read_picture
from lorasmith.pages.numbers import count
from lorasmith.progress import Progress
from lorasmith.registry import nearest
from lorasmith.stores import Place, here, send_tree, url_of

Form = Literal["kohya", "sd-scripts", "diffusers"]

FORMS: dict[str, str] = {
    "kohya": "folders named N_name under img/ and reg/",
    "sd-scripts": "the same with a dataset.toml",
    "diffusers": "pictures with a metadata.jsonl",
}
"""What users type -> what they get."""

READ_EVERYWHERE = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
"""Kinds of pictures that all of these trainers read without further libraries."""


@dataclass(frozen=True)
class Exported:
    """What was written."""

    out: Path
    """As it was given: a URL has lost a slash as a path, which `stores.url_of` gives back."""
    pictures: int
    notes: tuple[str, ...]
    """What was changed or left out on the way, picture by picture."""


@dataclass(frozen=True)
class _Item:
    """A picture on its way out."""

    picture: Picture
    folder: str
    """Where it goes: `img/10_anna`."""
    caption: bytes | None
    """None where there is none, or an empty one."""

    @property
    def name(self) -> str:
        """Its file in the export."""
        path = self.picture.path
        return path.name if path.suffix.lower() in READ_EVERYWHERE else f"{path.stem}.png"


def export(
    root: str | Path,
    out: str | Path,
    form: Form = "kohya",
    *,
    absolute: bool = False,
    resolution: int | None = None,
    progress: Progress | None = None,
) -> Exported:
    """Write the dataset `root`, a folder or its URL in a store, to `out`: a folder or, if its name ends in .zip, an archive; also at a URL.

    `absolute` writes full paths into dataset.toml (only for a folder). `resolution` (pixels) goes into it, too; without it, say it on
    sd-scripts' command line.

    Raises
    ------
    InputError
        There is something at `out` already, the form is unknown, or full paths are asked for inside a ZIP.
    DatasetError
        There is no picture that can be trained on.

    Examples
    --------
    >>> exported = ls.export_dataset("my-set", "for-kohya.zip")
    >>> import zipfile
    >>> sum(name.endswith(".png") for name in zipfile.ZipFile("for-kohya.zip").namelist())
    5
    """
    if (url := url_of(out)) is not None:
        return _export_to_store(root, url, form, absolute=absolute, resolution=resolution, progress=progress)
    root, out = here(root), Path(out)
    zipped = out.suffix.lower() == ".zip"
    if form not in FORMS:
        raise InputError(f"There is no form {form!r} to export to; {nearest(form, FORMS)}", code="export.unknown_form", form=form)
    if absolute and zipped:
        raise InputError(
            "Full paths make no sense inside a ZIP: export to a folder, or leave the paths relative.", code="export.full_paths_in_zip"
        )
    if out.exists() and (zipped or not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is there already: give another name, or remove it first.", code="export.exists", file=str(out))
    if out.resolve().is_relative_to(root.resolve()):
        raise InputError(f"{out} is inside the dataset itself: export to a place outside.")
    settle(root)
    notes: list[str] = []
    items = list(_items(root, notes))
    aside = aside_of(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        writer: _Folder | _Archive = _Archive(aside) if zipped else _Folder(aside)
        with writer:
            for number, item in enumerate(items, 1):
                writer.add(f"{item.folder}/{item.name}", _picture_bytes(item, notes))
                if form != "diffusers" and item.caption is not None:
                    writer.add(f"{item.folder}/{Path(item.name).stem}.txt", item.caption)
                if progress:
                    progress(number, len(items))
            masked = _takes_masks(items, form, notes)
            for item in items if masked else ():
                writer.add(f"{_mask_folder(item.folder)}/{Path(item.name).stem}.png", _mask_bytes(item))
            if form == "sd-scripts":
                writer.add("dataset.toml", _dataset_toml(items, out.resolve() if absolute else None, resolution, masked).encode())
            elif form == "diffusers":
                for name, text in _metadata(items, notes).items():
                    writer.add(name, text.encode())
        if out.is_dir():
            out.rmdir()
        os.replace(aside, out)
    finally:
        if aside.is_dir():
            shutil.rmtree(aside)
        aside.unlink(missing_ok=True)
    return Exported(out, len(items), tuple(notes))


def _export_to_store(
    root: str | Path, url: str, form: Form, *, absolute: bool, resolution: int | None, progress: Progress | None
) -> Exported:  # fmt: skip
    """Write it to a folder that goes, and send that. What was killed leaves files at the URL: then another name has to be given."""
    place = Place.at(url)
    if absolute:
        raise InputError("Full paths make no sense in a store: leave the paths relative.", code="export.full_paths_in_store")
    if place.entries():
        raise InputError(f"{url} is there already: give another name, or remove it first.", code="export.exists", file=url)
    with TemporaryDirectory() as folder:
        written = export(root, Path(folder) / place.name, form, resolution=resolution, progress=progress)
        send_tree(written.out, place)
    return replace(written, out=Path(url))


def _items(root: Path, notes: list[str]) -> Iterator[_Item]:
    """The pictures that train, with the regularisation pictures after them."""
    for folder, is_reg in ((root, False), (root / REGULARISATION, True)):
        if is_reg and not folder.is_dir():
            continue
        contents = open_folder(folder, is_reg=is_reg, verify=False)
        notes += [str(one) for one in contents.findings if one.severity == "error" and one.code != "folder.folder_not_read"]
        for picture in contents.pictures:
            name = picture.path.parent.name if picture.path.parent != folder else ""
            if concept_in(name) is None:
                name = f"{picture.repeats}_{safe_folder(root.resolve().name)}"
            yield _Item(picture, f"{'reg' if is_reg else 'img'}/{name}", _caption(picture, notes))


def _caption(picture: Picture, notes: list[str]) -> bytes | None:
    """The bytes of its caption file; without what is before its first line, where other trainers would read that as the caption, or part of it."""
    files = sidecars(picture.path)
    if not files:
        notes.append(f"{picture.path} has no caption: what trains on the export may call it after its folder.")
        return None
    data = files[0].read_bytes()
    if not data.decode("utf-8-sig").strip():
        notes.append(f"{files[0]} is empty and was not exported: trainers break on it, or use the folder's name instead.")
        return None
    if len(files) > 1:
        notes.append(f"{files[1]} was not exported, because {files[0].name} captions the same picture.")
    text = data.decode("utf-8-sig")
    written = _BLANK_LINES.sub("", text).encode()
    if written != data:
        before = "the byte order mark" if written == text.encode() else "the blank lines"
        notes.append(
            f"{files[0]} was exported without {before} at its beginning, which trainers read as a part of the caption or as an empty one."
        )
    return written


_BLANK_LINES = re.compile(r"\A(?:[^\S\r\n]*[\r\n])+")


def _picture_bytes(item: _Item, notes: list[str]) -> bytes:
    path = item.picture.path
    if item.name == path.name:
        return path.read_bytes()
    buffer = io.BytesIO()
    read_picture(path).save(buffer, "PNG")
    notes.append(f"{path} was exported as PNG, because not every trainer reads {path.suffix.lower()}.")
    return buffer.getvalue()


def _mask_folder(folder: str) -> str:
    """Where the masks of a folder of pictures go: `masks/10_anna` for `img/10_anna`."""
    return f"masks/{folder.split('/', 1)[1]}"


def _takes_masks(items: list[_Item], form: str, notes: list[str]) -> bool:
    """Whether the export has masks; where it cannot have those of the dataset, each is named.

    sd-scripts needs a mask for every picture of a dataset.toml in which one has any, and knows none of regularisation pictures.
    """
    masks = [mask for item in items if (mask := mask_beside(item.picture.path)).is_file()]
    if not masks:
        return False
    if form == "sd-scripts" and not any(item.picture.is_reg for item in items):
        notes.append(f"{count(len(masks), 'mask')} went along: train with --masked_loss, without which sd-scripts refuses the file.")
        return True
    why = "sd-scripts takes no masks together with regularisation pictures" if form == "sd-scripts" else "only --for sd-scripts names masks"
    notes += [f"{mask} was not exported: {why}." for mask in masks]
    return False


def _mask_bytes(item: _Item) -> bytes:
    """The picture's mask at its size, white all over where it has none."""
    mask = mask_beside(item.picture.path)
    white = Image.new("L", item.picture.size, 255)
    buffer = io.BytesIO()
    (read_picture(mask, background=(0, 0, 0)).convert("L").resize(white.size) if mask.is_file() else white).save(buffer, "PNG")
    return buffer.getvalue()


def _dataset_toml(items: list[_Item], absolute: Path | None, resolution: int | None, masked: bool) -> str:
    """The dataset as sd-scripts reads it: one subset a folder."""
    document = tomlkit.document()
    document.add(tomlkit.comment("A dataset for sd-scripts: give this file with --dataset_config." if absolute else _FROM_HERE))
    general = tomlkit.table()
    general.add("caption_extension", ".txt")
    general.add("enable_bucket", True)
    document.add("general", general)
    dataset = tomlkit.table()
    if resolution is not None:
        dataset.add("resolution", resolution)
    subsets = tomlkit.aot()
    for folder in dict.fromkeys(item.folder for item in items):
        concept = concept_in(folder.split("/", 1)[1])
        assert concept is not None  # every folder of an export is named N_name
        subset = tomlkit.table()
        subset.add("image_dir", str(absolute / folder) if absolute else folder)
        subset.add("num_repeats", concept.repeats)
        if masked:
            subset.add("conditioning_data_dir", str(absolute / _mask_folder(folder)) if absolute else _mask_folder(folder))
        else:  # sd-scripts refuses class_tokens beside masks
            subset.add("class_tokens", str(concept.name))
        if folder.startswith("reg/"):
            subset.add("is_reg", True)
        subsets.append(subset)
    dataset.add("subsets", subsets)
    datasets = tomlkit.aot()
    datasets.append(dataset)
    document.add("datasets", datasets)
    return tomlkit.dumps(document)


_FROM_HERE = "A dataset for sd-scripts: run it from this folder and give this file with --dataset_config."


def _metadata(items: list[_Item], notes: list[str]) -> dict[str, str]:
    """Name of each metadata.jsonl -> its text; regularisation pictures are a folder by themselves."""
    lines: dict[str, list[str]] = {}
    for item in items:
        top, folder = item.folder.split("/", 1)
        text = item.caption.decode("utf-8-sig") if item.caption is not None else (item.picture.caption or "")
        row = {"file_name": f"{folder}/{item.name}", "text": text.replace("\r\n", "\n").removesuffix("\n")}
        lines.setdefault(f"{top}/metadata.jsonl", []).append(json.dumps(row, ensure_ascii=False))
    if len({item.picture.repeats for item in items if not item.picture.is_reg}) > 1:
        notes.append("diffusers has no repeats: pictures of folders with more of them are trained on as often as all others.")
    return {name: "\n".join(rows) + "\n" for name, rows in lines.items()}


class _Folder:
    """Files of an export as a folder."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self) -> _Folder:
        self.path.mkdir()
        return self

    def add(self, name: str, data: bytes) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists():
            raise DatasetError(f"Two pictures would become {name} in the export: rename one of them.")
        file.write_bytes(data)

    def __exit__(self, *error: object) -> None:
        pass


class _Archive:
    """Files of an export as a ZIP; the same dataset gives the same bytes."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self) -> _Archive:
        self.zip = zipfile.ZipFile(self.path, "w")
        self.names: set[str] = set()
        return self

    def add(self, name: str, data: bytes) -> None:
        if name in self.names:
            raise DatasetError(f"Two pictures would become {name} in the export: rename one of them.")
        self.names.add(name)
        info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
        info.create_system, info.external_attr = 3, 0o644 << 16
        self.zip.writestr(info, data)

    def __exit__(self, *error: object) -> None:
        self.zip.close()
