"""The tensors of single files of the newer families, as ComfyUI publishes them; see `tests.models.single_files`."""

import torch

RESIDUAL = {"norm1": "residual.0", "conv1": "residual.2", "norm2": "residual.3", "conv2": "residual.6", "conv_shortcut": "shortcut"}


def wan_vae(part):
    """Walk the autoencoder in the original's order, counting the layers of each side."""
    found = {}

    def move(to, at):
        found.update({key.replace(at, to, 1): value for key, value in part.items() if key.startswith(f"{at}.")})

    def residual(to, at):
        for ours, original in RESIDUAL.items():
            move(f"{to}.{original}", f"{at}.{ours}")

    for to, at in (("conv1", "quant_conv"), ("conv2", "post_quant_conv")):
        move(to, at)
    for side in ("encoder", "decoder"):
        for to, at in (("conv1", "conv_in"), ("head.0", "norm_out"), ("head.2", "conv_out"), ("middle.1", "mid_block.attentions.0")):
            move(f"{side}.{to}", f"{side}.{at}")
        for to, at in (("middle.0", "mid_block.resnets.0"), ("middle.2", "mid_block.resnets.1")):
            residual(f"{side}.{to}", f"{side}.{at}")
    for i in sorted({int(key.split(".")[2]) for key in part if key.startswith("encoder.down_blocks.")}):
        at, to = f"encoder.down_blocks.{i}", f"encoder.downsamples.{i}"
        residual(to, at)
        for inside in ("resample", "time_conv"):
            move(f"{to}.{inside}", f"{at}.{inside}")
    layer = 0
    for i in sorted({int(key.split(".")[2]) for key in part if key.startswith("decoder.up_blocks.")}):
        for j in sorted({int(key.split(".")[4]) for key in part if key.startswith(f"decoder.up_blocks.{i}.resnets.")}):
            residual(f"decoder.upsamples.{layer}", f"decoder.up_blocks.{i}.resnets.{j}")
            layer += 1
        if any(key.startswith(f"decoder.up_blocks.{i}.upsamplers.") for key in part):
            for inside in ("resample", "time_conv"):
                move(f"decoder.upsamples.{layer}.{inside}", f"decoder.up_blocks.{i}.upsamplers.0.{inside}")
            layer += 1
    return found


def behind(prefix, part):
    return {prefix + key: value for key, value in part.items()}


def qwen_image(parts):
    """The transformer has diffusers' names everywhere; beside the language model is what it sees with."""
    return {
        **behind("model.diffusion_model.", parts["transformer"]), **behind("vae.", wan_vae(parts["vae"])),
        **behind("text_encoders.qwen25_7b.transformer.", parts["text_encoder"]),
    }  # fmt: skip


def flux2(part):
    """Black Forest Labs' names for FLUX.2, with query, key and value of the double blocks in one layer."""
    from tests.models.single_files import moved

    found = moved(part, {
        "x_embedder": "img_in", "context_embedder": "txt_in", "proj_out": "final_layer.linear", "norm_out.linear": "final_layer.adaLN_modulation.1",
        "time_guidance_embed.timestep_embedder.linear_1": "time_in.in_layer", "time_guidance_embed.timestep_embedder.linear_2": "time_in.out_layer",
    })  # fmt: skip
    name = "final_layer.adaLN_modulation.1.weight"
    found[name] = torch.cat(found[name].chunk(2)[::-1])
    for key in [key for key in found if ".attn.to_q.weight" in key or ".attn.add_q_proj.weight" in key]:
        side = "img" if "to_q" in key else "txt"
        rows = [found.pop(key.replace("_q", f"_{x}")) for x in "qkv"]
        found[key.partition(".attn.")[0] + f".{side}_attn.qkv.weight"] = torch.cat(rows)
    words = {
        ".attn.to_out.0.": ".img_attn.proj.", ".attn.to_add_out.": ".txt_attn.proj.", ".ff.linear_in.": ".img_mlp.0.", ".ff.linear_out.": ".img_mlp.2.",
        ".ff_context.linear_in.": ".txt_mlp.0.", ".ff_context.linear_out.": ".txt_mlp.2.", ".attn.norm_added_q.weight": ".txt_attn.norm.query_norm.scale",
        ".attn.norm_added_k.weight": ".txt_attn.norm.key_norm.scale", "stream_modulation_img.linear.": "stream_modulation_img.lin.",
        "stream_modulation_txt.linear.": "stream_modulation_txt.lin.", "single_stream_modulation.linear.": "single_stream_modulation.lin.",
        ".attn.to_qkv_mlp_proj.": ".linear1.", ".attn.to_out.weight": ".linear2.weight",
    }  # fmt: skip
    named = {}
    for key, value in found.items():
        for ours, theirs in words.items():
            key = key.replace(ours, theirs)
        norm = ".norm." if key.startswith("single_transformer_blocks") else ".img_attn.norm."
        key = key.replace(".attn.norm_q.weight", f"{norm}query_norm.scale").replace(".attn.norm_k.weight", f"{norm}key_norm.scale")
        key = key.replace("single_transformer_blocks", "single_blocks")
        named[key.replace("transformer_blocks", "double_blocks")] = value
    return named


def klein(parts):
    """Two convolutions of the autoencoder are in encoder and decoder, and its batch norm does not count."""
    from tests.models.single_files import ldm_vae, moved

    vae = moved(ldm_vae(parts["vae"], 4), {"quant_conv": "encoder.quant_conv", "post_quant_conv": "decoder.post_quant_conv"})
    return {
        **behind("model.diffusion_model.", flux2(parts["transformer"])),
        **behind("vae.", {key: value for key, value in vae.items() if key != "bn.num_batches_tracked"}),
        **behind("text_encoders.qwen3_4b.transformer.", parts["text_encoder"]),
    }


def cosmos(part):
    """Walk the transformer block by block in the original's names."""
    ends = {
        "patch_embed.proj": "x_embedder.proj.1", "time_embed.t_embedder": "t_embedder.1", "time_embed.norm": "t_embedding_norm",
        "norm_out.linear_1": "final_layer.adaln_modulation.1", "norm_out.linear_2": "final_layer.adaln_modulation.2",
        "proj_out": "final_layer.linear",
    }  # fmt: skip
    inside = {
        "attn1.": "self_attn.", "attn2.": "cross_attn.", "to_out.0": "output_proj", "to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj",
        "norm_q": "q_norm", "norm_k": "k_norm", "ff.net.0.proj": "mlp.layer1", "ff.net.2": "mlp.layer2",
        "norm1.linear_": "adaln_modulation_self_attn.", "norm2.linear_": "adaln_modulation_cross_attn.", "norm3.linear_": "adaln_modulation_mlp.",
    }  # fmt: skip
    found = {}
    for key, value in part.items():
        for ours, original in (inside if key.startswith("transformer_blocks.") else ends).items():
            key = key.replace(ours, original)
        found[key.replace("transformer_blocks.", "blocks.")] = value
    return found


def anima(parts):
    """The conditioner is within the transformer, and the prefix is Cosmos' own."""
    return {
        **behind("net.", cosmos(parts["transformer"])), **behind("net.llm_adapter.", parts["text_conditioner"]),
        **behind("vae.", wan_vae(parts["vae"])), **behind("text_encoders.qwen3_06b.transformer.model.", parts["text_encoder"]),
    }  # fmt: skip


def krea2(parts):
    """Krea's own names; the six rows of a block's modulation are one."""
    words = {
        "transformer_blocks.": "blocks.", "text_fusion.": "txtfusion.", "img_in.": "first.", "final_layer.linear.": "last.linear.",
        "final_layer.norm.weight": "last.norm.scale", "final_layer.scale_shift_table": "last.modulation.lin", "time_mod_proj.": "tproj.1.",
        "time_embed.linear_1.": "tmlp.0.", "time_embed.linear_2.": "tmlp.2.", "txt_in.norm.weight": "txtmlp.0.scale",
        "txt_in.linear_1.": "txtmlp.1.", "txt_in.linear_2.": "txtmlp.3.", ".attn.to_q.": ".attn.wq.", ".attn.to_k.": ".attn.wk.",
        ".attn.to_v.": ".attn.wv.", ".attn.to_out.0.": ".attn.wo.", ".attn.to_gate.": ".attn.gate.", ".ff.": ".mlp.",
        ".norm_q.weight": ".qknorm.qnorm.scale", ".norm_k.weight": ".qknorm.knorm.scale", ".norm1.weight": ".prenorm.scale",
        ".norm2.weight": ".postnorm.scale", ".scale_shift_table": ".mod.lin",
    }  # fmt: skip
    found = {}
    for key, value in parts["transformer"].items():
        flat = key.startswith("transformer_blocks.") and key.endswith(".scale_shift_table")
        for ours, theirs in words.items():
            key = key.replace(ours, theirs)
        found[key] = value.flatten() if flat else value
    text = {key.replace("language_model.", "model."): value for key, value in parts["text_encoder"].items()}
    return {
        **behind("model.diffusion_model.", found), **behind("vae.", wan_vae(parts["vae"])),
        **behind("text_encoders.qwen3vl_4b.transformer.", text),
    }  # fmt: skip


def lumina2(parts):
    """The original's own names, with query, key and value in one; the language model's file has its tokenizer too."""
    from tests.models.newer_toys import gemma_model
    from tests.models.single_files import ldm_vae

    words = {
        "time_caption_embed.caption_embedder.": "cap_embedder.", "time_caption_embed.timestep_embedder.linear_1.": "t_embedder.mlp.0.",
        "time_caption_embed.timestep_embedder.linear_2.": "t_embedder.mlp.2.", "norm_out.linear_1.": "final_layer.adaLN_modulation.1.",
        "norm_out.linear_2.": "final_layer.linear.", ".attn.to_out.0.": ".attention.out.", ".attn.norm_q.": ".attention.q_norm.",
        ".attn.norm_k.": ".attention.k_norm.", ".norm1.linear.": ".adaLN_modulation.1.", ".norm1.norm.": ".attention_norm1.",
        ".norm1.weight": ".attention_norm1.weight", ".norm2.": ".attention_norm2.", ".feed_forward.linear_": ".feed_forward.w",
    }  # fmt: skip
    transformer, found = parts["transformer"], {"norm_final.weight": torch.ones(36)}  # files have it, and no model reads it
    for key, value in transformer.items():
        if ".attn.to_q." in key:
            found[key.replace("attn.to_q", "attention.qkv")] = torch.cat([transformer[key.replace("to_q", f"to_{one}")] for one in "qkv"])
        elif ".attn.to_k." not in key and ".attn.to_v." not in key:
            for ours, theirs in words.items():
                key = key.replace(".ffn_norm", ".FFN").replace(ours, theirs).replace(".FFN", ".ffn_norm")
            found[key] = value
    return {
        **behind("model.diffusion_model.", found), **behind("vae.", ldm_vae(parts["vae"], 4)),
        **behind("text_encoders.gemma2_2b.transformer.model.", parts["text_encoder"]),
        "text_encoders.gemma2_2b.spiece_model": torch.frombuffer(bytearray(gemma_model()), dtype=torch.uint8),
    }  # fmt: skip


def sd3(parts):
    """Stability AI's names, with query, key and value in one layer; the projection of CLIP-L, which changes nothing, is left out."""
    from tests.models.single_files import ldm_vae, with_text_model

    part, found = parts["transformer"], {}
    last = max(int(key.split(".")[1]) for key in part if key.startswith("transformer_blocks."))
    words = {
        "pos_embed.pos_embed": "pos_embed", "pos_embed.proj.": "x_embedder.proj.", "time_text_embed.timestep_embedder.linear_1.": "t_embedder.mlp.0.",
        "time_text_embed.timestep_embedder.linear_2.": "t_embedder.mlp.2.", "time_text_embed.text_embedder.linear_1.": "y_embedder.mlp.0.",
        "time_text_embed.text_embedder.linear_2.": "y_embedder.mlp.2.", "norm_out.linear.": "final_layer.adaLN_modulation.1.",
        "proj_out.": "final_layer.linear.", "transformer_blocks.": "joint_blocks.", ".attn.norm_added_": ".context_block.attn.ln_",
        ".attn.norm_": ".x_block.attn.ln_", ".attn2.norm_": ".x_block.attn2.ln_", ".attn.to_out.0.": ".x_block.attn.proj.",
        ".attn.to_add_out.": ".context_block.attn.proj.", ".attn2.to_out.0.": ".x_block.attn2.proj.", ".ff.net.0.proj.": ".x_block.mlp.fc1.",
        ".ff.net.2.": ".x_block.mlp.fc2.", ".ff_context.net.0.proj.": ".context_block.mlp.fc1.", ".ff_context.net.2.": ".context_block.mlp.fc2.",
        ".norm1.linear.": ".x_block.adaLN_modulation.1.", ".norm1_context.linear.": ".context_block.adaLN_modulation.1.",
    }  # fmt: skip
    fused = {".attn.to_q.": ".x_block.attn.qkv.", ".attn2.to_q.": ".x_block.attn2.qkv.", ".attn.add_q_proj.": ".context_block.attn.qkv."}
    for key, value in part.items():
        if any(f".{word}." in key for word in ("to_k", "to_v", "add_k_proj", "add_v_proj")):
            continue
        if first := next((word for word in fused if word in key), None):
            value = torch.cat([part[key.replace("_q", f"_{x}")] for x in "qkv"])
            key = key.replace(first, fused[first])
        if key.startswith(("norm_out.", f"transformer_blocks.{last}.norm1_context.")):
            value = torch.cat(value.chunk(2)[::-1])
        for ours, theirs in words.items():
            key = key.replace(ours, theirs)
        found[key] = value
    clip_l = {key: value for key, value in with_text_model(parts["text_encoder"]).items() if "text_projection" not in key}
    return {
        **behind("model.diffusion_model.", found), **behind("first_stage_model.", ldm_vae(parts["vae"], 4)),
        **behind("text_encoders.clip_l.transformer.", clip_l), **behind("text_encoders.clip_g.transformer.", parts["text_encoder_2"]),
        **behind("text_encoders.t5xxl.transformer.", parts["text_encoder_3"]),
    }  # fmt: skip


ORIGINALS = {
    "Lumina2Transformer2DModel": lumina2,
    "SD3Transformer2DModel": sd3,
    "QwenImageTransformer2DModel": qwen_image,
    "CosmosTransformer3DModel": anima,
    "Krea2Transformer2DModel": krea2,
    "Flux2Transformer2DModel": klein,
}
"""Class of the transformer -> the tensors of a file, from those of a folder's parts."""
