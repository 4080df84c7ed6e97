"""What the programs that generate images with LoRA files do with names of Stable Diffusion U-Nets and CLIP, as measured; shared by the families."""

from __future__ import annotations

from lorasmith.models.lora_naming import LOADS, Reading, drops, readings

SHORT_CLIP = drops("it needs text_model_ in the names of the text encoder")
DIFFUSERS_NAMES = "diffusers' names mean nothing to it: convert the file (lorasmith lora convert)"
LYCORIS = drops("it does not know lycoris_")

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
    "diffusers": readings(drops(DIFFUSERS_NAMES), Reading("refused", DIFFUSERS_NAMES), drops(DIFFUSERS_NAMES), LOADS),
    "diffusion_model., original path": readings(drops("it knows names with underscores only (kohya's)"), comfyui=LOADS),
}  # fmt: skip
