"""Measures of drawn pictures are functions in a table."""

from pathlib import Path

import numpy as np

from lorasmith.evaluation.measures.measured import MEASURES, Measure, MeasureKind
from lorasmith.evaluation.measures.spaces import LAYOUT
from lorasmith.evaluation.prompts import Prompt, PromptSet
from lorasmith.evaluation.proof.drawn import MEASURED, drawn_measures
from lorasmith.evaluation.proof.plan import DrawingSettings, ProofPlan
from lorasmith.evaluation.proof.ruler import Ruler
from lorasmith.models.settings import BaseModelSettings


def test_a_measure_is_a_function_and_its_meaning(monkeypatch):
    def brighter(plan, ruler, views):
        changes = (views[LAYOUT] - ruler.views[LAYOUT]).mean(axis=1).tolist()
        names = [prompt.name for prompt in plan.prompts.prompts]
        return {"brighter": Measure.of(dict(zip(names, changes, strict=True)))}

    monkeypatch.setitem(MEASURED, "all", brighter)
    kind = MeasureKind("Brighter", "How much brighter pictures are than the base's.", "0-1", "neither", as_base=0.0, decides=False)
    monkeypatch.setitem(MEASURES, "brighter", kind)

    prompts = PromptSet((Prompt("bare", "zorvex", 1),), "zorvex", "tags")
    plan = ProofPlan(prompts, DrawingSettings(None, 2, 1.0, 8, 8), (), (), BaseModelSettings(path=Path("base")), "quick")
    dark, bright = ({LAYOUT: np.full((1, 4), value)} for value in (0.25, 0.75))
    ruler = Ruler([], dark, dark, None, {}, {}, np.zeros((1, 4)))

    assert drawn_measures(plan, ruler, [], bright, {}) == {"brighter": Measure(0.5, None, {prompts.prompts[0].name: 0.5})}
