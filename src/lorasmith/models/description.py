"""What a base model is, before a weight of it is read: its family, where its parts lie, and how we know.

    description = describe("models/animagine.safetensors")      # models/checkpoint
    description.family, description.prediction_type             # "sdxl", "v_prediction"
    unet = load_part(description, "unet", torch.bfloat16, "cuda")   # models/weights
    tokenizer = load_tokenizer(description, "tokenizer")            # models/tokenizers
    fingerprints(description)                                       # models/hashes

A description is made from headers and small files alone, and is data: frozen, without torch, quick to make and to print.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lorasmith.models.parts import Part

Layout = Literal["single file", "folder", "separate files"]
PredictionType = Literal["epsilon", "v_prediction", "flow"]
# Whose names a part's tensors carry; the tables between them are in models/conversion.
Names = Literal["diffusers", "ldm", "open_clip", "transformers", "bfl"]


@dataclass(frozen=True)
class PartPlace:
    """Where the tensors of one part lie, and what they are to become."""

    files: tuple[Path, ...]  # one, or the shards of it
    prefix: str  # what stands before the part's keys in them, with its dot; often ""
    names: Names
    config: Part  # class and settings of the module that they fill
    config_from: str  # where those settings were found, in words
    dtypes: Mapping[str, int]  # safetensors' name of a type ("F16", "F8_E4M3") -> how many tensors have it
    scaled_fp8: bool = False  # eight-bit weights with a scale beside each

    @property
    def dtype(self) -> str:
        """The type that most of its tensors have, for people: "fp16", "bf16", "fp32", "fp8", "scaled fp8"."""
        most = max(self.dtypes, key=lambda name: self.dtypes[name], default="none")
        if any(name.startswith("F8") for name in self.dtypes):
            return "scaled fp8" if self.scaled_fp8 else "fp8"
        return {"F16": "fp16", "BF16": "bf16", "F32": "fp32", "F64": "fp64"}.get(most, most.lower())


@dataclass(frozen=True)
class Description:
    """A base model as its files tell it."""

    source: Path  # the file or folder that was given, or the cached folder of a hub id
    layout: Layout
    family: str  # "sd1", "sd2", "sdxl", "flux"
    variant: str  # "dev" and "schnell" for flux; "" elsewhere
    prediction_type: PredictionType
    zero_terminal_snr: bool
    parts: Mapping[str, PartPlace]  # "unet" or "transformer", "text_encoder", "text_encoder_2", "vae"
    scheduler: Part  # class and settings, with the prediction type and zero-SNR as above
    tokenizers: Mapping[str, Path]  # name -> its folder, where one lies beside the weights; the others are the standard ones
    reasons: tuple[str, ...]  # how we know, one sentence each
    notes: tuple[str, ...]  # what a LoRA on it will need, one sentence each
    metadata: Mapping[str, str] = field(default_factory=dict)  # what a single file says of itself
    hub_id: str | None = None

    @property
    def denoiser(self) -> str:
        """The name of the part that denoises."""
        return "transformer" if self.family == "flux" else "unet"

    def as_data(self) -> dict[str, Any]:
        """For --json and the manifest."""
        return {
            "source": str(self.source), "hub_id": self.hub_id, "layout": self.layout, "family": self.family, "variant": self.variant,
            "prediction_type": self.prediction_type, "zero_terminal_snr": self.zero_terminal_snr,
            "parts": {
                name: {
                    "files": [str(file) for file in place.files], "prefix": place.prefix, "names": place.names, "class": place.config[0],
                    "dtype": place.dtype, "config_from": place.config_from,
                }
                for name, place in self.parts.items()
            },
            "reasons": list(self.reasons), "notes": list(self.notes),
        }  # fmt: skip
