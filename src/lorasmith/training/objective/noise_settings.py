"""Settings of the noise that pictures are hidden in; what they do stands in `noise` and `timesteps`. Names are those of sd-scripts."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from lorasmith.errors import SettingsError


class NoiseSettings(BaseModel):
    """What noise is added to the pictures, and at which timesteps. The defaults are what every base was made with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    noise_offset: float = Field(
        0.0, ge=0, le=1,
        description="Noise that is the same all over a picture, so that very dark and very bright pictures can be learned; 0 is off. 0.03-0.05 for "
        "a character, 0.05-0.1 for a style; more washes out the others.",
    )  # fmt: skip
    noise_offset_random_strength: bool = Field(
        False, description="Each sample gets a share of noise_offset, drawn from 0 to 1. On where pictures of middling brightness suffer."
    )
    adaptive_noise_scale: float = Field(
        0.0, ge=-10, le=10,
        description="Adds so much of a picture's own mean, channel by channel, to noise_offset, so that dark and bright pictures get more of it; "
        "below 0 they get less. Begin with the value of noise_offset; 0 is off.",
    )  # fmt: skip
    multires_noise_iterations: int = Field(
        0, ge=0, le=16,
        description="Coarser and coarser noise is laid over the fine, at most so many layers; for contrast and large forms. 6-10 for a style; 0 is off.",
    )  # fmt: skip
    multires_noise_discount: float = Field(
        0.3, gt=0, le=1, description="Each coarser layer is weaker by this factor; 0.3 is usual, 0.8 strong and for many steps only."
    )
    ip_noise_gamma: float = Field(
        0.0, ge=0, le=1,
        description="The model sees so much more noise than it is asked for (input perturbation), against errors that add up while drawing. 0.05-0.1; 0 is off.",
    )  # fmt: skip
    ip_noise_gamma_random_strength: bool = Field(False, description="Each sample gets a share of ip_noise_gamma, drawn from 0 to 1.")
    min_timestep: int = Field(
        0, ge=0, le=999,
        description="Timesteps below this one are not trained, 0-999; raise it (500) to learn composition alone. Flow models: the least noise in thousandths.",
    )  # fmt: skip
    max_timestep: int = Field(
        1000, ge=1, le=1000,
        description="Only timesteps below this one are trained, 1-1000; lower it (500) to learn fine detail alone. Flow models: the most noise in thousandths.",
    )  # fmt: skip
    zero_terminal_snr: bool = Field(
        False,
        description="v-prediction bases: the last timestep is made pure noise while training, also where the base was not. Bases that were made so are "
        "trained so without it.",
    )  # fmt: skip

    @property
    def timesteps(self) -> tuple[int, int]:
        """The first timestep that is trained, and the one behind the last."""
        return self.min_timestep, self.max_timestep


# What has no effect unless another setting is on.
_NEEDS = {
    "noise_offset_random_strength": "noise_offset", "adaptive_noise_scale": "noise_offset",
    "multires_noise_discount": "multires_noise_iterations", "ip_noise_gamma_random_strength": "ip_noise_gamma",
}  # fmt: skip

_USUAL = {"noise_offset": "0.05", "multires_noise_iterations": "6", "ip_noise_gamma": "0.1"}

_BY_THE_SCHEDULE = ("noise_offset", "multires_noise_iterations", "zero_terminal_snr")


def _changed(noise: NoiseSettings, field: str) -> bool:
    return getattr(noise, field) != NoiseSettings.model_fields[field].default


def check_noise(noise: NoiseSettings, base_zero_terminal_snr: bool | None = None) -> list[str]:
    """Warnings; raises SettingsError where settings of the noise contradict each other or have no effect.

    `base_zero_terminal_snr` is what is said of the base itself (base.zero_terminal_snr).
    """
    for field, needed in _NEEDS.items():
        if _changed(noise, field) and not getattr(noise, needed):
            raise SettingsError(f"noise.{field} has no effect without noise.{needed}; set that ({_USUAL[needed]} is usual) or remove it")
    if noise.min_timestep >= noise.max_timestep:
        raise SettingsError(
            f"noise.min_timestep {noise.min_timestep} and noise.max_timestep {noise.max_timestep} leave no timestep to train, since the last one that is "
            f"trained is max_timestep - 1; make max_timestep {noise.min_timestep + 1} or more"
        )
    if noise.zero_terminal_snr and base_zero_terminal_snr:
        raise SettingsError("noise.zero_terminal_snr has no effect beside base.zero_terminal_snr, which says more; remove it")
    if noise.zero_terminal_snr and base_zero_terminal_snr is False:
        raise SettingsError(
            "noise.zero_terminal_snr and base.zero_terminal_snr = false contradict each other: one schedule is trained; remove one of them"
        )
    warnings = []
    if noise.noise_offset and noise.multires_noise_iterations:
        warnings.append(
            "noise.noise_offset and noise.multires_noise_iterations both teach dark and bright, and together they can be too much; one is usually enough"
        )
    if noise.zero_terminal_snr and noise.noise_offset:
        warnings.append("noise.noise_offset does little beside noise.zero_terminal_snr, which lets the model draw dark and bright already")
    if noise.zero_terminal_snr and noise.max_timestep < 1000:
        warnings.append(f"noise.zero_terminal_snr is for the last timestep, and noise.max_timestep {noise.max_timestep} leaves that out")
    return warnings


def check_noise_fits(noise: NoiseSettings, prediction_type: str, zero_terminal_snr: bool = False) -> None:
    """Raises SettingsError where a setting is not for a base that predicts this; `zero_terminal_snr` is whether it was trained so."""
    if prediction_type == "flow":
        for field in _BY_THE_SCHEDULE:
            if getattr(noise, field):
                raise SettingsError(
                    f"noise.{field} is not for flow models, which begin at pure noise and draw dark and bright without it; remove it"
                )
    elif noise.zero_terminal_snr and prediction_type == "epsilon":
        raise SettingsError(
            "noise.zero_terminal_snr is not for a base that predicts noise: at the last timestep it would be shown its answer, and no picture can "
            "be had from that; use a v-prediction base, or noise.noise_offset for dark and bright pictures"
        )
    elif noise.zero_terminal_snr and zero_terminal_snr:
        raise SettingsError("noise.zero_terminal_snr has no effect: the base was made with zero terminal SNR and is trained so; remove it")
