"""Stable Diffusion 3.5: what it reads, also without T5, what it says, how it is recognised, and its LoRA files."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from lorasmith.adapters.attach import adapter_tensors, attach
from lorasmith.adapters.compatibility.check import check_file
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.key_style import in_style_of
from lorasmith.adapters.files.lora_file import LoraFile
from lorasmith.errors import BaseModelError, SettingsError
from lorasmith.models.families import FAMILIES
from lorasmith.models.files.weights import empty_module
from lorasmith.models.open import describe, missing_parts, open_base
from lorasmith.models.sampling import initial_latents
from lorasmith.models.sd3.names import from_original
from lorasmith.models.texts import TextOptions
from lorasmith.models.tokenizers import caption_tokenizers
from tests.models import toys
from tests.models.single_files import write_single_file
from tests.models.test_detection import header_file

CAPTIONS = ["a happy red cat", "", "the big dog " * 300]  # the last is longer than what is read
SD3 = FAMILIES["sd3"]


@pytest.fixture(scope="module")
def base():
    return open_base(toys.toy_folder("sd3"), torch.float32)


@pytest.fixture(scope="module")
def pipeline():
    return toys.pipeline_of("sd3")


@pytest.fixture(scope="module")
def without_t5(tmp_path_factory):
    """A folder with two text encoders."""
    folder = tmp_path_factory.mktemp("sd3") / "two"
    return shutil.copytree(toys.toy_folder("sd3"), folder, ignore=shutil.ignore_patterns("text_encoder_3", "tokenizer_3"))


def encoded(pipeline, tokens=toys.T5_TOKENS, captions=CAPTIONS):
    """The states and the pooled states by diffusers' pipeline."""
    with torch.no_grad():
        states, _, pooled, _ = pipeline.encode_prompt(
            list(captions), None, None, do_classifier_free_guidance=False, max_sequence_length=tokens
        )
    return states, pooled


def encoded_here(base, captions=CAPTIONS, **options):
    with torch.no_grad():
        texts = base.encode_texts(captions, TextOptions(**options))
    assert texts.mask is None
    return texts.states, texts.pooled


def assert_close(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tokens", [toys.T5_TOKENS, 10])
def test_captions_have_the_states_of_diffusers_pipeline(base, pipeline, tokens):
    ours = encoded_here(base, max_token_length=tokens)
    assert_close(ours, encoded(pipeline, tokens))
    assert ours[0].shape[1] == 77 + tokens


def test_a_mask_hides_t5s_padding_and_makes_its_states_zeros(base):
    plain, masked = encoded_here(base)[0], encoded_here(base, mask_t5=True)[0]
    words = base.t5.count(CAPTIONS[0]) + 1
    assert not masked[0, 77 + words :].any()
    assert plain[0, 77 + words :].any()
    assert torch.equal(plain[:, :77], masked[:, :77])


def test_clip_skip_beyond_the_last_but_one_layer_is_refused(base):
    assert_close(encoded_here(base, clip_skip=2), encoded_here(base))
    with pytest.raises(SettingsError, match="always reads the last but one layer"):
        base.encode_texts(CAPTIONS, TextOptions(clip_skip=3))


def test_one_step_predicts_what_diffusers_pipeline_does(base, pipeline):
    latents = initial_latents(base, [1, 2], toys.PICTURE, toys.PICTURE)
    told = {"num_inference_steps": 1, "guidance_scale": 0.0, "output_type": "latent", "width": toys.PICTURE, "height": toys.PICTURE}
    with torch.no_grad():
        drawn = pipeline(CAPTIONS[:2], latents=latents, max_sequence_length=toys.T5_TOKENS, **told).images
        ours = base.predict(latents, torch.tensor([1000.0, 1000.0]), base.encode_texts(CAPTIONS[:2], TextOptions()))
    torch.testing.assert_close(ours, latents - drawn, atol=1e-5, rtol=1e-5)


# -- without T5 -----------------------------------------------------------------------------------------------------------------


def test_without_t5_its_states_are_zeros_as_in_diffusers_pipeline(without_t5, pipeline):
    described = describe(without_t5)
    assert missing_parts(described) == []
    assert any("T5 is left out" in note and "base.text_encoder_3" in note for note in described.notes)
    assert not any("T5 is left out" in note for note in describe(toys.toy_folder("sd3")).notes)
    base = open_base(without_t5, torch.float32)
    kept, pipeline.text_encoder_3 = pipeline.text_encoder_3, None
    try:
        assert_close(encoded_here(base), encoded(pipeline, 256))
        assert_close(encoded_here(base, max_token_length=154), encoded(pipeline, 154))
    finally:
        pipeline.text_encoder_3 = kept
    assert set(base.parts) == {"transformer", "text_encoder", "text_encoder_2"}
    assert set(base.fingerprints) == {*base.parts, "vae"}
    with pytest.raises(SettingsError, match="without T5"):
        base.encode_texts(CAPTIONS, TextOptions(mask_t5=True))
    with pytest.raises(SettingsError, match="reads 2 to 256 tokens"):
        base.encode_texts(CAPTIONS, TextOptions(max_token_length=300))


def test_captions_are_measured_by_t5_or_by_clip_where_that_is_left_out(without_t5, base):
    two = open_base(without_t5, torch.float32)
    assert (two.max_tokens(TextOptions()), base.max_tokens(TextOptions())) == (75, toys.T5_TOKENS - 1)
    assert two.count_tokens(CAPTIONS[0]) == two.clips[0].count(CAPTIONS[0], 75)
    assert list(caption_tokenizers(describe(without_t5))) == ["tokenizer", "tokenizer_2"]
    assert list(caption_tokenizers(describe(toys.toy_folder("sd3")))) == ["tokenizer_3"]


def test_t5_may_come_from_a_file_of_its_own(without_t5, base, tmp_path):
    folder = toys.toy_folder("sd3")
    alone = write_single_file(folder, tmp_path / "clips.safetensors", drop=("text_encoders.t5xxl.",))
    t5 = tmp_path / "t5xxl.safetensors"
    save_file(load_file(folder / "text_encoder_3" / "model.safetensors"), t5)
    for source, options in ((alone, {"config": folder}), (without_t5, {"config": folder})):
        assert "text_encoder_3" not in describe(source, **options).parts
        described = describe(source, text_encoder_3=t5, **options)
        assert described.parts["text_encoder_3"].files == (t5,)
        assert not any("T5 is left out" in note for note in described.notes)
        assert_close(encoded_here(open_base(source, torch.float32, text_encoder_3=t5, **options)), encoded_here(base))


# -- files and folders ----------------------------------------------------------------------------------------------------------


def test_a_single_file_predicts_what_its_folder_does(base, tmp_path):
    folder = toys.toy_folder("sd3")
    file = open_base(
        write_single_file(folder, tmp_path / "sd3.5_medium_incl_clips_t5xxlfp8scaled.safetensors"), torch.float32, config=folder
    )
    latents, timesteps = initial_latents(base, [1, 2], toys.PICTURE, toys.PICTURE), torch.tensor([300.0, 900.0])
    with torch.no_grad():
        ours, theirs = (each.predict(latents, timesteps, each.encode_texts(CAPTIONS[:2], TextOptions())) for each in (file, base))
    torch.testing.assert_close(ours, theirs)


def test_a_folders_projection_of_clip_l_is_heeded_and_that_of_a_file_of_its_own_is_not(tmp_path):
    """diffusers applies it, in published folders to no effect; ComfyUI never does."""
    folder = shutil.copytree(toys.toy_folder("sd3"), tmp_path / "other")
    weights = folder / "text_encoder" / "model.safetensors"
    tensors = load_file(weights)
    tensors["text_projection.weight"] = torch.randn(12, 12, generator=torch.Generator().manual_seed(0))
    save_file(tensors, weights, metadata={"format": "pt"})
    theirs = toys.pipeline_class("sd3").from_pretrained(folder, local_files_only=True)
    ours = encoded_here(open_base(folder, torch.float32))
    assert_close(ours, encoded(theirs))
    plain = open_base(folder, torch.float32, text_encoder=weights)
    assert_close(encoded_here(plain), encoded_here(open_base(toys.toy_folder("sd3"), torch.float32)))


ORIGINAL = {
    "model.diffusion_model.x_embedder.proj.weight": (1536, 16, 2, 2), "model.diffusion_model.pos_embed": (1, 4, 1536),
    "model.diffusion_model.joint_blocks.0.context_block.attn.qkv.weight": (4608, 1536),
}  # fmt: skip
NORM = {"model.diffusion_model.joint_blocks.0.x_block.attn.ln_q.weight": (64,)}
SECOND = {"model.diffusion_model.joint_blocks.0.x_block.attn2.qkv.weight": (4608, 1536)}
DIFFUSERS = {
    "pos_embed.pos_embed": (1, 4, 1536),
    "pos_embed.proj.weight": (1536, 16, 2, 2),
    "transformer_blocks.0.attn.add_q_proj.weight": (4, 4),
}


@pytest.mark.parametrize(
    ("name", "tensors", "variant"),
    [
        ("sd3.5_medium", ORIGINAL | NORM | SECOND, "medium"),
        ("sd3.5_large", ORIGINAL | NORM, "large"),
        ("sd3.5_large_turbo_fp8", ORIGINAL | NORM, "large turbo"),
        ("sd3_medium_incl_clips", ORIGINAL, "medium of version 3"),
        ("transformer", DIFFUSERS | {"transformer_blocks.0.attn.norm_q.weight": (64,), "transformer_blocks.0.attn2.to_q.weight": (4, 4)}, "medium"),
        ("transformer", DIFFUSERS | {"transformer_blocks.0.attn.norm_q.weight": (64,)}, "large"),
        ("transformer", DIFFUSERS, "medium of version 3"),
    ],
)  # fmt: skip
def test_the_sizes_are_told_apart_by_how_their_blocks_are_built(tmp_path, name, tensors, variant):
    described = describe(header_file(tmp_path / f"{name}.safetensors", tensors))
    assert (described.family, described.variant) == ("sd3", variant)
    assert missing_parts(described) == ["text_encoder", "text_encoder_2", "vae"]
    assert (described.form.distilled, described.form.defaults.steps) == {
        "medium": (None, 40), "large": (None, 28), "large turbo": (True, 4), "medium of version 3": (False, 28),
    }[variant]  # fmt: skip


def test_special_models_are_refused(tmp_path):
    inpainting = ORIGINAL | {"model.diffusion_model.x_embedder.proj.weight": (1536, 33, 2, 2)}
    with pytest.raises(BaseModelError, match="special model of Stable Diffusion 3 .*takes 33 channels"):
        describe(header_file(tmp_path / "inpainting.safetensors", inpainting))
    folder = shutil.copytree(toys.toy_folder("sd3"), tmp_path / "other")
    config = folder / "transformer" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"in_channels": 33}))
    with pytest.raises(BaseModelError, match="takes 33 channels"):
        describe(folder)


# -- at full size ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variant", "numbers", "layers"),
    [("medium", 2_243_171_520, 337), ("large", 8_056_627_520, 453), ("medium of version 3", 2_028_328_000, 285)],
)
def test_the_published_sizes_and_diffusers_own_converter(variant, numbers, layers):
    from diffusers.loaders.single_file_utils import convert_sd3_transformer_checkpoint_to_diffusers

    module = empty_module(SD3.variant(variant).parts["transformer"])
    assert sum(parameter.numel() for parameter in module.parameters()) == numbers
    assert module.pos_embed.pos_embed.is_meta, "what files have is not computed"
    assert len(keys.weight_shapes("sd3", {"transformer": module})) == layers
    shapes = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    rows: dict[str, tuple[int, ...]] = {}
    for name, take in from_original(shapes, ()).items():
        last = take.rows[1] if take.rows else shapes[name][0]
        rows[take.key] = (max(last, rows.get(take.key, (0,))[0]), *shapes[name][1:])
    file = {key: torch.empty(shape, device="meta") for key, shape in rows.items()}
    assert {name: tuple(tensor.shape) for name, tensor in convert_sd3_transformer_checkpoint_to_diffusers(file).items()} == shapes


# -- LoRA files -----------------------------------------------------------------------------------------------------------------


def lora(prefix, *layers, joint=".", down="lora_A.weight", up="lora_B.weight", alpha=False, rows=1536, width=1536):
    tensors = {}
    for layer in layers:
        name = prefix + layer.replace(".", joint)
        tensors |= {f"{name}.{down}": torch.ones(4, width), f"{name}.{up}": torch.arange(rows * 4.0).reshape(rows, 4)}
        tensors |= {f"{name}.alpha": torch.tensor(4.0)} if alpha else {}
    return tensors


def adapter_file(layers):
    return {f"{name}.{suffix}": tensor for name, layer in layers.items() for suffix, tensor in layer.file_tensors().items()}


KOHYA = {"joint": "_", "down": "lora_down.weight", "up": "lora_up.weight", "alpha": True}
OWN = ("transformer_blocks.0.attn.to_q", "transformer_blocks.23.ff.net.0.proj")
NATIVE = ("joint_blocks.0.x_block.attn.proj", "joint_blocks.23.x_block.mlp.fc1")


@pytest.mark.parametrize(
    ("tensors", "verdicts"),
    [
        (lora("transformer.", *OWN), ("all", "all", "all")),
        (lora("transformer.", *OWN, alpha=True), ("all", "all", "none")),
        (lora("transformer.", *OWN, "transformer_blocks.0.attn2.to_q"), ("part", "all", "all")),
        (lora("lora_unet_", *NATIVE, **KOHYA), ("all", "all", "none")),
        (lora("diffusion_model.", *NATIVE), ("all", "all", "none")),
        (lora("lora_transformer_", *OWN, **KOHYA), ("unknown", "all", "none")),
        (lora("base_model.model.", *OWN), ("unknown", "all", "none")),
    ],
    ids=["diffusers'", "with alpha", "with the second attention", "sd-scripts'", "original names", "OneTrainer's", "peft's"],
)
def test_each_way_of_naming_is_read_and_what_each_program_does_with_it_is_known(tensors, verdicts):
    report = check_file(LoraFile(tensors, {}), fit=False)
    assert report.family == "sd3"
    assert tuple(report.consumers[program].verdict for program in ("Forge", "ComfyUI", "diffusers")) == verdicts


def test_a_medium_file_has_more_layers_that_forge_does_not_know_than_it_puts_up_with():
    second = [f"transformer_blocks.{block}.attn2.to_{one}" for block in range(13) for one in ("q", "k", "v", "out.0")]
    report = check_file(LoraFile(lora("transformer.", *OWN, *second), {}), fit=False)
    assert report.consumers["Forge"].verdict == "none"


@pytest.mark.parametrize(("width", "blocks"), [(1536, 24), (2432, 38)])
def test_a_file_for_either_size_is_read_whole(width, blocks):
    tensors = lora("transformer.", *(f"transformer_blocks.{block}.attn.to_q" for block in range(blocks)), rows=width, width=width)
    network = read_network(tensors)
    assert (network.family, len(network.layers), network.unread) == ("sd3", blocks, {})


def test_query_key_and_value_of_sd_scripts_are_three_layers_here():
    network = read_network(lora("lora_unet_", "joint_blocks.3.context_block.attn.qkv", rows=4608, **KOHYA))
    assert list(network.layers) == [f"transformer_transformer_blocks_3_attn_add_{one}_proj" for one in "qkv"]
    together = torch.cat([layer.tensors["lora_up.weight"] for layer in network.layers.values()])
    assert torch.equal(together, torch.arange(4608 * 4.0).reshape(4608, 4))
    written, _ = in_style_of("sd3", adapter_file(network.layers), {})
    assert sorted(key for key in written if "lora_B" in key) == [
        f"transformer.transformer_blocks.3.attn.add_{one}_proj.lora_B.weight" for one in "kqv"
    ]


def test_the_last_modulation_of_the_text_has_its_halves_in_diffusers_order():
    """In other blocks it has six parts, which are in the same order in both."""
    last = lora("lora_unet_", "joint_blocks.23.context_block.adaLN_modulation.1", rows=3072, **KOHYA)
    other = lora("lora_unet_", "joint_blocks.22.context_block.adaLN_modulation.1", rows=9216, **KOHYA)
    pair, six = read_network(last | other).layers.values()
    assert pair.name == "transformer_transformer_blocks_23_norm1_context_linear"
    assert pair.tensors["lora_up.weight"][0, 0] == 1536 * 4
    assert six.tensors["lora_up.weight"][0, 0] == 0


def test_a_lora_on_t5_is_not_read_and_called_so():
    tensors = lora("lora_unet_", *NATIVE, **KOHYA)
    tensors |= lora("lora_te3_", "encoder.block.0.layer.0.SelfAttention.q", rows=4096, width=4096, **KOHYA)
    reasons = set(read_network(tensors).unread.values())
    assert reasons == {"Stable Diffusion 3.5's T5 is left as it is, and LoRAs on it are not read"}


def test_diffusers_pipeline_loads_a_file_whole_and_predicts_with_it_what_was_trained():
    base, pipeline = open_base(toys.toy_folder("sd3"), torch.float32), toys.pipeline_of("sd3")
    generator = torch.Generator().manual_seed(0)
    adapters = [attach(module, keys.targets("sd3", part, module), 4, 8.0, seed=1) for part, module in toys.carrying(base).items()]
    with torch.no_grad():
        for parameter in (parameter for adapter in adapters for parameter in adapter.parameters()):
            parameter.normal_(0, 0.2, generator=generator)
    file, _ = in_style_of("sd3", adapter_tensors(*adapters), {})
    plain = encoded(pipeline)
    pipeline.load_lora_weights(file)
    assert_close(encoded_here(base), encoded(pipeline))
    assert (encoded(pipeline)[0] - plain[0]).abs().max() > 0.01
    latents, (states, pooled) = initial_latents(base, [1, 2, 3], toys.PICTURE, toys.PICTURE), encoded(pipeline)
    with torch.no_grad():
        theirs = pipeline.transformer(latents, states, pooled, torch.full((3,), 500.0)).sample
        ours = base.predict(latents, torch.full((3,), 500.0), base.encode_texts(CAPTIONS, TextOptions()))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


REFUSED = {
    "with alphas": lora("transformer.", "transformer_blocks.0.attn.to_q", alpha=True, rows=32, width=32),
    "LoKr": {"transformer.transformer_blocks.0.attn.to_q.lokr_w1": torch.ones(4, 4), "transformer.transformer_blocks.0.attn.to_q.lokr_w2": torch.ones(8, 8)},
}  # fmt: skip


@pytest.mark.parametrize("tensors", REFUSED.values(), ids=REFUSED)
def test_diffusers_pipeline_refuses_what_check_says_it_does(tensors):
    report = check_file(LoraFile(tensors, {"ss_base_model_version": "sd3"}), fit=False)
    assert report.consumers["diffusers"].verdict == "none"
    with pytest.raises(ValueError, match="Invalid LoRA checkpoint"):
        toys.pipeline_of("sd3").load_lora_weights(dict(tensors))
