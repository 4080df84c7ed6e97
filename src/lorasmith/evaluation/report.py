"""The report of a run: one page, made from the run's folder alone, at any time and again."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from lorasmith.command_line import quoted
from lorasmith.errors import DatasetError
from lorasmith.evaluation.local_folders import LocalFolders
from lorasmith.evaluation.loss_curve import change_curve, learning_rate_curve, loss_curve
from lorasmith.evaluation.proven import proven_in
from lorasmith.evaluation.run_record import PROOF, Proof, RunRecord, read_run
from lorasmith.evaluation.verdict_page import proof_sections, verdict_status
from lorasmith.findings import Finding
from lorasmith.images.read import read_picture
from lorasmith.pages import numbers
from lorasmith.pages.content import (
    Bar,
    Block,
    Code,
    Collapsible,
    Column,
    Curve,
    Facts,
    Figure,
    Figures,
    Findings,
    Listing,
    Page,
    Panel,
    Quiet,
    Section,
    Status,
    Strong,
    Table,
    Text,
    Tone,
    Verdict,
    Words,
)  # fmt: skip
from lorasmith.pages.picture import Picture
from lorasmith.pages.render import write_page
from lorasmith.training import events
from lorasmith.training.records.run_folder import RunFolder

MOST_MOMENTS = 60
"""Times that samples were generated which the page shows of each prompt: every epoch, but in very long runs."""
LARGE, SMALL = 640, 256
"""Longest side in pixels of a sample before and after, and over the epochs."""
PART_NAMES = {
    "unet": "U-Net", "transformer": "transformer", "text_encoder": "text encoder", "text_encoder_2": "second text encoder",
    "text_encoder_3": "third text encoder",
}  # fmt: skip

Item = TypeVar("Item")


def write_report(run_folder: str | Path) -> Path:
    """Write `report.html` into a run's folder and return its path.

    Raises
    ------
    SettingsError
        The folder is not that of a run.

    Examples
    --------
    >>> print(ls.write_report("runs/my-lora"))
    runs/my-lora/report.html
    """
    run = read_run(run_folder)
    write_page(run.folder.report, report_page(run))
    return run.folder.report


def report_page(run: RunRecord) -> Page:
    """What the report of a run contains."""
    proof = proven_in(run.folder.root, run.settings)
    sections = [
        *(proof_sections(run, proof) if proof is not None else ()),
        Section("Before and after", _before_and_after(run)),
        Section("Proof", _proof(run)),
        Section("Loss", _curves(run)),
        Section("Over the epochs", _over_the_epochs(run)),
        Section("Files", _files(run)),
        Section("Warnings", _warnings(run)),
        Section("To train it again", _inputs(run)),
    ]
    return Page(
        title=run.settings.name,
        kicker="A LoRA, trained with Lorasmith",
        top=(*((verdict_status(proof),) if proof is not None else ()), _status(run), _key_facts(run)),
        sections=tuple(section for section in sections if section.blocks),
        footer="Made by Lorasmith from the run's own folder.",
    )


# -- how it ended, and what it was ------------------------------------------------------------------------------------


def _status(run: RunRecord) -> Status:
    ending = run.ending
    so_far = f"{ending.step:,} of {numbers.count(run.planned.steps, 'step')}" if run.planned else numbers.count(ending.step, "step")
    when = time.strftime("%Y-%m-%d at %H:%M", time.localtime(ending.last_event))
    sentences: dict[str, tuple[Tone, str, str]] = {
        "finished": (
            "good",
            f"Finished{' early' if ending.reason else ''} in {numbers.count(ending.step, 'step')}, after "
            f"{numbers.duration(ending.seconds)} of training{_reason(LocalFolders.of(run.settings, run.folder.root).hidden_in(ending.reason))}",
            "",
        ),
        "stopped": (
            "warning",
            f"Stopped after {so_far}" + _reason(LocalFolders.of(run.settings, run.folder.root).hidden_in(ending.reason)),
            "Continue where it stopped",
        ),
        "going": ("busy", f"Still going: {so_far} when this page was made ({when}).", "Should it break off, continue"),
        "killed": (
            "warning",
            f"Killed, or out of power, after {so_far}; the last event is of {when}.",
            "Continue from the last saved state",
        ),
    }
    tone, sentence, hint = sentences[ending.kind]
    if not hint:
        return Status(tone, sentence)
    command = f"lorasmith resume {quoted(run.folder.root.resolve().name)}"
    return Status(tone, sentence, (f"{hint}, from the folder above this run's: ", Code(command)))


def _reason(reason: str) -> str:
    """Why a run was stopped, without the command to resume it, and without what the sentence before it says already."""
    why = re.split(r"[.;,] (?:go on|continue|resume)\b", reason, maxsplit=1, flags=re.IGNORECASE)[0].rstrip(".")
    return "." if not why or why.lower().startswith(("stopped after step", "stopped before step")) else f": {why}."


def _key_facts(run: RunRecord) -> Facts:
    settings, planned = run.settings, run.planned
    schedule = settings.schedule.lr_scheduler.replace("_", " ")
    ended = run.epochs[-1].epoch if run.epochs else 0
    steps = _of(len(run.steps), planned.steps if planned else None)
    return Facts(
        (
            ("Trigger word", Code(settings.captions.trigger) if settings.captions.trigger else "none"),
            ("Images", f"{planned.images:,}" if planned else "not counted yet"),
            ("Epochs", _of(ended, planned.epochs if planned else None)),
            ("Steps", (f"{steps} ", Quiet(f"batch size {settings.training.batch_size}"))),
            ("Training time", numbers.duration(run.ending.seconds)),
            ("Rank / alpha", f"{settings.network.rank} / {settings.network.alpha_value:g}"),
            ("Learning rate", _learning_rates(run)),
            ("Optimizer", (f"{settings.optimizer.type} ", Quiet(schedule))),
            ("Base", settings.base.path.name or str(settings.base.path)),
        )
    )


def _learning_rates(run: RunRecord) -> Words:
    """A line for each part that learns; which ones do is known from the first step on."""
    groups = {group.split()[0] for step in run.steps[:1] for group in step.lr}
    rates = {name: run.settings.lr_of(part) for part, name in PART_NAMES.items() if part in groups}
    lines = [(f"{numbers.learning_rate(rate)} ", Quiet(name), "\n") for name, rate in rates.items()]
    return tuple(part for line in lines for part in line)[:-1] or numbers.learning_rate(run.settings.optimizer.learning_rate)


def _of(done: int, whole: int | None) -> str:
    return f"{done:,}" if whole is None or done == whole else f"{done:,} of {whole:,}"


# -- samples ----------------------------------------------------------------------------------------------------------


def _before_and_after(run: RunRecord) -> tuple[Block, ...]:
    """Each prompt on the untouched base, beside the newest sample with the same prompt and seed."""
    if not run.samples:
        if run.settings.samples.any:
            return (Text("No sample has been generated yet.", quiet=True),)
        return (Text(("This run generates no samples. Set ", Code("samples.prompts"), " to see it learn."), quiet=True),)
    figures = []
    for (prompt, seed), by_step in run.samples.items():
        first, last = by_step[min(by_step)], by_step[max(by_step)]
        before = _panel(run.folder, first, "before", LARGE) if first.epoch == 0 else Panel(None, "before", "Not generated.")
        after = (
            _panel(run.folder, last, f"after epoch {last.epoch}", LARGE) if last.epoch > 0 else Panel(None, "after", "Not generated yet.")
        )
        figures.append(Figure((before, after), _named(prompt, seed)))
    return (Text("The same prompt and the same seed, without the LoRA and with it.", quiet=True), Figures(tuple(figures), "wide"))


def _over_the_epochs(run: RunRecord) -> tuple[Block, ...]:
    """For each prompt its samples in the order of training; nothing where there is one moment alone."""
    moments = sorted({(e.step, e.epoch) for by_step in run.samples.values() for e in by_step.values()})
    if len(moments) < 2:
        return ()
    ends = list({epoch: (step, epoch) for step, epoch in moments}.values())
    shown = moments if len(moments) <= MOST_MOMENTS else evenly_chosen(ends, MOST_MOMENTS)
    epochs = [epoch for _, epoch in shown]
    labels = {step: "base" if epoch == 0 else f"step {step:,}" if epochs.count(epoch) > 1 else f"epoch {epoch}" for step, epoch in shown}
    figures = []
    for (prompt, seed), by_step in run.samples.items():
        panels = [
            _panel(run.folder, by_step[step], label, SMALL) if step in by_step else Panel(None, label, "Not generated.")
            for step, label in labels.items()
        ]
        figures.append(Figure(tuple(panels), _named(prompt, seed)))
    left_out = len(moments) - len(shown)
    note = (Text(f"{left_out} of the {len(moments)} times that samples were generated are left out here.", quiet=True),) if left_out else ()
    return (*note, Figures(tuple(figures), "strip"))


def _named(prompt: str, seed: int) -> Words:
    return (f"“{prompt}” " if prompt else "an empty prompt ", Quiet(f"seed {seed}"))


def _panel(folder: RunFolder, sample: events.SampleReady, label: str, longest: int) -> Panel:
    """A sample; a note in its place where it is missing, damaged, or outside the run's folder."""
    path = _inside(folder.root, sample.path)
    try:
        image = read_picture(path) if path is not None else None
    except DatasetError:
        image = None
    if image is None:
        return Panel(None, label)
    model = "untouched base" if sample.epoch == 0 else f"epoch {sample.epoch}"
    alt = f"Sample of {model}, step {sample.step}: {sample.prompt or 'an empty prompt'} (seed {sample.seed})"
    return Panel(Picture.of(image, alt, longest), label)


def _inside(root: Path, relative: str) -> Path | None:
    """The path that an event names, or None where it leads out of the run's folder: a run may come from somebody else."""
    path = (root / relative).resolve()
    return path if path.is_relative_to(root.resolve()) else None


# -- evidence ---------------------------------------------------------------------------------------------------------


def _proof(run: RunRecord) -> tuple[Block, ...]:
    if run.proof_damaged:
        return (Text(f"{PROOF} is not in a form that this version knows, so it is not shown.", quiet=True),)
    if run.proof is None:
        return ()
    local = LocalFolders.of(run.settings, run.folder.root)
    columns = (Column("Measure"), Column("Verdict"), Column("Before"), Column("After"), Column("Wanted"))
    rows = tuple(
        (
            row.measure,
            Verdict("good", "✓ holds") if row.holds else Verdict("error", "✗ does not hold"),
            Bar(row.before, numbers.percent(row.before), faint=True),
            Bar(row.after, numbers.percent(row.after)),
            row.wanted,
        )
        for row in run.proof.rows
    )
    return (
        Text(
            (
                "Has it learned ",
                Strong(run.proof.subject),
                f"? {_verdict(run.proof)}, judged on {numbers.count(run.proof.samples, 'sample')}.",
            )
        ),
        Table("Proof", columns, rows),
        Text(("Measure it again, from the folder above the demo's: ", Code(local.hidden_in(run.proof.command))), quiet=True),
    )


def _verdict(proof: Proof) -> str:
    held, measures = sum(row.holds for row in proof.rows), len(proof.rows)
    if measures == 1:
        return "The one measure holds" if held else "The one measure does not hold"
    return f"All {measures} measures hold" if held == measures else f"{held} of {measures} measures hold"


def _curves(run: RunRecord) -> tuple[Curve, ...]:
    names = dict.fromkeys(name for step in run.steps for name in step.lr)
    rates = {PART_NAMES.get(name, name): [(s.step, s.lr[name]) for s in run.steps if name in s.lr] for name in names}
    curves: list[Curve | None] = [loss_curve([(s.step, s.loss) for s in run.steps], [(e.epoch, e.step) for e in run.epochs])]
    if run.validations:
        held_out = [(e.step, e.val_loss_delta, e.val_loss_delta_margin) for e in run.validations]
        trained = [(e.step, e.train_loss_delta, e.train_loss_delta_margin) for e in run.validations]
        curves.append(change_curve(held_out, trained))
    curves.append(learning_rate_curve(rates))
    return tuple(curve for curve in curves if curve is not None)


# -- files, warnings, inputs ------------------------------------------------------------------------------------------


def _files(run: RunRecord) -> tuple[Block, ...]:
    root = run.folder.root
    rows: list[tuple[Words, ...]] = []
    for saved in run.checkpoints:
        path = _inside(root, saved.path)
        size = numbers.file_size(path.stat().st_size) if path is not None and path.is_file() else "no longer there"
        name = Code(saved.path.removeprefix("checkpoints/"))
        rows.append(((name, Verdict("good", " final")) if saved.final else name, f"{saved.epoch:,}", f"{saved.step:,}", size))
    known = {saved.path for saved in run.checkpoints}
    for path in sorted(run.folder.checkpoints.glob("*.safetensors")):
        if path.relative_to(root).as_posix() not in known:
            note = Quiet(" from an earlier try, or copied there")
            rows.append(((Code(path.name), note), "?", "?", numbers.file_size(path.stat().st_size)))
    if not rows:
        return (Text("No LoRA file has been saved yet.", quiet=True),)
    columns = (Column("LoRA file"), Column("Epoch", "number"), Column("Step", "number"), Column("Size", "number"))
    lead = Text(("The LoRA files of this run, in its folder ", Code("checkpoints"), "."), quiet=True)
    return (lead, Table("LoRA files", columns, tuple(rows)))


def _warnings(run: RunRecord) -> tuple[Block, ...]:
    """What the run warned of, each once: findings whole, and sentences that differ only in names and numbers together."""
    local = LocalFolders.of(run.settings, run.folder.root)
    findings = [(warning.message, _finding_of(warning)) for warning in run.warnings]
    found = {message: local.hidden_in_finding(finding) for message, finding in findings if finding is not None}
    sentences = group_alike([local.hidden_in(message) for message, finding in findings if finding is None])
    others = [Finding("run.warning", "warning", message, about="run", details=tuple(alike)) for message, *alike in sentences]
    return (Findings((*found.values(), *others)),) if found or others else ()


def _finding_of(warning: events.Warned) -> Finding | None:
    """The finding in a warning, where there is one of a form that this version knows."""
    if warning.finding is None:
        return None
    try:
        return Finding.from_data(warning.finding)
    except (KeyError, TypeError, ValueError):
        return None


def _inputs(run: RunRecord) -> tuple[Block, ...]:
    local = LocalFolders.of(run.settings, run.folder.root)
    toml = local.hidden_in(run.folder.settings.read_text(encoding="utf-8-sig"))
    return (
        Collapsible("All settings", (Listing("settings.toml", toml),)),
        Collapsible("Versions, device and inputs", (_manifest(run.manifest),)),
    )


def _manifest(manifest: dict[str, Any] | None) -> Block:
    if manifest is None:
        return Text("The run has no manifest that can be read: it ended before one was written, or the file is damaged.", quiet=True)
    facts: dict[str, Any] = {key: manifest[key] for key in ("started", "device", "threads", "python", "platform") if key in manifest}
    facts |= _mapping(manifest.get("versions"))
    inputs = _mapping(manifest.get("inputs"))
    if pictures := _mapping(inputs.get("pictures")):
        facts["inputs"] = f"{numbers.count(len(pictures), 'image')} with captions, each with its hash"
    facts |= {f"base, {PART_NAMES.get(part, part)}": hashed for part, hashed in _mapping(inputs.get("base")).items()}
    rows = tuple((str(name), Code(str(value))) for name, value in facts.items())
    return Table("Versions, device and inputs", (Column("What"), Column("Value")), rows)


def _mapping(value: Any) -> dict[str, Any]:
    """The value where it is a JSON object; a manifest may be damaged."""
    return value if isinstance(value, dict) else {}


# -- choosing ---------------------------------------------------------------------------------------------------------


def evenly_chosen(items: Sequence[Item], most: int) -> list[Item]:
    """At most `most` (two or more) items, spread evenly, with the first and the last."""
    if len(items) <= most:
        return list(items)
    return [items[round(k * (len(items) - 1) / (most - 1))] for k in range(most)]


def group_alike(messages: Sequence[str]) -> list[list[str]]:
    """Messages in their order, each once, those together that differ only in file names and numbers."""
    groups: dict[str, list[str]] = {}
    for message in dict.fromkeys(messages):
        groups.setdefault(re.sub(r"\S*[/\\]\S*|\S+\.\w{2,11}\b|\d+(?:\.\d+)?", "*", message), []).append(message)
    return list(groups.values())
