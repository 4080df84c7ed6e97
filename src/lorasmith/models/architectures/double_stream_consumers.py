"""What programs make of LoRA files for transformers with double and single blocks, whatever the family."""

from __future__ import annotations

from lorasmith.models.lora_naming import drops

DIFFUSERS_FINDS_NO_LOKR = {("diffusers", "lokr"): drops("it finds no LoRA in the file and says nothing")}
