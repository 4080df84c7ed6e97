"""The filter language, by which captions are selected.

    tag:hat                        a tag is `hat`
    tag:*hat                       a tag ends with `hat`; * is anything, ? is one character, \\* and \\? are the characters themselves
    caption:"on a beach"           the text contains these words; a text with spaces, or that begins with a quote or a bracket, needs quotes
    name:0001  path:anna/          the picture's file name, or its path below the folder, contains this
    tags:>20  chars:0  tokens:>=75 how many tags, characters, tokens (of the line that training reads) it has; = == != < > <= >=
    beach                          the text or the path contains this
    tag:hat AND NOT (tags:<5 OR name:draft)

NOT binds closer than AND, AND closer than OR. Case does not matter, except in these three words.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from lorasmith.captions.caption import tag_key
from lorasmith.captions.collection import Entry
from lorasmith.captions.token_limit import TokenCounter, training_line
from lorasmith.errors import InputError

Test = Callable[[Entry], bool]

COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "==": operator.eq,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}

FIELDS = ("tag", "caption", "name", "path", "tags", "chars", "tokens")


@dataclass(frozen=True)
class Filter:
    """A filter, ready to use."""

    text: str
    matches: Test


def parse_filter(text: str, count_tokens: TokenCounter | None = None) -> Filter:
    """The filter written in `text`; `count_tokens` is needed for `tokens:`.

    Raises:
        InputError: the text is not a filter; the message names the character where it goes wrong.
    """
    parser = _Parser(text, count_tokens)
    test = parser.either()
    if parser.at < len(parser.words):
        word = parser.words[parser.at]
        if word.kind == ")":
            raise parser.wrong(word.start, "this bracket was never opened")
        raise parser.wrong(word.start, f'AND or OR is missing before {word.text!r}; a text with spaces needs quotes, such as tag:"red hat"')
    return Filter(text, test)


def wildcard(pattern: str, *, anywhere: bool = False) -> re.Pattern[str]:
    """A regular expression for a pattern with * and ?, for `match` with the whole text, or `anywhere` in it. Case does not matter."""
    spelled = {"*": ".*", "?": "."}
    pieces = re.findall(r"\\[*?]|.", pattern, re.DOTALL)
    body = "".join(re.escape(piece[1]) if piece in ("\\*", "\\?") else spelled.get(piece) or re.escape(piece) for piece in pieces)
    return re.compile(f".*?{body}" if anywhere else f"{body}\\Z", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class _Word:
    kind: str
    """`(`, `)`, `AND`, `OR`, `NOT`, or `term`."""
    start: int
    text: str
    field: str = ""
    """The part before the colon; "" where there is none."""
    value: str = ""
    value_start: int = 0


class _Parser:
    """Recursive descent: `either` parses `both`s with OR between them, `both` parses `one`s with AND between them."""

    def __init__(self, text: str, count_tokens: TokenCounter | None):
        self.text = text
        self.count_tokens = count_tokens
        self.words = list(self._read())
        self.at = 0

    def wrong(self, start: int, what: str) -> InputError:
        return InputError(
            f"The filter {self.text!r} cannot be read at character {start + 1}: {what}.",
            code="captions.filter",
            filter=self.text,
            at=start + 1,
        )

    def either(self) -> Test:
        tests = [self.both()]
        while self._take("OR"):
            tests.append(self.both())
        return tests[0] if len(tests) == 1 else lambda entry: any(test(entry) for test in tests)

    def both(self) -> Test:
        tests = [self.one()]
        while self._take("AND"):
            tests.append(self.one())
        return tests[0] if len(tests) == 1 else lambda entry: all(test(entry) for test in tests)

    def one(self) -> Test:
        if self.at == len(self.words):
            raise self.wrong(len(self.text), "it ends where a condition is expected, such as tag:hat")
        word = self.words[self.at]
        self.at += 1
        if word.kind == "NOT":
            inner = self.one()
            return lambda entry: not inner(entry)
        if word.kind == "(":
            inner = self.either()
            if not self._take(")"):
                raise self.wrong(word.start, "this bracket is never closed")
            return inner
        if word.kind != "term":
            raise self.wrong(word.start, f"a condition is expected here, such as tag:hat, instead of {word.text}")
        return self._condition(word)

    def _take(self, kind: str) -> bool:
        if self.at < len(self.words) and self.words[self.at].kind == kind:
            self.at += 1
            return True
        return False

    # Words

    def _read(self) -> list[_Word]:
        words, at, text = [], 0, self.text
        while at < len(text):
            if text[at].isspace():
                at += 1
            elif text[at] in "()":
                words.append(_Word(text[at], at, text[at]))
                at += 1
            else:
                start = at
                field = ""
                value = ""
                if text[at] in "\"'":
                    value, at = self._quoted(at)
                    value_start = start
                else:
                    named = re.compile(r"(\w+):").match(text, at)
                    if named:
                        field, at = named[1], named.end()
                    value_start = at
                    if at < len(text) and field and text[at] in "\"'":
                        value, at = self._quoted(at)
                    else:
                        value, at = self._bare(at)
                kind = value if not field and text[start] not in "\"'" and value in ("AND", "OR", "NOT") else "term"
                words.append(_Word(kind, start, text[start:at], field, value, value_start))
        return words

    def _quoted(self, start: int) -> tuple[str, int]:
        """The text between quotes, and where it ends. A backslash before the same quote keeps the quote."""
        quote = self.text[start]
        match = re.compile(rf"{quote}((?:\\{quote}|[^{quote}])*){quote}", re.DOTALL).match(self.text, start)
        if match is None:
            raise self.wrong(start, "this quote is never closed")
        if match.end() < len(self.text) and self.text[match.end()] not in " \t\n)":
            raise self.wrong(match.end(), "a space, AND or OR is expected behind the closing quote")
        return match[1].replace(f"\\{quote}", quote), match.end()

    def _bare(self, start: int) -> tuple[str, int]:
        """A word up to a space, or to a closing bracket that it did not open itself, and where it ends."""
        at, depth = start, 0
        while at < len(self.text) and not self.text[at].isspace():
            depth += {"(": 1, ")": -1}.get(self.text[at], 0)
            if depth < 0:
                break
            at += 1
        return self.text[start:at], at

    # Conditions

    def _condition(self, word: _Word) -> Test:
        field, value = word.field.lower(), word.value
        if field and field not in FIELDS:
            near = difflib.get_close_matches(field, FIELDS, 1)
            known = f"did you mean {near[0]}:" if near else f"there are {', '.join(f'{name}:' for name in FIELDS)}"
            raise self.wrong(word.start, f"there is no field {word.field}:, {known}; a text with a colon in it needs quotes")
        if not value:
            raise self.wrong(word.value_start, f"{word.field}: needs a value" if field else "these quotes are empty")
        if field in ("tags", "chars", "tokens"):
            return self._comparison(field, word)
        if field == "tag":
            return _tag_test(value)
        pattern = wildcard(value, anywhere=True).match
        if field == "caption":
            return lambda entry: pattern(entry.caption.text) is not None
        if field == "name":
            return lambda entry: any(pattern(PurePosixPath(picture).name) for picture in entry.pictures)
        if field == "path":
            return lambda entry: any(pattern(picture) for picture in entry.pictures)
        return lambda entry: pattern(entry.caption.text) is not None or any(pattern(picture) for picture in entry.pictures)

    def _comparison(self, field: str, word: _Word) -> Test:
        match = re.fullmatch(r"(>=|<=|!=|==|=|>|<)?\s*(\d+)", word.value)
        if match is None:
            raise self.wrong(word.value_start, f"{field}: compares with a number, such as {field}:>20, and {word.value!r} is not one")
        compare, number = COMPARISONS[match[1] or "="], int(match[2])
        if field == "tags":
            return lambda entry: compare(len(entry.caption.tags), number)
        if field == "chars":
            return lambda entry: compare(len(entry.caption.text), number)
        count = self.count_tokens
        if count is None:
            raise self.wrong(word.start, "tokens: needs a text encoder to count for, so name the base model")
        return lambda entry: compare(count(training_line(entry.caption)), number)


def _tag_test(value: str) -> Test:
    if re.search(r"[*?]", value):
        pattern = wildcard(tag_key(value)).match
        return lambda entry: any(pattern(tag_key(tag)) for tag in entry.caption.tags)
    key = tag_key(value).casefold()
    return lambda entry: any(tag_key(tag).casefold() == key for tag in entry.caption.tags)
