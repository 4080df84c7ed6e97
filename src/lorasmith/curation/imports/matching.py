"""Which picture a row of another trainer's file means, where the path in it is not quite the picture's.

Files move: from Windows to Linux, from `/data/train` to a folder beside them, from a disk that ignores case to one that does not. A row
means the picture at its path, read from the file's folder. If there is none, it means the only picture that has the end of its path, in
any case and Unicode form. Folders in the row may only be ignored where its path was absolute or the picture is right beside the file:
`anna/1.png` is not `bob/1.png`.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from lorasmith.curation.imports.captions_files import Row, read_rows
from lorasmith.curation.imports.source import FoundPicture, SourceFile, left_out, section_and_concept
from lorasmith.dataset_folder import PICTURE_SUFFIXES, is_picture, mask_beside, pictures_below, sidecars
from lorasmith.errors import DatasetError
from lorasmith.findings import Finding

LONGEST_NAMED = 200
"""Characters of a path in a message."""
_ABSOLUTE = re.compile(r"^(/|[A-Za-z]:/)")


def portable(path: str) -> str:
    r"""A path with `/` for `\`, without `.` in it."""
    return posixpath.normpath(path.replace("\\", "/"))


class PictureIndex:
    """The pictures of a source, to be found by the ends of their paths. `root` is the source's own folder."""

    def __init__(self, pictures: Iterable[str], root: str):
        self._root = tuple(part for part in root.split("/") if part)
        self._pictures: dict[str, str] = {}
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for picture in pictures:
            self._pictures[picture] = self._pictures[_without_suffix(picture)] = picture
            name = posixpath.basename(picture)
            for known in {_folded(name), _folded(_without_suffix(name))}:
                self._by_name[known].append(picture)

    def at(self, path: str, folder: str) -> str | None:
        """The picture at a path, read from `folder`; the path may lack its suffix."""
        written, read = (posixpath.normpath(posixpath.join(folder, one)) for one in (path, portable(path)))
        return self._pictures.get(written) or self._pictures.get(read)

    def like(self, path: str, folder: str, taken: Iterable[str] = ()) -> str | None:
        """The only picture that ends as a path does and is not taken; None where there is none or are several."""
        path, taken = portable(path), set(taken)
        parts = [part for part in _ABSOLUTE.sub("", path, count=1).split("/") if part not in ("", "..")]
        if not parts:
            return None
        found: dict[int, list[str]] = defaultdict(list)
        for picture in self._by_name.get(_folded(parts[-1]), ()):
            common = self._common_end(parts, picture)
            beside = posixpath.dirname(picture) == folder
            if picture not in taken and (common == len(parts) or beside or _ABSOLUTE.match(path)):
                found[common].append(picture)
        if not found:
            return None
        best = found[max(found)]
        inside = [one for one in best if not folder or one.startswith(f"{folder}/")] or best
        spelled = [one for one in inside if parts[-1] in (posixpath.basename(one), _without_suffix(posixpath.basename(one)))] or inside
        return spelled[0] if len(spelled) == 1 else None

    def _common_end(self, parts: Sequence[str], picture: str) -> int:
        """How many parts a path and a picture's path have in common at their ends; the name counts as one."""
        theirs = (*self._root, *picture.split("/"))
        common = 1
        for one, other in zip(reversed(parts[:-1]), reversed(theirs[:-1]), strict=False):
            if _folded(one) != _folded(other):
                break
            common += 1
        return common


def from_captions_file(source: Path, left: list[Finding]) -> list[FoundPicture]:
    """The pictures that a file of another trainer names, with their captions.

    Raises:
        DatasetError: the file cannot be read, or names no pictures.
    """
    rows = read_captions_file(source, left)
    found = {row: path for row in rows if (path := _on_disk(source.parent, row.picture)) is not None}
    if rest := [row for row in rows if row not in found]:
        paths = {path.relative_to(source.parent).as_posix(): path for path in pictures_below(source.parent)}
        free = PictureIndex([name for name, path in paths.items() if path not in set(found.values())], source.resolve().parent.as_posix())
        found |= {row: paths[name] for name, row in match_rows(rest, free, "", left, case="missing").items()}
    pictures = []
    for row, path in sorted(found.items(), key=lambda one: rows.index(one[0])):
        section, concept, repeats = section_and_concept(path.resolve().parts[:-1][-2:])
        shown, file = f"{path.parent.name}/{path.name}", SourceFile.at(path, path.name)
        beside = {caption.suffix.lower(): caption.read_bytes() for caption in reversed(sidecars(path))}
        captions = captions_with_row(row, beside, shown, left, row_wins=True)
        mask = SourceFile.at(its, its.name) if (its := mask_beside(path)).is_file() else None
        pictures.append(FoundPicture(shown, shown, file.open, path, section, concept, repeats, path.suffix.lower(), captions, mask))
    return pictures


def captions_with_row(row: Row, beside: dict[str, bytes], picture: str, left: list[Finding], *, row_wins: bool) -> dict[str, bytes]:
    """A picture's captions (suffix -> bytes), where caption files are beside it and a row has one too.

    The row wins where its file was given, the caption files where it was found among them. What loses and says something else goes to `left`.
    """
    if not beside or not row.caption:
        return beside or ({".txt": row.caption.encode()} if row.caption else {})
    suffix, text = next(iter(beside.items()))
    if text.decode(errors="replace").split() != row.caption.split():
        file = f"{_without_suffix(picture)}{suffix}"
        if row_wins:
            message, fix = f"{file} is not used: {row.where} has another caption.", "Import the folder to take its caption files."
        else:
            message = f"{row.where} is not used: {file} has another caption."
            fix = "Import the metadata file itself to take its captions."
        left.append(left_out("caption_not_used", file if row_wins else row.where, message, fix, about="caption"))
    return {".txt": row.caption.encode()} if row_wins else beside


def read_captions_file(source: Path, left: list[Finding]) -> list[Row]:
    """The rows of a captions file on the disk. Raises DatasetError as `read_rows` does, and where it cannot be opened."""
    try:
        raw = source.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"{source} cannot be read ({error.strerror or error}): check its permissions.", code="imports.not_readable", file=str(source)
        ) from error
    return read_rows(source.name, raw, f"{source.parent.name}/{source.name}", left)


def _on_disk(folder: Path, named: str) -> Path | None:
    """The picture at a path, read from a folder or from where the program runs, with or without its suffix."""
    for path in (start / name for start in (folder, Path.cwd()) for name in dict.fromkeys((named, portable(named)))):
        for suffix in ("", *PICTURE_SUFFIXES):
            if path.name and exists(whole := path.with_name(path.name + suffix)) and whole.is_file():
                return whole
    return None


def exists(path: Path) -> bool:
    """Whether something is there; nothing is under a name that no disk takes, such as a picture itself where its name should be."""
    try:
        return path.exists()
    except OSError:
        return False


def match_rows(
    rows: Sequence[Row], pictures: PictureIndex, folder: str, left: list[Finding], *, case: str = "caption_without_picture"
) -> dict[str, Row]:
    """Picture -> the row that means it, of a file in `folder`.

    Rows that mean none (as `case` of what is left out) and those that another row replaces go to `left`.
    """
    matched: dict[str, Row] = {}
    rest = []
    for row in rows:
        if (picture := pictures.at(row.picture, folder)) is None:
            rest.append(row)
        else:
            _claim(matched, picture, row, left)
    exact = set(matched)
    for row in rest:
        if (picture := pictures.like(row.picture, folder, exact)) is None:
            named = row.picture if len(row.picture) <= LONGEST_NAMED else f"{row.picture[:LONGEST_NAMED]}..."
            message = f"{row.where} names {named}, and there is no such picture, or several."
            left.append(left_out(case, row.where, message, about="caption"))
        else:
            _claim(matched, picture, row, left)
    return matched


def _claim(matched: dict[str, Row], picture: str, row: Row, left: list[Finding]) -> None:
    before = matched.get(picture)
    if before is not None and before.caption != row.caption:
        message = f"{before.where} is not used: {row.where} has another caption for {picture}."
        left.append(left_out("caption_not_used", before.where, message, about="caption"))
    matched[picture] = row


def _without_suffix(name: str) -> str:
    return posixpath.splitext(name)[0] if is_picture(name) else name


def _folded(name: str) -> str:
    """A name as it is on a disk that knows neither case nor Unicode forms."""
    return unicodedata.normalize("NFC", name).casefold()
