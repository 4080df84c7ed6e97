"""An index of many pictures on disk: what an order and buckets need of each in a table of 57 bytes, and the rest where it is read.

    <cache>/rows/<key>/
      table.bin     one record for each picture, mapped and not read: size, repeats, content, and where its row is
      rows.jsonl    its row: the file (or the shard, and where in it), and the caption
      index.json    how many there are, a hash of all, and what is wrong with the set

The key is a hash of all that the index was made from, so an index is never stale: what has changed has another key. An index appears whole
or not at all, and two processes may make the same one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from lorasmith.atomic import aside_of
from lorasmith.cache_folder import make_cache_folder
from lorasmith.datasets.buckets import Size
from lorasmith.datasets.folders import SMALLEST_SIDE
from lorasmith.images.looks import Seen

ROWS = "rows"
"""The folder of indices in the folder of all caches."""

RECORD = [("at", "<i8"), ("length", "<i4"), ("width", "<i4"), ("height", "<i4"), ("repeats", "<i4"), ("held_out", "u1"), ("content", "V32")]
"""Of a picture: its row (bytes of `rows.jsonl`), its size in pixels, its repeats, whether it judges the LoRA, and its sha256."""


@dataclass(frozen=True)
class LeftOut:
    """Rows that cannot be trained on for one reason."""

    rule: str
    count: int
    first: str
    """What is wrong with the first of them, a sentence."""


class RowIndex:
    """An index that has been made. `table` is a mapped array of `RECORD`; `digest` a hash of all pictures with captions and repeats."""

    def __init__(self, folder: Path):
        self.folder = folder
        said = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        self.digest: str = said["digest"]
        self.left_out = tuple(LeftOut(**each) for each in said["left_out"])
        count: int = said["count"]
        empty = np.zeros(0, RECORD)
        self.table: np.ndarray = np.memmap(folder / "table.bin", RECORD, "r", shape=(count,)) if count else empty
        self._lock = threading.Lock()
        self._rows: BinaryIO = (folder / "rows.jsonl").open("rb")

    def __len__(self) -> int:
        return len(self.table)

    def close(self) -> None:
        """Let go of its files."""
        self._rows.close()
        self.table = self.table[:0].copy()

    def row(self, number: int) -> dict[str, Any]:
        """What a picture's row says: `file`, `text`, and in a shard `name`, `offset` and `length`."""
        record = self.table[number]
        with self._lock:
            self._rows.seek(int(record["at"]))
            line = self._rows.read(int(record["length"]))
        return json.loads(line)


class RowWriter:
    """Takes the pictures of an index that is being made, in order."""

    def __init__(self, folder: Path):
        self._table, self._rows = (folder / "table.bin").open("wb"), (folder / "rows.jsonl").open("wb")
        self._record = np.zeros(1, RECORD)
        self._at = self._count = 0
        self._digest = hashlib.sha256()
        self._left_out: dict[str, LeftOut] = {}

    def add(self, row: dict[str, Any], size: tuple[int, int], content: str, repeats: int, held_out: bool) -> None:
        """A picture that can be trained on; `content` is its sha256 in hex."""
        line = json.dumps(row, ensure_ascii=False).encode() + b"\n"
        digest = bytes.fromhex(content)
        self._record[0] = (self._at, len(line), *size, repeats, held_out, digest)
        self._table.write(self._record.tobytes())
        self._rows.write(line)
        self._digest.update(digest + repr((row.get("text"), repeats, held_out)).encode())
        self._at += len(line)
        self._count += 1

    def offer(
        self, row: dict[str, Any], name: str, look: Seen[Size], said: Size | None, repeats: int, held_out: bool
    ) -> None:  # fmt: skip
        """A picture that was looked at: it is added, or left out where it cannot be used; `said` is the size that its row claims."""
        if look.value is None:
            self.leave_out("unreadable", look.problem)
        elif min(look.value) < SMALLEST_SIDE:
            size = f"{look.value[0]} x {look.value[1]}"
            self.leave_out("too_small", f"{name} is {size} pixels, but needs {SMALLEST_SIDE} on each side.")
        elif said not in (None, look.value):
            self.leave_out("other_size", f"{name} is {look.value[0]} x {look.value[1]} pixels, and its row says otherwise.")
        else:
            self.add(row, look.value, look.content, repeats, held_out)

    def leave_out(self, rule: str, problem: str) -> None:
        """One that cannot."""
        before = self._left_out.get(rule)
        self._left_out[rule] = LeftOut(rule, before.count + 1 if before else 1, before.first if before else problem)

    def take(self, other: RowIndex) -> None:
        """All pictures of another index."""
        records = np.array(other.table)
        records["at"] += self._at
        self._table.write(records.tobytes())
        with (other.folder / "rows.jsonl").open("rb") as rows:
            shutil.copyfileobj(rows, self._rows)
            self._at += rows.tell()
        self._count += len(records)
        self._digest.update(other.digest.encode())
        for each in other.left_out:
            before = self._left_out.get(each.rule)
            count = each.count + (before.count if before else 0)
            self._left_out[each.rule] = LeftOut(each.rule, count, before.first if before else each.first)

    def close(self) -> dict[str, Any]:
        """Finish the files; gives what `index.json` says."""
        for file in (self._table, self._rows):
            file.flush()
            os.fsync(file.fileno())
        self.close_files()
        return {"count": self._count, "digest": self._digest.hexdigest(), "left_out": [asdict(each) for each in self._left_out.values()]}

    def close_files(self) -> None:
        """Let go of the files, finished or not."""
        self._table.close()
        self._rows.close()


def index_in(cache: Path, key: str, write: Callable[[RowWriter], None]) -> RowIndex:
    """The index of this key in the folder of caches; where there is none, `write` makes it."""
    folder = cache / ROWS / key
    if not (folder / "index.json").is_file():
        make_cache_folder(cache / ROWS)
        aside = aside_of(folder)
        aside.mkdir()
        writer = RowWriter(aside)
        try:
            write(writer)
            (aside / "index.json").write_text(json.dumps(writer.close(), ensure_ascii=False), encoding="utf-8")
            if not folder.exists():
                os.replace(aside, folder)
        finally:
            writer.close_files()
            shutil.rmtree(aside, ignore_errors=True)
    return RowIndex(folder)


def key_of(*said: object) -> str:
    """The key of an index that is made from this."""
    return hashlib.sha256(repr(said).encode()).hexdigest()
