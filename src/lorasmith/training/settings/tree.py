"""The one tree of settings: what a run does, said once, complete and typed.

Unknown keys are errors that name the nearest known one. The sections that belong to other rooms are beside the code that they configure,
those of the run itself in `sections`. `checks` has the rules across fields, `toml` the file, `migrations` the files of earlier versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator

from lorasmith.adapters.settings import NetworkSettings
from lorasmith.datasets.settings import BucketSettings, CaptionSettings, DatasetSettings
from lorasmith.errors import SettingsError
from lorasmith.models.families import FAMILIES
from lorasmith.models.settings import BaseModelSettings
from lorasmith.registry import nearest
from lorasmith.sections import fields_of
from lorasmith.stores import Place, local, url_of
from lorasmith.training.objective.flow_settings import FlowSettings
from lorasmith.training.objective.loss_settings import LossSettings
from lorasmith.training.objective.noise_settings import NoiseSettings
from lorasmith.training.optim.optimizer_settings import OptimizerSettings
from lorasmith.training.optim.schedule_settings import ScheduleSettings
from lorasmith.training.settings.migrations import VERSION, migrate, present_name
from lorasmith.training.settings.sections import (
    CheckpointSettings,
    LoggingSettings,
    SampleSettings,
    Section,
    TrainingSettings,
    ValidationSettings,
)


class Settings(Section):
    """Everything that a run needs to know."""

    version: Literal[2] = Field(VERSION, description="Version of this file's form; files of earlier versions are read too.")
    name: str = Field("lora", description="Name of the LoRA; its files are called after it.")
    base: BaseModelSettings
    datasets: list[DatasetSettings] = Field(min_length=1, description="One or more folders of pictures.")
    buckets: BucketSettings = Field(default_factory=lambda: BucketSettings())
    captions: CaptionSettings = Field(default_factory=lambda: CaptionSettings())
    network: NetworkSettings = Field(default_factory=lambda: NetworkSettings())
    training: TrainingSettings = Field(default_factory=lambda: TrainingSettings())
    optimizer: OptimizerSettings = Field(default_factory=lambda: OptimizerSettings())
    schedule: ScheduleSettings = Field(default_factory=lambda: ScheduleSettings())
    noise: NoiseSettings = Field(default_factory=lambda: NoiseSettings())
    loss: LossSettings = Field(default_factory=lambda: LossSettings())
    flow: FlowSettings = Field(default_factory=lambda: FlowSettings())
    checkpoints: CheckpointSettings = Field(default_factory=lambda: CheckpointSettings())
    samples: SampleSettings = Field(default_factory=lambda: SampleSettings())
    validation: ValidationSettings = Field(default_factory=lambda: ValidationSettings())
    logging: LoggingSettings = Field(default_factory=lambda: LoggingSettings())
    cache: Path = Field(Path("cache"), description="Folder of cached latents and texts; shared by all runs, safe to delete.")

    @field_validator("name")
    @classmethod
    def _file_name(cls, value: str) -> str:
        bad = sorted({c for c in value if c in '/\\:*?"<>|' or ord(c) < 32})
        if bad or not value.strip(" ."):
            raise ValueError(f"cannot be a file name ({' '.join(bad) or 'it is empty'}); use letters, digits, - and _")
        return value

    @property
    def cache_folder(self) -> Path:
        """The folder of `cache` on this machine; of one in a store, that of its copy."""
        return local(self.cache)

    def cached_at(self, part: str) -> Place | None:
        """Where a part of the cache (`latents`, `texts`) is in a store; None where it is on this machine alone. Raises: see `Place.at`."""
        url = url_of(self.cache)
        return None if url is None else Place.at(f"{url}/{part}")

    @property
    def denoiser_lr(self) -> float:
        """Learning rate of the denoiser; 0 where it does not train."""
        own = self.optimizer.unet_lr
        return (self.optimizer.learning_rate if own is None else own) if self.network.train_unet else 0.0

    def lr_of(self, part: str, family: str | None = None) -> float:
        """Learning rate of a part of a base ("unet", "transformer", "text_encoder", "text_encoder_2"); 0 where it does not train.

        Further text encoders, and what else reads texts before the denoiser ("text_conditioner"), train as the first one does, unless their
        family leaves them alone; without a family, all do.
        """
        o, n = self.optimizer, self.network
        if not part.startswith("text_"):
            return self.denoiser_lr
        if not n.train_text_encoder:
            return 0.0
        if part == "text_encoder_2" and o.text_encoder_2_lr is not None:
            return o.text_encoder_2_lr
        if family is not None and part not in FAMILIES[family].defaults.trained_text_encoders:
            return 0.0
        return o.learning_rate if o.text_encoder_lr is None else o.text_encoder_lr


def settings_from(tree: Mapping[str, Any], source: str = "The settings") -> Settings:
    """Settings from nested dicts, also those of an earlier version; `source` names them in errors.

    Raises
    ------
    SettingsError
        A key is unknown, a value is out of range, or one is missing.

    Examples
    --------
    >>> settings = ls.settings_from({"base": {"path": "base"}, "datasets": [{"path": "my-set"}], "network": {"rank": 8}})
    >>> settings.network.rank
    8
    >>> ls.settings_from({"base": {"path": "base"}, "datasets": [{"path": "my-set"}], "network": {"rnak": 8}})
    Traceback (most recent call last):
    lorasmith.errors.SettingsError: ...
    """
    try:
        return Settings.model_validate(migrate(tree, source))
    except ValidationError as error:
        raise _refusal(error, source) from None


def setting_names() -> Iterator[str]:
    """Every setting's dotted name."""
    for name in Settings.model_fields:
        section = section_type(Settings, name)
        if section is None:
            yield name
        else:
            yield from (f"{name}.{inner}" for inner in fields_of(section))


def section_type(model: type[BaseModel], field: str) -> type[BaseModel] | None:
    """The model behind a field that is a section, or a list of sections."""
    annotation: Any = model.model_fields[field].annotation
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _refusal(error: ValidationError, source: str) -> SettingsError:
    """The first fault as one sentence, which names the setting and what to do."""
    fault = error.errors(include_url=False)[0]
    where = ".".join(
        str(part) for part in fault["loc"] if not (isinstance(part, str) and part[:1].isupper()) and part not in ("int", "float")
    )
    if fault["type"] == "extra_forbidden":
        return SettingsError(
            f"{source}: there is no setting {where!r}; {_ended(_instead(fault['loc']))}", code="settings.unknown_key", setting=where
        )
    if fault["type"] == "missing":
        return SettingsError(f"{source}: the setting {where!r} is missing. Add it.", code="settings.missing", setting=where)
    reason = fault["msg"].removeprefix("Value error, ").removeprefix("Input ").rstrip(".")
    return SettingsError(
        f"{source}: {where} = {fault['input']!r} {_ended(reason[0].lower() + reason[1:])}",
        code="settings.value",
        setting=where,
        value=fault["input"],
    )


def _ended(sentence: str) -> str:
    """With a full stop, unless it ends in one or in a question mark."""
    return sentence if sentence.endswith((".", "?")) else sentence + "."


def _instead(location: tuple[int | str, ...]) -> str:
    """What to write in place of an unknown key."""
    key = str(location[-1])
    if renamed := present_name(".".join(str(part) for part in location)):
        return f"it is called {renamed} today"
    known = _known_names(location[:-1])
    advice = nearest(key, known)
    elsewhere = [name for name in setting_names() if name.split(".")[-1] == key]
    return f"it belongs at {elsewhere[0]}" if elsewhere and not advice.startswith("did you mean") else advice


def _known_names(location: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in location:
        if isinstance(part, int) or part not in model.model_fields:
            continue
        model = section_type(model, part) or model
    return list(fields_of(model))
