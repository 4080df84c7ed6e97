"""A stack: networks of layers whose weights are one below the other; see `kinds.stack`."""

from __future__ import annotations

from typing import Any, NoReturn

import torch
from torch import Tensor

from lorasmith.adapters.kinds import ALPHA, DORA_SCALE, kind_of
from lorasmith.adapters.kinds.formulas import dora
from lorasmith.adapters.kinds.formulas.formulas import Formulas, Tensors
from lorasmith.adapters.kinds.formulas.target_layer import Call
from lorasmith.adapters.kinds.formulas.through_weight import through_weight
from lorasmith.adapters.kinds.full import DIFF, DIFF_B
from lorasmith.adapters.kinds.stack import KIND, ROWS, parts_of
from lorasmith.errors import AdapterError


def refuse(*_: Any) -> NoReturn:
    raise AdapterError("Layers that were trained apart are read from files, and not trained as one.", code="adapter.not_trained")


def rows_of(tensors: Tensors, total: int) -> list[int]:
    """How many rows each part has of `total`.

    Raises:
        AdapterError: they cannot be shared out so.
    """
    shares = tensors[ROWS].tolist()
    if total % sum(shares):
        raise AdapterError(f"Its layers share rows as {' : '.join(map(str, shares))}, and the base has {total}.")
    return [share * (total // sum(shares)) for share in shares]


def delta_weight(tensors: Tensors, alpha: float, weight: Tensor) -> Tensor:
    parts = parts_of(tensors)
    device = next(tensor.device for name, tensor in tensors.items() if name != ROWS)
    pieces = weight.split(rows_of(tensors, weight.shape[0]))
    return torch.cat(
        [
            _delta_of_part(parts[number], piece) if number in parts else torch.zeros(piece.shape, device=device)
            for number, piece in enumerate(pieces)
        ]
    )


def _delta_of_part(part: Tensors, weight: Tensor) -> Tensor:
    kind, own = kind_of(part), {suffix: tensor for suffix, tensor in part.items() if suffix not in (ALPHA, DORA_SCALE, DIFF_B)}
    alpha = part[ALPHA] if ALPHA in part else kind.rank(own) or 0
    delta = kind.formulas.delta_weight(own, 0.0 if isinstance(alpha, Tensor) and alpha.is_meta else float(alpha), weight)
    return dora.delta_weight(delta, part[DORA_SCALE], weight) if DORA_SCALE in part else delta


def delta_bias(tensors: Tensors) -> Tensor | None:
    parts = parts_of(tensors)
    biases = {number: part[DIFF_B].float() for number, part in parts.items() if DIFF_B in part}
    if not biases:
        return None
    shares, (first, bias) = tensors[ROWS].tolist(), next(iter(biases.items()))
    unit = len(bias) // shares[first]
    return torch.cat([biases[number] if number in biases else bias.new_zeros(share * unit) for number, share in enumerate(shares)])


def forward(tensors: Tensors, alpha: float, call: Call) -> Tensor:
    names = tuple(tensors)
    weight = call.target.whole_weight().detach()
    bias = delta_bias(tensors)
    return through_weight(
        lambda *values: delta_weight(dict(zip(names, values, strict=True)), alpha, weight),
        tuple(tensors.values()),
        call,
        None if bias is None else call.target.own(bias),
    )


def to_file(tensors: Tensors, alpha: float) -> tuple[dict[str, Tensor], float]:
    """As its difference.

    Raises:
        AdapterError: that depends on the base.
    """
    if any(DORA_SCALE in part or kind_of(part).needs_weight for part in parts_of(tensors).values()):
        raise AdapterError(
            "Query, key and value were trained apart, and what they change depends on the base: convert the file with the base "
            "(--base), to diff or to lora.",
            code="adapter.needs_base",
        )
    assert KIND.shape is not None
    written, bias = {DIFF: delta_weight(tensors, alpha, torch.empty(KIND.shape(tensors), device="meta"))}, delta_bias(tensors)
    return (written if bias is None else {**written, DIFF_B: bias}), alpha


FORMULAS = Formulas(start=refuse, delta_weight=delta_weight, delta_bias=delta_bias, forward=forward, to_file=to_file)
