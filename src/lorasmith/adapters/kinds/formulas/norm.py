"""Trained normalisations; see `kinds.norm`. They belong to no weight matrix, so that every formula over one is refused."""

from __future__ import annotations

from typing import Any, NoReturn

from lorasmith.adapters.kinds.formulas.formulas import Formulas
from lorasmith.errors import AdapterError


def refuse(*_: Any) -> NoReturn:
    raise AdapterError("It is a trained normalisation, which does not change a weight matrix.", code="adapter.not_a_weight")


FORMULAS = Formulas(start=refuse, delta_weight=refuse, forward=refuse)
