"""The SQLite files that captions have in a dataset's `.lorasmith`, and how those of earlier versions are brought up to date."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from lorasmith.dataset_folder import make_state_folder
from lorasmith.errors import DatasetError

FIRST_TABLES = {"said": "descriptions", "seen": "probabilities", "facts": "properties"}
"""Name of a table in the first version -> name now."""

FIRST_COLUMNS = {
    "operations": {"words": "summary", "turn": "sequence", "start": "boot"},
    "descriptions": {"words": "text"},
    "probabilities": {"places": "indices"},
}
"""Table -> name of a column in the first version -> name now."""

ADDED_COLUMNS = {"operations": {"note": "TEXT NOT NULL DEFAULT ''"}}
"""Table -> name of a column that came later -> its definition, which is true of the rows that were there."""


def open_store(dataset: Path, file: Path, schema: str, loss: str) -> sqlite3.Connection:
    """Open a database of a dataset; `file` is its path in the dataset. `loss` says what deleting the file costs.

    Raises:
        DatasetError: the file cannot be used.
    """
    path = dataset / file
    try:
        make_state_folder(dataset)
        database = sqlite3.connect(path, timeout=30)
        migrate(database)
        database.executescript(schema)
    except (sqlite3.Error, OSError) as error:
        raise DatasetError(
            f"{path} cannot be used ({error}): correct the folder's permissions, or delete the file, which costs {loss}.",
            code="captions.store", path=str(path),
        ) from error  # fmt: skip
    return database


def migrate(database: sqlite3.Connection) -> None:
    """Give tables and columns the names that they have now, and tables the columns that came later."""
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for old, new in FIRST_TABLES.items():
        if old in tables:
            database.execute(f"ALTER TABLE {old} RENAME TO {new}")
    for table, columns in FIRST_COLUMNS.items():
        present = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
        for old, new in columns.items():
            if old in present:
                database.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")
    for table, added in ADDED_COLUMNS.items():
        present = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
        for name, definition in added.items():
            if present and name not in present:
                database.execute(f"ALTER TABLE {table} ADD COLUMN {name} {definition}")
