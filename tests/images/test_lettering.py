"""Lettering that pictures share."""

import numpy as np
import pytest

from lorasmith.images.lettering import _common


def test_what_rows_share_most_is_their_first_singular_vector():
    rng = np.random.default_rng(0)
    shared = rng.standard_normal(500)
    rows = rng.standard_normal((40, 500)) + shared
    rows /= np.linalg.norm(rows, axis=1)[:, None]
    expected = np.linalg.svd(rows)[2][0]
    assert abs(expected @ _common(rows)) == pytest.approx(1)
    assert (rows @ _common(rows)).sum() > 0
    assert not _common(np.zeros((8, 500), np.float32)).any()
