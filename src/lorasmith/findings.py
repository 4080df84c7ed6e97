"""One shape for 'this is wrong': with pictures, captions, folders, settings, LoRA files and imported settings.

A finding says which rule found it (`code`, which scripts and pages can rely on), how severe it is, what it is about, what was measured,
why that matters, and what to do: in words and, where we can make the change, as the change itself, so that a page can offer it as a
button and a command as an option. Each room makes its own findings; pages and commands show them without knowing the rooms.

    Finding(
        code="audit.too_small", severity="warning", about="picture", subjects=("mimi/03.png",),
        message="The picture is smaller than the training resolution.",
        evidence=Evidence(312, "pixels", "The shorter side has 312 pixels of 1024."),
        why="It is enlarged for training, and the LoRA learns the softness that comes of it.",
        fix=Fix("Upscale it with a good upscaler, or take a larger copy.", (MendChange("upscale"),)),
    )
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
"""error: cannot be used as it is. warning: will show in the result. note: worth knowing."""

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

About = Literal["picture", "caption", "folder", "set", "setting", "layer", "file", "option", "run"]
"""What the subjects of a finding are. `set` is the pictures or captions as a whole, `option` a setting of another trainer."""


@dataclass(frozen=True)
class Evidence:
    """What was measured."""

    number: float
    unit: str
    """What `number` counts or measures, such as `pixels` or `tags per caption`."""
    text: str = ""
    """The same as a sentence, with what it is compared with; "" where number and unit are enough."""

    def __str__(self) -> str:
        return self.text or f"{self.number:g} {_of_one(self.unit) if self.number == 1 else self.unit}"


def _of_one(unit: str) -> str:
    """The unit of a single one: of `passes` a pass, of `tags per caption` a tag per caption."""
    noun, space, rest = unit.partition(" ")
    return noun.removesuffix("es" if noun.endswith(("sses", "ches")) else "s") + space + rest


@dataclass(frozen=True)
class SettingChange:
    """Set `setting` (dotted, such as `network.rank`) to `value`; None removes the setting."""

    setting: str
    value: Any

    @property
    def as_data(self) -> dict[str, Any]:
        return {"kind": "setting", "setting": self.setting, "value": self.value}


@dataclass(frozen=True)
class MendChange:
    """Mend the subjects in this way (a key of `curation.mend`'s ways, or `duplicates`, `remove`) with these parameters."""

    way: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def as_data(self) -> dict[str, Any]:
        return {"kind": "mend", "way": self.way, "parameters": dict(self.parameters)}


@dataclass(frozen=True)
class CaptionChange:
    """Apply an edit (a key of `captions.edits.registry.EDITS`) with these parameters to the subjects' captions."""

    edit: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def as_data(self) -> dict[str, Any]:
        return {"kind": "caption", "edit": self.edit, "parameters": dict(self.parameters)}


Change = SettingChange | MendChange | CaptionChange


@dataclass(frozen=True)
class Fix:
    """What to do: in words, and as changes that can be applied where there are some. Several changes belong together."""

    words: str
    changes: tuple[Change, ...] = ()

    @property
    def as_data(self) -> dict[str, Any]:
        return {"words": self.words, "changes": [change.as_data for change in self.changes]}


@dataclass(frozen=True)
class Finding:
    """Something to know about a picture, a caption, a folder, a set, a setting, a layer, a file, an option or a run."""

    code: str
    """`room.rule`, such as `audit.too_small`; the same in all versions."""
    severity: Severity
    message: str
    """What is wrong, as a sentence that can stand alone."""
    about: About
    subjects: tuple[str, ...] = ()
    """What it is about, by name: paths relative to the dataset; of copies, the one to keep first. () for a whole set."""
    evidence: Evidence | None = None
    why: str = ""
    """What it does to the LoRA, or why else it matters."""
    fix: Fix | None = None
    source: str = ""
    """Whose advice this is."""
    confidence: float = 1.0
    """0-1: how likely it is that a person would agree."""
    details: tuple[str, ...] = ()
    """More to read: the tags in question, the decoder's message, which copies are mirrored."""
    of_many: str = ""
    """What people read instead of many such findings, with what to do, and `{}` where their number goes; see `alike_together`."""

    def __str__(self) -> str:
        """The message and what to do: for a log, or a line on a terminal."""
        return self.message if self.fix is None else f"{self.message} {self.fix.words}"

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Finding:
        """The finding that `as_data` wrote; raises KeyError, TypeError or ValueError where it is not one."""
        if data["severity"] not in SEVERITIES:
            raise ValueError(f"there is no severity {data['severity']!r}")
        evidence, fix = data["evidence"], data["fix"]
        return cls(
            code=data["code"], severity=data["severity"], message=data["message"], about=data["about"], subjects=tuple(data["subjects"]),
            evidence=None if evidence is None else Evidence(evidence["number"], evidence["unit"], evidence["text"]), why=data["why"],
            fix=None if fix is None else Fix(fix["words"], tuple(map(change_from_data, fix["changes"]))), source=data["source"],
            confidence=data["confidence"], details=tuple(data["details"]),
        )  # fmt: skip

    @property
    def as_data(self) -> dict[str, Any]:
        """For `--json`, the API and files; one form for all findings."""
        evidence = self.evidence
        return {
            "code": self.code, "severity": self.severity, "message": self.message, "about": self.about, "subjects": list(self.subjects),
            "evidence": None if evidence is None else {"number": evidence.number, "unit": evidence.unit, "text": str(evidence)},
            "why": self.why, "fix": None if self.fix is None else self.fix.as_data, "source": self.source,
            "confidence": self.confidence, "details": list(self.details),
        }  # fmt: skip


def change_from_data(data: Mapping[str, Any]) -> Change:
    """The change that its `as_data` wrote; raises KeyError, TypeError or ValueError where it is not one."""
    match data["kind"]:
        case "setting":
            return SettingChange(data["setting"], data["value"])
        case "mend":
            return MendChange(data["way"], dict(data["parameters"]))
        case "caption":
            return CaptionChange(data["edit"], dict(data["parameters"]))
        case kind:
            raise ValueError(f"there is no kind of change {kind!r}")


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """The most severe first; of these, the ones with most subjects; then by code."""
    return sorted(findings, key=lambda finding: (SEVERITIES.index(finding.severity), -len(finding.subjects), finding.code))


@dataclass(frozen=True)
class OfOneCode:
    """The findings of one code, together."""

    code: str
    severity: Severity
    subjects: int
    """How many different ones they have."""
    of_set: Finding | None
    """The finding itself, where it is about the set."""


def by_code(findings: Iterable[Finding]) -> list[OfOneCode]:
    """One row for each code, the most severe first; of these, the ones with most subjects."""
    together: dict[str, list[Finding]] = {}
    for finding in findings:
        together.setdefault(finding.code, []).append(finding)
    rows = [
        OfOneCode(
            code, same[0].severity, len({subject for one in same for subject in one.subjects}),
            next((one for one in same if one.about == "set"), None),
        )
        for code, same in together.items()
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (SEVERITIES.index(row.severity), -row.subjects))


FEW_ALIKE = 3
"""Findings of one code up to which each is shown by itself."""


def alike_together(findings: Iterable[Finding]) -> list[Finding]:
    """For people, many findings of one code on single files as one that names all of their subjects; the rest as they are, in order.

    It stands where the first of them stood, with the words that this one has for many, else with its own.
    """
    alike: dict[tuple[str, Severity, About, str], list[Finding]] = {}
    for finding in findings:
        alike.setdefault((finding.code, finding.severity, finding.about, finding.of_many), []).append(finding)
    shown: list[Finding] = []
    for same in alike.values():
        if len(same) <= FEW_ALIKE or same[0].about == "set":
            shown += same
            continue
        first, subjects = same[0], tuple(subject for finding in same for subject in finding.subjects)
        if first.of_many:
            shown.append(replace(first, subjects=subjects, message=first.of_many.replace("{}", str(len(same)), 1), fix=None, evidence=None))
        else:
            shown.append(replace(first, subjects=subjects, message=f"{first.message} The same holds for {len(same) - 1} more."))
    return shown


def one_of_each_first(findings: Sequence[Finding], most: int) -> list[Finding]:
    """At most `most` of the findings, in their order; the first of each code always, however many codes there are."""
    first = set({finding.code: place for place, finding in reversed(list(enumerate(findings)))}.values())
    others = [place for place in range(len(findings)) if place not in first]
    return [findings[place] for place in sorted((*first, *others[: max(0, most - len(first))]))]
