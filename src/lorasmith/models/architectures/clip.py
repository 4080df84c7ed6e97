"""Captions through a CLIP text encoder, also those that are longer than the 75 tokens it can read at once.

A caption of up to n times 75 tokens is laid out in n chunks of 77, each read by itself: [begin, 75 tokens, end]. Its states are
joined again as begin, n times 75 states, end. This is how sd-scripts and the web UIs do it; the layout's corners, which
matter for encoders that fill up with another token than the end (OpenCLIP's), are those of sd-scripts:

    filled up with the end token    every chunk ends with it
    filled up with another one      a chunk ends with the fill, or with the end token where content comes before it;
                                    a chunk without content begins with the end token

`BREAK` ends a chunk; see `captions.breaks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from lorasmith.captions.breaks import CHUNK, length_in_chunks, sections, starts
from lorasmith.errors import SettingsError
from lorasmith.models.architectures.emphasis import parse_emphasis
from lorasmith.models.memory import Freeable
from lorasmith.models.texts import TextOptions
from lorasmith.models.transfer import to_device

LENGTHS = (75, 150, 225)

T = TypeVar("T", int, float)
Section = tuple[list[int], list[float]]
"""Tokens between two BREAKs, and their weights."""


@dataclass(frozen=True)
class Marks:
    """The tokens that are not content."""

    begin: int
    end: int
    fill: int


def chunk_count(max_token_length: int | None) -> int:
    """Chunks that hold `max_token_length` tokens; raises SettingsError for any other number than 75, 150 or 225."""
    if max_token_length not in (None, *LENGTHS):
        raise SettingsError(f"base.max_token_length is {max_token_length}, but this base reads 75, 150 or 225 tokens; choose one of them.")
    return (max_token_length or CHUNK) // CHUNK


def join_sections(parts: Sequence[Sequence[T]], filler: Sequence[T], chunks: int) -> list[T]:
    """The sections of a caption between its BREAKs, each at the beginning of a chunk; 75 of `filler` fill up the chunk before."""
    joined: list[T] = []
    for part, start in zip(parts, starts([len(part) for part in parts], CHUNK * chunks), strict=True):
        joined += filler[: start - len(joined)]
        joined += part
    return joined


def lay_out(content: Sequence[int], marks: Marks, chunks: int) -> list[list[int]]:
    """Tokens of a caption, without begin and end, in `chunks` chunks of 77; what does not fit is left out."""
    room = CHUNK * chunks
    flat = [*content[:room], marks.end]
    flat += [marks.fill] * (room + 1 - len(flat))
    if chunks == 1:
        return [[marks.begin, *flat]]
    laid = []
    for first in range(0, room, CHUNK):
        chunk = [marks.begin, *flat[first : first + CHUNK], flat[-1]]
        if chunk[-2] not in (marks.end, marks.fill):
            chunk[-1] = marks.end
        if chunk[1] == marks.fill:
            chunk[1] = marks.end
        laid.append(chunk)
    return laid


def lay_out_weights(weights: Sequence[float], chunks: int) -> list[list[float]]:
    """The weights of a caption's tokens in the same layout; tokens that are not content count 1."""
    room = CHUNK * chunks
    flat = [*weights[:room], *[1.0] * max(0, room - len(weights))]
    return [[1.0, *flat[first : first + CHUNK], 1.0] for first in range(0, room, CHUNK)]


def join_chunks(states: torch.Tensor, chunks: int) -> torch.Tensor:
    """(n * chunks, 77, ...) to (n, 75 * chunks + 2, ...): one begin, everything between, one end."""
    if chunks == 1:
        return states
    apart = states.unflatten(0, (-1, chunks))
    return torch.cat([apart[:, 0, :1], apart[:, :, 1:-1].flatten(1, 2), apart[:, -1, -1:]], dim=1)


def with_mean_of(states: torch.Tensor, weighted: torch.Tensor) -> torch.Tensor:
    """The weighted states (n, tokens, width), each chunk scaled to the mean that it had before, as A1111 does ("Original" emphasis)."""
    before, after = (each.float().mean(dim=(1, 2), keepdim=True) for each in (states, weighted))
    changed = (states != weighted).flatten(1).any(1)[:, None, None]
    return torch.where(changed, weighted * (before / after).to(weighted), states)


def _chunks_of(sections: Sequence[Section]) -> int:
    """Chunks that hold all sections of a caption, one at least."""
    return max(1, sum(-(-len(tokens) // CHUNK) for tokens, _ in sections))


@dataclass(frozen=True, eq=False)
class TokenizedTexts:
    """Captions as tokens: `ids` int64 (n, chunks, 77); `weights` float32 of the same shape, None where all count alike.

    With `keep_mean` weights leave the mean over each chunk's states as it was.
    """

    ids: torch.Tensor
    weights: torch.Tensor | None = None
    keep_mean: bool = False


class Clip:
    """A CLIP text encoder with its tokenizer."""

    def __init__(self, encoder: Any, tokenizer: Any):
        self._encoder, self.tokenizer = Freeable(encoder, "text encoders"), tokenizer
        self.marks = Marks(tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)

    @property
    def encoder(self) -> Any:
        """The module; raises RunError once it is freed."""
        return self._encoder.module

    def free(self) -> None:
        """Free the encoder; texts can still be tokenized."""
        self._encoder.free()

    def content(self, text: str) -> list[int]:
        """The tokens of a text without begin and end."""
        return list(self.tokenizer(text, add_special_tokens=False, truncation=False).input_ids)

    def count(self, caption: str, limit: int) -> int:
        """The tokens that a caption takes of `limit`, without begin and end; a BREAK takes the rest of its chunk."""
        return length_in_chunks([len(self.content(section)) for section in sections(caption)], limit)

    def tokenize(self, captions: Sequence[str], options: TextOptions) -> TokenizedTexts:
        """Captions in the layout that the encoder reads."""
        weighted = options.weighted or options.prompt
        laid_out = [self._sections(parse_emphasis(caption) if weighted else [(caption, 1.0)]) for caption in captions]
        chunks = max(map(_chunks_of, laid_out), default=1) if options.prompt else chunk_count(options.max_token_length)
        filler = [self.marks.end] + [self.marks.fill] * (CHUNK - 1)
        ids, weights = [], []
        for parts in laid_out:
            content = join_sections([tokens for tokens, _ in parts], filler, chunks)
            counts = join_sections([own for _, own in parts], [1.0] * CHUNK, chunks)
            ids.append(lay_out(content, self.marks, chunks))
            weights.append(lay_out_weights(counts, chunks))
        return TokenizedTexts(torch.tensor(ids), torch.tensor(weights) if weighted else None, keep_mean=options.prompt)

    def _sections(self, runs: Sequence[tuple[str, float]]) -> list[Section]:
        """Tokens and weights of each part between BREAKs; `runs` are texts with their weights."""
        parts: list[Section] = [([], [])]
        for run, weight in runs:
            for number, text in enumerate(sections(run)):
                if number:
                    parts.append(([], []))
                tokens = self.content(text)
                parts[-1][0].extend(tokens)
                parts[-1][1].extend([weight] * len(tokens))
        return parts

    def run(self, ids: torch.Tensor, hidden_states: bool) -> Any:
        """The encoder's output for all chunks, (n * chunks, 77, ...)."""
        return self.encoder(to_device(ids.flatten(0, 1), self.encoder.device), output_hidden_states=hidden_states)

    def pooled(self, output: Any, chunks: int = 1) -> torch.Tensor:
        """Each caption as a whole (n, width): what its first chunk says at its first end token, projected where the encoder does that."""
        pooled: torch.Tensor = output["text_embeds" if "text_embeds" in output else "pooler_output"][::chunks]
        return pooled

    def join(self, states: torch.Tensor, texts: TokenizedTexts) -> torch.Tensor:
        """The chunks' states, times the weights, as one row a caption."""
        if texts.weights is not None and bool((texts.weights != 1).any()):
            weighted = states * to_device(texts.weights.flatten(0, 1), states.device, states.dtype)[..., None]
            states = with_mean_of(states, weighted) if texts.keep_mean else weighted
        return join_chunks(states, texts.ids.shape[1])
