"""Stable Diffusion XL: the sizes that its U-Net reads, and its text encoders' layers."""

import pytest
import torch

from lorasmith.models.base import SizeConditioning
from lorasmith.models.open import open_base
from lorasmith.models.sampling import initial_latents
from lorasmith.models.sdxl.base import time_ids
from lorasmith.models.texts import TextOptions
from tests.models import toys

SIZE = toys.PICTURE


@pytest.fixture(scope="module")
def base():
    return open_base(toys.toy_folder("sdxl"), torch.float32)


@torch.no_grad()
def predicted(base, sizes):
    texts = base.encode_texts(["a red cat"], TextOptions())
    return base.predict(initial_latents(base, [1], SIZE, SIZE), torch.tensor([500]), texts, sizes)


def test_sizes_are_told_height_before_width():
    said = time_ids([SizeConditioning(original=(768, 512), crop=(24, 0), target=(1216, 832))])
    assert said.tolist() == [[512, 768, 0, 24, 832, 1216]]


def test_a_crop_is_told_and_none_means_uncropped(base):
    plain = predicted(base, None)
    assert torch.equal(plain, predicted(base, [SizeConditioning.uncropped(SIZE, SIZE)]))
    assert not torch.allclose(plain, predicted(base, [SizeConditioning((SIZE, SIZE), (32, 0), (SIZE, SIZE))]), atol=1e-5)
    assert not torch.allclose(plain, predicted(base, [SizeConditioning((20, 20), (0, 0), (SIZE, SIZE))]), atol=1e-5)


def test_both_encoders_give_their_penultimate_state_without_a_norm(base):
    with torch.no_grad():
        texts = base.encode_texts(["a red cat"], TextOptions(clip_skip=2))
        for clip, part in ((base.clip, slice(0, 24)), (base.clip_2, slice(24, 64))):
            ids = clip.tokenizer(["a red cat"], padding="max_length", max_length=77, return_tensors="pt").input_ids
            output = clip.encoder(ids, output_hidden_states=True)
            torch.testing.assert_close(texts.states[..., part], output.hidden_states[-2])
        torch.testing.assert_close(texts.pooled, output.text_embeds)
