"""The Stable Diffusion 1 family: what it opens, what it refuses, and that it draws what diffusers draws."""

import json
import shutil

import pytest
import torch

from lorasmith.adapters.attach import adapter_tensors, attach
from lorasmith.adapters.files.lora_file import save_lora
from lorasmith.adapters.files.names import targets
from lorasmith.errors import BaseModelError, SettingsError
from lorasmith.evaluation.sampling.loras import with_lora
from lorasmith.models.open import open_base
from lorasmith.models.sampling import initial_latents, sample, sample_latents
from lorasmith.models.texts import TextOptions


@pytest.fixture(scope="module")
def base(toy_base):
    return open_base(toy_base, torch.float32)


@pytest.fixture(scope="module")
def pipeline(toy_base):
    from diffusers import StableDiffusionPipeline

    found = StableDiffusionPipeline.from_pretrained(toy_base, safety_checker=None, requires_safety_checker=False, local_files_only=True)
    found.set_progress_bar_config(disable=True)
    return found


@pytest.fixture(scope="module")
def lora_file(toy_base, tmp_path_factory):
    """A LoRA with strong random weights on both parts of the toy base."""
    base = open_base(toy_base, torch.float32)
    adapters = [
        attach(base.parts["unet"], targets("sd1", "unet", base.parts["unet"]), 2, 1.0, seed=1),
        attach(base.parts["text_encoder"], targets("sd1", "text_encoder", base.parts["text_encoder"]), 2, 1.0, seed=1),
    ]
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for adapter in adapters:
            for layer in adapter.layers().values():
                layer.lora_up.weight.normal_(0, 0.3, generator=generator)
    path = tmp_path_factory.mktemp("lora") / "strong.safetensors"
    save_lora(path, adapter_tensors(*adapters), {}, torch.float32)
    return path


PROMPTS = ["a happy red cat", "zorvex, beach, sad"]


def _of_the_pipeline(pipeline, base, **kwargs):
    latents = initial_latents(base, [3, 4], 32, 32)
    return pipeline(PROMPTS, latents=latents, num_inference_steps=5, guidance_scale=4.0, output_type="latent", **kwargs).images


def _ours(base):
    return sample_latents(base, PROMPTS, initial_latents(base, [3, 4], 32, 32), steps=5, cfg_scale=4.0)


def test_our_sampling_draws_what_the_pipeline_draws(base, pipeline):
    torch.testing.assert_close(_ours(base), _of_the_pipeline(pipeline, base), atol=1e-4, rtol=1e-4)


def test_a_lora_file_changes_diffusers_as_it_changes_us(base, pipeline, lora_file):
    plain = _ours(base)
    with with_lora(base, lora_file):
        ours = _ours(base)
    pipeline.load_lora_weights(lora_file)
    try:
        theirs = _of_the_pipeline(pipeline, base)
    finally:
        pipeline.unload_lora_weights()
    assert (ours - plain).abs().max() > 0.05, "the LoRA should be seen at all"
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)
    assert torch.equal(_ours(base), plain), "afterwards the base is as before"


def test_a_picture_does_not_depend_on_the_pictures_beside_it(base):
    together = sample(base, PROMPTS, [7, 8], steps=3)
    alone = sample(base, PROMPTS[1:], [8], steps=3)
    difference = max(abs(a - b) for a, b in zip(together[1].tobytes(), alone[0].tobytes(), strict=True))
    assert difference <= 1


def test_clip_skip_reads_an_earlier_layer_through_the_final_norm(base):
    encoder, tokenizer = base.parts["text_encoder"], base.clip.tokenizer
    ids = tokenizer(["red cat"], padding="max_length", max_length=77, return_tensors="pt").input_ids
    states = encoder(ids, output_hidden_states=True).hidden_states
    torch.testing.assert_close(base.encode_texts(["red cat"], TextOptions(clip_skip=2)).states, encoder.final_layer_norm(states[-2]))
    torch.testing.assert_close(base.encode_texts(["red cat"], TextOptions()).states, encoder(ids).last_hidden_state)
    with pytest.raises(SettingsError, match="2 layers"):
        base.encode_texts(["red cat"], TextOptions(clip_skip=3))


def test_long_captions_are_counted_in_tokens(base):
    assert base.count_tokens("red cat") == 2
    assert base.count_tokens("zorvex") > 2, "an unknown word falls into pieces"
    assert base.max_tokens(TextOptions()) == 75
    assert base.max_tokens(TextOptions(max_token_length=150)) == 150
    with pytest.raises(SettingsError, match="75, 150 or 225"):
        base.max_tokens(TextOptions(max_token_length=100))


def test_what_is_no_base_is_named_in_one_sentence(toy_base, tmp_path):
    with pytest.raises(BaseModelError, match="does not exist"):
        open_base(tmp_path / "none", torch.float32)
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(BaseModelError, match="not a safetensors file"):
        open_base(tmp_path / "model.safetensors", torch.float32)
    (tmp_path / "folder").mkdir()
    with pytest.raises(BaseModelError, match=r"model_index\.json"):
        open_base(tmp_path / "folder", torch.float32)
    (tmp_path / "folder" / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}), encoding="utf-8")
    with pytest.raises(BaseModelError, match="FluxPipeline"):
        open_base(tmp_path / "folder", torch.float32)


def test_a_base_with_damaged_weights_is_refused(toy_base, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(toy_base, broken)
    weights = broken / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(BaseModelError, match="is cut short") as raised:
        open_base(broken, torch.float32)
    assert "\n" not in str(raised.value)
    shutil.rmtree(broken / "text_encoder")
    with pytest.raises(BaseModelError, match="text_encoder"):
        open_base(broken, torch.float32)


def test_a_base_that_lacks_a_weight_is_refused(toy_base, tmp_path):
    from safetensors.torch import load_file, save_file

    broken = tmp_path / "broken"
    shutil.copytree(toy_base, broken)
    weights = broken / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    tensors.pop("conv_in.weight")
    save_file(tensors, weights)
    with pytest.raises(BaseModelError, match=r"conv_in|cannot be opened"):
        open_base(broken, torch.float32)
