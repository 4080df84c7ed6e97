"""Pictures from a base with one LoRA on it, with several, and with none."""

import pytest
import torch
from PIL import Image

from lorasmith.errors import AdapterError, SettingsError
from lorasmith.evaluation.sampling.loras import with_lora, with_loras
from lorasmith.evaluation.sampling.sample import sample
from lorasmith.models.open import open_base
from lorasmith.models.prompts.parameters import read_parameters
from lorasmith.models.texts import TextOptions
from tests.bounds import assert_within_rounding, rounding_bound
from tests.models.toys import toy_folder


def predicted(base):
    """What the base predicts for one noisy latent."""
    latents = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return base.predict(latents, torch.tensor([500]), base.encode_texts(["zorvex, happy"], TextOptions()))


def with_these(base, *loras):
    with with_loras(base, loras):
        return predicted(base)


ROUNDINGS = 20 * 32 * 9
"""The toy has some 20 layers in a row, each a sum of at most 32 channels times a kernel of 9."""


def assert_alike(one, other):
    assert_within_rounding(one, other, roundings=ROUNDINGS, terms=one.abs().max())


def assert_different(one, other):
    assert (one - other).abs().max() > 10 * rounding_bound(one.abs().max(), ROUNDINGS)


def test_two_halves_of_a_lora_are_the_whole_and_their_order_does_not_matter(base, lora):
    a, b = lora(1), lora(2, rank=4)
    assert_alike(with_these(base, (a, 0.5), (a, 0.5)), with_these(base, (a, 1.0)))
    both = with_these(base, (a, 0.8), (b, 0.3))
    assert_alike(both, with_these(base, (b, 0.3), (a, 0.8)))
    assert_different(both, with_these(base, (a, 0.8)))


def test_loras_of_two_kinds_act_together(base, lora):
    a, b = lora(1), lora(3, kind="loha")
    assert_alike(with_these(base, (a, 1.0), (b, 0.0)), with_these(base, (a, 1.0)))


def test_afterwards_the_base_is_as_it_was(base, lora):
    before = predicted(base)
    with_these(base, (lora(1), 1.0), (lora(2), 1.0))
    with with_lora(base, lora(1), 0.5):
        assert not torch.equal(predicted(base), before)
    assert torch.equal(predicted(base), before)
    with with_lora(base, None):
        assert torch.equal(predicted(base), before)


def test_a_picture_for_each_prompt_from_a_base_by_name_or_opened(base, toy_base, lora):
    a = lora(1)
    by_name = sample(str(toy_base), ["red cat", "blue cat"], lora=[(a, 0.8)], steps=2, device="cpu", precision="fp32")
    opened = sample(base, ["red cat", "blue cat"], lora=[(str(a), 0.8)], steps=2)
    assert [picture.size for picture in by_name] == [(32, 32), (32, 32)]
    assert [picture.tobytes() for picture in by_name] == [picture.tobytes() for picture in opened]
    (alone,) = sample(base, "red cat", lora=a, steps=2)
    assert isinstance(alone, Image.Image)
    assert alone.tobytes() != by_name[0].tobytes(), "at full strength"


def test_a_prompt_that_was_cut_within_an_emoji_is_read_with_a_question_mark(base):
    (cut,) = sample(base, "red cat \ud83d", steps=1)
    assert cut.tobytes() == sample(base, "red cat ?", steps=1)[0].tobytes()
    assert read_parameters(cut.info["parameters"]).request.prompt == "red cat \ud83d"


def test_what_does_not_fit_is_refused_with_a_code(base, lora, tmp_path):
    for refused, code in (
        ({"precision": "fp8"}, "sample.unknown_precision"), ({"width": 33}, "sample.size_does_not_fit"), ({"width": 0}, "sample.size_does_not_fit"),
        ({"steps": 0}, "sample.value"), ({"steps": -1}, "sample.value"), ({"cfg_scale": float("nan")}, "sample.value"),
        ({"cfg_scale": float("inf")}, "sample.value"),
    ):  # fmt: skip
        with pytest.raises(SettingsError) as caught:
            sample("nowhere" if "precision" in refused else base, "red cat", **refused)
        assert caught.value.code == code
    with pytest.raises(AdapterError) as caught, with_lora(open_base(toy_folder("sdxl"), torch.float32), lora(1)):
        pass
    assert str(tmp_path) in str(caught.value)
