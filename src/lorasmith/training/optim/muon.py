"""Muon (Jordan et al. 2024): momentum whose matrix is made orthogonal before each step.

torch.optim.Muon takes 2-D weights only; here a convolution's weight counts as the matrix (out, in x height x width).
Biases, norms, embeddings and thin matrices (a side of 3 or less) are stepped by Adam. On the demo's autoencoder it
reached in one minute what AdamW reached in twelve (docs/notebook.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist

THIN = 3  # a matrix with a side no longer than this has no directions to make orthogonal
_QUINTIC = (3.4445, -4.7750, 2.0315)  # coefficients of the Newton-Schulz iteration, from the reference


def orthogonalised(matrix: torch.Tensor, iterations: int = 5) -> torch.Tensor:
    """A matrix with `matrix`'s singular vectors and singular values near 1 (Newton-Schulz)."""
    a, b, c = _QUINTIC
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide / (wide.norm() + 1e-7)
    for _ in range(iterations):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if matrix.shape[0] <= matrix.shape[1] else x.T


class Muon(torch.optim.Optimizer):
    """Steps of the size that Adam's have (0.2 x sqrt(larger side)), so that Adam's learning rates carry over."""

    def __init__(
        self, params: Iterable[torch.nn.Parameter] | Iterable[dict[str, Any]], lr: float = 1e-3, momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.98),
    ):  # fmt: skip
        given: list[Any] = list(params)
        groups: list[dict[str, Any]] = given if given and isinstance(given[0], dict) else [{"params": given}]
        split = []
        for group in groups:
            trained = [p for p in group["params"] if p.requires_grad]
            matrices = [p for p in trained if p.ndim >= 2 and min(p.shape[0], p[0].numel()) > THIN]
            chosen = {id(p) for p in matrices}
            rest = [p for p in trained if id(p) not in chosen]
            split += [{**group, "params": ps, "orthogonal": kind} for ps, kind in ((matrices, True), (rest, False)) if ps]
        super().__init__(split, {"lr": lr, "momentum": momentum, "betas": betas})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            given = [p for p in group["params"] if p.grad is not None]
            if group["orthogonal"]:
                self._orthogonal_steps(given, group)
            else:
                for p in given:
                    self._adam_step(p, p.grad, self.state[p], group)

    def _orthogonal_steps(self, params: list[torch.Tensor], group: dict) -> None:
        """Processes that train together share out the matrices, since making them orthogonal is the costly part."""
        process_group = dist.get_world_size() if dist.is_initialized() else 1
        me = dist.get_rank() if process_group > 1 else 0
        updates = []
        for k, p in enumerate(params):
            momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
            assert p.grad is not None, "filtered by step"
            momentum.lerp_(p.grad, 1 - group["momentum"])
            if k % process_group == me:
                updates.append(orthogonalised(p.grad.lerp(momentum, group["momentum"]).flatten(1)).flatten())
            else:
                updates.append(p.new_zeros(p.numel()))
        flat = torch.cat(updates)
        if process_group > 1:
            dist.all_reduce(flat)
        for p, update in zip(params, flat.split([p.numel() for p in params]), strict=True):
            larger_side = max(p.shape[0], p[0].numel())
            p.add_(update.view(p.shape), alpha=-group["lr"] * 0.2 * larger_side**0.5)

    @staticmethod
    def _adam_step(p: torch.Tensor, grad: torch.Tensor, state: dict, group: dict) -> None:
        if not state:
            state.update(count=torch.zeros(()), mean=torch.zeros_like(p), square=torch.zeros_like(p))
        state["count"] += 1
        b1, b2 = group["betas"]
        state["mean"].lerp_(grad, 1 - b1)
        state["square"].lerp_(grad.square(), 1 - b2)
        count = float(state["count"])
        p.addcdiv_(state["mean"] / (1 - b1**count), (state["square"] / (1 - b2**count)).sqrt() + 1e-8, value=-group["lr"])
