"""What is published: a LoRA file, with what its run says about it where it has one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lorasmith.adapters.files.header import read_lora_header
from lorasmith.curation.rights import Rights, confirmed
from lorasmith.errors import DatasetError, InputError
from lorasmith.evaluation.proof.checkpoints import checkpoints_of
from lorasmith.evaluation.proven import Proven, proven_in
from lorasmith.evaluation.run_record import RunRecord, read_run
from lorasmith.evaluation.verdict.checkpoint import CheckpointVerdict
from lorasmith.evaluation.verdict.labels import LABELS, NOT_DRAWN
from lorasmith.library.catalogue.facts import without_number
from lorasmith.stores import local
from lorasmith.training.records.run_folder import RunFolder


@dataclass(frozen=True)
class Judgement:
    """What the proof of its run says of a file."""

    headline: str
    """`good`, `cannot tell`, or what is wrong with it; see `evaluation.verdict.labels`."""
    meanings: tuple[str, ...]
    """Of each label that holds, a sentence."""
    weight: float | None
    """To use it at; None where no other was tried."""
    as_good: tuple[float, ...]
    """Other weights that are."""
    recommended: bool
    """Whether it is the checkpoint that the verdict recommends."""


@dataclass(frozen=True)
class Subject:
    """A LoRA file to publish."""

    file: Path
    metadata: Mapping[str, str]
    run: RunRecord | None
    proof: Proven | None
    judgement: Judgement | None
    """None where nothing was measured of it."""
    rights: tuple[Rights | None, ...]
    """What was confirmed of each of the run's datasets; nothing is known of a file's without its run."""
    rights_said: str = ""
    """What its maker says of the rights to all training images, on publishing it."""

    @property
    def rights_confirmed(self) -> bool:
        """Whether somebody has confirmed the rights to all training images."""
        return bool(self.rights_said) or (bool(self.rights) and all(self.rights))

    @property
    def name(self) -> str:
        """As its training calls it, without the number of a checkpoint."""
        name = self.metadata.get("ss_output_name", "")
        return name if name and name != "None" else without_number(self.file.stem)

    @property
    def trigger(self) -> str:
        """Its trigger words, "" without any."""
        if self.run is not None:
            return self.run.settings.captions.trigger or ""
        return self.metadata.get("modelspec.trigger_phrase", "")

    @property
    def weight(self) -> float:
        """To generate with it at."""
        return 1.0 if self.judgement is None or self.judgement.weight is None else self.judgement.weight


def open_subject(source: str | Path, rights_said: str = "") -> Subject:
    """What to publish of a run or a file: of a run the checkpoint that its verdict recommends, else the last one.

    A file in a run's folder of checkpoints brings what its run says about it. Raises InputError where there is nothing to publish.
    """
    source = Path(source)
    run = read_run(source) if source.is_dir() else _run_of(source)
    proof = None if run is None else proven_in(run.folder.root, run.settings)
    file = source if run is None or source.is_file() else _chosen(run, proof)
    metadata = read_lora_header(file).metadata
    rights = () if run is None else _rights(run)
    return Subject(file, metadata, run, proof, _judgement(run, proof, file), rights, " ".join(rights_said.split()))


def _run_of(file: Path) -> RunRecord | None:
    """The run in whose folder of checkpoints a file is; None where it is elsewhere."""
    folder = RunFolder(file.resolve().parent.parent)
    return read_run(folder.root) if folder.events.is_file() and folder.settings.is_file() else None


def _chosen(run: RunRecord, proof: Proven | None) -> Path:
    if proof is not None and proof.verdict.recommended is not None:
        recommended = run.folder.root / proof.verdict.checkpoints[proof.verdict.recommended].measured.file
        if recommended.is_file():
            return recommended
    checkpoints = checkpoints_of(run)
    if not checkpoints:
        raise InputError(
            f"The run {run.folder.root} has no LoRA file yet. Publish it once one is saved.",
            code="publish.no_file", path=str(run.folder.root),
        )  # fmt: skip
    return checkpoints[-1].path


def _judgement(run: RunRecord | None, proof: Proven | None, file: Path) -> Judgement | None:
    if run is None or proof is None:
        return None
    verdict = proof.verdict
    for place, one in enumerate(verdict.checkpoints):
        if (run.folder.root / one.measured.file).resolve() == file.resolve() and one.headline != NOT_DRAWN:
            recommended = place == verdict.recommended
            weight, as_good = (verdict.weight, verdict.weights_as_good) if recommended else (None, ())
            return Judgement(one.headline, _meanings(one), weight, as_good, recommended)
    return None


def _meanings(one: CheckpointVerdict) -> tuple[str, ...]:
    return tuple(label.meaning for key, label in LABELS.items() if one.judged[key].holds)


def _rights(run: RunRecord) -> tuple[Rights | None, ...]:
    found: list[Rights | None] = []
    for dataset in run.settings.datasets:
        if not dataset.is_reg:
            try:
                found.append(confirmed(local(dataset.path)))
            except (DatasetError, OSError):
                found.append(None)
    return tuple(found)
