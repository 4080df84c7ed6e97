"""Captions as a model reads them: how they are encoded, and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lorasmith.models.transfer import to_device


@dataclass(frozen=True)
class TextOptions:
    """How captions are read. Options that a family does not have must keep their defaults; it raises a SettingsError otherwise.

    `clip_skip` k reads the k-th last layer of CLIP. `max_token_length` is the most tokens of a caption that are read; None: the usual
    number of the family. `weighted` understands (emphasis:1.2). `mask_t5` keeps the model from reading T5's padding.

    `prompt` reads as web UIs read prompts, where a family does: with emphasis that leaves the mean of the states as it was, and in as many
    chunks as the longest of the texts needs, so that nothing is cut off. Families without emphasis read the text alone.
    """

    clip_skip: int = 1
    max_token_length: int | None = None
    weighted: bool = False
    mask_t5: bool = False
    prompt: bool = False


USUAL = TextOptions()
"""How captions are read where nothing is set."""


@dataclass(frozen=True, eq=False)
class EncodedTexts:
    """What the text encoders make of n captions.

    `states` (n, tokens, ...) is read by attention: (n, tokens, width), or with one more axis for the layers of a language model.
    `pooled` (n, width) is the caption as a whole. `mask` (n, tokens), bool, is False where nothing is to be read, and None where all is.
    `extra` is what else a family's denoiser reads, by name, each (n, ...).

    Captions are equally long in most families. Those of `ragged` texts have their own lengths: padding (zeros, masked) is there only
    because they are in one batch, so `cat` adds it and a slice cuts off what its captions do not need.
    """

    states: Tensor
    pooled: Tensor | None = None
    mask: Tensor | None = None
    extra: Mapping[str, Tensor] = field(default_factory=dict)
    ragged: bool = False

    def __post_init__(self) -> None:
        assert not self.ragged or self.mask is not None, "the mask of ragged texts says how long each is"

    def __len__(self) -> int:
        return len(self.states)

    def __repr__(self) -> str:
        return f"EncodedTexts({len(self)} captions, states {tuple(self.states.shape)}{', ragged' if self.ragged else ''})"

    def __getitem__(self, part: slice | list[int]) -> EncodedTexts:
        """Some of the captions."""
        some = self._map(lambda tensor: tensor[part])
        return some._cut() if self.ragged else some

    def lengths(self) -> list[int]:
        """How many tokens each caption has; on the meta device, where nobody knows, as many as the longest."""
        if self.mask is None or self.mask.is_meta:
            return [self.states.shape[1]] * len(self)
        return [int(length) for length in self.mask.sum(1)]

    @staticmethod
    def cat(several: Sequence[EncodedTexts]) -> EncodedTexts:
        """One after the other; they must come from one base and the same options."""
        first, tensors = several[0], [one.tensors() for one in several]
        return EncodedTexts.from_tensors({name: _stack([one[name] for one in tensors], first.ragged) for name in tensors[0]})

    def to(self, device: torch.device | str, dtype: torch.dtype) -> EncodedTexts:
        """On a device; floating-point tensors as `dtype`, masks and numbers of tokens as they are."""
        return self._map(lambda tensor: to_device(tensor, device, dtype if tensor.is_floating_point() else None))

    def cpu(self) -> EncodedTexts:
        """In the main memory, in the same dtypes."""
        return self._map(lambda tensor: tensor.cpu())

    def of_one_length(self) -> list[list[int]]:
        """The places of the captions that are equally long, together; one list of all where they are not ragged."""
        lengths = self.lengths() if self.ragged else [0] * len(self)
        return [[place for place, own in enumerate(lengths) if own == length] for length in dict.fromkeys(lengths)]

    def tensors(self) -> dict[str, Tensor]:
        """All tensors by their names, for a cache: the mask of ragged texts as `ragged`, extra ones as `extra.NAME`."""
        named = {"states": self.states, "pooled": self.pooled, "ragged" if self.ragged else "mask": self.mask}
        return {name: tensor for name, tensor in named.items() if tensor is not None} | {f"extra.{k}": v for k, v in self.extra.items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> EncodedTexts:
        """What `tensors` gave."""
        ragged = "ragged" in tensors
        extra = {name.removeprefix("extra."): tensor for name, tensor in tensors.items() if name.startswith("extra.")}
        return cls(tensors["states"], tensors.get("pooled"), tensors["ragged"] if ragged else tensors.get("mask"), extra, ragged)

    def _map(self, change: Callable[[Tensor], Tensor]) -> EncodedTexts:
        return EncodedTexts.from_tensors({name: change(tensor) for name, tensor in self.tensors().items()})

    def _cut(self) -> EncodedTexts:
        """Without the padding that none of the captions needs; tensors with as many tokens as the states are cut with them."""
        assert self.mask is not None
        tokens = self.mask.shape[1]
        longest = int(self.mask.sum(1).max()) if len(self.mask) else 0
        return self._map(lambda tensor: tensor[:, :longest] if tensor.ndim > 1 and tensor.shape[1] == tokens else tensor)


def _stack(tensors: Sequence[Tensor], ragged: bool) -> Tensor:
    """Tensors (n, ...) one below the other; ragged ones are filled up with zeros along their second axis."""
    if ragged and tensors[0].ndim > 1:
        longest = max(tensor.shape[1] for tensor in tensors)
        tensors = [_filled(tensor, longest) for tensor in tensors]
    return torch.cat(list(tensors))


def _filled(tensor: Tensor, tokens: int) -> Tensor:
    return torch.cat([tensor, tensor.new_zeros(len(tensor), tokens - tensor.shape[1], *tensor.shape[2:])], dim=1)
