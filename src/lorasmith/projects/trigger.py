"""A project's trigger and its captions are changed by one operation: who undoes it has both as they were.

    change = TriggerChange(before="mimi", after="zorvex")
    plan.save(change.note)
    follow(projects, "mimi", undo_newest(dataset).note, undone=True)      # the project's trigger is "mimi" again

The history of captions keeps the note with the operation and does not read it.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from lorasmith.projects.project import ProjectFolder
from lorasmith.projects.projects import PROJECTS, Projects


class TriggerChange(BaseModel):
    """Another trigger for a project, as it is noted with the operation on its captions."""

    before: str | None
    after: str | None

    @property
    def note(self) -> str:
        return self.model_dump_json()


def follow(projects: Projects, id: str, note: str, *, undone: bool) -> None:
    """After an operation was undone, or else redone, give the project the trigger of its note; one that was chosen since then stays."""
    if not note:
        return
    change = TriggerChange.model_validate_json(note)
    left, wanted = (change.after, change.before) if undone else (change.before, change.after)
    if projects[id].read().trigger == left:
        projects.change(id, {"trigger": wanted})


def follow_in_dataset(dataset: str | Path, note: str, *, undone: bool) -> None:
    """The same for the project that a dataset is of; nothing where it is of none."""
    root = Path(dataset).resolve()
    project = ProjectFolder(root.parent)
    if root.parent.parent.name == PROJECTS and project.file.is_file() and project.dataset.resolve() == root:
        follow(Projects(root.parent.parent.parent), project.id, note, undone=undone)
