"""Settings of the noise that is added to pictures; `noise_kinds` and `timesteps` have what they do. Names are those of sd-scripts."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from lorasmith.errors import SettingsError
from lorasmith.training.objective.noise_kinds import NOISE_KINDS


class NoiseSettings(BaseModel):
    """What noise is added to the pictures, and at which timesteps. The defaults are what every base was trained with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    noise_offset: float = Field(
        0.0, ge=0, le=1,
        description="Noise that is the same all over a picture, so that very dark and very bright pictures can be learnt, 0-1; 0 is off. 0.03-0.05 for "
        "a character, 0.05-0.1 for a style; more washes out all other pictures.",
    )  # fmt: skip
    noise_offset_random_strength: bool = Field(
        False, description="Each sample gets a random share, 0-1, of noise_offset. On if pictures of medium brightness suffer."
    )
    adaptive_noise_scale: float = Field(
        0.0, ge=-10, le=10,
        description="Adds this share of a picture's own mean, channel by channel, to noise_offset, so that dark and bright pictures get more of it, "
        "-10 to 10; below 0 they get less. Start with the value of noise_offset; 0 is off.",
    )  # fmt: skip
    multires_noise_iterations: int = Field(
        0, ge=0, le=16,
        description="Layers of ever coarser noise over the fine one, 0-16, for contrast and large forms. 6-10 for a style; 0 is off.",
    )  # fmt: skip
    multires_noise_discount: float = Field(
        0.3,
        gt=0,
        le=1,
        description="Factor by which each coarser layer is weaker; above 0, up to 1. 0.3 is usual, 0.8 strong and for long runs only.",
    )
    ip_noise_gamma: float = Field(
        0.0, ge=0, le=1,
        description="Extra noise that the model sees and is not asked for (input perturbation), 0-1, against errors that add up while sampling. "
        "0.05-0.1; 0 is off.",
    )  # fmt: skip
    ip_noise_gamma_random_strength: bool = Field(False, description="Each sample gets a random share, 0-1, of ip_noise_gamma.")
    min_timestep: int = Field(
        0, ge=0, le=999,
        description="The first timestep that is trained, 0-999; raise it (500) to learn composition alone. Flow models: the least noise in thousandths.",
    )  # fmt: skip
    max_timestep: int = Field(
        1000, ge=1, le=1000,
        description="The first timestep that is no longer trained, 1-1000; lower it (500) to learn fine detail alone. Flow models: the most noise in "
        "thousandths.",
    )  # fmt: skip
    zero_terminal_snr: bool = Field(
        False,
        description="For v-prediction bases: the last timestep becomes pure noise while training, even if the base was trained without. Bases that "
        "were trained so keep it in any case.",
    )  # fmt: skip

    @property
    def timesteps(self) -> tuple[int, int]:
        """The first timestep that is trained, and the one after the last."""
        return self.min_timestep, self.max_timestep


def check_noise(noise: NoiseSettings, base_zero_terminal_snr: bool | None = None) -> list[str]:
    """Warnings about settings of the noise that do little together.

    `base_zero_terminal_snr` is the setting base.zero_terminal_snr.

    Raises:
        SettingsError: settings contradict each other, or have no effect.
    """
    for name, kind in NOISE_KINDS.items():
        for field in kind.takes:
            if getattr(noise, field) != NoiseSettings.model_fields[field].default and not getattr(noise, name):
                raise SettingsError(
                    f"noise.{field} has no effect without noise.{name}. Set that ({kind.usual} is usual), or remove it.",
                    code="settings.no_effect", setting=f"noise.{field}",
                )  # fmt: skip
    if noise.min_timestep >= noise.max_timestep:
        raise SettingsError(
            f"noise.min_timestep {noise.min_timestep} and noise.max_timestep {noise.max_timestep} leave no timestep to train, since the last one that is "
            f"trained is max_timestep - 1. Make max_timestep {noise.min_timestep + 1} or more.",
            code="settings.contradiction",
        )
    if noise.zero_terminal_snr and base_zero_terminal_snr:
        raise SettingsError(
            "noise.zero_terminal_snr has no effect beside base.zero_terminal_snr, which says more. Remove it.",
            code="settings.no_effect", setting="noise.zero_terminal_snr",
        )  # fmt: skip
    if noise.zero_terminal_snr and base_zero_terminal_snr is False:
        raise SettingsError(
            "noise.zero_terminal_snr and base.zero_terminal_snr = false contradict each other: one schedule is trained. Remove one of them.",
            code="settings.contradiction",
        )  # fmt: skip
    warnings = []
    if noise.noise_offset and noise.multires_noise_iterations:
        warnings.append(
            "noise.noise_offset and noise.multires_noise_iterations both teach dark and bright, and together they can be too much. One is usually enough."
        )
    if noise.zero_terminal_snr and noise.noise_offset:
        warnings.append(
            "noise.noise_offset does little beside noise.zero_terminal_snr, with which the model reaches dark and bright already."
        )
    if noise.zero_terminal_snr and noise.max_timestep < 1000:
        warnings.append(f"noise.zero_terminal_snr is for the last timestep, and noise.max_timestep {noise.max_timestep} leaves that out.")
    return warnings


def check_noise_fits(noise: NoiseSettings, prediction_type: str, zero_terminal_snr: bool = False) -> None:
    """Whether the settings are for a base that predicts this; `zero_terminal_snr` is whether it was trained so.

    Raises:
        SettingsError: one is not.
    """
    if prediction_type == "flow":
        for field in (*(name for name, kind in NOISE_KINDS.items() if not kind.for_flow), "zero_terminal_snr"):
            if getattr(noise, field):
                raise SettingsError(
                    f"noise.{field} is not for flow models, which begin at pure noise and reach dark and bright without it. Remove it.",
                    code="settings.not_for_base", setting=f"noise.{field}",
                )  # fmt: skip
    elif noise.zero_terminal_snr and prediction_type == "epsilon":
        raise SettingsError(
            "noise.zero_terminal_snr is not for a base that predicts noise: at the last timestep the model would be shown its answer, and could not "
            "sample from it. Use a v-prediction base, or noise.noise_offset for dark and bright pictures.",
            code="settings.not_for_base", setting="noise.zero_terminal_snr",
        )  # fmt: skip
    elif noise.zero_terminal_snr and zero_terminal_snr:
        raise SettingsError(
            "noise.zero_terminal_snr has no effect: the base was trained with zero terminal SNR, and so is the LoRA. Remove it.",
            code="settings.no_effect", setting="noise.zero_terminal_snr",
        )  # fmt: skip
