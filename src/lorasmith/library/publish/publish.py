"""A LoRA made ready for others: one folder or ZIP with the file under its public name, pictures and a card.

Zorvex.safetensors    metadata without what is private
Zorvex.png            the first picture, where UIs look for it
Zorvex.json           triggers and weight, where AUTOMATIC1111 and Forge look for them
images/1.png ...      pictures with how they were generated
README.md             the card, with the head that the hub reads
card.json             the same as data
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lorasmith.adapters.compatibility.check import check_file
from lorasmith.atomic import aside_of
from lorasmith.errors import AdapterError, InputError, RunError
from lorasmith.findings import Finding, worst_first
from lorasmith.library.edit import Edit, edit_lora, thumbnail_of
from lorasmith.library.publish.card import Card, as_markdown, make_card
from lorasmith.library.publish.checks import publish_findings
from lorasmith.library.publish.name import name_findings, published_name
from lorasmith.library.publish.pictures import Preview, generated_previews, pictures_of, prompts_for, read_previews
from lorasmith.library.publish.subject import Subject, open_subject
from lorasmith.models.families import FAMILIES

DAMAGE = ("check.not_finite", "check.changes_nothing")
"""What `check` finds that keeps a file from being published; other problems may be the base's."""
CARD, README, IMAGES = "card.json", "README.md", "images"
WEIGHT = "lorasmith_weight"
"""The metadata's entry with the weight that the verdict recommends; programs that read no file beside a LoRA find it there."""


@dataclass(frozen=True)
class Published:
    """What was made ready, or would be."""

    name: str
    source: Path
    """The file that it was made from."""
    out: Path | None
    """The folder or ZIP; None where nothing was written, because it was not asked for or an error is among the findings."""
    files: tuple[str, ...]
    card: Card
    findings: tuple[Finding, ...]

    @property
    def as_data(self) -> dict[str, Any]:
        """For --json."""
        return {
            "name": self.name, "source": self.source, "out": self.out, "files": list(self.files), "card": self.card.as_data,
            "findings": [finding.as_data for finding in self.findings],
        }  # fmt: skip


def publish(
    source: str | Path, out: str | Path, *, name: str | None = None, description: str = "", author: str = "", license: str = "",
    rights: str = "", base_model: str = "", pictures: Sequence[str | Path] = (), base: str | Path | None = None,
    prompts: Sequence[str] = (), repository: str = "", keep_private: bool = False, overwrite: bool = False, dry_run: bool = False,
) -> Published:  # fmt: skip
    """Make a LoRA ready to upload: a folder, or a ZIP where `out` ends so, with the file, pictures and a card.

    Parameters
    ----------
    source
        A run, of which the checkpoint is taken that the verdict recommends; or a LoRA file.
    name
        Of the file. None: as its training calls it. What a file name should not have is taken out.
    rights
        Where the rights to the training images come from, in the maker's words. Empty: what was confirmed of the run's datasets.
    base_model
        The base's repository on the hub, such as owner/name.
    pictures
        Instead of those of the run's proof or samples.
    base, prompts
        The base model, with which pictures are generated where there are none.
    repository
        The id on the hub that the card names.
    keep_private
        Keep metadata that name folders, tags or programs.

    Raises
    ------
    InputError
        There is nothing to publish, or `out` holds something else.

    Examples
    --------
    >>> published = ls.publish("my-lora.safetensors", "to-upload", license="cc-by-4.0")
    >>> published.files[0]
    'my-lora.safetensors'
    """
    subject, out = open_subject(source, rights), Path(out)
    _check_free(out, overwrite)
    wanted = (name or "").removesuffix(".safetensors") or subject.name
    final = published_name(wanted)
    previews = _previews(subject, final, pictures, base, prompts)
    given = {"description": description, "author": author, "license": license, "thumbnail": _thumbnail(previews)}
    edit = _edit(subject, final, given, keep_private, None)
    family, network, loads_in, problems = _network(subject.file)
    hashes = {"AutoV2": edit.after.sha256[:10], "AutoV3": edit.after.auto_v3[:12], "SHA256": edit.after.sha256}
    card = make_card(
        subject, final, previews, family=family, network=network, loads_in=loads_in, hashes=hashes,
        description=description, author=author, license=license, base_model=base_model,
    )  # fmt: skip
    findings = worst_first([*name_findings(wanted, final), *problems, *publish_findings(subject, card, previews, keep_private)])
    files = _files(final, previews)
    if dry_run or any(finding.severity == "error" for finding in findings):
        return Published(final, subject.file, None, files, card, tuple(findings))
    aside = aside_of(out.resolve())
    try:
        (aside / IMAGES).mkdir(parents=True)
        written = _edit(subject, final, given, keep_private, aside / f"{final}.safetensors")
        _check_rename(written, edit, aside / f"{final}.safetensors")
        _write_beside(aside, card, previews, family, repository, files)
        _put(aside, out, files)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Published(final, subject.file, out, files, card, tuple(findings))


def _previews(
    subject: Subject, name: str, pictures: Sequence[str | Path], base: str | Path | None, prompts: Sequence[str]
) -> list[Preview]:
    files = list(pictures) or ([] if prompts else pictures_of(subject))
    if files or base is None:
        return read_previews(files, subject, name)
    wanted = list(prompts) or prompts_for(subject)
    if not wanted:
        raise InputError("Nothing says what to generate: the LoRA has no trigger word. Give --prompt.", code="publish.no_prompt")
    from lorasmith.evaluation.sampling.sample import sample

    return generated_previews(sample(base, wanted, lora=[(subject.file, subject.weight)]), subject, name)


def _thumbnail(previews: Sequence[Preview]) -> str:
    """The first picture as UIs show it beside the file's name; "" without one, which leaves the file's own."""
    return thumbnail_of(previews[0].picture) if previews else ""


def _edit(subject: Subject, name: str, given: Mapping[str, str], keep_private: bool, out: Path | None) -> Edit:
    """The file under its new name, with what was given of ModelSpec's entries; nothing is written without `out`."""
    entries = {"ss_output_name": name, **{f"modelspec.{entry}": value for entry, value in given.items() if value}}
    if subject.judgement is not None and subject.judgement.weight is not None:
        entries[WEIGHT] = f"{subject.judgement.weight:g}"
    if subject.metadata.get("modelspec.title") in (subject.name, subject.file.stem, None):
        entries["modelspec.title"] = name
    return edit_lora(subject.file, entries, private=not keep_private, out=out, dry_run=out is None)


def _network(file: Path) -> tuple[str, str, list[str], list[Finding]]:
    """(family, kind and ranks in words, programs that load all of it, what is wrong with it)."""
    try:
        report = check_file(file, fit=False)
    except AdapterError as error:
        return "", "", [], [Finding("publish.unknown_network", "warning", str(error), "file")]
    ranks = [int(rank) for rank in report.ranks]
    words = " and ".join(report.kinds) + (f", rank {min(ranks)}" + (f" to {max(ranks)}" if len(ranks) > 1 else "") if ranks else "")
    loads_in = [program for program, found in report.consumers.items() if found.verdict == "all"]
    problems = [finding for finding in report.findings if finding.severity != "note"]
    return report.family, words, loads_in, [one if one.code in DAMAGE else replace(one, severity="warning") for one in problems]


def _files(name: str, previews: Sequence[Preview]) -> tuple[str, ...]:
    pictures = [f"{IMAGES}/{place}.png" for place in range(1, len(previews) + 1)]
    return (f"{name}.safetensors", *([f"{name}.png"] if previews else []), f"{name}.json", *pictures, README, CARD)


def _write_beside(folder: Path, card: Card, previews: Sequence[Preview], family: str, repository: str, files: Sequence[str]) -> None:
    pictures = [f"{IMAGES}/{place}.png" for place in range(1, len(previews) + 1)]
    for path, preview in zip(pictures, previews, strict=True):
        (folder / path).write_bytes(preview.png())
    if previews:
        (folder / f"{card.name}.png").write_bytes(previews[0].png())
    _write_json(folder / f"{card.name}.json", _for_uis(card, family))
    _write_json(folder / CARD, {**card.as_data, "files": files})
    (folder / README).write_text(as_markdown(card, pictures, repository), encoding="utf-8")


def _for_uis(card: Card, family: str) -> dict[str, object]:
    """What AUTOMATIC1111 and Forge read beside a LoRA."""
    shown = FAMILIES[family].ui_type if family in FAMILIES else None
    return {
        "description": card.description, "sd version": shown or "Unknown", "activation text": card.triggers,
        "preferred weight": card.weight or 0, "notes": " ".join(card.verdict),
    }  # fmt: skip


def _write_json(path: Path, tree: object) -> None:
    path.write_text(json.dumps(tree, indent=1, ensure_ascii=False), encoding="utf-8")


# -- where it goes --------------------------------------------------------------------------------------------------------


def _check_free(out: Path, overwrite: bool) -> None:
    """Raises InputError (`publish.exists`) where something stands in the way that is not ours to replace."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    ours = (out / CARD).is_file() if out.is_dir() else out.suffix == ".zip"
    if not ours:
        raise InputError(f"{out} holds something else: give another --out.", code="publish.exists", path=str(out))
    if not overwrite:
        raise InputError(f"{out} exists already: give another --out, or --overwrite.", code="publish.exists", path=str(out))


def _check_rename(written: Edit, expected: Edit, file: Path) -> None:
    """Raises RunError where the file that was written is not the one that was published before, but for its metadata."""
    if written.after != expected.after or written.after.auto_v3 != expected.before.auto_v3:
        raise RunError(f"{file} was written with other tensors than it was read with: is its source being written?", code="publish.rename")


def _put(aside: Path, out: Path, files: Sequence[str]) -> None:
    """Move what was made to its place, as a folder or as a ZIP; of a folder that is there, what it was published with is replaced."""
    if out.suffix == ".zip":
        packed = aside / out.name
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
            for file in files:
                archive.write(aside / file, file)
        os.replace(packed, out)
        return
    for file in _published_before(out):
        (out / file).unlink(missing_ok=True)
    (out / IMAGES).mkdir(parents=True, exist_ok=True)
    for file in files:
        os.replace(aside / file, out / file)


def _published_before(out: Path) -> list[str]:
    """The files of a folder that its card names; what its owner put beside them stays."""
    try:
        named = json.loads((out / CARD).read_text(encoding="utf-8"))["files"]
        return [file for file in named if (out / file).resolve().is_relative_to(out.resolve())]
    except (OSError, ValueError, KeyError, TypeError):
        return []
