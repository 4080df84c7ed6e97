"""Toys of the families that read captions with a language model and use the autoencoder for videos; see `tests.models.toys`."""

from pathlib import Path

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
