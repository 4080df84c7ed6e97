"""Lints about the base."""

from __future__ import annotations

from lorasmith.findings import Fix
from lorasmith.training.planning.lints.registry import Findings, lint, warning
from lorasmith.training.planning.lints.run_facts import RunFacts


@lint
def distilled_base(run: RunFacts) -> Findings:
    if run.base.distilled and not run.settings.base.merge:
        yield warning(
            "The base is distilled to few steps.",
            why="A LoRA that is trained on it as it is unlearns them: pictures become grey, blurry or generic.",
            fix=Fix(
                "Train on the base that it was made from and use the LoRA with both, or merge a training adapter into it while it trains "
                "(base.merge)."
            ),
            source="reports of DiffSynth-Studio and diffusion-pipe; training adapters of ostris",
            subjects=("base.path",),
        )
