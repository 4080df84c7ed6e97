"""`/api/projects/{project}/buckets`: the sizes that a training of the project begins with, to one of which each picture is cropped."""

from __future__ import annotations

from contextlib import suppress

from fastapi import APIRouter
from pydantic import BaseModel, Field

from lorasmith.datasets.buckets import bucket_sizes
from lorasmith.datasets.settings import BucketSettings
from lorasmith.errors import BaseModelError
from lorasmith.models.description import NativeSize
from lorasmith.models.open import describe
from lorasmith.projects.project import Project
from lorasmith.projects.resolution import USUAL
from lorasmith.studio.studio import OpenStudio
from lorasmith.training.recipes.recipes import recipe
from lorasmith.training.recipes.starting_point import first_buckets

router = APIRouter(tags=["pictures"])

USUAL_SIZE = NativeSize(USUAL, 64)


class BucketsView(BaseModel):
    """The buckets of a project."""

    base: str | None = Field(description="The base that they are for; None where none is known, and they are the usual ones.")
    resolution: int = Field(description="The side of the training's square, in pixels.")
    sizes: list[tuple[int, int]] = Field(description="Width and height of each, in pixels.")


@router.get("/projects/{project}/buckets")
def get_buckets(project: str, studio: OpenStudio) -> BucketsView:
    """The buckets that a training of the project begins with, by its base, kind and level."""
    read = studio.projects[project].read()
    known, settings = _of_the_base(read)
    buckets = BucketSettings.model_validate(settings)
    return BucketsView(base=read.base if known else None, resolution=buckets.size[0], sizes=bucket_sizes(buckets))


def _of_the_base(project: Project) -> tuple[bool, dict[str, object]]:
    """Whether the base is known, and the settings of the buckets."""
    if project.base is not None:
        with suppress(BaseModelError):
            base = describe(project.base)
            return True, first_buckets(recipe(project.kind, base.family, project.level, 1), base.native)
    return False, first_buckets((), USUAL_SIZE)
