"""Generate pictures with a base model, with or without LoRAs. Pictures that an earlier process of the job generated are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from lorasmith.jobs.kind import Arguments, Kind
from lorasmith.jobs.kinds.options import DEVICE, PRECISION, BaseFiles, BaseSource, LoraAtStrength, Precision
from lorasmith.jobs.work import StoppedEarly, Work
from lorasmith.models.device import Device
from lorasmith.models.samplers import SamplerName

AT_ONCE = 4
"""Pictures that are generated in one batch; between two batches the job can stop."""


class SampleArguments(Arguments):
    """What `lorasmith sample` is given."""

    reads: ClassVar[tuple[str, ...]] = ("base", "loras", "lora_folder", "base_files")

    base: BaseSource = Field(description="Base model: a file, a diffusers folder, or a hub id.")
    prompts: list[str] = Field(min_length=1, description="What to generate; may have <lora:name:0.7> and flags (--n blurry).")
    loras: list[LoraAtStrength] = Field(default_factory=list, description="LoRA files with their strengths.")
    lora_folder: Path | None = Field(None, description="Folder of the LoRAs that prompts call by name.")
    out: Path = Field(description="Folder for the pictures.")
    seed: int = Field(1, ge=0, description="Picture k uses seed + k.")
    negative_prompt: str = Field("", description="What should not be in the pictures.")
    width: int | None = Field(None, ge=1, description="In pixels. Empty: the base's native size.")
    height: int | None = Field(None, ge=1, description="In pixels. Empty: the base's native size.")
    sampler: SamplerName | None = Field(None, description="Such as euler_a. Empty: as usual for the base.")
    steps: int | None = Field(None, ge=1, description="Denoising steps. Empty: as usual for the base.")
    cfg_scale: float | None = Field(None, ge=1, description="Guidance; 1 is none. Empty: as usual for the base.")
    guidance: float | None = Field(
        None, ge=0, description="The guidance that a guidance-distilled base (Flux.1 dev) is told. Empty: as usual for the base."
    )
    clip_skip: int = Field(1, ge=1, description="The text encoder's last layer that is read; 2 for anime bases.")
    base_files: BaseFiles = Field(BaseFiles(), description="Other files that the base needs.")
    precision: Precision | None = PRECISION
    device: Device = DEVICE


def run(arguments: SampleArguments, work: Work) -> dict[str, Any]:
    """Generate and write the pictures, each with the parameters it was generated with."""
    from lorasmith.evaluation.sampling.loras import LoraUse
    from lorasmith.evaluation.sampling.sample import open_session
    from lorasmith.models.prompts.lines import read_line, requests_of
    from lorasmith.models.prompts.request import PictureRequest
    from lorasmith.models.prompts.syntax import prompt_findings

    usual = PictureRequest(
        negative_prompt=arguments.negative_prompt, seed=arguments.seed, width=arguments.width, height=arguments.height,
        sampler=arguments.sampler, steps=arguments.steps, cfg_scale=arguments.cfg_scale,
        guidance=arguments.guidance, clip_skip=arguments.clip_skip,
    )  # fmt: skip
    requests = requests_of([read_line(prompt) for prompt in arguments.prompts], usual)
    session = open_session(arguments.base, arguments.lora_folder, arguments.precision, arguments.device, arguments.base_files.model_dump())
    for finding in prompt_findings((one.prompt for one in requests), session.base.family):
        work.say(str(finding))
    uses = [LoraUse.of(each.file, each.strength) for each in arguments.loras]
    drawings = {arguments.out / f"{place:04d}-seed{one.seed}.png": session.drawing(one, uses) for place, one in enumerate(requests)}
    missing = [file for file in drawings if not (work.owns(file) and file.exists())]
    arguments.out.mkdir(parents=True, exist_ok=True)
    for place, made in session.generate([drawings[file] for file in missing], AT_ONCE):
        if work.cancelled():
            raise StoppedEarly
        made.save(missing[place])
        work.report(len(drawings) - len(missing) + place + 1, len(drawings), "generating", "picture")
    return {"pictures": [str(file) for file in drawings]}


KIND = Kind("Generate pictures", SampleArguments, run, needs="accelerator")
