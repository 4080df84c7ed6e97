"""Merge, resize, convert and extract: LoRA files and checkpoints become others. They appear whole, so a job that died begins again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from lorasmith.jobs.kind import Arguments, Kind
from lorasmith.jobs.kinds.options import ALLOW_PICKLE, OVERWRITE, BaseSource, FamilyName, LoraAtStrength, Precision
from lorasmith.jobs.work import Work

RankMethod = Literal["sv_ratio", "sv_fro", "sv_cumulative"]
SparseMethod = Literal["ties", "dare"]

_FILE_PRECISION: Precision | None = Field(None, description="Numbers of the new file. Empty: those of the first.")
_OUT: Path = Field(description="The new file, a .safetensors.")
_FAMILY: FamilyName | None = Field(None, description="Of the base, where the files do not show it.")
_BY: RankMethod | None = Field(
    None,
    description="How each layer's rank is chosen by its singular values: sv_ratio keeps those near the largest, sv_fro a share of the norm, "
    "sv_cumulative a share of the sum. Empty: the same rank for all.",
)


class MergeArguments(Arguments):
    """What `lorasmith lora merge` is given."""

    reads: ClassVar[tuple[str, ...]] = ("files", "into", "base")

    files: list[LoraAtStrength] = Field(min_length=1, description="LoRA files, each with its ratio as strength.")
    out: Path = _OUT
    into: BaseSource | None = Field(None, description="Merge into this base: the new file is a whole checkpoint.")
    rank: int | None = Field(None, ge=1, description="Approximate the sum by this rank. Empty: exact, the ranks add up.")
    conv_rank: int | None = Field(None, ge=1, description="The same for convolutions with kernels wider than 1x1.")
    method: SparseMethod | None = Field(None, description="Add only a share of each change's numbers. Empty: the plain sum.")
    density: float = Field(0.5, gt=0, le=1, description="With a method: the share of numbers that is used.")
    seed: int = Field(0, description="With dare: which numbers are drawn.")
    base: BaseSource | None = Field(None, description="The base, for kinds whose change depends on it.")
    family: FamilyName | None = _FAMILY
    precision: Precision | None = _FILE_PRECISION
    overwrite: bool = OVERWRITE
    allow_pickle: bool = ALLOW_PICKLE


def merge(arguments: MergeArguments, work: Work) -> dict[str, Any]:
    """One LoRA that does what several do together, or a base that has them in it."""
    from lorasmith.adapters.files.bundled import notes_on_merging
    from lorasmith.adapters.tools.merge import Sparse, merge_files
    from lorasmith.adapters.tools.merge_into_base import merge_into_base

    files = [(each.file, each.strength) for each in arguments.files]
    overwrite = work.owns(arguments.out) or arguments.overwrite
    if arguments.into is not None:
        progress = work.progress_or_stop("merging", "tensor")
        merge_into_base(files, arguments.into, arguments.out, overwrite, progress=progress, allow_pickle=arguments.allow_pickle)
    else:
        sparse = None if arguments.method is None else Sparse(arguments.method, arguments.density, arguments.seed)
        merge_files(
            files, arguments.out, arguments.rank, arguments.conv_rank, arguments.base, arguments.family, arguments.precision, overwrite,
            sparse, arguments.allow_pickle,
        )  # fmt: skip
    for note in notes_on_merging([file for file, _ in files], into_base=arguments.into is not None):
        work.say(note)
    return {"file": str(arguments.out)}


class ResizeArguments(Arguments):
    """What `lorasmith lora resize` is given."""

    reads: ClassVar[tuple[str, ...]] = ("file",)

    file: Path = Field(description="LoRA file, of any trainer.")
    out: Path = _OUT
    rank: int = Field(ge=1, description="The new rank; where ranks are chosen, the most that a layer may have.")
    conv_rank: int | None = Field(None, ge=1, description="The same for convolutions.")
    by: RankMethod | None = _BY
    target: float = Field(0.9, gt=0, description="Where ranks are chosen: a ratio (say 20), or a share (say 0.9).")
    block_ranks: dict[str, int] = Field(default_factory=dict, description="Other ranks for blocks: IN08 = 16.")
    family: FamilyName | None = _FAMILY
    precision: Precision | None = _FILE_PRECISION
    overwrite: bool = OVERWRITE
    allow_pickle: bool = ALLOW_PICKLE


def resize(arguments: ResizeArguments, work: Work) -> dict[str, Any]:
    """A LoRA in other ranks."""
    from lorasmith.adapters.tools.resize import resize_file

    resize_file(
        arguments.file, arguments.out, arguments.rank, arguments.conv_rank, arguments.by, arguments.target, arguments.precision,
        work.owns(arguments.out) or arguments.overwrite, arguments.family, arguments.block_ranks, arguments.allow_pickle,
    )  # fmt: skip
    return {"file": str(arguments.out)}


class ConvertArguments(Arguments):
    """What `lorasmith lora convert` is given."""

    reads: ClassVar[tuple[str, ...]] = ("file", "base")

    file: Path = Field(description="LoRA file, of any trainer.")
    out: Path = Field(description="The new file, a .safetensors; a folder for peft.")
    to: Literal["everywhere", "kohya", "lora", "diff", "diffusers", "peft"] = Field(
        "everywhere",
        description="everywhere: names that all programs read; kohya: those of kohya's trainers; lora: a plain LoRA; diff: differences; "
        "diffusers: a plain LoRA in its names.",
    )
    rank: int | None = Field(None, ge=1, description="Rank of the LoRA that replaces layers of other kinds.")
    base: BaseSource | None = Field(None, description="The base, for kinds whose change depends on it.")
    family: FamilyName | None = _FAMILY
    precision: Precision | None = _FILE_PRECISION
    overwrite: bool = OVERWRITE
    allow_pickle: bool = ALLOW_PICKLE


def convert(arguments: ConvertArguments, work: Work) -> dict[str, Any]:
    """A network written another way: in the names that all programs read, as a plain LoRA, or as differences."""
    from lorasmith.adapters.tools.convert import convert_file

    reports, notes = convert_file(
        arguments.file, arguments.out, arguments.to, arguments.rank, arguments.base, arguments.family, arguments.precision,
        work.owns(arguments.out) or arguments.overwrite, arguments.allow_pickle,
    )  # fmt: skip
    for note in notes:
        work.say(note)
    return {"file": str(arguments.out), "layers": len(reports), "worst_error": max((report.error for report in reports), default=0.0)}


class ExtractArguments(Arguments):
    """What `lorasmith lora extract` is given."""

    reads: ClassVar[tuple[str, ...]] = ("tuned", "base")

    tuned: BaseSource = Field(description="The fine-tuned checkpoint: a file, a diffusers folder or a hub id.")
    base: BaseSource = Field(description="The base that it was made from.")
    out: Path = _OUT
    kind: Literal["lora", "locon", "full"] = Field("lora", description="locon has convolutions too, full all layers number for number.")
    rank: int | None = Field(None, ge=1, description="Empty: 32.")
    conv_rank: int | None = Field(None, ge=1, description="The same for convolutions wider than 1x1. Empty: the rank.")
    by: RankMethod | None = _BY
    target: float = Field(0.95, gt=0, description="Where ranks are chosen: a ratio (say 20), or a share (say 0.95).")
    parts: list[str] = Field(default_factory=list, description="What is compared: unet, text_encoder ... Empty: the denoiser alone.")
    precision: Precision | None = _FILE_PRECISION
    overwrite: bool = OVERWRITE


def extract(arguments: ExtractArguments, work: Work) -> dict[str, Any]:
    """What a fine-tuned checkpoint changed in its base, as a LoRA."""
    from lorasmith.adapters.tools.extract import extract_file

    found = extract_file(
        arguments.tuned, arguments.base, arguments.out, arguments.kind, arguments.rank, arguments.conv_rank, arguments.by,
        arguments.target, arguments.parts, arguments.precision, work.owns(arguments.out) or arguments.overwrite,
        progress=work.progress_or_stop("comparing", "layer"),
    )  # fmt: skip
    for note in found.notes:
        work.say(note)
    return {"file": str(arguments.out), "error": found.error}


MERGE = Kind("Merge LoRAs", MergeArguments, merge)
RESIZE = Kind("Resize a LoRA", ResizeArguments, resize)
CONVERT = Kind("Convert a LoRA", ConvertArguments, convert)
EXTRACT = Kind("Extract a LoRA", ExtractArguments, extract)
