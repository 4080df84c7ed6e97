"""LoRA files on a base for a while: read once, then switched and changed in strength.

base = open_base("models/base.safetensors", torch.float32)      # opened once, for many pictures
with with_lora(base, "zorvex.safetensors", strength=0.8):
    ...

loras = LoraShelf(base)                                         # the same for many combinations
with loras.on_base([LoraUse(Path("zorvex.safetensors"), 0.5, 0.8)]):
    ...
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lorasmith.adapters.attach import attach_layers
from lorasmith.adapters.base_weights import BaseWeights
from lorasmith.adapters.changed_norms import changed_norms
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.lora_file import load_tensors
from lorasmith.adapters.kinds import norm
from lorasmith.adapters.layer import Layer
from lorasmith.adapters.tools.merge import merge
from lorasmith.errors import AdapterError
from lorasmith.models.base import Base
from lorasmith.pages.numbers import count

MOST_READ = 4
"""LoRA files whose layers stay in memory."""

TextChange = tuple[tuple[Path, float], ...]
"""The files that change the text encoders, each with its strength there."""


@dataclass(frozen=True)
class LoraUse:
    """A LoRA file with its strength on the text encoders and on the denoiser; 1 as trained."""

    path: Path
    text_encoder: float = 1.0
    denoiser: float = 1.0

    @classmethod
    def of(cls, path: str | Path, strength: float = 1.0) -> LoraUse:
        """A file at one strength."""
        return cls(Path(path), strength, strength)


class LoraShelf:
    """The LoRA files that are used on a base; each is read when it is first used."""

    def __init__(self, base: Base) -> None:
        self._base = base
        carrying = keys.naming_of(base.family).parts
        self._targets = {part: keys.targets(base.family, part, module, "full") for part, module in base.parts.items() if part in carrying}
        self._weights = BaseWeights(base.family, {part: base.parts[part] for part in self._targets})
        self._read: OrderedDict[Path, Mapping[str, Layer]] = OrderedDict()

    @contextmanager
    def on_base(self, uses: Sequence[LoraUse]) -> Iterator[None]:
        """Within the block the base has these LoRAs on it; the changes of several are added.

        Raises AdapterError where something of a file cannot be read, or the base has none of its layers.
        """
        acting = [(self.layers(use.path), use) for use in uses]
        with ExitStack() as stack:
            for part, targets in self._targets.items():
                shares = [(self._of_part(part, layers), _strength(use, part, self._base)) for layers, use in acting]
                shares = [(layers, strength) for layers, strength in shares if layers and strength]
                if not shares:
                    continue
                (layers, strength), *others = shares
                if others:
                    layers, strength = merge(shares, base=self._weights), 1.0
                adapter = attach_layers(self._base.parts[part], targets, layers)
                if adapter is not None:
                    stack.callback(adapter.detach)
                    stack.enter_context(adapter.strength(strength))
                stack.enter_context(changed_norms(self._weights, layers, strength))
            yield

    def text_change(self, uses: Sequence[LoraUse]) -> TextChange:
        """What these LoRAs make of the text encoders: prompts need not be encoded again where it is the same."""
        encoders = [part for part in self._targets if part != self._base.denoiser]
        return tuple(
            (use.path, use.text_encoder)
            for use in uses
            if use.text_encoder and any(self._of_part(part, self.layers(use.path)) for part in encoders)
        )

    def layers(self, path: Path) -> Mapping[str, Layer]:
        """The layers in a file, all of which the base has."""
        if path not in self._read:
            self._read[path] = self._layers_in(path)
            while len(self._read) > MOST_READ:
                self._read.popitem(last=False)
        self._read.move_to_end(path)
        return self._read[path]

    def _of_part(self, part: str, layers: Mapping[str, Layer]) -> dict[str, Layer]:
        """The layers of a part, and its normalisations, which are no targets of a network."""
        return {
            name: layer
            for name, layer in layers.items()
            if name in self._targets[part] or (layer.kind is norm.KIND and keys.part_of(self._base.family, name)[0] == part)
        }

    def _layers_in(self, path: Path) -> Mapping[str, Layer]:
        lora = load_tensors(path)
        shape = keys.denoiser_shape(self._base.family, self._base.parts)
        layers = read_network(lora.tensors, lora.metadata, self._base.family, shape).whole().layers
        known = {name for targets in self._targets.values() for name in targets}
        if unknown := sorted(name for name, layer in layers.items() if name not in known and not self._has_norm(layer)):
            more = f" and {count(len(unknown) - 1, 'more layer')}" if len(unknown) > 1 else ""
            raise AdapterError(
                f"The LoRA {path} has {unknown[0]}{more}, which this base does not have. It was made for another base model.",
                code="adapter.does_not_fit", path=str(path), layers=unknown,
            )  # fmt: skip
        return layers

    def _has_norm(self, layer: Layer) -> bool:
        """Whether a layer is a trained normalisation that the base has."""
        try:
            return layer.kind is norm.KIND and self._weights.layers(layer.name) is not None
        except AdapterError:
            return False


def _strength(use: LoraUse, part: str, base: Base) -> float:
    return use.denoiser if part == base.denoiser else use.text_encoder


@contextmanager
def with_lora(base: Base, file: str | Path | None, strength: float = 1.0) -> Iterator[None]:
    """Within the block the base has the LoRA in `file` on it (None: nothing); see `with_loras`.

    Examples
    --------
    >>> base = ls.open_base("base")
    >>> with ls.with_lora(base, "my-lora.safetensors", strength=0.8):
    ...     pictures = ls.sample(base, ["zorvex, beach", "zorvex, snow"], steps=1)
    >>> len(pictures)
    2
    """
    with with_loras(base, [] if file is None else [(file, strength)]):
        yield


@contextmanager
def with_loras(base: Base, loras: Sequence[tuple[str | Path, float]]) -> Iterator[None]:
    """Within the block the base has LoRAs of any kind and dialect on it, each at its strength; the changes of several are added.

    Raises AdapterError where something of a file cannot be read, or the base has none of its layers.
    """
    with LoraShelf(base).on_base([LoraUse.of(file, strength) for file, strength in loras]):
        yield
