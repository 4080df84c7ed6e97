"""How long captions take at scale: opening a folder, bulk edits with their undo, filters, completion.

    python benchmarks/captions.py --captions 100000 --tags 300000

Makes a folder of empty pictures with captions of 12 tags, in --folder or the system's place for such, and removes it. `wall` is the time
that passed, with what the system has in memory; `processor` is what of it this process used, system calls included, which is what stays
on a quiet machine. The goals are 5 s for a whole folder of 100,000 and 20 ms for a keystroke among 300,000 tags; other work on the machine
makes anything take longer, so the exit code says nothing of them.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from lorasmith.captions.collection import open_captions
from lorasmith.captions.edits.planning import plan_edit
from lorasmith.captions.edits.registry import edit_of
from lorasmith.captions.scope import Scope, select
from lorasmith.captions.vocabulary import Vocabulary

Result = TypeVar("Result")

EDITS = {
    "add": {"tags": ["new tag"], "front": True},
    "remove": {"tags": ["common 1"]},
    "replace": {"tags": ["common 1"], "by": ["other", "another"]},
    "rename": {"old": "common 1", "new": "renamed"},
    "regex": {"pattern": r"tag (\d+)", "replacement": r"\1 tag"},
    "front": {"tags": ["common 2"]},
    "sort": {"by": "frequency"},
    "dedupe": {},
    "truncate": {"tags": 6},
    "drop-rare": {"fewer_than": 20},
    "drop-common": {"above": 0.5},
    "split": {"keep": "sentence"},
    "spell": {"manner": "underscores"},
    "implications": {"add": True},
    "aliases": {},
}
FILTERS = ["tag:zorvex AND NOT tag:*hat*", "tags:>11 AND chars:<300", 'caption:"tag 7" OR path:0099']


def measured(title: str, work: Callable[[], Result]) -> Result:
    """Do the work, print what it took."""
    began, used = time.perf_counter(), time.process_time()
    result = work()
    seconds, used = time.perf_counter() - began, time.process_time() - used
    print(f"{title:<44} wall {seconds:7.3f} s  processor {used:7.3f} s", flush=True)
    return result


def make_folder(folder: Path, number: int) -> None:
    rng = random.Random(0)
    for n in range(number):
        if n % 1000 == 0:
            part = folder / f"{n // 1000:04d}"
            part.mkdir()
            (part / "picture").touch()
        name = part / f"{n:06d}"
        os.link(part / "picture", f"{name}.png")  # one empty picture under many names, which is quicker than many
        tags = ["zorvex", "common 1", "common 2", "happy_cat (animal)", *(f"tag {int(rng.paretovariate(0.5)) % 30000}" for _ in range(8))]
        with open(f"{name}.txt", "w", encoding="utf-8") as file:
            file.write(", ".join([*tags, "A cat sits on a red mat."] if n % 4 == 0 else tags))


def captions(folder: Path, number: int, edits: list[str]) -> None:
    make_folder(folder, number)
    vocabulary = Vocabulary({"zorvex": (0, 1)}, {"common_1": "usual"}, {"zorvex": ["cat"], "cat": ["animal"]})
    collection = measured(f"open {number:,} captions", lambda: open_captions(folder))
    for text in FILTERS:
        found = measured(f"filter {text}", lambda text=text: select(collection, Scope(text)))
        print(f"{'':<44} {len(found):,} found")
    for name in edits:
        edit = edit_of(name, **EDITS[name])

        def change(edit=edit):
            return plan_edit(collection, edit, vocabulary=vocabulary).save()

        operation = measured(f"edit {name}", change)
        if operation is not None:
            measured(f"  undo of {operation.files:,}", collection.undo)
    measured("open again", lambda: open_captions(folder))


def completion(number: int) -> None:
    rng = random.Random(0)
    tags: dict[str, tuple[int, int]] = {}
    while len(tags) < number:
        tags["".join(rng.choices("abcdefghijklmnopqrstuvwxyz_", k=rng.randint(3, 18)))] = (0, int(rng.paretovariate(0.6)))
    names = list(tags)
    aliases = {f"{rng.choice(names)}_too": rng.choice(names) for _ in range(number // 5)}
    vocabulary = Vocabulary(tags, aliases)
    word = max((name for name in names if len(name) > 6), key=lambda name: tags[name][1])
    for end in range(7):
        measured(f"complete {word[:end]!r} among {number:,} tags", lambda end=end: vocabulary.complete(word[:end]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", type=int, default=100_000)
    parser.add_argument("--tags", type=int, default=300_000)
    parser.add_argument("--folder", type=Path, help="where the captions are made; on the disk that shall be measured")
    parser.add_argument("--edits", nargs="+", choices=EDITS, default=[*EDITS], help="which edits; all without")
    arguments = parser.parse_args()
    completion(arguments.tags)
    folder = Path(tempfile.mkdtemp(prefix="captions-", dir=arguments.folder))
    try:
        captions(folder, arguments.captions, arguments.edits)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
