"""Settings of the loss; what they do stands in `losses`, `weighting` and `preservation`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lorasmith.errors import SettingsError


class LossSettings(BaseModel):
    """What counts as wrong, and how much each timestep, place and picture counts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loss_type: Literal["l2", "l1", "huber", "smooth_l1"] = Field("l2", description="l2 is usual; huber and smooth_l1 forgive outliers.")
    huber_schedule: Literal["exponential", "constant", "snr"] | None = Field(
        None, description="How the threshold of huber and smooth_l1 moves with the timestep. Empty: snr; flow models: exponential."
    )
    huber_c: float = Field(0.1, gt=0, lt=1, description="Where huber and smooth_l1 turn from square to straight.")
    huber_scale: float = Field(1.0, gt=0, le=10, description="Factor on the threshold of huber and smooth_l1; not with the schedule snr.")
    min_snr_gamma: float = Field(5.0, ge=0, description="Keeps easy timesteps from ruling the loss; 5 is usual, 0 is off.")
    debiased_estimation: bool = Field(False, description="Weights timesteps by 1 / sqrt(SNR); helps colour. Instead of min_snr_gamma.")
    scale_v_pred_loss_like_noise_pred: bool = Field(False, description="v-prediction bases: timesteps count as for noise prediction.")
    v_pred_like_loss: float = Field(
        0.0, ge=0, le=10, description="Noise prediction bases: adds so much of a v-prediction's loss; 0 is off."
    )
    prior_loss_weight: float = Field(
        1.0, ge=0, le=10,
        description="How much regularisation pictures count, beside the others' 1. Lower it where they hold the LoRA back, raise it where all "
        "things of the kind come to look like the trained one.",
    )  # fmt: skip
    normalize_masked_area: bool = Field(
        False,
        description="With masks: the loss is the mean over what counts, so that a small subject counts as much as one that fills its picture.",
    )
    unmasked_weight: float = Field(
        0.0, ge=0, lt=1, description="With masks: how much black counts, white being 1; 0.1 keeps backgrounds from falling apart."
    )
    prior_preservation: float = Field(
        0.0, ge=0, le=100,
        description="Holds the LoRA to what the base itself draws where the trigger is not asked for, so that other things of the kind stay as they "
        "were, without regularisation pictures. Its weight beside the pictures' 1; 0 is off. A step takes about twice the time.",
    )  # fmt: skip
    prior_preservation_class: str | None = Field(
        None, min_length=1,
        description="For prior_preservation: what stands in the trigger's place, such as woman or dog. Empty: the trigger is left out.",
    )  # fmt: skip


def check_loss(loss: LossSettings, *, regularisation: bool, masks: bool, trigger: str | None) -> None:
    """Raises SettingsError where a setting of the loss has no effect; what hangs on the base is checked by `check_loss_fits`.

    `regularisation` and `masks`: whether some dataset has such pictures; `trigger`: captions.trigger.
    """
    if loss.loss_type not in ("huber", "smooth_l1"):
        for field in ("huber_schedule", "huber_c", "huber_scale"):
            if getattr(loss, field) != LossSettings.model_fields[field].default:
                raise SettingsError(f"loss.{field} has no effect with loss_type {loss.loss_type!r}; use huber or smooth_l1, or remove it")
    elif loss.huber_schedule in (None, "snr") and loss.huber_scale != 1.0:
        raise SettingsError("loss.huber_scale has no effect with huber_schedule 'snr'; use exponential or constant, or remove it")
    if loss.debiased_estimation and loss.min_snr_gamma:
        raise SettingsError(
            "loss.debiased_estimation and loss.min_snr_gamma both weight the timesteps; set min_snr_gamma to 0 or leave the other out"
        )
    if loss.prior_loss_weight != 1 and not regularisation:
        raise SettingsError(
            "loss.prior_loss_weight has no effect without regularisation pictures; set is_reg on a dataset, or use loss.prior_preservation, which needs none"
        )
    for field in ("normalize_masked_area", "unmasked_weight"):
        if getattr(loss, field) and not masks:
            raise SettingsError(f"loss.{field} has no effect without masks; set mask_path or alpha_mask on a dataset, or remove it")
    if loss.prior_preservation_class is not None and not loss.prior_preservation:
        raise SettingsError(
            "loss.prior_preservation_class has no effect without loss.prior_preservation; set that (1 is usual) or remove it"
        )
    if loss.prior_preservation and trigger is None:
        raise SettingsError(
            "loss.prior_preservation needs captions.trigger, since it holds to the base what captions without the trigger show; set a trigger or remove it"
        )
    if trigger is not None and (loss.prior_preservation_class or "").lower() == trigger.lower():
        raise SettingsError(
            f"loss.prior_preservation_class is the trigger {trigger!r} itself, which would hold the LoRA to the base; name what it is, such as woman"
        )


def check_loss_fits(loss: LossSettings, prediction_type: str) -> None:
    """Raises SettingsError where a setting of the loss is not for a base that predicts this: epsilon, v_prediction or flow."""
    if prediction_type == "flow":
        if loss.min_snr_gamma not in (0.0, LossSettings.model_fields["min_snr_gamma"].default):
            raise SettingsError("loss.min_snr_gamma has no effect on a flow model, which weights by how timesteps are drawn; see flow")
        for field in ("debiased_estimation", "scale_v_pred_loss_like_noise_pred", "v_pred_like_loss"):
            if getattr(loss, field):
                raise SettingsError(f"loss.{field} has no effect on a flow model; remove it")
        if loss.huber_schedule == "snr":
            raise SettingsError("loss.huber_schedule 'snr' is not for flow models; use exponential or constant")
    if loss.scale_v_pred_loss_like_noise_pred and prediction_type != "v_prediction":
        raise SettingsError("loss.scale_v_pred_loss_like_noise_pred is for v-prediction bases, and this one predicts noise; remove it")
    if loss.v_pred_like_loss and prediction_type != "epsilon":
        raise SettingsError("loss.v_pred_like_loss is for bases that predict noise, and this one predicts v; remove it")
