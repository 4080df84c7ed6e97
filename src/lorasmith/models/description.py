"""What a base model is, before a weight of it is read: its family, where its parts are, and how we know.

    description = describe("models/animagine.safetensors")      # models/open
    description.family, description.prediction_type             # "sdxl", "v_prediction"
    unet = load_part(description, "unet", torch.bfloat16, "cuda")   # models/files/weights
    tokenizer = load_tokenizer(description, "tokenizer")            # models/tokenizers
    fingerprints(description)                                       # models/files/hashes

A description is made from headers and small files alone, and is data: frozen, without torch, quick to make and to print.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lorasmith.models.family import Family, PredictionType, Sizes, Variant
from lorasmith.models.parts import Part, SchedulerConfig
from lorasmith.models.weight_changes import WeightChanges

Layout = Literal["single file", "folder", "separate files"]


@dataclass(frozen=True)
class PartPlace:
    """Where the tensors of one part are, and what they are to become."""

    files: tuple[Path, ...]  # one, or its shards
    prefix: str  # of the part's keys in them, with its dot; often ""
    names: str  # whose names its tensors have there: "diffusers", "ldm", "open_clip", "transformers", "bfl"
    config: Part  # architecture and settings of the module that they fill
    config_from: str  # where those settings were found, in words
    dtypes: Mapping[str, int]  # safetensors' name of a dtype ("F16", "F8_E4M3") -> how many tensors have it
    scaled_fp8: bool = False  # eight-bit weights with a scale beside each

    @property
    def dtype(self) -> str:
        """The dtype that most of its tensors have, for people: "fp16", "bf16", "fp32", "fp8", "scaled fp8"."""
        most = max(self.dtypes, key=lambda name: self.dtypes[name], default="none")
        if any(name.startswith("F8") for name in self.dtypes):
            return "scaled fp8" if self.scaled_fp8 else "fp8"
        return {"F16": "fp16", "BF16": "bf16", "F32": "fp32", "F64": "fp64"}.get(most, most.lower())


@dataclass(frozen=True)
class NativeSize:
    """What a base was made for, in pixels."""

    side: int  # of its square
    bucket_step: int  # of the sides of buckets


def native_size(record: Family, variant: str, parts: Mapping[str, PartPlace]) -> NativeSize:
    """By the parts' own settings; that of its family where a part is missing, or where both say the same side."""
    defaults = record.variant(variant).defaults
    if {record.denoiser, "vae"} <= parts.keys():
        sizes = record.sizes({name: place.config.settings for name, place in parts.items()})
        if sizes.native != defaults.resolution:
            return NativeSize(sizes.native, sizes.pixel_step)
    return NativeSize(defaults.resolution, defaults.bucket_step)


@dataclass(frozen=True, repr=False)
class Description:
    """A base model as its files describe it."""

    source: Path  # the file or folder that was given, or the cached folder of a hub id
    layout: Layout
    record: Family
    variant: str  # a key of its variants; "" where there is one only
    prediction_type: PredictionType
    zero_terminal_snr: bool
    parts: Mapping[str, PartPlace]  # by diffusers' names: the denoiser, "text_encoder", "text_encoder_2" ..., "vae"
    scheduler: SchedulerConfig  # with the prediction type and zero SNR as above
    tokenizers: Mapping[str, Path]  # name -> its folder, where one is beside the weights; the others are the standard ones
    reasons: tuple[str, ...]  # how we know, one sentence each
    notes: tuple[str, ...]  # what a LoRA on it will need, one sentence each
    metadata: Mapping[str, str] = field(default_factory=dict)  # what a single file says about itself
    hub_id: str | None = None
    changes: WeightChanges | None = field(default=None, compare=False)  # what is added to its weights as they are read

    def __repr__(self) -> str:
        variant = f" {self.variant}" if self.variant else ""
        return f"Description({self.family}{variant}, {self.prediction_type}, {self.layout} {self.source}, parts: {', '.join(self.parts)})"

    @property
    def family(self) -> str:
        """The name of its family."""
        return self.record.name

    @property
    def denoiser(self) -> str:
        """The name of the part that denoises."""
        return self.record.denoiser

    @property
    def form(self) -> Variant:
        """What the family's record says about bases of this variant."""
        return self.record.variant(self.variant)

    @property
    def needed_parts(self) -> tuple[str, ...]:
        """The parts that it is opened with: those of its family, without the optional ones that it lacks."""
        return tuple(name for name in self.form.parts if name in self.parts or name not in self.record.optional_parts)

    @property
    def needed_tokenizers(self) -> tuple[str, ...]:
        """The tokenizers of those parts."""
        spared = {part.tokenizer for name, part in self.record.optional_parts.items() if name not in self.parts}
        return tuple(name for name in self.record.tokenizers if name not in spared)

    @property
    def sizes(self) -> Sizes:
        """Native size and pixel step by the parts' own settings; the denoiser and the autoencoder must be there."""
        return self.record.sizes({name: place.config.settings for name, place in self.parts.items()})

    @property
    def native(self) -> NativeSize:
        """The size it was made for."""
        return native_size(self.record, self.variant, self.parts)

    def as_data(self) -> dict[str, Any]:
        """For --json and the manifest."""
        return {
            "source": str(self.source), "hub_id": self.hub_id, "layout": self.layout, "family": self.family, "variant": self.variant,
            "prediction_type": self.prediction_type, "zero_terminal_snr": self.zero_terminal_snr,
            "parts": {
                name: {
                    "files": [str(file) for file in place.files], "prefix": place.prefix, "names": place.names,
                    "class": place.config.class_name, "dtype": place.dtype, "config_from": place.config_from,
                }
                for name, place in self.parts.items()
            },
            "reasons": list(self.reasons), "notes": list(self.notes),
        }  # fmt: skip
