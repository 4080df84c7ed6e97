"""The nodes: a LoRA loaded at the weight that it recommends, with its trigger as text for the prompt."""

from __future__ import annotations

from typing import Any

import folder_paths
from nodes import LoraLoader

from .about import about

CATEGORY = "loaders/Lorasmith"


class LoadWithTrigger:
    """Load a LoRA as ComfyUI does, at the weight that its metadata recommends, and hand its trigger words on."""

    CATEGORY = CATEGORY
    FUNCTION = "load"
    RETURN_TYPES = ("MODEL", "CLIP", "STRING", "FLOAT", "STRING")
    RETURN_NAMES = ("model", "clip", "trigger", "weight", "about")
    OUTPUT_TOOLTIPS = (
        "The model with the LoRA.",
        "The text encoder with the LoRA.",
        "Its trigger words, to be put in front of the prompt.",
        "The weight that was used.",
        "What its metadata say, in a line.",
    )
    DESCRIPTION = "Loads a LoRA at the weight that its metadata recommends, and gives its trigger words."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "model": ("MODEL",),
                "lora_name": (folder_paths.get_filename_list("loras"), {"tooltip": "ComfyUI's LoRAs, and those of Lorasmith's library."}),
                "recommended_weight": ("BOOLEAN", {"default": True, "tooltip": "Use the weight that the file recommends, where it does."}),
                "weight": (
                    "FLOAT",
                    {"default": 1.0, "min": -20.0, "max": 20.0, "step": 0.05, "tooltip": "Used where the file recommends none."},
                ),
            },
            "optional": {"clip": ("CLIP",)},
        }

    def __init__(self) -> None:
        self.loader = LoraLoader()

    def load(
        self, model: Any, lora_name: str, recommended_weight: bool, weight: float, clip: Any = None
    ) -> tuple[Any, Any, str, float, str]:
        """(model, clip, trigger words, the weight, what is said of the file)."""
        said = about(folder_paths.get_full_path_or_raise("loras", lora_name))
        used = said.weight if recommended_weight and said.weight is not None else weight
        model, clip = self.loader.load_lora(model, clip, lora_name, used, used if clip is not None else 0.0)
        return model, clip, said.triggers, used, said.in_words


class AboutLora:
    """What a LoRA's metadata say, without loading it."""

    CATEGORY = CATEGORY
    FUNCTION = "read"
    RETURN_TYPES = ("STRING", "FLOAT", "STRING")
    RETURN_NAMES = ("trigger", "weight", "about")
    OUTPUT_NODE = True
    DESCRIPTION = "Shows the trigger words and the recommended weight of a LoRA."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"lora_name": (folder_paths.get_filename_list("loras"),)}}

    def read(self, lora_name: str) -> dict[str, Any]:
        """Trigger words, weight (1 where none is recommended) and a line about the file; the line is also shown."""
        said = about(folder_paths.get_full_path_or_raise("loras", lora_name))
        weight = 1.0 if said.weight is None else said.weight
        return {"ui": {"text": [said.in_words]}, "result": (said.triggers, weight, said.in_words)}


NODE_CLASS_MAPPINGS = {"LorasmithLoadWithTrigger": LoadWithTrigger, "LorasmithAboutLora": AboutLora}
NODE_DISPLAY_NAME_MAPPINGS = {
    "LorasmithLoadWithTrigger": "Load LoRA with its trigger (Lorasmith)",
    "LorasmithAboutLora": "About a LoRA (Lorasmith)",
}
