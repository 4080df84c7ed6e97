"""What is said of a checkpoint, each label with its rule and its reason.

The limits come from the pilot on the demo world and are tested by `lorasmith bench verdict` (docs/proof.md). Holding the training images by
heart and being of use are two axes: a LoRA of six pictures may give them all back and still obey every prompt. So `memorised` is said
beside the others and takes nothing from a checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lorasmith.evaluation.measures.measured import Measure
from lorasmith.evaluation.verdict.evidence import Decision, above, below, both, either

Measures = Mapping[str, Measure]

LEARNT, REACHED, HARMED, MOVED, LEAKS = 0.40, 0.80, 0.83, 0.25, 0.30
BY_HEART, GAP, GAP_ALONE, NARROW, STUCK = 0.20, 0.50, 1.00, 0.30, -0.80
"""Limits of subject, subject as a share of the run's best, keeps, moved, leaks, replay, gap in the noise that decides shapes (nats; with replay, and alone),
narrow and stuck (log ratio)."""


@dataclass(frozen=True)
class Label:
    """A label with its rule: `holds` decides from the measures, `evidence` names those that it was decided by."""

    title: str
    meaning: str
    holds: Callable[[Measures, Measures], Decision]
    """From the measures of a checkpoint, and those of the run's one that shows the subject most clearly, which may be the same."""
    evidence: tuple[str, ...]
    """Measures that it is decided by."""
    needs_captions: bool = False
    """Whether a 'no' counts only where captions say something besides the trigger."""


def _under_cooked(measures: Measures, clearest: Measures) -> Decision:
    """Left open where the base cannot read its own pictures: then nothing says what a picture shows.

    Half way to the subject may be all that there is to see of a style, and far too little of a creature whose later pictures have come
    nearer: so a checkpoint is compared with the clearest of its run, too.
    """
    subject = measures.get("subject")
    if subject is None or "keeps" not in measures:
        return None
    return either(below(subject, LEARNT), _behind(subject, clearest.get("subject")))


def _behind(subject: Measure, clearest: Measure | None) -> Decision:
    """Whether it shows the subject clearly less than the clearest checkpoint does with the same prompts."""
    if clearest is None or clearest is subject or clearest.value <= 0 or subject.items.keys() != clearest.items.keys():
        return False
    return below(Measure.ratio(subject.items, clearest.items), REACHED)


def _over_cooked(measures: Measures, _: Measures) -> Decision:
    """Either alone errs: a style moves pictures that the base still reads, and the base reads some pictures badly that hardly changed."""
    return harmed(measures)


def harmed(measures: Measures) -> Decision:
    """Whether pictures of other prompts suffer."""
    return both(below(measures.get("keeps"), HARMED), above(measures.get("moved"), MOVED))


def _memorised(measures: Measures, _: Measures) -> Decision:
    """A wide gap says so alone: where all images share a place, pictures of held-out captions come as near to theirs, and replay sees nothing."""
    gap, replay = measures.get("gap_shape"), measures.get("replay")
    return either(above(gap, GAP_ALONE), both(above(gap, GAP), above(replay, BY_HEART)))


def _narrow(measures: Measures, _: Measures) -> Decision:
    return above(measures.get("narrow"), NARROW)


def _leaks(measures: Measures, _: Measures) -> Decision:
    return above(measures.get("leaks"), LEAKS)


def _stuck(measures: Measures, _: Measures) -> Decision:
    return below(measures.get("stuck"), STUCK)


LABELS: dict[str, Label] = {
    "under-cooked": Label(
        "under-cooked", "New pictures with the trigger show too little of the subject.", _under_cooked, ("subject",), needs_captions=True
    ),
    "over-cooked": Label("over-cooked", "Pictures of other prompts suffer.", _over_cooked, ("keeps", "moved")),
    "memorised": Label("memorised", "It holds training images by heart and gives them back.", _memorised, ("replay", "gap_shape")),
    "narrow": Label("narrow", "It works in the company of the training images alone.", _narrow, ("narrow",)),
    "leaking": Label("leaking", "The subject shows in prompts that do not ask for it.", _leaks, ("leaks",)),
    "stuck": Label("stuck", "Pictures of the bare trigger all look alike.", _stuck, ("stuck",)),
}  # fmt: skip
"""Key -> label. The first that holds names a checkpoint, but for `memorised`, `leaking` and `stuck`, which are said beside."""

NOT_DRAWN = "not drawn"
CANNOT_TELL = "cannot tell"
GOOD = "good"
HEADLINES = ("over-cooked", "under-cooked", "narrow")
"""Labels that name a checkpoint, the one that weighs most first."""


@dataclass(frozen=True)
class Judged:
    """One label of one checkpoint: True, False, or None where the evidence does not decide; `numbers` are those of its rule."""

    label: str
    holds: Decision
    numbers: tuple[tuple[str, float, float | None], ...]
    """Measure, value and standard error."""


def meanings() -> dict[str, str]:
    """All that may be said of a checkpoint -> what it means, as a sentence."""
    return {
        GOOD: "New pictures with the trigger show the subject, and pictures of other prompts stay as they were.",
        **{key: label.meaning for key, label in LABELS.items()},
        CANNOT_TELL: "A number that decides is too close to its limit. More pictures, or pictures held out, would tell.",
        NOT_DRAWN: "Its losses make it unlikely to be the best, so no picture of it was generated.",
    }


def clearest_of(checkpoints: Sequence[Measures]) -> Measures:
    """The measures of the checkpoint that shows the subject most clearly, of those that harm nothing where there are any."""
    drawn = [measures for measures in checkpoints if "subject" in measures]
    sound = [measures for measures in drawn if harmed(measures) is not True]
    return max(sound or drawn, key=lambda measures: measures["subject"].value, default={})


def judge(measures: Measures, clearest: Measures, captioned: bool = True) -> dict[str, Judged]:
    """Every label of one checkpoint; `clearest` is `clearest_of` its run.

    Where captions say nothing but the trigger (not `captioned`), all that the images share is learnt with it, and counts as the subject.
    """
    return {
        key: Judged(
            key,
            _holds(label, measures, clearest, captioned),
            tuple((name, measures[name].value, measures[name].error) for name in label.evidence if name in measures),
        )
        for key, label in LABELS.items()
    }


def _holds(label: Label, measures: Measures, clearest: Measures, captioned: bool) -> Decision:
    holds = label.holds(measures, clearest)
    return None if holds is False and label.needs_captions and not captioned else holds


def headline(judged: Mapping[str, Judged]) -> str:
    """One of `HEADLINES`, `good`, `cannot tell` where a label that would name it is not decided, `not drawn` where no picture was."""
    if not judged["under-cooked"].numbers:
        return NOT_DRAWN
    for key in HEADLINES:
        holds = judged[key].holds
        if holds:
            return key
        if holds is None and judged[key].numbers:
            return CANNOT_TELL
    return GOOD if judged["under-cooked"].holds is False else CANNOT_TELL
