"""The settings of one layer of a network: those that several kinds share, and those that its own kind declares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ConfigDict


class OwnSettings(BaseModel):
    """The settings that one kind of network has for itself; a kind with some declares them in a class of this sort, beside itself.

    Each field has a default, with which it does nothing, and its description. They are written in the section `network` of the settings
    like all others, so that a name can be taken once.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


Own = TypeVar("Own", bound=OwnSettings)
NONE = OwnSettings()


@dataclass(frozen=True, kw_only=True)
class LayerSettings:
    """All settings of one layer's network. `kind` is a key of KINDS; which of the rest have an effect, the kind says."""

    kind: str = "lora"
    rank: int = 16
    alpha: float = 16.0
    rs_lora: bool = False
    dora: bool = False
    use_tucker: bool = False
    dropout: float = 0.0
    rank_dropout: float = 0.0
    module_dropout: float = 0.0
    own: OwnSettings = NONE

    def own_as(self, model: type[Own]) -> Own:
        """The kind's own settings, which are of this class; its defaults where none were given."""
        return self.own if isinstance(self.own, model) else model()
