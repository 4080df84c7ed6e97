"""Anima: two tokenizers and a conditioner, captions of any length, and the channel that its transformer has more."""

import pytest
import torch

from lorasmith.models.anima import config
from lorasmith.models.open import describe, open_base
from lorasmith.models.parts import Part
from lorasmith.models.sampling import initial_latents
from lorasmith.models.texts import TextOptions
from tests.models import toys

CAPTIONS = ["a happy red cat", "the big dog of the beach, sad", ""]
LONG = "the big dog of the beach, sad, a happy red cat, the forest, " * 4


@pytest.fixture(scope="module")
def base():
    return open_base(toys.toy_folder("anima"), torch.float32)


@pytest.fixture(scope="module")
def pipeline():
    return toys.pipeline_of("anima")


@torch.no_grad()
def test_captions_have_the_states_of_diffusers_steps_and_are_kept_without_the_zeros_behind_them(base, pipeline):
    found = base.encode_texts(CAPTIONS, TextOptions())
    (states,) = pipeline.encode_prompt(CAPTIONS)
    tokens = found.states.shape[1]
    torch.testing.assert_close(found.states, states[:, :tokens], atol=1e-5, rtol=1e-5)
    assert states.shape[1] == base.least_tokens > tokens
    assert not states[:, tokens:].any()


@torch.no_grad()
def test_a_caption_that_is_longer_than_the_least_is_read_whole_and_changes_none_beside_it(base, pipeline):
    noisy, timesteps = initial_latents(base, [1, 2], 64, 96), torch.tensor([900.0, 100.0])
    texts = base.encode_texts([LONG, CAPTIONS[0]], TextOptions())
    assert texts.states.shape[1] > base.least_tokens
    together = base.predict(noisy, timesteps, texts)
    for k, caption in enumerate((LONG, CAPTIONS[0])):
        (states,) = pipeline.encode_prompt(caption)
        alone = pipeline.predict(noisy[k : k + 1, :, None], timesteps[k : k + 1] / 1000, states)[:, :, 0]
        torch.testing.assert_close(together[k : k + 1], alone, atol=1e-5, rtol=1e-4)


def test_the_padding_mask_of_a_folders_transformer_is_a_channel_here():
    described = describe(toys.toy_folder("anima")).parts["transformer"].config.settings
    assert (described["in_channels"], described["concat_padding_mask"]) == (17, False)
    assert config.without_padding_mask(config.TRANSFORMER) is config.TRANSFORMER
    assert Part(config.ANIMA_TRANSFORMER, config.TRANSFORMER).settings["in_channels"] == 17
