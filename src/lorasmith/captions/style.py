"""How a base's own training pictures were captioned: in tags or in sentences, which is also what it understands best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class CaptionStyle:
    """The form of captions that a base understands best."""

    form: Literal["tags", "sentences"]
    why: str
    """What speaks against the other form, as a sentence."""
    fix: str
    """What to do about captions in the other form, as a sentence."""
    strict: bool = True
    """Whether captions in the other form are a mistake at once, or only where most are."""
