"""The checks of an audit: each kind of finding is looked for, unless a person switches it off.

    audit_dataset("pictures/zorvex", without=["dark", "greyscale"])

A check is called as its findings are, with or without `audit.`: `dark` finds `audit.dark`. What cannot be used at all is always looked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from lorasmith.errors import InputError
from lorasmith.registry import KeyOf

if TYPE_CHECKING:  # the kinds measure with OpenCV, and who names no check needs none of them
    from lorasmith.curation.audit.finding_kind import Kind


def all_checks() -> dict[str, Kind]:
    """Every kind of finding, by name."""
    from lorasmith.curation.audit.kinds import KINDS

    return dict(KINDS)


def checks() -> dict[str, Kind]:
    """Those that can be switched off: all but errors, which a training would fail at."""
    return {name: kind for name, kind in all_checks().items() if kind.severity != "error"}


class _Checks(KeyOf["Kind"]):
    def check(self, name: str) -> str:
        name = name.removeprefix("audit.")
        if name not in self.registry and name in all_checks():
            raise ValueError("is always looked for: what has it cannot be trained on. Leave it out.")
        return super().check(name)


CHECKS = _Checks(checks, "a check of the audit")

CheckName = Annotated[str, CHECKS]
"""The name of a check, in settings and arguments."""


def switched_off(names: Iterable[str]) -> frozenset[str]:
    """The codes of the findings that are not to be looked for.

    Raises:
        InputError: the check does not exist, or it cannot be switched off (`audit.unknown_check`); the sentence names the nearest one.
    """
    return frozenset(f"audit.{_known(name)}" for name in names)


def _known(name: str) -> str:
    try:
        return CHECKS.check(name)
    except ValueError as error:
        raise InputError(f"{name!r} {error}", code="audit.unknown_check", check=name) from error
