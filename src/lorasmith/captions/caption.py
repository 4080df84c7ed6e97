"""A caption: the text beside a picture, as a sentence or as tags between commas."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lorasmith.errors import DatasetError


def read_caption(path: Path | str) -> str:
    """The text of a caption file, all its lines, without one newline at its end.

    The file is UTF-8, with or without a byte order mark; lines may end as on any system and come back with `\\n` between them.

    Raises:
        DatasetError: the file cannot be opened, or is not UTF-8.
    """
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be opened ({error.strerror}): check its name and that you may read it.") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error
    if "\0" in text:  # valid UTF-8 by its letter, but what UTF-16 without a byte order mark looks like
        raise _not_utf8(path)
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")


def split_tags(caption: str, separator: str = ",") -> list[str]:
    """The tags of a caption in their order, without the spaces around them; empty ones are dropped, repeated ones kept."""
    return [tag for part in caption.split(separator) if (tag := part.strip())]


def join_tags(tags: Iterable[str], separator: str = ",") -> str:
    """The tags as one caption, a space after each separator. `split_tags` with the same separator gives them back."""
    return f"{separator} ".join(tags)


def _not_utf8(path: Path | str) -> DatasetError:
    return DatasetError(f"{path} is not UTF-8 text: open it in a text editor and save it with the encoding UTF-8.")
