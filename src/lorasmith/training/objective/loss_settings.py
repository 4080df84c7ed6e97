"""Settings of the loss; `losses`, `weighting` and `preservation` have what they do."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from lorasmith.errors import SettingsError
from lorasmith.registry import KeyOf, in_words
from lorasmith.training.objective.losses import (
    DEFAULT_FLOW_THRESHOLD,
    DEFAULT_LOSS,
    DEFAULT_THRESHOLD,
    LOSSES,
    THRESHOLDS,
    threshold_name,
)
from lorasmith.training.objective.weighting import WEIGHTINGS

_WITH_THRESHOLD = ", ".join(name for name, loss in LOSSES.items() if loss.has_threshold)


class LossSettings(BaseModel):
    """What counts as wrong, and how much each timestep, place and picture counts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loss_type: Annotated[str, KeyOf(LOSSES, "a loss")] = Field(
        DEFAULT_LOSS, description=f"How the error of a prediction is measured: {in_words(LOSSES)}."
    )
    huber_schedule: Annotated[str, KeyOf(THRESHOLDS, "a schedule of the threshold")] | None = Field(
        None,
        description=f"How the threshold of {_WITH_THRESHOLD} moves with the timestep: {in_words(THRESHOLDS)}. "
        f"Empty: {DEFAULT_THRESHOLD}; flow models: {DEFAULT_FLOW_THRESHOLD}.",
    )
    huber_c: float = Field(
        0.1, gt=0, lt=1, description=f"Threshold at which {_WITH_THRESHOLD} turn from square to straight, between 0 and 1."
    )
    huber_scale: float = Field(
        1.0, gt=0, le=10, description=f"Factor on the threshold of {_WITH_THRESHOLD}; above 0, up to 10. Not with the schedule snr."
    )
    min_snr_gamma: float = Field(
        5.0, ge=0, description="Keeps easy timesteps from dominating the loss; 5 is usual, 1-20 is in use. Lower is stronger; 0 is off."
    )
    debiased_estimation: bool = Field(
        False, description="Weights timesteps by 1 / sqrt(SNR), which helps colour. Instead of min_snr_gamma, which must then be 0."
    )
    scale_v_pred_loss_like_noise_pred: bool = Field(
        False, description="For v-prediction bases: timesteps count as they do for noise prediction."
    )
    v_pred_like_loss: float = Field(
        0.0, ge=0, le=10, description="For noise prediction bases: adds this share of a v-prediction's loss, 0-10; 0 is off."
    )
    prior_loss_weight: float = Field(
        1.0, ge=0, le=10,
        description="How much regularisation pictures count beside the training images' 1, 0-10. Lower it if they hold the LoRA back, raise it if "
        "everything of the kind comes to look like the trained subject.",
    )  # fmt: skip
    normalize_masked_area: bool = Field(
        False,
        description="With masks: the loss is the mean over what counts, so that a small subject counts as much as one that fills its picture.",
    )
    unmasked_weight: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="With masks: how much black counts where white counts 1, 0-1; 0.1 keeps backgrounds from falling apart.",
    )
    prior_preservation: float = Field(
        0.0, ge=0, le=100,
        description="Holds the LoRA to the base's own prediction where the trigger word is left out, so that other things of the kind stay as they "
        "were, without regularisation pictures. Its weight beside the pictures' 1, 0-100; 1 is usual, 0 is off. A step takes about twice the time.",
    )  # fmt: skip
    prior_preservation_class: str | None = Field(
        None, min_length=1,
        description="For prior_preservation: the class word that replaces the trigger word, such as woman or dog. Empty: the trigger is left out.",
    )  # fmt: skip


def check_loss(loss: LossSettings, *, regularisation: bool, trigger: str | None) -> None:
    """Whether every setting of the loss has an effect, as far as that does not depend on the base (see `check_loss_fits`).

    `regularisation`: whether some dataset has such pictures; `trigger`: captions.trigger.

    Raises:
        SettingsError: one has no effect, or two contradict each other.
    """
    if not LOSSES[loss.loss_type].has_threshold:
        for field in ("huber_schedule", "huber_c", "huber_scale"):
            if _changed(loss, field):
                raise _no_effect(field, f"with loss_type {loss.loss_type!r}. Use {_WITH_THRESHOLD.replace(', ', ' or ')}, or remove it.")
    elif loss.huber_scale != 1 and not THRESHOLDS[name := threshold_name(loss.huber_schedule, flow=False)].takes_scale:
        takers = " or ".join(each for each, entry in THRESHOLDS.items() if entry.takes_scale)
        raise _no_effect("huber_scale", f"with huber_schedule {name!r}. Use {takers}, or remove it.")
    if loss.debiased_estimation and loss.min_snr_gamma:
        raise SettingsError(
            "loss.debiased_estimation and loss.min_snr_gamma both weight the timesteps. Set min_snr_gamma to 0, or leave the other out.",
            code="settings.contradiction",
        )  # fmt: skip
    if loss.prior_loss_weight != 1 and not regularisation:
        raise _no_effect(
            "prior_loss_weight",
            "without regularisation pictures. Set is_reg on a dataset, or use loss.prior_preservation, which needs none.",
        )
    if loss.prior_preservation_class is not None and not loss.prior_preservation:
        raise _no_effect("prior_preservation_class", "without loss.prior_preservation. Set that (1 is usual), or remove it.")
    if loss.prior_preservation and trigger is None:
        raise SettingsError(
            "loss.prior_preservation needs captions.trigger, since it holds what captions without the trigger show to the base. "
            "Set a trigger, or remove it.",
            code="settings.missing", setting="captions.trigger",
        )  # fmt: skip
    if trigger is not None and (loss.prior_preservation_class or "").lower() == trigger.lower():
        raise SettingsError(
            f"loss.prior_preservation_class is the trigger {trigger!r} itself, which would hold the LoRA to the base. "
            "Name what it is, such as woman.",
            code="settings.contradiction",
        )  # fmt: skip


def check_loss_of_masks(loss: LossSettings, masked_pictures: int) -> None:
    """Whether the settings for masks have an effect on a training set in which this many pictures have one.

    Raises:
        SettingsError: one has none.
    """
    for field in ("normalize_masked_area", "unmasked_weight"):
        if getattr(loss, field) and not masked_pictures:
            raise _no_effect(
                field,
                "without masks. Put them beside the pictures (cat-masklabel.png), set mask_path or alpha_mask on a dataset, or remove it.",
            )


def check_loss_fits(loss: LossSettings, prediction_type: str) -> None:
    """Whether the settings are for a base that predicts this: epsilon, v_prediction or flow.

    Raises:
        SettingsError: one has no effect on it.
    """
    flow = prediction_type == "flow"
    if loss.huber_schedule is not None and flow and not THRESHOLDS[loss.huber_schedule].for_flow:
        others = " or ".join(name for name, entry in THRESHOLDS.items() if entry.for_flow)
        raise SettingsError(
            f"loss.huber_schedule {loss.huber_schedule!r} is not for flow models. Use {others}.", setting="loss.huber_schedule"
        )
    for field, weighting in WEIGHTINGS.items():
        if not getattr(loss, field) or (flow and not _changed(loss, field)):  # min_snr_gamma is on unless it is switched off
            continue
        if flow:
            raise _no_effect(field, "on a flow model, which weights by how timesteps are sampled. Remove it, and see flow.")
        if prediction_type not in weighting.prediction_types:
            for_bases, this = ("predict noise", "v") if prediction_type == "v_prediction" else ("predict v", "noise")
            raise SettingsError(
                f"loss.{field} is for bases that {for_bases}, and this one predicts {this}. Remove it.",
                code="settings.no_effect", setting=f"loss.{field}",
            )  # fmt: skip


def _changed(loss: LossSettings, field: str) -> bool:
    default: Any = LossSettings.model_fields[field].default
    return bool(getattr(loss, field) != default)


def _no_effect(field: str, why: str) -> SettingsError:
    return SettingsError(f"loss.{field} has no effect {why}", code="settings.no_effect", setting=f"loss.{field}")
