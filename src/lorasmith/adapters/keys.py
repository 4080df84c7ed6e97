"""Which layers a LoRA trains, and what they are called in the file.

Every consumer reads kohya's names (`lora_unet_...`, `lora_te_...`): a prefix for the network, then the module's path with
underscores for dots. The path is that of the diffusers U-Net for Stable Diffusion 1.x and 2.x. For a CLIP text encoder
it is the path that transformers used up to version 5.5, with `text_model` in front: newer versions dropped it from the
model, the readers of LoRA files did not.

The choice of layers is that of kohya's default: everything linear in the transformer blocks, the 1x1 convolutions that
lead in and out of them included.
"""

from __future__ import annotations

import re

from torch import nn

from lorasmith.errors import AdapterError

_CLIP_LAYER = re.compile(r"(?:text_model\.)?(encoder\.layers\.\d+\.(?:self_attn\.(?:q|k|v|out)_proj|mlp\.fc[12]))")


def unet_targets(unet: nn.Module) -> dict[str, str]:
    """Path inside the diffusers U-Net -> name in the file, for a Stable Diffusion 1.x or 2.x U-Net of any size.

    Raises:
        AdapterError: the model has no transformer block.
    """
    # Here and not on top: it takes seconds, which whoever holds a U-Net has spent already.
    from diffusers.models.transformers.transformer_2d import Transformer2DModel

    targets = {}
    for block_path, block in unet.named_modules():
        if not isinstance(block, Transformer2DModel):
            continue
        for path, layer in block.named_modules(prefix=block_path):
            if isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1)):
                targets[path] = "lora_unet_" + path.replace(".", "_")
    if not targets:
        raise AdapterError(f"A {type(unet).__name__} has no transformer block to train: this LoRA needs the U-Net of Stable Diffusion.")
    return targets


def clip_targets(text_encoder: nn.Module, prefix: str = "lora_te") -> dict[str, str]:
    """Path inside a CLIP text encoder -> name in the file, for any size.

    `prefix` is `lora_te` for Stable Diffusion 1.x and 2.x, `lora_te1` and `lora_te2` for the two encoders of SDXL.

    Raises:
        AdapterError: the model has no CLIP encoder layer.
    """
    targets = {}
    for path, _ in text_encoder.named_modules():
        if layer := _CLIP_LAYER.fullmatch(path):
            targets[path] = f"{prefix}_text_model_" + layer[1].replace(".", "_")
    if not targets:
        raise AdapterError(f"A {type(text_encoder).__name__} has no CLIP encoder layer to train: this LoRA needs a CLIP text encoder.")
    return targets
