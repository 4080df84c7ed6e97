"""What is true of a checkpoint of the demo world. The measures and the verdict never see any of it.

The tagger's probabilities on pictures of many prompts, and what only the drawing code can tell: how the picture of these words truly looks.

    shown   how surely the thing is seen in pictures with its trigger                          F
    right   how surely the other attributes that were asked for are seen there                 X
    others  the same in pictures of other prompts, over that of the base's pictures            O
    bleed   how surely the thing is seen in pictures of other prompts
    score   100 x mean(shown x right) x min(1, others) x (1 - bleed)                           T
    back    share of training captions whose picture is nearer to the training picture than all other drawings of the same words are
    off     distance of other prompts' pictures to the nearest true drawing of their words, over that of the base's pictures
    narrow  shown with captions of training and held-out pictures - shown with new combinations

Standard errors are those of the mean over prompts, so that a difference counts where it exceeds two of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from lorasmith.atomic import write_atomically
from lorasmith.captions.taggers.tagger import WdTagger
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.proof import CFG_SCALE
from lorasmith.demo.scenes import balanced_scenes, fixed_attributes, trained_caption
from lorasmith.demo.truth import INDEX
from lorasmith.demo.verdict_bench.recipes import BenchRun
from lorasmith.demo.verdict_bench.sets import bench_set
from lorasmith.demo.weights import TAGGER
from lorasmith.demo.world import Scene, attribute_tags, random_scene, tag_caption
from lorasmith.draws import rng_for
from lorasmith.evaluation.sampling.loras import with_lora
from lorasmith.models.base import Base
from lorasmith.models.sampling import sample
from lorasmith.progress import Cancelled

TRUTH_SEEDS, OTHER_SEEDS = 90_000_000, 95_000_000
"""Of scenes to prompt with, which no training, no measure and no other truth uses."""
DRAWINGS = 48
"""True drawings of the same words."""
SIDE = 32
"""Of pictures when their distance is taken, in pixels."""


@dataclass(frozen=True)
class TruthEffort:
    """How many prompts are looked at, and in how many steps each is drawn; the bench's own figures are of the default."""

    prompts: int = 96
    others: int = 48
    captions: int = 12
    steps: int = 10


@dataclass(frozen=True)
class Truth:
    """What is true of one checkpoint (see the head); `score_error` is the standard error of `score`, in points of 100."""

    score: float
    score_error: float
    shown: float
    right: float
    others: float
    bleed: float
    back: float
    off: float
    narrow: float

    @property
    def labels(self) -> dict[str, bool]:
        """Which signs are true of it; the limits are those of the pilot."""
        return {
            "under-cooked": self.shown < 0.5,
            "over-cooked": self.others < 0.93 or self.bleed > 0.2,
            "memorised": self.back >= 0.5,
        }


class TruthOf:
    """The truth about checkpoints of one run; the base's pictures and the true drawings are made once."""

    def __init__(self, base: Base, run: BenchRun, effort: TruthEffort) -> None:
        self.base, self.run, self.effort = base, run, effort
        self.tagger = WdTagger(TAGGER)
        drawn = bench_set(run)
        first = TRUTH_SEEDS + 1000 * run.number
        self.prompts = balanced_scenes(effort.prompts, first, **fixed_attributes(run.subject, run.thing))
        self.others = [random_scene(OTHER_SEEDS + k) for k in range(effort.others)]
        self.trained, self.held_out = drawn.trained[: effort.captions], drawn.held_out[: effort.captions]

    def __call__(self, lora: Path | None, weight: float = 1.0) -> Truth:
        """Of the checkpoint in the file `lora`."""
        with with_lora(self.base, lora, weight):
            asked = self._probabilities(self._pictures([trained_caption(self.run.subject, scene) for scene in self.prompts]))
            others = self._pictures(self._other_prompts)
            replayed = self._pictures([text for _, text in self.trained])
            company = self._probabilities(replayed + self._pictures([text for _, text in self.held_out]))
        seen_in_others = self._probabilities(others)
        shown, right = self._thing(asked), _asked_for(asked, self.prompts, self.run.subject)
        kept, bleed = _asked_for(seen_in_others, self.others, ""), self._thing(seen_in_others)
        score, error = _score(shown * right, kept, self._base_kept, bleed)
        return Truth(
            score, error, float(shown.mean()), float(right.mean()), float(kept.mean() / self._base_kept.mean()), float(bleed.mean()),
            back=float(np.mean([self._comes_back(picture, k) for k, picture in enumerate(replayed)])),
            off=float(self._off(others).mean() / self._base_off), narrow=float(self._thing(company).mean() - shown.mean()),
        )  # fmt: skip

    # -- pictures and what is seen in them ----------------------------------------------------------------------------

    def _pictures(self, prompts: Sequence[str]) -> list[Image.Image]:
        return sample(self.base, prompts, range(len(prompts)), steps=self.effort.steps, cfg_scale=CFG_SCALE, batch_size=32)

    def _probabilities(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        return np.asarray(self.tagger.probabilities(pictures))

    def _thing(self, probabilities: np.ndarray) -> np.ndarray:
        tag = f"{self.run.thing} style" if self.run.subject == "style" else self.run.thing
        return probabilities[:, INDEX[tag]]

    @cached_property
    def _other_prompts(self) -> list[str]:
        return [tag_caption(scene, rng_for("other prompt", scene.seed)) for scene in self.others]

    @cached_property
    def _base_others(self) -> list[Image.Image]:
        return self._pictures(self._other_prompts)

    @cached_property
    def _base_kept(self) -> np.ndarray:
        with with_lora(self.base, None):
            return _asked_for(self._probabilities(self._base_others), self.others, "")

    # -- what the drawing code knows ----------------------------------------------------------------------------------

    @cached_property
    def _true_others(self) -> list[np.ndarray]:
        return [_small([draw_scene(other) for other in _same_words(scene, DRAWINGS)]) for scene in self.others]

    @cached_property
    def _base_off(self) -> float:
        return float(self._off(self._base_others).mean())

    def _off(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        return np.array([_distances(picture, true).min() for picture, true in zip(_small(pictures), self._true_others, strict=True)])

    @cached_property
    def _true_trained(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Of each training caption the training picture, and other drawings of the same words."""
        return [
            (_small([draw_scene(scene)])[0], _small([draw_scene(other) for other in _same_words(scene, DRAWINGS)]))
            for scene, _ in self.trained
        ]

    def _comes_back(self, picture: Image.Image, which: int) -> bool:
        own, others = self._true_trained[which]
        small = _small([picture])[0]
        return bool(_distances(small, own[None])[0] < _distances(small, others).min())


def _asked_for(probabilities: np.ndarray, scenes: Sequence[Scene], subject: str) -> np.ndarray:
    """How surely each picture shows what was asked for beside the subject: the mean over its attributes, (n,)."""
    rows = []
    for row, scene in zip(probabilities, scenes, strict=True):
        tags = [tag for attribute, tag in attribute_tags(scene).items() if attribute != subject]
        rows.append(float(np.mean([row[INDEX[tag]] for tag in tags])))
    return np.array(rows)


def _score(asked: np.ndarray, kept: np.ndarray, base_kept: np.ndarray, bleed: np.ndarray) -> tuple[float, float]:
    """T and its standard error, to first order in those of its three factors."""
    parts = (asked, kept / base_kept.mean(), 1 - bleed)
    means = (parts[0].mean(), min(1.0, parts[1].mean()), parts[2].mean())
    score = 100 * float(np.prod(means))
    # A factor cut at 1 does not vary; the error of the base's own mean is the same for all checkpoints.
    varying = [k for k in range(3) if k != 1 or parts[1].mean() < 1]
    relative = [parts[k].std(ddof=1) / math.sqrt(len(parts[k])) / max(means[k], 1e-9) for k in varying]
    return score, score * math.sqrt(sum(r**2 for r in relative)) if score else 0.0


def _same_words(scene: Scene, count: int) -> list[Scene]:
    """Scenes that the same words describe, with other seeds."""
    return [replace(scene, seed=OTHER_SEEDS + 1_000_000 + k) for k in range(count)]


def _small(pictures: Sequence[Image.Image]) -> np.ndarray:
    """RGB, 0-1, (n, SIDE, SIDE, 3)."""
    return np.stack([np.asarray(p.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32) / 255 for p in pictures])


def _distances(picture: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Root mean square difference to each of `others`, (n,)."""
    return np.asarray(np.sqrt(((others - picture) ** 2).mean(axis=(1, 2, 3))))


def truths_of(look: TruthOf, asked: Sequence[tuple[Path, float]], kept: Path, cancelled: Cancelled = lambda: False) -> list[Truth]:
    """The truth about LoRA files at weights, kept in the JSON file `kept`, so that no second call looks again; fewer where cancelled."""
    known: dict[str, dict[str, float]] = json.loads(kept.read_text("utf-8")) if kept.is_file() else {}
    found = []
    for file, weight in asked:
        key = f"{file.name} at {weight:g}: {' '.join(map(str, astuple(look.effort)))}"
        if key not in known and cancelled():
            break
        if key not in known:
            known[key] = asdict(look(file, weight))
            write_atomically(kept, json.dumps(known, indent=1).encode())
        found.append(Truth(**known[key]))
    return found
