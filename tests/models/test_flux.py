"""Flux.1: guidance, T5's padding, and the sizes that fit."""

import pytest
import torch

from lorasmith.models.open import open_base
from lorasmith.models.patches import image_ids, pack, unpack
from lorasmith.models.sampling import initial_latents
from lorasmith.models.texts import TextOptions
from tests.models import toys

SIZE = toys.PICTURE


@pytest.fixture(scope="module")
def dev():
    return open_base(toys.toy_folder("flux"), torch.float32)


@pytest.fixture(scope="module")
def schnell():
    return open_base(toys.toy_folder("flux-schnell"), torch.float32)


@torch.no_grad()
def predicted(base, guidance=None, options=None):
    texts = base.encode_texts(["a red cat", "the big sad dog, beach"], options or TextOptions())
    return base.predict(initial_latents(base, [1, 2], SIZE, SIZE), torch.tensor([500.0, 700.0]), texts, guidance=guidance)


def test_dev_is_told_a_guidance_and_schnell_is_not(dev, schnell):
    assert torch.equal(predicted(dev), predicted(dev, guidance=3.5)), "left out, it is the usual one"
    assert not torch.allclose(predicted(dev), predicted(dev, guidance=1.0), atol=1e-5)
    assert torch.equal(predicted(schnell), predicted(schnell, guidance=1.0))
    assert (schnell.defaults.steps, schnell.defaults.guidance) == (4, None)


def test_masked_padding_is_not_read_and_unmasked_padding_is(dev):
    def apart(mask):
        short, long = (TextOptions(max_token_length=n, mask_t5=mask) for n in (12, 24))
        return (predicted(dev, options=short) - predicted(dev, options=long)).abs().max()

    assert apart(mask=True) < 1e-5
    assert apart(mask=False) > 1e-4


def test_packing_is_undone_by_unpacking_at_any_size():
    latents = torch.randn(2, 16, 6, 10)
    assert pack(latents).shape == (2, 15, 64)
    assert torch.equal(unpack(pack(latents), 6, 10), latents)
    assert image_ids(6, 10)[6].tolist() == [0, 1, 1]


def test_schnell_draws_at_even_sigmas_and_dev_stays_longer_in_the_noise(dev, schnell):
    assert schnell.diffusion.sigmas(4, 4096)[1:] == pytest.approx([3, 1, 1 / 3])  # fractions 0.75, 0.5, 0.25
    small, large = (dev.diffusion.sigmas(4, tokens) for tokens in (256, 4096))
    assert all(more > less for more, less in zip(large[1:], small[1:], strict=True))
