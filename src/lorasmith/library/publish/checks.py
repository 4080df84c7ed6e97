"""What is wrong or odd with a LoRA that is about to be published."""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from lorasmith.findings import Evidence, Finding, Fix, Severity
from lorasmith.library.catalogue.facts import NOTHING_HASHED
from lorasmith.library.privacy import private_entries
from lorasmith.library.publish.card import NOT_MEASURED, Card
from lorasmith.library.publish.pictures import Preview, without_parameters
from lorasmith.library.publish.subject import Subject
from lorasmith.pages.numbers import count

ABSOLUTE = re.compile(r"(?<![\w:/.<])(?:/[\w.-]+/[^\s,;'\"<>]+|~/[^\s,;'\"<>]+|[A-Za-z]:\\[^\s,;'\"<>]+)")
"""An absolute path within a text."""


def publish_findings(subject: Subject, card: Card, previews: Sequence[Preview], keep_private: bool) -> Iterator[Finding]:
    """All that is to be known before a LoRA is published; an error keeps it from being written."""
    yield from _metadata(subject, keep_private)
    yield from _texts(card)
    yield from _pictures(previews)
    yield from _judged(subject)
    if not card.triggers:
        yield _finding(
            "no_trigger", "warning", "The LoRA has no trigger word.", "Whoever downloads it does not know how to call it.",
            "Set it: lorasmith lora edit FILE --trigger WORD.",
        )  # fmt: skip
    if not card.license:
        yield _finding(
            "no_license", "warning", "The LoRA has no licence.", "Without one nobody may use it for anything but looking.",
            "Choose one that the base model's licence allows: --license.",
        )  # fmt: skip
    if not subject.rights_confirmed:
        yield _finding(
            "no_rights", "warning", "Nobody has confirmed the rights to the training images.", "Sites ask for that, and people too.",
            'Confirm it for this LoRA: --rights "my own photographs"; or for all that are trained on a dataset: '
            'lorasmith layout DATASET --rights "my own photographs".',
        )  # fmt: skip
    if not card.base_model:
        yield _finding(
            "no_base_model", "note", "The card does not name the base model's repository on the hub.",
            "The hub lists a LoRA beneath its base, and offers to try it there.", "Give it: --base-model OWNER/NAME.",
        )  # fmt: skip


def _metadata(subject: Subject, keep_private: bool) -> Iterator[Finding]:
    private = private_entries(subject.metadata)
    if private and keep_private:
        yield _finding(
            "private_metadata", "warning", f"{count(len(private), 'entry', 'entries')} of the metadata will be published as they are.",
            "They name folders, tags or programs of your machine.", "Leave out --keep-private.", private,
        )  # fmt: skip
    elif private:
        yield _finding(
            "private_metadata", "note", f"{count(len(private), 'entry', 'entries')} of the metadata are left out or cleaned.",
            "They name folders, tags or programs of your machine.", "Keep them with --keep-private.", private,
        )  # fmt: skip
    if subject.metadata.get("sshs_model_hash", "").lower() == NOTHING_HASHED:
        yield _finding(
            "hash_of_nothing", "note", "The file states the hash of an empty file as its own: the right one is written.",
            "Sites take all such files for one and the same model.",
        )  # fmt: skip


def _texts(card: Card) -> Iterator[Finding]:
    """Places and names of the maker's machine in what people will read."""
    texts = {"title": card.title, "description": card.description, "rights": " ".join(card.rights), "prompts": "\n".join(card.prompts)}
    user = _user_name()
    for what, text in texts.items():
        if found := ABSOLUTE.search(text):
            yield _finding(
                "private_path", "error", f"The {what} names a place on your machine: {found[0]}.", "Everybody will read it.", "Take it out."
            )
        elif user and re.search(rf"\b{re.escape(user)}\b", text):
            yield _finding(
                "user_name", "warning", f"The {what} has your user name on this machine, {user!r}.", "Everybody will read it.", "Take it out, unless it is meant."
            )  # fmt: skip


def _user_name() -> str:
    """The name of whoever is logged in, where it says something."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
    return name if len(name) > 2 and name not in ("root", "user", "admin", "administrator", "ubuntu", Path.home().anchor) else ""


def _pictures(previews: Sequence[Preview]) -> Iterator[Finding]:
    if not previews:
        yield _finding(
            "no_pictures", "warning", "There is no picture.", "Nobody downloads a LoRA unseen.",
            "Give some with --picture, or have them generated with --base.",
        )  # fmt: skip
    if bare := [f"picture {place}" for place in without_parameters(previews)]:
        yield Finding(
            "publish.no_parameters", "warning", f"{count(len(bare), 'picture')} of {len(previews)} do not say how they were generated.", "picture", tuple(bare),
            Evidence(len(bare), "pictures"), "Nobody can generate them again, and sites show no prompt.",
            Fix("Give PNGs as your UI saved them, not edited or sent by a messenger."),
        )  # fmt: skip


def _judged(subject: Subject) -> Iterator[Finding]:
    judged = subject.judgement
    if judged is None:
        yield _finding(
            "not_judged", "note", f"{NOT_MEASURED} The card says so.", "A verdict gives the best checkpoint and the weight to use it at.",
            "Have it judged: lorasmith prove RUN.",
        )  # fmt: skip
    elif judged.headline != "good":
        yield _finding(
            "not_good", "warning", f"The verdict on it is: {judged.headline}.", " ".join(judged.meanings), "The card says so. Train again, or choose another checkpoint."
        )  # fmt: skip
    if judged is not None and not judged.recommended:
        yield _finding(
            "not_recommended",
            "note",
            "The verdict recommends another checkpoint of the run.",
            fix="Publish the run's folder to take that one.",
        )


def _finding(rule: str, severity: Severity, message: str, why: str = "", fix: str = "", subjects: Sequence[str] = ()) -> Finding:
    return Finding(f"publish.{rule}", severity, message, "file", tuple(subjects), why=why, fix=Fix(fix) if fix else None)
