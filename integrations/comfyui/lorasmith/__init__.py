"""Lorasmith's nodes for ComfyUI: copy or link this folder into `ComfyUI/custom_nodes/`. They need nothing but ComfyUI."""

from .library import offer_folders
from .nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

offer_folders()

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
