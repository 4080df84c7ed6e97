"""Captions as a model reads them: how they are to be encoded, and what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True)
class TextOptions:
    """How captions are read. What a family has no use for must be left as it is; it says so otherwise.

    `clip_skip` k reads the k-th last layer of CLIP. `max_token_length` is the most tokens of a caption that are read; None: what
    is usual for the family. `weighted` understands (emphasis:1.2). `mask_t5` keeps the model from reading T5's padding.
    """

    clip_skip: int = 1
    max_token_length: int | None = None
    weighted: bool = False
    mask_t5: bool = False


@dataclass(frozen=True, eq=False)
class EncodedTexts:
    """What the text encoders say of n captions; all captions of a run are equally long.

    `states` (n, tokens, width) is read by attention, `pooled` (n, width) is the caption as a whole; `mask` (n, tokens), bool, is
    False where nothing is to be read, and None where all is.
    """

    states: torch.Tensor
    pooled: torch.Tensor | None = None
    mask: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.states)

    def __getitem__(self, part: slice) -> EncodedTexts:
        return EncodedTexts(*(None if t is None else t[part] for t in (self.states, self.pooled, self.mask)))  # type: ignore[arg-type]

    @staticmethod
    def cat(several: Sequence[EncodedTexts]) -> EncodedTexts:
        """One after the other; they must come from one base and the same options."""
        first = several[0]
        return EncodedTexts(
            torch.cat([one.states for one in several]),
            None if first.pooled is None else torch.cat([one.pooled for one in several if one.pooled is not None]),
            None if first.mask is None else torch.cat([one.mask for one in several if one.mask is not None]),
        )

    def to(self, device: torch.device | str, dtype: torch.dtype) -> EncodedTexts:
        """On a device; numbers as `dtype`, the mask as it is."""
        return replace(
            self,
            states=self.states.to(device, dtype),
            pooled=None if self.pooled is None else self.pooled.to(device, dtype),
            mask=None if self.mask is None else self.mask.to(device),
        )
