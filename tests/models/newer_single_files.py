"""The tensors of single files of the newer families, as ComfyUI publishes them; see `tests.models.single_files`."""

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


ORIGINALS = {"QwenImageTransformer2DModel": qwen_image}
"""Class of the transformer -> the tensors of a file, from those of a folder's parts."""
