"""Signs of the set and of the pictures, from measures of one checkpoint."""

from __future__ import annotations

import pytest

from lorasmith.evaluation.measures.measured import CheckpointMeasures, Measure
from lorasmith.evaluation.signs.picture_signs import PICTURE_SIGNS, picture_signs
from lorasmith.evaluation.signs.set_signs import set_signs
from lorasmith.findings import Finding


def checkpoint(**measures: Measure) -> CheckpointMeasures:
    return CheckpointMeasures("lora.safetensors", 3, 30, 1.0, measures)


def around(value: float) -> Measure:
    return Measure.of({f"prompt {k}": value + 0.01 * (k % 3 - 1) for k in range(12)})


def losses(**odd: float) -> Measure:
    return Measure.of({f"{k:02}.png": -0.5 + 0.02 * (k % 5) for k in range(14)} | {f"{name}.png": value for name, value in odd.items()})


def test_the_picture_that_is_never_learnt_and_the_one_learnt_at_once_are_named() -> None:
    found = set_signs(checkpoint(trained_loss_shape=losses(odd=0.1, copy=-2.0), trained_loss_detail=losses(odd=0.05, copy=-1.8)))

    assert {(f.code, f.subjects) for f in found} == {("signs.learnt_at_once", ("copy.png",)), ("signs.never_learnt", ("odd.png",))}
    assert found[0].code == "signs.learnt_at_once"  # the farthest from the others comes first


def test_no_picture_stands_out_in_an_even_set_or_a_tiny_one() -> None:
    assert set_signs(checkpoint(trained_loss_shape=losses())) == []
    assert set_signs(checkpoint(trained_loss_shape=Measure.of({"a.png": 0.1, "b.png": -2.0}))) == []
    assert set_signs(checkpoint()) == []


def test_each_sign_of_the_pictures_is_seen_where_it_is() -> None:
    fried = checkpoint(saturation=around(0.3), contrast=around(0.2))
    soft = checkpoint(sharpness=around(-0.08))
    same = checkpoint(stuck=around(-1.4))
    leaking = checkpoint(moved=around(0.9))

    for one, code in ((fried, "deep_fried"), (soft, "mushy"), (same, "one_pose"), (leaking, "other_prompts_change")):
        (finding,) = picture_signs(one)
        assert finding.code == f"signs.{code}"
        assert finding.evidence is not None


def test_what_is_within_its_error_is_no_sign() -> None:
    wide = Measure(-1.0, 0.4, {"a": -1.0})

    assert (
        picture_signs(checkpoint(stuck=wide, saturation=around(0.02), contrast=around(0.02), sharpness=around(0.0), moved=around(0.1)))
        == []
    )


def test_a_sign_of_pictures_is_one_function_and_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def burnt(one: CheckpointMeasures) -> Finding | None:
        clipping = one.measures.get("clipping")
        if clipping is None or clipping.value < 0.2:
            return None
        return Finding("signs.burnt", "note", about="run", message="Much of the pictures is pure black or white.")

    monkeypatch.setitem(PICTURE_SIGNS, "burnt", burnt)

    assert picture_signs(checkpoint(clipping=around(0.05))) == []
    assert [finding.code for finding in picture_signs(checkpoint(clipping=around(0.4)))] == ["signs.burnt"]
