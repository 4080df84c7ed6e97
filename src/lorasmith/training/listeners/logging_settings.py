"""What a user says about where a run's numbers go, beside `events.jsonl`, which has them all."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class LoggingSettings(BaseModel):
    """Curves for other programs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tensorboard: bool = Field(True, description="TensorBoard files in the run's folder; look with: tensorboard --logdir runs")
    wandb_project: str | None = Field(
        None, min_length=1, description="Weights & Biases project to log to (pip install wandb). Empty: nothing leaves this machine."
    )
    log_every_n_steps: int = Field(
        1, ge=1, description="TensorBoard and W&B get the first and every so many-th step; events.jsonl has all."
    )
