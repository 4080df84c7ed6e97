"""LoRA files beside one another: what they were trained with, how much each block changes, and whether they change the same.

    comparison = compare_loras(["mimi-v1.safetensors", "mimi-v2.safetensors"])
    comparison.settings    # what their metadata say differently
    comparison.blocks      # norms by block, and the cosine of each file's change with the first one's

A cosine of 1: the same change, however strong; 0: nothing to do with each other, as two LoRAs of different things nearly are; below 0: one
undoes what the other does. It needs the same layers, of one family.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lorasmith.adapters.base_weights import BaseWeights, opened_base
from lorasmith.adapters.layer import Layer
from lorasmith.adapters.tools.opened import open_lora
from lorasmith.dotted import dotted
from lorasmith.errors import AdapterError
from lorasmith.evaluation.compare import NEVER_COMPARED
from lorasmith.evaluation.differences import Difference, differences
from lorasmith.json_text import table_of
from lorasmith.library.changes import Change, block_of, inner, norm
from lorasmith.library.inspect import LoraInfo, inspect

SETTINGS = "lorasmith_settings"
SAYS_NOTHING = frozenset((
    SETTINGS, "lorasmith_inputs", "ss_output_name", "ss_session_id", "ss_training_started_at", "ss_training_finished_at", "ss_epoch", "ss_steps", "",
))  # fmt: skip
"""Entries that differ between any two files, or are shown in another way."""
COMPARED = ("model", "network", "training", "data")
"""Groups of what files say that is about how they were trained."""
REPEATED = frozenset(
    f"ss_{name}"
    for name in (
        "clip_skip", "max_token_length", "model_prediction_type", "apply_t5_attn_mask", "network_args", "network_dropout", "scale_weight_norms",
        "learning_rate", "unet_lr", "text_encoder_lr", "optimizer", "lr_scheduler", "lr_warmup_steps", "max_grad_norm", "seed", "mixed_precision",
        "gradient_accumulation_steps", "gradient_checkpointing", "noise_offset", "noise_offset_random_strength", "adaptive_noise_scale",
        "multires_noise_iterations", "multires_noise_discount", "ip_noise_gamma", "ip_noise_gamma_random_strength", "min_snr_gamma", "loss_type",
        "huber_schedule", "huber_c", "huber_scale", "debiased_estimation", "prior_loss_weight", "caption_dropout_rate",
        "caption_dropout_every_n_epochs", "caption_tag_dropout_rate", "timestep_sampling", "guidance_scale", "discrete_flow_shift", "sigmoid_scale",
        "weighting_scheme", "logit_mean", "logit_std", "mode_scale", "validate_every_n_epochs", "resolution", "batch_size_per_device", "enable_bucket",
        "bucket_no_upscale", "min_bucket_reso", "max_bucket_reso", "shuffle_caption", "keep_tokens", "flip_aug", "color_aug", "random_crop",
    )
)  # fmt: skip
"""Entries that say what Lorasmith's own settings say, in the words of sd-scripts."""
ALSO_SET = {
    "ss_network_dim": "network.rank", "ss_network_alpha": "network.alpha", "ss_num_epochs": "training.epochs",
    "ss_max_train_steps": "training.max_train_steps",
}  # fmt: skip
"""Entries that say the same as a setting unless something else decided: the layers' own rank after a file was resized, say."""


@dataclass(frozen=True)
class BlockComparison:
    """One block. `norms` are None where a file does not change it; `cosines` are with the first file, None where one of the two does not."""

    part: str
    block: str
    norms: tuple[float | None, ...]
    cosines: tuple[float | None, ...]


@dataclass(frozen=True)
class LoraComparison:
    """What `compare_loras` found, in the order of the files."""

    files: tuple[LoraInfo, ...]
    settings: tuple[Difference, ...]
    blocks: tuple[BlockComparison, ...]
    norms: tuple[float, ...]
    """Of each whole file."""
    cosines: tuple[tuple[float | None, ...], ...]
    """Of each pair of files, over the layers that both have."""
    notes: tuple[str, ...]

    def as_data(self) -> dict[str, Any]:
        """For --json."""
        return {
            "files": [one.file for one in self.files], "settings": [asdict(one) for one in self.settings],
            "blocks": [asdict(one) for one in self.blocks], "norms": list(self.norms), "cosines": [list(row) for row in self.cosines],
            "notes": list(self.notes),
        }  # fmt: skip


def compare_loras(
    files: Sequence[str | Path], family: str | None = None, base: str | Path | None = None, allow_pickle: bool = False
) -> LoraComparison:
    """Compare two LoRA files or more of one family: their settings, how much each block changes, and how alike they are.

    Parameters
    ----------
    files
        The files; the others are compared with the first.
    family
        Such as "sdxl", where a file does not show it.
    base
        For kinds whose change depends on it: DoRA, rotations, (IA)^3.
    allow_pickle
        Read .pt, .ckpt and .bin files too, by torch's unpickler for weights alone.

    Raises
    ------
    AdapterError
        A file cannot be read, or they are not of one family.

    Examples
    --------
    >>> comparison = ls.compare_loras(["my-lora.safetensors", "my-lora.safetensors"])
    >>> comparison.settings, round(comparison.cosines[0][1], 6)
    ((), 1.0)
    """
    if len(files) < 2:
        raise AdapterError("There is nothing to compare: give two LoRA files or more.", code="compare.one_file")
    infos = tuple(inspect(file, family, allow_pickle) for file in files)
    weights = opened_base(base, with_weights=True)
    opened = [open_lora(file, family, weights, allow_pickle) for file in files]
    families = {one.family for one in opened}
    if len(families) > 1:
        raise AdapterError(
            f"These files are of different families ({', '.join(one.family for one in opened)}), which have no layers in common: compare "
            "files of one family.",
            code="compare.families",
        )
    sums = _Sums(len(opened))
    left_out = sums.add_all([one.layers for one in opened], opened[0].family, weights)
    return LoraComparison(infos, tuple(_settings(infos)), sums.blocks(), sums.norms(), sums.cosines(), tuple(_notes(left_out)))


def _notes(left_out: Mapping[str, int]) -> Iterator[str]:
    for why, layers in left_out.items():
        yield f"{layers} {'layer is' if layers == 1 else 'layers are'} left out: {why}"


# ---- numbers


class _Sums:
    """Squares of norms and inner products of several files' layers, added up by block."""

    def __init__(self, files: int) -> None:
        self._files = files
        self._blocks: dict[tuple[str, str], dict[tuple[int, int], float]] = {}

    def add_all(self, layers: Sequence[Mapping[str, Layer]], family: str, base: BaseWeights | None) -> dict[str, int]:
        """Every layer of every file, one at a time; returns why layers were left out, with their number."""
        left_out: dict[str, int] = {}
        for name in dict.fromkeys(name for of_file in layers for name in of_file):
            changes: dict[int, Change] = {}
            for number, of_file in enumerate(layers):
                if name not in of_file:
                    continue
                try:
                    change = Change.of(of_file[name], base)
                    why = "their change depends on the base: give it with --base."
                except AdapterError:
                    change, why = None, "their numbers are not finite or do not go together."
                if change is None:
                    left_out[why] = left_out.get(why, 0) + 1
                else:
                    changes[number] = change
            self._add(block_of(family, name), changes)
        return left_out

    def _add(self, block: tuple[str, str], changes: Mapping[int, Change]) -> None:
        of_block = self._blocks.setdefault(block, {})
        for one, change in changes.items():
            for other, compared in changes.items():
                if other < one:
                    continue
                product = norm(change) ** 2 if one == other else inner(change, compared)
                if math.isfinite(product):
                    of_block[one, other] = of_block.get((one, other), 0.0) + product

    def blocks(self) -> tuple[BlockComparison, ...]:
        return tuple(
            BlockComparison(
                part, block, tuple(_root(sums.get((k, k))) for k in range(self._files)),
                tuple(_cosine(sums, 0, k) for k in range(1, self._files)),
            )
            for (part, block), sums in sorted(self._blocks.items()) if sums
        )  # fmt: skip

    def _all(self) -> dict[tuple[int, int], float]:
        found: dict[tuple[int, int], float] = {}
        for sums in self._blocks.values():
            for pair, value in sums.items():
                found[pair] = found.get(pair, 0.0) + value
        return found

    def norms(self) -> tuple[float, ...]:
        sums = self._all()
        return tuple(_root(sums.get((k, k))) or 0.0 for k in range(self._files))

    def cosines(self) -> tuple[tuple[float | None, ...], ...]:
        sums = self._all()
        return tuple(tuple(_cosine(sums, one, other) for other in range(self._files)) for one in range(self._files))


def _root(square: float | None) -> float | None:
    return None if square is None else math.sqrt(square)


def _cosine(sums: Mapping[tuple[int, int], float], one: int, other: int) -> float | None:
    """None where the two have no layer in common, or one of them changes nothing."""
    product = sums.get((min(one, other), max(one, other)))
    size = math.sqrt(sums.get((one, one), 0.0) * sums.get((other, other), 0.0))
    return None if product is None or size == 0 else product / size


# ---- settings


def _settings(infos: Sequence[LoraInfo]) -> Iterator[Difference]:
    """What the files say differently: in the words of `lora show`, then Lorasmith's own settings by their dotted names. Nothing is said twice."""
    own = [dotted(tree, lists=True) if (tree := table_of(info.metadata.get(SETTINGS, ""))) else {} for info in infos]
    of_settings = list(differences(own, NEVER_COMPARED)) if all(own) else []
    repeated = SAYS_NOTHING | (REPEATED if all(own) else frozenset()) | _also_set(infos, {one.setting: one.values for one in of_settings})
    said = [{one.title: one.text for one in info.said if one.group in COMPARED and one.key not in repeated} for info in infos]
    yield from differences(said)
    yield from of_settings


def _also_set(infos: Sequence[LoraInfo], differing: Mapping[str, tuple[Any, ...]]) -> frozenset[str]:
    """The entries that say of each file what a setting that differs says."""
    return frozenset(
        key
        for key, setting in ALSO_SET.items()
        if setting in differing
        and all(_number(info.metadata.get(key)) == _number(value) for info, value in zip(infos, differing[setting], strict=True))
    )


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
