"""What of a flow model's answer is compared with the target, noise minus picture; names are those of sd-scripts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lorasmith.registry import register

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class FlowPrediction:
    """A reading of the answer."""

    compared: Callable[[Tensor, Tensor, Tensor], Tensor]
    """(answer, noisy latents, sigma), sigma (n, 1, 1, 1), to what is compared with the target."""
    words: str
    weighted: bool = False
    """Whether the weighting scheme makes sigmas count differently."""


FLOW_PREDICTIONS: dict[str, FlowPrediction] = {}
DEFAULT_FLOW_PREDICTION = "raw"

register(
    FLOW_PREDICTIONS, DEFAULT_FLOW_PREDICTION, FlowPrediction(lambda answer, noisy, sigma: answer, "the answer itself, as it should be")
)
register(FLOW_PREDICTIONS, "additive", FlowPrediction(lambda answer, noisy, sigma: answer + noisy, "with the noisy latents added"))
register(
    FLOW_PREDICTIONS, "sigma_scaled",
    FlowPrediction(lambda answer, noisy, sigma: noisy - sigma * answer, "the picture that follows from it", weighted=True),
)  # fmt: skip
