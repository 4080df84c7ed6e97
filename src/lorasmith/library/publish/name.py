"""The name under which a LoRA is published, as the guides teach it: ASCII, short, no spaces, nothing that a system refuses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from lorasmith.curation.names import safe_stem
from lorasmith.errors import InputError
from lorasmith.findings import Evidence, Finding, Fix

LONGEST = 60
"""Characters above which a name is cut off in UIs and on sites."""

_PLAIN = str.maketrans({
    "ø": "o", "Ø": "O", "ß": "ss", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "þ": "th", "ı": "i",
})  # fmt: skip
"""Letters that are no accented ones, and how they are written in ASCII."""


def published_name(wanted: str) -> str:
    """The name without what a file name cannot hold, spaces as `_`, accents as plain letters, not too long.

    Raises InputError (`publish.name`) where nothing would be left of it.
    """
    plain = unicodedata.normalize("NFKD", wanted.translate(_PLAIN)).encode("ascii", "ignore").decode()
    name = safe_stem(plain) if re.search(r"\w", plain) else ""
    if not name:
        raise InputError(
            f"The name {wanted!r} has no letter that every system can hold. Give another with --name.", code="publish.name", name=wanted
        )
    return name if len(name) <= LONGEST else name[:LONGEST].rstrip("_-. ")


def name_findings(wanted: str, name: str) -> Iterator[Finding]:
    """What was changed of a name, and why."""
    if not wanted.isascii():
        yield _finding(wanted, name, "has letters that are not ASCII", "Some programs and sites garble them, or do not find the file.")
    elif len(wanted) > LONGEST:
        yield _finding(wanted, name, "is long", "UIs and sites cut it off.", Evidence(len(wanted), "characters"))
    elif wanted != name:
        yield _finding(wanted, name, "has spaces or characters that some system refuses", "A file of that name cannot be kept everywhere.")


def _finding(wanted: str, name: str, what: str, why: str, evidence: Evidence | None = None) -> Finding:
    return Finding(
        "publish.name", "note", f"The name {wanted!r} {what}: the file is called {name}.safetensors.", "file",
        evidence=evidence, why=why, fix=Fix("Give another name with --name."),
    )  # fmt: skip
