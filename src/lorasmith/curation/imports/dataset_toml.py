"""The TOML of an sd-scripts dataset: its subsets' folders, with their repeats; a subset's value counts before the dataset's."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeGuard

from lorasmith.curation.imports.masks import masks_from_folder
from lorasmith.curation.imports.matching import (
    PictureIndex,
    captions_with_row,
    exists,
    from_captions_file,
    match_rows,
    portable,
    read_captions_file,
)
from lorasmith.curation.imports.pile import folder_files, sort_out
from lorasmith.curation.imports.source import FoundPicture, left_out
from lorasmith.curation.names import safe_folder
from lorasmith.dataset_folder import REGULARISATION, is_picture
from lorasmith.datasets.folders import concept_in
from lorasmith.errors import DatasetError
from lorasmith.findings import Finding

OF_THE_DATASET = {"image_dir", "num_repeats", "class_tokens", "is_reg", "metadata_file", "caption_extension", "conditioning_data_dir"}
"""Options that say something about the pictures; the rest are settings of a run."""


def from_dataset_toml(source: Path, into: Path, left: list[Finding]) -> list[FoundPicture]:
    """The pictures of the subsets.

    Raises:
        DatasetError: the file is not TOML, or has no [[datasets]].
    """
    try:
        tree = tomllib.loads(source.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise DatasetError(
            f"{source} is not valid TOML ({error}): correct it, or give the pictures' folder.", code="imports.not_toml", file=str(source)
        ) from error
    datasets, general = tree.get("datasets"), tree.get("general", {})
    if (
        not _are_tables(datasets)
        or not isinstance(general, dict)
        or not all(_are_tables(dataset.get("subsets", [])) for dataset in datasets)
    ):
        raise DatasetError(
            f"{source} has no [[datasets]] with [[datasets.subsets]], so it is not a dataset of sd-scripts: give the pictures' folder.",
            code="imports.no_datasets", file=str(source),
        )  # fmt: skip
    found: list[FoundPicture] = []
    not_taken: set[str] = set(general)
    for dataset in datasets:
        not_taken |= set(dataset) - {"subsets"}
        for subset in dataset.get("subsets", []):
            not_taken |= set(subset)
            found += _from_subset(source, {**general, **dataset, **subset}, into, left)
    for name in sorted(not_taken - OF_THE_DATASET):
        message, fix = f"{source} sets {name}, which does not concern the dataset.", "Set it in the settings of a run."
        left.append(left_out("other_trainers_setting", source.name, message, fix, about="option"))
    return found


def _are_tables(value: Any) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _from_subset(source: Path, options: dict[str, Any], into: Path, left: list[Finding]) -> list[FoundPicture]:
    given = options.get("image_dir") or options.get("metadata_file")
    folder = _named(source, given)
    if folder is None:
        message, fix = f"{source} names {given or 'no image_dir'}, which does not exist.", "Correct the path, or import the folder itself."
        left.append(left_out("missing", f"{source.name}/{given}", message, fix, about="folder"))
        return []
    repeats = options.get("num_repeats", 1)
    if not isinstance(repeats, int) or repeats < 1:
        message = f"{source} has {given} with num_repeats = {repeats!r}, which is not 1 or more: its pictures are left out."
        left.append(
            left_out("missing", f"{source.name}/{given}", message, "Give it such a number, or import the folder itself.", about="folder")
        )
        return []
    if not options.get("image_dir"):
        return from_captions_file(folder, left)
    if not folder.is_dir():
        message = f"{source} names {given} as image_dir, which is no folder."
        left.append(left_out("missing", f"{source.name}/{given}", message, "Correct the path, or import that file itself.", about="folder"))
        return []
    named = concept_in(folder.resolve().name)
    tokens = options.get("class_tokens")
    concept = (tokens if isinstance(tokens, str) else "") or (named.name if named else None) or folder.resolve().name
    section = REGULARISATION if options.get("is_reg") else ""
    suffix = str(options.get("caption_extension", "")).lower()
    files = [file for file in folder_files(folder, into, left) if "/" not in file.name]  # sd-scripts does not look further down
    found = sort_out(folder.name, files, left)
    for one in found:
        one.section, one.concept, one.repeats = section, safe_folder(concept), repeats
        if suffix in one.captions:
            one.captions = {suffix: one.captions[suffix]}
    if options.get("conditioning_data_dir"):
        _take_masks(found, source, options["conditioning_data_dir"], into, left)
    if options.get("metadata_file"):
        _take_captions(found, source, options["metadata_file"], folder, left)
    return found


def _take_masks(found: Sequence[FoundPicture], source: Path, given: Any, into: Path, left: list[Finding]) -> None:
    folder = _named(source, given)
    if folder is None or not folder.is_dir():
        message, fix = f"{source} names the masks {given}, which do not exist.", "Correct the path."
        left.append(left_out("missing", f"{source.name}/{given}", message, fix, about="folder"))
        return
    masks_from_folder(found, (file for file in folder_files(folder, into, left) if is_picture(file.name)), folder.name, left)


def _take_captions(found: Sequence[FoundPicture], source: Path, given: Any, folder: Path, left: list[Finding]) -> None:
    """Give the pictures of a folder their captions of a metadata file, which count before caption files."""
    file = _named(source, given)
    if file is None:
        message, fix = f"{source} names the metadata_file {given}, which does not exist.", "Correct the path."
        left.append(left_out("missing", f"{source.name}/{given}", message, fix, about="caption"))
        return
    pictures = PictureIndex((one.name for one in found), folder.resolve().as_posix())
    matched = match_rows(read_captions_file(file, left), pictures, "", left)
    for one in found:
        if (row := matched.get(one.name)) is not None:
            one.captions = captions_with_row(row, one.captions, one.source, left, row_wins=True)


def _named(source: Path, given: Any) -> Path | None:
    """The file or folder that a dataset's TOML names: read from its own folder or from where the program runs; on Windows' paths, by the end."""
    if not given:
        return None
    name = portable(str(given))
    ends = name.split("/") if re.match("[A-Za-z]:/", name) else []
    places = [
        *(start / one for start in (source.parent, Path.cwd()) for one in (str(given), name)),
        *(source.parent.joinpath(*ends[n:]) for n in range(1, len(ends))),
    ]
    return next((place for place in places if exists(place)), None)
