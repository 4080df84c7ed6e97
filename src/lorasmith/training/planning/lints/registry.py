"""The registry of lints. A lint is a function from `RunFacts` to findings, marked with `@lint`; that is all there is to add one.

    @lint
    def no_trigger(run: RunFacts) -> Findings:
        if run.lacks_trigger:
            yield warning("captions.trigger is not set.", why="...", fix=Fix("Set captions.trigger.", ...), source=guides(SEAART))

Its code is `lint.` and its name. A lint speaks where a rule is clearly left, not at every difference from a recipe: a run without
findings is usual, not necessarily good. What cannot work at all is an error of `settings.checks` instead; what captions say about
themselves is looked at in `captions.advice`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import wraps

from lorasmith.findings import About, Evidence, Finding, Fix, SettingChange
from lorasmith.registry import register
from lorasmith.training.planning.lints.run_facts import RunFacts

Findings = Iterator[Finding]
Rule = Callable[[RunFacts], Findings]

LINTS: dict[str, Rule] = {}


def lint(rule: Rule) -> Rule:
    """Add a rule under its own name.

    Raises:
        ValueError: the name is taken.
    """
    return register(LINTS, rule.__name__, coded(rule))


def coded(rule: Rule) -> Rule:
    """The rule, with the code `lint.` and its name on its findings."""

    @wraps(rule)
    def with_code(run: RunFacts) -> Findings:
        return (replace(finding, code=f"lint.{rule.__name__}") for finding in rule(run))

    return with_code


def warning(
    message: str, *, why: str, fix: Fix, source: str, evidence: Evidence | None = None, about: About = "setting",
    subjects: tuple[str, ...] = (),
) -> Finding:  # fmt: skip
    """A finding of a lint; `subjects` are the settings that it is about, where they are not those that the fix changes."""
    changed = tuple(change.setting for change in fix.changes if isinstance(change, SettingChange))
    return Finding(
        code="", severity="warning", message=message, about=about, subjects=subjects or changed, evidence=evidence, why=why, fix=fix,
        source=source,
    )  # fmt: skip


def set_to(setting: str, value: str | float | None, words: str = "") -> Fix:
    """The fix that sets one setting (None: takes it out); `words` replace the plain sentence."""
    if value is None:
        return Fix(words or f"Remove {setting}.", (SettingChange(setting, None),))
    said = repr(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else f"{value:g}"
    return Fix(words or f"Set {setting} to {said}.", (SettingChange(setting, value),))
