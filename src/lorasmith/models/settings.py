"""The settings of the base model, and the options that it is opened with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

if TYPE_CHECKING:
    from lorasmith.models.texts import TextOptions


Quantize = Literal["none", "int8", "fp8", "nf4"]


class OpenOptions(TypedDict, total=False):
    """What a user may give beside the path; each is a setting of the base."""

    vae: Path | str | None  # the file or folder of another autoencoder
    text_encoder: Path | str | None  # the file of the (first) text encoder, where the model's file has none
    text_encoder_2: Path | str | None
    text_encoder_3: Path | str | None
    config: Path | None  # a diffusers folder whose settings and tokenizers are used instead of the family's standard ones
    prediction_type: str | None  # "epsilon" or "v_prediction", against what the files say
    zero_terminal_snr: bool | None
    allow_pickle: bool  # whether .ckpt and .pt files are read, as weights alone
    quantize: Quantize  # whether and how the weights of the denoiser and of large text encoders are quantised


class MergedLora(BaseModel):
    """A LoRA that is merged into the frozen base before it is quantised: a training adapter of a distilled base."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path = Field(description="The LoRA file, or one on the hub (owner/name/file.safetensors).")
    strength: float = Field(1.0, ge=-10, le=10, description="How strongly it is merged, -10 to 10; 1 as it was trained.")
    in_samples: bool = Field(
        False, description="Samples and proofs have it too. Off: they show the base without it, as the LoRA will be used."
    )


class BaseModelSettings(BaseModel):
    """The model that the LoRA is for, and how it reads captions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path = Field(
        description="The base model: a .safetensors file, a diffusers folder, or a hub id (owner/name).",
        json_schema_extra={"names": "base"},  # of which a page lists those that there are
    )
    vae: Path | None = Field(None, description="File or folder of another autoencoder. Empty: the base's own.")
    text_encoder: Path | None = Field(None, description="File of the (first) text encoder, where the base's file has none.")
    text_encoder_2: Path | None = Field(None, description="File of the second text encoder, where the base's file has none.")
    text_encoder_3: Path | None = Field(
        None,
        description="File of the third text encoder, where the base's file has none. Empty: it is left out.",
    )
    config: Path | None = Field(
        None, description="Diffusers folder whose settings and tokenizers are used. Empty: the family's standard ones."
    )
    prediction_type: Literal["epsilon", "v_prediction"] | None = Field(
        None, description="What the base predicts, where its files say nothing or the wrong thing. Empty: as the files say."
    )
    zero_terminal_snr: bool | None = Field(None, description="Whether the base was trained to zero terminal SNR. Empty: as the files say.")
    quantize: Quantize = Field(
        "none",
        description="Quantises the frozen weights: int8 takes half of bf16, a little slower; fp8 too, less exact, for bases whose files are fp8; nf4 a quarter, for large bases on small cards.",
    )
    allow_pickle: bool = Field(False, description="Read .ckpt and .pt files too, as weights alone; prefer safetensors.")
    merge: list[MergedLora] = Field(
        default_factory=list, description="LoRA files merged into the frozen base while it trains: training adapters for distilled bases."
    )
    clip_skip: int = Field(1, ge=1, le=24, description="Which of the text encoder's last layers is read: 1 the last, 2 for anime bases.")
    max_token_length: int | None = Field(
        None,
        ge=2,
        le=4096,
        description="Most tokens of a caption: 75, 150 or 225 where CLIP alone reads it, else up to what the family reads. Empty: the base's usual.",
    )
    weighted_captions: bool = Field(False, description="Captions may have (emphasis:1.2), read as the web UIs do.")
    t5_attention_mask: bool = Field(
        False,
        description="For T5 text encoders (Flux, SD 3.5): padding is not read. Both were trained without a mask, Chroma always has one.",
    )

    def merged(self, in_samples: bool | None = None) -> list[tuple[Path, float]]:
        """The LoRAs that are merged and their strengths; all, or those that samples have too, or have not."""
        return [(each.path, each.strength) for each in self.merge if in_samples in (None, each.in_samples)]

    @property
    def text_options(self) -> TextOptions:
        """How captions are to be encoded."""
        from lorasmith.models.texts import TextOptions

        return TextOptions(self.clip_skip, self.max_token_length, self.weighted_captions, self.t5_attention_mask)

    @property
    def open_options(self) -> OpenOptions:
        """How the base is to be opened, for `models.open.describe` and `open_base`."""
        return {
            "vae": self.vae, "text_encoder": self.text_encoder, "text_encoder_2": self.text_encoder_2, "text_encoder_3": self.text_encoder_3,
            "config": self.config, "prediction_type": self.prediction_type, "zero_terminal_snr": self.zero_terminal_snr,
            "allow_pickle": self.allow_pickle, "quantize": self.quantize,
        }  # fmt: skip
