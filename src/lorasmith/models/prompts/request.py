"""One picture to generate, as data: a prompt with everything that decides how it is drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

from lorasmith.errors import SettingsError
from lorasmith.models.family import FamilyDefaults, PredictionType
from lorasmith.models.samplers import sampler_for, usual_sampler


class Predicting(Protocol):
    """What predicts; `models.diffusion.Diffusion` is one."""

    @property
    def prediction_type(self) -> PredictionType: ...


class DrawnWith(Protocol):
    """What a request must know of a base to be complete; an opened base is one."""

    @property
    def defaults(self) -> FamilyDefaults: ...

    @property
    def native_resolution(self) -> int: ...

    @property
    def pixel_step(self) -> int: ...

    @property
    def diffusion(self) -> Predicting: ...


@dataclass(frozen=True)
class PictureRequest:
    """One picture to generate. What is None is as usual for the base; `sampler` is a key of `models.samplers.SAMPLERS`."""

    prompt: str = ""
    negative_prompt: str = ""
    seed: int = 1
    width: int | None = None
    height: int | None = None
    """In pixels."""
    sampler: str | None = None
    steps: int | None = None
    cfg_scale: float | None = None
    guidance: float | None = None
    """The input of guidance-distilled bases."""
    clip_skip: int = 1
    strengths: tuple[float, ...] = ()
    """Of LoRAs that are given beside the prompt, in their order; empty: as they are given."""

    def completed(self, base: DrawnWith) -> PictureRequest:
        """The request with what is usual for a base in place of None.

        Raises SettingsError where the base cannot draw it: a size that does not fit, a sampler that is unknown or for other bases, no steps,
        or guidance that is not a finite number.
        """
        prediction, usual = base.diffusion.prediction_type, base.defaults
        sampler = self.sampler or usual.sampler or usual_sampler(prediction)
        sampler_for(sampler, prediction)
        complete = replace(
            self,
            width=base.native_resolution if self.width is None else self.width,
            height=base.native_resolution if self.height is None else self.height,
            sampler=sampler,
            steps=usual.steps if self.steps is None else self.steps,
            cfg_scale=usual.cfg_scale if self.cfg_scale is None else self.cfg_scale,
            guidance=None if usual.guidance is None else usual.guidance if self.guidance is None else self.guidance,
        )
        for name, pixels in (("width", complete.width), ("height", complete.height)):
            if pixels is None or pixels % base.pixel_step or pixels < base.pixel_step:
                raise SettingsError(
                    f"The {name} {pixels} does not fit this base, whose sides must be multiples of {base.pixel_step} pixels. Change it.",
                    code="sample.size_does_not_fit", value=pixels, multiple_of=base.pixel_step,
                )  # fmt: skip
        if complete.steps is not None and complete.steps < 1:
            raise SettingsError(f"steps = {complete.steps} draws nothing. Give 1 or more.", code="sample.value", setting="steps")
        for name, number in (("cfg_scale", complete.cfg_scale), ("guidance", complete.guidance)):
            if number is not None and not math.isfinite(number):
                raise SettingsError(f"{name} = {number} is not a finite number. Change it.", code="sample.value", setting=name)
        return complete
