"""`/api/settings:import`: the settings of another trainer, or those in a LoRA file, as ours, with what became of each option."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field, JsonValue, StringConstraints

from lorasmith.errors import InputError, SettingsError
from lorasmith.projects.project import ProjectFolder
from lorasmith.projects.starting_settings import starting_settings
from lorasmith.secrets import without_secrets
from lorasmith.studio.findings import FindingView, views
from lorasmith.studio.studio import CACHE, OpenStudio, Studio
from lorasmith.training.importers.import_settings import Imported, import_settings
from lorasmith.training.recipes.recipe_file import is_recipe, own_recipe

router = APIRouter(tags=["settings"])

MOST_LETTERS = 4_000_000


class ImportRequest(BaseModel):
    """Where the settings are."""

    file: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)] = Field(
        description="A file of this machine; a relative path starts from the workspace. With `text`, its name, for what its ending says."
    )
    text: Annotated[str, StringConstraints(max_length=MOST_LETTERS)] | None = Field(
        None, description="What is in it, where it is elsewhere."
    )
    base: str | None = Field(None, description="The base model, instead of the file's.")
    datasets: list[str] = Field([], description="Folders of pictures, instead of the file's.")
    project: str | None = Field(None, description="The project that a recipe of one's own is for; its base and pictures are taken.")


class CarriedView(BaseModel):
    """An option that became a setting."""

    theirs: str
    ours: str = Field(description="The setting's dotted name.")
    value: JsonValue
    why: str = Field(description="Why the value is another than theirs; empty where it is the same.")


class ImportedView(BaseModel):
    """What became of the file."""

    form: str = Field(description="What kind of file it is, in words.")
    settings: dict[str, JsonValue] | None = Field(description="Complete settings; None where they cannot be: `fault` says why.")
    fault: str = Field(description="Why there are no settings, or why a training would refuse them; empty where all is well.")
    carried: list[CarriedView]
    findings: list[FindingView] = Field(description="What was not carried over and why, what nobody knows, what is missing here.")
    off: list[str] = Field(description="Options that are there and ask for nothing: empty, 0 or false.")


@router.post("/settings:import")
def import_settings_of_others(sent: ImportRequest, studio: OpenStudio) -> ImportedView:
    """Settings of kohya_ss, sd-scripts, ai-toolkit, OneTrainer or SimpleTuner, or of a LoRA file, as ours; nothing is lost in silence.

    Settings files and recipes of our own are taken, too."""
    if sent.text is None:
        return _imported(studio.workspace / sent.file, sent, studio)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"settings{Path(sent.file).suffix}"
        file.write_text(sent.text, encoding="utf-8", errors="surrogatepass")
        try:
            return _imported(file, sent, studio)
        except InputError as error:  # which says where we put it; the user knows it by another name
            raise SettingsError(str(error).replace(str(file), sent.file), code=error.code, path=sent.file) from error


def _imported(file: Path, sent: ImportRequest, studio: Studio) -> ImportedView:
    if sent.project is not None and is_recipe(file):
        return _of_recipe(file, studio.projects[sent.project], studio.workspace / CACHE, sent.base)
    return _view(import_settings(file, sent.base, sent.datasets))


def _of_recipe(file: Path, project: ProjectFolder, cache: Path, base: str | None) -> ImportedView:
    """The settings with which a project's training begins by a recipe of one's own; what it changes of the recipe it begins with is listed."""
    settings, _ = starting_settings(project, cache, base, own=file)
    changed = [choice for choice in own_recipe(file, images=1) if choice.source == file.name]
    return ImportedView(
        form="a recipe of your own", settings=settings.model_dump(mode="json", exclude_none=True), fault="", findings=[], off=[],
        carried=[CarriedView(theirs=choice.setting, ours=choice.setting, value=choice.value, why="") for choice in changed],
    )  # fmt: skip


def _view(imported: Imported) -> ImportedView:
    settings = None if imported.settings is None else imported.settings.model_dump(mode="json", exclude_none=True)
    return ImportedView(
        form=imported.form, settings=settings, fault=imported.fault, off=list(imported.off), findings=views(imported.findings),
        carried=[CarriedView(**without_secrets(asdict(each))) for each in imported.carried],
    )  # fmt: skip
