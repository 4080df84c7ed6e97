"""What a grid can vary: each axis reads its values, and changes a cell to one of them.

    --x checkpoints                          all LoRA files of the run
    --y 0.5..1.0:0.1                         numbers alone are weights
    --x "sr: red hat, blue hat"              prompt search and replace, as in A1111: the first value is what is replaced
    --y "Seed: 1-10 (+3)"                    A1111's names and ranges

A new axis is a function that reads, one that changes a cell, and a line in `AXES`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lorasmith.errors import SettingsError
from lorasmith.evaluation.grid.subject import Cell, Checkpoint, Subject
from lorasmith.evaluation.grid.values import are_numbers, numbers, tokens
from lorasmith.evaluation.sampling.loras import LoraUse
from lorasmith.models.prompts.lines import read_line
from lorasmith.models.prompts.lora_tags import LoraTag, read_lora_tags
from lorasmith.models.prompts.request import PictureRequest
from lorasmith.models.samplers import SAMPLERS, sampler_key
from lorasmith.registry import nearest

AxisText = str | tuple[str, Sequence[Any]]
"""`weight=0.5..1.0:0.1`, or ("weight", [0.5, 1.0])."""


@dataclass(frozen=True)
class Value:
    """A value of an axis, with the words that label it."""

    value: Any
    label: str


Read = Callable[[list[str], Subject], list[Value]]
Apply = Callable[[Cell, Any], Cell]


@dataclass(frozen=True)
class Axis:
    """Something that a grid varies."""

    title: str
    read: Read
    apply: Apply
    also_called: tuple[str, ...] = ()
    """In A1111 and in short; in lower case."""
    all_of_run: bool = False
    """Whether it has values where none are given: all that the run has."""


@dataclass(frozen=True)
class Along:
    """An axis with its values: a side of a grid."""

    key: str
    values: tuple[Value, ...]

    @property
    def axis(self) -> Axis:
        return AXES[self.key]


# -- reading values -----------------------------------------------------------------------------------------------------------


def _numbers(kind: Callable[[str], Any], step: Any, least: float, label: str) -> Read:
    def read(said: list[str], subject: Subject) -> list[Value]:
        found = numbers(said, kind, step)
        if low := [each for each in found if each < least]:
            raise SettingsError(
                f"{low[0]:g} is too low: {least:g} is the least for {label.format('it')!r}.", code="grid.value", value=low[0]
            )
        return [Value(each, label.format(f"{each:g}" if isinstance(each, float) else each)) for each in found]

    return read


def _checkpoints(said: list[str], subject: Subject) -> list[Value]:
    """Epochs by their numbers and ranges, files by name, `last`; `base` is none."""
    if not said:
        chosen: list[Checkpoint | None] = list(subject.checkpoints)
    else:
        chosen = [each for one in said for each in _named_checkpoints(one, subject)]
    return [Value(None, "base") if each is None else Value(each.path, each.label) for each in chosen]


def _named_checkpoints(said: str, subject: Subject) -> list[Checkpoint | None]:
    if said.lower() in ("base", "none", "0"):
        return [None]
    if not are_numbers([said]):
        return [subject.checkpoint(said)]
    return [subject.checkpoint(f"epoch {epoch}") for epoch in numbers([said], int, 1)]


def _prompts(said: list[str], subject: Subject) -> list[Value]:
    lines = [read_line(one).request(subject.start.request) for one in said]
    return [Value(one, one.prompt or "an empty prompt") for one in lines or subject.prompts]


def _replacements(said: list[str], subject: Subject) -> list[Value]:
    """Pairs of what is replaced, which is the first value, and what by."""
    if not said[0]:
        raise SettingsError(
            "The first value of the axis prompt_sr is what is replaced, and it is empty. Begin with words that are in the prompt.",
            code="grid.value", value="",
        )  # fmt: skip
    return [Value((said[0], one), one or f"without {said[0]}") for one in said]


def _samplers(said: list[str], subject: Subject) -> list[Value]:
    return [Value(key, SAMPLERS[key].title) for key in map(sampler_key, said)]


def _sizes(said: list[str], subject: Subject) -> list[Value]:
    found = []
    for one in said:
        sides = re.fullmatch(r"\s*(\d+)\s*[x×*]\s*(\d+)\s*", one)
        if sides is None:
            raise SettingsError(f"{one!r} is not a size, such as 512x768.", code="grid.value", value=one)
        found.append(Value((int(sides[1]), int(sides[2])), f"{sides[1]}x{sides[2]}"))
    return found


def _bases(said: list[str], subject: Subject) -> list[Value]:
    return [Value(one, re.split(r"[/\\]", one.rstrip("/\\"))[-1]) for one in said]


# -- changing a cell ----------------------------------------------------------------------------------------------------------


def _set(field: str) -> Apply:
    return lambda cell, value: replace(cell, request=replace(cell.request, **{field: value}))


def _set_checkpoint(cell: Cell, path: Any) -> Cell:
    if path is None:
        return replace(cell, loras=cell.loras[1:])
    first = replace(cell.loras[0], path=path) if cell.loras else LoraUse(path)
    return replace(cell, loras=(first, *cell.loras[1:]))


def _set_weight(cell: Cell, weight: float) -> Cell:
    """Of the LoRA that is given, or of the first that the prompt calls; on the base alone it changes nothing."""
    if cell.loras:
        return replace(cell, loras=(LoraUse.of(cell.loras[0].path, weight), *cell.loras[1:]))
    tag = next(iter(read_lora_tags(cell.request.prompt)[1]), None)
    if tag is None:
        return cell
    changed = re.sub(r"(?i)<(?:lora|lyco):[^<>]+>", lambda _: str(LoraTag(tag.name, weight, weight)), cell.request.prompt, count=1)
    return replace(cell, request=replace(cell.request, prompt=changed))


def _replace(cell: Cell, pair: tuple[str, str]) -> Cell:
    searched, by = pair
    request = cell.request
    if searched not in request.prompt and searched not in request.negative_prompt:
        raise SettingsError(
            f"The prompt {request.prompt!r} has no {searched!r} to replace. Begin the values with words that are in the prompt.",
            code="grid.not_in_prompt", value=searched,
        )  # fmt: skip
    prompt, negative = (text.replace(searched, by) for text in (request.prompt, request.negative_prompt))
    return replace(cell, request=replace(request, prompt=prompt, negative_prompt=negative))


def _set_prompt(cell: Cell, request: PictureRequest) -> Cell:
    return replace(cell, request=request)


def _set_size(cell: Cell, size: tuple[int, int]) -> Cell:
    return replace(cell, request=replace(cell.request, width=size[0], height=size[1]))


AXES: dict[str, Axis] = {
    "base": Axis("Base", _bases, lambda cell, base: replace(cell, base=base), ("bases", "checkpoint name", "model")),
    "checkpoint": Axis("Checkpoint", _checkpoints, _set_checkpoint, ("checkpoints", "epoch", "epochs"), all_of_run=True),
    "prompt": Axis("Prompt", _prompts, _set_prompt, ("prompts",), all_of_run=True),
    "prompt_sr": Axis("Prompt S/R", _replacements, _replace, ("sr", "s/r", "prompt s/r", "search and replace")),
    "weight": Axis("Weight", _numbers(float, 0.1, float("-inf"), "weight {}"), _set_weight, ("weights", "strength", "strengths")),
    "seed": Axis("Seed", _numbers(int, 1, 0, "seed {}"), _set("seed"), ("seeds",)),
    "sampler": Axis("Sampler", _samplers, _set("sampler"), ("samplers",)),
    "steps": Axis("Steps", _numbers(int, 1, 1, "steps {}"), _set("steps"), ("step",)),
    "cfg_scale": Axis("CFG scale", _numbers(float, 1, 1, "CFG {}"), _set("cfg_scale"), ("cfg", "cfg scale")),
    "guidance": Axis("Guidance", _numbers(float, 0.5, 0, "guidance {}"), _set("guidance"), ("distilled cfg scale",)),
    "clip_skip": Axis("Clip skip", _numbers(int, 1, 1, "clip skip {}"), _set("clip_skip"), ("clip skip",)),
    "size": Axis("Size", _sizes, _set_size, ("sizes",)),
}
"""What users type -> the axis, in the order in which axes change a cell."""

_NAMED = re.compile(r"\s*([A-Za-z][\w /]*?)\s*(?:[=:]\s*(.*))?", re.DOTALL)


def read_axis(said: AxisText, subject: Subject) -> Along:
    """An axis with its values.

    Raises:
        SettingsError: the axis does not exist, or cannot take these values.
    """
    if isinstance(said, str):
        key, values = _key_and_values(said)
    else:
        key, values = _key(said[0]), [str(value) for value in said[1]]
    axis = AXES[key]
    if not values and not axis.all_of_run:
        raise SettingsError(f"The axis {key} has no values. Write {key}=VALUES.", code="grid.no_values", axis=key)
    found = axis.read(values, subject)
    if not found:
        raise SettingsError(f"The run has nothing for the axis {key}. Write {key}=VALUES.", code="grid.no_values", axis=key)
    return Along(key, _distinct(found))


def _distinct(values: Sequence[Value]) -> tuple[Value, ...]:
    """Each value once; those that differ and are called alike are numbered."""
    labels: dict[str, list[Any]] = {}
    distinct = []
    for one in values:
        alike = labels.setdefault(one.label, [])
        if one.value not in alike:
            alike.append(one.value)
            distinct.append(replace(one, label=f"{one.label} ({len(alike)})") if len(alike) > 1 else one)
    return tuple(distinct)


def _key_and_values(said: str) -> tuple[str, list[str]]:
    if are_numbers(tokens(said)):
        return "weight", tokens(said)
    named = _NAMED.fullmatch(said)
    if named is None:
        raise SettingsError(f"{said!r} names no axis. Write NAME=VALUES, such as seed=1..4.", code="grid.axis", value=said)
    return _key(named[1]), tokens(named[2] or "")


def _key(name: str) -> str:
    called = " ".join(name.lower().split())
    for key, axis in AXES.items():
        if called in (key, axis.title.lower(), *axis.also_called):
            return key
    raise SettingsError(f"There is no axis {name!r}: {nearest(called, AXES)}", code="grid.axis", value=name)


def cell_of(start: Cell, chosen: Iterable[tuple[str, Value]]) -> Cell:
    """The cell with these values, by their axes' keys."""
    values = list(chosen)
    for key, axis in AXES.items():
        for place, value in values:
            if place == key:
                start = axis.apply(start, value.value)
    return start
