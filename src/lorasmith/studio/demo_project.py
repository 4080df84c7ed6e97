"""A project of the demo's world: everything is there, so that a first training is one click away."""

from __future__ import annotations

from lorasmith.demo.datasets import write_dataset
from lorasmith.demo.scenes import TRIGGERS
from lorasmith.demo.weights import BASE
from lorasmith.projects.project import Project, ProjectFolder
from lorasmith.projects.projects import Projects

CHARACTER = "zorvex"


def make_demo_project(projects: Projects) -> ProjectFolder:
    """A new project with a character's pictures and captions, its trigger and the demo's base."""
    made = projects.make(Project(name="Demo", trigger=TRIGGERS[CHARACTER], base=str(BASE)))
    pictures = write_dataset(made.root, f"character-{CHARACTER}-small")
    made.dataset.rmdir()
    pictures.rename(made.dataset)
    return made
