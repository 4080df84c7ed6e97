"""All captions below a folder at once: read in seconds, changed together, with every change in the folder's history.

    collection = open_captions("pictures")
    collection["anna/0001.txt"].caption.tags
    collection.save({"anna/0001.txt": Caption(b"zorvex, hat")}, "put zorvex in front")
    collection.undo()

A caption's key is the path of its file below the folder, with `/` between the parts, also where that file is not written yet.
Paths are plain strings here: with 100,000 captions, making a `Path` of each would take longer than reading them.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lorasmith.captions.caption import Caption, is_utf8
from lorasmith.captions.encodings import MARKS, Reading, in_words, plausible, readings
from lorasmith.captions.history import PATIENCE, Change, History, Operation, file_bytes
from lorasmith.command_line import quoted
from lorasmith.dataset_folder import (
    CAPTION_SUFFIXES,
    PICTURE_SUFFIXES,
    holds_no_pictures,
    is_no_folder,
    is_picture,
    is_regularisation,
    walk,
)
from lorasmith.errors import DatasetError, SettingsError
from lorasmith.stores import url_of


@dataclass(frozen=True, slots=True)
class Entry:
    """A caption and its pictures."""

    key: str
    """Path of the caption file below the folder, such as `anna/0001.txt`."""
    pictures: tuple[str, ...]
    """Paths of the pictures below the folder: one, or more where they share a name, such as `0001.png` and `0001.jpg`."""
    caption: Caption
    exists: bool
    """Whether the file exists; without one the caption is empty."""
    readable: bool = True
    """Whether it is UTF-8; what is not is empty here."""


MOST_TOGETHER = 2**14
"""Bytes of captions that are looked at together for their encoding."""


class CaptionCollection:
    """The captions below a folder, in the order of their keys, as they were read and saved since. `open_captions` makes one."""

    def __init__(
        self, folder: Path, extension: str, entries: Mapping[str, Entry], orphans: tuple[str, ...], unreadable: Mapping[str, Entry],
        patience: float = PATIENCE,
    ):  # fmt: skip
        self.folder = folder
        self.extension = extension
        """The suffix of caption files that are not written yet."""
        self.orphans = orphans
        """Caption files without a picture beside them."""
        self._unreadable = dict(unreadable)
        self.history = History(folder, patience)
        self._entries = dict(entries)

    def __repr__(self) -> str:
        return f"CaptionCollection({str(self.folder)!r}, {len(self)} captions)"

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def __getitem__(self, key: str) -> Entry:
        try:
            return self._entries[key]
        except KeyError:
            raise DatasetError(
                f"{self.folder} has no picture with the caption file {key}: give its path below that folder.",
                code="captions.not_found", folder=str(self.folder), path=key,
            ) from None  # fmt: skip

    @property
    def captions(self) -> dict[str, Caption]:
        """Key -> caption, an empty one where there is no file."""
        return {entry.key: entry.caption for entry in self}

    @property
    def missing(self) -> list[str]:
        """Keys of the pictures without a caption file."""
        return [entry.key for entry in self if not entry.exists]

    def is_regularisation(self, key: str) -> bool:
        """Whether the caption is that of a regularisation picture, which shows something other than the subject."""
        return self._is_regularisation or is_regularisation(key)

    @cached_property
    def _is_regularisation(self) -> bool:
        """Whether the folder that was opened is that of regularisation itself, or `regularisation/1_woman`."""
        folder = self.folder.resolve()
        return is_regularisation(Path(folder.parent.name, folder.name))

    @property
    def unreadable(self) -> dict[str, Entry]:
        """Caption files that are not UTF-8, by key. They are not among the entries, and no edit touches them until they are converted."""
        return dict(self._unreadable)

    @cached_property
    def unreadable_text(self) -> bytes:
        """The beginning of all captions that are not UTF-8, one after the other: together they show their encoding better than each alone."""
        pieces: list[bytes] = []
        for key in self._unreadable:
            if sum(map(len, pieces)) >= MOST_TOGETHER:
                break
            raw = file_bytes(self.folder / key) or b""
            if b"\0" not in raw and not raw.startswith(tuple(MARKS)):  # those say their encoding by themselves
                pieces.append(raw[:MOST_TOGETHER])
        return b"\n".join(pieces)

    def readings_of(self, key: str) -> list[Reading]:
        """What a caption that is not UTF-8 may say: one reading where its encoding is clear, several where it is not, none where it looks like no text."""
        return readings(file_bytes(self.folder / key) or b"", self.unreadable_text)

    def converted(self, key: str, encoding: str | None = None) -> Caption:
        """A caption that is not UTF-8, in UTF-8: read as `encoding`, by default the one that it looks written in; to be saved.

        Raises:
            SettingsError: there is no such encoding.
            DatasetError: the file is not in this encoding, looks like no text, or may be in one encoding as well as in another.
        """
        path = self.folder / key
        raw, found = file_bytes(path) or b"", self.readings_of(key)
        if encoding is None:
            if len(found) != 1:
                raise DatasetError(not_utf8(self.folder, [key], self.unreadable_text), code="captions.unsure_encoding", path=str(path))
            return Caption(found[0].text.removeprefix("\ufeff").encode())
        try:
            text = raw.decode(encoding)
        except LookupError:
            raise SettingsError(
                f"There is no encoding {encoding!r}: give one such as latin-1, cp1252, shift-jis, gbk or utf-16.",
                code="captions.unknown_encoding", encoding=encoding,
            ) from None  # fmt: skip
        except UnicodeError:
            raise _wrong_encoding(path, encoding, in_words(found)) from None
        if not plausible(text):
            raise _wrong_encoding(path, encoding, in_words(found))
        return Caption(text.removeprefix("\ufeff").encode())

    def conversions(self, encoding: str | None = None) -> dict[str, Caption]:
        """Key -> caption in UTF-8 for all files that are not. Raises as `converted` does."""
        return {key: self.converted(key, encoding) for key in self._unreadable}

    def path(self, key: str) -> Path:
        """The caption file of an entry."""
        return self.folder / self[key].key

    def tag_counts(self) -> Counter[str]:
        """Tag -> number of captions that have it, the most frequent first."""
        counts: Counter[str] = Counter()
        for entry in self:
            counts.update(set(entry.caption.tags))
        return Counter(dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))))

    def save(self, captions: Mapping[str, Caption], summary: str, note: str = "") -> Operation | None:
        """Write captions by key as one operation, which `summary` names in the history; None where nothing differs. `note` is kept with it.

        Missing files are made. Either all files are written or, after a kill or a power cut, the next opening finishes the operation.

        Raises:
            DatasetError: a key is not in the folder, or another program changed a file since it was read; then nothing is written.
        """
        changes = []
        for key, caption in captions.items():
            before = self._on_disk(key)
            if before != caption.raw and (before is not None or caption.raw):
                changes.append(Change(key, before, caption.raw))
        if not changes:
            return None
        operation = self.history.apply(changes, summary, note)
        self._take(changes)
        return operation

    def undo(self) -> Operation:
        """Undo the newest operation that was not undone.

        Raises:
            DatasetError: there is none, or another program changed a caption since; then nothing is written.
        """
        operation, changes = self.history.undo()
        self._take(changes)
        return operation

    def redo(self) -> Operation:
        """Redo the operation that was undone last. Raises as `undo` does."""
        operation, changes = self.history.redo()
        self._take(changes)
        return operation

    def _on_disk(self, key: str) -> bytes | None:
        if key in self._unreadable:
            return file_bytes(self.folder / key)
        return self[key].caption.raw if self[key].exists else None

    def _take(self, changes: Sequence[Change]) -> None:
        for change in changes:
            entry = self._entries.get(change.key) or self._unreadable.get(change.key)
            if entry is None:  # its picture was removed since then; the caption file was written all the same
                continue
            readable = change.after is None or is_utf8(change.after)
            caption = Caption(change.after or b"") if readable else Caption()
            target = self._entries if readable else self._unreadable
            moved = change.key not in target
            target[change.key] = Entry(change.key, entry.pictures, caption, change.after is not None, readable)
            if moved:
                (self._unreadable if readable else self._entries).pop(change.key, None)
                self._entries = dict(sorted(self._entries.items()))


def open_captions(
    folder: Path | str, extension: str | None = None, *, recursive: bool = True, unreadable_too: bool = False, patience: float = PATIENCE
) -> CaptionCollection:
    """The captions of all pictures in `folder` and the folders below it, in the order of their keys.

    A picture without a caption file has an empty caption, to be written with `extension`. Without `extension`, `.txt` and `.caption` are
    read, and new files get the suffix that most files have. Hidden files are skipped. An operation that was interrupted is finished first.

    A caption that is not UTF-8 is an error; with `unreadable_too` it is listed in `unreadable` and left out of the entries.
    `patience` is how many seconds to wait for another program that is changing the dataset.

    Raises
    ------
    DatasetError
        The folder does not exist, is a file, has no pictures, or has a caption that cannot be read or is not UTF-8.
    SettingsError
        `extension` is a suffix of pictures.

    Examples
    --------
    >>> captions = ls.open_captions("my-set")
    >>> captions.tag_counts()["zorvex"]
    5
    """
    root = Path(folder)
    if url_of(root) is not None:
        raise is_no_folder(root)
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise DatasetError(f"{root} {what}: give the folder with the pictures.", code="dataset.no_folder", folder=str(root))
    suffixes = CAPTION_SUFFIXES if extension is None else ("." + extension.lower().removeprefix("."),)
    if suffixes[0] in PICTURE_SUFFIXES:
        raise SettingsError(f"{extension} is a suffix of pictures: give one of caption files, such as .txt or .caption.")
    History(root, patience).recover()

    pictures, texts = _files_by_stem(root, suffixes, recursive)
    if not pictures:
        raise holds_no_pictures(root)
    most_used = Counter(f".{candidates[0].rpartition('.')[2]}" for stem, candidates in texts.items() if stem in pictures).most_common(1)
    new_suffix = most_used[0][0] if most_used else suffixes[0]

    prefix = f"{root}{os.sep}"
    entries: dict[str, Entry] = {}
    unreadable: dict[str, Entry] = {}
    for stem in sorted(pictures):
        own = tuple(sorted(pictures[stem])) if len(pictures[stem]) > 1 else (pictures[stem][0],)
        if stem not in texts:
            entries[stem + new_suffix] = Entry(stem + new_suffix, own, Caption(), exists=False)
            continue
        key = texts[stem][0]
        raw = file_bytes(prefix + key)
        if raw is None or not is_utf8(raw):
            unreadable[key] = Entry(key, own, Caption(), exists=True, readable=False)
        else:
            entries[key] = Entry(key, own, Caption(raw), exists=True)
    if unreadable and not unreadable_too:
        raise DatasetError(not_utf8(root, list(unreadable)), code="captions.not_utf8", paths=list(unreadable))
    orphans = tuple(sorted(path for stem, candidates in texts.items() if stem not in pictures for path in candidates))
    return CaptionCollection(root, new_suffix, entries, orphans, unreadable, patience)


def captions_beside(folder: Path | str, pictures: Sequence[str], patience: float = PATIENCE) -> dict[str, Entry] | None:
    """Picture -> its caption for these pictures alone, without a look at the folder's other files.

    None where one of them has no caption of its own name in the first suffix, or one that is not UTF-8: `open_captions` says what it has.
    """
    History(folder, patience).recover()
    prefix = f"{folder}{os.sep}"
    found: dict[str, Entry] = {}
    for picture in pictures:
        key = os.path.splitext(picture)[0] + CAPTION_SUFFIXES[0]
        raw = file_bytes(prefix + key)
        if raw is None or not is_utf8(raw):
            return None
        found[picture] = Entry(key, (picture,), Caption(raw), exists=True)
    return found


def _files_by_stem(root: Path, suffixes: Sequence[str], recursive: bool) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Path without suffix -> pictures, and path without suffix -> caption files, those whose suffix comes first in `suffixes` first."""
    pictures: dict[str, list[str]] = {}
    texts: dict[str, list[str]] = {}
    for place, names in walk(root, depth=None if recursive else 0, through_links=True):
        inside = f"{place}/" if place else ""
        for name in names:
            stem, dot, suffix = name.rpartition(".")  # hidden files, which begin with one, are not listed
            if is_picture(name):
                pictures.setdefault(inside + stem, []).append(inside + name)
            elif dot + suffix.lower() in suffixes:
                texts.setdefault(inside + stem, []).append(inside + name)
    for stem, own in pictures.items():
        for picture in own:
            if picture in texts and picture not in pictures:  # `cat.png.txt`, as downloaders name captions
                texts.setdefault(stem, []).extend(texts.pop(picture))
    for candidates in (several for several in texts.values() if len(several) > 1):
        candidates.sort(key=lambda path: (suffixes.index(os.path.splitext(path)[1].lower()), is_picture(os.path.splitext(path)[0]), path))
    return pictures, texts


def not_utf8(root: Path, unreadable: Sequence[str], beside: bytes = b"") -> str:
    """The message about captions that are not UTF-8; `beside` as in `readings`."""
    command = f"lorasmith captions convert {quoted(root)}"
    if len(unreadable) > 1:
        return (
            f"{root / unreadable[0]} and {len(unreadable) - 1} more cannot be read as UTF-8 text: convert them with `{command}` (it recognises "
            "each file's encoding; --dry-run shows the letters)."
        )
    found = readings(file_bytes(root / unreadable[0]) or b"", beside)
    way = f"`{command} --only {quoted(unreadable[0])} --from {found[0].encoding if len(found) == 1 else 'ENCODING'}`"
    hint = (
        "--dry-run shows the letters" if len(found) == 1 else "take the one that reads right" if found else "look whether it is text at all"
    )
    return f"{root / unreadable[0]} cannot be read as UTF-8 text: convert it with {way} ({in_words(found)}; {hint})."


def _wrong_encoding(path: Path, encoding: str, remedy: str) -> DatasetError:
    return DatasetError(
        f"{path} is not written in {encoding}: {remedy}.", code="captions.wrong_encoding", path=str(path), encoding=encoding
    )
