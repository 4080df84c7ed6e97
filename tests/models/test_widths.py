"""How wide bases are beside their families, and what rates follow from it."""

import pytest
import torch

from lorasmith.demo.weights import BASE
from lorasmith.models.open import describe
from lorasmith.models.parts import build
from lorasmith.models.widths import Width, Widths, widths_of
from tests.models.toys import TOYS, toy_folder
from tests.training.forecast.memory_by_card import described, sizes


@pytest.mark.parametrize(("family", "variant"), [size[1:] for size in sizes()])
def test_a_base_of_full_size_is_as_wide_as_usual_and_its_rates_stay_as_they_are(family, variant):
    base = described(family, variant)
    assert all(width.is_usual and width.rate(1.2345e-4) == 1.2345e-4 for width in widths_of(base))
    assert base.parts[base.denoiser].config.width is not None
    if base.form.defaults.text_encoder_lr:
        assert base.parts["text_encoder"].config.width is not None


@pytest.mark.parametrize("toy", TOYS)
def test_the_width_of_a_part_is_one_that_its_layers_have(toy):
    base = describe(toy_folder(toy))
    part = base.parts[base.denoiser].config
    with torch.device("meta"):
        module = build(part)
    assert part.width in {p.shape[0] for p in module.parameters() if p.dim() > 1}
    assert widths_of(base).denoiser.own == part.width


def test_the_demo_base_is_narrower_than_its_family():
    assert widths_of(describe(BASE)) == Widths(Width(192, 1280), Width(128, 768))


@pytest.mark.parametrize(
    ("width", "rate", "words"),
    [
        (Width(192, 1280), 1e-3, "6.7 times the usual rate, as it is 6.7 times narrower than usual (192 instead of 1,280)"),
        (Width(2560, 1280), 7.5e-5, "0.5 times the usual rate, as it is 2 times wider than usual (2,560 instead of 1,280)"),
    ],
)
def test_a_rate_goes_with_one_over_the_width(width, rate, words):
    assert (width.rate(1.5e-4), str(width)) == (rate, words)
