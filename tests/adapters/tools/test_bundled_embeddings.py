"""Embeddings that OneTrainer bundles with a LoRA are in every file made from it that can hold them, and where not, that is said."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from lorasmith.adapters.compatibility.check import check_file
from tests.adapters.tools.merged_bases import toy_folder, write_lora
from tests.command_line import lorasmith

LAYER = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q"


def bundled(path, name="mimi", seed=0):
    """A LoRA in half precision with an embedding in fp32, which half precision would round."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {f"{LAYER}.lora_{end}.weight": torch.randn(*shape).bfloat16() for end, shape in (("down", (4, 640)), ("up", (640, 4)))}
    tensors |= {
        f"bundle_emb.{name}.{encoder}": torch.randn(2, width, generator=generator) for encoder, width in (("clip_l", 768), ("clip_g", 1280))
    }
    save_file(tensors, path, {"ss_base_model_version": "sdxl_base_v1-0"})
    return path


def embeddings(path):
    return {key: tensor for key, tensor in load_file(path).items() if key.startswith("bundle_emb.")}


def same(found, wanted):
    return found.keys() == wanted.keys() and all(torch.equal(found[key], wanted[key]) for key in wanted)


@pytest.mark.parametrize(
    "how", [["convert"], ["convert", "--to", "kohya"], ["convert", "--to", "lora"], ["convert", "--to", "diff"], ["resize", "--rank", "2"]]
)
def test_a_rewritten_file_has_the_embeddings_of_the_first(how, tmp_path):
    file, out = bundled(tmp_path / "mimi.safetensors"), tmp_path / "new.safetensors"
    done = lorasmith("lora", how[0], file, *how[1:], "--out", out)
    assert done.returncode == 0
    assert "The 1 bundled embedding (mimi) was copied unchanged." in done.stdout
    assert same(embeddings(out), embeddings(file))


@pytest.mark.parametrize("form", ["diffusers", "peft"])
def test_a_form_without_embeddings_is_said_to_be_without(form, tmp_path):
    file, out = bundled(tmp_path / "mimi.safetensors"), tmp_path / ("new" if form == "peft" else "new.safetensors")
    done = lorasmith("lora", "convert", file, "--to", form, "--out", out)
    assert f"(mimi) was left out: {form} reads no file with embeddings in it; keep mimi.safetensors for them." in done.stdout


def test_a_merged_file_has_all_embeddings_and_of_one_name_the_first(tmp_path):
    one, two, other = (
        bundled(tmp_path / f"{name}.safetensors", of, seed)
        for seed, (name, of) in enumerate((("one", "mimi"), ("two", "mimi"), ("other", "kiki")))
    )
    done = lorasmith("lora", "merge", one, two, other, "--out", tmp_path / "all.safetensors")
    assert "The 2 bundled embeddings (mimi, kiki) were copied unchanged." in done.stdout
    assert "Several files have an embedding mimi: that of one.safetensors was copied." in done.stdout
    assert same(embeddings(tmp_path / "all.safetensors"), embeddings(one) | embeddings(other))


def test_a_checkpoint_holds_no_embeddings_and_that_is_said(tmp_path):
    file = write_lora(tmp_path / "mimi.safetensors", "sd1", "lora", parts=["unet"])
    save_file(load_file(file) | {"bundle_emb.mimi.clip_l": torch.ones(2, 768)}, file, {"ss_base_model_version": "sd_v1"})
    done = lorasmith("lora", "merge", file, "--into", toy_folder("sd1"), "--out", tmp_path / "tuned")
    assert done.returncode == 0
    assert "The 1 bundled embedding (mimi) was left out: a checkpoint holds none; keep the LoRA file for them." in done.stdout


def test_diffusers_refuses_a_file_with_embeddings(tmp_path):
    from diffusers.loaders import StableDiffusionLoraLoaderMixin

    file = bundled(tmp_path / "mimi.safetensors")
    report = check_file(file, fit=False).consumers["diffusers"]
    assert report.verdict == "none"
    assert "embeddings that are bundled" in report.findings[0].message
    with pytest.raises(ValueError, match="Invalid LoRA checkpoint"):
        StableDiffusionLoraLoaderMixin().load_lora_weights(load_file(file))
