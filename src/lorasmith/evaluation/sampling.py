"""Pictures with a LoRA file: put it on an opened base for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lorasmith.adapters.attach import AttachedAdapter
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.lora_file import load_tensors
from lorasmith.adapters.files.network import file_tensors
from lorasmith.adapters.state import attach_file
from lorasmith.errors import AdapterError
from lorasmith.models.base import Base


@contextmanager
def with_lora(base: Base, file: Path | None, strength: float = 1.0) -> Iterator[tuple[AttachedAdapter, ...]]:
    """Within the block the base draws with the network in `file` (None: as it is), of any kind and in any dialect.

    Raises AdapterError where something of the file cannot be read, or the base has none of its layers.
    """
    if file is None:
        yield ()
        return
    lora = load_tensors(file)
    shape = keys.denoiser_shape(base.family, base.parts)
    network = read_network(lora.tensors, lora.metadata, base.family, shape).whole()
    tensors = file_tensors(network.layers)
    adapters: list[AttachedAdapter] = []
    known: set[str] = set()
    with ExitStack() as stack:
        for part, module in base.parts.items():
            targets = keys.targets(base.family, part, module, "full")
            known |= targets.keys()
            if (adapter := attach_file(module, targets, tensors)) is not None:
                stack.callback(adapter.detach)
                stack.enter_context(adapter.strength(strength))
                adapters.append(adapter)
        if strange := sorted(network.layers.keys() - known):
            more = f" and {len(strange) - 1} more layers" if len(strange) > 1 else ""
            raise AdapterError(f"the LoRA {file} has {strange[0]}{more}, which this base has not; it was made for another base model")
        yield tuple(adapters)
