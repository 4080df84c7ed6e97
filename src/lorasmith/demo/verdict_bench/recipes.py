"""The kinds of runs that the verdict is judged on: sound ones, and each way in which people's runs go wrong.

Half of the kinds are for setting thresholds, the others are kept apart for testing them; both halves have each way to go wrong, but never
in the same form. Of each kind two LoRAs are trained a seed, of two things of the demo world; another seed has other things, other pictures
and another order of training.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from lorasmith.demo.scenes import THINGS

Words = Literal["full", "trigger alone", "place not said"]
"""What captions say: all but what the trigger is to absorb; nothing but the trigger; not where the subject is and how it stands."""


@dataclass(frozen=True)
class RunKind:
    """How runs of one kind are trained. `company` is what all of the training images have in common beside the subject."""

    name: str
    kept_apart: bool
    subjects: tuple[str, str]
    pictures: int
    unet_lr: float
    steps: int
    batch_size: int = 8
    schedule: str = "constant"
    checkpoints: int = 5
    regularisation: bool = False
    words: Words = "full"
    company: dict[str, str] = field(default_factory=dict)
    more: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Further settings by section."""


CHARACTER, STYLE, CONCEPT = "character", "style", "concept"
TEXT_ENCODER: dict[str, dict[str, Any]] = {"network": {"train_text_encoder": True}, "optimizer": {"text_encoder_lr": 5e-4}}

RUN_KINDS = (
    RunKind("sound", False, (CHARACTER, CONCEPT), 40, 3e-3, 220, schedule="cosine", regularisation=True),
    RunKind("far too low", False, (CHARACTER, STYLE), 40, 2e-4, 120),
    RunKind("hot", False, (CHARACTER, CONCEPT), 40, 6e-3, 160),
    RunKind("six pictures", False, (CHARACTER, STYLE), 6, 2.5e-3, 280, batch_size=4),
    RunKind("blue cats alone", False, (CONCEPT, CONCEPT), 5, 2.5e-3, 240, batch_size=4, company={"species": "cat", "color": "blue"}),
    RunKind("trigger alone", False, (CHARACTER, CONCEPT), 5, 2.5e-3, 240, batch_size=4, words="trigger alone"),
    RunKind("locon", False, (CHARACTER, STYLE), 20, 2.5e-3, 160, schedule="cosine", more={"network": {"conv_rank": 8, "conv_alpha": 8.0}}),
    RunKind("text encoder", False, (CHARACTER, CONCEPT), 30, 2.5e-3, 160, regularisation=True, more=TEXT_ENCODER),
    RunKind("sixty pictures", True, (STYLE, CHARACTER), 60, 3e-3, 200, regularisation=True),
    RunKind("too low", True, (CONCEPT, CHARACTER), 40, 6e-4, 160, regularisation=True),
    RunKind("burnt", True, (CHARACTER, STYLE), 40, 1.2e-2, 120),
    RunKind("four pictures", True, (CHARACTER, CONCEPT), 4, 3e-3, 280, batch_size=4, regularisation=True),
    RunKind(
        "stuck on the beach", True, (CHARACTER, CHARACTER), 6, 2.5e-3, 240, batch_size=4, words="place not said",
        company={"background": "beach", "pose": "standing"},
    ),
    RunKind("trigger alone, warm", True, (STYLE, CHARACTER), 12, 4e-3, 200, batch_size=4, words="trigger alone"),
    RunKind("prodigy", True, (CHARACTER, CONCEPT), 15, 1.0, 160, more={"optimizer": {"type": "Prodigy", "args": {}}}),
    RunKind("long and warm", True, (CHARACTER, STYLE), 20, 5e-3, 240),
)  # fmt: skip


@dataclass(frozen=True)
class BenchRun:
    """One LoRA to train: of `thing`, a `subject` of the demo world."""

    kind: RunKind
    subject: str
    thing: str
    seed: int
    number: int

    @property
    def name(self) -> str:
        """Also the name of its folder."""
        return f"{self.kind.name.replace(',', '').replace(' ', '-')}-{self.thing.replace(' ', '-')}"


def bench_runs(seed: int, *, quick: bool = False) -> Iterator[BenchRun]:
    """The runs of a seed: two of each kind, with `quick` one of every second kind of both halves."""
    used = dict.fromkeys(THINGS, seed)
    for number, kind in enumerate(RUN_KINDS):
        for place, subject in enumerate(kind.subjects):
            thing = THINGS[subject][used[subject] % len(THINGS[subject])]
            used[subject] += 1
            if not quick or (number % 2 == 0 and place == 0):
                yield BenchRun(kind, subject, thing, seed, 2 * number + place)
