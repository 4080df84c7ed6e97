"""The sections of the settings that belong to the run itself. Those of the base, the data, the network, the optimizer and the objective are
beside what they configure, further down the house."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lorasmith.errors import SettingsError
from lorasmith.models.device import Device
from lorasmith.models.prompts.lines import read_line
from lorasmith.models.samplers import SamplerName


class Section(BaseModel):
    """A section: no unknown keys, and no change after it was made."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TrainingSettings(Section):
    """How long, and how much at once."""

    epochs: int | None = Field(None, ge=1, description="Passes over the dataset; give this or max_train_steps.")
    max_train_steps: int | None = Field(None, ge=1, description="Optimizer steps in all; give this or epochs.")
    batch_size: int = Field(1, ge=1, le=1024, description="Pictures per batch, 1-1024; 1-4 is usual. Larger needs more memory.")
    gradient_accumulation_steps: int = Field(
        1, ge=1, le=1024, description="Batches whose gradients are added up for one step, 1-1024; for a larger batch than fits the memory."
    )
    num_processes: int = Field(
        1, ge=1, le=1024, description="Processes that train together, one on each GPU; a step takes this many times the batches."
    )
    balance_reg: bool = Field(
        True,
        description="Regularisation pictures are shown as often as the training images: repeated where there are too few, left out where there are "
        "too many. Off: each exactly as often as its repeats say.",
    )
    mixed_precision: Literal["no", "bf16", "fp16"] = Field(
        "no", description="Dtype of the frozen base: no is float32, bf16 halves its memory, fp16 is for cards before the RTX 30 series."
    )
    weight_dtype: Literal["fp32", "bf16"] = Field(
        "fp32", description="Dtype of the trained weights. bf16 is rounded stochastically, so that small steps still add up."
    )
    gradient_checkpointing: bool = Field(
        False,
        description="Computes the base again for the gradient instead of keeping its activations: far less memory, a third more time.",
    )
    blocks_to_swap: int = Field(
        0,
        ge=0,
        description="Blocks of the denoiser whose weights are kept in the computer's memory and copied to the GPU when they are used, 0 to all; "
        "the same LoRA with less GPU memory, slower where copying takes longer than computing.",
    )
    offload_while_caching: bool = Field(
        False,
        description="While latents and texts are encoded, parts of the base that are not at work wait in the computer's memory: less GPU memory "
        "for some seconds of moving.",
    )
    memory: str | float = Field(
        "off",
        description="auto: what fits the GPU's free memory is chosen before the run, the cheapest first; or a number of GB to fit. Settings here that "
        "differ from their defaults stay. off: all as set.",
    )
    torch_compile: bool = Field(
        False,
        description="Compiles the denoiser's repeated blocks: faster steps on a GPU, after minutes of compiling for each size of pictures and batches. "
        "For long runs of few sizes.",
    )
    latents_in_memory: bool = Field(
        True, description="Off: latents are read from the cache folder when they are needed, for sets of many thousand pictures."
    )
    device: Device = Field(
        "auto", description="auto uses a GPU if there is one, else the CPU. cuda is an NVIDIA or AMD GPU, xpu Intel's, mps Apple's."
    )
    deterministic: bool = Field(
        False, description="On a GPU: kernels that give the same bytes each time, so that resuming is exact; slower. A CPU's always do."
    )
    cuda_graphs: bool = Field(
        True,
        description="On a GPU: the base's kernels are recorded once for each size of pictures and started together; much faster at small batches. "
        "Off: less memory.",
    )
    seed: int = Field(42, ge=0, description="The same seed, settings and data give the same LoRA.")
    max_grad_norm: float = Field(1.0, ge=0, description="Gradients with a larger norm are clipped to it; 1 is usual, 0 is off.")
    ema_decay: float | None = Field(
        None, gt=0, lt=1,
        description="Decay of a moving average (EMA) of the weights, saved beside each file as NAME-ema, 0-1; 0.99 looks back over 100 steps. Empty: none.",
    )  # fmt: skip
    max_non_finite_steps: int = Field(
        5, ge=1, description="A step whose loss is not finite changes nothing; after this many in a row the run ends with advice."
    )

    @field_validator("memory")
    @classmethod
    def _off_auto_or_gigabytes(cls, value: str | float) -> str | float:
        if value not in ("off", "auto") and (isinstance(value, str) or value <= 0):
            raise ValueError('must be "off", "auto" or a number of GB')
        return value


class CheckpointSettings(Section):
    """What is kept."""

    save_every_n_epochs: int = Field(
        1, ge=0, description="A LoRA file is written every this many epochs, and at the end; 0: only at the end."
    )
    save_every_n_steps: int | None = Field(
        None, ge=1, description="A LoRA file is also written every this many steps. Empty: by epochs alone."
    )
    save_precision: Literal["fp32", "fp16", "bf16"] = Field(
        "fp16", description="Dtype in the LoRA files. fp32 makes them twice as large, and no picture shows it."
    )
    save_state_every_seconds: float = Field(300, gt=0, description="A killed run loses at most about this many seconds.")


class SampleSettings(Section):
    """Pictures sampled while training, to watch it learn."""

    prompts: list[str] = Field(
        default_factory=list,
        description="One picture each; {trigger} is replaced by the trigger word. May have flags, as in sd-scripts: --n blurry --w 768 --s 28",
    )
    prompts_file: Path | None = Field(
        None, description="File with more prompts, one a line, with flags of sd-scripts or A1111. Empty: those above alone."
    )
    every_n_epochs: int = Field(
        1, ge=0, description="Sample every this many epochs; the untouched base is sampled first, and the end is. 0: not by epochs."
    )
    every_n_steps: int | None = Field(None, ge=1, description="Also sample every this many steps. Empty: by epochs alone.")
    width: int | None = Field(None, ge=8, description="In pixels. Empty: the base's native size.")
    height: int | None = Field(None, ge=8, description="In pixels. Empty: the base's native size.")
    sampler: SamplerName | None = Field(None, description="How noise becomes a picture, step by step. Empty: as usual for the base.")
    steps: int | None = Field(None, ge=1, le=1000, description="Denoising steps of a picture, 1-1000. Empty: as usual for the base.")
    cfg_scale: float | None = Field(
        None, ge=1, description="Classifier-free guidance, how closely the prompt is followed; 1 is none. Empty: as usual for the base."
    )
    negative_prompt: str = Field("", description="What should not be seen.")
    seed: int = Field(1, ge=0, description="Prompt k uses seed + k, the same in every epoch.")

    @property
    def any(self) -> bool:
        """Whether there is something to sample."""
        return bool(self.prompts) or self.prompts_file is not None

    @field_validator("prompts")
    @classmethod
    def _flags_are_known(cls, value: list[str]) -> list[str]:
        for prompt in value:
            try:
                read_line(prompt)
            except SettingsError as error:
                raise ValueError(f"has a flag that cannot be used: {error}") from None
        return value


class ValidationSettings(Section):
    """Pictures that are never trained on show whether a run learns or memorises."""

    path: Path | None = Field(
        None,
        description="Folder of captioned pictures to validate with. Empty: those that `lorasmith layout --holdout` set aside in the datasets, if any.",
    )
    every_n_epochs: int | None = Field(
        None,
        ge=0,
        description="Validate every this many epochs; 0 is never. Empty: after each epoch in which a checkpoint is written. The end is always validated.",
    )
    timesteps: int | list[int] = Field(
        4, description="How many timesteps, spread evenly (1-1000), or a list of them (0-999). More take longer and measure finer."
    )
    max_images: int = Field(
        16,
        ge=2,
        le=10_000,
        description="At most this many held-out pictures, and as many trained ones, 2-10000. More narrow the uncertainty.",
    )
    stop_when_over: int | None = Field(
        None,
        ge=2,
        le=1000,
        description="End the run early where this many validations in a row (2-1000) find held-out pictures getting worse while training "
        "images still gain, both beyond their margins where noise decides shapes and composition. Empty: never.",
    )

    @field_validator("timesteps")
    @classmethod
    def _on_the_scale(cls, value: int | list[int]) -> int | list[int]:
        if isinstance(value, int):
            if not 1 <= value <= 1000:
                raise ValueError("must be a count from 1 to 1000")
        elif not value or len(set(value)) != len(value) or not all(0 <= t <= 999 for t in value):
            raise ValueError("must list one or more timesteps from 0 to 999, each once")
        return value


class LoggingSettings(Section):
    """Curves for other programs, beside `events.jsonl`, which has all numbers."""

    tensorboard: bool = Field(True, description="TensorBoard files in the run's folder; look with: tensorboard --logdir runs")
    wandb_project: str | None = Field(
        None, min_length=1, description="Weights & Biases project to log to (pip install wandb). Empty: nothing leaves this machine."
    )
    log_every_n_steps: int = Field(
        1, ge=1, description="TensorBoard and W&B get the first and every this many-th step; events.jsonl has all."
    )
