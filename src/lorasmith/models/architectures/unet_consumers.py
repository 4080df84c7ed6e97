"""What the programs that generate images with LoRA files do with names of Stable Diffusion U-Nets and CLIP, as measured; shared by the families."""

from __future__ import annotations

from lorasmith.models.lora_naming import LOADS, Reading, drops, readings

SHORT_CLIP = drops("it needs text_model_ in the names of the text encoder")
DIFFUSERS_NAMES = "diffusers' names mean nothing to it: convert the file (lorasmith lora convert)"
PEFT_NAMES = "peft's own names (base_model.model.) mean nothing to it: convert the file (lorasmith lora convert)"
KOHYA_ONLY = "ComfyUI's names mean nothing to it: convert the file (lorasmith lora convert)"
_NO_PREFIX = "it does not know its own names without unet. in front: convert the file (lorasmith lora convert)"
_OFT = drops("it does not know oft_unet_: convert the file (lorasmith lora convert)")
LYCORIS = drops("it does not know lycoris_")
ATTENTION_OF_DIFFUSERS = r"(?!.*processor|diffusion_model\.)(unet\.)?.*\.to_(q|k|v|out\.0)"
"""ComfyUI expects `.processor` before the attention's layers in diffusers' names, as they were once written, and reads all others."""
CLIP_NORMS = r"(lora_te\d?_|text_encoder(_2)?\.)text_model[._](encoder[._]layers[._]\d+[._]layer_norm[12]|final_layer_norm)"
"""Of CLIP, ComfyUI and Forge look for the linear layers of its blocks alone."""

CLIP_NAMINGS = {
    "kohya, CLIP": readings(LOADS, LOADS, LOADS, LOADS),
    "kohya, CLIP without text_model": readings(SHORT_CLIP, SHORT_CLIP, SHORT_CLIP, SHORT_CLIP),
    "lycoris_": readings(LYCORIS, LOADS, LOADS, LYCORIS),
}
"""Names that all families with CLIP have in common."""

UNET_NAMINGS = {
    **CLIP_NAMINGS,
    "kohya, original path": readings(LOADS, LOADS, LOADS, LOADS),
    "kohya, diffusers path": readings(LOADS, LOADS, LOADS, LOADS),
    "kohya's OFT, original path": readings(LOADS, _OFT, _OFT, _OFT),
    "kohya's OFT, diffusers path": readings(_OFT, _OFT, _OFT, _OFT),
    "diffusers": readings(drops(DIFFUSERS_NAMES), Reading("refused", DIFFUSERS_NAMES), LOADS, LOADS),
    "diffusers, old processors": readings(drops(DIFFUSERS_NAMES), LOADS, LOADS, LOADS),
    "diffusers, oldest processors": readings(drops(DIFFUSERS_NAMES), LOADS, LOADS, drops(_NO_PREFIX)),
    "diffusers, without unet.": readings(drops(DIFFUSERS_NAMES), Reading("refused", DIFFUSERS_NAMES), LOADS, drops(_NO_PREFIX)),
    "peft": readings(drops(PEFT_NAMES), Reading("refused", PEFT_NAMES), drops(PEFT_NAMES), drops(PEFT_NAMES)),
    "diffusion_model., original path": readings(Reading("refused", KOHYA_ONLY), LOADS, LOADS, drops(KOHYA_ONLY)),
    "ComfyUI, text encoders": readings(Reading("refused", KOHYA_ONLY), Reading("refused", KOHYA_ONLY), LOADS, drops(KOHYA_ONLY)),
}  # fmt: skip
