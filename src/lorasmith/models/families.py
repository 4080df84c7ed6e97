"""The families of base models that can be trained: name -> record. A new family is its folder and one line here."""

from __future__ import annotations

from collections.abc import Iterator

from lorasmith.models.anima.family import ANIMA
from lorasmith.models.chroma.family import CHROMA
from lorasmith.models.family import Family
from lorasmith.models.flux.family import FLUX
from lorasmith.models.klein.family import KLEIN
from lorasmith.models.krea2.family import KREA2
from lorasmith.models.lumina2.family import LUMINA2
from lorasmith.models.parts import Architecture
from lorasmith.models.qwen_image.family import QWEN_IMAGE
from lorasmith.models.sd1.family import SD1
from lorasmith.models.sd2.family import SD2
from lorasmith.models.sd3.family import SD3
from lorasmith.models.sdxl.family import SDXL
from lorasmith.models.zimage.family import ZIMAGE

FAMILIES: dict[str, Family] = {}


def register(family: Family) -> None:
    """Add a family; a name that is taken already is a mistake of ours."""
    taken = {*FAMILIES, *(name for known in FAMILIES.values() for name in known.relatives)}
    assert not taken & {family.name, *family.relatives}, f"there are two families called {family.name}"
    FAMILIES[family.name] = family


register(SD1)
register(SD2)
register(SDXL)
register(FLUX)
register(SD3)
register(CHROMA)
register(KLEIN)
register(ZIMAGE)
register(LUMINA2)
register(QWEN_IMAGE)
register(ANIMA)
register(KREA2)


def architectures() -> Iterator[Architecture]:
    """The architecture of every part of every family, each once."""
    yield from dict.fromkeys(
        part.architecture for family in FAMILIES.values() for variant in family.variants.values() for part in variant.parts.values()
    )


def part_in_words(part: str) -> str:
    """What each family has as a part, for help: "CLIP-L (Flux.1), T5 XXL (Chroma)"; parts without a name of their own are left out."""
    found: dict[str, dict[str, None]] = {}
    for family in FAMILIES.values():
        for variant in family.variants.values():
            if part in variant.parts and (model := variant.parts[part].model):
                found.setdefault(model, {})[family.title] = None
    return ", ".join(f"{model} ({', '.join(titles)})" for model, titles in found.items())


def in_words(separator: str = "or") -> str:
    """The titles of all families as part of a sentence."""
    titles = [family.title for family in FAMILIES.values()]
    return f"{', '.join(titles[:-1])} {separator} {titles[-1]}"
