"""Did the LoRA learn its subject, and did it leave the rest alone? Measured against the world's truth, with the tagger.

Two rates: how often pictures with the trigger show the held-out thing, with and without the LoRA; and how often pictures
of other prompts show what was asked for, with and without it. Prompts and seeds are the same both times.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from lorasmith.atomic import write_atomically
from lorasmith.captions.taggers.tagger import WdTagger
from lorasmith.demo.scenes import prompts_for
from lorasmith.demo.truth import attribute_hits, seen_attributes
from lorasmith.demo.weights import TAGGER
from lorasmith.demo.world import random_scene, tag_caption
from lorasmith.draws import rng_for
from lorasmith.evaluation.sampling.loras import with_lora
from lorasmith.models.base import Base
from lorasmith.models.sampling import sample

OTHER_SEEDS = 50_000_000  # scenes of other prompts; never the base's, the datasets' or the tagger's
WANTED_AFTER, WANTED_BEFORE, ALLOWED_FALL = 0.85, 0.05, 0.03
CFG_SCALE = 3.0


@dataclass(frozen=True)
class Proof:
    """Rates from 0 to 1 over `samples` pictures each."""

    kind: str
    name: str
    samples: int
    recognised_before: float
    recognised_after: float
    others_before: float
    others_after: float

    @property
    def holds(self) -> bool:
        return all(row["holds"] for row in self.rows())

    def rows(self) -> list[dict[str, object]]:
        """The three claims, as the report shows them."""
        return [
            {"measure": f"pictures with the trigger that show {self.name}", "before": self.recognised_before, "after": self.recognised_after,
             "wanted": f"under {WANTED_BEFORE:.0%} before, at least {WANTED_AFTER:.0%} after",
             "holds": self.recognised_before < WANTED_BEFORE and self.recognised_after >= WANTED_AFTER},
            {"measure": "attributes that are right with other prompts", "before": self.others_before, "after": self.others_after,
             "wanted": f"a fall of at most {ALLOWED_FALL:.0%}", "holds": self.others_before - self.others_after <= ALLOWED_FALL},
        ]  # fmt: skip


def prove(
    base: Base, kind: str, name: str, lora: Path, samples: int = 64, steps: int = 20, report: Callable[[str], None] = lambda _: None
) -> Proof:
    """Generate and judge 4 x `samples` pictures; `kind` is character, style or concept. `report` is called with what is being done."""
    tagger = WdTagger(TAGGER)
    asked = [prompt for prompt, _ in prompts_for(kind, name, samples)]
    scenes = [random_scene(OTHER_SEEDS + k) for k in range(samples)]
    others = [tag_caption(scene, rng_for("other prompt", scene.seed)) for scene in scenes]
    rates: list[float] = []
    for file in (None, lora):
        with with_lora(base, file):
            how = "with the LoRA" if file else "without the LoRA"
            report(f"generating {samples} pictures with the trigger of {name}, {how}")
            rates.append(recognition_rate(generate(base, asked, steps), kind, name, tagger))
            report(f"generating {samples} pictures of other prompts, {how}")
            hits = attribute_hits(tagger.probabilities(generate(base, others, steps)), scenes)
            rates.append(
                float(np.mean([np.mean(values) for attribute, values in hits.items() if attribute not in ("concept", "character")]))
            )
    return Proof(kind, name, samples, rates[0], rates[2], rates[1], rates[3])


def generate(base: Base, prompts: list[str], steps: int) -> list[Image.Image]:
    """One picture per prompt, picture k from seed k."""
    return sample(base, prompts, range(len(prompts)), steps=steps, cfg_scale=CFG_SCALE, batch_size=32)


def recognition_rate(pictures: list[Image.Image], kind: str, name: str, tagger: WdTagger) -> float:
    """Share of pictures in which the tagger sees the held-out thing, 0-1."""
    wanted = f"{name} style" if kind == "style" else name
    return float(np.mean([seen_attributes(row)[kind] == wanted for row in tagger.probabilities(pictures)]))


def write_proof(run_folder: Path, proof: Proof, command: str) -> None:
    """Put the proof into the run folder, where the report finds it."""
    content = {"subject": f"{proof.kind} {proof.name}", "samples": proof.samples, "rows": proof.rows(), "command": command}
    write_atomically(run_folder / "proof.json", json.dumps(content, indent=1).encode())
