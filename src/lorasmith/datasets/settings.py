"""Settings of the training data: folders, buckets, captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lorasmith.captions.rules import CaptionLines, CaptionRules
from lorasmith.errors import SettingsError


def _sides(value: int | tuple[int, int] | None) -> int | tuple[int, int] | None:
    """The resolution itself; raises ValueError where it cannot be trained at."""
    if value is not None and not all(16 <= side <= 8192 for side in (value if isinstance(value, tuple) else (value,))):
        raise ValueError("must be from 16 to 8192 pixels")
    return value


class DatasetSettings(BaseModel):
    """One folder of pictures with captions beside them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path = Field(
        description="Folder with pictures and captions, or with kohya's `N_name` folders inside; a manifest (.jsonl, .parquet); shards ({000..099}.tar)."
    )
    repeats: int | None = Field(
        None, ge=1, le=10_000,
        description="Repeats of each picture in an epoch, 1-10000. Empty: N of an `N_name` folder, else 1.",
    )  # fmt: skip
    is_reg: bool = Field(
        False,
        description="Regularisation pictures: pictures such as the base makes itself, without the trigger; they keep the rest of the base as it was.",
    )
    caption_dropout_rate: float | None = Field(
        None, ge=0, le=1,
        description="Share of this folder's samples with an empty caption, 0-1. Empty: captions.caption_dropout_rate. About 0.4 on regularisation "
        "pictures keeps what guidance steers away from as it was.",
    )  # fmt: skip
    caption_extension: str | None = Field(
        None, min_length=1, description="Suffix of this folder's caption files, such as .caption. Empty: .txt, then .caption."
    )
    shuffle_caption: bool | None = Field(None, description="captions.shuffle_caption for this folder. Empty: that of captions.")
    keep_tokens: int | None = Field(None, ge=0, le=100, description="captions.keep_tokens for this folder, 0-100. Empty: that of captions.")
    keep_tokens_separator: str | None = Field(
        None, min_length=1, description="captions.keep_tokens_separator for this folder. Empty: that of captions."
    )
    caption_separator: str | None = Field(
        None, min_length=1, description="captions.caption_separator for this folder. Empty: that of captions."
    )
    secondary_separator: str | None = Field(
        None, min_length=1, description="captions.secondary_separator for this folder. Empty: that of captions."
    )
    caption_lines: CaptionLines | None = Field(None, description="captions.caption_lines for this folder. Empty: that of captions.")
    enable_wildcard: bool | None = Field(None, description="captions.enable_wildcard for this folder. Empty: that of captions.")
    caption_prefix: str | None = Field(None, min_length=1, description="captions.caption_prefix for this folder. Empty: that of captions.")
    caption_suffix: str | None = Field(None, min_length=1, description="captions.caption_suffix for this folder. Empty: that of captions.")
    caption_tag_dropout_rate: float | None = Field(
        None, ge=0, le=1, description="captions.caption_tag_dropout_rate for this folder, 0-1. Empty: that of captions."
    )
    loss_weight: float = Field(
        1.0,
        ge=0,
        le=10,
        description="How much each of this folder's samples counts in the loss, 0-10; 1 is as much as all others, 0.5 half.",
    )
    resolution: int | tuple[int, int] | None = Field(
        None, description="This folder's own training area in pixels: a number, or [width, height]. Empty: buckets.resolution."
    )
    batch_size: int | None = Field(
        None, ge=1, le=1024,
        description="This folder's own batch size, 1-1024. Empty: training.batch_size. Only pictures of one resolution and batch size share a batch.",
    )  # fmt: skip
    flip_aug: bool = Field(
        False,
        description="A picture is mirrored every other time that it is seen; never with what has a left and a right: marks, letters, an eye patch.",
    )
    color_aug: bool = Field(
        False,
        description="One sample in three has its hue or brightness changed a little; the autoencoder then works along in the training.",
    )
    random_crop: bool = Field(
        False,
        description="What does not fit the bucket is cut off at a place drawn for each sample, not evenly; the autoencoder works along.",
    )
    alpha_mask: bool = Field(
        False, description="Transparent parts of the pictures do not count in the loss; half-transparent ones count half."
    )
    mask_path: Path | None = Field(
        None, description="Folder with a grey mask of the same name for each picture: white counts in the loss, black does not."
    )
    masked_loss: bool = Field(
        True,
        description="A grey mask beside a picture, cat-masklabel.png for cat.jpg, counts as in mask_path; erasing a region makes one. False: it is ignored.",
    )

    _resolution_in_range = field_validator("resolution")(_sides)

    def caption_rules(self, rules: CaptionRules) -> CaptionRules:
        """`rules`, those of `captions`, with what this folder has of its own."""
        own: dict[str, Any] = {
            "dropout": self.caption_dropout_rate, "shuffle": self.shuffle_caption, "keep_tokens": self.keep_tokens,
            "keep_tokens_separator": self.keep_tokens_separator, "separator": self.caption_separator,
            "secondary_separator": self.secondary_separator, "lines": self.caption_lines, "wildcards": self.enable_wildcard,
            "prefix": self.caption_prefix, "suffix": self.caption_suffix, "tag_dropout": self.caption_tag_dropout_rate,
        }  # fmt: skip
        return replace(rules, **{name: value for name, value in own.items() if value is not None})


def check_datasets(datasets: Sequence[DatasetSettings]) -> None:
    """Raises SettingsError where settings of a folder contradict each other."""
    for number, dataset in enumerate(datasets):
        where = f"datasets.{number}"
        if dataset.alpha_mask and dataset.mask_path is not None:
            raise SettingsError(
                f"{where}.alpha_mask and {where}.mask_path are both set for {dataset.path}, but a picture has one mask. Leave one of them out."
            )
        if dataset.random_crop and (dataset.alpha_mask or dataset.mask_path is not None):
            name = "alpha_mask" if dataset.alpha_mask else "mask_path"
            raise SettingsError(
                f"{where}.random_crop may cut away all that {where}.{name} lets count, for {dataset.path}. Leave one of them out."
            )


class BucketSettings(BaseModel):
    """Pictures keep their shape: each goes to the bucket (width x height) whose aspect is nearest to its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    resolution: int | tuple[int, int] = Field(
        512, description="Training area in pixels: one number for a square, or [width, height]. The base's native size is best."
    )
    enable_bucket: bool = Field(True, description="Sort pictures into buckets by their shape. Off: every picture is cropped to one size.")
    min_bucket_reso: int = Field(256, ge=8, description="Shortest side of a bucket, in pixels.")
    max_bucket_reso: int = Field(
        1024,
        ge=8,
        description="Longest side of a bucket, in pixels; twice the resolution is usual, since equal to it wide pictures lose area.",
    )
    bucket_reso_steps: int = Field(64, ge=8, description="Sides of buckets are multiples of this, in pixels.")
    bucket_no_upscale: bool = Field(False, description="Small pictures are not enlarged; they get a bucket of their own size.")

    _resolution_in_range = field_validator("resolution")(_sides)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.resolution if isinstance(self.resolution, tuple) else (self.resolution, self.resolution)


def check_buckets(buckets: BucketSettings) -> list[str]:
    """Warnings about sizes of buckets that nothing reads."""
    fields = BucketSettings.model_fields
    given = [f"buckets.{name}" for name in ("min_bucket_reso", "max_bucket_reso", "bucket_reso_steps", "bucket_no_upscale")
             if getattr(buckets, name) != fields[name].default]  # fmt: skip
    if not buckets.enable_bucket:
        return [f"{name} has no effect while buckets.enable_bucket is off. Remove it, or switch that on." for name in given]
    if buckets.bucket_no_upscale:
        return [
            f"{name} has no effect with buckets.bucket_no_upscale, which gives each picture a bucket of its own size. Remove one of them."
            for name in given
            if name.endswith("bucket_reso")
        ]
    return []


class CaptionSettings(BaseModel):
    """How captions are read while training."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trigger: str | None = Field(
        None, description="The trigger word: the word that calls the LoRA. It becomes the first tag of every caption."
    )
    shuffle_caption: bool = Field(
        False, description="Tags are put in a new order for each sample. On for captions of tags, off for sentences."
    )
    keep_tokens: int = Field(
        0, ge=0, le=100, description="How many tags at the front stay where they are when shuffling, 0-100; 1 with a trigger word."
    )
    keep_tokens_separator: str | None = Field(
        None,
        min_length=1,
        description="Tags before its first occurrence in a caption stay in front, those after its second at the end. Empty: keep_tokens counts.",
    )
    caption_separator: str = Field(",", min_length=1, description="What separates the tags in the caption files.")
    secondary_separator: str | None = Field(
        None, min_length=1, description="Joins tags that are shuffled as one; the model reads caption_separator there."
    )
    caption_lines: CaptionLines | None = Field(
        None,
        description="Lines of a caption file that are trained: first, random (one is drawn for each sample), all. Empty: first, or random "
        "with enable_wildcard.",
    )
    enable_wildcard: bool = Field(False, description="For each sample one choice of {red|blue} is drawn, and a line (see caption_lines).")
    caption_prefix: str | None = Field(None, min_length=1, description="Put in front of every caption, with a space.")
    caption_suffix: str | None = Field(None, min_length=1, description="Put after every caption, with a space.")
    caption_dropout_rate: float = Field(
        0.0, ge=0, lt=1, description="Share of samples with an empty caption, 0-1; 0-0.05 for a character, up to 0.1 for a style."
    )
    caption_dropout_every_n_epochs: int = Field(
        0, ge=0, description="In every this many-th epoch all captions are empty; 0 is never, and usual."
    )
    caption_tag_dropout_rate: float = Field(0.0, ge=0, le=1, description="Share of tags left out of each sample, 0-1; kept tags never are.")
    token_warmup_min: int = Field(1, ge=1, description="Tags after the kept ones that are used at the first step of a token warm-up.")
    token_warmup_step: float = Field(0, ge=0, description="Steps until all tags are used; below 1, a share of all steps; 0 is off.")
    cached_variants: int = Field(
        0, ge=0, le=1000,
        description="0: captions are encoded as they come. N: each picture's caption is drawn N times beforehand (shuffle, tag dropout, "
        "wildcards), all are encoded before training, and the text encoders leave the memory; 10 or so with shuffle, 1 without.",
    )  # fmt: skip

    @field_validator("trigger")
    @classmethod
    def _one_tag(cls, value: str | None) -> str | None:
        if value is not None and ("," in value or not value.strip()):
            raise ValueError("must be one tag: not empty, without a comma")
        return value.strip() if value else value

    @property
    def rules(self) -> CaptionRules:
        """What happens to a caption in each sample."""
        return CaptionRules(
            shuffle=self.shuffle_caption, keep_tokens=self.keep_tokens, trigger=self.trigger, dropout=self.caption_dropout_rate,
            dropout_every_n_epochs=self.caption_dropout_every_n_epochs, tag_dropout=self.caption_tag_dropout_rate,
            keep_tokens_separator=self.keep_tokens_separator, separator=self.caption_separator,
            secondary_separator=self.secondary_separator, prefix=self.caption_prefix, suffix=self.caption_suffix,
            wildcards=self.enable_wildcard, lines=self.caption_lines, token_warmup_min=self.token_warmup_min, token_warmup_step=self.token_warmup_step,
        )  # fmt: skip
