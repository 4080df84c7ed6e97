"""How flow models are trained; what the settings do stands in `training.timesteps` and `training.step`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class FlowSettings(BaseModel):
    """How flow models (Flux) are trained; without effect on the others. Names and meanings are those of sd-scripts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timestep_sampling: Literal["uniform", "sigmoid", "shift", "flux_shift", "sigma"] = Field(
        "flux_shift", description="Where on the way from picture to noise to train; flux_shift follows the picture's size."
    )
    sigmoid_scale: float = Field(1.0, gt=0, le=10, description="Width of sigmoid, shift and flux_shift: under 1 nearer to the middle.")
    discrete_flow_shift: float = Field(3.0, gt=0, le=20, description="For shift and sigma: over 1 trains more where the noise is strong.")
    weighting_scheme: Literal["uniform", "none", "sigma_sqrt", "logit_normal", "mode", "cosmap"] = Field(
        "uniform",
        description="With timestep_sampling sigma: how sigmas are picked; with model_prediction_type sigma_scaled: how much they count.",
    )
    logit_mean: float = Field(0.0, ge=-5, le=5, description="Middle of logit_normal: over 0 towards the picture.")
    logit_std: float = Field(1.0, gt=0, le=5, description="Width of logit_normal.")
    mode_scale: float = Field(1.29, ge=-1, le=2, description="How far mode leans to the middle.")
    model_prediction_type: Literal["raw", "additive", "sigma_scaled"] = Field(
        "raw", description="What of the model's answer is compared with noise minus picture; raw is right, the others are sd-scripts'."
    )
    guidance_scale: float = Field(
        1.0, ge=0, le=100, description="Guidance that Flux.1 dev is told while it trains; 1 learns the pictures as they are."
    )
