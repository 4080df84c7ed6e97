"""Findings about single pictures, on pictures that are made to have them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from PIL import Image

from lorasmith.curation.audit.dataset import usual_buckets
from lorasmith.curation.audit.picture_kinds import Training, judge
from lorasmith.datasets.buckets import bucket_sizes, fit
from lorasmith.demo.audit_bench.draw import Draw, Effort
from lorasmith.demo.audit_bench.encode import png
from lorasmith.demo.audit_bench.faults import AS_THEY_ARE, FAULTS, LEFT_OUT, sort_of
from lorasmith.demo.audit_bench.score import Case, Score, score_of
from lorasmith.images.measures import measure

RESOLUTION = 256
"""Side of the training's square that the made pictures are judged for."""


def bench_pictures(bases: Mapping[str, Image.Image], draw: Draw, effort: Effort, progress: Callable[[str], None] | None) -> list[Score]:
    """Each made picture is asked for its own fault, a sound one for all."""
    buckets = usual_buckets(RESOLUTION)
    sizes = bucket_sizes(buckets)
    training = Training(RESOLUTION, lambda size: fit(size, buckets, sizes).lost)
    seen: dict[str, list[tuple[Case, bool]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(_cases(bases, draw, effort)):
            path = Path(folder) / f"{number}.png"  # the content counts, not the suffix
            path.write_bytes(case.data)
            measures = measure(path, str(number), len(case.data))
            found = {finding.code.removeprefix("audit.") for finding in judge(case.name, measures, training)}
            path.unlink()
            for kind in (case.kind,) if case.kind else tuple(FAULTS):
                grey = kind == "greyscale" and not case.kind and measures.coloured < 1
                as_it_is = not case.kind and sort_of(case.name) in AS_THEY_ARE.get(kind, ())
                if not grey and not as_it_is and not (kind == "cropped_away" and not case.kind):
                    seen.setdefault(kind, []).append((case, kind in found))
            if progress and number % 50 == 0:
                progress(f"{number} pictures made and measured")
    return [score_of(kind, results) for kind, results in seen.items()]


def _cases(bases: Mapping[str, Image.Image], draw: Draw, effort: Effort) -> Iterator[Case]:
    for kind, (has, nearly) in FAULTS.items():
        often = min(4, effort.each) if kind == "too_large" else effort.each  # large pictures take their time
        names = [name for name in bases if sort_of(name) not in LEFT_OUT.get(kind, ())]
        purpose = kind.replace("_", " ")  # what the draws were named after when the published figures were made
        if draw.seed:
            draw.rng("order", purpose).shuffle(names)
        chosen = names[:: max(1, len(names) // often)]
        for number, name in enumerate(chosen):
            for makers, faulty in ((has, True), (nearly, False)):
                maker = makers[number % len(makers)]
                word = "has" if faulty else "nearly has"
                yield Case(
                    kind,
                    f"{name} {word} {kind!r} by {maker.__name__.strip('_')}",
                    maker(bases[name].copy(), draw.strengths(purpose, name, word)),
                    faulty,
                )
    for name, picture in bases.items():
        yield Case("", name, png(picture), False)
