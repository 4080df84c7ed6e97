"""Several runs beside each other: what was set otherwise, how they went, what they draw from the same seeds, what was measured.

    comparison = compare(["runs/a", "runs/b"])
    comparison.differences      # (Difference("optimizer.unet_lr", (1e-4, 3e-4)), ...)

Runs are compared over images seen, not steps, so that batches of other sizes say the same. Measures belong together where the runs were
proven with the same prompts, seeds and base; otherwise each is shown, and said to be no comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from lorasmith.dotted import dotted
from lorasmith.errors import InputError
from lorasmith.evaluation.differences import Difference, differences
from lorasmith.evaluation.local_folders import LocalFolders
from lorasmith.evaluation.measures.measured import MEASURES
from lorasmith.evaluation.proven import Proven, proven_in
from lorasmith.evaluation.run_record import RunRecord, read_run
from lorasmith.evaluation.verdict.checkpoint import CheckpointVerdict
from lorasmith.evaluation.verdict.evidence import TIE
from lorasmith.evaluation.verdict.picking import shortfall
from lorasmith.sentences import Named, Sentence, named

NEVER_COMPARED = frozenset({"name", "cache", "version"})
"""Settings that say nothing about how a LoRA comes out."""


@dataclass(frozen=True)
class ComparedRun:
    """One run, and its proof where it was proven."""

    name: str
    """The folder's name, with those around it where several folders are called the same; two runs may be, too."""
    record: RunRecord
    proof: Proven | None

    @property
    def chosen(self) -> CheckpointVerdict | None:
        """The recommended checkpoint; of a proof that recommends none, the last one that was drawn."""
        if self.proof is None:
            return None
        verdict = self.proof.verdict
        drawn = [place for place, pictures in enumerate(self.proof.record.pictures) if pictures]
        place = verdict.recommended if verdict.recommended is not None else max(drawn, default=len(verdict.checkpoints) - 1)
        return verdict.checkpoints[place]

    @property
    def _images(self) -> list[int]:
        """How many images each step has seen; runs of earlier versions do not say, and had at most what their settings ask for."""
        training = self.record.settings.training
        most = training.batch_size * training.gradient_accumulation_steps * training.num_processes
        return [most if step.images is None else step.images for step in self.record.steps]

    @property
    def images_seen(self) -> int:
        """Up to the last step."""
        return sum(self._images)

    @property
    def losses(self) -> tuple[tuple[float, float], ...]:
        """(images seen, smoothed loss)."""
        seen = zip(accumulate(self._images), self.record.steps, strict=True)
        return tuple((float(images), step.loss_smoothed) for images, step in seen if step.loss_smoothed is not None)


@dataclass(frozen=True)
class Comparison:
    """What `compare` found. `why_not` is None where the measures may be compared; `comparable` is the same in English."""

    runs: tuple[ComparedRun, ...]
    differences: tuple[Difference, ...]
    why_not: Sentence | None
    said: tuple[Sentence, ...]
    """Which run is better, beyond the noise of the pictures, or that they cannot be told apart."""

    @property
    def comparable(self) -> str | None:
        return None if self.why_not is None else str(self.why_not)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is said, in English."""
        return tuple(map(str, self.said))

    def __repr__(self) -> str:
        return f"Comparison({', '.join(run.name for run in self.runs)}: {len(self.differences)} settings differ)"

    def as_data(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "runs": [_run_as_data(run) for run in self.runs],
            "differences": [{"setting": one.setting, "values": list(one.values)} for one in self.differences],
            "comparable": self.comparable is None, "why_not": self.comparable, "sentences": list(self.sentences),
        }  # fmt: skip


def compare(folders: Sequence[str | Path]) -> Comparison:
    """Compare runs by what is in their folders.

    Raises
    ------
    SettingsError
        A folder is not that of a run.
    InputError
        There are fewer than two.

    Examples
    --------
    >>> comparison = ls.compare(["runs/my-lora", "runs/my-lora"])
    >>> comparison.differences
    ()
    """
    if len(folders) < 2:
        raise InputError("Give two runs or more to compare.", code="compare.too_few")
    records = [read_run(folder) for folder in folders]
    names = _names([record.folder.root.resolve() for record in records])
    runs = tuple(
        ComparedRun(name, record, proven_in(record.folder.root, record.settings)) for name, record in zip(names, records, strict=True)
    )
    why_not = _why_not_comparable(runs)
    settings = [dotted(_without_folders(record), lists=True) for record in records]
    return Comparison(runs, tuple(differences(settings, NEVER_COMPARED)), why_not, tuple(_said(runs, why_not)))


def _names(folders: Sequence[Path]) -> list[str]:
    """The last part of each path, with as many before it as tell the folders apart."""
    names = []
    for folder in folders:
        parts, others = 1, [other for other in folders if other != folder]
        while any(other.parts[-parts:] == folder.parts[-parts:] for other in others):
            parts += 1
        names.append(Path(*folder.parts[-parts:]).as_posix())
    return names


# -- settings ---------------------------------------------------------------------------------------------------------


def _without_folders(record: RunRecord) -> Any:
    """The settings as plain data, without the folders of this machine."""
    local = LocalFolders.of(record.settings, record.folder.root)

    def hidden(value: Any) -> Any:
        match value:
            case str():
                return local.hidden_in(value)
            case dict():
                return {key: hidden(inner) for key, inner in value.items()}
            case list():
                return [hidden(inner) for inner in value]
        return value

    return hidden(record.settings.model_dump(mode="json"))


# -- evidence ---------------------------------------------------------------------------------------------------------


def _why_not_comparable(runs: Sequence[ComparedRun]) -> Sentence | None:
    """Why measures of these runs are no comparison, or None."""
    unproven = [run.name for run in runs if run.proof is None]
    if unproven:
        return _sentence("not_proven", runs=unproven)
    prompts = [{prompt.name for prompt in run.proof.record.prompts.of("new")} for run in runs if run.proof is not None]
    if any(own != prompts[0] for own in prompts):
        return _sentence("other_prompts")
    if any(_base(run) != _base(runs[0]) for run in runs):
        return _sentence("other_bases")
    return None


def _base(run: ComparedRun) -> Any:
    """The hashes of its base's parts; None where its manifest is lost."""
    return None if run.record.manifest is None else run.record.manifest["inputs"]["base"]


def _said(runs: Sequence[ComparedRun], why_not: Sentence | None) -> Iterator[Sentence]:
    """Which run is better, beyond the noise of the pictures, or that they cannot be told apart."""
    if why_not is not None:
        yield why_not
        return
    chosen = [(run, run.chosen) for run in runs]
    scored = [(run, one) for run, one in chosen if one is not None and one.score.value == one.score.value]
    if len(scored) < 2:
        yield _sentence("too_little")
        return
    best_run, best = max(scored, key=lambda pair: pair[1].score.value)
    for run, one in scored:
        if run is best_run:
            continue
        gain, error = shortfall(best.measured, one.measured)
        two = {"best": best_run.name, "checkpoint": best.called, "other": run.name, "other_checkpoint": one.called}
        yield _sentence("better", **two, gain=gain, error=error) if gain > TIE * error else _sentence("alike", **two)


def _not_proven(runs: Sequence[str]) -> str:
    return f"{', '.join(runs)} {'is' if len(runs) == 1 else 'are'} not proven yet: `lorasmith prove` measures."


def _better(best: str, checkpoint: Named, other: str, other_checkpoint: Named, gain: float, error: float) -> str:
    return f"{best} ({named(checkpoint)}) is better than {other} ({named(other_checkpoint)}): by {gain:.2f} ± {error:.2f} of the score."


def _alike(best: str, checkpoint: Named, other: str, other_checkpoint: Named) -> str:
    return f"{best} ({named(checkpoint)}) and {other} ({named(other_checkpoint)}) cannot be told apart."


SENTENCES: dict[str, Callable[..., str]] = {
    "compare.not_proven": _not_proven,
    "compare.other_prompts": lambda: (
        "The runs were proven with other prompts, since their captions or triggers differ: their numbers are no comparison."
    ),
    "compare.other_bases": lambda: (
        "The runs were trained on different bases, and each was measured by its own: their numbers are no comparison."
    ),
    "compare.too_little": lambda: "Too little was measured to say which run is better.",
    "compare.better": _better,
    "compare.alike": _alike,
}
"""Code -> how its English is made."""


def _sentence(code: str, **values: Any) -> Sentence:
    return Sentence.of(SENTENCES, f"compare.{code}", **values)


def _run_as_data(run: ComparedRun) -> dict[str, Any]:
    chosen = run.chosen
    return {
        "name": run.name,
        "ending": run.record.ending.kind,
        "images_seen": run.images_seen,
        "verdict": None if run.proof is None else list(run.proof.verdict.sentences),
        "checkpoint": None if chosen is None else chosen.as_data(),
    }


def measures_of(runs: Sequence[ComparedRun]) -> list[str]:
    """The measures that any of the runs has, in their order."""
    known = {name for run in runs if run.chosen is not None for name in run.chosen.measured.measures}
    return [name for name in MEASURES if name in known]
