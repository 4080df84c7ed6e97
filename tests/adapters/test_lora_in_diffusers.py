"""Our file, loaded by diffusers into its own pipeline, does what our attached adapter does."""

import copy
import json

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from lorasmith.adapters.attach import adapter_tensors, attach
from lorasmith.adapters.files.lora_file import save_lora
from lorasmith.adapters.files.names import targets


@pytest.fixture
def pipeline(tmp_path):
    """A Stable Diffusion pipeline of toy size with random weights."""
    torch.manual_seed(0)
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (tmp_path / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=32,
        attention_head_dim=4,
    )
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        bos_token_id=len(words) - 2,
        eos_token_id=len(words) - 1,
    )
    return StableDiffusionPipeline(
        vae=AutoencoderKL(block_out_channels=(32,), norm_num_groups=8),
        text_encoder=CLIPTextModel(config).eval(),
        tokenizer=CLIPTokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"), model_max_length=77),
        unet=unet.eval(),
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


@torch.no_grad()
def outputs(unet, text_encoder, ids):
    latents = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    states = text_encoder(ids)[0]
    return unet(latents, torch.tensor([100, 700]), states)[0], states


def test_diffusers_loads_the_file_and_gives_the_same_output(pipeline, tmp_path):
    unet, text_encoder = copy.deepcopy(pipeline.unet), copy.deepcopy(pipeline.text_encoder)
    ids = pipeline.tokenizer(["a cat", "a dog on a log"], padding="max_length", return_tensors="pt").input_ids
    base = outputs(unet, text_encoder, ids)
    adapters = [
        attach(unet, targets("sd1", "unet", unet), rank=4, alpha=2, seed=1),
        attach(text_encoder, targets("sd1", "text_encoder", text_encoder), rank=4, alpha=2, seed=1),
    ]
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for adapter in adapters:
            for layer in adapter.layers().values():
                layer.lora_up.weight.normal_(std=0.2, generator=generator)
    ours = outputs(unet, text_encoder, ids)
    assert all((a - b).abs().max() > 0.05 for a, b in zip(ours, base, strict=True)), "the adapter must matter here"

    path = tmp_path / "lora.safetensors"
    save_lora(path, adapter_tensors(*adapters), {}, torch.float32)
    pipeline.load_lora_weights(path)
    theirs = outputs(pipeline.unet, pipeline.text_encoder, ids)
    for a, b in zip(theirs, ours, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-5)

    pipeline.unload_lora_weights()
    for adapter in adapters:
        adapter.merge_into_base()
    for a, b in zip(outputs(unet, text_encoder, ids), ours, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-4)


@pytest.mark.parametrize("family", ["sd2", "sdxl"])
def test_diffusers_fuses_the_file_to_our_merged_weights(family, tmp_path):
    from diffusers import StableDiffusionXLPipeline

    from lorasmith.adapters.files.names import targets
    from tests.models.toys import toy_folder

    kind = {"sd2": StableDiffusionPipeline, "sdxl": StableDiffusionXLPipeline}[family]
    pipeline = kind.from_pretrained(toy_folder(family), local_files_only=True)
    names = ["unet", "text_encoder", *(["text_encoder_2"] if family == "sdxl" else [])]
    parts = {name: copy.deepcopy(getattr(pipeline, name)) for name in names}
    fresh = {name: {key: value.clone() for key, value in part.state_dict().items()} for name, part in parts.items()}
    adapters = {name: attach(part, targets(family, name, part), rank=2, alpha=1, seed=1) for name, part in parts.items()}
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for adapter in adapters.values():
            for layer in adapter.layers().values():
                layer.lora_up.weight.normal_(std=0.2, generator=generator)
    path = tmp_path / "lora.safetensors"
    save_lora(path, adapter_tensors(*adapters.values()), {}, torch.float32)
    for adapter in adapters.values():
        adapter.merge_into_base()
    pipeline.load_lora_weights(path)
    pipeline.fuse_lora(components=names)
    pipeline.unload_lora_weights()
    for name, part in parts.items():
        theirs = getattr(pipeline, name).state_dict()
        for key, value in part.state_dict().items():
            torch.testing.assert_close(theirs[key], value, rtol=0, atol=1e-5)
        changed = sum(not torch.equal(value, fresh[name][key]) for key, value in part.state_dict().items())
        assert changed == len(adapters[name].targets)
