"""What the routes work on: the workspace, and what the server keeps in memory of it. All of it can be read from the disk again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from lorasmith.projects.projects import Projects


@dataclass
class Studio:
    """An open workspace."""

    workspace: Path

    @cached_property
    def projects(self) -> Projects:
        return Projects(self.workspace)


def _studio_of(request: Request) -> Studio:
    studio: Studio = request.app.state.studio
    return studio


OpenStudio = Annotated[Studio, Depends(_studio_of)]
"""A route's parameter: the studio that it belongs to."""
