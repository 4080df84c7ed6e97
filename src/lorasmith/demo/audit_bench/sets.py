"""Findings about sets, on sets that are made to have them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFont

from lorasmith.curation.audit import set_signs
from lorasmith.curation.audit.set_kinds import judge_set
from lorasmith.curation.measuring import Picture
from lorasmith.demo.audit_bench.draw import Draw, Effort
from lorasmith.demo.audit_bench.encode import png, to_area
from lorasmith.demo.audit_bench.faults import sort_of
from lorasmith.demo.audit_bench.score import Case, Score, score_of
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import BACKGROUNDS
from lorasmith.images import lettering
from lorasmith.images.duplicates import signature
from lorasmith.images.measures import Measures, measure
from lorasmith.images.signs import grey_of, view_of


def bench_sets(bases: Mapping[str, Image.Image], draw: Draw, effort: Effort, progress: Callable[[str], None] | None) -> list[Score]:
    """Findings about sets: each of several sets has the fault or not."""
    if progress:
        progress("sets")
    # windows have their buttons in one corner, as signed pictures have signatures
    pictures = [to_area(picture, 260) for name, picture in bases.items() if sort_of(name) != "screenshot"]
    results: dict[str, list[tuple[Case, bool]]] = {}

    def note(kind: str, name: str, has: bool, found: bool) -> None:
        results.setdefault(kind, []).append((Case(kind, name, b"", has), found))

    first = 100 * draw.seed  # other words, places and colours
    for number in range(first, first + effort.sets):
        rng = draw.rng("set", number)
        chosen = rng.sample(pictures, min(14, len(pictures)))
        for share, name in ((1.0, "signed"), (0.5, "half of them signed"), (0.0, "unsigned"), (-1.0, "signed here and there")):
            prints = [
                _print_of(_signed(p, number, place if share < 0 else None) if place < abs(share) * len(chosen) else p)
                for place, p in enumerate(chosen)
            ]
            note("same_lettering", f"{name} {number}", share > 0, lettering.repeated_strokes(prints) is not None)
        figures = [
            draw_scene(draw.scene(52_000_000 + 40 * number + i, background=BACKGROUNDS[i % len(BACKGROUNDS)]), 128) for i in range(14)
        ]
        for share, name in ((0.7, "one studio"), (0.15, "a few in one studio"), (0.0, "various places")):
            signatures = [signature(_in_studio(p, number) if i < share * 14 else p) for i, p in enumerate(figures)]
            note("same_background", f"{name} {number}", share > 0.5, set_signs.one_background(signatures) is not None)
        poses = [_posed(figures[0], i, number) for i in range(14)]
        for share, name in ((0.7, "one pose"), (0.15, "a few in one pose"), (0.0, "various poses")):
            signatures = [signature(poses[i] if i < share * 14 else chosen[i % len(chosen)] if i % 2 else figures[i]) for i in range(14)]
            note("same_pose", f"{name} {number}", share > 0.5, set_signs.one_arrangement(signatures) is not None)
        count = 12 + number % 100
        names = [Path(f"anna_{i:03d}.png") for i in range(count)]
        others = [Path(f"{word}_{i}.png") for i, word in enumerate(("berta", "carla", "dora"))]
        note("one_source", f"{count} of one beside 3", True, set_signs.main_source(names + others) is not None)
        note("one_source", f"all {count} of one name", False, set_signs.main_source(names) is not None)
        note(
            "one_source",
            f"{count} of three names",
            False,
            set_signs.main_source([Path(f"{'abc'[i % 3]}-{i}.png") for i in range(count)]) is not None,
        )
    for kind, (_, least, most, _) in set_signs.RANGES.items():
        for count in (least - 1, least // 2, least, least + 5, most, most + 1, 3 * most):
            for rule, confidence, has in (
                ("set_too_small", set_signs.too_few, count < least),
                ("set_too_large", set_signs.too_many, count > most),
            ):
                note(rule, f"{count} of a {kind}", has, confidence(count, kind) is not None)
    exact = [
        Picture(f"{i}.png", Path(f"{i}.png"), _measures_of(p, str(i // 2 if i < 4 else i)))
        for i, p in enumerate((*pictures[:2], *pictures[:2], *pictures[2:6]))
    ]
    found = [finding for finding in judge_set(exact) if finding.code == "audit.exact_duplicate"]
    for i in range(4):
        note("exact_duplicate", f"file {i}", True, any(f"{i}.png" in finding.subjects for finding in found))
    for i in range(4, 8):
        note("exact_duplicate", f"file {i}", False, any(f"{i}.png" in finding.subjects for finding in found))
    return [score_of(kind, result) for kind, result in results.items()]


def _measures_of(picture: Image.Image, content: str) -> Measures:
    """Measures of a picture that is in no file."""
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(png(picture))
        file.flush()
        return measure(Path(file.name), content, 1)


def _print_of(picture: Image.Image) -> np.ndarray:
    return lettering.corner_prints(grey_of(view_of(np.asarray(picture))))


def _signed(picture: Image.Image, number: int, scatter: int | None) -> Image.Image:
    """With a signature in a corner: always the same place, or, with `scatter`, another place and word each time."""
    out = picture.copy()
    layer = Image.new("RGBA", out.size)
    side = (out.width * out.height) ** 0.5
    words = f"@{['artist', 'sketch', 'studio'][number % 3]}{number}" if scatter is None else f"by {scatter * 37 % 91:02d}x"
    font = ImageFont.load_default(side / 14)
    draw = ImageDraw.Draw(layer)
    width = draw.textlength(words, font=font)
    right, low = number % 2, number // 2 % 2
    x = out.width - width - 0.03 * side if right else 0.03 * side
    y = out.height - 0.1 * side if low else 0.02 * side
    if scatter is not None:
        x, y = (scatter * 53) % max(1, int(out.width - width)), (scatter * 41) % max(1, int(out.height * 0.9))
    colour = (255, 255, 255, 210) if number % 4 < 3 else (0, 0, 0, 210)
    draw.text((x + 1, y + 1), words, fill=(0, 0, 0, 160), font=font)
    draw.text((x, y), words, fill=colour, font=font)
    return Image.alpha_composite(out.convert("RGBA"), layer).convert("RGB")


def _in_studio(picture: Image.Image, number: int) -> Image.Image:
    """The middle of the picture before one background, a little brighter or darker each time."""
    colours = ((236, 236, 232), (120, 150, 190), (60, 60, 66))
    inside = Image.new("L", picture.size, 0)
    ImageDraw.Draw(inside).ellipse((24, 20, picture.width - 24, picture.height - 6), fill=255)
    return Image.composite(picture, Image.new("RGB", picture.size, colours[number % 3]), inside)


def _posed(figure: Image.Image, number: int, tint: int) -> Image.Image:
    """The same arrangement in another light."""
    light = ImageEnhance.Brightness(figure).enhance(0.8 + 0.03 * number)
    colour = Image.new("RGB", figure.size, ((40 * number) % 200, (70 * number + 30 * tint) % 200, (110 * number) % 200))
    return ImageChops.add(Image.blend(light, colour, 0.15), Image.new("RGB", figure.size, (number, 0, 13 - number)))
