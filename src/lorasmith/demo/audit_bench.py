"""How often the audit is right: a made set with every fault, with what nearly is one, and with sound pictures; precision and recall.

For each kind of finding there are pictures that have it, pictures that nearly have it (a blurred background behind a sharp subject, a
drawing on white beside a burnt-out photograph) and pictures that do not. They are made from demo scenes and, where given, photographs.
A finding counts as found if the audit names it for that picture; whatever else it says of it is not asked.

The audit's limits were set while looking at the set of seed 0, so its figures there say that the audit does what was meant, not how well
it does elsewhere. Every other seed is another draw: other scenes, other parts of the photographs, other strengths of each fault (see
`_Draw`), other faults on other pictures. No limit was changed for what came out there.
"""

from __future__ import annotations

import io
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from lorasmith.curation.audit import set_signs
from lorasmith.curation.audit.dataset import usual_buckets
from lorasmith.curation.audit.measuring import Picture
from lorasmith.curation.audit.picture_kinds import Training, judge
from lorasmith.curation.audit.set_kinds import judge_set
from lorasmith.datasets.buckets import bucket_sizes, fit
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import BACKGROUNDS, Scene, random_scene
from lorasmith.draws import rng_for
from lorasmith.images import lettering
from lorasmith.images.duplicates import near_duplicate_pairs, signature
from lorasmith.images.measures import measure

RESOLUTION = 256
"""Side of the training's square that the made pictures are judged for."""

SIDE = 320
FIRST_SCENE = 50_000_000


@dataclass(frozen=True)
class Effort:
    """How large the made set is."""

    scenes: int = 24
    each: int = 20
    """Pictures that get a fault, and that nearly get it."""
    creatures: int = 60
    """Further scenes among the strangers of copies."""
    sets: int = 12


QUICK = Effort(scenes=6, each=4, creatures=10, sets=4)
"""Enough to see that something broke; too little for figures."""

PHOTOGRAPHS = (
    "astronaut", "brick", "camera", "cell", "chelsea", "clock", "coffee", "coins", "grass", "gravel", "hubble_deep_field",
    "immunohistochemistry", "moon", "page", "retina", "rocket", "text",
)  # fmt: skip
"""What scikit-image ships and is a photograph; names of functions in `skimage.data`."""


@dataclass(frozen=True)
class Score:
    """How often the audit was right about one kind of finding."""

    kind: str
    present: int
    absent: int
    missed: tuple[str, ...]
    wrongly: tuple[str, ...]
    """Names of the made pictures (or sets) that were missed, and that were wrongly found."""

    @property
    def recall(self) -> float:
        return 1 - len(self.missed) / self.present

    @property
    def precision(self) -> float:
        right = self.present - len(self.missed)
        return right / (right + len(self.wrongly)) if right + len(self.wrongly) else 0.0


@dataclass(frozen=True)
class _Case:
    kind: str
    """What is asked of it; "" for a sound picture, of which everything is asked."""
    name: str
    data: bytes
    has: bool


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
    draw, effort = _Draw(seed), effort or Effort()
    bases = _bases(given, draw, effort)
    scores = _bench_pictures(bases, draw, effort, progress)
    for part in (_bench_copies, _bench_sets):
        scores += part(bases, draw, effort, progress)
    return scores


@dataclass(frozen=True)
class _Draw:
    """Where the numbers of a made set come from."""

    seed: int

    def rng(self, *purpose: str | int) -> random.Random:
        return rng_for("audit bench", *((self.seed,) if self.seed else ()), *purpose)

    def scene(self, number: int, **fixed: str | None) -> Scene:
        """The scene of a number, of this draw's own."""
        return random_scene(number + 1_000_000_000 * self.seed, **fixed)

    def strengths(self, *purpose: str | int) -> _Strength:
        """How strong to make one fault: the usual number for seed 0, else one between two."""
        rng = self.rng("strength", *purpose)
        return lambda defaults, low, high: defaults if not self.seed else rng.uniform(low, high)


def _bases(given: Mapping[str, Image.Image], draw: _Draw, effort: Effort) -> dict[str, Image.Image]:
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


# Single pictures

_Strength = Callable[[float, float, float], float]
"""(the usual number, lowest, highest) -> how strong the fault is made."""

_Maker = Callable[[Image.Image, _Strength], bytes]


def _bench_pictures(bases: Mapping[str, Image.Image], draw: _Draw, effort: Effort, progress: Callable[[str], None] | None) -> list[Score]:
    buckets = usual_buckets(RESOLUTION)
    sizes = bucket_sizes(buckets)
    training = Training(RESOLUTION, lambda size: fit(size, buckets, sizes).lost)
    seen: dict[str, list[tuple[_Case, bool]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(_cases(bases, draw, effort)):
            path = Path(folder) / f"{number}.png"  # the content counts, not the ending
            path.write_bytes(case.data)
            measures = measure(path, str(number), len(case.data))
            found = {finding.code.removeprefix("audit.") for finding in judge(case.name, measures, training)}
            path.unlink()
            for kind in (case.kind,) if case.kind else tuple(_MAKERS):
                grey = kind == "greyscale" and not case.kind and measures.coloured < 1
                as_it_is = not case.kind and case.name in _AS_THEY_ARE.get(kind, ())
                if not grey and not as_it_is and not (kind == "cropped_away" and not case.kind):
                    seen.setdefault(kind, []).append((case, kind in found))
            if progress and number % 50 == 0:
                progress(f"{number} pictures made and measured")
    return [_score(kind, results) for kind, results in seen.items()]


def _score(kind: str, results: Sequence[tuple[_Case, bool]]) -> Score:
    return Score(
        kind,
        sum(case.has for case, _ in results),
        sum(not case.has for case, _ in results),
        tuple(case.name for case, found in results if case.has and not found),
        tuple(case.name for case, found in results if found and not case.has),
    )


def _cases(bases: Mapping[str, Image.Image], draw: _Draw, effort: Effort) -> Iterator[_Case]:
    for kind, (has, nearly) in _MAKERS.items():
        often = min(4, effort.each) if kind == "too_large" else effort.each  # large pictures take their time
        left_out = {name for name in _LEFT_OUT.get(kind, ()) if not (draw.seed and name.startswith("scene"))}
        names = [name for name in bases if name not in left_out]
        if draw.seed:
            draw.rng("order", kind).shuffle(names)
        chosen = names[:: max(1, len(names) // often)]
        for number, name in enumerate(chosen):
            for makers, wanted in ((has, True), (nearly, False)):
                maker = makers[number % len(makers)]
                word = "has" if wanted else "nearly has"
                yield _Case(
                    kind,
                    f"{name} {word} {kind!r} by {maker.__name__.strip('_')}",
                    maker(bases[name].copy(), draw.strengths(kind, name, word)),
                    wanted,
                )
    for name, picture in bases.items():
        yield _Case("", name, _png(picture), False)


def _encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _png(picture: Image.Image) -> bytes:
    return _encoded(picture, "PNG", compress_level=1)


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    return _encoded(picture, "JPEG", quality=quality)


def _again(data: bytes) -> bytes:
    return _png(Image.open(io.BytesIO(data)))


def _scaled(picture: Image.Image, factor: float) -> Image.Image:
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _to_area(picture: Image.Image, side: float) -> Image.Image:
    return _scaled(picture, side / (picture.width * picture.height) ** 0.5)


def _blur(picture: Image.Image, pixels_of_512: float) -> Image.Image:
    scale = max(1.0, 512 / (picture.width * picture.height) ** 0.5)
    big = _scaled(picture, scale)  # as the softness is told at 512 x 512, that is where it is made
    return big.filter(ImageFilter.GaussianBlur(pixels_of_512))


def _sharp_middle(picture: Image.Image, to: _Strength) -> bytes:
    mask = Image.new("L", picture.size, 0)
    w, h = picture.size
    ImageDraw.Draw(mask).ellipse((w // 5, h // 5, w - w // 5, h - h // 5), fill=255)
    return _png(Image.composite(picture, picture.filter(ImageFilter.GaussianBlur(to(6, 4, 9))), mask))


def _dot(picture: Image.Image, to: _Strength) -> bytes:
    out = Image.linear_gradient("L").resize((SIDE, SIDE)).point([100 + v // 8 for v in range(256)]).convert("RGB")
    ImageDraw.Draw(out).ellipse((200, 90, 216, 106), fill=picture.getpixel((5, 5)))
    return _png(out)


def _plain(picture: Image.Image, to: _Strength) -> bytes:
    return _png(Image.new("RGB", picture.size, picture.getpixel((picture.width // 2, picture.height // 2))))


def _figure_on_plain(picture: Image.Image, to: _Strength) -> bytes:
    out = Image.new("RGB", (SIDE, SIDE), (226, 222, 210))
    draw = ImageDraw.Draw(out)
    draw.ellipse((70, 60, 250, 240), fill=(40, 90, 160), outline="black", width=4)
    for left in (110, 180):
        draw.ellipse((left, 110, left + 30, 150), fill="white", outline="black", width=3)
    draw.arc((110, 130, 210, 210), 20, 160, fill="black", width=5)
    draw.line((160, 240, 160, 310), fill="black", width=5)
    return _png(out)


def _lamp_in_the_dark(picture: Image.Image, to: _Strength) -> bytes:
    out = ImageEnhance.Brightness(picture).enhance(to(0.15, 0.08, 0.2))
    r = round((to(0.05, 0.035, 0.15) * out.width * out.height / 3.14) ** 0.5)
    x, y = out.width // 3, out.height // 3
    out.paste(
        ImageEnhance.Brightness(picture).enhance(1.0).resize((2 * r, 2 * r)).point([max(v, 150) for v in range(256)] * 3), (x - r, y - r)
    )
    return _png(out)


def _drawing_on_white(picture: Image.Image, to: _Strength) -> bytes:
    out = Image.new("RGB", (SIDE, SIDE), "white")
    draw = ImageDraw.Draw(out)
    for number in range(14):
        draw.line((20 + number * 20, 20, 300 - number * 18, 300), fill="black", width=3)
    draw.rectangle((90, 90, 230, 230), fill=(60, 90, 130), outline="black", width=4)
    return _png(out)


def _burnt(picture: Image.Image, gain: float = 1.9, lift: int = 96) -> Image.Image:
    return picture.point([min(255, round(v * gain + lift)) for v in range(256)] * 3)


def _strip(picture: Image.Image, ratio: float) -> bytes:
    large = _to_area(picture, 720)
    height = max(8, round(large.width / ratio))
    top = max(0, (large.height - height) // 2)
    return _png(large.crop((0, top, large.width, min(large.height, top + height))))


def _shape(picture: Image.Image, width: int, height: int) -> bytes:
    return _png(ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS))


def _on_plain(picture: Image.Image, share: float, colour: tuple[int, int, int], place: float) -> bytes:
    """The picture in an even area of which it takes `share`."""
    side = (picture.width * picture.height / share) ** 0.5
    out = Image.new("RGB", (max(picture.width, round(side)), max(picture.height, round(side))), colour)
    out.paste(picture, (round((out.width - picture.width) * place), round((out.height - picture.height) * place)))
    return _png(out)


def _on_white(picture: Image.Image, to: _Strength) -> bytes:
    return _jpeg(Image.open(io.BytesIO(_on_plain(picture, to(0.5, 0.3, 0.7), (255, 255, 255), to(0.5, 0.2, 0.8)))), round(to(85, 75, 95)))


def _bars(picture: Image.Image, share: float, colour: str, upright: bool = False) -> bytes:
    if upright:
        picture = picture.transpose(Image.Transpose.TRANSPOSE)
    if (np.abs(np.asarray(picture)[[0, -1]].astype(int) - (0 if colour == "black" else 255)) > 30).any(2).mean() < 0.75:
        colour = "white" if colour == "black" else "black"  # a bar beside its own colour is none
    bar = round(picture.height * share)
    out = Image.new("RGB", (picture.width, picture.height + 2 * bar), colour)
    out.paste(picture, (0, bar))
    return _png(out.transpose(Image.Transpose.TRANSPOSE) if upright else out)


def _one_bar(picture: Image.Image, to: _Strength) -> bytes:
    out = Image.new("RGB", (picture.width, round(picture.height * to(1.15, 1.08, 1.3))), "black")
    out.paste(picture, (0, 0))
    return _png(out)


def _figure_with_air(picture: Image.Image, to: _Strength) -> bytes:
    """A round cut-out that stands free on white: air on all sides, but no bars."""
    inside = Image.new("L", picture.size, 0)
    ImageDraw.Draw(inside).ellipse((0, 0, picture.width - 1, picture.height - 1), fill=255)
    cut = Image.composite(picture, Image.new("RGB", picture.size, "white"), inside)
    out = Image.new("RGB", (picture.width + 20, picture.height + 60), "white")
    out.paste(cut, (10, 30))
    return _png(out)


def _sheet(picture: Image.Image, columns: int, rows: int, gutter: int, colour: str) -> bytes:
    w, h = picture.size
    out = Image.new("RGB", (columns * w + (columns + 1) * gutter, rows * h + (rows + 1) * gutter), colour)
    for place in range(columns * rows):
        view = ImageOps.mirror(picture) if place % 2 else picture
        out.paste(view, (gutter + place % columns * (w + gutter), gutter + place // columns * (h + gutter)))
    return _png(out)


def _side_by_side(picture: Image.Image, to: _Strength) -> bytes:
    out = Image.new("RGB", (picture.width * 2, picture.height))
    out.paste(picture, (0, 0))
    out.paste(
        ImageOps.mirror(picture).rotate(to(3, 1, 6), Image.Resampling.BILINEAR, fillcolor=picture.getpixel((1, 1))), (picture.width, 0)
    )
    return _png(out)


def _logo_beside(picture: Image.Image, to: _Strength) -> bytes:
    out = Image.new("RGB", (round(picture.width * to(1.3, 1.2, 1.5)), picture.height + 20), "white")
    out.paste(picture, (10, 10))
    ImageDraw.Draw(out).ellipse((out.width - 50, 20, out.width - 15, 55), fill="navy")
    return _png(out)


def _noise(picture: Image.Image, strength: float, in_colour: bool, seed: int = 5) -> bytes:
    """A pattern of 1 to 4 pixels' width, with a spread of `strength` steps of 255, in each channel its own or one for all."""
    rng = np.random.default_rng(seed)
    shape = (picture.height, picture.width)
    planes = []
    for _ in range(3 if in_colour else 1):
        plane = Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8))
        fine, coarse = (np.asarray(plane.filter(ImageFilter.GaussianBlur(r)), np.float32) for r in (0.8, 3))
        planes.append((fine - coarse) / (fine - coarse).std() * strength)
    pixels = np.asarray(picture, np.float32) + np.stack(planes if in_colour else planes * 3, -1)
    return _png(Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8)))


def _clear(picture: Image.Image, to: _Strength) -> bytes:
    inside = Image.new("L", picture.size, 0)
    ImageDraw.Draw(inside).ellipse((10, 2, picture.width - 11, picture.height - 3), fill=255)
    picture.putalpha(inside)
    return _png(picture)


def _glassy(picture: Image.Image, to: _Strength) -> bytes:
    picture.putalpha(round(to(200, 60, 245)))
    return _encoded(picture, "WEBP", lossless=True)


def _opaque(picture: Image.Image, to: _Strength) -> bytes:
    picture.putalpha(255)
    return _png(picture)


def _moving(picture: Image.Image, kind: str) -> bytes:
    frames = [picture, picture.rotate(6), picture.rotate(-6)]
    return _encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=120, loop=0)


def _sepia(picture: Image.Image, to: _Strength) -> bytes:
    return _png(ImageOps.colorize(picture.convert("L"), "black", (255, 240, 205)))


def _named(name: str, maker: _Maker) -> _Maker:
    maker.__name__ = name
    return maker


_MAKERS: dict[str, tuple[tuple[_Maker, ...], tuple[_Maker, ...]]] = {
    "unreadable": (
        (
            _named("half a PNG", lambda p, to: _png(p)[: len(_png(p)) // 2]),
            _named("half a JPEG", lambda p, to: _jpeg(p, 85)[: len(_jpeg(p, 85)) // 2]),
            _named("half a WebP", lambda p, to: _encoded(p, "WEBP")[: len(_encoded(p, "WEBP")) // 2]),
            _named("nothing", lambda p, to: b""),
            _named("a letter", lambda p, to: b"Dear reader, this is no picture."),
        ),
        (
            _named("a JPEG with a tail", lambda p, to: _jpeg(p, 85) + b"something else" * 9),
            _named("a GIF named PNG", lambda p, to: _encoded(p, "GIF")),
            _named("an AVIF", lambda p, to: _encoded(p, "AVIF", quality=70, speed=10)),
        ),
    ),
    "too_small": (
        (_named("half the side", lambda p, to: _png(_to_area(p, to(128, 60, 180)))), _named("80 %", lambda p, to: _png(_to_area(p, to(205, 180, 225))))),
        (_named("98 %", lambda p, to: _png(_to_area(p, to(251, 247, 254)))), _named("102 %", lambda p, to: _png(_to_area(p, to(261, 258, 300))))),
    ),
    "too_large": (
        (_named("3100 wide", lambda p, to: _jpeg(p.resize((round(to(3100, 3010, 4000)), 1100)), 60)),),
        (_named("2980 wide", lambda p, to: _jpeg(p.resize((round(to(2980, 2400, 2998)), 1000)), 60)),),
    ),
    "transparent": ((_clear, _glassy), (_opaque,)),
    "compressed": (
        (
            _named("JPEG 12", lambda p, to: _jpeg(p, round(to(12, 5, 25)))),
            _named("JPEG 35", lambda p, to: _jpeg(p, round(to(35, 25, 46)))),
            _named("a PNG of JPEG 10", lambda p, to: _again(_jpeg(p, round(to(10, 5, 14))))),
            _named("JPEG 10 in JPEG 95", lambda p, to: _encoded(Image.open(io.BytesIO(_jpeg(p, round(to(10, 5, 14))))), "JPEG", quality=round(to(95, 92, 98)))),
        ),
        (
            _named("JPEG 70", lambda p, to: _jpeg(p, round(to(70, 55, 75)))),
            _named("JPEG 85", lambda p, to: _jpeg(p, round(to(85, 75, 95)))),
            _named("a PNG of JPEG 75", lambda p, to: _again(_jpeg(p, round(to(75, 70, 90))))),
        ),
    ),
    "blurred": (
        (_named("4 pixels", lambda p, to: _png(_blur(p, to(4, 3, 6)))), _named("7 pixels, then large", lambda p, to: _jpeg(_scaled(_blur(p, to(7, 4, 9)), to(2, 1.3, 2.5)), 85))),
        (
            _sharp_middle,
            _named("less than a pixel", lambda p, to: _png(_blur(p, to(0.8, 0.3, 1.1)))),
            _named("enlarged", lambda p, to: _jpeg(_scaled(p, to(2, 1.5, 2.5)), 90)),
        ),
    ),
    "little_to_see": ((_dot, _plain), (_figure_on_plain, _drawing_on_white)),
    "dark": (
        (_named("an eighth of the light", lambda p, to: _png(ImageEnhance.Brightness(p).enhance(to(0.12, 0.06, 0.17)))),),
        (_lamp_in_the_dark, _named("half the light", lambda p, to: _png(ImageEnhance.Brightness(p).enhance(to(0.55, 0.45, 0.8))))),
    ),
    "blown_out": (
        (_named("too long exposed", lambda p, to: _png(_burnt(p, to(1.9, 1.7, 2.2), round(to(96, 90, 110))))), _named("far too long exposed", lambda p, to: _jpeg(_burnt(p, to(2.4, 2.2, 3), round(to(110, 100, 130))), 90))),
        (_drawing_on_white, _on_white, _figure_with_air, _named("a little bright", lambda p, to: _png(_burnt(p, to(1.1, 1, 1.2), round(to(10, 0, 15)))))),
    ),
    "odd_aspect": (
        (_named("4 to 1", lambda p, to: _strip(p, to(4, 3.4, 5))), _named("6 to 1", lambda p, to: _strip(p, to(6, 5, 8)))),
        (_named("2.5 to 1", lambda p, to: _strip(p, to(2.5, 2, 2.8))),),
    ),
    "cropped_away": (
        (_named("300 x 400", lambda p, to: _shape(p, 300, 380)),),
        (_named("exactly a bucket", lambda p, to: _shape(p, 320, 192)), _named("a square", lambda p, to: _shape(p, 300, 296))),
    ),
    "empty_margins": (
        (
            _named("a seventh of it", lambda p, to: _on_plain(p, to(0.15, 0.08, 0.25), (244, 244, 240), to(0.7, 0, 1))),
            _named("a third of it", lambda p, to: _on_plain(p, to(0.33, 0.25, 0.38), (30, 60, 40), to(0.4, 0.2, 0.8))),
        ),
        (_named("seven tenths of it", lambda p, to: _on_plain(p, to(0.7, 0.55, 0.85), (244, 244, 240), to(0.5, 0.3, 0.7))), _figure_on_plain),
    ),
    "letterbox": (
        (
            _named("black bars", lambda p, to: _bars(p, to(0.12, 0.06, 0.25), "black")),
            _named("a black frame", lambda p, to: _png(ImageOps.expand(p, round(to(20, 14, 40)), "black"))),
            _named("white bars at the sides", lambda p, to: _bars(p, to(0.08, 0.05, 0.2), "white", upright=True)),
        ),
        (_one_bar, _figure_with_air),
    ),
    "framed": (
        (
            _named("a white frame", lambda p, to: _png(ImageOps.expand(p, round(to(24, 16, 40)), "white"))),
        ),
        (_figure_with_air, _figure_on_plain),
    ),
    "several_views": (
        (
            _named("four on white", lambda p, to: _sheet(p, 2, 2, round(to(12, 10, 30)), "white")),
            _named("two on grey", lambda p, to: _sheet(p, 2, 1, round(to(16, 10, 30)), "#c8c8c8")),
            _named("three in a row", lambda p, to: _sheet(p, 3, 1, round(to(10, 10, 24)), "white")),
        ),
        (_side_by_side, _logo_beside),
    ),
    "adversarial_noise": (
        (_named("colour noise 7", lambda p, to: _noise(p, to(7, 6, 10), True, round(to(5, 10, 1e6)))), _named("colour noise 9", lambda p, to: _noise(p, to(9, 8, 12), True, round(to(6, 10, 1e6))))),
        (_named("grain 7", lambda p, to: _noise(p, to(7, 4, 10), False, round(to(5, 10, 1e6)))), _named("colour noise 1.5", lambda p, to: _noise(p, to(1.5, 0.5, 2), True, round(to(5, 10, 1e6))))),
    ),
    "animated": (
        (_named("a GIF", lambda p, to: _moving(p, "GIF")), _named("a WebP", lambda p, to: _moving(p, "WEBP")), _named("an APNG", lambda p, to: _moving(p, "PNG"))),
        (_named("a still GIF", lambda p, to: _encoded(p, "GIF")), _named("a still WebP", lambda p, to: _encoded(p, "WEBP"))),
    ),
    "greyscale": (
        (_named("grey", lambda p, to: _png(p.convert("L"))), _named("grey in RGB", lambda p, to: _jpeg(p.convert("L").convert("RGB"), 90))),
        (_sepia,),
    ),
}  # fmt: skip

_LEFT_OUT: dict[str, tuple[str, ...]] = {
    "little_to_see": ("cell",),
    "dark": ("hubble_deep_field",),  # half the light of a night sky is dark
    "compressed": ("cell", "clock", "moon", "retina", "page", "grass"),  # so smooth that blocks show at 75, or so rough that none do at 10
    "blurred": ("cell", "clock"),  # soft as they are
    "blown_out": (
        "hubble_deep_field",
        "retina",
        "moon",
        "rocket",
        "cell",
        "scene-8",
    ),  # black with a few lights, or nearly white: what burns out there is hard to say
    "empty_margins": ("cell", "page"),
    "framed": ("cell", "retina", "page"),
    "letterbox": ("cell", "retina"),  # their own ground is black: bars would be no other
}
"""Pictures that a fault cannot be made from."""

_AS_THEY_ARE: dict[str, tuple[str, ...]] = {"blurred": ("cell", "clock")}
"""Pictures that have a fault before it is made: whether the audit says so is not asked."""


# Copies


def _bench_copies(bases: Mapping[str, Image.Image], draw: _Draw, effort: Effort, progress: Callable[[str], None] | None) -> list[Score]:
    """Near duplicates over flip, JPEG 40-95, resize 0.3-2x and crops to 90 % of a side; strangers are all other pairs."""
    pictures = dict(bases)
    for name, picture in bases.items():
        if not name.startswith("scene") and min(picture.size) >= 400:
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
    wanted = [(owners[i], i) for i in range(len(names), len(said))]
    missed = tuple(said[i] for first, i in wanted if (first, i) not in found)
    wrongly = tuple(f"{said[a]} and {said[b]}" for a, b in found if owners[a] != owners[b])
    pairs_apart = len(said) * (len(said) - 1) // 2 - 3 * len(names)
    copies = Score("near_duplicate", len(wanted), pairs_apart, missed, wrongly)
    kept = [(first, i) for first, i in wanted if (first, i) in found]
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
        picture = _scaled(picture, factor)
        words.append(f"resize {factor:.2f}")
    flipped = rng.random() < 0.4
    if flipped:
        picture = ImageOps.mirror(picture)
        words.append("mirrored")
    if rng.random() < 0.8 or not words:
        quality = rng.randint(40, 95)
        picture = Image.open(io.BytesIO(_jpeg(picture, quality)))
        words.append(f"JPEG {quality}")
    return picture, ", ".join(words), flipped


# Sets


def _bench_sets(bases: Mapping[str, Image.Image], draw: _Draw, effort: Effort, progress: Callable[[str], None] | None) -> list[Score]:
    """Findings about sets: each of several sets has the fault or not."""
    if progress:
        progress("sets")
    pictures = [_to_area(picture, 260) for picture in bases.values()]
    results: dict[str, list[tuple[_Case, bool]]] = {}

    def note(kind: str, name: str, has: bool, found: bool) -> None:
        results.setdefault(kind, []).append((_Case(kind, name, b"", has), found))

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
        Picture(f"{i}.png", Path(f"{i}.png"), measure_of(p, str(i // 2 if i < 4 else i)))
        for i, p in enumerate((*pictures[:2], *pictures[:2], *pictures[2:6]))
    ]
    found = [finding for finding in judge_set(exact) if finding.code == "audit.exact_duplicate"]
    for i in range(4):
        note("exact_duplicate", f"file {i}", True, any(f"{i}.png" in finding.subjects for finding in found))
    for i in range(4, 8):
        note("exact_duplicate", f"file {i}", False, any(f"{i}.png" in finding.subjects for finding in found))
    return [_score(kind, result) for kind, result in results.items()]


def measure_of(picture: Image.Image, content: str):  # type: ignore[no-untyped-def]
    """Measures of a picture that lies in no file."""
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(_png(picture))
        file.flush()
        return measure(Path(file.name), content, 1)


def _print_of(picture: Image.Image) -> np.ndarray:
    from lorasmith.images.signs import grey_of, view_of

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
