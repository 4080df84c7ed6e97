"""All measures of a checkpoint's pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from lorasmith.evaluation.measures.keeps import keeps
from lorasmith.evaluation.measures.leaks import leaks
from lorasmith.evaluation.measures.looks import looks
from lorasmith.evaluation.measures.measured import Measure
from lorasmith.evaluation.measures.moved import moved
from lorasmith.evaluation.measures.narrow import narrow
from lorasmith.evaluation.measures.near import log_nearest, near
from lorasmith.evaluation.measures.replay import nearness, replay, replay_against_base
from lorasmith.evaluation.measures.spaces import LAYOUT, Views
from lorasmith.evaluation.measures.stuck import stuck
from lorasmith.evaluation.measures.subject import subject, subject_scores, subject_share
from lorasmith.evaluation.prompts import Group
from lorasmith.evaluation.proof.plan import ProofPlan, RealPicture
from lorasmith.evaluation.proof.ruler import Ruler, names_of, numbers_of

WIDER = 1.4
"""How much wider the errors are of what is compared with training pictures for want of held-out ones: in the pilot the error of `subject`
against the truth rose from .16-.18 to .19-.25."""

Measures = dict[str, Measure]


def drawn_measures(plan: ProofPlan, ruler: Ruler, pictures: Sequence[Image.Image], views: Views, margins: dict[str, float]) -> Measures:
    """The measures of pictures of the plan's prompts, in their order; those whose prompts the plan does not have are left out."""
    found: Measures = {}
    for measured in MEASURED.values():
        found |= measured(plan, ruler, views)
    if new := numbers_of(plan, "new"):
        found |= looks(_names(plan, new), [pictures[k] for k in new], [ruler.pictures[k] for k in new])
    if margins and (kept := keeps(list(margins), margins, ruler.margins)):
        found["keeps"] = kept
    return found


MeasureGroup = Callable[[ProofPlan, Ruler, Views], Measures]


def _of_new(plan: ProofPlan, ruler: Ruler, views: Views) -> Measures:
    """Of pictures with the trigger in new combinations."""
    if not (new := numbers_of(plan, "new")):
        return {}
    names, seen = _names(plan, new), _some(views, new)
    real = log_nearest(ruler.held_out, ruler.trained) if ruler.held_out else log_nearest(ruler.trained, ruler.trained, leave_self_out=True)
    found = {"near": near(names, log_nearest(seen, ruler.trained), real)} if np.isfinite(real).all() else {}
    if ruler.probes:
        scores = subject_scores(seen, ruler.probes)
        found |= {"subject": subject(names, scores), "subject_share": subject_share(names, scores)}
        if own := numbers_of(plan, "trained", "held_out"):
            by_caption = dict(zip(_names(plan, own), subject_scores(_some(views, own), ruler.probes).tolist(), strict=True))
            found["narrow"] = narrow(by_caption, dict(found["subject"].items))
    return _wider_without(plan, found)


def _of_other(plan: ProofPlan, ruler: Ruler, views: Views) -> Measures:
    """Of pictures without the trigger."""
    other = numbers_of(plan, "other")
    if len(other) < 2:
        return {}
    names, seen, of_base = _names(plan, other), _some(views, other), _some(ruler.views, other)
    found = {"moved": moved(names, seen[LAYOUT], of_base[LAYOUT])}
    if ruler.probes:
        found |= _wider_without(plan, {"leaks": leaks(names, seen, of_base, ruler.probes)})
    return found


def _of_captions(plan: ProofPlan, ruler: Ruler, views: Views) -> Measures:
    """Of pictures of the dataset's own captions."""
    trained = _nearness(plan, ruler, views, "trained", plan.trained, ruler.trained)
    if not trained:
        return {}
    if ruler.held_out is None:
        of_base = _nearness(plan, ruler, ruler.views, "trained", plan.trained, ruler.trained)
        names = list(trained)
        against = replay_against_base(names, np.array([trained[name] for name in names]), np.array([of_base[name] for name in names]))
        return _wider_without(plan, {"replay": against})
    held_out = _nearness(plan, ruler, views, "held_out", plan.held_out, ruler.held_out)
    return {"replay": replay(trained, held_out)} if held_out else {}


def _nearness(plan: ProofPlan, ruler: Ruler, drawn: Views, group: Group, pictures: Sequence[RealPicture], real: Views) -> dict[str, float]:
    """Prompt -> how near its picture is to the one that its caption is of."""
    prompts, places = plan.prompts.of(group), {picture.name: place for place, picture in enumerate(pictures)}
    everything = {
        space: np.concatenate([ruler.trained[space], ruler.held_out[space]]) if ruler.held_out else ruler.trained[space] for space in real
    }
    if not prompts or len(everything[LAYOUT]) < 2:
        return {}
    own = _some(real, [places[prompt.picture] for prompt in prompts])
    near_own = nearness(_some(drawn, numbers_of(plan, group)), own, everything)
    return dict(zip(names_of(prompts), near_own.tolist(), strict=True))


def _of_bare(plan: ProofPlan, ruler: Ruler, views: Views) -> Measures:
    """Of pictures of the bare trigger."""
    bare = numbers_of(plan, "bare")
    return {"stuck": stuck(_names(plan, bare), _some(views, bare), _some(ruler.views, bare))} if len(bare) > 1 else {}


MEASURED: dict[str, MeasureGroup] = {"new": _of_new, "other": _of_other, "captions": _of_captions, "bare": _of_bare}
"""Pictures of which prompts -> their measures, each with its meaning in `MEASURES`; those of looks and margins are beside."""


def _wider_without(plan: ProofPlan, found: Measures) -> Measures:
    """With wider errors where nothing is held out."""
    return found if plan.held_out else {name: measure.wider(WIDER) for name, measure in found.items()}


def _some(views: Views, numbers: Sequence[int]) -> Views:
    return {space: points[list(numbers)] for space, points in views.items()}


def _names(plan: ProofPlan, numbers: Sequence[int]) -> list[str]:
    return [plan.prompts.prompts[number].name for number in numbers]
