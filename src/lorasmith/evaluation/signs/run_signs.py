"""Signs in the course of a run: spikes, wild swings, a plateau, a rise at the end, steps that were not finite, nothing learnt.

The loss of a step depends on the timesteps that were drawn far more than on what was learnt, so that single steps and the eye mislead.
All rules therefore compare means of many steps in the logarithm, with the standard errors that the steps themselves show. A falling loss
proves nothing: whether pictures are good is the verdict's business.

Sources: the crash course and the epoch guide for the signs and what to do; the limits are set by counting on smooth noise, where each rule
speaks in less than one run of a hundred (tests/evaluation/signs/test_run_signs.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, median, stdev

from lorasmith.evaluation.run_record import RunRecord
from lorasmith.findings import Evidence, Finding, Fix, Severity
from lorasmith.pages.numbers import count
from lorasmith.training.events import StepDone

FEWEST_STEPS = 40
"""Below this nothing can be said of a curve."""
WINDOW = 25
"""Steps on either side that a step is compared with."""
SPIKE = 8.0
"""Robust standard deviations above its neighbours."""
CLEAR = 4.0
"""Standard errors between two means."""
SWINGS = 3.0
"""How much more parts of a run vary than their steps would have it."""
PARTS = (10, 20)
"""Into how many the run is divided: swings that fit into one part are not seen."""
STANDS_STILL = 1.64
"""Standard errors between the third quarter and the last."""


@dataclass(frozen=True)
class Course:
    """The logarithm of the loss of each step, in order, and the step's number."""

    steps: tuple[int, ...]
    logs: tuple[float, ...]

    @classmethod
    def of(cls, steps: Sequence[StepDone]) -> Course:
        """Without steps whose loss is not a positive number."""
        sound = [step for step in steps if math.isfinite(step.loss) and step.loss > 0]
        return cls(tuple(step.step for step in sound), tuple(math.log(step.loss) for step in sound))

    def part(self, first: float, last: float) -> tuple[float, float]:
        """Mean and standard error of a part of the run, given by shares of it."""
        values = self.logs[round(first * len(self.logs)) : round(last * len(self.logs))]
        return fmean(values), stdev(values) / math.sqrt(len(values))


def run_signs(run: RunRecord) -> list[Finding]:
    """Steps of a run that were not finite, and what its course shows."""
    return [*_not_finite(run), *signs_of_course(Course.of(run.steps))]


def signs_of_course(course: Course) -> list[Finding]:
    """What a course shows, in the order of `RUN_SIGNS`; nothing where it is too short to say."""
    if len(course.steps) < FEWEST_STEPS:
        return []
    return [finding for rule in RUN_SIGNS.values() if (finding := rule(course)) is not None]


# -- rules ------------------------------------------------------------------------------------------------------------


def spike(course: Course) -> Finding | None:
    """Steps far above those around them."""
    found = []
    for k, value in enumerate(course.logs):
        around = course.logs[max(0, k - WINDOW) : k] + course.logs[k + 1 : k + 1 + WINDOW]
        middle = median(around)
        spread = 1.4826 * median(abs(other - middle) for other in around)
        if spread and (value - middle) / spread > SPIKE:
            found.append((course.steps[k], math.exp(value - middle)))
    if not found:
        return None
    step, times = max(found, key=lambda one: one[1])
    return _sign(
        "spike", "warning", f"The loss jumps at {count(len(found), 'step')}, the most at step {step:,}.",
        Evidence(times, "times the loss around it", f"At step {step:,} it is {times:.1f} times the loss around it."),
        "A rate that is too high, or a picture that does not belong, looks like this.",
        "Look at the pictures of that step's epoch, then lower the learning rate.",
    )  # fmt: skip


def wild_swings(course: Course) -> Finding | None:
    """Parts of the run go up and down far more than their steps explain."""
    cut, ratio = max(((parts, _swing(course, parts)) for parts in PARTS), key=lambda one: one[1])
    if ratio < SWINGS:
        return None
    return _sign(
        "wild_swings", "warning", "The loss swings widely from one part of the run to the next.",
        Evidence(ratio, "times the noise", f"The {cut} parts of the run differ {ratio:.1f} times as much as their steps explain."),
        "The learning rate is too high, or something is wrong with the data.", "Lower the learning rate.",
    )  # fmt: skip


def _swing(course: Course, count: int) -> float:
    """How far each part is from the mean of its neighbours, against what its steps' own noise makes."""
    parts = [course.part(k / count, (k + 1) / count) for k in range(count)]
    turns = [parts[k][0] - (parts[k - 1][0] + parts[k + 1][0]) / 2 for k in range(1, count - 1)]
    expected = math.sqrt(1.5 * fmean(error**2 for _, error in parts))  # the variance of a mean, less half of each neighbour's
    return math.sqrt(fmean(turn**2 for turn in turns)) / expected if expected else 0.0


def plateau(course: Course) -> Finding | None:
    """It fell, and then stands still."""
    begin, middle, end = course.part(0, 0.2), course.part(0.5, 0.75), course.part(0.75, 1)
    if _above(begin, end) < CLEAR or abs(_above(middle, end)) > STANDS_STILL:
        return None
    return _sign(
        "plateau", "note", "The loss fell and then stands still.",
        Evidence(math.exp(end[0] - begin[0]), "of the loss at the start", f"It ends at {math.exp(end[0] - begin[0]):.0%} of where it began."),
        "More steps teach little more.", "Compare the checkpoints from the middle of the run on.",
    )  # fmt: skip


def rise_at_the_end(course: Course) -> Finding | None:
    """The last quarter is above the one before."""
    before, end = course.part(0.5, 0.75), course.part(0.75, 1)
    if _above(end, before) < CLEAR:
        return None
    times = math.exp(end[0] - before[0])
    return _sign(
        "rise_at_the_end", "warning", "The loss rises in the last quarter of the run.",
        Evidence(times, "times the quarter before", f"It is {times:.2f} times that of the quarter before."),
        "The rate was too high for that long a run.", "Use an earlier checkpoint, and lower the learning rate or let it decay.",
    )  # fmt: skip


def nothing_learnt(course: Course) -> Finding | None:
    """The end is no lower than the beginning."""
    begin, end = course.part(0, 0.2), course.part(0.8, 1)
    if _above(begin, end) > 1 or _above(end, begin) > CLEAR:
        return None
    return _sign(
        "nothing_learnt", "note", "The loss does not fall.",
        Evidence(math.exp(end[0] - begin[0]), "of the loss at the start", f"It ends at {math.exp(end[0] - begin[0]):.0%} of where it began."),
        "Too low a rate looks like this; so does a subject that the base nearly knew.",
        "Look at the verdict; where the subject has not come, raise the learning rate.",
    )  # fmt: skip


RUN_SIGNS: dict[str, Callable[[Course], Finding | None]] = {
    "spike": spike, "wild_swings": wild_swings, "plateau": plateau, "rise_at_the_end": rise_at_the_end, "nothing_learnt": nothing_learnt,
}  # fmt: skip
"""Name -> rule; its finding has the code `signs.` and the name."""


def _not_finite(run: RunRecord) -> Iterator[Finding]:
    """Steps that were skipped because a loss or a gradient was no number; those of float16's loss scale are none of it."""
    skipped = [step for step in run.skipped if step.images]
    if skipped:
        images = sorted({image for step in skipped for image in step.images})
        yield Finding(
            code="signs.not_finite", severity="warning", about="run", subjects=tuple(images),
            message=f"The loss was not a number at {count(len(skipped), 'step')}, which changed no weight.",
            evidence=Evidence(len(skipped), "steps"), why="Numbers overflowed: the rate is too high, the precision too low, or a picture is odd.",
            fix=Fix("Train in bf16, lower the learning rate, or look at these pictures."),
        )  # fmt: skip


def _above(one: tuple[float, float], other: tuple[float, float]) -> float:
    """By how many standard errors one mean is above the other."""
    error = math.hypot(one[1], other[1])
    return (one[0] - other[0]) / error if error else 0.0


def _sign(code: str, severity: Severity, message: str, evidence: Evidence, why: str, words: str) -> Finding:
    return Finding(code=f"signs.{code}", severity=severity, about="run", message=message, evidence=evidence, why=why, fix=Fix(words))
