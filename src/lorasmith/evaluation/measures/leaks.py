"""leaks: do pictures of prompts without the trigger show the subject all the same?

    of a space = mean over other prompts of (probe's score of the LoRA's picture - that of the base's picture)
    leaks      = the median of the spaces

Above about 0.3 regularisation pictures are missing. In the pilot 0.8-0.95 went with the subject in half of the other pictures; a
concept leaks even with regularisation pictures, where none of them names or shows it.

Cost: the pictures of `keeps`, and the base's features of them. Source: proof pilot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lorasmith.evaluation.measures.measured import Measure
from lorasmith.evaluation.measures.probe import Probe
from lorasmith.evaluation.measures.spaces import Views


def leaks(names: Sequence[str], views: Views, of_base: Views, probes: Mapping[str, Probe]) -> Measure:
    """From other prompts by name, pictures with the LoRA and without it."""
    by_space = []
    for space, probe in probes.items():
        shift = probe.scores(views[space]) - probe.scores(of_base[space])
        by_space.append(Measure.of(dict(zip(names, shift.tolist(), strict=True))))
    return sorted(by_space, key=lambda measure: measure.value)[(len(by_space) - 1) // 2]
