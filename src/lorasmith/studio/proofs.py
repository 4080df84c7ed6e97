"""`/api/runs/{run}/proof`: the verdict on a run with its evidence, and what is kept of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter
from pydantic import BaseModel, Field, JsonValue
from starlette.responses import Response

from lorasmith.errors import InputError
from lorasmith.evaluation.copies import Originals, copies_of
from lorasmith.evaluation.measures.measured import MEASURES, Measure
from lorasmith.evaluation.prompts import Prompt
from lorasmith.evaluation.proof.left_out import left_out_findings
from lorasmith.evaluation.proof.record import PROOF, WEIGHTS_PROOF, read_record
from lorasmith.evaluation.proven import Proven, proven_in
from lorasmith.evaluation.run_record import RunRecord, read_run
from lorasmith.evaluation.signs.signs import signs_of
from lorasmith.evaluation.verdict.checkpoint import CheckpointVerdict
from lorasmith.evaluation.verdict.labels import meanings
from lorasmith.images.file_part import FilePart, PictureSource
from lorasmith.library.keep import keep_file, kept_as
from lorasmith.projects.runs import FoundRun, find_run
from lorasmith.studio.etag import IfNoneMatch
from lorasmith.studio.files import picture_response
from lorasmith.studio.findings import FindingView, views
from lorasmith.studio.paths import confined
from lorasmith.studio.pictures import picture_url
from lorasmith.studio.said import Said, all_said
from lorasmith.studio.studio import OpenStudio, Studio

router = APIRouter(tags=["runs"])
files = APIRouter(tags=["files"])


class Number(BaseModel):
    """A measure with its standard error, where it has one."""

    value: float
    error: float | None


class ProvenCheckpoint(BaseModel):
    """One LoRA file of the run and what is said of it."""

    name: str = Field(description="As people call it: `epoch 7`.")
    called: dict[str, JsonValue] = Field(description='The same as data: `{"epoch": 7}`, `{"step": 120}` or `{"file": "a.safetensors"}`.')
    file: str
    epoch: int
    step: int
    verdict: str = Field(description="`good`, `cannot tell`, `not drawn`, or the label that weighs most.")
    labels: dict[str, bool | None] = Field(description="Each label: whether it holds; None where that cannot be told.")
    score: Number | None
    measures: dict[str, Number]
    pictures: dict[str, str] = Field(description="Prompt -> the address of its picture; empty where its losses alone were measured.")


class ProvenWeight(BaseModel):
    """The recommended file at another weight."""

    weight: float
    measures: dict[str, Number]
    pictures: dict[str, str]


class ProofPrompt(BaseModel):
    """A prompt that every checkpoint drew."""

    name: str = Field(description="What it is called in `pictures`.")
    group: str = Field(description="`new`, `bare`, `trained`, `held_out`: with the trigger; `other`: without.")
    text: str
    seed: int
    base: str | None = Field(description="The address of the picture of the base alone.")


class MeasureView(BaseModel):
    """What a measure means."""

    title: str
    decides: bool = Field(description="Whether the verdict depends on it; the others are shown only.")
    as_base: float | None = Field(description="Its value where nothing differs from the base.")


class CopyView(BaseModel):
    """A training image beside what its caption gives."""

    image: str
    original: str | None = Field(description="The address of the training image; None where it is not there any more, or has been changed.")
    drawn: str | None
    nearer: float = Field(description="By how much, in nats, it is nearer to its image than held-out captions' pictures are to theirs.")
    by_heart: bool


class ProofView(BaseModel):
    """The verdict on a run and what it rests on."""

    sentences: list[str]
    said: list[Said] = Field(description="The sentences by their codes and values.")
    recommended: str | None = Field(description="The file to use.")
    kept: str | None = Field(description="Where the recommended file is among the workspace's LoRAs; None where it was not kept.")
    as_good: list[str] = Field(description="Files that are as good, as far as can be told.")
    weight: float | None = Field(description="The recommended weight; None where no other was tried.")
    weights_as_good: list[float]
    checkpoints: list[ProvenCheckpoint]
    weights: list[ProvenWeight]
    prompts: list[ProofPrompt]
    measures: dict[str, MeasureView]
    verdicts: dict[str, str] = Field(description="All that may be said of a checkpoint, labels among it: what each means.")
    copies: list[CopyView]
    findings: list[FindingView] = Field(description="What to do next time, and what was seen on the way.")
    trained: int = Field(description="Training pictures that were compared with.")
    held_out: int
    effort: str


class Kept(BaseModel):
    """Where a file went."""

    file: str


class Keep(BaseModel):
    """What to keep."""

    file: str = Field(description="A LoRA file of the run, as `files` of the run names it.")
    name: str | None = Field(None, description="Its name in the library; the run's without one.")


@router.get("/runs/{run}/proof")
def get_proof(run: str, studio: OpenStudio) -> ProofView:
    """The verdict on a run with its pictures and numbers."""
    found = find_run(studio.projects, run)
    if not (found.folder.root / PROOF).is_dir():
        raise _not_proven(run)
    record = read_run(found.folder.root)
    proof = proven_in(found.folder.root, record.settings)
    if proof is None:
        raise _not_proven(run)
    return _view(studio, found, record, proof)


@router.post("/runs/{run}/keep", status_code=201)
def keep(run: str, wanted: Keep, studio: OpenStudio) -> Kept:
    """Copy a LoRA file of a run into the workspace's folder of LoRAs, which is part of the library."""
    found = find_run(studio.projects, run)
    file = confined(found.folder.root, wanted.file)
    if not file.is_file():
        raise InputError(f"The run {run} has no file {wanted.file}.", code="run.not_found", run=run, file=wanted.file)
    kept = keep_file(file, studio.workspace, studio.catalogue, wanted.name or found.folder.root.name, _picture_by(found, wanted.file))
    return Kept(file=str(kept))


@files.get("/runs/{run}/originals/{picture:path}", response_class=Response, responses={200: {"content": {"image/*": {}}}})
def get_original_of_copy(run: str, picture: str, studio: OpenStudio, if_none_match: IfNoneMatch = None) -> Response:
    """A training image that the proof of a run names, as it was trained on: in a folder, a manifest or a shard. No other file is shown."""
    root = find_run(studio.projects, run).folder.root
    record = read_record(root / PROOF)
    prompt = None if record is None else next((one for one in record.prompts.of("trained") if one.picture == picture), None)
    original = None if record is None or prompt is None else Originals(read_run(root).settings, record.originals).of(prompt)
    if not isinstance(original, Path | FilePart):
        raise InputError(
            f"The proof of the run {run} names no training image {picture} that is still there.", code="picture.not_found", picture=picture
        )
    return picture_response(original, if_none_match)


def _picture_by(found: FoundRun, file: str) -> Path | None:
    """A picture that a LoRA file of a run generated in its proof: the first with the trigger."""
    proof = proven_in(found.folder.root)
    if proof is None:
        return None
    drawn = [pictures for own, pictures in zip(proof.record.measured, proof.record.pictures, strict=True) if own.file == file]
    names = [prompt.name for prompt in proof.record.prompts.prompts if prompt.group != "other"]
    places = [proof.folder / pictures[name] for pictures in drawn for name in names if name in pictures]
    return next((place for place in places if place.is_file()), None)


def _not_proven(run: str) -> InputError:
    return InputError(f"The run {run} has not been proven yet. Add a job of the kind prove.", code="proof.not_found", run=run)


def _view(studio: Studio, found: FoundRun, record: RunRecord, proof: Proven) -> ProofView:
    verdict, kept = proof.verdict, proof.record
    address = f"/files/runs/{quote(found.id)}/{PROOF}/"
    checkpoints = [_checkpoint(one, _urls(address, own)) for one, own in zip(verdict.checkpoints, kept.pictures, strict=True)]
    names = {name for one in checkpoints for name in one.measures}
    recommended = None if verdict.recommended is None else checkpoints[verdict.recommended].file
    copy = None if recommended is None else kept_as(found.folder.root / recommended, studio.workspace)
    return ProofView(
        sentences=list(verdict.sentences), said=all_said(verdict.said), recommended=recommended, kept=None if copy is None else str(copy),
        as_good=[checkpoints[place].file for place in verdict.as_good], weight=verdict.weight, weights_as_good=list(verdict.weights_as_good),
        checkpoints=checkpoints, weights=_weights(address, proof),
        prompts=[
            ProofPrompt(name=prompt.name, group=prompt.group, text=prompt.text, seed=prompt.seed, base=_url(address, kept.base_pictures.get(prompt.name)))
            for prompt in kept.prompts.prompts
        ],
        measures={name: MeasureView(title=one.title, decides=one.decides, as_base=one.as_base) for name, one in MEASURES.items() if name in names},
        verdicts=meanings(),
        copies=_copies(studio, found, record, proof, checkpoints),
        findings=views((*left_out_findings(kept.left_out), *verdict.advice, *signs_of(verdict, record))),
        trained=kept.trained, held_out=kept.held_out, effort=kept.effort,
    )  # fmt: skip


def _checkpoint(one: CheckpointVerdict, pictures: dict[str, str]) -> ProvenCheckpoint:
    return ProvenCheckpoint(
        name=one.name, called=one.called, file=one.measured.file, epoch=one.measured.epoch, step=one.measured.step, verdict=one.headline,
        labels={label: judged.holds for label, judged in one.judged.items()}, score=_number(one.score.value, one.score.error),
        measures=_numbers(one.measured.measures), pictures=pictures,
    )  # fmt: skip


def _weights(address: str, proof: Proven) -> list[ProvenWeight]:
    """The weights that the verdict knows, with their pictures."""
    record = read_record(proof.folder, WEIGHTS_PROOF)
    if record is None or not proof.verdict.weights:
        return []
    return [
        ProvenWeight(weight=own.weight, measures=_numbers(own.measures), pictures=_urls(address, pictures))
        for own, pictures in zip(record.measured, record.pictures, strict=True)
    ]


def _copies(studio: Studio, found: FoundRun, record: RunRecord, proof: Proven, checkpoints: Sequence[ProvenCheckpoint]) -> list[CopyView]:
    """Of the recommended checkpoint; of the last that was drawn where there is none."""
    drawn = [place for place, one in enumerate(checkpoints) if one.pictures]
    place = proof.verdict.recommended if proof.verdict.recommended is not None else max(drawn, default=None)
    if place is None:
        return []
    originals = Originals(record.settings, proof.record.originals)
    dataset = studio.projects[found.project].dataset.resolve() if found.project else None
    shown = []
    for copy in copies_of(proof.verdict.checkpoints[place], proof.record.prompts):
        address = _original_url(found, dataset, copy.prompt, originals.of(copy.prompt))
        shown.append(
            CopyView(
                image=copy.image, original=address, drawn=checkpoints[place].pictures.get(copy.prompt.name), nearer=copy.nearer, by_heart=copy.by_heart,
            )
        )  # fmt: skip
    return shown


def _original_url(found: FoundRun, dataset: Path | None, prompt: Prompt, original: PictureSource | None) -> str | None:
    """The address of a training image: that of the project's picture, or of what the proof names."""
    if original is None:
        return None
    own = original.resolve() if isinstance(original, Path) else None
    if own is not None and dataset is not None and own.is_relative_to(dataset):
        return picture_url(found.project, own.relative_to(dataset).as_posix())
    return f"/files/runs/{quote(found.id)}/originals/{quote(prompt.picture)}"


def _numbers(measures: Mapping[str, Measure]) -> dict[str, Number]:
    found = {name: _number(measure.value, measure.error) for name, measure in measures.items()}
    return {name: number for name, number in found.items() if number is not None}


def _number(value: float, error: float | None) -> Number | None:
    if not math.isfinite(value):
        return None
    return Number(value=value, error=error if error is not None and math.isfinite(error) else None)


def _urls(address: str, pictures: Mapping[str, str]) -> dict[str, str]:
    return {prompt: address + quote(path) for prompt, path in pictures.items()}


def _url(address: str, path: str | None) -> str | None:
    return None if path is None else address + quote(path)
