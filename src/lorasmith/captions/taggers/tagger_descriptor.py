"""How a tagger's pictures are prepared and how its tags are listed: everything in which ONNX taggers differ, as data.

A picture becomes a square of `side` pixels in one of three ways, then numbers: `channels` orders red and blue, white becomes `white`,
then `mean` is subtracted and the result divided by `std`. The layout (channels last or first) and the side are read from the model.

Users write their own descriptor as a TOML file with the same fields, named `tagger.toml` in the tagger's folder or given by path.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from lorasmith.errors import InputError

OWN_DESCRIPTOR = "tagger.toml"

CATEGORY_NAMES = {"0": "general", "1": "artist", "3": "copyright", "4": "character", "5": "meta", "9": "rating"}
"""Danbooru's category numbers, as the taggers' tables use them; 9 is used by taggers only."""


class TaggerDescriptor(BaseModel):
    """Input and output of one family of ONNX taggers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("own", description="Name of the family.")
    model_files: tuple[str, ...] = Field(("model.onnx",), description="Names of the network's file; the first that exists is used.")
    tag_files: tuple[str, ...] = Field(("selected_tags.csv",), description="Names of the table of tags; the first that exists is used.")
    tag_format: Literal["csv", "json"] = Field(
        "csv", description="csv: rows with the columns name and category; json: index to tag and category, flat or nested as in Camie."
    )
    category_names: dict[str, str] = Field(
        CATEGORY_NAMES, description="Names of the table's categories; others keep their own name, in lower case."
    )
    fit: Literal["pad", "shrink and pad", "stretch"] = Field(
        "pad",
        description="pad: to a square, then resize; shrink and pad: resize the long side, then pad; stretch: resize, ignoring the aspect ratio.",
    )
    padding: tuple[int, int, int] = Field((255, 255, 255), description="Red, green and blue of the padding, 0-255.")
    resample: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] = Field("bicubic", description="How pixels are resized.")
    channels: Literal["bgr", "rgb"] = Field("bgr", description="Order of the colours.")
    white: float = Field(255.0, gt=0, description="The value of white before mean and std: 255 or 1.")
    mean: tuple[float, float, float] = Field((0.0, 0.0, 0.0), description="Subtracted, in the order of `channels`.")
    std: tuple[float, float, float] = Field((1.0, 1.0, 1.0), description="Divided by, in the order of `channels`.")
    side: int | None = Field(None, ge=1, description="Side of the input in pixels, for models that do not fix it.")
    layout: Literal["nhwc", "nchw"] = Field("nhwc", description="Position of the colour axis, for models that do not fix it.")
    output: str | None = Field(None, description="Name of the output; by default, the first.")
    activation: Literal["none", "sigmoid"] = Field(
        "none", description="sigmoid if the network gives logits, none if it gives probabilities."
    )
    general_threshold: float = Field(0.35, ge=0, le=1, description="Default threshold of general tags.")
    character_threshold: float = Field(0.85, ge=0, le=1, description="Default threshold of characters.")

    @field_validator("std")
    @classmethod
    def _divides(cls, std: tuple[float, float, float]) -> tuple[float, float, float]:
        if 0 in std:
            raise ValueError("std cannot be 0")
        return std


DESCRIPTORS: dict[str, TaggerDescriptor] = {
    "wd": TaggerDescriptor(name="wd"),  # SmilingWolf's v2, v2.1 and v3, Z3D-E621, the demo tagger
    "cl": TaggerDescriptor(
        name="cl", model_files=("model.onnx", "model_optimized.onnx"), tag_files=("tag_mapping.json",), tag_format="json",
        white=1.0, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), side=448, layout="nchw", activation="sigmoid",
        general_threshold=0.55, character_threshold=0.6,
    ),
    "pixai": TaggerDescriptor(
        name="pixai", fit="stretch", resample="bilinear", channels="rgb", white=1.0, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5),
        side=448, layout="nchw", output="prediction", general_threshold=0.3, character_threshold=0.85,
    ),
    "camie": TaggerDescriptor(
        name="camie", model_files=("camie-tagger-v2.onnx", "model.onnx"), tag_files=("camie-tagger-v2-metadata.json", "metadata.json"),
        tag_format="json", fit="shrink and pad", padding=(124, 116, 104), resample="lanczos", channels="rgb", white=1.0,
        mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), side=512, layout="nchw", output="refined_predictions",
        activation="sigmoid", general_threshold=0.492, character_threshold=0.492,
    ),
}  # fmt: skip
"""Families of taggers by the name that users type."""

_IN_HUB_NAMES = {"cl_tagger": "cl", "pixai": "pixai", "camie": "camie"}


def descriptor_by_name(name: str) -> TaggerDescriptor:
    """A built-in descriptor by its name, or a user's own by the path of its TOML file.

    Raises InputError where there is no such name or file, or the file is not valid.
    """
    if name in DESCRIPTORS:
        return DESCRIPTORS[name]
    path = Path(os.path.expanduser(name))
    if path.suffix != ".toml" or not path.is_file():
        raise InputError(f"There is no tagger descriptor {name!r}: give one of {', '.join(DESCRIPTORS)}, or the path of a TOML file.")
    return read_descriptor(path)


def read_descriptor(path: str | Path) -> TaggerDescriptor:
    """The descriptor in a TOML file; raises InputError where it is not valid."""
    path = Path(path)
    try:
        return TaggerDescriptor.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML ({error}): write fields as name = value.") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        known = ", ".join(TaggerDescriptor.model_fields)
        raise InputError(f"{path} has a mistake at {place!r} ({first['msg']}): use the fields {known}.") from error


def files_of(descriptor: TaggerDescriptor) -> tuple[str, ...]:
    """Patterns of the files that such a tagger may have."""
    return (*descriptor.model_files, "*.onnx.data", *descriptor.tag_files, OWN_DESCRIPTOR)


def descriptor_of(folder: str | Path) -> TaggerDescriptor:
    """The descriptor that fits the files in a folder: its own `tagger.toml`, or the family whose table of tags it has."""
    folder = Path(folder)
    if (folder / OWN_DESCRIPTOR).is_file():
        return read_descriptor(folder / OWN_DESCRIPTOR)
    for family in ("cl", "camie"):
        if any((folder / file).is_file() for file in DESCRIPTORS[family].tag_files):
            return DESCRIPTORS[family]
    table = folder / "selected_tags.csv"
    if table.is_file():
        with table.open(encoding="utf-8", errors="replace") as file:
            columns = file.readline().strip().split(",")
        if "ips" in columns:  # PixAI's column of the works that a character is from
            return DESCRIPTORS["pixai"]
    return DESCRIPTORS["wd"]


def descriptor_from_hub_name(source: str) -> TaggerDescriptor:
    """The family that a hub repository's name contains; WD where it contains no other."""
    family = next((family for part, family in _IN_HUB_NAMES.items() if part in source.lower()), "wd")
    return DESCRIPTORS[family]
