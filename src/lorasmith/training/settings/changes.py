"""What may change in the settings of a run that has begun: its length, rates, schedule, samples, validation and what is kept.

    settings = with_changes(settings, {"training.epochs": 20, "optimizer.learning_rate": 1e-5})
    check_changes(changes_between(before, settings), ...)

The rest made the run what it is (its network, its pictures, its draws), and another value would need another run.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lorasmith.errors import SettingsError
from lorasmith.registry import nearest
from lorasmith.training.settings.tree import Settings, setting_names, settings_from

CHANGEABLE = frozenset(
    {
        "base.path", "base.vae", "base.text_encoder", "base.text_encoder_2", "base.text_encoder_3",  # another place: the hashes in the manifest must be the same
        "training.epochs", "training.max_train_steps", "training.device", "training.deterministic", "training.gradient_checkpointing", "training.blocks_to_swap",
        "training.memory", "training.offload_while_caching",
        "training.torch_compile", "training.cuda_graphs", "training.latents_in_memory", "training.max_grad_norm", "training.max_non_finite_steps",
        "optimizer.learning_rate", "optimizer.unet_lr", "optimizer.text_encoder_lr", "optimizer.text_encoder_2_lr",
        "validation.path", "validation.every_n_epochs", "validation.max_images", "validation.stop_when_over",  # other timesteps could not be compared with earlier rounds
        "cache",
    }
)  # fmt: skip
SHARING = ("training.num_processes", "training.gradient_accumulation_steps")
"""How the batches of a step are shared: may change together, as long as a step has as many of them."""
CHANGEABLE_SECTIONS = frozenset({"schedule", "samples", "checkpoints", "logging"})
PARTS = ("unet", "text_encoder", "text_encoder_2")


@dataclass(frozen=True)
class Change:
    """A setting that was changed, by its dotted name; the values are as JSON has them."""

    setting: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.setting} from {_said(self.before)} to {_said(self.after)}"

    @property
    def is_possible(self) -> bool:
        """Whether a run can go on with it."""
        return self.setting in CHANGEABLE or self.setting.partition(".")[0] in CHANGEABLE_SECTIONS


def changes_between(before: Settings, after: Settings) -> list[Change]:
    """Every setting that differs, in the order of the tree."""
    old, new = (dict(_leaves(settings.model_dump(mode="json"))) for settings in (before, after))
    values = [(name, old.get(name), new.get(name)) for name in dict.fromkeys((*old, *new))]
    return [Change(*each) for each in values if each[1] != each[2]]


def check_changes(before: Settings, after: Settings, run: str) -> list[Change]:
    """The changes between the settings of the run in the folder `run`, where all of them are possible.

    Raises:
        SettingsError: one is not (`run.cannot_change`); every one of them is named.
    """
    changes = changes_between(before, after)
    impossible = [change for change in changes if not change.is_possible]
    if batches_per_step(before) == batches_per_step(after):
        impossible = [change for change in impossible if change.setting not in SHARING]
    if impossible:
        raise _refusal(impossible, run, before)
    for part in PARTS:
        if (before.lr_of(part) > 0) != (after.lr_of(part) > 0):
            raise SettingsError(
                f"The run {run} has begun, and a learning rate of 0 would change what it trains ({part}). Keep it above 0 where it was, and at 0 "
                "where it was 0, or start a new run.",
                code="run.cannot_change", settings=[change.setting for change in changes if change.setting.startswith("optimizer.")],
            )  # fmt: skip
    return changes


def batches_per_step(settings: Settings) -> int:
    """How many batches a step takes, however many processes there are to share them."""
    return settings.training.num_processes * settings.training.gradient_accumulation_steps


def _refusal(changes: Sequence[Change], run: str, before: Settings) -> SettingsError:
    names = [change.setting for change in changes]
    shared = (
        f" ({SHARING[0]} and {SHARING[1]} can change together: their product, the batches of a step, stays {batches_per_step(before)}.)"
        if set(names) & set(SHARING)
        else ""
    )
    return SettingsError(
        f"The run {run} has begun, and some settings cannot change any more: {'; '.join(map(str, changes))}. Put "
        f"{'it' if len(names) == 1 else 'them'} back in {run}/settings.toml, or start a new run from its newest LoRA with "
        f"network.weights.{shared}",
        code="run.cannot_change", settings=names,
    )  # fmt: skip


def with_changes(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """The settings with other values, by dotted names; None takes a setting out.

    Raises:
        SettingsError: there is no such setting, or it does not take the value.
    """
    tree = settings.model_dump(mode="json", exclude_none=True)
    known = list(setting_names())
    for name, value in values.items():
        if name not in known:
            raise SettingsError(f"There is no setting {name!r}; {nearest(name, known)}", code="settings.unknown_key", setting=name)
        section, _, key = name.rpartition(".")
        if isinstance(tree.get(section), list):
            raise SettingsError(
                f"{name} is set for each of several {section}. Edit the settings file.", code="settings.value", setting=name
            )
        table = tree.setdefault(section, {}) if section else tree
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value
    return settings_from(tree)


def parse_changes(texts: Iterable[str]) -> dict[str, Any]:
    """Settings from `NAME=VALUE`, where the value is as in TOML; text needs no quotes, and an empty value takes a setting out.

    Raises:
        SettingsError: one has no `=`.
    """
    found = {}
    for text in texts:
        name, equals, value = (piece.strip() for piece in text.partition("="))
        if not equals or not name:
            raise SettingsError(f"{text!r} sets nothing. Write NAME=VALUE, such as training.epochs=20.", code="settings.value")
        found[name] = _toml_value(value)
    return found


def _toml_value(text: str) -> Any:
    if not text:
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _leaves(tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every setting by its dotted name; those of the second dataset are `datasets[1].path` and so on."""
    for name, section in tree.items():
        if name == "datasets":
            yield from ((f"{name}[{number}].{key}", value) for number, item in enumerate(section) for key, value in item.items())
        elif isinstance(section, dict):
            yield from ((f"{name}.{key}", value) for key, value in section.items())
        else:
            yield name, section


def _said(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)
