"""What the opened bases with a transformer that was trained by flow matching share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lorasmith.models.architectures.opened_base import OpenedBase
from lorasmith.models.diffusion import Flow


class FlowBase(OpenedBase):
    """A base with a transformer."""

    def take_parts(self, modules: Mapping[str, Any], tokenizers: Mapping[str, Any]) -> None:
        super().take_parts(modules, tokenizers)
        self.transformer = modules[self.denoiser]

    @classmethod
    def diffusion_of(cls, scheduler: Mapping[str, Any]) -> Flow:
        return Flow(scheduler)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.native_resolution} pixels, {self.transformer.dtype}, {self.transformer.device})"

    def tokens(self, height: int, width: int) -> int:
        """Patches of 2 x 2 latents."""
        return (height // 2) * (width // 2)
