"""Pictures with a LoRA file: put it on an opened base for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lorasmith.adapters.attach import AttachedAdapter, attach
from lorasmith.adapters.file import load_lora
from lorasmith.adapters.keys import clip_targets, unet_targets
from lorasmith.adapters.state import load_into
from lorasmith.errors import AdapterError
from lorasmith.models.family import Base


@contextmanager
def with_lora(base: Base, file: Path | None, strength: float = 1.0) -> Iterator[tuple[AttachedAdapter, ...]]:
    """Within the block the base draws with the LoRA in `file` (None: as it is).

    Raises AdapterError where the file has layers that the base lacks.
    """
    if file is None:
        yield ()
        return
    lora = load_lora(file)
    ranks = {
        key.removesuffix(".lora_down.weight"): value.shape[0] for key, value in lora.tensors.items() if key.endswith(".lora_down.weight")
    }
    if len(set(ranks.values())) > 1:
        raise AdapterError(f"the LoRA {file} mixes ranks, which this version cannot draw with; load it in your UI")
    rank = next(iter(ranks.values()))
    adapters = []
    with ExitStack() as stack:
        for part, targets in (("unet", unet_targets(base.parts["unet"])), ("text_encoder", clip_targets(base.parts["text_encoder"]))):
            wanted = {path: name for path, name in targets.items() if name in ranks}
            if wanted:
                adapter = attach(base.parts[part], wanted, rank, float(rank), seed=0)
                stack.callback(adapter.detach)
                stack.enter_context(adapter.strength(strength))
                adapters.append(adapter)
        if not adapters:
            raise AdapterError(f"the LoRA {file} has no layer that this base has; it was made for another base model")
        load_into(adapters, lora)
        yield tuple(adapters)
