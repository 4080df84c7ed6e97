"""Arguments that several kinds of jobs share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from lorasmith.cluster import check_installed
from lorasmith.dataset_folder import pictures_below
from lorasmith.errors import about_setting
from lorasmith.images.picture_cache import PICTURES, PictureCache
from lorasmith.images.thumbnails import Thumbnails, make_thumbnails
from lorasmith.jobs.kind import Arguments
from lorasmith.jobs.work import Work
from lorasmith.jobs.workspace import Workspace
from lorasmith.models.device import Device
from lorasmith.models.families import FAMILIES, part_in_words
from lorasmith.registry import KeyOf

BaseSource = Annotated[str, Field(json_schema_extra={"names": "base"})]
"""A base, of which a page lists those that there are: a file, a folder or an id of the hub."""
CACHE: Path = Field(Path("cache"), description="Folder that keeps what was seen of pictures; safe to delete.")
FamilyName = Annotated[str, KeyOf(FAMILIES, "a family of bases")]
Precision = Literal["fp32", "bf16", "fp16"]
PRECISION: Precision | None = Field(None, description="Numbers that are computed with. Empty: bf16 on a GPU, else fp32.")
DEVICE: Device = Field("auto", description="auto takes a GPU where there is one, else the CPU.")
OVERWRITE: bool = Field(False, description="Replace the file if it exists.")
ALLOW_PICKLE: bool = Field(False, description="Read .ckpt, .pt and .bin files too, as weights alone.")


class LoraAtStrength(BaseModel):
    """A LoRA file and how strongly it acts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path = Field(description="LoRA file, of any trainer and kind.")
    strength: float = Field(1.0, description="1 as trained.")


class BaseFiles(BaseModel):
    """Files that a base may need beside its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vae: Path | None = Field(None, description="Another autoencoder: its file or folder.")
    text_encoder: Path | None = Field(None, description=f"Text encoder in a file of its own: {part_in_words('text_encoder')}.")
    text_encoder_2: Path | None = Field(None, description=f"Second text encoder in a file of its own: {part_in_words('text_encoder_2')}.")
    text_encoder_3: Path | None = Field(None, description=f"Third text encoder in a file of its own: {part_in_words('text_encoder_3')}.")
    config: Path | None = Field(None, description="Diffusers folder whose settings and tokenizers are used.")
    allow_pickle: bool = ALLOW_PICKLE


def check_ray(address: str | None) -> None:
    """Raises InputError, about the setting `ray`, where a cluster is wanted and Ray is not installed. Ray is not imported."""
    if address is not None:
        with about_setting("ray"):
            check_installed()


class OverRay(Arguments):
    """Arguments of a kind whose work can go over the nodes of a cluster."""

    ray: str | None = Field(
        None, description="A Ray cluster whose nodes do the work: HEAD:PORT, or auto: the one of this machine. Empty: this machine."
    )

    def check_can_begin(self, workspace: Path) -> None:
        """The same, and whether Ray is installed where a cluster is wanted."""
        check_ray(self.ray)
        super().check_can_begin(workspace)


def cache_of_pictures(cache: Path) -> Path:
    """Where it keeps what was seen of pictures."""
    return cache / PICTURES


def make_tiles(dataset: Path, cache: Path, work: Work) -> None:
    """Make the small pictures of a dataset that a page of the workspace shows, which is the folder that jobs work in."""
    with PictureCache(cache_of_pictures(cache)) as known:
        thumbnails = Thumbnails(Workspace.at(Path()).thumbnails)
        make_thumbnails(
            pictures_below(dataset), thumbnails, known, os.cpu_count() or 1, work.progress_or_stop("making thumbnails", "picture")
        )
