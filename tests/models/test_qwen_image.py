"""Qwen-Image: what the language model is given, captions of several lengths, and folders of its relatives."""

import json

import pytest
import torch

from lorasmith.errors import BaseModelError
from lorasmith.models.open import describe, open_base
from lorasmith.models.sampling import initial_latents
from lorasmith.models.texts import TextOptions
from tests.models import toys

CAPTIONS = ["a happy red cat", "the big dog of the beach, sad", ""]


@pytest.fixture(scope="module")
def base():
    return open_base(toys.toy_folder("qwen_image"), torch.float32)


@pytest.fixture(scope="module")
def pipeline():
    return toys.pipeline_of("qwen_image")


@torch.no_grad()
@pytest.mark.parametrize("length", [1024, 20])
def test_captions_have_the_states_of_diffusers_pipeline_also_where_they_are_cut(base, pipeline, length):
    found = base.encode_texts(CAPTIONS, TextOptions(max_token_length=length))
    pipeline.tokenizer_max_length = length
    states, mask = pipeline.encode_prompt(CAPTIONS)
    torch.testing.assert_close(found.states, states, atol=1e-5, rtol=1e-5)
    assert torch.equal(found.mask, mask.bool())


@torch.no_grad()
def test_a_caption_says_the_same_alone_and_beside_a_longer_one(base):
    noisy, timesteps = initial_latents(base, [1, 2, 3], 64, 96), torch.tensor([900.0, 500.0, 100.0])
    texts = base.encode_texts(CAPTIONS, TextOptions())
    together = base.predict(noisy, timesteps, texts)
    apart = [base.predict(noisy[k : k + 1], timesteps[k : k + 1], texts[k : k + 1]) for k in range(3)]
    torch.testing.assert_close(torch.cat(apart), together, atol=1e-5, rtol=1e-4)
    assert together.shape == noisy.shape


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"zero_cond_t": True}, "Qwen-Image-Edit 2511"), ({"use_additional_t_cond": True}, "Qwen-Image-Layered")],
)
def test_a_folder_of_a_relative_is_refused_by_name(tmp_path, settings, words):
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "QwenImagePipeline"}))
    (tmp_path / "transformer").mkdir()
    (tmp_path / "transformer" / "config.json").write_text(json.dumps(settings))
    with pytest.raises(BaseModelError, match=words):
        describe(tmp_path)
