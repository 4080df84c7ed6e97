"""The best LoRA for a change of a weight: the largest singular values of its matrix.

The best approximation of a lower rank, in the sum of squares, keeps the largest singular values (Eckart and Young 1936). A change that
is a product of two thin matrices is decomposed without building it. A whole matrix is decomposed exactly where that is cheap. Where it is
large and few of its singular values are asked for, they are found by a randomised method (Halko, Martinsson and Tropp 2011,
https://arxiv.org/abs/0909.4061, algorithms 4.4 and 5.1): the matrix times a few more random vectors than values are asked for, made
orthonormal after each of some power iterations, gives a basis in which a small matrix is decomposed. What is outside the basis is
measured, so the error that is reported is that of what was found, and not an estimate.

Decompositions are computed in fp64, on a GPU where there is one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lorasmith.adapters.kinds import lora
from lorasmith.adapters.layer import Layer
from lorasmith.draws import generator_for
from lorasmith.models.device import DEVICES, choose_device

SMALLEST = 1e-6
"""A largest singular value of no more than this is negligible: the layer gets rank 1."""
CHEAP = 512
"""The longest short side of a matrix that is always decomposed exactly, which takes a fraction of a second."""
OVERSAMPLING = 10
"""Random vectors beyond the singular values that are asked for."""
POWER_ITERATIONS = 4


@dataclass(frozen=True, repr=False)
class Decomposition:
    """The largest singular values of a matrix [m, n] with their vectors, in fp64 on the CPU."""

    u: Tensor
    """[m, k]"""
    s: Tensor
    """[k], falling."""
    vh: Tensor
    """[k, n]"""
    rest: float = 0.0
    """The Frobenius norm of what these do not hold; 0 where they are all."""

    @property
    def norm(self) -> float:
        """The Frobenius norm of the matrix."""
        return float(torch.hypot(self.s.norm(), self.s.new_tensor(self.rest)))

    def error(self, rank: int) -> float:
        """||matrix - its approximation of this rank|| / ||matrix||, 0 to 1."""
        lost = float(torch.hypot(self.s[rank:].norm(), self.s.new_tensor(self.rest)))
        return lost / self.norm if lost else 0.0


def product_svd(left: Tensor, right: Tensor) -> Decomposition:
    """All singular values of `left @ right` without building it."""
    left, right = _placed(left), _placed(right)
    q_left, r_left = torch.linalg.qr(left)
    q_right, r_right = torch.linalg.qr(right.T)
    u, s, vh = torch.linalg.svd(r_left @ r_right.T, full_matrices=False)
    return Decomposition((q_left @ u).cpu(), s.cpu(), (vh @ q_right.T).cpu())


def matrix_svd(matrix: Tensor, most: int | None = None) -> Decomposition:
    """The `most` largest singular values of a matrix, None for all; more than asked for where all of them are as cheap."""
    short = min(matrix.shape)
    matrix = _placed(matrix)
    if most is None or short <= CHEAP or 3 * (most + OVERSAMPLING) > short:
        u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
        return Decomposition(u.cpu(), s.cpu(), vh.cpu())
    return _randomised_svd(matrix, most)


def _placed(matrix: Tensor) -> Tensor:
    """A matrix in fp64 on the device where all decompositions are computed: a GPU that has fp64, else the CPU."""
    device = choose_device("auto")
    return matrix.to(device if DEVICES[device].float64 else "cpu", torch.float64)


def _randomised_svd(matrix: Tensor, most: int) -> Decomposition:
    """About the `most` largest singular values; the same matrix gives the same ones on one machine."""
    generator = generator_for("randomised svd", *matrix.shape, most)
    vectors = torch.randn(matrix.shape[1], most + OVERSAMPLING, generator=generator, dtype=torch.float64).to(matrix.device)
    basis = torch.linalg.qr(matrix @ vectors).Q
    for _ in range(POWER_ITERATIONS):
        basis = torch.linalg.qr(matrix.T @ basis).Q
        basis = torch.linalg.qr(matrix @ basis).Q
    inside = basis.T @ matrix
    u, s, vh = torch.linalg.svd(inside, full_matrices=False)
    rest = float((matrix - basis @ inside).norm().hypot(s[most:].norm()))
    return Decomposition((basis @ u[:, :most]).cpu(), s[:most].cpu(), vh[:most].cpu(), rest)


# ---- layers


def best_layer(name: str, found: Decomposition, rank: int, row: tuple[int, ...]) -> Layer:
    """The best LoRA layer of at most this rank, in fp32; `row` is the shape of a row of the weight, [in] or [in, height, width].

    No more ranks than output or input channels: kohya's limit, also where a kernel would allow for more.
    """
    rank = min(rank, found.u.shape[0], row[0]) if found.s[0] > SMALLEST else 1
    return layer_from_svd(name, found, rank, 1.0, row)


def layer_from_svd(name: str, found: Decomposition, rank: int, scale: float, row: tuple[int, ...]) -> Layer:
    """A LoRA layer of this rank from a decomposition of its unscaled product; both factors carry the root of S."""
    missing = max(0, rank - len(found.s))
    root = found.s[:rank].sqrt()
    up = torch.cat([found.u[:, :rank] * root, root.new_zeros(found.u.shape[0], missing)], dim=1)
    down = torch.cat([root[:, None] * found.vh[:rank], root.new_zeros(missing, found.vh.shape[1])])
    return lora_layer(name, up, down, scale * rank, row)


def lora_layer(name: str, left: Tensor, right: Tensor, alpha: float, row: tuple[int, ...]) -> Layer:
    """A LoRA layer in fp32 from its factors [out, rank] and [rank, in x kernel]."""
    up = left.float().reshape(*left.shape, *(1 for _ in row[1:]))
    down = right.float().reshape(right.shape[0], *row)
    return Layer(name, lora.KIND, {lora.DOWN: down.contiguous(), lora.UP: up.contiguous()}, alpha)
