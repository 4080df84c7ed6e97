"""What an audit may find: the parts that every kind of finding has, in whatever file it is defined.

To add one that a single picture shows, write its function and its row in `picture_kinds.py`; for one that only the set shows, in
`set_kinds.py`. Score, page, command line and JSON know it then.
"""

from __future__ import annotations

from dataclasses import dataclass

from lorasmith.findings import About, Change, Evidence, Finding, Fix, Severity


@dataclass(frozen=True)
class Sign:
    """What was measured, and how likely it is that a person would agree."""

    number: float
    unit: str
    text: str
    """The same as a sentence with number and unit."""
    confidence: float
    """0-1."""
    details: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    """What mends it here, where that depends on what was measured or on the training."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of finding, in the words that a person reads."""

    title: str
    """A phrase for tables, such as `partly transparent`."""
    severity: Severity
    message: str
    """What is wrong, as a sentence."""
    why: str
    """What it does to the LoRA."""
    fix: str
    """What a person does about it."""
    changes: tuple[Change, ...] = ()
    """What `mend` can do about it as it is."""
    about: About = "picture"
    of_copies: bool = False
    """Whether the first of the pictures is the one to keep, and only the others are held against the set."""

    def finding(self, rule: str, names: tuple[str, ...], sign: Sign) -> Finding:
        """The finding that the sign makes; `names` are the pictures concerned."""
        return Finding(
            f"audit.{rule}", self.severity, self.message, self.about, names,
            evidence=Evidence(round(sign.number, 3), sign.unit, sign.text), why=self.why, fix=Fix(self.fix, sign.changes or self.changes),
            confidence=sign.confidence, details=sign.details,
        )  # fmt: skip


def confidence(value: float, limit: float, clear: float) -> float:
    """How sure a value beyond `limit` is: 0.5 at the limit and 0.95 at `clear`, which may be on either side of it."""
    beyond = (value - limit) / (clear - limit)
    return round(min(0.95, 0.5 + 0.45 * max(0.0, beyond)), 2)
