"""How often the audit is right: a made set with every fault, with what nearly is one, and with sound pictures; precision and recall.

For each kind of finding there are pictures that have it, pictures that nearly have it (a blurred background behind a sharp subject, a
drawing on white beside a burnt-out photograph) and pictures that do not. They are made from demo scenes and, where given, photographs.
A finding counts as found if the audit names it for that picture; whatever else it says of it is not asked.

The audit's limits were set while looking at the set of seed 0, so its figures there say that the audit does what was meant, not how well
it does elsewhere. Every other seed is another draw: other scenes, other parts of the photographs, other strengths of each fault (see
`draw.Draw`), other faults on other pictures. No limit was changed for what came out there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageOps

from lorasmith.demo.audit_bench.copies import bench_copies
from lorasmith.demo.audit_bench.draw import Draw, Effort
from lorasmith.demo.audit_bench.faults import SIDE
from lorasmith.demo.audit_bench.pictures import bench_pictures
from lorasmith.demo.audit_bench.score import Score
from lorasmith.demo.audit_bench.sets import bench_sets
from lorasmith.demo.drawing import draw_scene

FIRST_SCENE = 50_000_000
"""Number of the first scene among the sound pictures."""

PHOTOGRAPHS = (
    "astronaut", "brick", "camera", "cell", "chelsea", "clock", "coffee", "coins", "grass", "gravel", "hubble_deep_field",
    "immunohistochemistry", "moon", "page", "retina", "rocket", "text",
)  # fmt: skip
"""What scikit-image ships and is a photograph; names of functions in `skimage.data`."""


def photographs() -> dict[str, Image.Image]:
    """The photographs of scikit-image by name, or none where it is not installed."""
    try:
        import skimage.data
    except ImportError:
        return {}
    return {name: Image.fromarray(np.asarray(getattr(skimage.data, name)())).convert("RGB") for name in PHOTOGRAPHS}


def bench(
    given: Mapping[str, Image.Image], progress: Callable[[str], None] | None = None, *, seed: int = 0, effort: Effort | None = None
) -> list[Score]:
    """Scores of all kinds, those of single pictures first; `given` are photographs by name, and may be none.

    `seed` chooses the draw; 0 is the one that the audit's limits were set on.
    """
    draw, effort = Draw(seed), effort or Effort()
    bases = bases_of(given, draw, effort)
    scores = bench_pictures(bases, draw, effort, progress)
    for part in (bench_copies, bench_sets):
        scores += part(bases, draw, effort, progress)
    return scores


def bases_of(given: Mapping[str, Image.Image], draw: Draw, effort: Effort) -> dict[str, Image.Image]:
    """Sound pictures of at least the training's area, half of them photographs where there are any; of other draws parts of those."""
    bases = {}
    for name, picture in given.items():
        if draw.seed:
            rng = draw.rng("part", name)
            share = rng.uniform(0.75, 1)
            w, h = round(picture.width * share), round(picture.height * share)
            left, top = rng.randint(0, picture.width - w), rng.randint(0, picture.height - h)
            picture = picture.crop((left, top, left + w, top + h))
            picture = ImageOps.mirror(picture) if rng.random() < 0.5 else picture
        scale = max(1.0 if picture.width * picture.height < 700**2 else 0.5, 264 / (picture.width * picture.height) ** 0.5)
        size = (round(picture.width * scale), round(picture.height * scale))
        bases[name] = picture if scale == 1 else picture.resize(size, Image.Resampling.LANCZOS)
    for number in range(effort.scenes):
        bases[f"scene-{number}"] = draw_scene(draw.scene(FIRST_SCENE + number), SIDE)
    return bases
