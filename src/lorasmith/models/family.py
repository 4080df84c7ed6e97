"""What a family of base models says about itself, as one record.

A family is a folder: `family.py` there holds its record, made of data and pure functions, and `base.py` the class of its opened bases
(the contract: `models.base.Base`). The registry is `models.families.FAMILIES`; a family is added by its folder and one line there. All
other code reads the record and names no family. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lorasmith.captions.style import CaptionStyle
from lorasmith.models.lora_naming import LoraNaming
from lorasmith.models.parts import Part, SchedulerConfig
from lorasmith.models.shift import Shift
from lorasmith.models.template import Template

PredictionType = Literal["epsilon", "v_prediction", "flow"]


# -- what its users set ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rate:
    """A learning rate for AdamW at rank 8 to 32, and why."""

    value: float
    reason: str
    source: str = "bootcamp: parameters and control"
    """Whose advice it is, in words."""


@dataclass(frozen=True)
class NetworkSize:
    """The rank that a family's users set, with an alpha of the same size, for which its rate is meant; and why."""

    rank: int
    reason: str
    source: str
    """Whose advice it is, in words."""


@dataclass(frozen=True)
class ClipSkip:
    """Which of a text encoder's last layers is read."""

    in_words: str
    usual: int = 1
    """What its users set."""
    most: int = 1
    """The largest that any base of the family is used with."""
    for_tags: int | None = None
    """What bases that were fine-tuned on tags are used with, where that is another one."""


@dataclass(frozen=True)
class FamilyDefaults:
    """What a family's users set, and the limits of it."""

    # pictures
    resolution: int
    """Side of the square it was made for, in pixels."""
    bucket_step: int
    """Sides of training pictures are multiples of this, in pixels."""
    # captions
    max_token_lengths: tuple[int, ...]
    """Of a caption; the first is usual."""
    # learning
    rate: Rate
    """Of the denoiser."""
    text_encoder_lr: float
    """0: the text encoders are left alone."""
    network: NetworkSize | None = None
    """None: what the guides advise for each kind of LoRA."""
    rates_for: Mapping[str, Rate] = field(default_factory=dict)
    """Kind of LoRA ("character", "style") -> another rate of the denoiser."""
    trained_text_encoders: tuple[str, ...] = ("text_encoder",)
    """Which text encoders train where network.train_text_encoder is on and no rate names them."""
    text_encoders_left_alone: str = ""
    """Why none is trained usually; empty where they are."""
    finds_its_own_rate: bool = True
    """Whether optimizers that find their own rate (Prodigy, D-Adaptation) are known to work with it."""
    timestep_sampling: str = "flux_shift"
    """How flow models are trained: a value of flow.timestep_sampling."""
    timesteps_by: str = "sd-scripts' guide"
    """Who trains with these timesteps, in words."""
    shift: Shift | None = None
    """How flow.timestep_sampling = flux_shift moves the sigmas; None for families without flow."""
    model_prediction_type: str = "raw"
    """A value of flow.model_prediction_type."""
    # generating
    sampler: str | None = None
    """A key of `models.samplers.SAMPLERS`; None: DDIM, and flow Euler for flow models."""
    steps: int = 25
    cfg_scale: float = 7.0
    """Classifier-free guidance; 1 is none."""
    guidance: float | None = None
    """The usual input of a guidance-distilled model; None where it has none."""
    # resources and files
    save_precision: Literal["fp16", "bf16", "fp32"] = "fp16"
    memory_per_image: str | None = None
    """What a step without gradient checkpointing keeps for each picture of the native size, in words; None where that is little."""
    largest_resolution: int | None = None
    """The largest side that it still generates well, where that is more than `resolution`."""
    larger_resolution: str = ""
    """Why it may be trained at `largest_resolution`."""
    fine_tuned_resolution: tuple[int, str] | None = None
    """A larger side that some fine-tuned bases were made for, and which those are, in words."""

    @property
    def denoiser_lr(self) -> float:
        """The usual learning rate of the denoiser."""
        return self.rate.value


@dataclass(frozen=True)
class Variant:
    """One form of a family, at full size: what a single file does not say about itself."""

    parts: Mapping[str, Part]
    scheduler: SchedulerConfig
    defaults: FamilyDefaults
    distilled: bool | None = False
    """Whether it was distilled to few steps; None where a file cannot tell."""
    licence: str = ""
    """Of the weights that its authors published."""
    note: str = ""
    """What a LoRA on it will need to know."""


# -- how it is recognised -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DenoiserFile:
    """A denoiser in a file, for a family to look at."""

    source: Path
    shapes: Mapping[str, tuple[int, ...]]
    """Of the denoiser's tensors, by their names without the prefix."""
    prefix: str
    names: str
    """Whose names they are: "ldm", "diffusers" ..."""
    beside: tuple[str, ...]
    """Prefixes of the text encoders in the same file."""


@dataclass(frozen=True)
class Match:
    """A family has recognised a base, and says how."""

    reason: str
    variant: str = ""


@dataclass(frozen=True)
class Detection:
    """How bases of a family are recognised."""

    pipelines: tuple[str, ...]
    """Classes of diffusers' pipelines that model_index.json may name."""
    from_file: Callable[[DenoiserFile], Match | None]
    """Looks at a denoiser of the family's architecture; raises BaseModelError for a special model (inpainting ...) of the family."""
    from_config: Callable[[Path, str, Mapping[str, Any]], Match | None]
    """The same for a diffusers folder: its path, the class in model_index.json, the settings of its denoiser."""
    part_prefixes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Part -> pieces of a prefix that mark it in a single file, where another part has the same architecture."""


# -- what others call it --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BlockRow:
    """How sd-scripts counts the blocks of a denoiser in lists of numbers, one for each block."""

    down: int
    mid: int
    patterns: tuple[str, ...]
    """The blocks in the row's order, as patterns of rules."""
    with_transformers: frozenset[str]
    """Those that hold transformers; the others hold convolutions alone."""
    spare: int = 0
    """Numbers at either end that are for no block."""

    @property
    def numbers(self) -> int:
        return len(self.patterns) + 2 * self.spare


@dataclass(frozen=True)
class SdScripts:
    """The family in the words of sd-scripts and its GUI (kohya_ss)."""

    script: str
    """The script that trains it."""
    base_model_version: Mapping[str, str]
    """Prediction type -> ss_base_model_version."""
    architecture: Mapping[str, tuple[str, str]]
    """ss_base_model_version -> (modelspec.architecture, modelspec.implementation)."""
    v2: bool = False
    """ss_v2."""
    network_module: str = "networks.lora"
    model_type: str = ""
    """ss_model_type; empty where its script has no models of several types."""
    gui_flag: str = ""
    """The GUI's switch for this family."""
    gui_prefix: str = ""
    """What the names of its options begin with in the GUI's files, where it does not share them with other families."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Options that are this family's alone -> the setting here; "" for those without one."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Options -> what leaving them out means to its script, where its other scripts have another default; None: it does not have it."""
    reads_clip_skip: bool = True
    token_length_option: str = "max_token_length"
    second_text_encoder_lr: bool = True
    """Whether its script reads a second number of text_encoder_lr."""
    block_row: BlockRow | None = None


@dataclass(frozen=True)
class Relative:
    """A line of fine-tuned bases that people call by a name of its own, and that reads captions differently."""

    title: str
    captions: CaptionStyle


# -- the record -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sizes:
    """What a base's small files say about sizes, in pixels."""

    native: int
    """Side of the square it was made for."""
    pixel_step: int
    """Sides of a picture must be multiples of this."""


@dataclass(frozen=True)
class Tokenizer:
    """The tokenizer of a text encoder."""

    class_name: str
    """In transformers."""
    load: Callable[[], Any]
    """The standard one, from an installed package or the hub, for bases that come without."""
    carrier: str
    """Where that comes from, in words: "install open_clip_torch"."""
    in_chunks: bool = False
    """Whether its encoder reads a caption in chunks, of which a BREAK begins the next; see `captions.breaks`."""
    tensor: str = ""
    """The tensor of bytes beside the text encoder's weights that holds it, where some files have it there."""
    from_bytes: Callable[[bytes], Any] | None = None
    """The tokenizer in that tensor."""


@dataclass(frozen=True)
class OptionalPart:
    """A part that a base may lack."""

    tokenizer: str
    """Its tokenizer, which is not needed without it."""
    note: str
    """What a LoRA on a base without it needs to know."""


@dataclass(frozen=True)
class Prediction:
    """What a family's bases predict, where a file does not say."""

    types: tuple[PredictionType, ...]
    """The first is usual."""
    usual_reason: str = "nothing in the file says otherwise, and its family usually does"
    unmarked_note: str = ""
    """What to look at where nothing in the file says it."""
    zero_snr_note: str = ""
    """What to look at where a base that predicts v says nothing of zero terminal SNR."""


@dataclass(frozen=True, eq=False)
class Family:
    """A family of base models."""

    name: str
    """What users type."""
    title: str
    """For people: "Stable Diffusion XL"."""
    package: str
    """The family's folder, as a package."""
    base_class: str
    """The class of its opened bases, in the folder's module `base`, which is imported when one is opened."""
    denoiser: str
    """The part that predicts."""
    variants: Mapping[str, Variant]
    """The first is usual."""
    tokenizers: Mapping[str, Tokenizer]
    prediction: Prediction
    sizes: Callable[[Mapping[str, Mapping[str, Any]]], Sizes]
    """From the settings of a base's parts, of any size."""
    detection: Detection
    lora: LoraNaming
    captions: CaptionStyle
    clip_skip: ClipSkip
    sd_scripts: SdScripts | None = None
    called_elsewhere: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Other trainer -> what its settings call the family."""
    reads_emphasis: bool = False
    """Whether (emphasis:1.2) in a prompt acts: text encoders of CLIP alone."""
    ui_type: str | None = None
    """The type that AUTOMATIC1111 shows and filters by; None where it does not have the family."""
    relatives: Mapping[str, Relative] = field(default_factory=dict)
    """What else users type for fine-tuned lines of this family ("pony")."""
    states_read: Callable[[int, Mapping[str, Any]], tuple[int, ...]] | None = None
    """From how many layers its language model (the text encoder) has, and the settings of the denoiser: which hidden states are read. k is
    what enters layer k; as many as there are layers is the last, after the final norm. Layers above are not loaded. None: it has no such
    text encoder."""
    caption_step: int | None = None
    """Tokens by which captions differ in length as the denoiser reads them: 1 where each has its own; None where all have the same."""
    caption_tokenizers: tuple[str, ...] | None = None
    """The tokenizers whose limit a caption must keep; None, or where the base has none of them: all."""
    template: Template | None = None
    """What its language model is given around a caption; None for families that read no language model."""
    optional_parts: Mapping[str, OptionalPart] = field(default_factory=dict)
    """The parts that a base is opened without where it lacks them."""

    def __repr__(self) -> str:
        return f"Family({self.name!r}, {self.title})"

    @property
    def reads_breaks(self) -> bool:
        """Whether a BREAK in a caption is more than a word."""
        return all(self.tokenizers[name].in_chunks for name in self.caption_tokenizers or self.tokenizers)

    @property
    def usual(self) -> Variant:
        """The usual variant."""
        return next(iter(self.variants.values()))

    @property
    def defaults(self) -> FamilyDefaults:
        """Those of the usual variant."""
        return self.usual.defaults

    @property
    def is_flow(self) -> bool:
        """Whether it is trained by flow matching."""
        return "flow" in self.prediction.types

    def variant(self, name: str) -> Variant:
        """By its name; the usual one where there is none of that name."""
        return self.variants.get(name, self.usual)
