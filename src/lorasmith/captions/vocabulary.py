"""The tags of a booru site: how often each is used, its aliases, and what it implies.

Lorasmith ships no list, since none has a licence that allows it. People have one of these, and `open_vocabulary` tells them apart by
their columns:

- tagcomplete's CSV: no header, `name,category,count,"alias,alias"`; everything after the name may be missing. A single number behind each
  name is the category where the list has 0, the general one, and nothing beyond the sites' categories, else the count
- the `selected_tags.csv` of WD taggers: `tag_id,name,category,count`
- plain text: one tag per line, commas and all, or with how often it is used behind a comma, a tab or spaces (`tag,count`, `tag count`)
- e621's exports, plain or gzipped: `tags` (`id,name,category,post_count`), `tag_aliases` and `tag_implications`
  (`id,antecedent_name,consequent_name,created_at,status`), told apart by their file names
- Danbooru's `tags`, `tag_aliases` and `tag_implications` as JSON with the same names: a list, as its API gives it, or one object per line, as
  in its dump; plain or gzipped

Lists write tags with underscores and in lower case; captions often do not. Tags are compared in that spelling, and results are spelled
like the caption's tag.

Completion is a binary search in one sorted list of all names and aliases, followed by the most used of the matches. The order of use is
sorted once, so that a single letter, or nothing typed at all, costs no more than a long beginning.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lorasmith.captions.caption import KAOMOJI, tag_key, with_escaped_parentheses, with_spaces, with_underscores
from lorasmith.errors import InputError

LAST_LETTER = chr(0x10FFFF)

MANY = 10_000
"""Matches from which on they are looked up in the order of all names, instead of being sorted by themselves."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One completion."""

    tag: str
    """In the list's spelling."""
    count: int
    """How many pictures of the site have it; 0 where the list has no counts."""
    category: int
    """The site's own number for the tag's category; -1 where the list has none. Sites number differently."""
    alias: str | None
    """The alias that matched; None where the tag's own name did."""


class Vocabulary:
    """Tags with counts, aliases and implications. Names are given in the list's spelling.

    `tags`: name -> (category, count). `aliases`: alias -> name. `implications`: name -> names that it directly implies.
    """

    def __init__(
        self,
        tags: Mapping[str, tuple[int, int]],
        aliases: Mapping[str, str] | None = None,
        implications: Mapping[str, Iterable[str]] | None = None,
    ):
        self.tags = dict(tags)
        self.aliases = {alias: name for alias, name in (aliases or {}).items() if alias not in self.tags}
        self.implications = {child: tuple(parents) for child, parents in (implications or {}).items()}
        found = sorted([*((name, name) for name in self.tags), *self.aliases.items()])
        self._keys = [key for key, _ in found]
        self._names = [name for _, name in found]
        self._counts = np.array([self.tags.get(name, (-1, 0))[1] for _, name in found], dtype=np.int64)
        self._most_used = np.argsort(-self._counts, kind="stable")
        self._implying = {key_of(name) for name in self.implications}
        self._spelled = {key_of(name): name for name in (*self.implications, *self.aliases, *self.tags)}

    def __repr__(self) -> str:
        return f"Vocabulary({len(self.tags)} tags, {len(self.aliases)} aliases, {len(self.implications)} with implications)"

    def __len__(self) -> int:
        return len(self.tags)

    def __contains__(self, tag: str) -> bool:
        """Whether a tag, in any spelling, is a name or an alias of the list."""
        name = self._spelled.get(key_of(tag))
        return name in self.tags or name in self.aliases

    def complete(self, beginning: str, limit: int = 10) -> list[Suggestion]:
        """The most used tags whose name or alias begins with `beginning`, each once; the alias is given only where the name does not match."""
        prefix = key_of(beginning.lstrip())
        first, last = bisect_left(self._keys, prefix), bisect_left(self._keys, prefix + LAST_LETTER)
        if last - first < MANY:
            places = first + np.argsort(-self._counts[first:last], kind="stable")
        else:
            places = self._most_used[(self._most_used >= first) & (self._most_used < last)]
        found: dict[str, Suggestion] = {}
        for at in places:
            key, name = self._keys[at], self._names[at]
            category, count = self.tags.get(name, (-1, 0))
            found.setdefault(name, Suggestion(name, count, category, None if name.startswith(prefix) else key))
            if len(found) == limit:
                break
        return list(found.values())

    def containing(self, part: str, limit: int = 10) -> list[Suggestion]:
        """The most used tags with `part` inside their name, not at its beginning; aliases are left out."""
        inside = key_of(part.strip())
        found: list[Suggestion] = []
        for at in self._most_used if inside else ():
            name = self._names[at]
            if name == self._keys[at] and name.find(inside) > 0:
                category, count = self.tags.get(name, (-1, 0))
                found.append(Suggestion(name, count, category, None))
                if len(found) == limit:
                    break
        return found

    def resolve(self, tag: str) -> str:
        """The tag that a tag is an alias of, through any number of steps, in the same spelling; the tag itself where it is not an alias."""
        name = self._spelled.get(key_of(tag))
        if name is None or name not in self.aliases:
            return tag
        visited = set[str]()
        while name in self.aliases and name not in visited:
            visited.add(name)
            name = self.aliases[name]
        return spelled_like(name, tag)

    def implied_by(self, tag: str) -> set[str]:
        """All tags that a tag implies, through any number of steps, in the list's spelling; never the tag itself."""
        return self._implied_by(key_of(tag))

    def _implied_by(self, key: str) -> set[str]:
        name = self._spelled.get(key, key)
        found: set[str] = set()
        waiting = list(self.implications.get(name, ()))
        while waiting:
            parent = waiting.pop()
            if parent not in found and parent != name:  # some lists have circular implications
                found.add(parent)
                waiting += self.implications.get(parent, ())
        return found

    def without_implied(self, tags: Sequence[str], keep: Iterable[str] = ()) -> list[str]:
        """The tags without those that another of them implies, except tags in `keep`. Of tags that imply each other the first stays."""
        kept = {key_of(tag) for tag in keep}
        keys = [key_of(tag) for tag in tags]
        if self._implying.isdisjoint(keys):
            return [*tags]
        implied = [{key_of(parent) for parent in self._implied_by(key)} if key in self._implying else set() for key in keys]
        all_implied = set().union(*implied)

        def is_implied(at: int) -> bool:
            others = (n for n in range(len(tags)) if keys[at] in implied[n])
            return any(keys[other] not in implied[at] or other < at for other in others)

        return [tag for at, tag in enumerate(tags) if keys[at] in kept or keys[at] not in all_implied or not is_implied(at)]

    def with_implied(self, tags: Sequence[str]) -> list[str]:
        """The tags, and behind them all missing ones that they imply, in alphabetical order and in the same spelling."""
        keys = [key_of(tag) for tag in tags]
        implying = [(key, tag) for key, tag in zip(keys, tags, strict=True) if key in self._implying]
        new = {parent: tag for key, tag in implying for parent in self._implied_by(key) if key_of(parent) not in keys}
        return [*tags, *(spelled_like(parent, new[parent]) for parent in sorted(new))]

    def unknown(self, tags: Iterable[str]) -> list[str]:
        """Those of the tags that are neither names nor aliases of the list."""
        return [tag for tag in tags if tag not in self]


def key_of(tag: str) -> str:
    r"""What tags are compared by: lower case, underscores for spaces, `(` for `\(`."""
    tag = tag_key(tag)
    return tag if tag in KAOMOJI else with_underscores(tag).lower()


def spelled_like(name: str, model: str) -> str:
    r"""A name in the spelling of another tag: with spaces unless `model` has underscores, with `\(` where `model` has it."""
    if "_" not in model or " " in model:
        name = with_spaces(name)
    if "\\(" in model:
        name = with_escaped_parentheses(name)
    return name


def merged(vocabularies: Iterable[Vocabulary]) -> Vocabulary:
    """Several lists as one; a tag of two lists has the higher count."""
    tags: dict[str, tuple[int, int]] = {}
    aliases: dict[str, str] = {}
    implications: dict[str, tuple[str, ...]] = {}
    for one in vocabularies:
        for name, (category, count) in one.tags.items():
            if name not in tags or count > tags[name][1]:
                tags[name] = (category, count)
        aliases |= one.aliases
        for child, parents in one.implications.items():
            implications[child] = tuple(dict.fromkeys([*implications.get(child, ()), *parents]))
    return Vocabulary(tags, aliases, implications)


# Files

GENERAL, LAST_CATEGORY = 0, 15
"""Of the numbers of the sites' categories; those for characters, artists and the like are in between."""

JSON_COLUMNS = ("name", "category", "post_count", "antecedent_name", "consequent_name", "status")
"""Fields that are read of Danbooru's objects; they have more, such as dates."""


def open_vocabulary(files: Path | str | Sequence[Path | str]) -> Vocabulary:
    """The vocabulary of one or more files in the formats above, such as e621's three exports.

    Raises:
        InputError: a file is missing, is not UTF-8, is damaged, or has none of the formats; the message names the row.
    """
    return merged([_read(Path(file)) for file in ([files] if isinstance(files, (str, Path)) else files)])


def _read(file: Path) -> Vocabulary:
    try:
        content = file.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise InputError(
            f"The tag list {file} cannot be read ({error.strerror or error}): check its name, or download it again."
        ) from error
    except (EOFError, zlib.error) as error:
        raise InputError(f"The tag list {file} is damaged ({error}): download it again.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"The tag list {file} is not UTF-8 text: save it with that encoding.") from error
    if ".json" in file.suffixes or "".join(text[:100].split()).startswith(("[{", '{"')):
        header, cells = _json(file, text)
        known = _by_header(file, header, cells)
        if known is None:
            raise _not_a_list(file, 1, f"the fields {', '.join(header) or 'of no object'}")
        return known
    if ".txt" in file.suffixes and (known := _plain_text(text)) is not None:
        return known
    rows = csv.reader(io.StringIO(text, newline=""))
    try:
        header = next(rows, [])
        known = _by_header(file, header, rows)
        return known if known is not None else _tagcomplete(file, [header, *rows])
    except csv.Error as error:
        raise InputError(f"The tag list {file} is damaged in line {rows.line_num} ({error}): download it again.") from error


COUNTED = re.compile(r"(.*\S)(?:\t\s*| +)(\d+)")
"""`tag count`: a tab or spaces before the number."""


def _plain_text(text: str) -> Vocabulary | None:
    """The tags of a text file with one a line, or with one and its count; None where a line has a number between commas, as a table does."""
    lines = [line.strip().lower() for line in text.splitlines() if line.strip()]
    if any(line.split(",")[1:2] and line.split(",")[1].strip().isdecimal() for line in lines):
        return None
    counted = [(match[1], int(match[2])) for line in lines if (match := COUNTED.fullmatch(line))]
    if lines and len(counted) == len(lines) and (all("\t" in line for line in lines) or _is_by_count(counted)):
        return Vocabulary({name: (-1, count) for name, count in counted})
    return Vocabulary(dict.fromkeys(lines, (-1, 0))) if lines else None


def _is_by_count(counted: Sequence[tuple[str, int]]) -> bool:
    """Whether tags with a number behind a space are a list by count, not names such as `persona 5`: several, different, the most used first."""
    counts = [count for _, count in counted]
    return len(counted) > 1 and len(dict(counted)) == len(counted) and counts == sorted(counts, reverse=True)


def _by_header(file: Path, header: list[str], rows: Iterable[list[str]]) -> Vocabulary | None:
    """A list with a header; None where the columns are not those of a list."""
    if {"antecedent_name", "consequent_name"} <= set(header):
        return _relations(file, header, rows)
    if "name" in header and ("count" in header or "post_count" in header):
        return _table(file, header, rows)
    return None


def _json(file: Path, text: str) -> tuple[list[str], list[list[str]]]:
    """The columns that are read, and the rows, of a JSON list of objects or of one object per line."""
    try:
        whole = text.lstrip().startswith("[")
        objects = json.loads(text) if whole else [json.loads(line) for line in text.splitlines() if line.strip()]
    except json.JSONDecodeError as error:
        raise InputError(f"The tag list {file} is damaged ({error}): download it again.") from error
    if not objects:
        raise InputError(f"The tag list {file} is empty: give a list of tags.")
    header: list[str] = []
    rows = []
    for line, one in enumerate(objects, 1):
        if not isinstance(one, dict):
            raise _not_a_list(file, line, f"{one!r} instead of an object")
        header = header or [column for column in JSON_COLUMNS if column in one]
        rows.append([str(one[column]) for column in header if one.get(column) is not None])
    return header, rows


def _table(file: Path, header: list[str], rows: Iterable[list[str]]) -> Vocabulary:
    """A list whose header names its columns: a WD tagger's, or e621's tags."""
    name, category = header.index("name"), header.index("category") if "category" in header else None
    count = header.index("count" if "count" in header else "post_count")
    tags: dict[str, tuple[int, int]] = {}
    for line, row in _whole(file, rows, len(header), first=2):
        tags[row[name].lower()] = (_number(file, line, row[category]) if category is not None else -1, _number(file, line, row[count]))
    return Vocabulary(tags)


def _tagcomplete(file: Path, rows: Iterable[list[str]]) -> Vocabulary:
    tags: dict[str, tuple[int, int]] = {}
    aliases: dict[str, str] = {}
    most_columns = 0
    for line, row in enumerate(rows, 1):
        if not row or not row[0].strip():
            continue
        if len(row) > 5:
            raise _not_a_list(file, line, f"{len(row)} columns")
        most_columns = max(most_columns, len(row))
        name = row[0].strip().lower()
        numbers = [_number(file, line, cell) if cell.strip() else -1 for cell in row[1:3]] + [-1, -1]
        tags[name] = (numbers[0], max(numbers[1], 0))
        for alias in row[3].split(",") if len(row) > 3 else ():
            if alias.strip():
                aliases[alias.strip().lower()] = name
    if not tags:
        raise InputError(f"The tag list {file} is empty: give a list of tags.")
    numbers_behind = {category for category, _ in tags.values()} - {-1}
    if most_columns == 2 and (GENERAL not in numbers_behind or max(numbers_behind) > LAST_CATEGORY):
        tags = {name: (-1, max(number, 0)) for name, (number, _) in tags.items()}
    return Vocabulary(tags, aliases)


def _relations(file: Path, header: list[str], rows: Iterable[list[str]]) -> Vocabulary:
    """Aliases or implications of e621 or Danbooru: active ones, without those that lead to a placeholder for invalid tags."""
    is_alias, is_implication = "alias" in file.name.lower(), "implication" in file.name.lower()
    if is_alias == is_implication:
        raise InputError(f"{file} contains aliases or implications, which look alike: put one of the two words into its name.")
    child, parent = header.index("antecedent_name"), header.index("consequent_name")
    status = header.index("status") if "status" in header else None
    aliases: dict[str, str] = {}
    implications: dict[str, list[str]] = {}
    for _, row in _whole(file, rows, len(header), first=2):
        if status is not None and row[status] != "active":
            continue
        if row[parent] == "invalid_tag" or row[parent].endswith("_(disambiguation)"):
            continue
        if is_alias:
            aliases[row[child].lower()] = row[parent].lower()
        else:
            implications.setdefault(row[child].lower(), []).append(row[parent].lower())
    return Vocabulary({}, aliases, implications)


def _whole(file: Path, rows: Iterable[list[str]], columns: int, first: int) -> Iterator[tuple[int, list[str]]]:
    for line, row in enumerate(rows, first):
        if row and len(row) != columns:
            raise _not_a_list(file, line, f"{len(row)} columns instead of {columns}")
        if row:
            yield line, row


def _number(file: Path, line: int, cell: str) -> int:
    try:
        return int(cell)
    except ValueError:
        raise _not_a_list(file, line, f"{cell!r} instead of a number") from None


def _not_a_list(file: Path, line: int, what: str) -> InputError:
    return InputError(
        f"The tag list {file} has {what} in row {line}: give a tagcomplete CSV (name,category,count,aliases), a WD tagger's "
        "selected_tags.csv, an e621 export, or Danbooru's JSON."
    )
