"""Decompositions: exact ones hold all of a matrix, randomised ones are as good as the best but for little, and say what they lost."""

import pytest
import torch

from lorasmith.adapters.tools import low_rank
from lorasmith.adapters.tools.low_rank import matrix_svd, product_svd
from lorasmith.adapters.tools.ranks import dynamic_rank


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def falling(rows, columns, power=1.0):
    """A matrix whose k-th singular value is 1 / k^power, as those of trained changes roughly are."""
    short = min(rows, columns)
    left, right = torch.linalg.qr(normal(rows, short)).Q, torch.linalg.qr(normal(columns, short, seed=1)).Q
    return left * torch.arange(1, short + 1, dtype=torch.float64) ** -power @ right.T


def rebuilt(found):
    return found.u * found.s @ found.vh


def test_a_product_and_its_matrix_have_the_same_singular_values():
    left, right = normal(40, 6), normal(6, 30, seed=1)
    product, matrix = product_svd(left, right), matrix_svd(left @ right)
    torch.testing.assert_close(product.s, matrix.s[:6], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(rebuilt(product), left @ right, rtol=1e-10, atol=1e-10)
    assert (product.error(6), matrix.error(30)) == (0.0, 0.0)


@pytest.mark.parametrize("shape", [(600, 700), (700, 600)])
def test_a_large_matrix_of_low_rank_is_found_whole_by_the_randomised_method(shape):
    matrix = normal(shape[0], 8) @ normal(8, shape[1], seed=1)
    found = matrix_svd(matrix, 8)
    assert len(found.s) == 8
    torch.testing.assert_close(rebuilt(found), matrix, rtol=1e-9, atol=1e-9)
    assert found.error(8) < 1e-12


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_the_randomised_method_is_nearly_as_good_as_the_best_and_reports_its_own_error(power):
    matrix = falling(600, 640, power)
    found = matrix_svd(matrix, 16)
    best = torch.linalg.svdvals(matrix)
    assert found.rest > 0
    true = (rebuilt(found) - matrix).norm() / matrix.norm()
    assert found.error(16) == pytest.approx(float(true), rel=1e-9)
    assert found.norm == pytest.approx(float(matrix.norm()), rel=1e-9)
    assert true <= 1.02 * best[16:].norm() / best.norm()
    assert found.error(4) == pytest.approx(float((found.u[:, :4] * found.s[:4] @ found.vh[:4] - matrix).norm() / matrix.norm()), rel=1e-9)


def test_the_same_matrix_gives_the_same_decomposition():
    matrix = falling(600, 640)
    one, again = matrix_svd(matrix, 16), matrix_svd(matrix, 16)
    assert torch.equal(one.s, again.s)
    assert torch.equal(one.u, again.u)


def test_a_share_of_the_norm_needs_the_same_rank_of_all_and_of_the_largest_singular_values(monkeypatch):
    matrix = falling(600, 640)
    largest = matrix_svd(matrix, 64)
    monkeypatch.setattr(low_rank, "CHEAP", 10_000)
    everything = matrix_svd(matrix, 64)
    assert len(everything.s) == 600
    for share in (0.5, 0.8, 0.9):
        ranks = [dynamic_rank(found.s, "sv_fro", share, 64, found.rest) for found in (largest, everything)]
        assert ranks[0] == ranks[1] < 64


def test_every_decomposition_is_computed_on_the_chosen_device_and_handed_back_on_the_cpu(monkeypatch):
    """What a GPU would compute is watched at the one place where tensors go to it."""
    seen = []
    monkeypatch.setattr(low_rank, "_placed", lambda matrix: seen.append(matrix.shape) or matrix.double())
    for found in (product_svd(normal(40, 6), normal(6, 30)), matrix_svd(normal(40, 30)), matrix_svd(normal(600, 700), 8)):
        assert {each.device.type for each in (found.u, found.s, found.vh)} == {"cpu"}
    assert seen == [(40, 6), (6, 30), (40, 30), (600, 700)]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_gpu_finds_the_same_singular_values():
    matrix = falling(600, 700)
    on_gpu, here = matrix_svd(matrix, 16), torch.linalg.svdvals(matrix)[:16]
    assert low_rank._placed(matrix).device.type == "cuda"
    torch.testing.assert_close(on_gpu.s, here, rtol=1e-3, atol=0)
    torch.testing.assert_close(
        product_svd(matrix[:, :8], matrix[:8]).s, torch.linalg.svdvals(matrix[:, :8] @ matrix[:8])[:8], rtol=1e-9, atol=1e-9
    )
