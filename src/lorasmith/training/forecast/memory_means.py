"""What a run can do to take less memory, in the order of what it costs, and which of it fits a device.

    chosen = choose(need, means, free)      # {"training.gradient_checkpointing": True, "base.quantize": "int8"}

A means is one setting with the values that it may take, from the mildest to the strongest. Means are added in their order until the run fits,
each no stronger than needed; then those that turn out not to be needed beside the later ones are taken back. The order is reasoned from
what each costs: first what costs nothing or seconds, then time, then exactness, and last time that depends on the computer around the card.
What the user set is no means: a setting that differs from its default stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lorasmith.training.optim.optimizers import OPTIMIZERS
from lorasmith.training.settings.tree import Settings

Changes = Mapping[str, Any]
"""Values of settings by their dotted names."""


@dataclass(frozen=True)
class Means:
    """A setting that saves memory."""

    setting: str
    values: Sequence[Any]
    """The mildest first."""
    does: str
    """What it does and costs, in words that follow the setting."""


def means_of(
    settings: Settings, *, trains_texts: bool, bf16: bool, eight_bit: bool, fp8_file: bool, graphs: bool, blocks: int
) -> list[Means]:
    """What a run with these settings has left, the cheapest first.

    `bf16` and `eight_bit` say whether the device computes in bf16 and runs 8-bit optimizers, `fp8_file` that the base's own weights are
    fp8, `graphs` that the device has CUDA graphs, and `blocks` how many can be swapped.
    """
    rules = settings.captions.rules
    of_folders = [dataset.caption_rules(rules) for dataset in settings.datasets]
    captions_vary = any(own.shuffle or own.tag_dropout or own.wildcards or own.lines == "random" for own in of_folders)
    half = "bf16" if bf16 else "fp16"
    found = [
        Means("training.mixed_precision", (half,), "the base in 16 bits: half of its memory, 0.7 % error in bf16"),
        Means(
            "captions.cached_variants", (10 if captions_vary else 1,), "texts are encoded before training and the text encoders freed"
        ),
        Means("training.offload_while_caching", (True,), "parts of the base that are not at work wait in the computer's memory; some seconds"),
        Means("training.gradient_checkpointing", (True,), "blocks are computed again instead of kept; a third more time, no error"),
        Means("optimizer.type", (f"{settings.optimizer.type}8bit",), "the optimizer's state in 8 bits"),
        Means("training.cuda_graphs", (False,), "a step's memory is free for samples; slower, most of all at small batches"),
        Means(
            "base.quantize", ("fp8" if fp8_file else "int8", "nf4"),
            f"the frozen base in fewer bits: {'fp8 as its file' if fp8_file else 'int8 has 0.8 % error'}, nf4 5 %",
        ),
        Means("training.blocks_to_swap", range(1, blocks + 1), "blocks wait in the computer's memory and are copied when they are used; no error"),
    ]  # fmt: skip
    cannot = {
        "captions.cached_variants": trains_texts or bool(rules.token_warmup_step),
        "optimizer.type": not eight_bit or f"{settings.optimizer.type}8bit" not in OPTIMIZERS or bool(settings.optimizer.args),
        "training.cuda_graphs": not graphs,
        "base.quantize": settings.training.torch_compile,
        "training.blocks_to_swap": settings.training.torch_compile,
    }
    return [means for means in found if means.values and not cannot.get(means.setting) and _is_default(settings, means.setting)]


def _is_default(settings: Settings, name: str) -> bool:
    section, _, field = name.partition(".")
    own = getattr(settings, section)
    return bool(getattr(own, field) == type(own).model_fields[field].get_default())


def choose(need: Callable[[Changes], int], means: Sequence[Means], free: int) -> dict[str, Any]:
    """The changes with which a run needs no more than `free` bytes; where none do, the strongest of all.

    `need` is how many bytes it needs with some changes; a later value of a means needs no more than an earlier one.
    """

    def mildest(one: Means, others: Changes) -> Any:
        return _first(one.values, lambda value: need({**others, one.setting: value}) <= free)

    chosen: dict[str, Any] = {}
    for one in means:
        if need(chosen) <= free:
            break
        chosen[one.setting] = mildest(one, chosen)
    if need(chosen) > free:
        return chosen
    for one in reversed(means[: len(chosen)]):
        others = {name: value for name, value in chosen.items() if name != one.setting}
        chosen = others if need(others) <= free else {**chosen, one.setting: mildest(one, others)}
    return chosen


def _first(values: Sequence[Any], fits: Callable[[Any], bool]) -> Any:
    """The first value that fits, found by halving; the last one where none does."""
    first, last = 0, len(values) - 1
    while first < last:
        middle = (first + last) // 2
        if fits(values[middle]):
            last = middle
        else:
            first = middle + 1
    return values[first]
