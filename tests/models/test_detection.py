"""What a file or folder is, by its header: families, marks, and what it is instead of a base."""

import contextlib
import json
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lorasmith.errors import BaseModelError
from lorasmith.models.open import describe, missing_parts
from tests.models.toys import TOYS, family_of, toy_folder


def header_file(path, tensors, metadata=None):
    """A safetensors file that is whole by its header and has zeros for numbers; shapes in `tensors`."""
    header, at = {"__metadata__": metadata} if metadata else {}, 0
    for name, shape in tensors.items():
        size = 2
        for side in shape:
            size *= side
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    raw = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(raw)) + raw)
        file.truncate(8 + len(raw) + at)  # a hole: takes no room on the disk
    return path


UNET = "model.diffusion_model."
SD1 = {
    f"{UNET}input_blocks.0.0.weight": (320, 4, 3, 3), f"{UNET}time_embed.0.weight": (1280, 320), f"{UNET}out.2.weight": (4, 320, 3, 3),
    f"{UNET}input_blocks.1.1.proj_in.weight": (320, 320, 1, 1), f"{UNET}input_blocks.9.0.op.weight": (2, 2),
    "first_stage_model.encoder.down.0.block.0.norm1.weight": (128,),
    "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": (49408, 768),
}  # fmt: skip
SD2 = {
    **{k: v for k, v in SD1.items() if "cond_stage" not in k}, f"{UNET}input_blocks.1.1.proj_in.weight": (320, 320),
    "cond_stage_model.model.token_embedding.weight": (49408, 1024),
}  # fmt: skip
SDXL = {
    **{k: v for k, v in SD2.items() if "cond_stage" not in k and ".9." not in k}, f"{UNET}label_emb.0.0.weight": (1280, 2816),
    "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight": (49408, 768),
    "conditioner.embedders.1.model.token_embedding.weight": (49408, 1280),
}  # fmt: skip
FLUX = {"double_blocks.0.img_attn.qkv.weight": (9216, 3072), "img_in.weight": (3072, 64), "guidance_in.in_layer.weight": (3072, 256)}

QWEN_IMAGE = {"transformer_blocks.0.img_mod.1.weight": (18432, 3072), "txt_norm.weight": (3584,), "img_in.weight": (3072, 64)}

ANIMA = {
    f"net.{name}": shape
    for name, shape in {
        **{f"blocks.{i}.adaln_modulation_self_attn.1.weight": (256, 2048) for i in range(28)},
        "llm_adapter.blocks.0.cross_attn.q_proj.weight": (1024, 1024), "llm_adapter.blocks.0.cross_attn.o_proj.weight": (1024, 1024),
    }.items()
}  # fmt: skip


def _described(tmp_path, tensors, metadata=None, **open_options):
    return describe(header_file(tmp_path / "model.safetensors", tensors, metadata), **open_options)


@pytest.mark.parametrize("toy", TOYS)
def test_folders_are_known(toy):
    description = describe(toy_folder(toy))
    assert (description.family, description.layout) == (family_of(toy), "folder")
    assert description.prediction_type == {"sd1": "epsilon", "sd2": "v_prediction", "sdxl": "epsilon", "sdxl-v": "v_prediction"}.get(
        toy, "flow"
    )
    assert description.zero_terminal_snr == (toy == "sdxl-v")
    assert description.variant == {
        "flux": "dev", "flux-schnell": "schnell", "zimage": "base", "klein": "base 4B", "anima": "2B", "krea2": "raw", "krea2-turbo": "turbo",
        "sd3": "medium", "sd3-large": "large",
    }.get(toy, "")  # fmt: skip
    assert missing_parts(description) == []


@pytest.mark.parametrize(
    ("tensors", "family", "variant"),
    [(SD1, "sd1", ""), (SD2, "sd2", ""), (SDXL, "sdxl", ""), (FLUX, "flux", "dev"), (QWEN_IMAGE, "qwen_image", ""), (ANIMA, "anima", "2B"), ({k: v for k, v in FLUX.items() if "guidance" not in k}, "flux", "schnell")],
    ids=["sd1", "sd2", "sdxl", "dev", "qwen_image", "anima", "schnell"],
)  # fmt: skip
def test_single_files_are_known_by_their_header(tmp_path, tensors, family, variant):
    description = _described(tmp_path, tensors)
    assert (description.family, description.variant) == (family, variant)
    assert any("layout" in reason for reason in description.reasons)
    absent = {"flux": ["text_encoder", "text_encoder_2", "vae"], "qwen_image": ["text_encoder", "vae"], "anima": ["text_encoder", "vae"]}
    assert missing_parts(description) == absent.get(family, [])


def test_the_two_text_encoders_of_sdxl_are_told_apart_in_every_layout(tmp_path):
    unet = {k: v for k, v in SDXL.items() if "embedders" not in k}
    for first, second in (
        ("conditioner.embedders.0.transformer.text_model.embeddings.", "conditioner.embedders.1.model."),
        ("text_encoders.clip_l.transformer.text_model.embeddings.", "text_encoders.clip_g.transformer.text_model.embeddings."),
        ("text_encoder.embeddings.", "text_encoder_2.text_model.embeddings."),
    ):
        tensors = {f"{second}token_embedding.weight": (10, 1280), f"{first}token_embedding.weight": (10, 768), **unet}
        parts = _described(tmp_path, tensors).parts
        assert parts["text_encoder"].prefix == first.removesuffix("embeddings.").removesuffix("text_model.")
        assert parts["text_encoder_2"].prefix == second.removesuffix("embeddings.").removesuffix("text_model.")


@pytest.mark.parametrize(
    ("marks", "metadata", "open_options", "expected"),
    [
        ({}, {}, {}, ("epsilon", False)),
        ({"v_pred": ()}, {}, {}, ("v_prediction", False)),
        ({"v_pred": (), "ztsnr": ()}, {}, {}, ("v_prediction", True)),
        ({}, {"modelspec.prediction_type": "v"}, {}, ("v_prediction", False)),
        ({"v_pred": ()}, {"modelspec.prediction_type": "epsilon"}, {}, ("v_prediction", False)),
        ({"v_pred": ()}, {}, {"prediction_type": "epsilon"}, ("epsilon", False)),
        ({}, {}, {"prediction_type": "v_prediction", "zero_terminal_snr": True}, ("v_prediction", True)),
    ],
)
def test_marks_metadata_and_the_user_say_what_is_predicted(tmp_path, marks, metadata, open_options, expected):
    description = _described(tmp_path, SDXL | marks, metadata or None, **open_options)
    assert (description.prediction_type, description.zero_terminal_snr) == expected
    assert description.scheduler[1]["prediction_type"] == expected[0]
    assert bool(description.scheduler[1].get("rescale_betas_zero_snr")) == expected[1]


def test_stable_diffusion_2_says_that_its_prediction_is_assumed(tmp_path):
    description = _described(tmp_path, SD2)
    assert description.prediction_type == "v_prediction"
    assert any("the weights do not say" in reason for reason in description.reasons)
    assert any("base.prediction_type" in note for note in description.notes)
    assert _described(tmp_path, SD2, prediction_type="epsilon").prediction_type == "epsilon"


def test_epsilon_cannot_go_with_zero_terminal_snr(tmp_path):
    with pytest.raises(BaseModelError, match="zero terminal SNR"):
        _described(tmp_path, SDXL, zero_terminal_snr=True)
    with pytest.raises(BaseModelError, match="predicts the flow"):
        _described(tmp_path, FLUX, prediction_type="epsilon")


def _unet_with(channels):
    return SD1 | {f"{UNET}input_blocks.0.0.weight": (320, channels, 3, 3)}


WRONG = {
    "inpainting": (_unet_with(9), "inpainting.*9 input channels"),
    "pix2pix": (_unet_with(8), "instruct-pix2pix"),
    "refiner": (
        {k: v for k, v in SD2.items() if "cond_stage" not in k}
        | {f"{UNET}label_emb.0.0.weight": (1536, 2560), "conditioner.embedders.0.model.token_embedding.weight": (49408, 1280)},
        "refiner",
    ),
    "unclip": (SD2 | {f"{UNET}label_emb.0.0.weight": (1280, 2048)}, "unCLIP"),
    "half a unet": ({k: v for k, v in SD1.items() if "out.2" not in k}, "ControlNet"),
    "controlnet": ({"control_model.time_embed.0.weight": (1280, 320)}, "ControlNet"),
    "auraflow": ({"joint_transformer_blocks.0.attn.to_q.weight": (4, 4), "pos_embed.pos_embed": (1, 4, 4)}, "AuraFlow"),
    "flux.3": (FLUX | {"early_stream_modulations.image.lin.weight": (4, 4)}, "Flux.3"),
    "flux fill": (FLUX | {"img_in.weight": (3072, 384)}, "Fill"),
    "flux depth": (FLUX | {"img_in.weight": (3072, 128)}, "Depth"),
    "qwen edit": (QWEN_IMAGE | {"__index_timestep_zero__": (1,)}, "Qwen-Image-Edit 2511.*give Qwen-Image itself"),
    "qwen layered": (QWEN_IMAGE | {"time_text_embed.addition_t_embedding.weight": (2, 3072)}, "Qwen-Image-Layered"),
    "cosmos": ({k: v for k, v in ANIMA.items() if "llm_adapter" not in k}, "Cosmos-Predict2.*without Anima's text conditioner"),
    "mage-flow": (QWEN_IMAGE | {"txt_norm.weight": (2560,)}, "Mage-Flow"),
    "qwen 2.1": ({"txt_in.text_norm.weight": (4096,), "transformer_blocks.0.attn.to_q.weight": (4096, 4096)}, "Qwen-Image 2.1"),
    "lora": ({"lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight": (4, 4)}, "LoRA file"),
    "diffusers lora": ({"transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight": (4, 4)}, "LoRA file"),
    "vae": ({"encoder.down.0.block.0.norm1.weight": (128,), "decoder.conv_in.weight": (4,)}, "autoencoder.*base.vae"),
    "wan's vae": ({"decoder.middle.0.residual.0.gamma": (384, 1, 1, 1)}, "autoencoder.*videos alone.*base.vae"),
    "qwen2.5-vl": (
        {
            "model.layers.0.self_attn.q_proj.bias": (3584,),
            "model.layers.0.mlp.gate_proj.weight": (4, 3584),
            "model.embed_tokens.weight": (9, 3584),
            "visual.blocks.0.mlp.gate_proj.weight": (4, 4),
        },
        "Qwen2.5-VL language model, Qwen2.5-VL 7B .*alone.*base.text_encoder",
    ),
    "clip": ({"text_model.embeddings.token_embedding.weight": (49408, 768)}, r"a CLIP text encoder, CLIP-L \(768 wide\), alone"),
    "t5": ({"encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096)}, r"a T5 text encoder, T5 XXL \(4,096 wide\), alone"),
    "nf4": (FLUX | {"double_blocks.0.img_attn.qkv.weight.quant_state.bitsandbytes__nf4": (20,)}, "four bits"),
    "playground": (SDXL | {"edm_mean": (4,)}, "EDM"),
    "cosxl": (SDXL | {"edm_vpred.sigma_max": ()}, "EDM"),
    "embedding": ({"emb_params": (8, 768)}, "textual inversion"),
    "something": ({"fc.weight": (4, 4)}, "not a base model that is known here.*fc.weight"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_base_is_named_with_advice(tmp_path, case):
    tensors, words = WRONG[case]
    with pytest.raises(BaseModelError, match=words) as raised:
        _described(tmp_path, tensors)
    assert "\n" not in str(raised.value)
    assert any(word in str(raised.value) for word in ("give", "set", "download"))


def test_gguf_files_pickles_and_packed_weights_are_refused(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + bytes(60))
    with pytest.raises(BaseModelError, match="GGUF"):
        describe(tmp_path / "model.gguf")
    (tmp_path / "model.ckpt").write_bytes(b"PK\3\4" + bytes(60))
    with pytest.raises(BaseModelError, match="allow_pickle"):
        describe(tmp_path / "model.ckpt")
    with pytest.raises(BaseModelError, match="weights alone"):
        describe(tmp_path / "model.ckpt", allow_pickle=True)
    path = header_file(tmp_path / "packed.safetensors", FLUX)
    raw = path.read_bytes()
    path.write_bytes(raw[:8] + raw[8:].replace(b'"dtype": "F16", "shape": [9216, 3072]', b'"dtype": "U8", "shape":[18432, 3072] ', 1))
    with pytest.raises(BaseModelError, match="quantised"):
        describe(path)


@pytest.mark.parametrize(
    ("index", "unet", "words"),
    [
        ({"_class_name": "StableDiffusionInpaintPipeline"}, {}, "inpainting"),
        ({"_class_name": "StableDiffusionPipeline"}, {"in_channels": 9}, "9 input channels"),
        ({"_class_name": "StableDiffusion3ControlNetPipeline"}, {}, "StableDiffusion3ControlNetPipeline"),
        ({"_class_name": "QwenImageEditPlusPipeline"}, {}, "QwenImageEditPlusPipeline, a model that edits pictures"),
        ({"_class_name": "QwenImageLayeredPipeline"}, {}, "QwenImageLayeredPipeline, a model that takes pictures apart into layers"),
        ({"_class_name": 7}, {}, "no _class_name"),
        ({}, {}, "no _class_name"),
        ({"_class_name": "StableDiffusionPipeline"}, {"in_channels": "four"}, "input channels"),
        ({"_class_name": "StableDiffusionXLPipeline"}, {"down_block_types": 4}, "no folder 'text_encoder'"),
    ],
)
def test_folders_of_other_models_are_refused(tmp_path, index, unet, words):
    (tmp_path / "unet").mkdir()
    (tmp_path / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    (tmp_path / "unet" / "config.json").write_text(json.dumps(unet), encoding="utf-8")
    with pytest.raises(BaseModelError, match=words):
        describe(tmp_path)


def test_folders_without_parts_are_refused(tmp_path):
    with pytest.raises(BaseModelError, match="no model_index.json"):
        describe(tmp_path)
    (tmp_path / "a.safetensors").touch()
    with pytest.raises(BaseModelError, match=r"give one of its files \(a.safetensors\)"):
        describe(tmp_path)
    (tmp_path / "model_index.json").write_text('{"_class_name": "FluxPipeline"}', encoding="utf-8")
    with pytest.raises(BaseModelError, match="FluxPipeline .* no folder of a part"):
        describe(tmp_path)
    (tmp_path / "model_index.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(BaseModelError, match="damaged"):
        describe(tmp_path)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_header_never_gives_more_than_a_sentence(tmp_path, data):
    """Bytes of a good file's header changed, cut or put in: it opens, or a BaseModelError says why not."""
    good = tmp_path / "good.safetensors"
    if not good.exists():
        header_file(good, {name: (2, 4, *[1] * (len(shape) - 2)) if len(shape) > 1 else shape for name, shape in SDXL.items()}, {"a": "b"})
    raw = bytearray(good.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, min(len(raw) - 1, 900)))
        match data.draw(st.sampled_from(("change", "cut", "put in", "shorten"))):
            case "change":
                raw[at] = data.draw(st.integers(0, 255))
            case "cut":
                del raw[at : at + data.draw(st.integers(1, 20))]
            case "put in":
                raw[at:at] = data.draw(st.binary(min_size=1, max_size=12))
            case "shorten":
                raw = raw[: max(at, 1)]
        if not raw:
            raw = bytearray(b"\0")
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(raw)
    with contextlib.suppress(BaseModelError):
        describe(path)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3))  # fmt: skip
RECORD = (
    st.fixed_dictionaries({}, optional={"dtype": st.sampled_from(("F16", "F32", "X")) | JSON, "shape": JSON, "data_offsets": JSON}) | JSON
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(header=st.dictionaries(st.sampled_from([*SD1, *FLUX, "__metadata__", "v_pred"]), RECORD, max_size=5))
def test_a_header_of_any_json_never_gives_more_than_a_sentence(tmp_path, header):
    raw = json.dumps(header).encode()
    (tmp_path / "any.safetensors").write_bytes(struct.pack("<Q", len(raw)) + raw + bytes(64))
    with pytest.raises(BaseModelError):
        describe(tmp_path / "any.safetensors")
