"""A run's captions as the text encoders' states: encoded with gradients, or encoded once and kept.

    texts = TextStates(base, options, trained=False, cache=TextCache(folder))
    for done in texts.encode_all(captions):     # beforehand, where the captions are known (captions.cached_variants)
        ...
    texts.free_encoders()                       # from here on only what was encoded is available
    states = texts(batch.captions)

Where a text encoder trains, each call encodes. Where none does, a caption's states never change: they are encoded one caption at a
time, so that they do not depend on the other captions of a batch, and kept in memory as far as there is room, and on disk where there is
a cache. What comes back is bit for bit what the encoders gave, wherever it was kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

import torch

from lorasmith.datasets.texts import TextCache, text_key
from lorasmith.errors import RunError
from lorasmith.models.base import Base
from lorasmith.models.device import DEVICES
from lorasmith.models.texts import EncodedTexts, TextOptions

ROOM = 1 << 30  # bytes of encoded captions in memory


class TextStates:
    """Captions to states; `trained` says whether a text encoder trains, so that each call has to encode.

    `cache` keeps the states of frozen encoders on disk, and is needed to free them; `room` is the memory for states, in bytes.
    """

    def __init__(self, base: Base, options: TextOptions, trained: bool, cache: TextCache | None = None, room: int = ROOM):
        assert cache is None or not trained, "the states of a trained encoder change with each step"
        self._base, self._options, self._trained, self._cache = base, options, trained, cache
        self._reader = reader(base, options)
        self._room, self._used = room, 0
        self._kept: OrderedDict[str, EncodedTexts] = OrderedDict()
        self._freed = False

    def __call__(self, captions: Sequence[str]) -> EncodedTexts:
        """The captions' states in their order.

        Raises RunError (`run.cache_lost`) where the encoders are freed and a caption is not in the cache.
        """
        if self._trained:
            return self._base.encode_texts(captions, self._options)
        return EncodedTexts.cat([self._one(caption) for caption in captions])

    def encode_all(self, captions: Sequence[str]) -> Iterator[int]:
        """Encode every caption that is not in the cache yet; yields how many are done."""
        if self._cache is not None:
            self._cache.bring(text_key(caption, self._reader) for caption in captions)
        for done, caption in enumerate(captions, start=1):
            self._one(caption)
            yield done
        if self._cache is not None:
            self._cache.finish()

    def keep(self, caption: str) -> bool:
        """Encode one caption into the cache on disk; False where it was there."""
        assert self._cache is not None, "nothing is kept without a cache"
        key = text_key(caption, self._reader)
        if self._cache.get(key) is not None:
            return False
        self._cache.put(key, self._encode(caption).tensors())
        self._cache.finish()
        return True

    def free_encoders(self) -> None:
        """Free the text encoders' weights. Tokens can still be counted."""
        assert self._cache is not None, "without a cache on disk the encoders are needed"
        self._base.free_text_encoders()
        self._freed = True
        for kind in DEVICES.values():
            if kind.count():
                kind.empty_cache()

    def _one(self, caption: str) -> EncodedTexts:
        if caption in self._kept:
            self._kept.move_to_end(caption)
            return self._kept[caption]
        key = text_key(caption, self._reader)
        found = None if self._cache is None else self._cache.get(key)
        states = self._encode(caption) if found is None else EncodedTexts.from_tensors(found)
        if found is None and self._cache is not None:
            self._cache.put(key, states.tensors())
        self._keep(caption, states)
        return states

    def _encode(self, caption: str) -> EncodedTexts:
        if self._freed:
            raise RunError(
                f"The encoded caption {caption!r} is not in the cache any more, and the text encoders have been freed. "
                "Continue with `lorasmith resume`, which encodes it again.",
                code="run.cache_lost", caption=caption,
            )  # fmt: skip
        with torch.no_grad():
            return self._base.encode_texts([caption], self._options).cpu()

    def _keep(self, caption: str, states: EncodedTexts) -> None:
        """Keep in memory, and drop the least recently used where there is no room."""
        self._kept[caption] = states
        self._used += _bytes(states)
        while self._used > self._room and len(self._kept) > 1:
            self._used -= _bytes(self._kept.popitem(last=False)[1])


def _bytes(texts: EncodedTexts) -> int:
    return sum(tensor.nbytes for tensor in texts.tensors().values())


def reader(base: Base, options: TextOptions) -> str:
    """Everything that a caption's states depend on besides the caption: family, encoders, their dtypes, and how they read."""
    encoders = []
    for name, module in sorted(base.parts.items()):
        if name != base.denoiser:
            tensors = [*module.parameters(), *module.buffers()]
            held = sorted({(str(tensor.dtype), tensor.device.type) for tensor in tensors})
            encoders.append((name, base.fingerprints[name], held, sorted({type(layer).__name__ for layer in module.modules()})))
    # The length is listed beside the options, since its default depends on more than the encoders.
    return repr((base.family, encoders, options, base.max_tokens(options)))
