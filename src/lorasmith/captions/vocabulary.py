"""The tags that a site knows: how often each is used, what else it is called, and what it implies.

No list comes along, since none has a licence that allows it; people have one of these, and `open_vocabulary` tells them apart by
their columns:

- tagcomplete's CSV: no header, `name,category,count,"alias,alias"`; everything after the name may be missing
- the `selected_tags.csv` of WD taggers: `tag_id,name,category,count`
- a plain text, one tag a line
- e621's exports, plain or gzipped: `tags` (`id,name,category,post_count`), `tag_aliases` and `tag_implications`
  (`id,antecedent_name,consequent_name,created_at,status`), told apart by their file names
- Danbooru's `tags`, `tag_aliases` and `tag_implications` as JSON with the same names: a list, as its pages give it, or an object a line, as
  its dump does; plain or gzipped

Lists write tags with underscores and in lower case; captions often do not. Tags are the same here if they are the same so written, and what
comes back is spelled as the caption's tag was.

Completion is a binary search in one sorted list of all names and aliases, and then the most used of what begins that way. Which are the
most used of all is sorted once, so that a letter or none at all, which many tags begin with, costs no more than a long beginning.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
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
"""Names from which on those that begin alike are looked up in the order of all, instead of being sorted by themselves."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One completion."""

    tag: str
    """As the list spells it."""
    count: int
    """How many pictures of the site have it; 0 where the list does not say."""
    category: int
    """The site's own number for the tag's kind; -1 where the list does not say. Sites number differently."""
    alias: str | None
    """The other name that was found; None where the tag's own was."""


class Vocabulary:
    """Tags with counts, aliases and implications. Names are given in the list's spelling.

    `tags`: name -> (category, count). `aliases`: other name -> name. `implications`: name -> names that it directly implies.
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

    def __len__(self) -> int:
        return len(self.tags)

    def __contains__(self, tag: str) -> bool:
        """Whether a tag, in any spelling, is a name or an alias of the list."""
        name = self._spelled.get(key_of(tag))
        return name in self.tags or name in self.aliases

    def complete(self, beginning: str, limit: int = 10) -> list[Suggestion]:
        """The most used tags of which a name or an alias begins so, each once; a tag found by its own name says no alias."""
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

    def resolve(self, tag: str) -> str:
        """The tag that a tag is an alias of, through any number of steps, spelled as the tag is; the tag itself where it is none."""
        name = self._spelled.get(key_of(tag))
        if name is None or name not in self.aliases:
            return tag
        seen = set[str]()
        while name in self.aliases and name not in seen:
            seen.add(name)
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
            if parent not in found and parent != name:  # implications that lead in a circle exist in the lists
                found.add(parent)
                waiting += self.implications.get(parent, ())
        return found

    def without_implied(self, tags: Sequence[str], keep: Iterable[str] = ()) -> list[str]:
        """The tags without those that another of them implies. Of tags that imply each other the first stays, and so does what is in `keep`."""
        kept = {key_of(tag) for tag in keep}
        keys = [key_of(tag) for tag in tags]
        if self._implying.isdisjoint(keys):
            return [*tags]
        implied = [{key_of(parent) for parent in self._implied_by(key)} if key in self._implying else set() for key in keys]
        meant = set().union(*implied)

        def is_implied(at: int) -> bool:
            others = (n for n in range(len(tags)) if keys[at] in implied[n])
            return any(keys[other] not in implied[at] or other < at for other in others)

        return [tag for at, tag in enumerate(tags) if keys[at] in kept or keys[at] not in meant or not is_implied(at)]

    def with_implied(self, tags: Sequence[str]) -> list[str]:
        """The tags, and behind them all that they imply and that is not there yet, in alphabetical order, spelled as the tags are."""
        keys = [key_of(tag) for tag in tags]
        implying = [(key, tag) for key, tag in zip(keys, tags, strict=True) if key in self._implying]
        new = {parent: tag for key, tag in implying for parent in self._implied_by(key) if key_of(parent) not in keys}
        return [*tags, *(spelled_like(parent, new[parent]) for parent in sorted(new))]

    def unknown(self, tags: Iterable[str]) -> list[str]:
        """Those of the tags that are neither names nor aliases of the list."""
        return [tag for tag in tags if tag not in self]


def key_of(tag: str) -> str:
    r"""How tags are compared: in lower case, underscores for spaces, `\(` as `(`."""
    tag = tag_key(tag)
    return tag if tag in KAOMOJI else with_underscores(tag).lower()


def spelled_like(name: str, model: str) -> str:
    r"""A name in a caption's manner: with spaces unless `model` has underscores, with `\(` where `model` has such."""
    if "_" not in model or " " in model:
        name = with_spaces(name)
    if "\\(" in model:
        name = with_escaped_parentheses(name)
    return name


def merged(vocabularies: Iterable[Vocabulary]) -> Vocabulary:
    """Several lists as one; where two know a tag, the higher count stands."""
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

JSON_COLUMNS = ("name", "category", "post_count", "antecedent_name", "consequent_name", "status")
"""What is read of Danbooru's objects, which hold more, such as dates."""


def open_vocabulary(files: Path | str | Sequence[Path | str]) -> Vocabulary:
    """The vocabulary that files of the known formats hold together, such as e621's three exports.

    Raises:
        InputError: a file is missing, is not UTF-8, is damaged, or holds none of the formats; the sentence names the line.
    """
    return merged([_read(Path(file)) for file in ([files] if isinstance(files, (str, Path)) else files)])


def _read(file: Path) -> Vocabulary:
    try:
        content = file.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"The tag list {file} cannot be read ({error.strerror or error}): check its name, or load it again.") from error
    except (EOFError, zlib.error) as error:
        raise InputError(f"The tag list {file} is damaged ({error}): load it again.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"The tag list {file} is not UTF-8 text: save it with that encoding.") from error
    if ".json" in file.suffixes or "".join(text[:100].split()).startswith(("[{", '{"')):
        header, cells = _json(file, text)
        known = _by_header(file, header, cells)
        if known is None:
            raise _no_list(file, 1, f"the fields {', '.join(header) or 'of no object'}")
        return known
    rows = csv.reader(io.StringIO(text, newline=""))
    try:
        header = next(rows, [])
        known = _by_header(file, header, rows)
        return known if known is not None else _tagcomplete(file, [header, *rows])
    except csv.Error as error:
        raise InputError(f"The tag list {file} is damaged in line {rows.line_num} ({error}): load it again.") from error


def _by_header(file: Path, header: list[str], rows: Iterable[list[str]]) -> Vocabulary | None:
    """A list whose columns have names; None where they are not those of a list."""
    if {"antecedent_name", "consequent_name"} <= set(header):
        return _relations(file, header, rows)
    if "name" in header and ("count" in header or "post_count" in header):
        return _table(file, header, rows)
    return None


def _json(file: Path, text: str) -> tuple[list[str], list[list[str]]]:
    """The names of the columns that count, and the rows, of a JSON list of objects or of an object a line."""
    try:
        whole = text.lstrip().startswith("[")
        objects = json.loads(text) if whole else [json.loads(line) for line in text.splitlines() if line.strip()]
    except json.JSONDecodeError as error:
        raise InputError(f"The tag list {file} is damaged ({error}): load it again.") from error
    if not objects:
        raise InputError(f"The tag list {file} is empty: give a list of tags.")
    header: list[str] = []
    rows = []
    for line, one in enumerate(objects, 1):
        if not isinstance(one, dict):
            raise _no_list(file, line, f"{one!r} where an object should stand")
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
    for line, row in enumerate(rows, 1):
        if not row or not row[0].strip():
            continue
        if len(row) > 5:
            raise _no_list(file, line, f"{len(row)} columns")
        name = row[0].strip().lower()
        numbers = [_number(file, line, cell) if cell.strip() else -1 for cell in row[1:3]] + [-1, -1]
        tags[name] = (numbers[0], max(numbers[1], 0))
        for alias in row[3].split(",") if len(row) > 3 else ():
            if alias.strip():
                aliases[alias.strip().lower()] = name
    if not tags:
        raise InputError(f"The tag list {file} is empty: give a list of tags.")
    return Vocabulary(tags, aliases)


def _relations(file: Path, header: list[str], rows: Iterable[list[str]]) -> Vocabulary:
    """Aliases or implications of e621 or Danbooru. Only active ones count, and none that lead to a tag that stands for 'this is no tag'."""
    is_alias, is_implication = "alias" in file.name.lower(), "implication" in file.name.lower()
    if is_alias == is_implication:
        raise InputError(f"{file} holds aliases or implications, and both look alike: put one of the two words into its name.")
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
            raise _no_list(file, line, f"{len(row)} columns and not {columns}")
        if row:
            yield line, row


def _number(file: Path, line: int, cell: str) -> int:
    try:
        return int(cell)
    except ValueError:
        raise _no_list(file, line, f"{cell!r} where a number should stand") from None


def _no_list(file: Path, line: int, what: str) -> InputError:
    return InputError(
        f"The tag list {file} has {what} in row {line}: give a tagcomplete CSV (name,category,count,aliases), a WD tagger's "
        "selected_tags.csv, an e621 export, or Danbooru's JSON."
    )
