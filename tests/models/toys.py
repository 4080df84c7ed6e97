"""Toy-size base models of every family: diffusers folders with random weights, made once a process, without a network.

    folder = toy_folder("sdxl")                      # a family's plain form
    folder = toy_folder("sdxl-v")                    # v-prediction with zero terminal SNR
    folder = toy_folder("flux-schnell")

They have the block structure of the real ones (levels, layers of a level, chunks of the fused layers) and few channels, so that
names and their translation between layouts are the real ones. The families are recognised by what the real ones are recognised by
(the class in model_index.json, the widths' relations), never a width: SD 2 has `use_linear_projection` in its U-Net and
`hidden_act` "gelu" in its text encoder, where SD 1 has neither.
"""

import atexit
import json
import shutil
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

from tests.models import newer_toys

TOYS = (
    "sd1", "sd2", "sdxl", "sdxl-v", "flux", "flux-schnell", "sd3", "sd3-large", "chroma", "zimage", "lumina2", "qwen_image", "klein", "anima", "krea2",
    "krea2-turbo",
)  # fmt: skip
PLAIN = [toy for toy in TOYS if "-" not in toy]
"""Every family once."""
POOLED = {"sdxl", "flux", "sd3"}  # families whose denoiser reads a pooled state as well
MASKS_T5 = {"flux", "sd3", "chroma"}  # families for which base.t5_attention_mask may be on
CLIP_TOKENS = {"sd3": 77}
"""Families that read CLIP's states before those of another text encoder -> how many."""
NATIVE = {"qwen_image": 1024, "anima": 1024, "krea2": 1024}
"""Families whose settings do not say which square they were made for -> that of the family."""
PICTURE = 64  # pixels a side: the toys' native resolution
PACKED = {"flux", "chroma", "qwen_image", "krea2"}  # families whose pipeline takes its latents packed
PIPELINE_GUIDANCE = {"flux": 3.0, "zimage": 3.0, "krea2": 3.0}
"""What the pipeline calls guidance, where that is not the classifier-free guidance of 4.0: Flux.1 is told it, the others' is one less."""
T5_TOKENS = 24  # what the toy T5's tokenizer reads at most

_ROOT = Path(tempfile.mkdtemp(prefix="lorasmith-toys-"))
atexit.register(shutil.rmtree, _ROOT, ignore_errors=True)


@cache
def toy_folder(name: str) -> Path:
    """The diffusers folder of a toy; do not change what is in it."""
    import torch

    family, _, variant = name.partition("-")
    folder = _ROOT / name
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _MAKERS[family](folder, variant)
    return folder


def quick_and_slow() -> list:
    """The toys as parameters of a test: every family's plain form, and its variants as slow ones."""
    import pytest

    return [pytest.param(toy, marks=pytest.mark.slow) if "-" in toy else toy for toy in TOYS]


def family_of(name: str) -> str:
    return name.partition("-")[0]


def carrying(base) -> dict:
    """The parts of an opened base that can carry a LoRA, by their names."""
    from lorasmith.models.families import FAMILIES

    return {part: base.parts[part] for part in FAMILIES[base.family].lora.parts}


def with_all_layers(description):
    """A description whose language model has its layers above the last one that is read, as pipelines of diffusers have it."""
    parts = {name: replace(place, config=place.config._replace(layers=None)) for name, place in description.parts.items()}
    return replace(description, parts=parts)


def pipeline_class(name: str):
    """diffusers' class for the toy."""
    import diffusers

    return getattr(diffusers, json.loads((toy_folder(name) / "model_index.json").read_text(encoding="utf-8"))["_class_name"])


def pipeline_of(name: str):
    """The toy as diffusers' own pipeline."""
    if family_of(name) == "anima":
        return newer_toys.AnimaPipeline(toy_folder(name))
    kind = pipeline_class(name)
    extra = {"safety_checker": None, "requires_safety_checker": False} if kind.__name__ == "StableDiffusionPipeline" else {}
    pipeline = kind.from_pretrained(toy_folder(name), local_files_only=True, **extra)
    pipeline.set_progress_bar_config(disable=True)
    if kind.__name__ == "ChromaPipeline":
        # It adds its mask of 1 and 0 to the scores, which hides nothing; see tests/models/test_chroma.py.
        prepare = pipeline._prepare_attention_mask
        pipeline._prepare_attention_mask = lambda **given: prepare(**given).bool()
    if kind.__name__ == "QwenImagePipeline":  # it drops as many tokens as Qwen's tokenizer makes of the template's beginning
        before = pipeline.prompt_template_encode.partition("{}")[0]
        pipeline.prompt_template_encode_start_idx = len(pipeline.tokenizer(before).input_ids)
    if kind.__name__ == "Krea2Pipeline":
        before, after = (
            len(pipeline.tokenizer(each).input_ids)
            for each in (pipeline.prompt_template_encode_prefix, pipeline.prompt_template_encode_suffix)
        )
        pipeline.prompt_template_encode_start_idx, pipeline.prompt_template_encode_num_suffix_tokens = before, after
    return pipeline


def module_of(pipeline, part: str):
    """A part of a pipeline; of a model that sees, the language model alone."""
    module = getattr(pipeline, part)
    seeing = getattr(module, "model", module)
    return seeing.language_model if hasattr(seeing, "language_model") else module


# -- the parts ----------------------------------------------------------------------------------------------------------


def _unet(**settings):
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        **{
            "sample_size": PICTURE // 8, "in_channels": 4, "out_channels": 4, "layers_per_block": 2, "norm_num_groups": 4,
            "block_out_channels": (8, 8, 16, 16), "attention_head_dim": 2,
            "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
            "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
            **settings,
        }
    )  # fmt: skip


def _vae(**settings):
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        **{
            "block_out_channels": (4, 8, 8, 8), "layers_per_block": 2, "norm_num_groups": 4, "latent_channels": 4, "sample_size": PICTURE,
            "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4, **settings,
        }
    )  # fmt: skip


def _clip(tokenizer, kind="CLIPTextModel", **settings):
    import transformers

    return getattr(transformers, kind)(
        transformers.CLIPTextConfig(
            **{
                "vocab_size": len(tokenizer), "hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 2,
                "projection_dim": 24, "hidden_act": "quick_gelu", "bos_token_id": tokenizer.bos_token_id,
                "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, **settings,
            }
        )
    )  # fmt: skip


def clip_tokenizer(pad: str = "<|endoftext|>"):
    """The demo's CLIP tokenizer; OpenCLIP's encoders fill up with "!", which is token 0."""
    from transformers import CLIPTokenizer

    from lorasmith.demo.weights import BASE

    return CLIPTokenizer.from_pretrained(BASE / "tokenizer", pad_token=pad, local_files_only=True)


def t5_tokenizer():
    """A T5 tokenizer of some words and all small letters."""
    from transformers import T5Tokenizer

    words = ["a", "happy", "red", "blue", "cat", "dog", "beach", "forest", "sad", "big", "of", "the"]
    letters = list("abcdefghijklmnopqrstuvwxyz,.")
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -4.0)]
    pieces += [(f"▁{word}", -2.0) for word in words] + [(letter, -5.0) for letter in letters]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=T5_TOKENS)


@cache
def qwen_tokenizer():
    """A tokenizer of Qwen's kind: all bytes, the prefixes of some words, and Qwen's marks."""
    from lorasmith.models.architectures import qwen_tokenizer

    words = [" happy", " red", " cat", " dog", "user", "assistant", "system"]
    tokens = [*(bytes([byte]) for byte in range(256)), *(word[:k].encode() for word in words for k in range(2, len(word) + 1))]
    made = qwen_tokenizer.from_ranks({token: rank for rank, token in enumerate(dict.fromkeys(tokens))})
    made.chat_template = CHAT
    return made


CHAT = (
    "{% for each in messages %}<|im_start|>{{ each.role }}\n{{ each.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
    "{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"
)
"""What Qwen's own template makes of a question, for diffusers' pipelines."""


def _qwen3(tokenizer, **settings):
    from transformers import Qwen3Config, Qwen3Model

    return Qwen3Model(
        Qwen3Config(
            **{
                "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 2,
                "num_key_value_heads": 1, "head_dim": 8, **settings,
            }
        )
    )  # fmt: skip


def _t5(tokenizer):
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(
        T5Config(
            vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, feed_forward_proj="gated-gelu",
            is_encoder_decoder=False, use_cache=False, tie_word_embeddings=False, pad_token_id=0, eos_token_id=1,
        )
    )  # fmt: skip


def _ddim(**settings):
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False, steps_offset=1,
        **settings,
    )  # fmt: skip


# -- the families -------------------------------------------------------------------------------------------------------


def _stable_diffusion(folder, unet, text_encoder, tokenizer, scheduler):
    from diffusers import StableDiffusionPipeline

    StableDiffusionPipeline(
        vae=_vae(), text_encoder=text_encoder, tokenizer=tokenizer, unet=unet, scheduler=scheduler, safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip


def _sd1(folder: Path, variant: str) -> None:
    tokenizer = clip_tokenizer()
    _stable_diffusion(folder, _unet(cross_attention_dim=24), _clip(tokenizer), tokenizer, _ddim())


def _sd2(folder: Path, variant: str) -> None:
    tokenizer = clip_tokenizer("!")
    unet = _unet(cross_attention_dim=32, attention_head_dim=(1, 1, 2, 2), use_linear_projection=True, upcast_attention=True)
    text_encoder = _clip(tokenizer, hidden_size=32, intermediate_size=64, hidden_act="gelu")
    _stable_diffusion(folder, unet, text_encoder, tokenizer, _ddim(prediction_type="v_prediction"))


def _sdxl(folder: Path, variant: str) -> None:
    from diffusers import StableDiffusionXLPipeline

    tokenizer, tokenizer_2 = clip_tokenizer(), clip_tokenizer("!")
    unet = _unet(
        block_out_channels=(8, 16, 16), cross_attention_dim=24 + 40, attention_head_dim=(1, 2, 2), transformer_layers_per_block=(1, 1, 2),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=20 + 6 * 8,
    )  # fmt: skip
    zero_snr = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    StableDiffusionXLPipeline(
        vae=_vae(scaling_factor=0.13025), text_encoder=_clip(tokenizer), tokenizer=tokenizer, tokenizer_2=tokenizer_2, unet=unet,
        text_encoder_2=_clip(
            tokenizer_2, "CLIPTextModelWithProjection", hidden_size=40, intermediate_size=80, projection_dim=20, hidden_act="gelu"
        ),
        scheduler=_ddim(**zero_snr) if variant == "v" else _ddim(), force_zeros_for_empty_prompt=False, add_watermarker=False,
    ).save_pretrained(folder)  # fmt: skip


def _flux(folder: Path, variant: str) -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

    tokenizer, tokenizer_2 = clip_tokenizer(), t5_tokenizer()
    shift = {"shift": 1.0, "use_dynamic_shifting": False} if variant == "schnell" else {"shift": 3.0, "use_dynamic_shifting": True}
    FluxPipeline(
        vae=_flux_vae(),
        text_encoder=_clip(tokenizer), tokenizer=tokenizer, text_encoder_2=_t5(tokenizer_2), tokenizer_2=tokenizer_2,
        transformer=FluxTransformer2DModel(
            patch_size=1, in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
            joint_attention_dim=32, pooled_projection_dim=24, guidance_embeds=variant != "schnell", axes_dims_rope=(4, 6, 6),
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, base_shift=0.5, max_shift=1.15, **shift),
    ).save_pretrained(folder)  # fmt: skip


def _flux_vae(**settings):
    plain = {"latent_channels": 16, "scaling_factor": 0.3611, "shift_factor": 0.1159, "use_quant_conv": False, "use_post_quant_conv": False}
    return _vae(**plain | settings)


def _sd3(folder: Path, variant: str) -> None:
    """Medium, with a second attention in its first block, or large."""
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    tokenizer, tokenizer_2, tokenizer_3 = clip_tokenizer(), clip_tokenizer("!"), t5_tokenizer()
    clip_l = _clip(tokenizer, "CLIPTextModelWithProjection", hidden_size=12, intermediate_size=24, projection_dim=12)
    torch.nn.init.eye_(clip_l.text_projection.weight)
    clip_g = _clip(tokenizer_2, "CLIPTextModelWithProjection", hidden_size=16, intermediate_size=32, projection_dim=8, hidden_act="gelu")
    transformer = SD3Transformer2DModel(
        sample_size=PICTURE // 8, num_layers=2, attention_head_dim=16, num_attention_heads=2, joint_attention_dim=32, caption_projection_dim=32,
        pooled_projection_dim=20, pos_embed_max_size=24, qk_norm="rms_norm", dual_attention_layers=() if variant == "large" else (0,),
    )  # fmt: skip
    StableDiffusion3Pipeline(
        vae=_flux_vae(scaling_factor=1.5305, shift_factor=0.0609), text_encoder=clip_l, tokenizer=tokenizer, text_encoder_2=clip_g,
        tokenizer_2=tokenizer_2, text_encoder_3=_t5(tokenizer_3), tokenizer_3=tokenizer_3, transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0, use_dynamic_shifting=False),
    ).save_pretrained(folder)  # fmt: skip


def _chroma(folder: Path, variant: str) -> None:
    from diffusers import ChromaPipeline, ChromaTransformer2DModel, FlowMatchEulerDiscreteScheduler

    tokenizer = t5_tokenizer()
    ChromaPipeline(
        vae=_flux_vae(), text_encoder=_t5(tokenizer), tokenizer=tokenizer,
        transformer=ChromaTransformer2DModel(
            patch_size=1, in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
            joint_attention_dim=32, axes_dims_rope=(4, 6, 6), approximator_num_channels=16, approximator_hidden_dim=32, approximator_layers=1,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=1.0, use_dynamic_shifting=False),
    ).save_pretrained(folder)  # fmt: skip


def _zimage(folder: Path, variant: str) -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel

    tokenizer = qwen_tokenizer()
    ZImagePipeline(
        vae=_flux_vae(),
        text_encoder=_qwen3(tokenizer), tokenizer=tokenizer,
        transformer=ZImageTransformer2DModel(
            dim=24, n_layers=2, n_refiner_layers=1, n_heads=2, n_kv_heads=2, cap_feat_dim=32, axes_dims=[4, 4, 4], axes_lens=[1024, 32, 32]
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0, use_dynamic_shifting=False),
    ).save_pretrained(folder)  # fmt: skip


def _klein(folder: Path, variant: str) -> None:
    from diffusers import AutoencoderKLFlux2, FlowMatchEulerDiscreteScheduler, Flux2KleinPipeline, Flux2Transformer2DModel
    from transformers import Qwen3ForCausalLM

    tokenizer = qwen_tokenizer()
    vae = AutoencoderKLFlux2(block_out_channels=(4, 8, 8, 8), norm_num_groups=4, latent_channels=4, sample_size=PICTURE)
    text_encoder = Qwen3ForCausalLM(_qwen3(tokenizer, num_hidden_layers=28, hidden_size=16).config)
    transformer = Flux2Transformer2DModel(
        in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2, joint_attention_dim=48,
        timestep_guidance_channels=16, axes_dims_rope=(4, 4, 4, 4), guidance_embeds=False,
    )  # fmt: skip
    for modulation in (
        transformer.double_stream_modulation_img,
        transformer.double_stream_modulation_txt,
        transformer.single_stream_modulation,
    ):
        modulation.linear.weight.data *= 16  # fresh ones leave the blocks' gates all but shut, so that a few steps change nothing
    vae.bn.running_mean.normal_()
    vae.bn.running_var.uniform_(0.5, 2)
    Flux2KleinPipeline(
        vae=vae, text_encoder=text_encoder, tokenizer=tokenizer, is_distilled=variant == "distilled",
        transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=1.0, use_dynamic_shifting=True),
    ).save_pretrained(folder)  # fmt: skip


_MAKERS = {
    "sd1": _sd1, "sd2": _sd2, "sdxl": _sdxl, "flux": _flux, "sd3": _sd3, "chroma": _chroma, "zimage": _zimage, "klein": _klein,
    "qwen_image": lambda folder, variant: newer_toys.qwen_image(folder, qwen_tokenizer()),
    "anima": lambda folder, variant: newer_toys.anima(folder, qwen_tokenizer(), t5_tokenizer()),
    "lumina2": lambda folder, variant: newer_toys.lumina2(folder, _flux_vae()),
    "krea2": lambda folder, variant: newer_toys.krea2(folder, qwen_tokenizer(), variant),
}  # fmt: skip


def settings_of(folder: Path, part: str) -> dict:
    """A part's configuration in the folder."""
    name = "scheduler_config.json" if part == "scheduler" else "config.json"
    return json.loads((folder / part / name).read_text(encoding="utf-8"))
