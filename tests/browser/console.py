"""What pages say in their browser's console, and which of it a test expects."""

from __future__ import annotations

import re

HANDLED = re.compile(r"/labels:preview$|\(Conflict\) \S+[?&]version=")
"""Refusals that are an answer to the page, though browsers write them into the console: no tagger was run yet; a list has changed since it was asked for."""


class Console:
    """All that the pages of a test have said. What is expected is so from the test's beginning to its end: a page goes on asking until it is closed, and
    what it hears then is said whenever it comes."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self._expected: set[str] = set()

    def hear(self, words: str, address: str = "") -> None:
        said = f"{words} {address}".rstrip()
        if not HANDLED.search(said):
            self._said.append(said)

    def expect(self, *words: str) -> None:
        """What contains these words, such as `(Not Found)`, is no fault."""
        self._expected.update(words)

    def clear(self) -> None:
        self._said.clear()

    @property
    def faults(self) -> list[str]:
        """What nobody expected."""
        return [said for said in self._said if not any(words in said for words in self._expected)]
