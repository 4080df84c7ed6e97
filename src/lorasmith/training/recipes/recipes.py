"""Recipes: settings for a kind of LoRA on a family of base models, fitted to how many pictures there are.

Every value stands with its reason and its source, so that a person can see both and disagree. The sources are five guides
by people who train LoRAs (S0 to S4, see `GUIDES`), the papers, and our own measurements (docs/notebook.md).

A recipe of one's own is a TOML file that begins with one of these and changes what it likes:

    begin_with = "style/sdxl/standard"

    [settings]
    "network.rank" = 24

    [reasons]
    "network.rank" = "line art needs little"
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from lorasmith.errors import SettingsError

Kind = Literal["character", "style", "concept", "multi-concept"]
FamilyName = Literal["sd1", "sd2", "sdxl", "flux"]
Level = Literal["quick", "standard", "competition"]

GUIDES = {
    "S0": "SeaArt training, part 2",
    "S1": "crash course: LoRA and LyCORIS",
    "S2": "colab trainer, settings and testing",
    "S3": "bootcamp: parameters and control",
    "S4": "fundamentals, on-site trainer",
}


@dataclass(frozen=True)
class Choice:
    """One setting of a recipe."""

    setting: str
    """Its dotted name: network.rank."""
    value: Any
    reason: str
    source: str


@dataclass(frozen=True)
class Wanted:
    """What a recipe is asked for."""

    kind: Kind
    family: FamilyName
    level: Level
    images: int


Recipe = Callable[[Wanted], list[Choice]]


def recipe(kind: str, family: str, level: str, images: int) -> list[Choice]:
    """The choices for so many pictures, in the order of the settings file.

    Raises SettingsError where there is no such kind, family or level, or no picture.
    """
    for value, known, what in ((kind, get_args(Kind), "kind"), (family, get_args(FamilyName), "family"), (level, get_args(Level), "level")):
        if value not in known:
            near = difflib.get_close_matches(value, known, n=1)
            raise SettingsError(
                f"there is no recipe for the {what} {value!r}; {f'did you mean {near[0]!r}?' if near else 'one of ' + ', '.join(known)}"
            )
    if images < 1:
        raise SettingsError(f"a recipe for {images} pictures was asked for; give the number of pictures")
    wanted = Wanted(kind, family, level, images)  # type: ignore[arg-type]  # checked above
    found: list[Choice] = []
    for part in (_pictures, _captions, _network, _augmentation, _length, _memory, _optimizer, _loss, _keeping):
        found += part(wanted)
    return found


# -- the parts, in the order of the settings file ---------------------------------------------------------------------

_NATIVE = {"sd1": 512, "sd2": 768, "sdxl": 1024, "flux": 1024}


def _pictures(wanted: Wanted) -> list[Choice]:
    native = _NATIVE[wanted.family]
    resolution = {"quick": native if native == 512 else 768}.get(wanted.level, native)
    if wanted.family == "sd1" and wanted.level == "competition":
        resolution = 768
    reason = {
        True: "the size the base was made for",
        False: "smaller than the base's own size: faster, and enough to see whether the set is good"
        if resolution < native
        else "more detail than the base's own 512, which SD 1.5 still draws without doubling",
    }[resolution == native]
    return [
        Choice("buckets.resolution", resolution, reason, "S1-S4"),
        Choice("buckets.max_bucket_reso", 2 * resolution, "equal to the resolution it would take area from wide pictures", "measured"),
        Choice("buckets.bucket_reso_steps", 64, "what every consumer of the base was trained with", "S1, S3"),
    ]


def _captions(wanted: Wanted) -> list[Choice]:
    dropout = {"character": 0.0, "multi-concept": 0.0, "concept": 0.0, "style": 0.05}[wanted.kind]
    choices = [
        Choice("captions.keep_tokens", 2 if wanted.kind == "multi-concept" else 1,
               "the character's and the outfit's tag stay in front" if wanted.kind == "multi-concept" else "the trigger stays in front",
               "S1" if wanted.kind == "multi-concept" else "S0, S2-S4"),
        Choice("captions.shuffle_caption", True, "for captions of tags: no tag shall count more for standing first; off for sentences", "S0-S4"),
    ]  # fmt: skip
    if dropout:
        choices.append(Choice("captions.caption_dropout_rate", dropout, "a style should also be learnt without words", "S3"))
    return choices


def _network(wanted: Wanted) -> list[Choice]:
    rank, reason, source = {
        "character": (32, "a likeness with its details; 8 is enough where the base nearly knows it", "S1, S3"),
        "style": (64, "a look lies in many layers", "S3"),
        "concept": (32, "one thing, seen from all sides", "S3"),
        "multi-concept": (32, "several things share the file", "S1"),
    }[wanted.kind]
    if wanted.level == "quick":
        rank, reason = rank // 2, "half of the usual: small and quick, for a first look"
    choices = [Choice("network.rank", rank, reason, source)]
    alpha, why, where = _alpha(wanted, rank)
    choices.append(Choice("network.alpha", alpha, why, where))
    if wanted.kind == "style" or wanted.family == "flux":
        why = "a style needs no new words" if wanted.family != "flux" else "Flux's encoders are large and understand sentences"
        choices.append(
            Choice("network.train_text_encoder", False, why, "S3" if wanted.family != "flux" else "measured by others: most Flux LoRAs")
        )
    if wanted.level == "competition" and wanted.kind in ("character", "concept"):
        choices.append(Choice("network.dora", True, "the best quality from few pictures, for more computing", "S0"))
    return choices


def _alpha(wanted: Wanted, rank: int) -> tuple[float, str, str]:
    if _learning_rate_free(wanted):
        return 1.0, "an optimizer that finds its own rate makes up for a small alpha", "S1"
    return rank / 2, "half of the rank: strength grows calmly", "S0, S3"


def _passes(wanted: Wanted) -> tuple[int, str, str]:
    """How often each picture is shown in all."""
    if wanted.kind == "style":
        return {"quick": 20, "standard": 35, "competition": 40}[wanted.level], "30 to 40 passes per picture", "S1"
    return {"quick": 50, "standard": 100, "competition": 120}[wanted.level], "about 100 passes per picture", "S1"


_STEPS = {  # least and most steps at batch size 1 that the guides reach, by kind
    "character": (700, 3000, "S0, S3"), "style": (1500, 6000, "S3, S4"), "concept": (1250, 4000, "S3"), "multi-concept": (1500, 6000, "S1, S3"),
}  # fmt: skip


def _length(wanted: Wanted) -> list[Choice]:
    passes, reason, source = _passes(wanted)
    least, most, range_source = _STEPS[wanted.kind]
    if wanted.level == "quick":
        least, most = least // 2, most // 2
    showings = min(max(passes * wanted.images, least), most)
    fitted = showings / wanted.images
    epochs = min(20 if wanted.level == "competition" else 10, max(1, round(fitted)))
    repeats = max(1, round(fitted / epochs))
    batch = 1 if wanted.kind == "multi-concept" else 2
    steps = math.ceil(wanted.images * repeats / batch) * epochs
    if showings != passes * wanted.images:
        reason = f"{reason}, held within {least} to {most} showings"
        source = f"{source}, {range_source}"
    return [
        Choice("datasets.repeats", repeats, f"{reason}: {wanted.images} pictures x {repeats} x {epochs} epochs", source),
        Choice("training.epochs", epochs, "as many checkpoints to choose from; the last is not always the best", "S0-S3"),
        Choice("training.batch_size", batch,
               "one, so that no step mixes two things" if batch == 1 else f"two average each other's noise; {steps} steps in all",
               "S1" if batch == 1 else "S3"),
        Choice("training.mixed_precision", "bf16", "half the memory; the trained weights stay float32", "S1, S3"),
    ]  # fmt: skip


def _memory(wanted: Wanted) -> list[Choice]:
    kept = {"sdxl": "7 GB", "flux": "36 GB"}.get(wanted.family)
    if kept is None:
        return []
    reason = f"without it a step keeps about {kept} for each picture of 1024 pixels; a third more time"
    return [Choice("training.gradient_checkpointing", True, reason, "S1, measured (docs/guide/performance.md)")]


def _augmentation(wanted: Wanted) -> list[Choice]:
    if wanted.kind != "style":
        return []
    return [Choice("datasets.flip_aug", True, "mirrored pictures double the set, and a style has no left and right", "S1-S3")]


def _learning_rate_free(wanted: Wanted) -> bool:
    return wanted.level == "competition" and wanted.family != "flux"


def _optimizer(wanted: Wanted) -> list[Choice]:
    if _learning_rate_free(wanted):
        return [
            Choice("optimizer.type", "Prodigy", "finds the learning rate from the pictures", "S0, S1, S3, S4"),
            Choice("optimizer.learning_rate", 1.0, "what Prodigy expects", "S1, S3"),
            Choice("optimizer.args", {"weight_decay": 0.1, "betas": [0.9, 0.99]}, "as Prodigy's users set it for LoRAs", "S3"),
            Choice("schedule.lr_scheduler", "cosine", "a restart would upset the rate that Prodigy has found", "S1, S3"),
        ]
    rate = {"sd1": 1e-4, "sd2": 1e-4, "sdxl": 5e-5, "flux": 1e-4}[wanted.family]
    reason = {
        "sd1": "SD 1.5's usual rate",
        "sd2": "as SD 1.5",
        "sdxl": "half of SD 1.5's",
        "flux": "what Flux LoRAs are mostly trained with; lower it if colours burn",
    }
    if wanted.kind == "character" and wanted.family in ("sd1", "sd2"):
        rate, reason[wanted.family] = 1.5e-4, "between 1e-4 and 2e-4 for a character"
    if wanted.kind == "style" and wanted.family in ("sd1", "sd2"):
        rate, reason[wanted.family] = 8e-5, "safe for a style; 4e-4 is the aggressive end"
    choices = [
        Choice("optimizer.type", "AdamW", "well understood, and exact on every machine", "S0, S1, S3"),
        Choice("optimizer.unet_lr", rate, reason[wanted.family], "S3"),
    ]
    if wanted.kind != "style" and wanted.family != "flux":
        share = 5 if wanted.kind != "character" else 10
        choices.append(
            Choice(
                "optimizer.text_encoder_lr",
                float(f"{rate / share:.3g}"),
                f"a {'fifth' if share == 5 else 'tenth'} of the U-Net's, or tags bleed",
                "S2, S3",
            )
        )
    warmup = 0.1 if wanted.kind == "style" else 0.05
    return [
        *choices,
        Choice("schedule.lr_scheduler", "cosine_with_restarts", "the guides' usual for Adam", "S0-S4"),
        Choice("schedule.lr_scheduler_num_cycles", 3 if wanted.level == "competition" else 1, "1 to 3", "S0-S4"),
        Choice("schedule.lr_warmup_steps", warmup, "5 % of the steps; 10 % for a style", "S3"),
    ]


def _loss(wanted: Wanted) -> list[Choice]:
    if wanted.family == "flux":
        return [Choice("loss.min_snr_gamma", 0.0, "a flow model weights by how timesteps are drawn", "measured: it has no effect")]
    gamma = 5.0
    return [Choice("loss.min_snr_gamma", gamma, "keeps easy timesteps from ruling the loss; 5 is usual, 7 to 10 for photographs", "S0-S4")]


def _keeping(wanted: Wanted) -> list[Choice]:
    return [
        Choice("checkpoints.save_every_n_epochs", 1, "every epoch is a candidate", "S1-S3"),
        Choice("checkpoints.save_precision", "bf16" if wanted.family == "flux" else "fp16", "half the size, read everywhere", "S1, S3"),
    ]


# -- settings from choices, and recipes of one's own ------------------------------------------------------------------


def settings_tree(choices: list[Choice]) -> dict[str, Any]:
    """The choices as nested sections; those of `datasets` apply to each of its folders, and come under "datasets"."""
    tree: dict[str, Any] = {}
    for choice in choices:
        section, _, name = choice.setting.partition(".")
        tree.setdefault(section, {})[name] = choice.value
    return tree


def own_recipe(path: Path, images: int) -> list[Choice]:
    """The choices of a recipe file for so many pictures; what it changes has the file as its source.

    Raises SettingsError where the file cannot be read, begins with nothing known, or sets what there is not.
    """
    from lorasmith.training.settings.tree import setting_names

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"the recipe {path} cannot be opened ({error.strerror}); check its name") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the recipe {path} is no valid TOML ({error}); mend that line") from error
    if odd := sorted(content.keys() - {"begin_with", "settings", "reasons"}):
        raise SettingsError(f"the recipe {path} has {odd[0]!r}; it may have begin_with, [settings] and [reasons]")
    try:
        kind, family, level = str(content.get("begin_with", "")).split("/")
    except ValueError:
        raise SettingsError(f'the recipe {path} must begin with another one; write begin_with = "style/sdxl/standard"') from None
    choices = {choice.setting: choice for choice in recipe(kind, family, level, images)}
    reasons: Mapping[str, str] = content.get("reasons", {})
    known = set(setting_names())
    for name, value in _dotted(content.get("settings", {})).items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise SettingsError(
                f"the recipe {path} sets {name!r}, which there is not; {f'did you mean {near[0]!r}?' if near else '`lorasmith new` writes a file with every setting'}"
            )
        made = Choice(name, value, reasons.get(name, "yours"), path.name)
        choices[name] = replace(choices[name], value=value, reason=made.reason, source=made.source) if name in choices else made
    if strange := sorted(reasons.keys() - choices.keys()):
        raise SettingsError(f"the recipe {path} gives a reason for {strange[0]!r}, which it does not set; remove one or add the other")
    return list(choices.values())


def _dotted(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as dotted names, but optimizer.args, which is one setting."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and name != "optimizer.args":
            flat |= _dotted(value, f"{name}.")
        else:
            flat[name] = value
    return flat
