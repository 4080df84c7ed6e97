"""A caption: the text beside a picture, as a sentence or as tags between commas.

`Caption` keeps the file's bytes. Tags and text are views of them, and a caption that nobody edits is written as it was read. An edit
makes a new `Caption` in the format of the old one: its byte order mark, its line ends, its spaces (or none) after commas, its newline
at the end.

Tags are read from the first line that is not blank, which is the line that training reads. Further lines (a sentence below the tags,
other wordings) belong to the text; edits of tags leave them alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lorasmith.captions.encodings import in_words, readings
from lorasmith.errors import DatasetError, InputError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

KAOMOJI = frozenset([
    "0_0", "(o)_(o)", "+_+", "+_-", "._.", "<o>_<o>", "<|>_<|>", "=_=", ">_<", "3_3", "6_9", ">_o", "@_@", "^_^", "o_o", "u_u", "x_x",
    "|_|", "||_||", "^o^", "\\m/", "\\o/", "\\||/", "\\n/",
])  # fmt: skip
"""Faces written in letters: their underscores, brackets and backslashes are meant as they are."""

WORDS_OF_A_SENTENCE = 6
"""A part between commas with at least this many words begins a sentence; tags are shorter."""


def read_caption(path: Path | str) -> str:
    """The text of a caption file, all its lines, without one newline at its end.

    The file is UTF-8, with or without a byte order mark; lines may end as on any system and come back with `\\n` between them.

    Raises:
        DatasetError: the file cannot be opened, or is not UTF-8.
    """
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be opened ({error.strerror}): check its name and its permissions.", code="captions.not_readable", path=str(path)
        ) from error
    if not is_utf8(raw):
        raise _not_utf8(path, raw)
    return Caption(raw).text


def split_tags(caption: str, separator: str = ",") -> list[str]:
    """The tags of a caption in their order, without the spaces around them; empty ones are dropped, repeated ones kept."""
    return [tag for part in caption.split(separator) if (tag := part.strip())]


def join_tags(tags: Iterable[str], separator: str = ",") -> str:
    """The tags as one caption, one space after each separator. `split_tags` with the same separator gives them back."""
    return f"{separator.rstrip()} ".join(tags)


@dataclass(frozen=True, slots=True)
class Caption:
    """The content of a caption file. `raw` is UTF-8, with or without a byte order mark; see `is_utf8`."""

    raw: bytes = b""

    @property
    def text(self) -> str:
        """All lines with `\\n` between them, without the byte order mark and without one newline at the end."""
        text = self._whole
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        return text.removesuffix("\n")

    @property
    def _whole(self) -> str:
        """The text as the file has it, without the byte order mark."""
        return (self.raw[3:] if self.raw.startswith(BYTE_ORDER_MARK) else self.raw).decode()

    @property
    def tags(self) -> list[str]:
        """The tags of the first line that is not blank, in their order; repeated ones are kept."""
        return split_tags(_tag_line(self.text)[1])

    def with_text(self, text: str) -> Caption:
        """This caption with another text (lines with `\\n` between them), in the format of the old file. The same text is the same bytes.

        Raises:
            InputError: the text contains a NUL, which no text editor writes.
        """
        if text == self.text:
            return self
        old = self._whole
        mark = BYTE_ORDER_MARK if self.raw.startswith(BYTE_ORDER_MARK) else b""
        newline = "\r\n" if "\r\n" in old else "\r" if "\r" in old else "\n"
        end = newline if old.endswith(("\n", "\r")) or text.endswith("\n") else ""
        if "\0" in text:
            raise InputError("A caption cannot contain the character NUL: leave it out.", code="captions.nul")
        return Caption(mark + (text.replace("\n", newline) + end).encode())

    def with_tags(self, tags: Iterable[str]) -> Caption:
        """This caption with other tags on its line of tags; the other lines stay. The same tags are the same bytes.

        Raises:
            InputError: a tag is blank or contains a comma or a line end, so that it would be read back as other tags.
        """
        tags = list(tags)
        text = self.text
        before, line, after = _tag_line(text)
        old = split_tags(line)
        if tags == old:
            return self
        for tag in set(tags).difference(old):
            check_tag(tag)
        inner = line.strip(" \t,")
        separator = "," if "," in inner and ", " not in inner else ", "
        indent = line[: len(line) - len(line.lstrip())]
        tail = line[len(line.rstrip(" \t,")) :] if tags and line.strip(" \t,") else ""
        return self.with_text(before + indent + separator.join(tags) + tail + after)

    @property
    def parts(self) -> tuple[list[str], list[str]]:
        """`tags` in two parts: the tags proper, and the parts behind them that make up a sentence with commas in it.

        A sentence begins at the first part that has six words, or that begins with a capital letter and has several words, on a line that
        ends like a sentence.
        """
        line = _tag_line(self.text)[1]
        tags = split_tags(line)
        ends = line.rstrip().endswith((".", "!", "?"))
        long = WORDS_OF_A_SENTENCE - 1  # spaces; counting them first makes 100,000 captions quick
        start = next((n for n, tag in enumerate(tags) if (ends or tag.count(" ") >= long) and _begins_sentence(tag, ends)), len(tags))
        return tags[:start], tags[start:]

    @property
    def sentence(self) -> str:
        """What is not a tag: the sentence on the line of tags and the lines below it, with `\\n` between them; "" where there is none."""
        own = join_tags(self.parts[1])
        below = [line.strip() for line in _tag_line(self.text)[2].split("\n")]
        return "\n".join(line for line in (own, *below) if line)


def is_utf8(raw: bytes) -> bool:
    """Whether bytes are UTF-8 text. UTF-16 without a byte order mark can pass for UTF-8; its NULs give it away."""
    if b"\0" in raw:
        return False
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def check_tag(tag: str) -> None:
    """Raises InputError for a text that would be read back as no tag, or as several."""
    if split_tags(tag) != [tag] or "\n" in tag or "\r" in tag or "\0" in tag:
        raise InputError(
            f"{tag!r} is not one tag (it is blank, contains a comma or a line end, or has spaces around it): give one tag.",
            code="captions.not_a_tag", tag=tag,
        )  # fmt: skip


def tag_key(tag: str) -> str:
    r"""What tags are compared by: their letters, with `\(` and `\)`, as prompts write them, read as parentheses."""
    return tag.replace("\\(", "(").replace("\\)", ")") if "\\" in tag else tag


def with_spaces(tag: str) -> str:
    """The tag with spaces for its underscores; kaomoji, and tags of underscores alone, stay as they are."""
    return tag if tag in KAOMOJI else tag.replace("_", " ").strip() or tag


def with_underscores(tag: str) -> str:
    """The tag with underscores for its spaces."""
    return tag.replace(" ", "_")


def with_escaped_parentheses(tag: str) -> str:
    r"""The tag with `\(` and `\)`, as prompts need them; once, also where it has them already."""
    return tag_key(tag).replace("(", "\\(").replace(")", "\\)")


def plain_tag(tag: str) -> str:
    """The tag with spaces for underscores and without the backslashes before parentheses; kaomoji stay as they are."""
    return with_spaces(tag_key(tag))


def _tag_line(text: str) -> tuple[str, str, str]:
    """The text in three pieces: the blank lines before, the line of tags, and the rest from its line end on."""
    start = 0
    while True:
        end = text.find("\n", start)
        line = text[start:] if end < 0 else text[start:end]
        if line.strip():
            return text[:start], line, "" if end < 0 else text[end:]
        if end < 0:
            return ("", text, "") if "\n" not in text else ("", "", text)
        start = end + 1


def _begins_sentence(tag: str, line_ends: bool) -> bool:
    words = len(tag.split())
    return words >= WORDS_OF_A_SENTENCE or (line_ends and words > 1 and tag[0].isupper())


def _not_utf8(path: Path | str, raw: bytes) -> DatasetError:
    found = readings(raw)
    likely = found[0].encoding if len(found) == 1 else None
    return DatasetError(
        f"{path} is not UTF-8 text ({in_words(found)}): open it in a text editor and save it with the encoding UTF-8, "
        f"or convert all such captions of its folder with `lorasmith captions convert FOLDER{'' if likely else ' --from ENCODING'}`.",
        code="captions.not_utf8", path=str(path), encoding=likely,
    )  # fmt: skip
