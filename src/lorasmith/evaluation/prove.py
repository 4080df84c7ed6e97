"""Is it good, which checkpoint is best, at which weight, and how do we know? From a run, or any LoRA file, to a verdict.

    proven = prove("runs/zorvex")
    proven.verdict.sentences    # ("Use epoch 7 at weight 1.", "Epochs 6 and 8 are as good.", ...)

Plan, open the base, measure the checkpoints, pick the best, measure it at other weights, judge. What was drawn or measured before is not
done again, also where it was stopped or killed half way, so that going on is calling it once more.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lorasmith.adapters.files.lora_file import load_tensors
from lorasmith.adapters.tools.merged_base import with_merged
from lorasmith.atomic import write_atomically
from lorasmith.errors import InputError
from lorasmith.evaluation.copies import Copy, copies_of
from lorasmith.evaluation.measures.measured import CheckpointMeasures
from lorasmith.evaluation.proof.checkpoints import Checkpoint, checkpoints_of
from lorasmith.evaluation.proof.image_encoder import open_image_encoder
from lorasmith.evaluation.proof.left_out import left_out_findings
from lorasmith.evaluation.proof.measuring import measure_checkpoints
from lorasmith.evaluation.proof.plan import WEIGHTS, ProofPlan, cost
from lorasmith.evaluation.proof.plan_making import plan_for_pictures, plan_for_run
from lorasmith.evaluation.proof.record import PROOF, VERDICT, WEIGHTS_PROOF, read_record
from lorasmith.evaluation.run_record import RunRecord, read_run
from lorasmith.evaluation.signs.signs import signs_of
from lorasmith.evaluation.verdict.verdict import Verdict, verdict_on
from lorasmith.findings import Finding
from lorasmith.images.picture_cache import PICTURES
from lorasmith.models.base import Base
from lorasmith.models.device import Device, choose_device
from lorasmith.models.open import describe, load_base
from lorasmith.models.settings import BaseModelSettings
from lorasmith.progress import Cancelled, Progress
from lorasmith.training.settings.tree import Settings

CACHE = "cache"
"""In the folder of what is found about LoRA files: what was seen of pictures."""


@dataclass(frozen=True)
class Proven:
    """What a proof found. `complete` is False where it was cancelled: then the verdict is on what was measured by then."""

    verdict: Verdict
    signs: tuple[Finding, ...]
    folder: Path
    """Where pictures, numbers and `verdict.json` are."""
    complete: bool

    def __repr__(self) -> str:
        return f"Proven({self.verdict.sentences[0]!r}, {len(self.verdict.checkpoints)} checkpoints)"

    @property
    def copies(self) -> list[Copy]:
        """Training images beside what their captions give, of the recommended checkpoint, or the last one where there is none."""
        record, verdict = read_record(self.folder), self.verdict
        if record is None or not verdict.checkpoints:
            return []
        return copies_of(verdict.checkpoints[-1 if verdict.recommended is None else verdict.recommended], record.prompts)

    def as_data(self) -> dict[str, Any]:
        """For `--json`, `verdict.json` and pages."""
        return self.verdict.as_data() | {
            "signs": [sign.as_data for sign in self.signs],
            "by_heart": [copy.image for copy in self.copies if copy.by_heart],
            "complete": self.complete,
        }


def prove(
    run_folder: str | Path, *, effort: str = "standard", weights: Sequence[float] = WEIGHTS, seed: int = 0, device: Device | None = None,
    base: Base | None = None, image_encoder: str | Path | None = None, progress: Progress | None = None,
    cancelled: Cancelled = lambda: False,
) -> Proven:  # fmt: skip
    """Judge the checkpoints of a run, and write what was found into its folder.

    Parameters
    ----------
    effort
        `quick`, `standard` or `thorough`: how many pictures are generated.
    weights
        At which the recommended checkpoint is tried; () for none.
    base
        The run's base where it is open already; None opens it.
    image_encoder
        One more eye beside the base's own: the folder or hub id of a vision model (CLIP, SigLIP, DINO) or of a tagger.
    progress, cancelled
        Called with predictions of the denoiser, done and in all; asked whether to stop, after which what is done is kept.

    Raises
    ------
    InputError
        The folder is not that of a run, it has no checkpoint, or its pictures or base cannot be read.

    Examples
    --------
    >>> proven = ls.prove("runs/my-lora", effort="quick", weights=())
    >>> len(proven.verdict.checkpoints)
    1
    """
    run = read_run(run_folder)
    with run.folder.being_judged():
        return _prove_run(run, effort, weights, seed, device, base, image_encoder, progress, cancelled)


def _prove_run(
    run: RunRecord, effort: str, weights: Sequence[float], seed: int, device: Device | None, base: Base | None,
    image_encoder: str | Path | None, progress: Progress | None, cancelled: Cancelled,
) -> Proven:  # fmt: skip
    checkpoints = checkpoints_of(run)
    if not checkpoints:
        raise InputError(
            f"The run {run.folder.root} has no checkpoint yet. Prove it once one is saved.",
            code="proof.no_checkpoint",
            path=str(run.folder.root),
        )
    plan = plan_for_run(run.folder.root, effort, seed)
    opened = base if base is not None else _open(plan.base, device or run.settings.training.device)
    proven = _prove(plan, opened, checkpoints, run.folder.root / PROOF, weights, run.settings, run, image_encoder, progress, cancelled)
    _write(proven)
    return proven


def prove_file(
    loras: Sequence[str | Path], base: BaseModelSettings | str | Path, pictures: str | Path, folder: str | Path, *, trigger: str | None = None,
    held_out: str | Path | None = None, effort: str = "standard", weights: Sequence[float] = WEIGHTS, seed: int = 0, device: Device = "auto",
    image_encoder: str | Path | None = None, progress: Progress | None = None, cancelled: Cancelled = lambda: False,
) -> Proven:  # fmt: skip
    """Judge LoRA files that anybody trained, with their base and the captioned images that they were trained on.

    Several files are checkpoints of one training, in their order. `pictures`, and `held_out`, are a folder, a manifest or shards, as
    `datasets.path` of a training is. What is found is kept in `folder`, with what was seen of the pictures; see `prove` for the rest.

    Examples
    --------
    >>> proven = ls.prove_file(["my-lora.safetensors"], "base", "my-set", "my-proof", effort="quick", weights=())
    >>> proven.complete
    True
    """
    described = base if isinstance(base, BaseModelSettings) else BaseModelSettings(path=Path(base))
    cache = Path(folder) / CACHE / PICTURES
    plan = plan_for_pictures(described, pictures, trigger=trigger, held_out=held_out, effort=effort, seed=seed, cache=cache)
    checkpoints = [Checkpoint(Path(lora), name, step=0 if len(loras) == 1 else k) for k, (lora, name) in enumerate(_named(loras), 1)]
    proven = _prove(plan, _open(described, device), checkpoints, Path(folder), weights, None, None, image_encoder, progress, cancelled)
    _write(proven)
    return proven


def _named(loras: Sequence[str | Path]) -> list[tuple[str | Path, str]]:
    """Each file with its name; as it was given where another is called the same."""
    names = [Path(lora).name for lora in loras]
    return [(lora, name if names.count(name) == 1 else str(lora)) for lora, name in zip(loras, names, strict=True)]


def _open(base: BaseModelSettings, device: Device) -> Base:
    """In float32: base and LoRA are compared, and lower precision alone makes a difference of 0.7 %."""
    import torch

    described = with_merged(describe(base.path, **base.open_options), base.merged(in_samples=True))
    return load_base(described, torch.float32, choose_device(device), base.quantize)


def _prove(
    plan: ProofPlan, base: Base, checkpoints: Sequence[Checkpoint], folder: Path, weights: Sequence[float], settings: Settings | None,
    run: RunRecord | None, image_encoder: str | Path | None, progress: Progress | None, cancelled: Cancelled,
) -> Proven:  # fmt: skip
    checkpoints, left_out = _without_damaged(checkpoints)
    of_weights = plan.of_groups("new", "other")
    others = [weight for weight in weights if weight != 1]
    of_checkpoints = cost(plan, len(checkpoints)).predictions
    whole = of_checkpoints + (cost(of_weights, len(others) + 1).predictions if others else 0)
    steps = (_part(progress, 0, whole), _part(progress, of_checkpoints, whole))

    encoder = None if image_encoder is None else open_image_encoder(image_encoder)
    measured = measure_checkpoints(
        plan, base, checkpoints, folder, progress=steps[0], cancelled=cancelled, encoder=encoder, left_out=left_out
    )
    verdict = verdict_on(measured, (), settings, plan.prompts.captioned)
    tried: list[CheckpointMeasures] = []
    if others and verdict.recommended is not None and not cancelled():
        chosen = checkpoints[verdict.recommended]
        at_weights = [replace(chosen, weight=weight) for weight in sorted({*others, 1.0})]
        tried = measure_checkpoints(
            of_weights, base, at_weights, folder, progress=steps[1], cancelled=cancelled, record=WEIGHTS_PROOF, encoder=encoder
        )
        verdict = verdict_on(measured, tried, settings, plan.prompts.captioned)
    complete = not cancelled()
    return Proven(verdict, (*left_out_findings(left_out), *signs_of(verdict, run)), folder, complete)


def _without_damaged(checkpoints: Sequence[Checkpoint]) -> tuple[list[Checkpoint], dict[str, str]]:
    """Those that can be drawn with; and of the others, by name, the first tensor with a number that is not finite.

    Raises InputError where none can.
    """
    damage = {checkpoint: found for checkpoint in checkpoints if (found := _not_finite_in(checkpoint.path)) is not None}
    sound = [checkpoint for checkpoint in checkpoints if checkpoint not in damage]
    if not sound:
        first, *others = damage
        more = f" So have the other {len(others)}." if others else ""
        raise InputError(
            f"{first.path} has numbers that are not finite ({damage[first]}), so it can draw nothing.{more} Train it again at a lower "
            "learning rate, or prove another file.",
            code="proof.not_finite", path=str(first.path),
        )  # fmt: skip
    return sound, {checkpoint.name: tensor for checkpoint, tensor in damage.items()}


def _not_finite_in(file: Path) -> str | None:
    """The first tensor of a LoRA file with a number that is not finite; None where all are."""
    tensors = load_tensors(file).tensors.items()
    return next((name for name, tensor in tensors if tensor.is_floating_point() and not tensor.float().isfinite().all()), None)


def _part(progress: Progress | None, before: int, whole: int) -> Progress | None:
    """Progress of one part as that of the whole."""
    return None if progress is None else lambda done, _: progress(before + done, whole)


def _write(proven: Proven) -> None:
    proven.folder.mkdir(parents=True, exist_ok=True)
    write_atomically(proven.folder / VERDICT, json.dumps(proven.as_data(), indent=1).encode())
