"""All kinds of findings of an audit, by their rule: what follows `audit.` in a finding's code."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping

from lorasmith.curation.audit.finding_kind import Kind
from lorasmith.curation.audit.picture_kinds import PICTURE_KINDS
from lorasmith.curation.audit.set_kinds import SET_KINDS
from lorasmith.curation.audit.words_kind import WORD_KINDS

KINDS: Mapping[str, Kind] = ChainMap[str, Kind](SET_KINDS, WORD_KINDS, PICTURE_KINDS)  # type: ignore[arg-type]
"""Rule -> kind; a view of the three tables, those of pictures first."""


def kind_of(code: str) -> Kind:
    """The kind of one of the audit's findings, by its code."""
    return KINDS[code.removeprefix("audit.")]
