"""How many trials share a card, and how many a cluster takes at once: from what a trial needs and what the nodes have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

UNSEEN = 1.2
"""Memory in use over that of the forecast, at the most that was measured (docs/guide/performance.md)."""
CONTEXT = 600 * 2**20
"""Bytes that CUDA takes for each process before anything is in them."""
MOST = 4
"""Trials on one card: what is gained by another one comes to little then."""


@dataclass(frozen=True)
class Node:
    """A machine of a cluster, as it says about itself."""

    id: str
    address: str
    cpus: float
    gpus: float
    card_memory: int | None = None
    """Bytes of its smallest card; None without one, or where the driver does not say."""


@dataclass(frozen=True)
class Needs:
    """What a trial is given: CPUs, and cards or a part of one."""

    cpus: int
    cards: float

    def __str__(self) -> str:
        if not self.cards:
            return "a CPU each"
        return "a card each" if self.cards == 1 else f"{round(1 / self.cards)} on a card"


def memory_of_trial(peak: int, in_float32: bool) -> int:
    """Bytes that a trial takes at most, when its training's forecast is `peak`: it is proven in float32, with weights of twice the size."""
    return peak if in_float32 else 2 * peak


def trials_on_a_card(trial: int | None, card: int | None) -> int:
    """How many trials that need so many bytes fit on a card of so many; one where either is not known."""
    if trial is None or card is None:
        return 1
    return max(1, min(MOST, int(card // (trial * UNSEEN + CONTEXT))))


def needs_of_trial(nodes: Iterable[Node], trial: int | None) -> Needs:
    """What each trial is given on these nodes: a part of a card where the smallest card takes several, and a CPU where there is none."""
    cards = [node.card_memory for node in nodes if node.gpus]
    if not cards:
        return Needs(1, 0)
    smallest = None if None in cards else min(card for card in cards if card is not None)
    return Needs(1, 1 / trials_on_a_card(trial, smallest))


def at_once(nodes: Iterable[Node], needs: Needs) -> int:
    """How many trials the nodes take at once, with nothing else on them."""
    on_cards = round(1 / needs.cards) if needs.cards else 0
    return sum(min(int(node.cpus // needs.cpus), int(node.gpus) * on_cards if on_cards else int(node.cpus)) for node in nodes)
