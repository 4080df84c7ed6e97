"""The difference of two checkpoints of one family as a network file: a fine-tune made small.

    change of a layer = W_tuned - W_base        as a LoRA: its largest singular values (see `low_rank`), alpha = rank

Both checkpoints are read one tensor after the other, from single files or folders, whatever names and precision each has, and what is found
waits on the disk: memory holds the layer at work, however large the checkpoints are. A tensor counts
as unchanged where no number differs by more than rounding to the coarser of the two precisions explains; those are left out.

What is written depends on the form: "lora" holds linear layers and 1x1 convolutions, "locon" wider convolutions too, "full" every layer
number for number with its bias, and normalisations. What a form cannot hold is reported by name with its norm, and counts in the error:

    error = ||change - what was written|| / ||change||        Frobenius norms; over a layer, or over all that was compared

Singular values are kept as they are. (kohya's extraction clamps both factors at a quantile, which changes what the LoRA does.)
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lorasmith.adapters.base_weights import BaseWeights, base_on_disk
from lorasmith.adapters.delta import delta
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.lora_file import PRECISIONS
from lorasmith.adapters.files.metadata import architecture_of, base_model_version, is_v2
from lorasmith.adapters.files.network import check_new_file, save_made
from lorasmith.adapters.files.real_layers import exists_at_some_size
from lorasmith.adapters.kinds import full, norm
from lorasmith.adapters.kinds.kind import Kind
from lorasmith.adapters.layer import Layer
from lorasmith.adapters.tools.disk_tensors import DiskTensors
from lorasmith.adapters.tools.low_rank import best_layer, matrix_svd
from lorasmith.adapters.tools.ranks import NEED_ALL, check_method, check_rank, dynamic_rank
from lorasmith.errors import AdapterError, SettingsError
from lorasmith.models.description import Description
from lorasmith.models.files.tensor_file import TYPES
from lorasmith.models.files.weights import PartReader
from lorasmith.models.named import public_name_of
from lorasmith.models.open import describe
from lorasmith.progress import Progress
from lorasmith.registry import nearest


@dataclass(frozen=True)
class Form:
    """What a file of extracted changes holds."""

    words: str
    low_rank: bool
    wide_kernels: bool


FORMS = {
    "lora": Form("linear layers and 1x1 convolutions", low_rank=True, wide_kernels=False),
    "locon": Form("convolutions of any kernel too", low_rank=True, wide_kernels=True),
    "full": Form("all layers number for number, with biases and normalisations", low_rank=False, wide_kernels=True),
}
USUAL_RANK = 32


@dataclass(frozen=True)
class ExtractedLayer:
    """A layer of the new file."""

    name: str
    kind: Kind
    rank: int | None
    """None for a difference or a normalisation."""
    norm: float
    """Frobenius norm of the change."""
    error: float
    """||change - what was written|| / ||change||, 0 to 1; the rounding of the new file's numbers is in it."""


@dataclass(frozen=True)
class LeftOut:
    """A tensor that differs, and that the new file cannot hold."""

    name: str
    """Its part and its path in diffusers' module: "unet.conv_in.bias"."""
    norm: float


@dataclass(frozen=True)
class Extraction:
    """What became of the difference of two checkpoints."""

    family: str
    parts: tuple[str, ...]
    """What was compared."""
    layers: tuple[ExtractedLayer, ...]
    left_out: tuple[LeftOut, ...]
    """The largest first."""
    unchanged: int
    """Layers that differ by no more than rounding."""
    notes: tuple[str, ...] = ()

    @property
    def norm(self) -> float:
        """Frobenius norm of all that differs."""
        return math.hypot(*(layer.norm for layer in self.layers), *(tensor.norm for tensor in self.left_out))

    @property
    def error(self) -> float:
        """||difference - what was written|| / ||difference||, over all that was compared."""
        lost = math.hypot(*(layer.error * layer.norm for layer in self.layers), *(tensor.norm for tensor in self.left_out))
        return lost / self.norm if lost else 0.0

    def share(self, tensors: Sequence[LeftOut]) -> float:
        """The share of the difference's norm that is in these tensors, 0 to 1."""
        return math.hypot(*(tensor.norm for tensor in tensors)) / self.norm if self.norm else 0.0


@dataclass(frozen=True)
class Wanted:
    """How changes are to be written."""

    form: Form
    rank: int
    conv_rank: int
    method: str | None
    target: float
    dtype: torch.dtype

    def layer(self, name: str, change: Tensor) -> Layer | None:
        """The change of a weight as a layer of the new file, rounded as it will be; None where the form cannot hold it."""
        wide = any(side != 1 for side in change.shape[2:])
        if wide and not self.form.wide_kernels:
            return None
        if not self.form.low_rank:
            return self.rounded(Layer(name, full.KIND, {full.DIFF: change.float()}))
        most = self.conv_rank if wide else self.rank
        found = matrix_svd(change.flatten(1), None if self.method in NEED_ALL else most)
        rank = dynamic_rank(found.s, self.method, self.target, most, found.rest) if self.method else most
        return self.rounded(best_layer(name, found, rank, tuple(change.shape[1:])))

    def rounded(self, layer: Layer) -> Layer:
        """The layer in the numbers of the new file."""
        return layer.mapped(lambda tensor: tensor.to(self.dtype))


# ---- comparing


def difference(tuned: PartReader, base: PartReader, name: str) -> Tensor | None:
    """tuned - base of one tensor in fp64; None where no number differs by more than rounding.

    Raises:
        AdapterError: the tensors have different shapes, or numbers that are not finite.
    """
    if tuned.shapes[name] != base.shapes.get(name):
        raise AdapterError(
            f"{name} is {list(tuned.shapes[name])} in the one checkpoint and {list(base.shapes.get(name, ()))} in the other: "
            "the one was not made from the other.",
            code="extract.misfit",
            tensor=name,
        )
    new, old = (reader.read(name, torch.float32).double() for reader in (tuned, base))
    change, size = new - old, torch.maximum(new.abs(), old.abs())
    if not change.isfinite().all():
        raise AdapterError(
            f"{name} has numbers that are not finite (NaN or infinity): one of the checkpoints is damaged.",
            code="adapter.not_finite",
            tensor=name,
        )
    return change if bool((change.abs() > _rounding(tuned, base, name, size)).any()) else None


def _rounding(tuned: PartReader, base: PartReader, name: str, size: Tensor) -> Tensor:
    """How far rounding alone can move numbers of this size: not at all where both files have the same dtype."""
    dtypes = {reader.stored_as(name) for reader in (tuned, base)}
    if len(dtypes) == 1 and tuned.scale_of(name) is None and base.scale_of(name) is None:
        return torch.zeros(())
    coarser = max((torch.finfo(getattr(torch, TYPES[dtype][0])) for dtype in dtypes), key=lambda info: info.eps)
    return coarser.eps / 2 * size.clamp(min=coarser.tiny)


class _Part:
    """One part of both checkpoints, compared layer by layer."""

    def __init__(self, part: str, tuned: BaseWeights, base: BaseWeights, wanted: Wanted, disk: DiskTensors):
        self.part, self.family, self.shape = part, base.family, base.shape
        self.tuned, self.base, self.wanted = tuned.readers[part], base.readers[part], wanted
        self.targets = keys.targets(self.family, part, self.base.module, "full")
        self.disk = disk
        self.layers: list[tuple[Layer, ExtractedLayer]] = []
        self.left_out: list[LeftOut] = []
        self.unchanged = 0

    def compare(self) -> Iterator[None]:
        """Compare all tensors; yields after each layer."""
        done = set()
        for name, paths in self.targets.items():
            self._compare_layer(name, paths)
            done |= {f"{path}.{kind}" for path in paths for kind in ("weight", "bias")}
            yield
        # What two tensors of a module share is compared once.
        shared = {(take.key, take.rows): name for name, take in reversed(self.base.takes.items()) if name not in done}
        others = sorted(shared.values())
        beside = {name.removesuffix("weight") + "bias" for name in others if name.endswith(".weight")}
        for name in others:
            if name not in beside:
                self._compare_other(name)

    def _difference(self, name: str) -> Tensor | None:
        return difference(self.tuned, self.base, name) if name in self.base.shapes else None

    def _compare_layer(self, name: str, paths: tuple[str, ...]) -> None:
        change = self._rows([f"{path}.weight" for path in paths])
        bias = self._rows([f"{path}.bias" for path in paths])
        if change is None and bias is None:
            self.unchanged += 1
            return
        if bias is not None and self.wanted.form.low_rank:
            self._leave_out(f"{paths[0]}.bias", bias)
            bias = None
        if change is None and bias is not None:
            change = torch.zeros(self._whole_shape(paths), dtype=torch.float64)
        if change is None:
            return
        layer = self.wanted.layer(name, change)
        if layer is None:
            self._leave_out(f"{paths[0]}.weight", change)
            return
        if bias is not None:
            layer = Layer(name, layer.kind, {**layer.tensors, full.DIFF_B: bias.to(self.wanted.dtype)})
        self._keep(layer, math.hypot(float(change.norm()), 0.0 if bias is None else float(bias.norm())), self._lost(layer, change, bias))

    def _rows(self, names: list[str]) -> Tensor | None:
        """The change of tensors one below the other; None where none of them changed."""
        found = [self._difference(name) for name in names]
        if all(change is None for change in found):
            return None
        pairs = zip(names, found, strict=True)
        return torch.cat([torch.zeros(self.base.shapes[name], dtype=torch.float64) if change is None else change for name, change in pairs])

    def _whole_shape(self, paths: tuple[str, ...]) -> tuple[int, ...]:
        shapes = [self.base.shapes[f"{path}.weight"] for path in paths]
        return (sum(shape[0] for shape in shapes), *shapes[0][1:])

    @staticmethod
    def _lost(layer: Layer, change: Tensor, bias: Tensor | None) -> float:
        written = layer.delta_bias()
        of_bias = 0.0 if bias is None or written is None else float((bias - written).norm())
        return math.hypot(float((change - delta(layer).reshape(change.shape)).norm()), of_bias)

    def _compare_other(self, name: str) -> None:
        """A tensor of no layer that a LoRA changes: a normalisation, an embedding."""
        path, _, kind = name.rpartition(".")
        change, bias = self._difference(name), self._difference(f"{path}.bias") if kind == "weight" else None
        if change is None and bias is None:
            return
        place = self._norm_name(path) if kind == "weight" and not self.wanted.form.low_rank else None
        if place is None:
            for each, of in ((change, name), (bias, f"{path}.bias")):
                if each is not None:
                    self._leave_out(of, each)
            return
        scale, shift = (torch.zeros(self.base.shapes[name], dtype=torch.float64) if each is None else each for each in (change, bias))
        layer = self.wanted.rounded(Layer(place, norm.KIND, {norm.W: scale, norm.B: shift}))
        lost = math.hypot(*(float((a - layer.tensors[end].double()).norm()) for a, end in ((scale, norm.W), (shift, norm.B))))
        self._keep(layer, math.hypot(float(scale.norm()), float(shift.norm())), lost)

    def _norm_name(self, path: str) -> str | None:
        """What a normalisation, which has a scale and perhaps a shift, is called in files; None for other tensors."""
        scale = self.base.shapes.get(f"{path}.weight", ())
        if len(scale) != 1 or self.base.shapes.get(f"{path}.bias", scale) != scale:
            return None
        try:
            name = keys.place(self.family, self.part, path, self.shape).name
        except AdapterError:
            return None
        return name if exists_at_some_size(self.family, name, self.shape) else None

    def _keep(self, layer: Layer, size: float, lost: float) -> None:
        self.layers.append(
            (layer.mapped(self.disk.keep), ExtractedLayer(layer.name, layer.kind, layer.rank, size, lost / size if size else 0.0))
        )

    def _leave_out(self, name: str, change: Tensor) -> None:
        self.left_out.append(LeftOut(f"{self.part}.{name}", float(change.norm())))


# ---- a file from two


def extract_file(
    tuned: str | Path,
    base: str | Path,
    out: str | Path,
    form: str = "lora",
    rank: int | None = None,
    conv_rank: int | None = None,
    method: str | None = None,
    target: float = 0.95,
    parts: Collection[str] = (),
    precision: str | None = None,
    overwrite: bool = False,
    config: str | Path | None = None,
    progress: Progress = lambda done, total: None,
) -> Extraction:
    """Write what a fine-tuned checkpoint changed in its base as a LoRA file.

    Parameters
    ----------
    tuned, base
        Two checkpoints of one family: single files, diffusers folders or hub ids, in any layout and precision.
    out
        The new file, a .safetensors.
    form
        "lora" (linear layers and 1x1 convolutions), "locon" (wider convolutions too), or "full" (all layers number for number, with
        biases and normalisations).
    rank, conv_rank
        The rank (None: 32), and that of convolutions wider than 1x1 (None: `rank`); with a `method` the most that a layer may have.
    method, target
        Choose each layer's rank: "sv_ratio" (say 20), "sv_fro" or "sv_cumulative" (a share, say 0.95).
    parts
        What is compared, in diffusers' names ("unet", "text_encoder"). Empty: the denoiser alone.
    precision
        fp32, fp16 or bf16. None: that of the tuned denoiser, of one in fp8 fp16.
    overwrite
        Replace `out` where it exists.
    config
        A diffusers folder with the settings of the checkpoints' parts, for single files of unusual size.
    progress
        Called with (layers done, of how many).

    Returns
    -------
    Layer by layer what was written and with which error, what could not be written, and the error in all.

    Raises
    ------
    AdapterError
        The checkpoints are of different families, do not fit each other, or do not differ.
    SettingsError
        The form or the part is unknown, or a setting has no effect on this form.
    InputError
        The new file exists already, or is not called .safetensors.

    Examples
    --------
    >>> changed = ls.merge_into_base([("my-lora.safetensors", 0.8)], "base", "tuned")
    >>> found = ls.extract("tuned", "base", "extracted.safetensors", rank=2)
    >>> found.parts, {layer.rank for layer in found.layers}
    (('unet',), {2})
    """
    out = Path(out)
    check_new_file(out, overwrite)
    _check_form(form, rank, conv_rank, method, target)
    new, old = (describe(each) if config is None else describe(each, config=Path(config)) for each in (tuned, base))
    if new.family != old.family:
        raise AdapterError(
            f"{new.source} is for {new.family} and {old.source} for {old.family}: only checkpoints of one family have a difference.",
            code="extract.families",
        )
    compared = _parts(old, parts)
    dtype = _dtype(new, precision)
    usual = USUAL_RANK if rank is None else rank
    wanted = Wanted(FORMS[form], usual, usual if conv_rank is None else conv_rank, method, target, dtype)
    on_disk = base_on_disk(new, compared), base_on_disk(old, compared)
    with DiskTensors(out.parent) as disk:
        found = [_Part(part, *on_disk, wanted, disk) for part in compared]
        total, done = sum(len(part.targets) for part in found), 0
        for part in found:
            for _ in part.compare():
                done += 1
                progress(done, total)
        layers = {layer.name: layer for part in found for layer, _ in part.layers}
        left_out = sorted((each for part in found for each in part.left_out), key=lambda each: -each.norm)
        if not layers:
            raise AdapterError(_nothing(new, old, compared, form, left_out), code="extract.nothing")
        save_made(out, layers, old.family, _metadata(new, old, out), dtype)
    reports = tuple(report for part in found for _, report in part.layers)
    return Extraction(old.family, compared, reports, tuple(left_out), sum(part.unchanged for part in found), _notes(new, old))


def _check_form(form: str, rank: int | None, conv_rank: int | None, method: str | None, target: float) -> None:
    if form not in FORMS:
        raise SettingsError(f"A difference cannot be written as '{form}'; {nearest(form, FORMS)}", code="extract.form")
    wanted = FORMS[form]
    for name, value in (("rank", rank), ("conv_rank", conv_rank), ("by", method)):
        if value is not None and not (wanted.low_rank and (wanted.wide_kernels or name != "conv_rank")):
            raise SettingsError(f"{name} has no effect on '{form}', which holds {wanted.words}: remove it.", code="extract.no_effect")
    for each in (rank, conv_rank):
        check_rank(1 if each is None else each)
    if method is not None:
        check_method(method, target)


def _parts(base: Description, asked: Collection[str]) -> tuple[str, ...]:
    """The parts to compare."""
    carrying = [part for part in base.parts if part in keys.naming_of(base.family).parts]
    if unknown := [part for part in asked if part not in carrying]:
        raise SettingsError(
            f"{base.source} has no part '{unknown[0]}' that a LoRA changes; {nearest(unknown[0], carrying)}", code="extract.part"
        )
    return tuple(dict.fromkeys(asked)) or (base.denoiser,)


def _dtype(tuned: Description, precision: str | None) -> torch.dtype:
    """The dtype of the new file: as asked, else that of the tuned denoiser, fp16 where that is none of a LoRA's."""
    if precision is None:
        return PRECISIONS.get(tuned.parts[tuned.denoiser].dtype, torch.float16)
    if precision not in PRECISIONS:
        raise SettingsError(f"Numbers cannot be written as '{precision}': choose {', '.join(PRECISIONS)}.", code="lora.precision")
    return PRECISIONS[precision]


def _nothing(tuned: Description, base: Description, parts: tuple[str, ...], form: str, left_out: list[LeftOut]) -> str:
    if not left_out:
        return (
            f"{tuned.source} and {base.source} differ by no more than rounding in their {' and '.join(parts)}: there is nothing to extract."
        )
    return (
        f"{tuned.source} and {base.source} differ in nothing that '{form}' holds ({FORMS[form].words}), but in {left_out[0].name}: "
        "extract them as full."
    )


def _notes(tuned: Description, base: Description) -> tuple[str, ...]:
    if (tuned.prediction_type, tuned.zero_terminal_snr) == (base.prediction_type, base.zero_terminal_snr):
        return ()
    of = [f"{each.prediction_type}{' with zero terminal SNR' if each.zero_terminal_snr else ''}" for each in (tuned, base)]
    return (
        f"The tuned checkpoint predicts {of[0]} and the base {of[1]}, which no LoRA carries: generate with the settings of the tuned one.",
    )


def _metadata(tuned: Description, base: Description, out: Path) -> dict[str, str]:
    version = base_model_version(base.family, base.prediction_type)
    architecture, implementation = architecture_of(version)
    return {
        "ss_base_model_version": version,
        "ss_v2": str(is_v2(version)),
        "ss_sd_model_name": public_name_of(base.source),
        "ss_output_name": out.stem,
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": f"{architecture}/lora",
        "modelspec.implementation": implementation,
        "modelspec.title": out.stem,
        "modelspec.description": f"The difference of {public_name_of(tuned.source)} and {public_name_of(base.source)}.",
    }
