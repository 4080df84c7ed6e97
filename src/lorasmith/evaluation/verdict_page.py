"""The proof of a run on its report: is it good, seen at once; the pictures side by side; the numbers behind a fold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lorasmith.errors import DatasetError
from lorasmith.evaluation.copies import Originals, copies_in_words, copies_of
from lorasmith.evaluation.measures.measured import MEASURES, Measure
from lorasmith.evaluation.prompts import Prompt
from lorasmith.evaluation.proof.left_out import left_out_findings
from lorasmith.evaluation.proof.record import read_record
from lorasmith.evaluation.proven import Proven
from lorasmith.evaluation.run_record import RunRecord
from lorasmith.evaluation.signs.signs import signs_of
from lorasmith.evaluation.verdict.checkpoint import CheckpointVerdict
from lorasmith.evaluation.verdict.labels import LABELS, NOT_DRAWN
from lorasmith.evaluation.verdict.verdict import Verdict
from lorasmith.images.file_part import PictureSource
from lorasmith.images.read import read_picture
from lorasmith.pages.content import (
    Block,
    Code,
    Collapsible,
    Column,
    Figure,
    Figures,
    Findings,
    Page,
    Panel,
    Quiet,
    Section,
    Status,
    Strong,
    Table,
    Text,
    Tone,
    Words,
)
from lorasmith.pages.content import Verdict as Judgement
from lorasmith.pages.numbers import count
from lorasmith.pages.picture import Picture

SIDE = 256
"""Longest side of a picture, in pixels."""
NEW_PROMPTS, OTHER_PROMPTS, COPIES = 4, 3, 6
"""Prompts that are shown; the pictures of all are in the proof's folder."""
UNSURE = "Nothing was held out to compare with, so each was compared with the base's picture of its caption, which makes it look nearer."
TONES: Mapping[str, Tone] = {"good": "good", "cannot tell": "note"}
"""Of a checkpoint's headline; the others are warnings."""


def verdict_status(proof: Proven) -> Status:
    """The verdict in a sentence or two."""
    verdict = proof.verdict
    chosen = None if verdict.recommended is None else verdict.checkpoints[verdict.recommended]
    tone: Tone = "warning" if chosen is None else TONES.get(chosen.headline, "warning")
    first, *others = verdict.sentences
    return Status(tone, first, " ".join(others))


def proof_sections(run: RunRecord, proof: Proven) -> tuple[Section, ...]:
    """What the report says about whether the LoRA is good."""
    shown = _shown(proof)
    findings = (*left_out_findings(proof.record.left_out), *proof.verdict.advice, *signs_of(proof.verdict, run))
    return (
        Section("Is it good?", (*_pictures(proof, shown), _checkpoints(proof), *((Findings(findings),) if findings else ()))),
        Section("Held by heart?", _copies(run, proof)),
        Section("How it was measured", (_how(proof), Collapsible("All numbers", tuple(_numbers(proof, shown))))),
    )


def proof_page(folder: Path, verdict: Verdict) -> Page:
    """A proof by itself, of a run's checkpoints or of files that anybody trained."""
    record = read_record(folder)
    assert record is not None, "a verdict has the record that it follows from"
    proof = Proven(folder, record, verdict)
    shown = _shown(proof)
    findings = (*left_out_findings(record.left_out), *verdict.advice)
    sections = (
        Section("Is it good?", (*_pictures(proof, shown), _checkpoints(proof), *((Findings(findings),) if findings else ()))),
        Section("How it was measured", (_how(proof), Collapsible("All numbers", tuple(_numbers(proof, shown))))),
    )
    return Page("Is it good?", sections, (verdict_status(proof),), kicker="A proof, by Lorasmith")


# -- pictures ---------------------------------------------------------------------------------------------------------


def _shown(proof: Proven) -> list[int]:
    """Places of the checkpoints that were drawn."""
    return [place for place, pictures in enumerate(proof.record.pictures) if pictures]


def _pictures(proof: Proven, shown: Sequence[int]) -> Iterable[Block]:
    """The same prompts and seeds on the base and on each checkpoint."""
    if not shown:
        yield Text("No picture was generated yet: the proof was stopped before.", quiet=True)
        return
    prompts = proof.record.prompts
    yield Text("New prompts with the trigger; the same prompt and seed in each row.", quiet=True)
    yield Figures(tuple(_row(proof, prompt, shown) for prompt in prompts.of("new")[:NEW_PROMPTS]), "strip")
    yield Text("Prompts without the trigger: these should stay as the base has them.", quiet=True)
    yield Figures(tuple(_row(proof, prompt, shown) for prompt in prompts.of("other")[:OTHER_PROMPTS]), "strip")


def _row(proof: Proven, prompt: Prompt, shown: Sequence[int]) -> Figure:
    panels = [picture_of(proof, proof.record.base_pictures.get(prompt.name), "base", prompt)]
    for place in shown:
        name = proof.verdict.checkpoints[place].name
        label = f"★ {name}" if place == proof.verdict.recommended else name
        panels.append(picture_of(proof, proof.record.pictures[place].get(prompt.name), label, prompt))
    return Figure(tuple(panels), (f"“{prompt.text}” ", Quiet(f"seed {prompt.seed}")))


def picture_of(proof: Proven, relative: str | None, label: str, prompt: Prompt) -> Panel:
    """A picture of a proof by its path in the proof's folder; without one where it is missing, or leads out of it."""
    path = None if relative is None else (proof.folder / relative).resolve()
    if path is None or not path.is_relative_to(proof.folder.resolve()):
        return Panel(None, label)
    return Panel(_read(path, f"{label}: {prompt.text} (seed {prompt.seed})"), label)


def _read(path: PictureSource, alt: str) -> Picture | None:
    try:
        return Picture.of(read_picture(path), alt, SIDE)
    except DatasetError:
        return None


def _copies(run: RunRecord, proof: Proven) -> tuple[Block, ...]:
    """Training images beside what their captions give, the nearest first."""
    verdict, record = proof.verdict, proof.record
    place = verdict.recommended if verdict.recommended is not None else max(_shown(proof), default=None)
    if place is None or not record.pictures[place]:
        return ()
    copies = copies_of(verdict.checkpoints[place], record.prompts)
    if not copies:
        return ()
    originals = Originals(run.settings, record.originals)
    figures = []
    for copy in copies[:COPIES]:
        original = originals.of(copy.prompt)
        own = Panel(
            None if original is None else _read(original, f"Training image {copy.image}"), "training image", "Not found in the datasets."
        )
        drawn = picture_of(proof, record.pictures[place].get(copy.prompt.name), verdict.checkpoints[place].name, copy.prompt)
        figures.append(Figure((own, drawn), (Code(copy.image), Quiet(" by heart" if copy.by_heart else ""))))
    return (Text((Strong(copies_in_words(copies)), Quiet(f" {UNSURE}" if not record.held_out else ""))), Figures(tuple(figures), "small"))


# -- numbers ----------------------------------------------------------------------------------------------------------


def _checkpoints(proof: Proven) -> Table:
    columns = (
        Column("Checkpoint"), Column("Verdict"), Column("Subject", "number"), Column("Other prompts kept", "number"), Column("Score", "number"),
    )  # fmt: skip
    return Table("Checkpoints", columns, tuple(_checkpoint_row(proof, place) for place in range(len(proof.verdict.checkpoints))))


def _checkpoint_row(proof: Proven, place: int) -> tuple[Words, ...]:
    verdict = proof.verdict
    one = verdict.checkpoints[place]
    mark = " ★ recommended" if place == verdict.recommended else " as good" if place in verdict.as_good else ""
    also = ", ".join(key for key, judged in one.judged.items() if judged.holds and key != one.headline)
    if one.headline == NOT_DRAWN:
        headline: Quiet | Judgement = Quiet(NOT_DRAWN)
    else:
        headline = Judgement(TONES.get(one.headline, "warning"), one.headline)
    return (
        (Strong(one.name), Quiet(mark)), (headline, Quiet(f" and {also}" if also else "")), _with_error(one, "subject"),
        _with_error(one, "keeps"), "" if one.score.value != one.score.value else f"{one.score.value:.2f} ± {one.score.error:.2f}",
    )  # fmt: skip


def _with_error(one: CheckpointVerdict, name: str) -> str:
    return value_with_error(one.measured.measures.get(name))


def value_with_error(measure: Measure | None) -> str:
    """0.83 ± 0.04."""
    if measure is None:
        return "–"
    return f"{measure.value:.2f}" + ("" if measure.error is None else f" ± {measure.error:.2f}")


def _how(proof: Proven) -> Block:
    record, prompts = proof.record, proof.record.prompts
    held_out = (
        f"{count(record.held_out, 'picture')} that {'was' if record.held_out == 1 else 'were'} never trained on"
        if record.held_out
        else "each training image against the others, since nothing was held out: margins are wider, and memorising is hard to tell"
    )
    flexible = " Captions say nothing besides the trigger, so new prompts were made up." if prompts.captions_say == "nothing" else ""
    bias = (
        " What held-out pictures share with the training images, such as one background, cannot be seen this way."
        if record.held_out
        else ""
    )
    not_drawn = (
        f" {count(left, 'checkpoint was', 'checkpoints were')} not drawn, as losses make them unlikely to be the best."
        if (left := len(record.measured) - len(_shown(proof)))
        else ""
    )
    return Text(
        f"{count(len(prompts.prompts), 'picture')} of the base and of each checkpoint that was drawn, with the same prompts and seeds; compared with "
        f"{held_out}.{not_drawn}{flexible}{bias} Subject: how far new pictures have come from the base (0) to real pictures (1). Other prompts kept: how "
        "well the base recognises its own prompts in the LoRA's pictures (1: as in its own). ± is one standard error.",
        quiet=True,
    )


def _numbers(proof: Proven, shown: Sequence[int]) -> Iterable[Block]:
    checkpoints = [proof.verdict.checkpoints[place] for place in shown] or list(proof.verdict.checkpoints)
    names = [name for name in MEASURES if any(name in one.measured.measures for one in checkpoints)]
    columns = (Column("Measure"), *(Column(one.name, "number") for one in checkpoints), Column("As the base", "number"))
    yield Table("Measures", columns, tuple(_measure_row(name, checkpoints) for name in names))
    yield Text(tuple(part for label in LABELS.values() for part in (Strong(f"{label.title}: "), f"{label.meaning} ")), quiet=True)
    if proof.verdict.weights:
        columns = (Column("Weight"), Column("Subject", "number"), Column("Other prompts kept", "number"))
        yield Table(
            "Weights of the recommended checkpoint", columns,
            tuple((f"{one.weight:g}", value_with_error(one.measures.get("subject")), value_with_error(one.measures.get("keeps"))) for one in proof.verdict.weights),
        )  # fmt: skip


def _measure_row(name: str, checkpoints: Sequence[CheckpointVerdict]) -> tuple[Words, ...]:
    title: Words = (MEASURES[name].title, Quiet("" if MEASURES[name].decides else " shown only"))
    return (title, *(_with_error(one, name) for one in checkpoints), _as_base(name))


def _as_base(name: str) -> str:
    value = MEASURES[name].as_base
    return "" if value is None else f"{value:g}"
