"""What precision a training begins with on this computer.

A recipe writes bf16, which saves half of the memory, and time on GPUs. On a CPU it saves time only with instructions for it and where the base's layers
are wide (docs/guide/performance.md): elsewhere it is emulated, or costs more than it saves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from lorasmith.models.description import Description
from lorasmith.models.device import DEVICES
from lorasmith.training.recipes.reasons import BF16, because
from lorasmith.training.recipes.recipes import Choice

ON_BF16 = "measured: docs/guide/performance.md"


def is_faster_in_bf16(description: Description) -> bool:
    """Whether this CPU trains a described base faster in bf16."""
    place = description.parts.get(description.denoiser)
    return place is not None and DEVICES["cpu"].is_faster_in_bf16(place.config.width or 0)


def fitted_to_machine(choices: Iterable[Choice], description: Description) -> list[Choice]:
    """The choices of a recipe for a described base, in float32 where there is no GPU and bf16 costs time.

    Bases whose steps keep gigabytes stay in bf16, which halves them; so does what a recipe of one's own says.
    """
    if not DEVICES["cpu"].is_alone() or is_faster_in_bf16(description) or description.form.defaults.memory_per_image is not None:
        return list(choices)
    return [replace(one, value="no", why=because("fp32_on_cpu"), source=ON_BF16) if one.why.code == BF16 else one for one in choices]
