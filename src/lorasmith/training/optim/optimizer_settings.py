"""Settings of the optimizer and of the learning rates; `optimizers` has the optimizers."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from lorasmith.registry import nearest
from lorasmith.training.optim.optimizers import DEFAULT_OPTIMIZER, OPTIMIZERS


def _known(name: str) -> str:
    if name not in OPTIMIZERS and "." not in name:
        raise ValueError(f"is not an optimizer; {nearest(name, OPTIMIZERS)} A dotted path such as torch.optim.RAdam works, too")
    return name


def _choices(schema: dict[str, Any]) -> None:
    """The registered names, for forms; a dotted path is allowed too."""
    schema["examples"] = list(OPTIMIZERS)


class OptimizerSettings(BaseModel):
    """Which optimizer, and how fast it learns."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Annotated[str, AfterValidator(_known)] = Field(
        DEFAULT_OPTIMIZER, json_schema_extra=_choices,
        description=f"{', '.join(OPTIMIZERS)}, or a dotted path such as torch.optim.RAdam. "
        f"With {', '.join(name for name, entry in OPTIMIZERS.items() if entry.learning_rate_free)}, which find their own rate, set learning_rate to 1.",
    )  # fmt: skip
    learning_rate: float = Field(
        1e-4, gt=0, le=10, description="Learning rate of all parts that have none of their own; above 0, up to 10."
    )
    unet_lr: float | None = Field(None, ge=0, description="Learning rate of the denoiser (U-Net or transformer). Empty: learning_rate.")
    text_encoder_lr: float | None = Field(
        None, ge=0, description="Learning rate of the text encoder; a half to a tenth of the denoiser's. Empty: learning_rate."
    )
    text_encoder_2_lr: float | None = Field(
        None, ge=0, description="Learning rate of the second text encoder. Empty: SDXL as the first; Flux (T5) not trained."
    )
    loraplus_lr_ratio: float | None = Field(
        None, gt=0, le=1000, description="LoRA+: how many times faster the matrices on the output side learn; 4-16. Empty: as fast."
    )
    loraplus_unet_lr_ratio: float | None = Field(
        None, gt=0, le=1000, description="LoRA+ ratio of the denoiser alone. Empty: loraplus_lr_ratio."
    )
    loraplus_text_encoder_lr_ratio: float | None = Field(
        None, gt=0, le=1000, description="LoRA+ ratio of the text encoders alone. Empty: loraplus_lr_ratio."
    )
    args: dict[str, bool | int | float | str | list[float]] = Field(
        default_factory=dict, description="Further arguments of the optimizer, such as weight_decay or betas."
    )

    def loraplus_ratio(self, part: str) -> float:
        """How many times as fast the matrices on the output side learn in a part of the base; 1 without LoRA+."""
        own = self.loraplus_text_encoder_lr_ratio if part.startswith("text_encoder") else self.loraplus_unet_lr_ratio
        return own or self.loraplus_lr_ratio or 1.0
