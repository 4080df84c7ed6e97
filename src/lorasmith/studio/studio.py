"""What the routes work on: the workspace, and what the server keeps in memory of it. All of it can be read from the disk again."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from lorasmith.curation.mend.previews import Previews
from lorasmith.errors import LorasmithError
from lorasmith.images.picture_cache import PICTURES
from lorasmith.images.picture_files import PictureFiles
from lorasmith.images.thumbnails import Thumbnails
from lorasmith.jobs.enqueue import Start, continue_jobs
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.supervisor_process import start_supervisor
from lorasmith.jobs.workspace import Workspace
from lorasmith.library.catalogue.catalogue import Catalogue
from lorasmith.models.shelf import Shelf
from lorasmith.projects.picture_counts import PictureCounts
from lorasmith.projects.projects import Projects
from lorasmith.projects.runs import find_run
from lorasmith.projects.uploads import Uploads
from lorasmith.studio.beside import Beside
from lorasmith.studio.courses import Courses
from lorasmith.studio.datasets import Datasets
from lorasmith.studio.estimates import Estimates
from lorasmith.studio.outcomes import Outcomes
from lorasmith.studio.token_counting import Count, Question, count_beside

log = logging.getLogger(__name__)

CACHE = "cache"
"""Folder of a workspace that keeps what can be made again, the same as the command line's and the jobs'."""


@dataclass
class Studio:
    """An open workspace."""

    workspace: Path
    start_supervisor: Start = start_supervisor
    """Sees to it that somebody works through the queue."""

    @cached_property
    def queue(self) -> Queue:
        return Queue(self.workspace)

    def continue_jobs(self) -> None:
        """See to it that jobs which wait are worked on. Without a queue that can be used, what the studio shows can be looked at all the same."""
        try:
            continue_jobs(self.queue, self.start_supervisor)
        except LorasmithError as error:
            log.warning("%s", error)

    @property
    def notes(self) -> list[str]:
        """Sentences on what was amiss with the queue when it was opened."""
        try:
            return [self.queue.note] if self.queue.note else []
        except LorasmithError as error:
            return [str(error)]

    @cached_property
    def datasets(self) -> Datasets:
        return Datasets(self.workspace / CACHE / PICTURES)

    def look_ahead(self, project: str) -> None:
        """Look at a project's dataset before it is asked for. Where that cannot be done, whoever asks for it is told why."""
        with suppress(LorasmithError, OSError):
            self.datasets.as_it_is(self.projects[project].dataset)

    def follow_ahead(self, run: str) -> None:
        """The same for the curves of a run."""
        with suppress(LorasmithError, OSError):
            self.courses.follow(find_run(self.projects, run).folder.events)

    @cached_property
    def uploads(self) -> Uploads:
        return Uploads(self.workspace)

    def clear_uploads(self) -> None:
        """Throw away what came in and has been imported since, or was left lying. Without a queue nobody knows what was imported, and all stays."""
        try:
            imports = {job.id: job for job in self.queue.jobs() if job.kind == "import"}
        except LorasmithError as error:
            log.warning("%s", error)
            return
        self.uploads.clear(imports)

    @cached_property
    def thumbnails(self) -> Thumbnails:
        return Thumbnails(Workspace.at(self.workspace).thumbnails)

    @cached_property
    def shelf(self) -> Shelf:
        """The models that are registered in the workspace."""
        return Shelf(self.workspace)

    @cached_property
    def previews(self) -> Previews:
        return Previews(Workspace.at(self.workspace).state / "previews")

    @cached_property
    def picture_files(self) -> PictureFiles:
        return PictureFiles(self.workspace / CACHE / PICTURES)

    @cached_property
    def count_tokens(self) -> Beside[Question, Count]:
        """Counts the tokens of captions, in a process of its own."""
        return count_beside()

    @cached_property
    def picture_counts(self) -> PictureCounts:
        return PictureCounts()

    @cached_property
    def catalogue(self) -> Catalogue:
        """The user's own, the same for all workspaces and programs."""
        return Catalogue()

    @cached_property
    def estimates(self) -> Estimates:
        return Estimates(self.workspace)

    @cached_property
    def outcomes(self) -> Outcomes:
        return Outcomes()

    @cached_property
    def courses(self) -> Courses:
        return Courses()

    @cached_property
    def projects(self) -> Projects:
        return Projects(self.workspace)


def _studio_of(request: Request) -> Studio:
    studio: Studio = request.app.state.studio
    return studio


OpenStudio = Annotated[Studio, Depends(_studio_of)]
"""A route's parameter: the studio that it belongs to."""
