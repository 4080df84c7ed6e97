"""LoRAs worked into a base: a whole checkpoint that predicts what the base predicts with them attached.

    W' = W + ratio_1 (W_1 - W) + ratio_2 (W_2 - W) + ...        W_i: the weight with LoRA i at strength 1

The new checkpoint has the base's own layout, names and precision. Only the tensors that change are computed, in fp64, one at a time, and
rounded once; all others are copied byte for byte. In half precision rounding loses a part of a small change, and in fp8 most of it: how much
is measured layer by layer. Where a weight of scaled fp8 grows beyond what its factor reaches, the factor grows with it.
"""

from __future__ import annotations

import math
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import torch
from torch import Tensor

from lorasmith.adapters.base_weights import base_on_disk
from lorasmith.adapters.files.network import check_new_file
from lorasmith.adapters.tools.base_changes import changed_tensors
from lorasmith.adapters.tools.opened import OpenedLora, open_lora
from lorasmith.errors import AdapterError, InputError
from lorasmith.models.description import Description
from lorasmith.models.files.rewrite import rewrite_tensors
from lorasmith.models.files.tensor_file import PICKLES, read_header
from lorasmith.models.files.weights import PartReader, rows_of
from lorasmith.models.open import describe
from lorasmith.progress import Progress
from lorasmith.safetensors_header import TYPES
from lorasmith.secrets import publishable


@dataclass(frozen=True)
class MergedTensor:
    """A tensor of the base that was changed."""

    name: str
    """Its part and its path in diffusers' module: "unet.conv_in.weight"."""
    rounding: float
    """||written - exact|| / ||change||: what the base's precision lost of the change."""


def merge_into_base(
    files: Sequence[tuple[str | Path, float]],
    base: str | Path,
    out: str | Path,
    overwrite: bool = False,
    config: str | Path | None = None,
    progress: Progress = lambda done, total: None,
    allow_pickle: bool = False,
) -> list[MergedTensor]:
    """Write a checkpoint that predicts what a base predicts with LoRAs attached, each at its ratio.

    Parameters
    ----------
    files
        LoRA files of any trainer and kind, each with its ratio.
    base
        The base: a single file, a diffusers folder, or a hub id. The new checkpoint has its layout and precision.
    out
        The new .safetensors; for a folder the new folder.
    overwrite
        Replace the file `out` where it exists; a folder is never replaced.
    config
        A diffusers folder with the settings of the base's parts, for a single file of unusual size.
    progress
        Called with (tensors done, of how many).
    allow_pickle
        Read LoRA files in .pt, .ckpt and .bin too, by torch's unpickler for weights alone.

    Returns
    -------
    For each tensor that was changed what the base's precision lost of the change.

    Raises
    ------
    AdapterError
        A LoRA does not fit the base, or a number would be too large for its precision; nothing is written.
    InputError
        The new file exists already, or is not called .safetensors; the base is a pickle.

    Examples
    --------
    >>> changed = ls.merge_into_base([("my-lora.safetensors", 0.8)], "base", "merged")
    >>> ls.describe_base("merged").family
    'sd1'
    """
    out, described = Path(out), describe(base) if config is None else describe(base, config=Path(config))
    _check_out(described, out, overwrite)
    on_disk = base_on_disk(described)
    opened = [(open_lora(path, described.family, on_disk, allow_pickle), ratio) for path, ratio in files]
    changed = changed_tensors(on_disk, opened)
    total, done = sum(len(tensors) for tensors in changed.values()), 0
    reports: list[MergedTensor] = []

    def change(part: str, names: list[str], factor: GrownFactor | None, found: Tensor) -> Tensor:
        nonlocal done
        if factor is not None:
            factor.rescale(found)
        for name in names:
            grown = None if factor is None else factor.grown
            reports.append(_add(on_disk.readers[part], part, name, changed[part][name](), found, grown))
            done += 1
            progress(done, total)
        return found

    by_file: dict[Path, dict[str, tuple[str, list[str]]]] = defaultdict(dict)
    for part, tensors in changed.items():
        for name in tensors:
            file, key = on_disk.readers[part].file_of(name)
            by_file[file].setdefault(key, (part, []))[1].append(name)
    rewrite: dict[Path, dict[str, Callable[[Tensor], Tensor]]] = defaultdict(dict)
    for file, of_file in by_file.items():
        for key, (part, names) in of_file.items():
            reader = on_disk.readers[part]
            place = reader.factor_file_of(names[0])
            factor = None if place is None else GrownFactor(reader, {name: changed[part][name] for name in names})
            rewrite[file][key] = partial(change, part, names, factor)
            if place is not None and factor is not None:
                rewrite[place[0]][place[1]] = factor.as_stored
    metadata = {"modelspec.title": out.stem, "modelspec.merged_from": _merged_from(described, opened)}
    _write(described, out, rewrite, metadata)
    return reports


# ---- writing


def _add(reader: PartReader, part: str, name: str, change: Tensor, found: Tensor, factor: Tensor | None) -> MergedTensor:
    """Add a change to its rows of the file's tensor `found`, in place; `factor` is the one that its numbers are multiplied by from now on."""
    exact = reader.read(name, torch.float32).double() + change
    stored = reader.as_stored(name, exact, factor)
    clipped = factor is None and stored.itemsize == 1 and float(exact.abs().max()) > LARGEST.get(stored.dtype, math.inf)
    if clipped or not stored.float().isfinite().all():
        what = "are too large for the base's precision" if exact.isfinite().all() else "are not finite (NaN or infinity)"
        raise AdapterError(f"{part}.{name} of the new checkpoint would have numbers that {what}.", code="merge.overflow", tensor=name)
    found[rows_of(reader.takes[name])] = stored
    lost, size = float((reader.as_module(name, stored, factor).double() - exact).norm()), float(change.norm())
    return MergedTensor(f"{part}.{name}", lost / size if size else 0.0)


EIGHT_BITS = (torch.float8_e4m3fn, torch.float8_e5m2)
LARGEST = {dtype: torch.finfo(dtype).max * (1 + torch.finfo(dtype).eps / 4) for dtype in EIGHT_BITS}
"""What rounds to the largest number of a dtype of eight bits; torch makes that number of all that is larger."""


class GrownFactor:
    """The factor beside a weight of scaled fp8, as large as the weight needs it with the changes in it; never smaller than it was."""

    def __init__(self, reader: PartReader, changes: Mapping[str, Callable[[], Tensor]]) -> None:
        self._reader, self._changes = reader, changes

    @cached_property
    def grown(self) -> Tensor:
        """In the shape and dtype of the file's."""
        before = self._before
        name = next(iter(self._changes))
        largest = torch.finfo(getattr(torch, TYPES[self._reader.stored_as(name)][0])).max
        needed = torch.zeros_like(before, dtype=torch.float64)
        for name, change in self._changes.items():
            exact = self._reader.in_files_shape(name, self._reader.read(name, torch.float32).double() + change()).abs()
            own = exact.flatten(1).amax(1) if before.numel() > 1 else exact.max()
            rows = rows_of(self._reader.takes[name]) if before.numel() > 1 else slice(None)
            needed.view(-1)[rows] = torch.maximum(needed.view(-1)[rows], own / largest)
        return torch.where(needed > before.double(), needed.to(before.dtype), before)

    @cached_property
    def _before(self) -> Tensor:
        before = self._reader.factor_of(next(iter(self._changes)))
        assert before is not None, "the weight is scaled"
        return before

    def rescale(self, found: Tensor) -> None:
        """Make the file's numbers, which the old factor belongs to, what they are with the grown one; in place."""
        before, now = (factor.float().reshape(-1, *[1] * (found.dim() - 1)) for factor in (self._before, self.grown))
        if not torch.equal(before, now):
            found.copy_(torch.where(before == now, found.float(), found.float() * (before / now)).to(found.dtype))

    def as_stored(self, found: Tensor) -> Tensor:
        """What the file has for its factor from now on."""
        return self.grown.reshape(found.shape)


def _check_out(base: Description, out: Path, overwrite: bool) -> None:
    """Whether the new checkpoint may be written there, and the base be read.

    Raises:
        InputError: it may not.
    """
    if pickle := next((file for part in base.parts.values() for file in part.files if file.suffix.lower() in PICKLES), None):
        raise InputError(f"{pickle} is a pickle, which is not written here: give a base with safetensors files.", code="merge.pickle")
    if not base.source.is_dir():
        check_new_file(out, overwrite)
    elif out.exists():
        raise InputError(f"{out} exists already: give the name of a new folder.", code="lora.exists", path=str(out))


# What describes the numbers that a checkpoint had before.
_OF_THE_TENSORS = ("modelspec.hash_sha256", "modelspec.date", "sshs_model_hash", "sshs_legacy_hash")


def _merged_from(base: Description, opened: Sequence[tuple[OpenedLora, float]]) -> str:
    title = base.metadata.get("modelspec.title") or base.hub_id or base.source.stem
    return ", ".join([title, *(f"{lora.path.stem}:{ratio:g}" for lora, ratio in opened)])


def _write(
    base: Description, out: Path, rewrite: Mapping[Path, Mapping[str, Callable[[Tensor], Tensor]]], metadata: Mapping[str, str]
) -> None:
    """The new checkpoint: the base's file, or a copy of its folder, with the tensors of `rewrite` changed."""

    def of(file: Path) -> dict[str, str]:
        kept = {key: value for key, value in publishable(read_header(file).metadata).items() if key not in _OF_THE_TENSORS}
        return {**kept, **metadata} if not base.source.is_dir() else kept

    if not base.source.is_dir():
        rewrite_tensors(base.source, out, rewrite.get(base.source, {}), of(base.source))
        return
    aside = out.with_name(f".{out.name}.part")
    stale = _stale(base, rewrite)
    try:
        shutil.copytree(
            base.source, aside, ignore=lambda folder, names: [name for name in names if Path(folder) / name in stale], dirs_exist_ok=True
        )
        for file, changes in rewrite.items():
            rewrite_tensors(file, aside / file.relative_to(base.source), changes, of(file))
        aside.rename(out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _stale(base: Description, rewrite: Mapping[Path, object]) -> set[Path]:
    """The files of weights in a base's folder that are not copied: those that are rewritten, and the same parts in other precisions."""
    folders = {base.source, *(file.parent for file in rewrite)}
    used = {file for part in base.parts.values() for file in part.files} - rewrite.keys()
    files = {file for folder in folders for file in folder.iterdir() if file.suffix.lower() in (".safetensors", *PICKLES)}
    return files - used
