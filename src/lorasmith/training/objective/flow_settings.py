"""Settings of how flow models are trained; `timestep_samplings` and `flow_predictions` have the choices."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from lorasmith.registry import KeyOf, in_words
from lorasmith.training.objective.flow_predictions import DEFAULT_FLOW_PREDICTION, FLOW_PREDICTIONS
from lorasmith.training.objective.timestep_samplings import (
    DEFAULT_SAMPLING,
    DEFAULT_SCHEME,
    TIMESTEP_SAMPLINGS,
    WEIGHTING_SCHEMES,
    FlowShape,
)


class FlowSettings(BaseModel):
    """How flow models are trained; without effect on the others. Names and meanings are those of sd-scripts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timestep_sampling: Annotated[str, KeyOf(TIMESTEP_SAMPLINGS, "a way to sample timesteps")] = Field(
        DEFAULT_SAMPLING, description=f"At which timesteps to train, from picture to noise: {in_words(TIMESTEP_SAMPLINGS)}."
    )
    sigmoid_scale: float = Field(
        1.0, gt=0, le=10, description="Width of sigmoid, shift and flux_shift; above 0, up to 10. Below 1 keeps closer to the middle."
    )
    discrete_flow_shift: float = Field(
        3.0, gt=0, le=20, description="Shift of shift and sigma; above 0, up to 20. Above 1 trains more where the noise is strong."
    )
    weighting_scheme: Annotated[str, KeyOf(WEIGHTING_SCHEMES, "a weighting scheme")] = Field(
        DEFAULT_SCHEME,
        description=f"With timestep_sampling sigma, how sigmas are picked; with model_prediction_type sigma_scaled, how much they count: "
        f"{in_words(WEIGHTING_SCHEMES)}.",
    )
    logit_mean: float = Field(0.0, ge=-5, le=5, description="Middle of logit_normal, -5 to 5; above 0 is towards the picture.")
    logit_std: float = Field(1.0, gt=0, le=5, description="Width of logit_normal; above 0, up to 5.")
    mode_scale: float = Field(1.29, ge=-1, le=2, description="How far mode leans to the middle, -1 to 2.")
    model_prediction_type: Annotated[str, KeyOf(FLOW_PREDICTIONS, "a model prediction type")] = Field(
        DEFAULT_FLOW_PREDICTION,
        description=f"What of the model's answer is compared with noise minus picture: {in_words(FLOW_PREDICTIONS)}.",
    )
    guidance_scale: float = Field(
        1.0, ge=0, le=100,
        description="Guidance that a guidance-distilled model (Flux.1 dev) is given while it trains, 0-100; 1 learns the pictures as they are.",
    )  # fmt: skip

    def shape(self, size_shift: float) -> FlowShape:
        """The numbers for `timestep_samplings`; `size_shift` follows from the picture's size."""
        return FlowShape(
            self.sigmoid_scale,
            self.discrete_flow_shift,
            size_shift,
            self.weighting_scheme,
            self.logit_mean,
            self.logit_std,
            self.mode_scale,
        )
