"""A sentence that can be said in other languages: its code, its values, and the English that is made of the two.

Rooms write their sentences once, as functions from values to English, each under its code:

    SENTENCES = {"verdict.use": lambda checkpoint: f"Use {named(checkpoint)}."}
    Sentence.of(SENTENCES, "verdict.use", checkpoint={"epoch": 7})

Values are plain data, so that they travel as JSON. What has a name of its own in each language is an object of one key, which says what it
is: `{"epoch": 7}`, `{"step": 120}`, `{"file": "a.safetensors"}`, `{"trial": 3}`. Sentences may be values, too. A page that has the
sentence in its reader's language makes it from code and values; one that does not shows the English.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Named = Mapping[str, Any]
"""An object of one key that says what it names."""


@dataclass(frozen=True)
class Sentence:
    """A sentence in English, with what it was made of."""

    code: str
    """`room.sentence`, such as `verdict.use`; the same in all versions."""
    values: Mapping[str, Any] = field(default_factory=dict)
    english: str = ""

    def __str__(self) -> str:
        return self.english

    @classmethod
    def of(cls, sentences: Mapping[str, Callable[..., str]], code: str, **values: Any) -> Sentence:
        """The sentence of a code with its values; a value may be a sentence."""
        plain = {name: _plain(value) for name, value in values.items()}
        return cls(code, plain, sentences[code](**values))

    @classmethod
    def from_data(cls, data: Mapping[str, Any], english: str) -> Sentence:
        """The sentence that `as_data` wrote, beside its English; raises KeyError or TypeError where it is not one."""
        return cls(data["code"], dict(data["values"]), english)

    @property
    def as_data(self) -> dict[str, Any]:
        """Code and values, for JSON."""
        return {"code": self.code, "values": dict(self.values)}


def _plain(value: Any) -> Any:
    """As JSON has it, which knows no infinity."""
    match value:
        case Sentence():
            return {"sentence": value.as_data}
        case list() | tuple():
            return [_plain(one) for one in value]
        case float() if not math.isfinite(value):
            return None
    return value


def named(one: Named) -> str:
    """epoch 7; step 120; trial 3; the name of a file."""
    ((kind, name),) = one.items()
    return str(name) if kind == "file" else f"{kind} {name}"


def listed(names: Sequence[Named]) -> str:
    """epochs 6 and 8; epoch 6, step 120 and epoch 8."""
    kinds = {kind for one in names for kind in one}
    if len(names) > 1 and len(kinds) == 1 and "file" not in kinds:
        kind = kinds.pop()
        return f"{kind}s {in_a_row([str(one[kind]) for one in names])}"
    return in_a_row([named(one) for one in names])


def in_a_row(words: Sequence[str]) -> str:
    """6, 7 and 8."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def at_the_start(names: str) -> str:
    """Names as the beginning of a sentence; those of files stay as they are."""
    return names[0].upper() + names[1:] if names.startswith(("epoch", "step", "trial", "the ")) else names
