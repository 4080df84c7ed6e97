"""Near duplicates and mirrored pairs, on pictures that are copied and changed."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Mapping

from PIL import Image, ImageChops, ImageOps, ImageStat

from lorasmith.demo.audit_bench.draw import Draw, Effort
from lorasmith.demo.audit_bench.encode import jpeg, scaled
from lorasmith.demo.audit_bench.faults import sort_of
from lorasmith.demo.audit_bench.score import Score
from lorasmith.demo.drawing import draw_scene
from lorasmith.images.duplicates import near_duplicate_pairs, signature


def bench_copies(bases: Mapping[str, Image.Image], draw: Draw, effort: Effort, progress: Callable[[str], None] | None) -> list[Score]:
    """Near duplicates over flip, JPEG 40-95, resize 0.3-2x and crops to 90 % of a side; strangers are all other pairs."""
    pictures = dict(bases)
    for name, picture in bases.items():
        if sort_of(name) == name and min(picture.size) >= 400:
            w, h = picture.size
            pictures |= {
                f"{name} {x}{y}": picture.crop((x * w // 2, y * h // 2, (x + 1) * w // 2, (y + 1) * h // 2)) for x in (0, 1) for y in (0, 1)
            }
    for number in range(effort.creatures):
        pictures[f"creature-{number}"] = draw_scene(draw.scene(51_000_000 + number), 224)
    names = list(pictures)
    signatures = [signature(picture) for picture in pictures.values()]
    owners = list(range(len(names)))
    said = list(names)
    turned = [False] * len(names)
    for index, name in enumerate(names):
        for number in range(2):
            copy, words, flipped = _changed(pictures[name], draw.rng(f"{name}-{number}"))
            signatures.append(signature(copy))
            owners.append(index)
            said.append(f"{name}, {words}")
            turned.append(flipped)
        if progress and index % 40 == 0:
            progress(f"{index} pictures copied and changed")
    pairs = near_duplicate_pairs(signatures)
    found = {(pair.first, pair.second): pair.relation for pair in pairs}
    of_copies = [(owners[i], i) for i in range(len(names), len(said))]
    missed = tuple(said[i] for first, i in of_copies if (first, i) not in found)
    wrongly = tuple(f"{said[a]} and {said[b]}" for a, b in found if owners[a] != owners[b])
    pairs_apart = len(said) * (len(said) - 1) // 2 - 3 * len(names)
    copies = Score("near_duplicate", len(of_copies), pairs_apart, missed, wrongly)
    kept = [(first, i) for first, i in of_copies if (first, i) in found]
    mirrored = [(first, i) for first, i in kept if turned[i]]
    lost = tuple(said[i] for first, i in mirrored if found[first, i] != "mirrored")
    extra = tuple(said[i] for first, i in kept if not turned[i] and found[first, i] == "mirrored")
    return [copies, Score("asymmetry", len(mirrored), len(kept) - len(mirrored), lost, extra)]


def _changed(picture: Image.Image, rng: random.Random) -> tuple[Image.Image, str, bool]:
    """The picture cropped, resized, mirrored and compressed, each or not, with words for what was done."""
    words = []
    if rng.random() < 0.6:
        across, down = rng.uniform(0.9, 1), rng.uniform(0.9, 1)
        if rng.random() < 0.3:
            across = down = 0.9
        w, h = round(picture.width * across), round(picture.height * down)
        left, top = rng.randint(0, picture.width - w), rng.randint(0, picture.height - h)
        picture = picture.crop((left, top, left + w, top + h))
        words.append(f"crop {across:.2f} x {down:.2f}")
    if rng.random() < 0.7:
        factor = rng.uniform(0.3, 2)
        picture = scaled(picture, factor)
        words.append(f"resize {factor:.2f}")
    flipped = rng.random() < 0.4 and not _is_symmetric(picture)
    if flipped:
        picture = ImageOps.mirror(picture)
        words.append("mirrored")
    if rng.random() < 0.8 or not words:
        quality = rng.randint(40, 95)
        picture = Image.open(io.BytesIO(jpeg(picture, quality)))
        words.append(f"JPEG {quality}")
    return picture, ", ".join(words), flipped


def _is_symmetric(picture: Image.Image) -> bool:
    """Whether the picture and its mirror image can hardly be told apart."""
    small = picture.convert("L").resize((48, 48), Image.Resampling.BOX)
    return ImageStat.Stat(ImageChops.difference(small, ImageOps.mirror(small))).mean[0] < 8
