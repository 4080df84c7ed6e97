"""Z-Image: what it reads, what it says, how it is recognised, and its LoRA files."""

import pytest
import torch

from lorasmith.adapters.compatibility.check import check_file
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.lora_file import LoraFile
from lorasmith.adapters.tools.convert import diffusers_tensors
from lorasmith.errors import BaseModelError
from lorasmith.models.open import describe, open_base
from lorasmith.models.sampling import initial_latents
from lorasmith.models.texts import TextOptions
from tests.models import toys
from tests.models.test_detection import header_file

CAPTIONS = ["a happy red cat", "", "the big dog " * 300]  # the last is longer than what is read
DENOISER = {
    "model.diffusion_model.layers.0.attention.qkv.weight": (11520, 3840), "model.diffusion_model.cap_embedder.1.weight": (3840, 2560),
    "model.diffusion_model.layers.0.adaLN_modulation.0.weight": (15360, 256),
}  # fmt: skip
QWEN = {"embed_tokens.weight": (8, 2560), "layers.0.self_attn.q_norm.weight": (128,)}


@pytest.fixture(scope="module")
def base():
    return open_base(toys.toy_folder("zimage"), torch.float32)


@pytest.fixture(scope="module")
def pipeline():
    return toys.pipeline_of("zimage")


def test_captions_have_the_states_of_diffusers_pipeline_each_at_its_own_length(base, pipeline):
    with torch.no_grad():
        theirs, _ = pipeline.encode_prompt(list(CAPTIONS), do_classifier_free_guidance=False)
        ours = base.encode_texts(CAPTIONS, TextOptions())
    assert ours.lengths() == [len(states) for states in theirs]
    assert ours.lengths()[1:] == [base.language_model.around, 512]
    for states, length, expected in zip(ours.states, ours.lengths(), theirs, strict=True):
        torch.testing.assert_close(states[:length], expected, atol=1e-5, rtol=1e-5)
        assert not states[length:].any()


def test_one_step_predicts_what_diffusers_pipeline_does(base, pipeline):
    latents = initial_latents(base, [1, 2], toys.PICTURE, toys.PICTURE)
    told = {"num_inference_steps": 1, "guidance_scale": 0.0, "output_type": "latent", "width": toys.PICTURE, "height": toys.PICTURE}
    with torch.no_grad():
        drawn = pipeline(CAPTIONS[:2], latents=latents, **told).images
        ours = base.predict(latents, torch.tensor([1000.0, 1000.0]), base.encode_texts(CAPTIONS[:2], TextOptions()))
    torch.testing.assert_close(ours, latents - drawn, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "variant"),
    [("z_image_bf16", "base"), ("z_image_turbo_bf16", "turbo"), ("Z-Image-De-Turbo", "base"), ("zimage_deturbo", "base")],
)
def test_base_and_turbo_are_told_apart_by_name(tmp_path, name, variant):
    described = describe(header_file(tmp_path / f"{name}.safetensors", DENOISER))
    assert (described.family, described.variant, described.form.licence) == ("zimage", variant, "Apache-2.0")
    assert any(("distilled to few steps" if variant == "base" else "base.merge") in note for note in described.notes)


def test_a_snapshot_of_turbo_in_the_hubs_cache_is_known_by_its_repository(tmp_path):
    folder = tmp_path / "models--Tongyi-MAI--Z-Image-Turbo" / "snapshots" / "0123"
    folder.mkdir(parents=True)
    assert describe(header_file(folder / "diffusion_pytorch_model.safetensors", DENOISER)).variant == "turbo"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"model.diffusion_model.siglip_embedder.1.weight": (3840, 1152)}, "edits pictures"),
        ({"model.diffusion_model.dec_net.cond_embed.weight": (8, 8)}, "draws pixels"),
        ({"model.diffusion_model.layers.0.adaLN_modulation.0.weight": None}, "without the modulation of either"),
    ],
)
def test_special_models_are_refused_by_what_they_are(tmp_path, changed, words):
    tensors = {name: shape for name, shape in (DENOISER | changed).items() if shape}
    with pytest.raises(BaseModelError, match=words):
        describe(header_file(tmp_path / "model.safetensors", tensors))


def test_a_lone_language_model_is_named_with_its_size(tmp_path):
    for prefix, which in (("model.", "Qwen3"), ("model.language_model.", "Qwen3-VL"), ("", "Qwen3")):
        file = header_file(tmp_path / "qwen.safetensors", {prefix + name: shape for name, shape in QWEN.items()})
        words = rf"a {which} language model, {which} 4B \(2,560 wide\), alone; give it as base.text_encoder"
        with pytest.raises(BaseModelError, match=words):
            describe(file)


def test_parts_may_be_files_of_their_own_and_another_size_is_refused(tmp_path):
    transformer = header_file(tmp_path / "z_image.safetensors", DENOISER)
    right = header_file(tmp_path / "qwen_3_4b.safetensors", {f"model.{name}": shape for name, shape in QWEN.items()})
    described = describe(transformer, text_encoder=right)
    assert described.parts["text_encoder"].prefix == "model."
    wrong = header_file(
        tmp_path / "qwen_3_8b.safetensors", {f"model.{name}": shape for name, shape in (QWEN | {"embed_tokens.weight": (8, 4096)}).items()}
    )
    with pytest.raises(BaseModelError, match=r"Qwen3 8B \(4,096 wide\); this base reads a Qwen3 language model, Qwen3 4B \(2,560 wide\)"):
        describe(transformer, text_encoder=wrong)


# -- LoRA files -----------------------------------------------------------------------------------------------------------------


def lora(*layers, down="lora_A.weight", up="lora_B.weight", joint=".", alpha=False, rows=3840):
    """A LoRA of rank 4 on layers by their names."""
    tensors = {}
    for name in layers:
        tensors |= {f"{name}{joint}{down}": torch.ones(4, 3840), f"{name}{joint}{up}": torch.ones(rows, 4)}
        tensors |= {f"{name}{joint}alpha": torch.tensor(4.0)} if alpha else {}
    return tensors


def verdicts(tensors):
    report = check_file(LoraFile(tensors, {}), fit=False)
    assert report.family == "zimage"
    return {program: report.consumers[program].verdict for program in ("Forge", "ComfyUI", "diffusers")}


SPLIT = ("layers.0.attention.to_q", "layers.0.feed_forward.w1")


def test_what_each_program_does_with_each_way_of_naming():
    everywhere = {"Forge": "all", "ComfyUI": "all", "diffusers": "all"}
    assert verdicts(lora(*(f"diffusion_model.{name}" for name in SPLIT))) == everywhere
    kohya = [f"lora_unet_{name.replace('.', '_')}" for name in SPLIT]
    assert verdicts(lora(*kohya, down="lora_down.weight", up="lora_up.weight", alpha=True)) == {
        "Forge": "part",
        "ComfyUI": "part",
        "diffusers": "all",
    }
    fused = lora("diffusion_model.layers.0.attention.qkv", rows=11520)
    assert verdicts(fused) == {"Forge": "all", "ComfyUI": "all", "diffusers": "none"}
    assert verdicts(lora(*(f"transformer.{name}" for name in SPLIT))) == {"Forge": "none", "ComfyUI": "all", "diffusers": "all"}


def test_query_key_and_value_in_one_are_written_apart_for_diffusers():
    network = read_network(lora("diffusion_model.layers.0.attention.qkv", rows=11520))
    written = diffusers_tensors("zimage", network.layers)
    assert {key: tuple(tensor.shape) for key, tensor in written.items() if "lora_B" in key} == {
        f"transformer.layers.0.attention.to_{one}.lora_B.weight": (3840, 4) for one in "qkv"
    }
