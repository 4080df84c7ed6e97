"""Judge the checkpoints of a run, or LoRA files. What was generated and measured is kept, so it goes on where it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from lorasmith.jobs.kind import Arguments, Kind
from lorasmith.jobs.kinds.options import DEVICE, BaseSource
from lorasmith.jobs.work import StoppedEarly, Work
from lorasmith.models.device import Device

Effort = Literal["quick", "standard", "thorough"]


class ProveArguments(Arguments):
    """What `lorasmith prove` is given: a run, or files of one training with their base and pictures."""

    reads: ClassVar[tuple[str, ...]] = ("run", "files", "base", "images", "held_out", "image_encoder")

    run: Path | None = Field(None, description="A run's folder.")
    files: list[Path] = Field(default_factory=list, description="LoRA files of one training, in their order.")
    base: BaseSource | None = Field(None, description="Base of LoRA files: a file, a folder or a hub id.")
    images: Path | None = Field(None, description="Captioned images that LoRA files were trained on: a folder, a manifest or shards.")
    held_out: Path | None = Field(None, description="Images that they were not trained on: a folder, a manifest or shards.")
    trigger: str | None = Field(None, description="Trigger word of LoRA files. Empty: the one that most captions begin with.")
    out: Path | None = Field(None, description="Folder for what is found about LoRA files.")
    effort: Effort = Field("standard", description="How many pictures are generated.")
    weights: list[float] | None = Field(None, description="Weights to try the recommended checkpoint at. Empty: 0.6, 0.8 and 1.")
    image_encoder: str | None = Field(None, description="One more eye beside the base's: a vision model or a tagger.")
    seed: int = Field(0, ge=0, description="Other prompts and other seeds.")
    device: Device = DEVICE

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if (self.run is None) == (not self.files):
            raise ValueError("one of run and files must be given")
        if self.files and None in (self.base, self.images, self.out):
            raise ValueError("LoRA files need base, images and out")
        return self


def run(arguments: ProveArguments, work: Work) -> dict[str, Any]:
    """Prove; of a run the report is written again."""
    from lorasmith.evaluation.proof.plan import WEIGHTS
    from lorasmith.evaluation.prove import prove, prove_file
    from lorasmith.jobs.training import write_report_of

    weights = WEIGHTS if arguments.weights is None else tuple(arguments.weights)
    progress = work.progress("proving", "prediction")
    if arguments.run is not None:
        device = None if arguments.device == "auto" else arguments.device
        proven = prove(
            arguments.run, effort=arguments.effort, weights=weights, seed=arguments.seed, device=device,
            image_encoder=arguments.image_encoder, progress=progress, cancelled=work.cancelled,
        )  # fmt: skip
        write_report_of(arguments.run)
    else:
        proven = prove_file(
            arguments.files, str(arguments.base), arguments.images, arguments.out,  # type: ignore[arg-type]
            trigger=arguments.trigger, held_out=arguments.held_out, effort=arguments.effort, weights=weights, seed=arguments.seed,
            device=arguments.device, image_encoder=arguments.image_encoder, progress=progress, cancelled=work.cancelled,
        )  # fmt: skip
    if not proven.complete:
        raise StoppedEarly
    return {"proof": str(proven.folder), "verdict": list(proven.verdict.sentences)}


KIND = Kind("Prove a LoRA", ProveArguments, run, needs="accelerator")
