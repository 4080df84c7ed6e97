"""Describing many pictures: each answer is kept as soon as it is there, so that nothing is asked, or paid for, twice.

Answers lie in `.lorasmith/descriptions.sqlite` beside the dataset, by the picture's content, the captioner and the prompt.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lorasmith.captions.taggers.captioner import Captioner, DescriptionFailed, Question
from lorasmith.dataset_folder import DESCRIPTIONS
from lorasmith.errors import DatasetError
from lorasmith.images.read import content_hash, read_picture

Placement = Literal["instead", "second line", "only new"]


@dataclass
class Described:
    """What came of a job: descriptions and failures by picture."""

    texts: dict[Path, str] = field(default_factory=dict)
    asked: int = 0
    known: int = 0
    failures: dict[Path, str] = field(default_factory=dict)
    stopped: bool = False


def describe_pictures(
    dataset: Path | str,
    captioner: Captioner,
    prompts: Mapping[Path, str],
    *,
    again: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Described:
    """Ask the captioner about each picture with its prompt; what was answered before is taken from the store (not with `again`).

    A picture that cannot be read or described is reported and left out; `progress` hears (done, total), `cancelled` is asked before
    each batch. Errors of the captioner itself (a wrong key, a lost server) end the job; what was answered stays.
    """
    result = Described()
    waiting = list(prompts)
    store = _opened(Path(dataset))
    try:
        for first in range(0, len(waiting), captioner.batch_size):
            if cancelled():
                result.stopped = True
                break
            _describe_batch(
                store, captioner, {path: prompts[path] for path in waiting[first : first + captioner.batch_size]}, again, result
            )
            progress(min(first + captioner.batch_size, len(waiting)), len(waiting))
    finally:
        store.close()
    return result


def placed(caption: str, description: str, placement: Placement) -> str | None:
    """A caption's text after a description was added, or None where it stays as it is.

    `instead` replaces the text, `second line` keeps the first line (the tags) and puts the description under it, in place of an
    earlier one; `only new` leaves what has a caption.
    """
    if placement == "second line":
        first = caption.split("\n", 1)[0]
        new = f"{first}\n{description}" if first.strip() else description
    elif placement == "only new" and caption.strip():
        return None
    else:
        new = description
    return None if new == caption else new


def _describe_batch(store: sqlite3.Connection, captioner: Captioner, batch: Mapping[Path, str], again: bool, result: Described) -> None:
    questions: dict[Path, Question] = {}
    keys: dict[Path, str] = {}
    for path, prompt in batch.items():
        try:
            keys[path] = hashlib.sha256("\0".join((content_hash(path), captioner.identity, prompt)).encode()).hexdigest()
            row = None if again else store.execute("SELECT words FROM said WHERE key = ?", (keys[path],)).fetchone()
            if row is None:
                questions[path] = Question(read_picture(path), prompt)
            else:
                result.texts[path] = row[0]
                result.known += 1
        except DatasetError as error:
            result.failures[path] = str(error)
    if not questions:
        return
    try:
        answers: Sequence[str] = captioner.describe(list(questions.values()))
    except DescriptionFailed as error:
        result.failures.update(dict.fromkeys(questions, str(error)))
        return
    for path, words in zip(questions, answers, strict=True):
        if not words:
            result.failures[path] = f"{path} was described with no word: try another prompt."
            continue
        with store:
            store.execute("INSERT OR REPLACE INTO said VALUES (?, ?)", (keys[path], words))
        result.texts[path] = words
        result.asked += 1


def _opened(dataset: Path) -> sqlite3.Connection:
    path = dataset / DESCRIPTIONS
    try:
        path.parent.mkdir(exist_ok=True)
        store = sqlite3.connect(path, timeout=30)
        store.execute("CREATE TABLE IF NOT EXISTS said (key TEXT PRIMARY KEY, words TEXT NOT NULL)")
    except (sqlite3.Error, OSError) as error:
        raise DatasetError(
            f"{path} cannot be used for descriptions ({error}): mend the folder's permissions, or delete the file."
        ) from error
    return store
