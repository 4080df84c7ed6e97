"""Embeddings that OneTrainer bundles with a LoRA: `bundle_emb.NAME.clip_l`, and so on for each text encoder.

They belong to no layer and have no strength: AUTOMATIC1111 reads them out of the file, under their name. So they are copied as they are
into every new file that can hold them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lorasmith.adapters.files.header import read_lora_header
from lorasmith.adapters.files.keys import EMBEDDING
from lorasmith.pages.numbers import count

if TYPE_CHECKING:
    from torch import Tensor


def bundled_in(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a file that are those of bundled embeddings, by their keys."""
    return {key: tensor for key, tensor in tensors.items() if EMBEDDING.match(key)}


def names_of(keys: Iterable[str]) -> tuple[str, ...]:
    """The names of the embeddings among these keys of a file, in its order."""
    return tuple(dict.fromkeys(found[1] for key in keys if (found := EMBEDDING.match(key))))


def together(files: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The bundled embeddings of several files; of those with one name that of the first file."""
    found: dict[str, Tensor] = {}
    for tensors in files:
        taken = frozenset(names_of(found))
        found |= {key: tensor for key, tensor in bundled_in(tensors).items() if not taken.intersection(names_of([key]))}
    return found


def notes_on_merging(files: Sequence[Path], into_base: bool) -> tuple[str, ...]:
    """What became of the embeddings that are bundled in LoRA files when those were merged, with each other or into a base."""
    by_file = {file: names_of(read_lora_header(file, allow_pickle=True).tensors) for file in files if file.is_file()}
    names = tuple(dict.fromkeys(name for of_file in by_file.values() for name in of_file))
    if not names:
        return ()
    if into_base:
        return (left_out(names, "a checkpoint holds none; keep the LoRA file for them"),)
    first = {name: next(file.name for file, of_file in by_file.items() if name in of_file) for name in names}
    several = [name for name in names if sum(name in of_file for of_file in by_file.values()) > 1]
    return (copied(names), *(f"Several files have an embedding {name}: that of {first[name]} was copied." for name in several))


def copied(names: Sequence[str]) -> str:
    """The sentence that these embeddings are in the new file."""
    return f"The {_embeddings(names)} {'was' if len(names) == 1 else 'were'} copied unchanged."


def left_out(names: Sequence[str], why: str) -> str:
    """The sentence that these embeddings are not in what was written."""
    return f"The {_embeddings(names)} {'was' if len(names) == 1 else 'were'} left out: {why}."


def _embeddings(names: Sequence[str]) -> str:
    return f"{count(len(names), 'bundled embedding')} ({', '.join(names)})"
