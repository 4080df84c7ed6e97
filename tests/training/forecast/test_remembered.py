"""A rehearsal that remembers what operations return notes what one notes that calls each of them."""

import pytest
import torch

from lorasmith.models.open import describe
from lorasmith.training.forecast.remembered import RememberedResults
from lorasmith.training.settings.tree import settings_from
from tests.models.toys import toy_folder
from tests.training.forecast.test_estimate import step_of

aten = torch.ops.aten


def meta(*shape, dtype=torch.float32):
    return torch.empty(shape, dtype=dtype, device="meta")


@pytest.mark.parametrize(("toy", "checkpointing"), [("sd1", True), ("flux", False)])
def test_a_rehearsal_notes_the_same_whether_operations_are_remembered_or_called(toy, checkpointing, monkeypatch):
    def rehearse():
        settings = settings_from({
            "base": {"path": str(toy_folder(toy))}, "datasets": [{"path": "."}], "network": {"rank": 4},
            "training": {"epochs": 1, "gradient_checkpointing": checkpointing},
        })  # fmt: skip
        return step_of(settings, describe(settings.base.path), 64, 2, torch.bfloat16)

    remembered = rehearse()
    monkeypatch.setattr(RememberedResults, "__call__", lambda self, operation, args, kwargs: operation(*args, **kwargs))
    assert remembered == rehearse()


def test_what_was_called_once_is_not_called_again_and_gives_a_tensor_of_its_own():
    results = RememberedResults()
    first = results(aten.mm.default, (meta(2, 3), meta(3, 4)), {})
    again = results(aten.mm.default, (meta(2, 3), meta(3, 4)), {})
    other = results(aten.mm.default, (meta(2, 3), meta(4, 3).t()), {})
    assert first.shape == again.shape == other.shape == (2, 4)
    assert len(results._known) == 2
    assert first.untyped_storage()._cdata != again.untyped_storage()._cdata


def test_numbers_that_are_equal_but_of_another_type_are_not_taken_for_each_other():
    results, whole = RememberedResults(), meta(3, dtype=torch.int64)
    found = [results(aten.mul.Scalar, (whole, factor), {}).dtype for factor in (1, 1.0, True, 1, 1.0)]
    assert found == [torch.int64, torch.float32, torch.int64, torch.int64, torch.float32]


def test_what_shares_memory_or_writes_into_its_argument_does_so_when_remembered():
    results = RememberedResults()
    for _ in range(2):
        given = meta(4, 6)
        assert results(aten.view.default, (given, [2, 12]), {}).untyped_storage()._cdata == given.untyped_storage()._cdata
        assert results(aten._unsafe_view.default, (given, [2, 12]), {}).untyped_storage()._cdata == given.untyped_storage()._cdata
        assert results(aten.mul_.Scalar, (given, 2.0), {}) is given


def test_a_result_of_several_tensors_keeps_the_places_that_are_empty():
    results = RememberedResults()
    given, weight = meta(2, 8, 4, 4), meta(8, 8, 3, 3)
    arguments = (meta(2, 8, 4, 4), given, weight, [8], [1, 1], [1, 1], [1, 1], False, [0, 0], 1, [True, False, False])
    for _ in range(2):
        grad, of_weight, of_bias = results(aten.convolution_backward.default, arguments, {})
        assert (grad.shape, of_weight, of_bias) == (given.shape, None, None)
