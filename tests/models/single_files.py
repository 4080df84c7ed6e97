"""Write single files from diffusers folders, as others' converters do: for tests alone.

It goes the other way than the tables of lorasmith.models.architectures and shares nothing with it: the U-Net's original numbers are counted out by
walking the model block by block as the original builds it, and fused tensors are made by joining.

    write_single_file(folder, path)                            # original layout: LDM, or Black Forest Labs' for Flux
    write_single_file(folder, path, layout="comfyui")          # all in one, as ComfyUI saves it
    write_single_file(folder, path, layout="diffusers")        # diffusers' names behind the parts' names
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from tests.models.newer_single_files import ORIGINALS


def parts_of(folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """Part -> its tensors, as the folder has them."""
    found = {}
    for part in ("unet", "transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3", "text_conditioner"):
        for name in ("diffusion_pytorch_model.safetensors", "model.safetensors"):
            if (folder / part / name).is_file():
                found[part] = load_file(folder / part / name)
    return found


def write_single_file(folder: Path, path: Path, layout: str = "original", dtype=None, extra=None, metadata=None, drop=()) -> Path:
    parts = parts_of(folder)
    zimage = any(name.startswith("layers.0.attention.") for name in parts.get("transformer", ()))
    flux = "transformer" in parts and not zimage
    sdxl = "text_encoder_2" in parts and not flux
    sd2 = not (flux or sdxl or zimage) and config(folder, "text_encoder")["hidden_act"] == "gelu"
    tensors: dict[str, torch.Tensor] = {}

    def put(prefix, part):
        tensors.update({prefix + key: value for key, value in part.items()})

    newer = ORIGINALS.get(config(folder, "transformer")["_class_name"]) if "transformer" in parts else None
    if layout == "diffusers":
        for name, part in parts.items():
            put(f"{name}.", part)
    elif zimage:
        put("model.diffusion_model.", original_zimage(parts["transformer"]))
        tensors["model.diffusion_model.norm_final.weight"] = torch.ones(24)  # files have it, and no model reads it
        put("vae.", ldm_vae(parts["vae"], len(config(folder, "vae")["block_out_channels"])))
        put("text_encoders.qwen3_4b.transformer.model.", parts["text_encoder"])
    elif newer:
        tensors = newer(parts)
    else:
        put("model.diffusion_model.", bfl(parts["transformer"]) if flux else ldm_unet(parts["unet"], config(folder, "unet")))
        put("vae." if flux else "first_stage_model.", ldm_vae(parts["vae"], len(config(folder, "vae")["block_out_channels"])))
        if flux and "text_encoder_2" in parts:
            put("text_encoders.clip_l.transformer.", with_text_model(parts["text_encoder"]))
            put("text_encoders.t5xxl.transformer.", parts["text_encoder_2"])
        elif flux:
            put("text_encoders.t5xxl.transformer.", parts["text_encoder"])
        elif sdxl and layout == "comfyui":
            put("text_encoders.clip_l.transformer.", with_text_model(parts["text_encoder"]))
            put("text_encoders.clip_g.transformer.", parts["text_encoder_2"])
        elif sdxl:
            put("conditioner.embedders.0.transformer.", with_text_model(parts["text_encoder"]))
            put("conditioner.embedders.1.model.", open_clip(parts["text_encoder_2"]))
            tensors["conditioner.embedders.1.model.logit_scale"] = torch.tensor(4.6)
        elif sd2:
            put("cond_stage_model.model.", open_clip(parts["text_encoder"], one_layer_more=True))
        else:
            put("cond_stage_model.transformer.", with_text_model(parts["text_encoder"]))
            tensors["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(77)[None]
            tensors["alphas_cumprod"] = torch.ones(1000)
    if dtype is not None:
        tensors = {key: value.to(dtype) if value.is_floating_point() else value for key, value in tensors.items()}
    tensors = {key: value for key, value in tensors.items() if not key.startswith(tuple(drop))} if drop else tensors
    tensors.update(extra or {})
    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, path, metadata=metadata)
    return path


def config(folder: Path, part: str) -> dict:
    return json.loads((folder / part / "config.json").read_text(encoding="utf-8"))


def with_text_model(part):
    """transformers 5.6 writes a CLIP text encoder without `text_model.`; every single file has it."""
    return {key if key.startswith("text_model.") else f"text_model.{key}": value for key, value in part.items()}


RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0", "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}  # fmt: skip


def ldm_unet(part, settings):
    """Walk the U-Net in the original's order, counting its blocks."""
    whole = [
        ("conv_in", "input_blocks.0.0"), ("time_embedding.linear_1", "time_embed.0"), ("time_embedding.linear_2", "time_embed.2"),
        ("add_embedding.linear_1", "label_emb.0.0"), ("add_embedding.linear_2", "label_emb.0.2"), ("conv_norm_out", "out.0"),
        ("conv_out", "out.2"),
    ]  # fmt: skip
    moves = dict(whole)

    def resnet(theirs, original):
        moves.update({f"{theirs}.{k}": f"{original}.{v}" for k, v in RESNET.items()})

    levels, layers = len(settings["down_block_types"]), settings["layers_per_block"]
    block = 1
    for level, kind in enumerate(settings["down_block_types"]):
        for layer in range(layers):
            resnet(f"down_blocks.{level}.resnets.{layer}", f"input_blocks.{block}.0")
            if "Cross" in kind:
                moves[f"down_blocks.{level}.attentions.{layer}"] = f"input_blocks.{block}.1"
            block += 1
        if level < levels - 1:
            moves[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{block}.0.op"
            block += 1
    resnet("mid_block.resnets.0", "middle_block.0")
    moves["mid_block.attentions.0"] = "middle_block.1"
    resnet("mid_block.resnets.1", "middle_block.2")
    block = 0
    for level, kind in enumerate(settings["up_block_types"]):
        for layer in range(layers + 1):
            inside = 1
            resnet(f"up_blocks.{level}.resnets.{layer}", f"output_blocks.{block}.0")
            if "Cross" in kind:
                moves[f"up_blocks.{level}.attentions.{layer}"] = f"output_blocks.{block}.1"
                inside = 2
            if layer == layers and level < levels - 1:
                moves[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{block}.{inside}.conv"
            block += 1
    return moved(part, moves)


def ldm_vae(part, levels):
    moves = {}
    for side in ("encoder", "decoder"):
        moves |= {f"{side}.mid_block.resnets.0": f"{side}.mid.block_1", f"{side}.mid_block.resnets.1": f"{side}.mid.block_2"}
        moves[f"{side}.conv_norm_out"] = f"{side}.norm_out"
        attention = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
        moves |= {f"{side}.mid_block.attentions.0.{k}": f"{side}.mid.attn_1.{v}" for k, v in attention.items()}
    for level in range(levels):
        for layer in range(9):
            moves[f"encoder.down_blocks.{level}.resnets.{layer}"] = f"encoder.down.{level}.block.{layer}"
            moves[f"decoder.up_blocks.{level}.resnets.{layer}"] = f"decoder.up.{levels - 1 - level}.block.{layer}"
        moves[f"encoder.down_blocks.{level}.downsamplers.0"] = f"encoder.down.{level}.downsample"
        moves[f"decoder.up_blocks.{level}.upsamplers.0"] = f"decoder.up.{levels - 1 - level}.upsample"
    found = {key.replace("conv_shortcut", "nin_shortcut"): value for key, value in moved(part, moves).items()}
    # Query, key, value and what follows are 1x1 convolutions in the original.
    return {k: v[:, :, None, None] if ".mid.attn_1." in k and v.dim() == 2 else v for k, v in found.items()}


def open_clip(part, one_layer_more=False):
    """OpenCLIP's names: query, key and value in one, the projection a bare matrix from the other side."""
    part = {key.removeprefix("text_model."): value for key, value in part.items()}
    inside = {
        "layer_norm1": "ln_1",
        "layer_norm2": "ln_2",
        "mlp.fc1": "mlp.c_fc",
        "mlp.fc2": "mlp.c_proj",
        "self_attn.out_proj": "attn.out_proj",
    }
    layers = 1 + max(int(key.split(".")[2]) for key in part if key.startswith("encoder.layers."))
    found = {
        "token_embedding.weight": part["embeddings.token_embedding.weight"],
        "positional_embedding": part["embeddings.position_embedding.weight"],
        "ln_final.weight": part["final_layer_norm.weight"], "ln_final.bias": part["final_layer_norm.bias"],
    }  # fmt: skip
    for layer in range(layers):
        at, to = f"encoder.layers.{layer}", f"transformer.resblocks.{layer}"
        for kind in ("weight", "bias"):
            found[f"{to}.attn.in_proj_{kind}"] = torch.cat([part[f"{at}.self_attn.{x}_proj.{kind}"] for x in "qkv"])
            found |= {f"{to}.{v}.{kind}": part[f"{at}.{k}.{kind}"] for k, v in inside.items()}
    if one_layer_more:  # SD 2's files have the layer that it does not read
        found |= {k.replace(f".{layers - 1}.", f".{layers}."): v * 0 for k, v in found.items() if f"resblocks.{layers - 1}." in k}
        found["text_projection"] = torch.zeros(4, 4)
    if "text_projection.weight" in part:
        found["text_projection"] = part["text_projection.weight"].T
    return found


def original_zimage(part):
    """Query, key and value in one, and the original's shorter names."""
    found = {}
    for key, value in part.items():
        key = key.replace("all_x_embedder.2-1", "x_embedder").replace("all_final_layer.2-1", "final_layer")
        key = (
            key.replace("attention.norm_", "attention.")
            .replace("attention.q.", "attention.q_norm.")
            .replace("attention.k.", "attention.k_norm.")
        )
        if "attention.to_q" in key:
            found[key.replace("to_q", "qkv")] = torch.cat([part[key.replace("to_q", f"to_{one}")] for one in "qkv"])
        elif "attention.to_out.0" in key:
            found[key.replace("to_out.0", "out")] = value
        elif "attention.to_" not in key:
            found[key] = value
    return found


def bfl(part):
    """Black Forest Labs' names, with query, key and value in one layer."""
    found = {}

    def join(to, names):
        for kind in ("weight", "bias"):
            found[f"{to}.{kind}"] = torch.cat([part[f"{name}.{kind}"] for name in names])

    def move(to, name, kinds=("weight", "bias")):
        for kind in kinds:
            found[f"{to}.{kind}"] = part[f"{name}.{kind}"]

    for name, to in (("x_embedder", "img_in"), ("context_embedder", "txt_in"), ("proj_out", "final_layer.linear")):
        move(to, name)
    for name, to in (("timestep_embedder", "time_in"), ("text_embedder", "vector_in"), ("guidance_embedder", "guidance_in")):
        if f"time_text_embed.{name}.linear_1.weight" in part:
            move(f"{to}.in_layer", f"time_text_embed.{name}.linear_1")
            move(f"{to}.out_layer", f"time_text_embed.{name}.linear_2")
    for kind in ("weight", "bias") if "norm_out.linear.weight" in part else ():
        scale, shift = part[f"norm_out.linear.{kind}"].chunk(2)
        found[f"final_layer.adaLN_modulation.1.{kind}"] = torch.cat([shift, scale])
    for name, tensor in part.items():  # Chroma's, in place of all modulations
        if name.startswith("distilled_guidance_layer."):
            original = name.replace("linear_1", "in_layer").replace("linear_2", "out_layer")
            found[original.replace(".weight", ".scale") if ".norms." in name else original] = tensor
    for i in {key.split(".")[1] for key in part if key.startswith("transformer_blocks.")}:
        at, to = f"transformer_blocks.{i}", f"double_blocks.{i}"
        for side, norm, qkv, added, out, mlp in (
            ("img", "norm1", ("to_q", "to_k", "to_v"), "", "to_out.0", "ff"),
            ("txt", "norm1_context", ("add_q_proj", "add_k_proj", "add_v_proj"), "added_", "to_add_out", "ff_context"),
        ):
            if f"{at}.{norm}.linear.weight" in part:
                move(f"{to}.{side}_mod.lin", f"{at}.{norm}.linear")
            join(f"{to}.{side}_attn.qkv", [f"{at}.attn.{name}" for name in qkv])
            for x, name in (("q", "query_norm"), ("k", "key_norm")):
                found[f"{to}.{side}_attn.norm.{name}.scale"] = part[f"{at}.attn.norm_{added}{x}.weight"]
            move(f"{to}.{side}_attn.proj", f"{at}.attn.{out}")
            move(f"{to}.{side}_mlp.0", f"{at}.{mlp}.net.0.proj")
            move(f"{to}.{side}_mlp.2", f"{at}.{mlp}.net.2")
    for i in {key.split(".")[1] for key in part if key.startswith("single_transformer_blocks.")}:
        at, to = f"single_transformer_blocks.{i}", f"single_blocks.{i}"
        if f"{at}.norm.linear.weight" in part:
            move(f"{to}.modulation.lin", f"{at}.norm.linear")
        join(f"{to}.linear1", [f"{at}.attn.to_q", f"{at}.attn.to_k", f"{at}.attn.to_v", f"{at}.proj_mlp"])
        move(f"{to}.linear2", f"{at}.proj_out")
        for x, name in (("q", "query_norm"), ("k", "key_norm")):
            found[f"{to}.norm.{name}.scale"] = part[f"{at}.attn.norm_{x}.weight"]
    return found


def moved(part, moves):
    """Every tensor under the name that its longest known beginning has been given."""
    found = {}
    for key, value in part.items():
        begin = next((key[:n] for n in range(len(key), 0, -1) if key[:n] in moves and key[n : n + 1] in ("", ".")), None)
        found[moves[begin] + key[len(begin) :] if begin else key] = value
    return found
