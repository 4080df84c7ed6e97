"""What a LoRA file will do in each program, before the user finds out: what loads, what is dropped or generated wrongly, and why.

    report = check_file("mimi.safetensors")
    report.consumers["diffusers"].verdict      # "all", "part", "wrong", "none" or "unknown"
    report.problems()                          # findings; empty for a sound file

Also whether the file is damaged (numbers that are not finite, layers that do nothing, a wrong alpha), whether its layers and
their shapes fit a base, and which type the UIs will show.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from lorasmith.adapters.base_weights import BaseWeights, opened_base, standard_base
from lorasmith.adapters.compatibility.consumers import ui_type
from lorasmith.adapters.compatibility.idle import beyond_clip_skip, idle_layers, unread_in_last_block
from lorasmith.adapters.compatibility.loading import ConsumerReport, in_programs
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.lora_file import LoraFile, load_tensors
from lorasmith.adapters.files.network import Network
from lorasmith.adapters.files.peft_alphas import ADAPTER_CONFIG
from lorasmith.adapters.kinds import ALPHA
from lorasmith.adapters.kinds.programs import CONSUMERS
from lorasmith.adapters.outline import LayerOutline
from lorasmith.findings import Evidence, Finding, Fix, Severity
from lorasmith.models.families import FAMILIES
from lorasmith.pages.numbers import count


@dataclass(frozen=True)
class CheckReport:
    """All that can be said of a LoRA file without generating with it."""

    family: str
    layers: int
    """As the file has them: query, key and value count as three where they were trained apart."""
    kinds: dict[str, int]
    """Form of a layer -> layers."""
    ranks: dict[str, int]
    """Rank, as a string -> layers; empty for kinds without one."""
    alike: tuple[str, ...]
    """Titles of other models that the file could be for as well."""
    dialects: list[str]
    consumers: dict[str, ConsumerReport]
    base: str
    """What the layers were compared with; empty where they were not."""
    ui_type: str | None
    """What AUTOMATIC1111 takes it for, by its metadata."""
    findings: tuple[Finding, ...]
    """About the file itself: damage, layers that do not fit the base, and notes."""

    def problems(self, programs: tuple[str, ...] = CONSUMERS) -> list[Finding]:
        """What is wrong: with the file, and in these programs."""
        of_programs = [
            finding
            for program in programs
            if self.consumers[program].verdict not in ("all", "family")
            for finding in self.consumers[program].findings
        ]
        return [finding for finding in (*self.findings, *of_programs) if finding.severity != "note"]

    def notes(self, programs: tuple[str, ...] = CONSUMERS) -> list[Finding]:
        """What is worth knowing and no problem, of the file and of these programs; what was not tried is said by the verdict."""
        of_programs = [finding for program in programs for finding in self.consumers[program].findings if finding.code == "check.precision"]
        return [finding for finding in (*self.findings, *of_programs) if finding.severity == "note"]

    def as_data(self, programs: tuple[str, ...] = CONSUMERS) -> dict[str, Any]:
        """For --json."""
        return {
            "family": self.family, "alike": list(self.alike), "layers": self.layers, "kinds": self.kinds, "ranks": self.ranks, "names": self.dialects,
            "consumers": {program: self.consumers[program].as_data for program in programs},
            "base": self.base, "ui_type": self.ui_type, "findings": [finding.as_data for finding in self.findings],
            "problems": [finding.as_data for finding in self.problems(programs)],
        }  # fmt: skip


def check_file(
    file: LoraFile | str | Path,
    family: str | None = None,
    base: BaseWeights | str | Path | None = None,
    base_name: str | None = None,
    allow_pickle: bool = False,
    fit: bool = True,
) -> CheckReport:
    """Check what a LoRA file will do in each program, and whether it is sound and fits its base.

    Parameters
    ----------
    file
        A LoRA file of any trainer.
    family
        Such as "sdxl", where the file does not show it.
    base
        What to compare the layers with: a file, a folder or a hub id, of which the header is read alone. None: the family at its
        standard size.
    base_name
        What the report calls the base.
    allow_pickle
        Read .pt, .ckpt and .bin files too, by torch's unpickler for weights alone.
    fit
        Compare the layers with the base. Of a family at its standard size that takes seconds, for its model is made without weights.

    Raises
    ------
    AdapterError
        There is no network in the file, or nothing in it shows its family.

    Examples
    --------
    >>> report = ls.check_file("my-lora.safetensors", base="base")
    >>> report.consumers["ComfyUI"].verdict
    'all'
    >>> [finding.message for finding in report.findings if finding.code == "check.misfit"]
    []
    """
    if isinstance(base, str | Path):
        base_name = base_name or str(base)
    base = opened_base(base, with_weights=False)
    if not isinstance(file, LoraFile):
        file = load_tensors(file, allow_pickle)
    network = read_network(file.tensors, file.metadata, base.family if base else family, base.shape if base else None)
    ranks = Counter(layer.rank for layer in network.in_file if layer.rank is not None)
    metadata = {key: value for key, value in file.metadata.items() if key != ADAPTER_CONFIG}
    shown = ui_type(metadata)
    return CheckReport(
        network.family,
        len(network.in_file),
        dict(Counter(layer.form.name for layer in network.in_file)),
        {str(rank): count for rank, count in sorted(ranks.items())},
        network.alike,
        list(network.dialects),
        in_programs(network),
        (base_name or f"{network.family} at its standard size") if fit else "",
        shown,
        (
            *_tensor_findings(file.tensors, network),
            *_unread_findings(network),
            *_idle_findings(network),
            *_metadata_findings(network, metadata, shown),
            *(_fit_findings(network, base) if fit else ()),
        ),
    )


# ---- the file itself


def _finding(
    rule: str, severity: Severity, message: str, subjects: tuple[str, ...] | list[str] = (), why: str = "", fix: str = "", total: int = 0
) -> Finding:
    """A finding about tensors or layers of the file; with `total`, the evidence is how many of them are concerned."""
    return Finding(
        code=f"check.{rule}",
        severity=severity,
        message=message,
        about="layer" if subjects else "file",
        subjects=tuple(subjects),
        evidence=Evidence(len(subjects), "layers", f"{len(subjects)} of {total} layers.") if total else None,
        why=why,
        fix=Fix(fix) if fix else None,
    )


def _heads(layers: Iterable[LayerOutline]) -> list[str]:
    """What the file calls these layers."""
    return [head for layer in layers for head in layer.written_as]


def _tensor_findings(tensors: Mapping[str, Tensor], network: Network) -> Iterator[Finding]:
    """Numbers that are not finite, and alphas that are not what they should be."""
    unused = {f"{head}.{ALPHA}" for layer in network.layers.values() if not layer.alpha_counts for head in layer.written_as}
    broken = [key for key, tensor in tensors.items() if key not in unused and tensor.is_floating_point() and not tensor.isfinite().all()]
    if broken:
        yield _finding(
            "not_finite", "error", f"{count(len(broken), 'tensor')} {'has' if len(broken) == 1 else 'have'} numbers that are not finite (NaN or infinity), {broken[0]} first.", broken,
            "The training broke down, and images made with it will be black or noise.", "Take an earlier checkpoint, or train again.",
        )  # fmt: skip
    alphas = {key: tensor for key, tensor in tensors.items() if key.endswith(f".{ALPHA}") and tensor.numel() == 1}
    if lists := [key for key, tensor in alphas.items() if tensor.dim() > 0]:
        yield _finding(
            "alpha_shape", "warning", f"{len(lists)} alphas are lists of one number instead of a number, {lists[0]} first.", lists,
            "Not every program reads that.", "Write the file again: lorasmith lora convert.",
        )  # fmt: skip


def _unread_findings(network: Network) -> Iterator[Finding]:
    """Tensors that cannot be read, by reason."""
    reasons: dict[str, list[str]] = {}
    for key, reason in network.unread.items():
        reasons.setdefault(reason, []).append(key)
    for reason, found in reasons.items():
        yield _finding(
            "unreadable", "error", f"{count(len(found), 'tensor')} cannot be read, {found[0]} first. {reason.rstrip('.')}.", found
        )


def _idle_findings(network: Network) -> Iterator[Finding]:
    """Layers that do nothing: because their alpha is 0, or because a factor of their change is zero (or as good as)."""
    total = len(network.in_file)
    silent = _heads(layer for layer in network.in_file if layer.alpha == 0 and layer.rank is not None)
    if silent:
        yield _finding(
            "alpha_zero", "error", f"{len(silent)} alphas are 0, {silent[0]} first: these layers do nothing.", silent, total=total
        )
    idle = idle_layers(network.layers)
    if idle and len(idle) == len(network.layers):
        every = _heads(network.layers.values())
        yield _finding("changes_nothing", "error", "Every layer is zero: the file changes nothing.", every, total=total)
        return
    clipped = beyond_clip_skip(network.layers, idle)
    beyond = _heads(network.layers[name] for name in clipped)
    last = unread_in_last_block(network.family, network.layers, idle)
    if others := _heads(network.layers[name] for name in idle if name not in clipped | last):
        yield _finding(
            "idle", "warning", f"{len(others)} of {total} layers are zero and change nothing, {others[0]} first.", others,
            "Either they were not trained, or no gradient reached them.", total=total,
        )  # fmt: skip
    if beyond:
        yield _finding(
            "beyond_clip_skip", "note",
            f"{count(len(beyond), 'layer')} at the end of a text encoder {'is' if len(beyond) == 1 else 'are'} zero: training did not read so far.", sorted(beyond),
            "What is not read is not trained: SDXL leaves out the last block of its first encoder, clip skip that of any.", total=total,
        )  # fmt: skip
    if unread := _heads(network.layers[name] for name in last):
        yield _finding(
            "unread_in_last_block", "note",
            f"{count(len(unread), 'layer')} of the last block {'is' if len(unread) == 1 else 'are'} zero, as in every LoRA of {FAMILIES[network.family].title}.",
            sorted(unread), "Nothing reads what they make, so no gradient reaches them.", total=total,
        )  # fmt: skip


def _metadata_findings(network: Network, metadata: Mapping[str, str], shown: str | None) -> Iterator[Finding]:
    """How the file was read, and what the UIs will show."""
    for note in network.notes:
        yield _finding("read_as", "note", note)
    expected = FAMILIES[network.family].ui_type
    if expected and shown and shown != expected:
        yield _finding(
            "ui_type", "note", f"AUTOMATIC1111 takes the file for {shown} by its metadata, and hides it beside an {expected} base."
        )
    if network.alike:
        titles = " or ".join((FAMILIES[network.family].title, *network.alike))
        yield _finding(
            "family_alike", "note", f"Nothing in the file shows whether it was made for {titles}, whose layers are the same: it is checked as the "
            f"first. Programs apply it to whichever of them is loaded.",
        )  # fmt: skip
    if not metadata:
        yield _finding("no_metadata", "note", "The file has no metadata: the UIs cannot show what it is for, nor how it was trained.")
    if missing := _heads(layer for layer in network.in_file if layer.alpha is None and layer.rank is not None):
        yield _finding(
            "no_alpha", "note", f"{count(len(missing), 'layer')} {'has' if len(missing) == 1 else 'have'} no alpha: every program takes alpha / rank as 1.", missing,
            total=len(network.in_file),
        )  # fmt: skip


def _fit_findings(network: Network, base: BaseWeights | None) -> Iterator[Finding]:
    """Layers that the base does not have, or that do not fit it. Trained normalisations are not compared."""
    shapes, total = (base or standard_base(network.family)).shapes(), len(network.in_file)
    of_weights = {name: layer for name, layer in network.layers.items() if layer.kind.changes_weight}
    unknown = _heads(layer for name, layer in of_weights.items() if name not in shapes)
    misfits = {
        head: reason
        for name, layer in of_weights.items()
        if name in shapes and (reason := layer.misfit(shapes[name]))
        for head in layer.written_as
    }
    if base is None and len(unknown) + len(misfits) > total / 2:
        yield _finding(
            "other_size", "note", f"The file is not for {network.family} at its standard size.", fix="Compare it with its own base: --base."
        )
        return
    if unknown:
        yield _finding(
            "unknown_layers", "error", f"The base lacks {len(unknown)} of {total} layers, {unknown[0]} first.", unknown,
            fix="Use the file with the base that it was made for.", total=total,
        )  # fmt: skip
    if misfits:
        first, reason = next(iter(misfits.items()))
        yield _finding(
            "misfit", "error", f"{len(misfits)} of {total} layers do not fit the base, {first} first. {reason}", list(misfits),
            fix="Use the file with the base that it was made for.", total=total,
        )  # fmt: skip
