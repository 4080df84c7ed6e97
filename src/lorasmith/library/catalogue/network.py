"""What a LoRA's header says about its network, as far as the catalogue asks."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from lorasmith.adapters.files.header import LoraHeader
from lorasmith.adapters.kinds import ALPHA, DORA_SCALE, KINDS, kind_of
from lorasmith.errors import AdapterError
from lorasmith.models.families import FAMILIES
from lorasmith.safetensors_header import Entry

_SUFFIXES = sorted(
    {ALPHA, DORA_SCALE, *(suffix for kind in KINDS.values() for suffix in kind.suffixes)} - {"weight"}, key=len, reverse=True
)
_KOHYA = re.compile(rf"(.+)\.({'|'.join(map(re.escape, _SUFFIXES))})")
_OTHERS = re.compile(r"(.+)\.(?:processor\.)?lora(?:_linear_layer)?(?:[._](A|B|up|down|magnitude_vector))(?:\.default)?(?:\.weight)?")
_IN_KOHYAS = {
    "A": "lora_down.weight", "down": "lora_down.weight", "B": "lora_up.weight", "up": "lora_up.weight", "magnitude_vector": DORA_SCALE
}  # fmt: skip


@dataclass(frozen=True)
class CataloguedNetwork:
    """Family, kinds and ranks of a LoRA; "" and () where the header does not show them."""

    family: str
    kinds: tuple[str, ...]
    ranks: tuple[int, ...]


def network_of(header: LoraHeader) -> CataloguedNetwork:
    """The network in a file. Raises AdapterError (`library.no_lora`) where there is none."""
    layers: dict[str, dict[str, Entry]] = defaultdict(dict)
    for name, entry in header.tensors.items():
        if found := _KOHYA.fullmatch(name):
            layers[found[1]][found[2]] = entry
        elif found := _OTHERS.fullmatch(name):
            layers[found[1]][_IN_KOHYAS[found[2]]] = entry
    kinds, ranks = set(), set()
    for tensors in layers.values():
        try:
            kind = kind_of(tensors)
        except AdapterError:
            continue
        kinds.add(kind.name)
        rank = kind.rank({suffix: entry for suffix, entry in tensors.items() if suffix not in (ALPHA, DORA_SCALE)})
        ranks |= set() if rank is None else {rank}
    if not kinds:
        raise AdapterError(
            "There is no LoRA or other network in the file: it is a whole model, an embedding, or of a kind that is not known.",
            code="library.no_lora",
        )
    return CataloguedNetwork(_family(header), tuple(sorted(kinds)), tuple(sorted(ranks)))


def _family(header: LoraHeader) -> str:
    words = " ".join(header.metadata.get(key, "") for key in ("ss_base_model_version", "modelspec.architecture"))
    return next((name for name, known in reversed(FAMILIES.items()) if any(each in words for each in known.lora.marks.versions)), "")
