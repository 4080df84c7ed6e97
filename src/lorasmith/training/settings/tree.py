"""The one tree of settings: what a run does, said once, complete and typed.

A settings file is TOML. Unknown keys are errors that name the nearest known one; a setting that has no effect beside
another is an error or a warning, never silence. The parts that other rooms own stand beside the code they configure.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from lorasmith.adapters.settings import NetworkSettings, check_network
from lorasmith.captions.variants import check_variants
from lorasmith.datasets.settings import BucketSettings, CaptionSettings, DatasetSettings, check_datasets
from lorasmith.errors import SettingsError
from lorasmith.models.settings import BaseModelSettings
from lorasmith.training.listeners.logging_settings import LoggingSettings
from lorasmith.training.objective.flow_settings import FlowSettings
from lorasmith.training.objective.loss_settings import LossSettings, check_loss, check_loss_fits
from lorasmith.training.objective.noise_settings import NoiseSettings, check_noise, check_noise_fits
from lorasmith.training.optim.optimizers import OPTIMIZERS, kind_of
from lorasmith.training.optim.parameter_groups import check_rates
from lorasmith.training.validation.validation_settings import ValidationSettings

VERSION: Literal[1] = 1


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TrainingSettings(_Section):
    """How long and how much at once."""

    epochs: int | None = Field(None, ge=1, description="Passes over the dataset; give this or max_train_steps.")
    max_train_steps: int | None = Field(None, ge=1, description="Optimizer steps in all; give this or epochs.")
    batch_size: int = Field(1, ge=1, le=1024, description="Pictures per step; 1-4 is usual.")
    gradient_accumulation_steps: int = Field(1, ge=1, le=1024, description="Batches that are summed up into one step.")
    num_processes: int = Field(
        1, ge=1, le=1024, description="Processes that train together, one on each GPU; a step takes so many times the batches."
    )
    balance_reg: bool = Field(
        True,
        description="Regularisation pictures are shown as often as the pictures to learn: repeated where they are too few, left out where too many. "
        "Off: each exactly as often as its repeats say.",
    )
    mixed_precision: Literal["no", "bf16", "fp16"] = Field(
        "no", description="What the frozen base is held and computed in: float32, bfloat16, or float16 for cards before the RTX 30 series."
    )
    weight_dtype: Literal["fp32", "bf16"] = Field(
        "fp32", description="What the trained weights are held in. bf16 is rounded at random, so that small steps still add up."
    )
    gradient_checkpointing: bool = Field(
        False, description="Computes the base again for the gradient instead of keeping it: far less memory, about a third more time."
    )
    latents_in_memory: bool = Field(
        True, description="Off: latents are read from the cache's folder as they are shown, for sets of many thousand pictures."
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto takes an NVIDIA GPU where there is one, else the CPU.")
    deterministic: bool = Field(
        False, description="On a GPU: kernels that give the same bytes each time, so that resuming is exact; slower. A CPU's always do."
    )
    seed: int = Field(42, ge=0, description="The same seed, settings and data give the same LoRA.")
    max_grad_norm: float = Field(1.0, ge=0, description="Gradients longer than this are shortened to it; 0 is off.")
    ema_decay: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="An average of the weights is kept and saved beside, as NAME-ema; 0.99 looks back over 100 steps. Empty: none.",
    )
    max_non_finite_steps: int = Field(
        5, ge=1, description="A step whose loss is no finite number changes nothing; after so many in a row the run ends with advice."
    )


class OptimizerSettings(_Section):
    """Which optimizer, and how fast it learns."""

    type: str = Field(
        "AdamW",
        description=f"{', '.join(OPTIMIZERS)}, or a dotted path such as torch.optim.RAdam. Prodigy and DAdapt* find their own rate: learning_rate 1.",
    )
    learning_rate: float = Field(1e-4, gt=0, le=10, description="For all parts that have none of their own.")
    unet_lr: float | None = Field(None, ge=0, description="Learning rate of the U-Net. Empty: learning_rate.")
    text_encoder_lr: float | None = Field(None, ge=0, description="Learning rate of the text encoder; a half to a tenth of the U-Net's.")
    text_encoder_2_lr: float | None = Field(
        None, ge=0, description="Learning rate of the second text encoder. Empty: SDXL as the first; Flux (T5) not trained."
    )
    loraplus_lr_ratio: float | None = Field(
        None, gt=0, le=1000, description="LoRA+: the matrices on the output's side learn so many times faster; 4-16. Empty: as fast."
    )
    loraplus_unet_lr_ratio: float | None = Field(None, gt=0, le=1000, description="The same for the U-Net. Empty: loraplus_lr_ratio.")
    loraplus_text_encoder_lr_ratio: float | None = Field(
        None, gt=0, le=1000, description="The same for the text encoders. Empty: loraplus_lr_ratio."
    )
    args: dict[str, bool | int | float | str | list[float]] = Field(
        default_factory=dict, description="More arguments, such as weight_decay or betas."
    )


class ScheduleSettings(_Section):
    """How the learning rate moves over the run."""

    lr_scheduler: Literal[
        "constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial", "rex", "warmup_stable_decay"
    ] = Field("cosine_with_restarts", description="Shape of the learning rate over the steps.")
    lr_warmup_steps: int | float = Field(0, ge=0, description="Steps of rise at the start; under 1 a share of all steps.")
    lr_scheduler_num_cycles: int | None = Field(None, ge=1, le=100, description="Cycles of cosine_with_restarts. Empty: 1.")
    lr_scheduler_power: float | None = Field(None, gt=0, le=10, description="Power of polynomial: 2 falls early, 0.5 late. Empty: 1.")
    lr_decay_steps: int | float | None = Field(
        None, gt=0, description="Steps of fall at the end of warmup_stable_decay; under 1 a share of all steps."
    )
    lr_scheduler_min_lr_ratio: float | None = Field(
        None, ge=0, lt=1, description="Where the schedule ends, as a share of the learning rate. Empty: 0."
    )


class CheckpointSettings(_Section):
    """What is kept."""

    save_every_n_epochs: int = Field(
        1, ge=0, description="A LoRA file is written after so many epochs, and at the end; 0: only at the end."
    )
    save_every_n_steps: int | None = Field(
        None, ge=1, description="A LoRA file is written after so many steps, too. Empty: by epochs alone."
    )
    save_precision: Literal["fp32", "fp16", "bf16"] = Field("fp16", description="Number type in the LoRA files.")
    save_state_every_seconds: float = Field(300, gt=0, description="A killed run loses at most about so much time.")


class SampleSettings(_Section):
    """Pictures drawn while training, to watch it learn."""

    prompts: list[str] = Field(default_factory=list, description="One picture each; {trigger} stands for the trigger word.")
    every_n_epochs: int = Field(1, ge=1, description="Sample after so many epochs; the untouched base is sampled first.")
    every_n_steps: int | None = Field(None, ge=1, description="Sample after so many steps, too. Empty: by epochs alone.")
    width: int | None = Field(None, ge=8, description="In pixels. Empty: the base's native size.")
    height: int | None = Field(None, ge=8, description="In pixels. Empty: the base's native size.")
    steps: int | None = Field(None, ge=1, le=1000, description="Denoising steps of a picture. Empty: as usual for the base.")
    cfg_scale: float | None = Field(None, ge=1, description="Guidance: how closely the prompt is followed. Empty: as usual for the base.")
    negative_prompt: str = Field("", description="What should not be seen.")
    seed: int = Field(1, ge=0, description="Prompt k uses seed + k, the same in every epoch.")


class Settings(_Section):
    """Everything a run needs to know."""

    version: Literal[1] = Field(VERSION, description="Version of this file's form.")
    name: str = Field("lora", description="Name of the LoRA; files are called after it.")
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
    cache: Path = Field(Path("cache"), description="Folder of cached latents; shared by all runs, safe to delete.")

    @field_validator("name")
    @classmethod
    def _file_name(cls, value: str) -> str:
        bad = sorted({c for c in value if c in '/\\:*?"<>|' or ord(c) < 32})
        if bad or not value.strip(" ."):
            raise ValueError(f"cannot be a file name ({' '.join(bad) or 'it is empty'}); use letters, digits, - and _")
        return value

    def lr_of(self, part: str, family: str = "sd1") -> float:
        """Learning rate of a part of a base ("unet", "transformer", "text_encoder", "text_encoder_2"); 0 where it does not train."""
        o, n = self.optimizer, self.network
        if part in ("unet", "transformer"):
            return (o.learning_rate if o.unet_lr is None else o.unet_lr) if n.train_unet else 0.0
        if not n.train_text_encoder:
            return 0.0
        if part == "text_encoder_2" and o.text_encoder_2_lr is not None:
            return o.text_encoder_2_lr
        if part == "text_encoder_2" and family == "flux":
            return 0.0
        return o.learning_rate if o.text_encoder_lr is None else o.text_encoder_lr


# -- rules across fields ----------------------------------------------------------------------------------------------


def check_together(settings: Settings) -> list[str]:
    """Warnings about settings that do little together; raises SettingsError where they contradict each other."""
    t, o, s, c = settings.training, settings.optimizer, settings.schedule, settings.captions
    if (t.epochs is None) == (t.max_train_steps is None):
        found = "both are" if t.epochs is not None else "neither is"
        raise SettingsError(f"training.epochs and training.max_train_steps: {found} given; give one of them")
    if settings.lr_of("unet") == 0 and settings.lr_of("text_encoder") == 0:
        raise SettingsError(
            "nothing would train: network.train_unet and network.train_text_encoder are off or have learning rate 0; switch one on"
        )
    _check_schedule(s)
    datasets = settings.datasets
    check_loss(settings.loss, regularisation=any(d.is_reg for d in datasets), masks=any(d.masks for d in datasets), trigger=c.trigger)
    check_network(settings.network)
    check_rates(settings)
    trains_texts = settings.lr_of("text_encoder") > 0 or bool(o.text_encoder_2_lr)
    texts_warned = check_variants(c.rules, c.cached_variants, trains_texts)
    check_datasets(settings.datasets)
    if not settings.network.train_text_encoder and o.text_encoder_lr:
        raise SettingsError("optimizer.text_encoder_lr has no effect while network.train_text_encoder is off; remove it or switch that on")
    if not settings.network.train_unet and o.unet_lr:
        raise SettingsError("optimizer.unet_lr has no effect while network.train_unet is off; remove it or switch that on")
    if not settings.samples.prompts:
        given = sorted(settings.samples.model_fields_set - {"prompts"})
        if given and settings.samples != SampleSettings():
            raise SettingsError(f"samples.{given[0]} has no effect without samples.prompts; add a prompt or remove it")
    warnings = texts_warned + check_noise(settings.noise, settings.base.zero_terminal_snr)
    optimizer = kind_of(o.type)
    if optimizer.learning_rate_free and len({lr for part in ("unet", "text_encoder") if (lr := settings.lr_of(part))}) > 1:
        raise SettingsError(f"optimizer.unet_lr and optimizer.text_encoder_lr differ, but {o.type} finds one rate for all; make them equal")
    if optimizer.averages and s.lr_scheduler not in ("constant", "constant_with_warmup"):
        raise SettingsError(
            f"optimizer.type {o.type!r} needs no schedule and is harmed by {s.lr_scheduler!r}; set schedule.lr_scheduler to 'constant'"
        )
    if t.deterministic and t.device == "cpu":
        warnings.append("training.deterministic is for GPUs and has no effect with training.device 'cpu', where runs are exact as they are")
    if optimizer.averages and t.ema_decay is not None:
        raise SettingsError(f"training.ema_decay averages weights that optimizer.type {o.type!r} averages already; remove it")
    moving = c.shuffle_caption or c.caption_tag_dropout_rate or c.token_warmup_step
    if c.keep_tokens and not moving:
        warnings.append("captions.keep_tokens has no effect while captions.shuffle_caption is off")
    if c.keep_tokens > 1 and c.keep_tokens_separator:
        warnings.append("captions.keep_tokens counts only in captions without captions.keep_tokens_separator; there the separator decides")
    if c.token_warmup_min != 1 and not c.token_warmup_step:
        raise SettingsError("captions.token_warmup_min has no effect without captions.token_warmup_step; set that or remove it")
    if c.trigger is None and any("{trigger}" in p for p in settings.samples.prompts):
        raise SettingsError("samples.prompts uses {trigger}, but captions.trigger is not set; set it or write the word")
    return warnings


# What each schedule alone understands, and which ones have nothing to do with a warm-up or a floor.
_ONLY_WITH = {
    "lr_scheduler_num_cycles": ("cosine_with_restarts",),
    "lr_scheduler_power": ("polynomial",),
    "lr_decay_steps": ("warmup_stable_decay",),
    "lr_scheduler_min_lr_ratio": ("linear", "cosine", "cosine_with_restarts", "polynomial", "rex", "warmup_stable_decay"),
}


def _check_schedule(schedule: ScheduleSettings) -> None:
    """Raises SettingsError where a setting of the schedule has no effect."""
    for field, kinds in _ONLY_WITH.items():
        if getattr(schedule, field) is not None and schedule.lr_scheduler not in kinds:
            raise SettingsError(
                f"schedule.{field} has no effect with lr_scheduler {schedule.lr_scheduler!r}; remove it or use {' or '.join(kinds)}"
            )
    if schedule.lr_scheduler == "warmup_stable_decay" and not schedule.lr_decay_steps:
        raise SettingsError("lr_scheduler 'warmup_stable_decay' needs schedule.lr_decay_steps; 0.2 (the last fifth) is usual")
    if schedule.lr_scheduler == "constant" and schedule.lr_warmup_steps:
        raise SettingsError("schedule.lr_warmup_steps has no effect with lr_scheduler 'constant'; use constant_with_warmup")
    for field in ("lr_warmup_steps", "lr_decay_steps"):
        value = getattr(schedule, field) or 0
        if value >= 1 and value != int(value):
            raise SettingsError(f"schedule.{field} is neither a whole number of steps nor a share under 1; round it")


def check_fits_base(settings: Settings, prediction_type: str, zero_terminal_snr: bool = False) -> None:
    """Raises SettingsError where a setting is not for a base that predicts this (epsilon, v_prediction or flow) and was trained so."""
    check_noise_fits(settings.noise, prediction_type, zero_terminal_snr)
    check_loss_fits(settings.loss, prediction_type)
    if prediction_type != "flow" and settings.flow != FlowSettings():
        given = next(name for name in FlowSettings.model_fields if getattr(settings.flow, name) != getattr(FlowSettings(), name))
        raise SettingsError(f"flow.{given} is for flow models (Flux), and this base predicts {prediction_type}; remove it")


# -- files ------------------------------------------------------------------------------------------------------------


def load_settings(path: Path) -> Settings:
    """Settings from a TOML file; relative paths in it are meant from where the command runs."""
    if not path.is_file():
        raise SettingsError(f"the settings file {path} does not exist; give a TOML file")
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {path} is no valid TOML ({error}); mend that line") from error
    return settings_from(tree, str(path))


def settings_from(tree: Mapping[str, Any], source: str = "the settings") -> Settings:
    """Settings from nested dicts; `source` names them in errors."""
    try:
        return Settings.model_validate(dict(tree))
    except ValidationError as error:
        raise SettingsError(_sentence(error, source)) from None


def _sentence(error: ValidationError, source: str) -> str:
    """The first fault as one sentence."""
    fault = error.errors(include_url=False)[0]
    where = ".".join(
        str(part) for part in fault["loc"] if not (isinstance(part, str) and part[:1].isupper()) and part not in ("int", "float")
    )
    if fault["type"] == "extra_forbidden":
        key = str(fault["loc"][-1])
        known = _known_names(fault["loc"][:-1])
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        elsewhere = [name for name in setting_names() if name.split(".")[-1] == key]
        hint = f"did you mean {near[0]!r}?" if near else f"it belongs at {elsewhere[0]}" if elsewhere else f"known here: {', '.join(known)}"
        return f"{source}: there is no setting {where!r}; {hint}"
    if fault["type"] == "missing":
        return f"{source}: the setting {where!r} is missing; add it"
    reason = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{source}: {where} = {fault['input']!r} {reason[0].lower() + reason[1:]}"


def _known_names(location: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in location:
        if isinstance(part, int) or part not in model.model_fields:
            continue
        model = _section_type(model, part) or model
    return list(model.model_fields)


def _section_type(model: type[BaseModel], field: str) -> type[BaseModel] | None:
    """The model behind a field that is a section, or a list of sections."""
    annotation: Any = model.model_fields[field].annotation
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def setting_names() -> Iterator[str]:
    """Every setting's dotted name."""
    for name in Settings.model_fields:
        section = _section_type(Settings, name)
        if section is None:
            yield name
        else:
            yield from (f"{name}.{inner}" for inner in section.model_fields)


def settings_toml(settings: Settings) -> str:
    """The complete settings as TOML, each with its description as a comment; values that are empty stand commented out."""
    document = tomlkit.document()
    sections = []
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            sections.append((name, value))
        elif isinstance(value, list):
            sections.extend((name, item) for item in value)
        else:
            document.add(tomlkit.comment(str(Settings.model_fields[name].description)))
            document.add(name, _plain(value))
    tables: dict[str, Any] = {}
    for name, section in sections:
        table = tomlkit.table()
        for field, info in type(section).model_fields.items():
            table.add(tomlkit.comment(str(info.description)))
            value = getattr(section, field)
            if value is None:
                table.add(tomlkit.comment(f"{field} ="))
            else:
                table.add(field, _plain(value))
        if name == "datasets":
            tables.setdefault(name, tomlkit.aot()).append(table)
        else:
            tables[name] = table
    for name, table in tables.items():
        document.add(tomlkit.nl())
        document.add(name, table)
    return tomlkit.dumps(document)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(exclude_none=True))
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, dict):
        table = tomlkit.inline_table()
        table.update(value)
        return table
    return value
