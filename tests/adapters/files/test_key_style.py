"""Files of families whose readers want other keys than kohya's, or no alphas."""

from dataclasses import replace

import pytest
import torch

from lorasmith.adapters.files.key_style import ALPHAS, in_style_of, with_alphas
from lorasmith.models.families import FAMILIES
from tests.models.made_up.family import MADE_UP

NAMES = ("diffusion_model_layers_0_attention_to_q", "diffusion_model_layers_1_ff_in")


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(FAMILIES, MADE_UP.name, MADE_UP)


def layers(alphas):
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for name, alpha in zip(NAMES, alphas, strict=True):
        tensors[f"{name}.lora_down.weight"] = torch.randn(4, 8, generator=generator)
        tensors[f"{name}.lora_up.weight"] = torch.randn(8, 4, generator=generator)
        tensors[f"{name}.alpha"] = torch.tensor(alpha)
    return tensors


@pytest.mark.parametrize("alphas", [(2.0, 2.0), (2.0, 8.0)])
def test_alphas_are_multiplied_into_the_weights_and_kept_in_the_metadata(alphas):
    tensors = layers(alphas)
    written, metadata = in_style_of("made-up", tensors, {"ss_steps": "6"})
    assert sorted(written) == [
        f"diffusion_model.{path}.lora_{end}.weight" for path in ("layers.0.attention.to_q", "layers.1.ff_in") for end in "AB"
    ]
    assert metadata["ss_steps"] == "6"
    for name, path, alpha in zip(NAMES, ("layers.0.attention.to_q", "layers.1.ff_in"), alphas, strict=True):
        assert torch.equal(written[f"diffusion_model.{path}.lora_B.weight"], tensors[f"{name}.lora_up.weight"] * alpha / 4)
        read = with_alphas(written, metadata)
        assert torch.equal(read[f"diffusion_model.{path}.lora_B.weight"], tensors[f"{name}.lora_up.weight"])  # powers of two
        assert float(read[f"diffusion_model.{path}.alpha"]) == alpha


def test_an_alpha_that_the_files_precision_cannot_hold_is_read_exactly():
    tensors = layers((0.1, 0.1))
    written, metadata = in_style_of("made-up", tensors, {})
    in_file = {key: tensor.bfloat16() for key, tensor in written.items()}
    read = with_alphas(in_file, metadata)
    for path in ("layers.0.attention.to_q", "layers.1.ff_in"):
        up, alpha = (read[f"diffusion_model.{path}.{end}"].double() for end in ("lora_B.weight", "alpha"))
        # The file's own numbers, but for three roundings in fp32: of alpha, of what they are multiplied by, of the product.
        torch.testing.assert_close(up * alpha / 4, in_file[f"diffusion_model.{path}.lora_B.weight"].double(), rtol=3 * 2**-24, atol=0)


def test_a_family_with_kohyas_keys_is_left_as_it_is():
    tensors = {"lora_unet_x.lora_up.weight": torch.ones(2, 2)}
    assert in_style_of("sd1", tensors, {"a": "b"}) == (tensors, {"a": "b"})


def test_a_family_may_keep_alphas_in_dotted_files(monkeypatch):
    monkeypatch.setitem(FAMILIES, "made-up", replace(MADE_UP, lora=replace(MADE_UP.lora, alpha_keys=True)))
    tensors = layers((2.0, 2.0))
    written, metadata = in_style_of("made-up", tensors, {})
    assert torch.equal(written["diffusion_model.layers.1.ff_in.lora_B.weight"], tensors[f"{NAMES[1]}.lora_up.weight"])
    assert "diffusion_model.layers.1.ff_in.alpha" in written
    assert metadata == {}


@pytest.mark.parametrize("kept", ["no number", '"two"', "null", "[1]"])
def test_damaged_alphas_in_the_metadata_count_as_none(kept):
    tensors = {"x.lora_A.weight": torch.ones(1, 2), "x.lora_B.weight": torch.ones(2, 1)}
    assert with_alphas(tensors, {ALPHAS: kept}).keys() == tensors.keys()
