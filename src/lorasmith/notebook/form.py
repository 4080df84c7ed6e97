"""The form cell of a notebook: a few values, as trainers in notebooks ask for them, become complete settings.

Two habits of folders are known, below Google Drive or any other folder:

    by project     Loras/PROJECT/dataset            Loras/PROJECT/output
    by category    lora_training/datasets/PROJECT   lora_training/output/PROJECT

What the form leaves open is decided as `lorasmith new` decides it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lorasmith.curation.names import safe_stem
from lorasmith.datasets.folders import open_folder
from lorasmith.errors import SettingsError
from lorasmith.training.recipes.starting_point import starting_point
from lorasmith.training.settings.changes import with_changes
from lorasmith.training.settings.tree import Settings

Structure = Literal["by project", "by category"]
Unit = Literal["steps", "epochs"]


@dataclass(frozen=True)
class Form:
    """What the cell asks for; the names are those of the settings, and of other notebooks where these differ."""

    project: str
    base: str
    """A file, a diffusers folder, or a hub id."""
    root: str = "."
    """Where the folders are: Google Drive's `/content/drive/MyDrive`, or any other."""
    structure: Structure = "by project"
    trigger: str = ""
    repeats: int | None = None
    flip_aug: bool = False
    unit: Unit = "epochs"
    how_many: int = 10
    """Of that unit."""
    batch_size: int = 2
    # Where these are None, `lorasmith new` decides: by the base, the captions and the number of pictures.
    resolution: int | None = None
    """In pixels."""
    shuffle_caption: bool | None = None
    """`shuffle_tags` in other notebooks."""
    keep_tokens: int | None = None
    """`activation_tags` in other notebooks."""
    unet_lr: float | None = None
    """Of the denoiser, which in newer bases is a transformer."""
    text_encoder_lr: float | None = None
    lr_scheduler: str | None = None
    min_snr_gamma: float | None = None
    network: str | None = None
    """lora, locon, lokr ...: every kind that `network.kind` takes."""
    rank: int | None = None
    """`network_dim` in other notebooks."""
    alpha: float | None = None

    @property
    def dataset(self) -> Path:
        """Where the project's pictures are."""
        return self._folder("dataset", "datasets")

    @property
    def output(self) -> Path:
        """Where its run is written: checkpoints, samples, verdict and report."""
        return self._folder("output", "output")

    def _folder(self, by_project: str, by_category: str) -> Path:
        if not self.project.strip():
            raise SettingsError("The project has no name: fill in `project`.", code="notebook.no_project")
        name = safe_stem(self.project)
        if self.structure == "by project":
            return Path(self.root) / "Loras" / name / by_project
        return Path(self.root) / "lora_training" / by_category / name


@dataclass(frozen=True)
class Calculated:
    """What comes of pictures, repeats, batch size, and steps or epochs."""

    pictures: int
    repeats: int
    steps_per_epoch: int
    epochs: int

    @property
    def steps(self) -> int:
        return self.steps_per_epoch * self.epochs

    def __str__(self) -> str:
        per = f"{self.pictures} pictures x {self.repeats} repeats: {self.steps_per_epoch} steps in an epoch"
        return f"{per}, {self.epochs} epochs, {self.steps} steps in all"


def calculate(form: Form, pictures: int, repeats: int) -> Calculated:
    """Steps per epoch, and epochs, as batches of one size would give; `plan` counts the buckets too. Steps are rounded to whole epochs."""
    per_epoch = max(1, -(-pictures * repeats // form.batch_size))
    epochs = form.how_many if form.unit == "epochs" else max(1, round(form.how_many / per_epoch))
    return Calculated(pictures, repeats, per_epoch, epochs)


def settings_of(form: Form) -> tuple[Settings, Calculated]:
    """Complete settings for the form's project, and its calculation. Raises InputError where pictures or base cannot be used."""
    start, _ = starting_point(form.dataset, Path(form.base), form.trigger or None, safe_stem(form.project))
    own = next(part for part in start.datasets if not part.is_reg)
    repeats = form.repeats or own.repeats or 1
    datasets = [
        part.model_copy(update={"flip_aug": form.flip_aug} | ({"repeats": repeats} if part is own else {})) for part in start.datasets
    ]
    calculated = calculate(form, len(open_folder(form.dataset, verify=False).pictures), repeats)
    given = {setting: value for name, setting in SETTING.items() if (value := getattr(form, name)) is not None}
    return with_changes(start.model_copy(update={"datasets": datasets}), given | {"training.epochs": calculated.epochs}), calculated


SETTING = {
    "resolution": "buckets.resolution", "shuffle_caption": "captions.shuffle_caption", "keep_tokens": "captions.keep_tokens",
    "batch_size": "training.batch_size", "unet_lr": "optimizer.unet_lr", "text_encoder_lr": "optimizer.text_encoder_lr",
    "lr_scheduler": "schedule.lr_scheduler", "min_snr_gamma": "loss.min_snr_gamma", "network": "network.kind", "rank": "network.rank",
    "alpha": "network.alpha",
}  # fmt: skip
"""Field of the form -> setting; a field that is None leaves it as it is."""
