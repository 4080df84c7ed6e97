"""What the catalogue knows of a LoRA file: from its header and from the files beside it, without its numbers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lorasmith.json_text import table_of
from lorasmith.library.catalogue.heads import Head
from lorasmith.library.catalogue.sidecars import SIDES, read_sidecars, words_in

NUMBERED = re.compile(r"[-_](?:(?P<unit>step|epoch|ep|e)[-_]?(?P<some>\d+)|(?P<many>\d{4,}))$", re.IGNORECASE)
"""How trainers number the checkpoints of one training: `-000004`, `-step00000176`, `_000001000`, `-e4`."""
NOTHING_HASHED = hashlib.sha256().hexdigest()
"""What some trainers wrote as the hash of the tensors, whatever they were."""


MOST_DIGITS = 18
"""Of an epoch or a step; a longer number is none."""


@dataclass(frozen=True)
class Facts:
    """What is known of a file; texts are empty and numbers None where nothing is said."""

    family: str
    kinds: tuple[str, ...]
    ranks: tuple[int, ...]
    base: str
    """The base model's name."""
    title: str
    description: str
    triggers: tuple[str, ...]
    tags: tuple[str, ...]
    trained: str
    """The day on which its training ended, as ISO 8601."""
    epoch: int | None
    step: int | None
    training: str
    """The same for all checkpoints of one training; "" where nothing says which it was."""
    layout: str
    """A hash of the names, types and shapes of its tensors."""
    claimed: str
    """The hash of its tensors by its own word (`sshs_model_hash`)."""
    notes: tuple[str, ...]

    def as_json(self) -> str:
        return json.dumps(vars(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Facts:
        tree: dict[str, Any] = json.loads(text)
        lists = {name: tuple(value) for name, value in tree.items() if isinstance(value, list)}
        return cls(**tree | lists)


def facts_of(path: Path, head: Head, sides: Collection[str] = SIDES) -> Facts:
    """What a file's header and the files beside it say; `sides` are the ends of those that are there."""
    network, said, beside = head.network, head.metadata, read_sidecars(path, sides)
    unit, number = _number_in(path.stem)
    return Facts(
        network.family, network.kinds, network.ranks,
        base=_said(said, "ss_sd_model_name") or beside.base,
        title=beside.title or _said(said, "modelspec.title") or _said(said, "ssmd_display_name"),
        description="\n".join(
            filter(None, (beside.description, *(_said(said, key) for key in ("modelspec.description", "ssmd_description", "ss_training_comment"))))
        ),
        triggers=_triggers(said, beside.triggers),
        tags=tuple(dict.fromkeys((*beside.tags, *(word for key in ("modelspec.tags", "ssmd_tags") for word in words_in(_said(said, key)))))),
        trained=_day(said),
        epoch=_whole(said, "ss_epoch") or (number if unit != "step" else None),
        step=_whole(said, "ss_steps") or (number if unit == "step" else None),
        training=_training(path, said, network.layout, number),
        layout=network.layout,
        claimed=_claimed(said),
        notes=beside.notes,
    )  # fmt: skip


def without_number(stem: str) -> str:
    """A checkpoint's name without its number: the name of its training."""
    return NUMBERED.sub("", stem)


def _number_in(stem: str) -> tuple[str, int | None]:
    """(epoch or step, the number) in the name of a checkpoint."""
    found = NUMBERED.search(stem)
    if found is None:
        return "", None
    return ("step" if (found["unit"] or "").lower() == "step" else "epoch"), int(found["some"] or found["many"])


def _said(metadata: Mapping[str, str], key: str) -> str:
    """An entry of the metadata; kohya writes None where there is nothing to say."""
    value = metadata.get(key, "").strip()
    return "" if value == "None" else value


def _whole(metadata: Mapping[str, str], key: str) -> int | None:
    value = _said(metadata, key)
    return int(value) if value.isdecimal() and len(value) <= MOST_DIGITS else None


def _triggers(metadata: Mapping[str, str], beside: tuple[str, ...]) -> tuple[str, ...]:
    """What the file or its sidecars say; else the names of kohya's folders (`10_zorvex`), which are the trigger by custom."""
    triggers = (*beside, *(word for key in ("modelspec.trigger_phrase", "ssmd_keywords") for word in words_in(_said(metadata, key))))
    if triggers:
        return tuple(dict.fromkeys(triggers))
    folders = table_of(metadata.get("ss_dataset_dirs", "")) or table_of(metadata.get("ss_tag_frequency", ""))
    trained = folders.keys() - table_of(metadata.get("ss_reg_dataset_dirs", "")).keys()
    names = (re.fullmatch(r"\d+_(.+)", folder) for folder in sorted(trained))
    return tuple(dict.fromkeys(word for found in names if found for word in words_in(found[1])))


def _day(metadata: Mapping[str, str]) -> str:
    for key in ("ss_training_finished_at", "ss_training_started_at"):
        try:
            return datetime.fromtimestamp(float(_said(metadata, key)), UTC).date().isoformat()
        except (ValueError, OverflowError, OSError):
            continue
    date = _said(metadata, "modelspec.date")[:10]
    return date if re.fullmatch(r"\d{4}-\d{2}-\d{2}", date) else ""


def _claimed(metadata: Mapping[str, str]) -> str:
    digits = _said(metadata, "sshs_model_hash").lower()
    return digits if re.fullmatch("[0-9a-f]{64}", digits) and digits != NOTHING_HASHED else ""


def _training(path: Path, metadata: Mapping[str, str], layout: str, number: int | None) -> str:
    """By what the trainers write of a training; where they write nothing, by a number in the name."""
    session = next(filter(None, (_said(metadata, key) for key in ("ss_session_id", "ss_training_started_at"))), "")
    if not session and "lorasmith_settings" in metadata:  # no time and no session, so that same inputs give the same bytes
        session = " ".join(metadata.get(key, "") for key in ("lorasmith_settings", "ss_seed", "ss_new_sd_model_hash", "ss_tag_frequency"))
    if session:
        told = f"{_said(metadata, 'ss_output_name')} {session}"
    elif number is not None:
        told = str(path.with_name(without_number(path.stem)))
    else:
        return ""
    return hashlib.sha256(f"{told} {layout}".encode()).hexdigest()[:16]
