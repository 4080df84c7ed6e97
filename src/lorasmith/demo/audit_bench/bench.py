"""How often the audit is right: made sets with every fault, with what nearly is one, and with sound pictures; precision and recall.

For each kind of finding there are pictures that have it, pictures that nearly have it (a blurred background behind a sharp subject, a
drawing on white beside a burnt-out photograph) and pictures that do not. There are two sets of sound pictures to make them from: what is
drawn by code (demo scenes, and the sorts of `drawn`), and what installed packages ship (`shipped`). A finding counts as found if the
audit names it for that picture; whatever else it says of it is not asked.

The audit's limits were set while looking at seeds 0 to 6, so the figures there say that the audit does what was meant, not how well it
does elsewhere. Every other seed is another draw: other scenes and drawings, other parts of the photographs, other strengths of each
fault (see `draw.Draw`), other faults on other pictures. No limit was changed for what came out there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from PIL import Image, ImageOps

from lorasmith.demo.audit_bench.copies import bench_copies
from lorasmith.demo.audit_bench.draw import Draw, Effort
from lorasmith.demo.audit_bench.drawn import DRAWN
from lorasmith.demo.audit_bench.faults import SIDE
from lorasmith.demo.audit_bench.pictures import bench_pictures
from lorasmith.demo.audit_bench.score import Score
from lorasmith.demo.audit_bench.sets import bench_sets
from lorasmith.demo.audit_bench.shipped import shipped_pictures
from lorasmith.demo.drawing import draw_scene

FIRST_SCENE = 50_000_000
"""Number of the first scene among the sound pictures."""

SoundSet = Literal["drawn", "shipped"]


def bench(sound: SoundSet, progress: Callable[[str], None] | None = None, *, seed: int = 0, effort: Effort | None = None) -> list[Score]:
    """Scores of all kinds, those of single pictures first; none where nothing is shipped. `seed` chooses the draw."""
    draw, effort = Draw(seed), effort or Effort()
    bases = SOUND_SETS[sound](draw, effort)
    if not bases:
        return []
    scores = bench_pictures(bases, draw, effort, progress)
    for part in (bench_copies, bench_sets):
        scores += part(bases, draw, effort, progress)
    return scores


def drawn_bases(draw: Draw, effort: Effort) -> dict[str, Image.Image]:
    """Demo scenes and drawings of every sort, by names such as `sprite-2`."""
    bases = {f"scene-{number}": draw_scene(draw.scene(FIRST_SCENE + number), SIDE) for number in range(effort.scenes)}
    for sort, paint in DRAWN.items():
        bases |= {f"{sort}-{number}": paint(draw.rng("drawn", sort, number)) for number in range(effort.of_each_sort)}
    return bases


def shipped_bases(draw: Draw, effort: Effort) -> dict[str, Image.Image]:
    """Pictures that packages ship, at least of the training's area; of other draws than 0 parts of them."""
    return {name: _large_enough(_part_of(picture, name, draw)) for name, picture in shipped_pictures().items()}


SOUND_SETS: Mapping[SoundSet, Callable[[Draw, Effort], dict[str, Image.Image]]] = {"drawn": drawn_bases, "shipped": shipped_bases}


def _part_of(picture: Image.Image, name: str, draw: Draw) -> Image.Image:
    if not draw.seed:
        return picture
    rng = draw.rng("part", name)
    share = rng.uniform(0.75, 1)
    width, height = round(picture.width * share), round(picture.height * share)
    left, top = rng.randint(0, picture.width - width), rng.randint(0, picture.height - height)
    part = picture.crop((left, top, left + width, top + height))
    return ImageOps.mirror(part) if rng.random() < 0.5 else part


def _large_enough(picture: Image.Image) -> Image.Image:
    """Halved where it is much larger than is needed, enlarged where it is too small."""
    area = picture.width * picture.height
    scale = max(1.0 if area < 700**2 else 0.5, 264 / area**0.5)
    return (
        picture if scale == 1 else picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)
    )
