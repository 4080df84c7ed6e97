"""The settings of one layer of a network."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LayerSettings:
    """All settings of one layer's network. `kind` is a key of KINDS; which of the rest have an effect, the kind says."""

    kind: str = "lora"
    rank: int = 16
    alpha: float = 16.0
    rs_lora: bool = False
    dora: bool = False
    use_tucker: bool = False
    factor: int = -1
    full_matrix: bool = False
    decompose_both: bool = False
    block_size: int | None = None
    constraint: float = 0.0
    on_input: bool = False
    rank_step: int = 1
    dropout: float = 0.0
    rank_dropout: float = 0.0
    module_dropout: float = 0.0
