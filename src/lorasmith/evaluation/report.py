"""The report of a run: one page that can be sent to a friend and opened anywhere.

It is made from the run folder alone, so it can be made at any time and again: of a run that finished, was stopped, was killed
or is still going. Pictures and style lie inside the file, it runs no script and asks no other machine for anything.
"""

from __future__ import annotations

import base64
import io
import json
import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lorasmith.atomic import write_atomically
from lorasmith.errors import DatasetError, SettingsError
from lorasmith.evaluation.loss_curve import change_curve, describe_changes, describe_losses, learning_rate_curve, loss_curve, spoken_rate
from lorasmith.images.read import read_picture
from lorasmith.training import events
from lorasmith.training.events import Event, read_events
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.settings.tree import Settings

PROOF = "proof.json"
MOST_COLUMNS = 8  # epochs in the table of samples
LARGE, SMALL = 640, 256  # longest side in pixels of a picture in the before-and-after sheet, and in the table
PIXEL_ART = 128  # pictures up to this size, in pixels, are scaled up without blur
SIGN_OF_LIFE = 120.0  # seconds without an event, and longer than ten steps take, after which a run counts as broken off
PART_NAMES = {"unet": "U-Net", "text_encoder": "text encoder"}
UNTOUCHED = "untouched base"


def write_report(run_folder: Path) -> Path:
    """Write `report.html` into a run folder and return its path.

    Raises SettingsError where the folder holds no run.
    """
    folder = RunFolder(run_folder)
    write_atomically(folder.report, report_page(read_story(folder)).encode())
    return folder.report


# -- what happened ----------------------------------------------------------------------------------------------------


class ProofRow(BaseModel):
    """One measure: its value, 0-1, without and with the LoRA, and whether that is what is wanted."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    measure: str
    before: float = Field(ge=0, le=1)
    after: float = Field(ge=0, le=1)
    wanted: str
    holds: bool


class Proof(BaseModel):
    """The evidence in `proof.json`; `samples` pictures were judged, and `command` does it again."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    subject: str
    rows: list[ProofRow] = Field(min_length=1)
    samples: int
    command: str


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `kind` is finished, stopped, going or broken; `advice` stands before the command to go on."""

    kind: str
    word: str
    sentence: str
    advice: str = ""


@dataclass(frozen=True)
class Story:
    """Everything of a run that the page tells."""

    folder: RunFolder
    settings: Settings
    manifest: dict[str, Any] | None
    proof: Proof | str | None  # a sentence where proof.json cannot be used
    outcome: Outcome
    planned: events.Planned | None
    steps: list[events.StepDone]
    epochs: list[events.EpochDone]
    samples: dict[tuple[str, int], dict[int, events.SampleReady]]  # by (prompt, seed), then by step
    checkpoints: list[events.CheckpointSaved]
    validations: list[events.ValidationDone]
    warnings: list[str]
    seconds: float


def read_story(folder: RunFolder) -> Story:
    """Read what lies in a run folder; raises SettingsError where that is no run."""
    settings = folder.read_settings()
    if not folder.events.is_file():
        raise SettingsError(f"{folder.root} has settings but no events.jsonl, so nothing was run there; give the folder of a run")
    try:
        told = list(read_events(folder.events))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise SettingsError(f"{folder.events} cannot be read as the events of a run ({error}); put the file back as it was") from error
    happened = [event for _, event in told]
    # By number, since a run that was killed before its first saved state tells its first steps twice.
    steps = {e.step: e for e in happened if isinstance(e, events.StepDone)}
    epochs = {e.epoch: e for e in happened if isinstance(e, events.EpochDone)}
    checkpoints = {e.path: e for e in happened if isinstance(e, events.CheckpointSaved)}
    validations = {e.step: e for e in happened if isinstance(e, events.ValidationDone)}
    planned = next((e for e in reversed(happened) if isinstance(e, events.Planned)), None)
    samples: dict[tuple[str, int], dict[int, events.SampleReady]] = {}
    for event in happened:
        if isinstance(event, events.SampleReady):
            samples.setdefault((event.prompt, event.seed), {})[event.step] = event
    finished = _finish_of(happened, max(steps, default=0))
    return Story(
        folder, settings, _read_manifest(folder.manifest), _read_proof(folder.root / PROOF), _outcome(told, planned, steps), planned,
        [steps[k] for k in sorted(steps)], [epochs[k] for k in sorted(epochs)], samples,
        sorted(checkpoints.values(), key=lambda e: (e.step, e.final, e.path)),
        [validations[k] for k in sorted(validations)],
        [e.message for e in happened if isinstance(e, events.Warned)],
        finished.seconds if finished else sum(e.seconds for e in steps.values()),
    )  # fmt: skip


def _finish_of(happened: Sequence[Event], last_step: int) -> events.Finished | None:
    """The run's end, unless it was made longer afterwards and went on."""
    return next((e for e in reversed(happened) if isinstance(e, events.Finished) and e.step >= last_step), None)


def _outcome(told: Sequence[tuple[float, Event]], planned: events.Planned | None, steps: dict[int, events.StepDone]) -> Outcome:
    happened = [event for _, event in told]
    done = max(steps, default=0)
    finished = _finish_of(happened, done)
    if finished is not None:
        return Outcome(
            "finished", "Finished", f"Finished in {_count(finished.step, 'step')}, after {spoken_seconds(finished.seconds)} of training."
        )
    so_far = f"{done:,} of {_count(planned.steps, 'step')}" if planned else _count(done, "step")
    last = happened[-1] if happened else None
    if isinstance(last, events.Stopped):
        reason = last.reason.partition("; go on with")[0].rstrip(".")
        sentence = f"Stopped after {so_far}" + ("." if reason.startswith("stopped after step") else f": {reason}.")
        return Outcome("stopped", "Stopped", sentence, "Go on where it stopped:")
    heard = told[-1][0] if told else 0.0
    patience = max(SIGN_OF_LIFE, 10 * max((step.seconds for step in steps.values()), default=0.0))
    when = time.strftime("%Y-%m-%d at %H:%M", time.localtime(heard))
    if time.time() - heard < patience:
        return Outcome(
            "going", "Still going", f"Still going: {so_far} when this page was made ({when}).", "Should it break off, go on with:"
        )
    return Outcome(
        "broken", "Broken off", f"Broken off without a word after {so_far}; last heard of on {when}.", "Go on from the last saved state:"
    )


def _read_manifest(path: Path) -> dict[str, Any] | None:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # killed before it was written
    return manifest if isinstance(manifest, dict) else None


def _read_proof(path: Path) -> Proof | str | None:
    try:
        return Proof.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        return f"{PROOF} lies in the run folder but is not of the form that this version knows, so it is not shown."


# -- the page ---------------------------------------------------------------------------------------------------------


def report_page(story: Story) -> str:
    """The whole page as HTML."""
    name = escape(story.settings.name)
    sections = [
        _before_and_after(story), _proof(story.proof), _curves(story), _over_the_epochs(story), _files(story), _warnings(story.warnings),
        _details(story),
    ]  # fmt: skip
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{name} - Lorasmith</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<p class="eyebrow">A LoRA, trained with Lorasmith</p>
<h1>{name}</h1>
{_outcome_html(story)}
</header>
<main>
{_key_facts(story)}
{"".join(section for section in sections if section)}</main>
<footer><p>Made from the run's own folder by Lorasmith.</p></footer>
</body>
</html>
"""


def _outcome_html(story: Story) -> str:
    outcome = story.outcome
    html = f'<p class="outcome {outcome.kind}"><span class="dot" aria-hidden="true"></span>{escape(outcome.sentence)}</p>'
    if outcome.advice:
        command = f"lorasmith resume {shlex.quote(str(story.folder.root))}"
        html += f'\n<p class="advice">{outcome.advice} <code>{escape(command)}</code></p>'
    return html


def _key_facts(story: Story) -> str:
    settings, planned, done = story.settings, story.planned, len(story.steps)
    rates = {part: settings.lr_of(part) for part in PART_NAMES}
    schedule = settings.schedule.lr_scheduler.replace("_", " ")
    ended = story.epochs[-1].epoch if story.epochs else 0
    facts = {
        "Trigger word": f"<code>{escape(settings.captions.trigger)}</code>" if settings.captions.trigger else "none",
        "Pictures": f"{planned.pictures:,}" if planned else "not counted yet",
        "Epochs": _of(ended, planned.epochs if planned else None),
        "Steps": _of(done, planned.steps if planned else None) + f" <small>batch size {settings.training.batch_size}</small>",
        "Training time": spoken_seconds(story.seconds),
        "Rank / alpha": f"{settings.network.rank} / {settings.network.alpha_value:g}",
        "Learning rate": "<br>".join(f"{spoken_rate(rate)} <small>{PART_NAMES[part]}</small>" for part, rate in rates.items() if rate > 0),
        "Optimizer": f"{settings.optimizer.type} <small>{escape(schedule)}</small>",
        "Base": escape(settings.base.path.name or str(settings.base.path)),
    }
    items = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>\n" for name, value in facts.items())
    return f'<section aria-labelledby="facts"><h2 id="facts" class="unseen">Key facts</h2>\n<dl class="facts">\n{items}</dl></section>\n'


def _before_and_after(story: Story) -> str:
    """Each prompt as the untouched base draws it, beside the newest picture of the same prompt and seed."""
    cards = []
    for (prompt, seed), by_step in story.samples.items():
        ordered = [by_step[step] for step in sorted(by_step)]
        first, last = ordered[0], ordered[-1]
        before = _shown(story, first, "before", LARGE) if first.epoch == 0 else '<div class="shot"><p class="gone">not drawn</p></div>'
        after = (
            _shown(story, last, f"after epoch {last.epoch}", LARGE)
            if last.epoch > 0
            else '<div class="shot"><p class="gone">not drawn yet</p><span class="tag">after</span></div>'
        )
        caption = (
            f'<q>{escape(prompt)}</q> <span class="seed">seed {seed}</span>'
            if prompt
            else f'an empty prompt <span class="seed">seed {seed}</span>'
        )
        cards.append(f'<figure class="pair"><div class="shots">{before}{after}</div><figcaption>{caption}</figcaption></figure>\n')
    if not cards:
        words = "This run draws no samples; name some under <code>samples.prompts</code> to see it learn."
        body = f'<p class="quiet">{words if not story.settings.samples.prompts else "No sample has been drawn yet."}</p>'
    else:
        lead = '<p class="quiet">The same prompt and the same seed, without the LoRA and with it.</p>'
        body = f'{lead}\n<div class="pairs">\n{"".join(cards)}</div>'
    return f'<section aria-labelledby="sheet"><h2 id="sheet">Before and after</h2>\n{body}</section>\n'


def _proof(proof: Proof | str | None) -> str:
    if proof is None:
        return ""
    if isinstance(proof, str):
        return f'<section aria-labelledby="proof"><h2 id="proof">Proof</h2><p class="quiet">{escape(proof)}</p></section>\n'
    held = sum(row.holds for row in proof.rows)
    verdict = f"All {len(proof.rows)} measures hold" if held == len(proof.rows) else f"{held} of {_count(len(proof.rows), 'measure')} hold"
    if len(proof.rows) == 1:
        verdict = "The one measure holds" if held else "The one measure does not hold"
    rows = "".join(
        f'<tr><th scope="row">{escape(row.measure)}</th><td class="{"yes" if row.holds else "no"}">{"✓ holds" if row.holds else "✗ does not hold"}</td>'
        f"{_share(row.before, 'old')}{_share(row.after, 'new')}<td>{escape(row.wanted)}</td></tr>\n"
        for row in proof.rows
    )
    return f"""<section aria-labelledby="proof"><h2 id="proof">Proof</h2>
<p>Has it learned <strong>{escape(proof.subject)}</strong>? {verdict}, judged on {_count(proof.samples, "sample")}.</p>
<div class="scroll" role="region" aria-labelledby="proof" tabindex="0"><table class="proof">
<thead><tr>{"".join(f'<th scope="col">{head}</th>' for head in ("Measure", "Verdict", "Before", "After", "Wanted"))}</tr></thead>
<tbody>
{rows}</tbody></table></div>
<p class="quiet">Measure it again: <code>{escape(proof.command)}</code></p></section>
"""


def _share(value: float, kind: str) -> str:
    percent = f"{100 * value:.1f}".removesuffix(".0")
    bar = f'<span class="bar {kind}" aria-hidden="true"><span style="width: {100 * value:.1f}%"></span></span>'
    return f'<td class="share">{percent} %{bar}</td>'


def _curves(story: Story) -> str:
    losses = [(step.step, step.loss) for step in story.steps]
    words = describe_losses(losses) if losses else "No step has been done yet."
    names = list(dict.fromkeys(name for step in story.steps for name in step.lr))
    rates = {PART_NAMES.get(name, name): [(s.step, s.lr[name]) for s in story.steps if name in s.lr] for name in names}
    curve = learning_rate_curve(rates)
    judged = _validation(story)
    small = f'<figure class="curve-box">\n{curve}\n<figcaption>The learning rate.</figcaption></figure>\n' if curve else ""
    drawn = loss_curve(losses, [(e.epoch, e.step) for e in story.epochs])
    large = f'<figure class="curve-box">\n{drawn}\n<figcaption>{escape(words)}</figcaption></figure>\n'
    return f'<section aria-labelledby="curve"><h2 id="curve">Loss</h2>\n{large}{judged}{small}</section>\n'


def _validation(story: Story) -> str:
    """How the run did on pictures that it never trained on; nothing where none were held out."""
    if not story.validations:
        return ""
    held_out = [(e.step, e.held_out_change, e.held_out_change_margin) for e in story.validations]
    trained = [(e.step, e.trained_change, e.trained_change_margin) for e in story.validations]
    curve, words = change_curve(held_out, trained), describe_changes(held_out, trained)
    return f'<figure class="curve-box">\n{curve}\n<figcaption>{escape(words)}</figcaption></figure>\n'


def _over_the_epochs(story: Story) -> str:
    """A table of samples: a row for each prompt, a column for each time that samples were drawn."""
    moments = sorted({(e.step, e.epoch) for by_step in story.samples.values() for e in by_step.values()})
    if len(moments) < 2:
        return ""
    shown = evenly_chosen(moments, MOST_COLUMNS)
    numbers = [epoch for _, epoch in shown]
    heads = "".join(f'<th scope="col">{_moment(step, epoch, numbers.count(epoch) > 1)}</th>' for step, epoch in shown)
    bodies = []
    for (prompt, seed), by_step in story.samples.items():
        cells = "".join(f"<td>{_shown(story, by_step[step], '', SMALL) if step in by_step else ''}</td>" for step, _ in shown)
        words = f'<span class="row-name">{escape(prompt) or "an empty prompt"} <span class="seed">seed {seed}</span></span>'
        bodies.append(f'<tbody><tr><th scope="rowgroup" colspan="{len(shown)}">{words}</th></tr>\n<tr>{cells}</tr></tbody>\n')
    left_out = len(moments) - len(shown)
    note = f'<p class="quiet">{left_out} of the {len(moments)} times that samples were drawn are left out here.</p>\n' if left_out else ""
    return (
        f'<section aria-labelledby="epochs"><h2 id="epochs">Over the epochs</h2>\n{note}'
        f'<div class="scroll" role="region" aria-labelledby="epochs" tabindex="0"><table class="samples">\n'
        f"<thead><tr>{heads}</tr></thead>\n{''.join(bodies)}</table></div></section>\n"
    )


def _moment(step: int, epoch: int, with_step: bool) -> str:
    if epoch == 0:
        return "base"
    return f"epoch {epoch}" + (f"<br><small>step {step:,}</small>" if with_step else "")


def _files(story: Story) -> str:
    root = story.folder.root
    rows, named = [], set()
    for saved in story.checkpoints:
        named.add(saved.path)
        path = _inside(root, saved.path)
        size = spoken_size(path.stat().st_size) if path is not None and path.is_file() else "no longer there"
        final = ' <strong class="final">final</strong>' if saved.final else ""
        rows.append((saved.path, final, f"{saved.epoch:,}", f"{saved.step:,}", size))
    for path in sorted(story.folder.checkpoints.glob("*.safetensors")):
        if (relative := path.relative_to(root).as_posix()) not in named:
            rows.append((relative, " <small>from an earlier try, or put there</small>", "?", "?", spoken_size(path.stat().st_size)))
    if not rows:
        return '<section aria-labelledby="files"><h2 id="files">Files</h2><p class="quiet">No LoRA file has been saved yet.</p></section>\n'
    lines = "".join(
        f'<tr><th scope="row"><code>{escape(path.removeprefix("checkpoints/"))}</code>{note}</th><td class="number">{epoch}</td><td class="number">{step}</td>'
        f'<td class="number">{size}</td></tr>\n'
        for path, note, epoch, step, size in rows
    )
    numbers = "".join(f'<th scope="col" class="number">{head}</th>' for head in ("Epoch", "Step", "Size"))
    return f"""<section aria-labelledby="files"><h2 id="files">Files</h2>
<p class="quiet">LoRA files of this run, in its folder <code>checkpoints</code>.</p>
<div class="scroll" role="region" aria-labelledby="files" tabindex="0"><table>
<thead><tr><th scope="col">LoRA file</th>{numbers}</tr></thead>
<tbody>
{lines}</tbody></table></div></section>
"""


def _warnings(messages: Sequence[str]) -> str:
    if not messages:
        return ""
    items = []
    for alike in group_alike(messages):
        words = escape(alike[0])
        if len(alike) > 1:
            others = "".join(f"<li>{escape(message)}</li>" for message in alike[1:])
            words += f"<details><summary>{len(alike) - 1} more like this</summary><ul>{others}</ul></details>"
        items.append(f"<li>{words}</li>\n")
    return f'<section aria-labelledby="warnings"><h2 id="warnings">Warnings</h2>\n<ul class="warnings">\n{"".join(items)}</ul></section>\n'


def _details(story: Story) -> str:
    toml = story.folder.settings.read_text(encoding="utf-8-sig")
    return f"""<section aria-labelledby="again"><h2 id="again">To train it again</h2>
<details><summary>All settings</summary><pre tabindex="0" aria-label="settings.toml">{escape(toml)}</pre></details>
<details><summary>Versions, device and inputs</summary>{_manifest_html(story.manifest)}</details></section>
"""


def _manifest_html(manifest: dict[str, Any] | None) -> str:
    if manifest is None:
        return '<p class="quiet">The run has no manifest: it ended before one was written.</p>'
    inputs = manifest.get("inputs")
    inputs = inputs if isinstance(inputs, dict) else {}
    facts: dict[str, Any] = {key: manifest[key] for key in ("started", "device", "threads", "python", "platform") if key in manifest}
    if isinstance(versions := manifest.get("versions"), dict):
        facts.update(versions)
    if isinstance(pictures := inputs.get("pictures"), dict):
        facts["inputs"] = f"{_count(len(pictures), 'picture')} with captions, each with its hash"
    if isinstance(base := inputs.get("base"), dict):
        facts.update({f"base, {PART_NAMES.get(part, part)}": fingerprint for part, fingerprint in base.items()})
    rows = "".join(
        f'<tr><th scope="row">{escape(str(name))}</th><td><code>{escape(str(value))}</code></td></tr>\n' for name, value in facts.items()
    )
    return f'<div class="scroll"><table>\n<tbody>\n{rows}</tbody></table></div>'


# -- pictures ---------------------------------------------------------------------------------------------------------


def _shown(story: Story, sample: events.SampleReady, tag: str, longest: int) -> str:
    """A sample with its tag, as part of the page; a note where the picture is gone or damaged."""
    label = f'<span class="tag">{escape(tag)}</span>' if tag else ""
    path = _inside(story.folder.root, sample.path)
    try:
        if path is None:
            raise DatasetError("it lies outside the run folder")
        picture = read_picture(path)
    except DatasetError:
        return f'<div class="shot"><p class="gone">picture is missing or damaged</p>{label}</div>'
    kind = ' class="pixels"' if max(picture.size) <= PIXEL_ART else ""
    picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    data = base64.b64encode(file.getvalue()).decode()
    drawn_by = UNTOUCHED if sample.epoch == 0 else f"epoch {sample.epoch}"
    alt = escape(f"Sample of {drawn_by}, step {sample.step}: {sample.prompt or 'an empty prompt'} (seed {sample.seed})")
    width, height = picture.size
    return f'<div class="shot"><img{kind} src="data:image/png;base64,{data}" width="{width}" height="{height}" alt="{alt}">{label}</div>'


def _inside(root: Path, relative: str) -> Path | None:
    """The path that an event names, or None where it leads out of the run folder: a run may come from somebody else."""
    path = (root / relative).resolve()
    return path if path.is_relative_to(root.resolve()) else None


# -- words ------------------------------------------------------------------------------------------------------------


def spoken_seconds(seconds: float) -> str:
    """A duration for people: 0.8 s, 42 s, 1 min 42 s, 2 h 5 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(whole / 60)
    return f"{minutes // 60:,} h {minutes % 60} min"


def spoken_size(size: int) -> str:
    """A file's size for people: 512 bytes, 640 kB, 36.5 MB."""
    if size < 1000:
        return _count(size, "byte")
    if size < 999_500:
        return f"{size / 1000:.0f} kB"
    return f"{size / 1e6:.1f} MB" if size < 999_950_000 else f"{size / 1e9:.2f} GB"


def evenly_chosen(items: Sequence[Any], most: int) -> list[Any]:
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


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _of(done: int, whole: int | None) -> str:
    return f"{done:,}" if whole is None or done == whole else f"{done:,} of {whole:,}"


STYLE = """
:root {
  --ground: #f7f6f3; --card: #ffffff; --ink: #1d1b26; --quiet: #5c5868; --edge: #e2dfe8;
  --accent: #4f46e5; --good: #0b6b3a; --bad: #b3261e; --alert: #855300; --curve: #4f46e5; --curve-faint: #bcb8f0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #131218; --card: #1d1b24; --ink: #eceaf3; --quiet: #aba7ba; --edge: #34313f;
    --accent: #b1acff; --good: #74dfa4; --bad: #ff9c92; --alert: #f2c46d; --curve: #a29bff; --curve-faint: #4b4680;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 62rem; padding: clamp(1rem, 4vw, 3rem); background: var(--ground); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; overflow-wrap: break-word;
}
h1 { font-size: clamp(2rem, 7vw, 3.25rem); line-height: 1.1; letter-spacing: -0.02em; margin: 0.1rem 0 0.8rem; overflow-wrap: anywhere; }
h2 { font-size: 1.35rem; letter-spacing: -0.01em; margin: 3rem 0 0.6rem; }
p { margin: 0.4rem 0; }
.eyebrow { color: var(--accent); font-weight: 600; font-size: 0.9rem; margin: 0; }
.outcome { font-size: 1.15rem; }
.dot { display: inline-block; width: 0.7em; height: 0.7em; border-radius: 50%; margin-right: 0.55em; background: var(--good); }
.stopped .dot, .broken .dot { background: var(--alert); }
.going .dot { background: var(--accent); }
.quiet, .advice, figcaption, footer, small, .seed { color: var(--quiet); }
small, .seed { font-size: 0.82rem; font-weight: 400; }
code { font: 0.9em/1.4 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.advice code, p.quiet code { color: var(--ink); background: var(--card); border: 1px solid var(--edge);
  border-radius: 0.35rem; padding: 0.1rem 0.4rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(10.2rem, 45%), 1fr)); gap: 1px; margin: 1.6rem 0 0;
  background: var(--card); border: 1px solid var(--edge); border-radius: 0.9rem; overflow: hidden; }
.facts > div { box-shadow: 0 0 0 1px var(--edge); padding: 0.75rem 1rem; }
.facts dt { color: var(--quiet); font-size: 0.82rem; }
.facts dd { margin: 0.1rem 0 0; font-weight: 600; overflow-wrap: anywhere; }
.facts dd small { white-space: nowrap; }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); gap: 1.25rem; margin-top: 1rem; }
figure { margin: 0; }
.pair { background: var(--card); border: 1px solid var(--edge); border-radius: 0.9rem; padding: 0.75rem; }
.shots { display: grid; grid-template-columns: 1fr 1fr; gap: 0.6rem; align-items: start; }
.shot { position: relative; }
.shot img { display: block; width: 100%; height: auto; border-radius: 0.5rem; }
.pixels { image-rendering: pixelated; }
.tag { position: absolute; left: 0.5rem; bottom: 0.5rem; padding: 0.05rem 0.55rem; border-radius: 1rem;
  font-size: 0.8rem; color: #fff; background: rgb(20 18 28 / 0.82); }
.gone { margin: 0; min-height: 7rem; display: grid; place-items: center; text-align: center; padding: 0.5rem;
  font-size: 0.85rem; color: var(--quiet);
  border: 1px dashed var(--edge); border-radius: 0.5rem; }
.samples .gone { min-height: 5rem; }
.pair figcaption { margin: 0.6rem 0.15rem 0; }
q { color: var(--ink); overflow-wrap: anywhere; }
.curve-box { background: var(--card); border: 1px solid var(--edge); border-radius: 0.9rem;
  padding: 0.6rem 0.75rem 0.9rem; margin-top: 1rem; }
.curve-box figcaption { padding: 0 0.4rem; font-size: 0.9rem; }
.scroll { overflow-x: auto; border: 1px solid var(--edge); border-radius: 0.9rem; background: var(--card); margin: 0.8rem 0; }
.scroll:focus-visible, summary:focus-visible, pre:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: 0.95rem; }
th, td { text-align: left; padding: 0.55rem 0.9rem; vertical-align: top; font-weight: 400; }
thead th { color: var(--quiet); font-size: 0.82rem; white-space: nowrap; }
tbody tr { border-top: 1px solid var(--edge); }
th code { overflow-wrap: normal; white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.proof th[scope=row] { min-width: 8rem; }
.share { font-variant-numeric: tabular-nums; white-space: nowrap; min-width: 6rem; font-weight: 600; }
.bar { display: block; height: 5px; border-radius: 3px; background: var(--edge); margin-top: 0.25rem; overflow: hidden; }
.bar span { display: block; height: 100%; background: var(--quiet); }
.bar.new span { background: var(--accent); }
.yes, .no { font-weight: 600; white-space: nowrap; }
.yes { color: var(--good); }
.no { color: var(--bad); }
.final { color: var(--good); font-size: 0.82rem; margin-left: 0.4rem; }
.samples { width: auto; }
.samples .shot { width: 6.25rem; }
.row-name { position: sticky; left: 0.5rem; display: inline-block; max-width: min(50rem, calc(100vw - 4rem)); overflow-wrap: anywhere; }
.samples th, .samples td { padding: 0.3rem 0.3rem 0.3rem 0.5rem; }
.samples tbody th { padding: 0.6rem 0.5rem 0; }
.samples tbody tr + tr { border-top: 0; }
.warnings { padding-left: 1.2rem; }
.warnings li { margin: 0.5rem 0; overflow-wrap: anywhere; }
.warnings > li::marker { content: "! "; color: var(--alert); font-weight: 700; }
details { margin: 0.6rem 0; }
summary { cursor: pointer; color: var(--accent); padding: 0.2rem 0; }
pre { overflow-x: auto; background: var(--card); border: 1px solid var(--edge); border-radius: 0.9rem; padding: 1rem;
  font: 0.82rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
footer { margin-top: 4rem; font-size: 0.85rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
"""
