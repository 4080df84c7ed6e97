"""Describing many pictures: each answer is stored as soon as it is given, so that nothing is asked, or paid for, twice.

Answers are stored in `.lorasmith/descriptions.sqlite`, by the picture's content, the captioner and the prompt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lorasmith.captions.caption import Caption, join_tags
from lorasmith.captions.collection import CaptionCollection, Entry
from lorasmith.captions.store import open_store
from lorasmith.captions.taggers.captioner import Captioner, DescriptionFailed, Question, filled_prompt
from lorasmith.dataset_folder import DESCRIPTIONS
from lorasmith.errors import DatasetError
from lorasmith.images.read import content_hash, read_picture
from lorasmith.progress import Progress

Placement = Literal["instead", "second-line", "only-new"]
"""Where a description goes: `instead` of the caption, on the `second-line` below the tags, or `only-new` where there is no caption."""


SCHEMA = "CREATE TABLE IF NOT EXISTS descriptions (key TEXT PRIMARY KEY, text TEXT NOT NULL)"


@dataclass
class DescribedPictures:
    """What came of a job: descriptions and failures by picture."""

    texts: dict[Path, str] = field(default_factory=dict)
    described: int = 0
    """Pictures that the captioner was asked about."""
    known: int = 0
    """Pictures whose descriptions were stored before."""
    failures: dict[Path, str] = field(default_factory=dict)
    stopped: bool = False
    """Whether the job was cancelled before the end."""

    def take(self, store: DescriptionStore, answers: Iterable[Answer]) -> None:
        """Store what a captioner answered, and count it."""
        for answer in answers:
            if answer.problem:
                self.failures[answer.path] = answer.problem
            elif answer.text is None:
                self.texts[answer.path] = store.text(answer.key)
                self.known += 1
            else:
                store.put(answer.key, answer.text)
                self.texts[answer.path] = answer.text
                self.described += 1


class DescriptionStore:
    """The stored answers of a dataset, by `description_key`; a context manager."""

    def __init__(self, dataset: Path | str):
        self._database = open_store(Path(dataset), DESCRIPTIONS, SCHEMA, "describing the pictures again")

    def __enter__(self) -> DescriptionStore:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def has(self, key: str) -> bool:
        """Whether there is an answer."""
        return self._database.execute("SELECT 1 FROM descriptions WHERE key = ?", (key,)).fetchone() is not None

    def text(self, key: str) -> str:
        """The answer, which is there."""
        (text,) = self._database.execute("SELECT text FROM descriptions WHERE key = ?", (key,)).fetchone()
        return str(text)

    def put(self, key: str, text: str) -> None:
        """Store an answer."""
        with self._database as database:
            database.execute("INSERT OR REPLACE INTO descriptions VALUES (?, ?)", (key, text))

    def keys(self) -> Iterator[str]:
        """Of all answers."""
        yield from (key for (key,) in self._database.execute("SELECT key FROM descriptions"))


def description_key(content: str, identity: str, prompt: str) -> str:
    """What an answer is stored under: a hash of the picture's content, the captioner and the prompt."""
    return hashlib.sha256("\0".join((content, identity, prompt)).encode()).hexdigest()


@dataclass(frozen=True)
class Answer:
    """What came of one picture: its key and, unless that is stored, the description; or why there is none."""

    path: Path
    key: str = ""
    text: str | None = None
    problem: str = ""


def ask(captioner: Captioner, prompts: Mapping[Path, str], is_stored: Callable[[str], bool]) -> list[Answer]:
    """Ask about those pictures of a batch whose answers are not stored."""
    questions: dict[Path, Question] = {}
    keys: dict[Path, str] = {}
    answers: list[Answer] = []
    for path, prompt in prompts.items():
        try:
            key = description_key(content_hash(path), captioner.identity, prompt)
            if is_stored(key):
                answers.append(Answer(path, key))
            else:
                questions[path] = Question(read_picture(path), prompt)
                keys[path] = key
        except DatasetError as error:
            answers.append(Answer(path, problem=str(error)))
    if not questions:
        return answers
    try:
        descriptions: Sequence[str] = captioner.describe(list(questions.values()))
    except DescriptionFailed as error:
        return [*answers, *(Answer(path, problem=str(error)) for path in questions)]
    for path, description in zip(questions, descriptions, strict=True):
        problem = "" if description else f"The description of {path} is empty: try another prompt."
        answers.append(Answer(path, problem=problem) if problem else Answer(path, keys[path], description))
    return answers


def describe_pictures(
    dataset: Path | str,
    captioner: Captioner,
    prompts: Mapping[Path, str],
    *,
    again: bool = False,
    progress: Progress = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> DescribedPictures:
    """Ask the captioner about each picture with its prompt; stored answers are reused (not with `again`).

    A picture that cannot be read or described is reported and left out. `progress` is called with (done, total) after each batch,
    `cancelled` before each. Errors of the captioner itself (a wrong key, an unreachable server) end the job; what was answered stays.
    """
    result = DescribedPictures()
    pictures = list(prompts)
    with DescriptionStore(dataset) as store:
        for first in range(0, len(pictures), captioner.batch_size):
            if cancelled():
                result.stopped = True
                break
            batch = {path: prompts[path] for path in pictures[first : first + captioner.batch_size]}
            result.take(store, ask(captioner, batch, (lambda key: False) if again else store.has))
            progress(min(first + captioner.batch_size, len(pictures)), len(pictures))
    return result


def prompts_for(
    collection: CaptionCollection, entries: Sequence[Entry], template: str, tags_of: Mapping[str, Sequence[str]], trigger: str = ""
) -> dict[str, str]:
    """Key -> prompt of each entry: the template filled with its first picture's name, folder and tags. Raises as `filled_prompt` does."""
    prompts = {}
    for entry in entries:
        path = collection.folder / entry.pictures[0]
        tags = tags_of.get(entry.pictures[0], [])
        prompts[entry.key] = filled_prompt(template, tags=tags, name=path.stem, folder=path.parent.name, trigger=trigger)
    return prompts


def described_captions(entries: Sequence[Entry], texts: Mapping[str, str], placement: Placement, trigger: str = "") -> dict[str, Caption]:
    """Key -> new caption, for the entries that would differ. `texts` are descriptions by key; a trigger goes in front of those `instead`."""
    changes: dict[str, Caption] = {}
    for entry in entries:
        if entry.key not in texts:
            continue
        description = texts[entry.key]
        if trigger and placement != "second-line":
            description = join_tags([trigger, description])
        text = place_description(entry.caption.text, description, placement)
        if text is not None:
            changes[entry.key] = entry.caption.with_text(text)
    return changes


def place_description(caption: str, description: str, placement: Placement) -> str | None:
    """A caption's text with a description, or None where it stays as it is.

    `instead` replaces the text, `second-line` keeps the first line that is not blank (the tags) and puts the description below it, in
    place of an earlier one; `only-new` leaves existing captions alone.
    """
    if placement == "second-line":
        first = next((line for line in caption.split("\n") if line.strip()), "")
        new = f"{first}\n{description}" if first else description
    elif placement == "only-new" and caption.strip():
        return None
    else:
        new = description
    return None if new == caption else new
