"""Give a dataset the form in which it is trained on: folders with balanced repeats, and pictures held out for evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from lorasmith.curation.holdout import Split, hold_out, plan_holdout
from lorasmith.curation.layout import Layout, lay_out, plan_layout, rehearsal
from lorasmith.curation.moved import Move
from lorasmith.curation.moves import settle
from lorasmith.datasets.balance import USUAL_EPOCHS
from lorasmith.progress import Progress


@dataclass(frozen=True)
class Arranged:
    """What arranging a dataset did, or in a dry run would do."""

    layout: Layout
    """The folders at the end, balanced for what is left to train on."""
    moves: tuple[Move, ...]
    split: Split | None
    """Which pictures are held out; None where that was not asked for."""


def arrange(
    root: str | Path,
    *,
    concept: str | None = None,
    names: Mapping[str, str] | None = None,
    repeats: Mapping[str, int] | None = None,
    regularisation: Sequence[str] = (),
    base_repeats: int = 1,
    epochs: int = USUAL_EPOCHS,
    holdout: float | None = None,
    seed: int = 0,
    dry_run: bool = False,
    progress: Progress | None = None,
    cache: str | Path | None = None,
) -> Arranged:
    """Lay a dataset out in `N_name` folders (see `plan_layout`), hold out the share `holdout` of it, and balance the rest.

    `cache` is a folder that keeps what is seen of pictures. A dry run says exactly what would be done, and changes nothing.

    Raises:
        DatasetError: there are no pictures, loose ones without a `concept`, or the dataset is in use.
        InputError: a folder that is named here does not exist.
    """
    root, names, repeats = Path(root), dict(names or {}), dict(repeats or {})
    settle(root)
    plan = plan_layout(
        root, concept=concept, names=names, repeats=repeats, regularisation=regularisation, base_repeats=base_repeats, epochs=epochs
    )
    if holdout is None:
        if not dry_run:
            lay_out(root, plan)
        return Arranged(plan, plan.moves, None)
    with rehearsal(root) if dry_run else nullcontext(root) as place:
        lay_out(place, plan)
        split = plan_holdout(place, holdout, seed, progress, cache, stands_for=root)
        hold_out(place, split)
        by_hand = {names.get(name, name): number for name, number in repeats.items()}
        rest = plan_layout(place, repeats=by_hand, base_repeats=base_repeats, epochs=epochs)  # balance what is left to train on
        lay_out(place, rest)
    problems = tuple(problem.replace(str(place), str(root)) for problem in split.problems)
    return Arranged(rest, (*plan.moves, *split.moves, *rest.moves), replace(split, problems=problems))
