"""What a grid leaves for those who show it: the labels of its sides and the file of each cell, beside its sheet."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.atomic import write_atomically

if TYPE_CHECKING:
    from lorasmith.evaluation.grid.plan import GridPlan


@dataclass(frozen=True)
class GridRecord:
    """A grid whose cells were generated."""

    columns: tuple[str, ...]
    """The labels along x; one empty label where there is no axis."""
    rows: tuple[str, ...]
    """Along y."""
    blocks: tuple[str, ...]
    """Along z."""
    cells: tuple[tuple[tuple[str, ...], ...], ...]
    """Block by block and row by row, the file of each cell, relative to the record's folder, with / between its parts."""


def record_of(plan: GridPlan) -> GridRecord:
    """The record of a planned grid, whose cells are below its folder."""
    columns, rows, blocks = (tuple(plan.labels(side)) for side in range(3))
    files = {place: cell.file.relative_to(plan.folder).as_posix() for place, cell in plan.cells.items()}
    cells = tuple(
        tuple(tuple(files[i, j, k] for i in range(len(columns))) for j in range(len(rows))) for k in range(len(blocks))
    )  # fmt: skip
    return GridRecord(columns, rows, blocks, cells)


def write_record(record: GridRecord, path: Path) -> Path:
    """Write the record as JSON."""
    write_atomically(path, json.dumps(asdict(record), ensure_ascii=False, indent=1).encode())
    return path


def read_record(path: Path) -> GridRecord | None:
    """The record in a file; None where there is none, or it is damaged."""
    try:
        tree: dict[str, Any] = json.loads(path.read_bytes())
        cells = tuple(tuple(tuple(map(str, row)) for row in block) for block in tree["cells"])
        columns, rows, blocks = (tuple(map(str, tree[side])) for side in ("columns", "rows", "blocks"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    whole = len(cells) == len(blocks) and all(len(block) == len(rows) and all(len(row) == len(columns) for row in block) for block in cells)
    return GridRecord(columns, rows, blocks, cells) if whole else None
