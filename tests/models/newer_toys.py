"""Toys of the families that read captions with a language model and use the autoencoder for videos; see `tests.models.toys`."""

import json
import struct
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

LATENTS = {"latents_mean": [0.1 * (k - 8) for k in range(16)], "latents_std": [1 + 0.1 * k for k in range(16)]}


def video_vae():
    from diffusers import AutoencoderKLQwenImage

    return AutoencoderKLQwenImage(
        base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True], **LATENTS
    )  # fmt: skip


def qwen2_5_vl(tokenizer):
    """A language model of two layers, with the smallest tower for what it sees."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    text = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "rms_norm_eps": 1e-6, "tie_word_embeddings": False,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]},
    }  # fmt: skip
    seen = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 1, "out_hidden_size": 32, "fullatt_block_indexes": [0]}
    return Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(text_config=text, vision_config=seen))


def qwen3_vl(tokenizer):
    """The same of Qwen3-VL, with four layers."""
    from transformers import Qwen3VLConfig, Qwen3VLModel

    text = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 2,
        "num_key_value_heads": 1, "head_dim": 16, "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "default", "rope_theta": 5e6, "mrope_section": [4, 2, 2], "mrope_interleaved": True},
    }  # fmt: skip
    seen = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 1, "out_hidden_size": 32, "deepstack_visual_indexes": [0]}
    return Qwen3VLModel(Qwen3VLConfig(text_config=text, vision_config=seen))


def krea2(folder: Path, tokenizer, variant: str = "") -> None:
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, Krea2Pipeline, Krea2Transformer2DModel

    from lorasmith.models.krea2.config import SCHEDULER

    transformer = Krea2Transformer2DModel(
        num_layers=2, attention_head_dim=16, num_attention_heads=2, num_key_value_heads=1, intermediate_size=48, timestep_embed_dim=16,
        text_hidden_dim=32, num_text_layers=2, text_num_attention_heads=2, text_num_key_value_heads=2, text_intermediate_size=48,
        num_layerwise_text_blocks=1, num_refiner_text_blocks=1, axes_dims_rope=(4, 6, 6),
    )  # fmt: skip
    for block in transformer.transformer_blocks:  # gates as open as those of a trained model
        torch.nn.init.normal_(block.scale_shift_table)
    Krea2Pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(**SCHEDULER[1]), vae=video_vae(), text_encoder=qwen3_vl(tokenizer), tokenizer=tokenizer,
        transformer=transformer, text_encoder_select_layers=(1, 3), is_distilled=variant == "turbo",
    ).save_pretrained(folder)  # fmt: skip


SYSTEM = (
    "You are an assistant designed to generate superior images with the superior degree of image-text alignment based on textual prompts or "
    "user prompts."
)
"""What Lumina 2's captions come after."""


def gemma_words():
    """Gemma's marks, all bytes, letters, the prefixes of some words, and each part of Lumina 2's template: (text, score, kind)."""
    words = ("▁happy", "▁red", "▁cat", "▁dog", "▁sad")
    pieces = dict.fromkeys(["▁", *map(chr, range(33, 127)), *(word[:k] for word in words for k in range(2, len(word) + 1))])
    return [
        *((mark, 0.0, 2 if mark == "<unk>" else 3) for mark in ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")),
        *((f"<0x{byte:02X}>", 0.0, 6) for byte in range(256)),
        *((text, 0.0, 4) for text in (SYSTEM.replace(" ", "▁"), "<Prompt▁Start>")),
        *((piece, -float(k), 1) for k, piece in enumerate(pieces)),
    ]


def gemma_model():
    """The same as SentencePiece writes it, with a field after the words that nobody reads."""

    def field(number, value):
        return bytes([number << 3 | 2, *varint(len(value)), *value])

    def varint(value):
        return [*(value & 127 | 128,), *varint(value >> 7)] if value > 127 else [value]

    def word(text, score, kind):
        return field(1, text.encode()) + bytes([2 << 3 | 5]) + struct.pack("<f", score) + bytes([3 << 3, kind])

    return b"".join(field(1, word(*each)) for each in gemma_words()) + field(2, b"trainer")


def gemma_tokenizer():
    """A tokenizer of Gemma's kind with these words."""
    from tokenizers import AddedToken
    from transformers import GemmaTokenizer

    words = gemma_words()
    merges = [(text[:-1], text[-1]) for text, _, kind in words if kind == 1 and len(text) > 1]
    vocabulary = {text: number for number, (text, _, _) in enumerate(words)}
    made = GemmaTokenizer(vocab=vocabulary, merges=merges, add_bos_token=True, padding_side="right")
    made.add_tokens([AddedToken(text, normalized=True) for text, _, kind in words if kind == 4])
    return made


def lumina2(folder: Path, vae) -> None:
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, Lumina2Pipeline, Lumina2Transformer2DModel
    from transformers import Gemma2Config, Gemma2Model

    from lorasmith.models.lumina2.config import SCHEDULER

    tokenizer = gemma_tokenizer()
    text_encoder = Gemma2Model(
        Gemma2Config(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=2, num_key_value_heads=1,
            head_dim=16, query_pre_attn_scalar=16, attn_logit_softcapping=1.0,
        )
    )  # fmt: skip
    torch.nn.init.normal_(text_encoder.embed_tokens.weight, std=32**-0.5)  # words as large as what the layers add to them
    transformer = Lumina2Transformer2DModel(
        hidden_size=36, num_layers=2, num_refiner_layers=1, num_attention_heads=3, num_kv_heads=1, multiple_of=16, axes_dim_rope=(4, 4, 4),
        cap_feat_dim=32,
    )  # fmt: skip
    Lumina2Pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(**SCHEDULER[1]), vae=vae, text_encoder=text_encoder, tokenizer=tokenizer,
        transformer=transformer,
    ).save_pretrained(folder)  # fmt: skip


def qwen_image(folder: Path, tokenizer) -> None:
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, QwenImagePipeline, QwenImageTransformer2DModel

    from lorasmith.models.qwen_image.config import SCHEDULER

    transformer = QwenImageTransformer2DModel(
        num_layers=2, attention_head_dim=16, num_attention_heads=2, joint_attention_dim=32, axes_dims_rope=(4, 6, 6)
    )
    # Gates as open and predictions as large as those of a trained model, so that the blocks matter.
    for block in transformer.transformer_blocks:
        for modulation in (block.img_mod[1], block.txt_mod[1]):
            torch.nn.init.normal_(modulation.bias)
    torch.nn.init.normal_(transformer.proj_out.weight, std=32**-0.5)
    QwenImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(**SCHEDULER[1]), vae=video_vae(), text_encoder=qwen2_5_vl(tokenizer), tokenizer=tokenizer,
        transformer=transformer,
    ).save_pretrained(folder)  # fmt: skip


def qwen3(tokenizer):
    from transformers import Qwen3Config, Qwen3Model

    return Qwen3Model(
        Qwen3Config(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
            head_dim=16,
        )
    )  # fmt: skip


def anima(folder: Path, tokenizer, t5_tokenizer) -> None:
    """A folder as of a modular pipeline, whose transformer adds its padding mask by itself."""
    import torch
    from diffusers import AnimaTextConditioner, CosmosTransformer3DModel, FlowMatchEulerDiscreteScheduler

    transformer = CosmosTransformer3DModel(
        in_channels=16, num_attention_heads=2, attention_head_dim=16, num_layers=2, text_embed_dim=32, adaln_lora_dim=8, max_size=(1, 48, 48),
        rope_scale=(1.0, 4.0, 4.0), extra_pos_embed_type=None,
    )  # fmt: skip
    for block in transformer.transformer_blocks:  # gates as open as those of a trained model
        for norm in (block.norm1, block.norm2, block.norm3):
            torch.nn.init.normal_(norm.linear_2.weight)
    conditioner = AnimaTextConditioner(
        source_dim=32, target_dim=32, model_dim=32, num_layers=1, num_attention_heads=2, target_vocab_size=len(t5_tokenizer), min_sequence_length=40
    )  # fmt: skip
    parts = {
        "transformer": transformer, "text_conditioner": conditioner, "text_encoder": qwen3(tokenizer), "vae": video_vae(), "tokenizer": tokenizer,
        "t5_tokenizer": t5_tokenizer, "scheduler": FlowMatchEulerDiscreteScheduler(shift=3.0),
    }  # fmt: skip
    for name, part in parts.items():
        part.save_pretrained(folder / name)
    (folder / "modular_model_index.json").write_text(json.dumps({"_class_name": "AnimaModularPipeline"}), encoding="utf-8")


NEAREST = SimpleNamespace(
    functional=SimpleNamespace(resize=lambda mask, size, interpolation: mask[..., :1, :1].expand(*mask.shape[:2], *size)),
    InterpolationMode=SimpleNamespace(NEAREST=None),
)
"""What the transformer calls of torchvision, which is not installed: a mask that is the same everywhere, in another size."""


class AnimaPipeline:
    """diffusers' blocks of Anima as a pipeline; the loop is that of its denoising step."""

    def __init__(self, folder: Path):
        from diffusers import AnimaTextConditioner, AutoencoderKLQwenImage, CosmosTransformer3DModel, FlowMatchEulerDiscreteScheduler
        from transformers import Qwen2Tokenizer, Qwen3Model, T5Tokenizer

        kinds = {
            "transformer": CosmosTransformer3DModel, "text_conditioner": AnimaTextConditioner, "text_encoder": Qwen3Model,
            "vae": AutoencoderKLQwenImage, "tokenizer": Qwen2Tokenizer, "t5_tokenizer": T5Tokenizer,
            "scheduler": FlowMatchEulerDiscreteScheduler,
        }  # fmt: skip
        for name, kind in kinds.items():
            part = kind.from_pretrained(folder / name, local_files_only=True)
            setattr(self, name, part.eval() if hasattr(part, "eval") else part)

    def encode_prompt(self, prompt):
        """What the conditioner says of prompts, by diffusers' own steps."""
        from diffusers.modular_pipelines.anima.before_denoise import AnimaTextConditioningStep
        from diffusers.modular_pipelines.anima.encoders import AnimaTextEncoderStep

        prompt = [prompt] if isinstance(prompt, str) else list(prompt)
        found = AnimaTextEncoderStep.encode_prompt(self, prompt, prepare_unconditional_embeds=False, device="cpu")
        given = [found[name] for name in ("qwen_prompt_embeds", "qwen_attention_mask", "t5_input_ids", "t5_attention_mask")]
        dtype = self.transformer.dtype
        return (
            AnimaTextConditioningStep._condition_prompt_embeds(self, *given, device="cpu", conditioning_dtype=dtype, output_dtype=dtype),
        )

    def predict(self, latents, timestep, states):
        """The transformer's own call; where its padding mask is one of the channels, that is given with them."""
        import torch
        from diffusers.models.transformers import transformer_cosmos

        if not self.transformer.config.concat_padding_mask:
            latents = torch.cat([latents, torch.zeros_like(latents[:, :1])], dim=1)
        mask = torch.zeros(1, 1, latents.shape[-2] * 8, latents.shape[-1] * 8)
        with patch.object(transformer_cosmos, "transforms", NEAREST, create=True):
            return self.transformer(latents, timestep, states, padding_mask=mask, return_dict=False)[0]

    def __call__(
        self, prompt, negative_prompt=None, guidance_scale=1.0, latents=None, num_inference_steps=2, width=64, height=64, output_type="latent",
        generator=None,
    ):  # fmt: skip
        import numpy as np
        import torch

        with torch.no_grad():
            prompt = [prompt] if isinstance(prompt, str) else prompt
            if latents is None:
                latents = torch.randn(len(prompt), 16, height // 8, width // 8, generator=generator)
            states = self.encode_prompt(prompt)[0]
            negative = None if negative_prompt is None else self.encode_prompt(negative_prompt)[0]
            self.scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / num_inference_steps, num_inference_steps))
            latents = latents[:, :, None]
            for timestep in self.scheduler.timesteps:
                sigma = timestep.expand(len(latents)) / 1000
                said = self.predict(latents, sigma, states)
                if negative is not None:
                    other = self.predict(latents, sigma, negative)
                    said = other + guidance_scale * (said - other)
                latents = self.scheduler.step(said, timestep, latents, return_dict=False)[0]
            if output_type == "latent":
                return SimpleNamespace(images=latents[:, :, 0])
            mean, std = (torch.tensor(self.vae.config[name]).view(1, -1, 1, 1, 1) for name in ("latents_mean", "latents_std"))
            pixels = self.vae.decode(latents * std + mean, return_dict=False)[0][:, :, 0].clamp(-1, 1)
            return SimpleNamespace(images=(pixels / 2 + 0.5).permute(0, 2, 3, 1).numpy())
