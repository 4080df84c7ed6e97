"""What the guides would say about a run before it starts: every lint, from settings and pictures alone.

    findings = lint_run(check(settings))

A lint is one function in the file of what it looks at, with one line over it; see `registry`.
"""

from __future__ import annotations

from lorasmith.findings import Finding
from lorasmith.training.planning.check import CheckedRun
from lorasmith.training.planning.lints import (  # noqa: F401  # each adds its own to LINTS
    augmentation,
    base,
    captions,
    compiling,
    continuation,
    length,
    names,
    network,
    pictures,
    precision,
    rates,
    samples,
    sizes,
)
from lorasmith.training.planning.lints.registry import LINTS
from lorasmith.training.planning.lints.run_facts import RunFacts


def lint_run(checked: CheckedRun) -> list[Finding]:
    """What all lints find in a run."""
    return lint_facts(RunFacts.of(checked))


def lint_facts(run: RunFacts) -> list[Finding]:
    """What all lints find, in the order of `LINTS`; nothing where there are no training images."""
    return [finding for rule in LINTS.values() for finding in rule(run)] if run.pictures else []
