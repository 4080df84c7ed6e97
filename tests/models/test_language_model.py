"""Captions in the template of a language model."""

import pytest
import torch

from lorasmith.models.architectures.language_model import LanguageModel, read
from lorasmith.models.architectures.parts import QWEN2_5_VL, QWEN3, QWEN3_VL
from lorasmith.models.lumina2.config import GEMMA2
from lorasmith.models.parts import Part, build
from lorasmith.models.template import Template
from tests.models import toys

SIZES = {
    "vocab_size": 400, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 8, "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]},
}  # fmt: skip
CAPTIONS = ["a happy red cat", "a dog"]
TEMPLATE = Template("<|im_start|>user\n", "<|im_end|>\n", before_is_read=False, cut="caption")


@pytest.fixture(scope="module", params=[QWEN3, QWEN3_VL, QWEN2_5_VL, GEMMA2], ids=lambda architecture: architecture.class_name)
def model(request):
    torch.manual_seed(0)
    settings = {name: value for name, value in SIZES.items() if name != "head_dim" or request.param is not QWEN2_5_VL}
    return LanguageModel(build(Part(request.param, settings)), toys.qwen_tokenizer(), TEMPLATE)


def test_a_caption_has_the_states_that_it_has_alone(model):
    tokens = model.tokenize(CAPTIONS, 32)
    states, mask = read(torch.stack(model.run(tokens), dim=2), tokens)
    for k, caption in enumerate(CAPTIONS):
        alone = model.tokenize([caption], 32)
        assert alone.mask.all()
        assert int(mask[k].sum()) == model.count(caption) + model.around
        expected = torch.stack(model.run(alone), dim=2)[:, model.before :]
        torch.testing.assert_close(states[k : k + 1, : expected.shape[1]], expected, atol=1e-5, rtol=1e-4)
        assert not states[k, expected.shape[1] :].any()


def test_fill_attends_to_the_caption_alone(model):
    tokens = model.tokenize(CAPTIONS, 20, filled=True)
    assert tokens.ids.shape == (2, model.before + 20)
    found = model.run(tokens)
    mask = tokens.mask.long()
    asked = {"attention_mask": mask, "output_hidden_states": True}
    for ours, theirs in zip(found, model.encoder(tokens.ids, **asked).hidden_states, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_long_caption_loses_its_own_end_or_that_of_the_template():
    tokenizer = toys.qwen_tokenizer()
    long = "cat " * 30
    for template, ends_with_template in ((TEMPLATE, True), (Template("<|im_start|>user\n", "<|im_end|>\n"), False)):
        model = LanguageModel(torch.nn.Linear(1, 1), tokenizer, template)
        tokens = model.tokenize([long, "cat"], 12)
        read_tokens = tokens.ids[:, tokens.hidden :]
        assert read_tokens.shape == (2, 12)
        assert (read_tokens[0, -2:].tolist() == tokenizer("<|im_end|>\n").input_ids) == ends_with_template
        assert tokenizer.decode(tokens.ids[1][tokens.mask[1]]) == "<|im_start|>user\ncat<|im_end|>\n"
