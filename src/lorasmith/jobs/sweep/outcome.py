"""What a sweep came to: each trial with its verdict, what each setting did, the recommended trial and its file.

Everything is read from the folders of the sweep and of its runs, so that it can be asked at any time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lorasmith.errors import LorasmithError
from lorasmith.evaluation.compare import ComparedRun, Comparison, compare
from lorasmith.evaluation.proven import proven_in
from lorasmith.evaluation.run_record import read_run
from lorasmith.evaluation.verdict.checkpoint import CheckpointVerdict
from lorasmith.evaluation.verdict.picking import pick
from lorasmith.jobs.sweep.effects import Effect, Scored, effects
from lorasmith.jobs.sweep.runner import TrialState, TrialStatus
from lorasmith.jobs.sweep.sweep_file import Sweep
from lorasmith.jobs.sweep.sweep_folder import Record, SweepFolder
from lorasmith.jobs.sweep.trials import in_words
from lorasmith.sentences import Named, Sentence, at_the_start, named

NOBODY = "No trial was judged, so none can be recommended."
NOTHING_LEARNT = "No trial shows the subject beyond the noise of the pictures, so none is recommended."
FULL: Named = {"winner": "in full"}
"""What the winner that was trained in full is called."""


@dataclass(frozen=True)
class TrialOutcome:
    """One trial as it is now."""

    number: int | None
    """None: the winner, trained in full."""
    values: Mapping[str, Any]
    folder: Path
    state: TrialState | Literal["ruled out"]
    reason: str
    """Why it was ruled out, or failed."""
    run: ComparedRun | None
    """Its run and its proof; None where it was not judged."""
    ruling: Sentence | None = None
    """Why it was ruled out, as code and values; None where an earlier version kept the words alone."""

    @property
    def name(self) -> str:
        return _named(self.called)

    @property
    def called(self) -> Named:
        """Its name as data."""
        return FULL if self.number is None else {"trial": self.number}

    @property
    def chosen(self) -> CheckpointVerdict | None:
        """Its recommended checkpoint."""
        return None if self.run is None else self.run.chosen

    @property
    def score(self) -> float | None:
        """Of the chosen checkpoint; None where there is none."""
        return None if self.chosen is None or math.isnan(self.chosen.score.value) else self.chosen.score.value

    @property
    def file(self) -> Path | None:
        """The LoRA of the chosen checkpoint."""
        return None if self.chosen is None else self.folder / self.chosen.measured.file

    @property
    def said(self) -> tuple[Sentence, ...]:
        """Its verdict."""
        return () if self.run is None or self.run.proof is None else self.run.proof.verdict.said

    @property
    def verdict(self) -> tuple[str, ...]:
        """Its verdict in English."""
        return tuple(map(str, self.said))

    @property
    def as_data(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "trial": self.number, "values": dict(self.values), "folder": str(self.folder), "state": self.state, "reason": self.reason,
            "verdict": list(self.verdict), "score": self.score, "score_error": None if self.score is None or self.chosen is None else self.chosen.score.error,
            "file": None if self.file is None else str(self.file),
        }  # fmt: skip


@dataclass(frozen=True)
class Swept:
    """A sweep's end, or how far it is. `complete` is False where it was stopped."""

    name: str
    folder: Path
    page: Path
    trials: tuple[TrialOutcome, ...]
    recommended: TrialOutcome | None
    as_good: tuple[TrialOutcome, ...]
    effects: tuple[Effect, ...]
    incomparable: Sentence | None
    """Why the verdicts cannot be compared; None where they can."""
    complete: bool

    def __repr__(self) -> str:
        return f"Swept({self.folder}, {len(self.trials)} trials, {self.recommended.name if self.recommended else 'none'} recommended)"

    @property
    def judged(self) -> tuple[TrialOutcome, ...]:
        """The trials that have a score, the best first."""
        return tuple(sorted((one for one in self.trials if one.score is not None), key=lambda one: -(one.score or 0.0)))

    @property
    def comparison(self) -> Comparison | None:
        """The judged trials beside each other; None where there are fewer than two."""
        return compare([one.folder for one in self.judged]) if len(self.judged) > 1 else None

    @property
    def why_not(self) -> str:
        """Why the verdicts cannot be compared, in English; "" where they can."""
        return "" if self.incomparable is None else str(self.incomparable)

    @property
    def said(self) -> tuple[Sentence, ...]:
        """What to use, what is as good, and what each setting did."""
        return tuple(_said(self))

    @property
    def sentences(self) -> tuple[str, ...]:
        """The same in English."""
        return tuple(map(str, self.said))

    @property
    def as_data(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "name": self.name, "folder": str(self.folder), "page": str(self.page), "complete": self.complete, "sentences": list(self.sentences),
            "said": [one.as_data for one in self.said],
            "recommended": None if self.recommended is None else self.recommended.as_data,
            "as_good": [one.number for one in self.as_good], "comparable": not self.why_not, "why_not": self.why_not or None,
            "trials": [one.as_data for one in self.trials], "effects": [effect.as_data for effect in self.effects],
        }  # fmt: skip


def outcome_of(sweep: Sweep, folder: SweepFolder, statuses: Mapping[Path, TrialStatus], complete: bool = False) -> Swept:
    """What the trials came to so far, by their folders and by what runs them."""
    record = folder.record
    numbered: list[tuple[int | None, Path, Mapping[str, Any]]] = [
        (number, folder.trial(number), values) for number, values in enumerate(record.trials, 1)
    ]
    if record.full is not None:
        numbered.append((None, folder.in_full, record.trials[record.full - 1]))
    trials = [_outcome(number, values, path, statuses.get(path), _ruling(record, number)) for number, path, values in numbered]
    judged = [one for one in trials if one.score is not None]
    why_not = _why_not_comparable(judged)
    best, as_good = (None, ()) if why_not else _picked(judged)
    scored = [] if why_not else [_scored(one) for one in judged if one.number is not None]
    return Swept(sweep.name, folder.root, folder.page, tuple(trials), best, as_good, tuple(effects(sweep.vary, scored)), why_not, complete)


def _ruling(record: Record, number: int | None) -> Sentence | str | None:
    """Why a trial was ruled out; its words alone where an earlier version kept no more."""
    if number is None or number not in record.ruled_out:
        return None
    words, kept = record.ruled_out[number], record.rulings.get(number)
    return words if kept is None else Sentence.from_data(kept, words)


def _outcome(
    number: int | None, values: Mapping[str, Any], path: Path, status: TrialStatus | None, ruling: Sentence | str | None
) -> TrialOutcome:
    run = judged_run(path)
    if ruling is not None:
        return TrialOutcome(number, values, path, "ruled out", str(ruling), None, ruling if isinstance(ruling, Sentence) else None)
    if status is None:
        return TrialOutcome(number, values, path, "waiting" if run is None else "done", "", run)
    return TrialOutcome(number, values, path, status.state, status.reason, run if status.state == "done" else None)


def judged_run(path: Path) -> ComparedRun | None:
    """A run that has finished and was proven; None for others."""
    try:
        run = read_run(path)
    except LorasmithError:  # it has not begun
        return None
    proof = proven_in(path, run.settings)
    return ComparedRun(path.name, run, proof) if run.ending.kind == "finished" and proof is not None else None


def _why_not_comparable(judged: Sequence[TrialOutcome]) -> Sentence | None:
    return None if len(judged) < 2 else compare([one.folder for one in judged]).why_not


def _picked(judged: Sequence[TrialOutcome]) -> tuple[TrialOutcome | None, tuple[TrialOutcome, ...]]:
    """The best trial by its chosen checkpoint, and those that are as good; those that the verdict calls good go first."""
    recommendable = [
        one for one in judged if one.run is not None and one.run.proof is not None and one.run.proof.verdict.recommended is not None
    ]
    good = [one for one in recommendable if one.chosen is not None and one.chosen.headline == "good"]
    candidates = good or recommendable
    found = pick([one.chosen.measured for one in candidates if one.chosen is not None])
    return (None, ()) if found.best is None else (candidates[found.best], tuple(candidates[place] for place in found.equals))


def _scored(one: TrialOutcome) -> Scored:
    assert one.chosen is not None, "it has a score"
    measures = one.chosen.measured.measures
    return Scored(one.values, measures["subject"].items, measures["keeps"].items)


def _said(swept: Swept) -> Iterator[Sentence]:
    best = swept.recommended
    if best is not None:
        yield _sentence("recommended", trial=best.called, settings=in_words(best.values), verdict=best.said[0])
        if swept.as_good:
            yield _sentence("as_good", trials=[one.called for one in swept.as_good])
        yield _sentence("file", file=str(best.file))
    else:
        yield swept.incomparable or _sentence("nothing_learnt" if swept.judged else "nobody")
    yield from (effect.said for effect in swept.effects)


def _named(trial: Named) -> str:
    return "the winner in full" if trial == FULL else named(trial)


def _recommended(trial: Named, settings: str, verdict: Sentence) -> str:
    return f"{at_the_start(_named(trial))} ({settings}) is recommended. {verdict}"


SENTENCES: dict[str, Callable[..., str]] = {
    "sweep.recommended": _recommended,
    "sweep.as_good": lambda trials: f"As good, as far as the pictures tell: {', '.join(map(_named, trials))}.",
    "sweep.file": lambda file: f"The LoRA: {file}",
    "sweep.nobody": lambda: NOBODY,
    "sweep.nothing_learnt": lambda: NOTHING_LEARNT,
}
"""Code -> how its English is made."""


def _sentence(code: str, **values: Any) -> Sentence:
    return Sentence.of(SENTENCES, f"sweep.{code}", **values)
