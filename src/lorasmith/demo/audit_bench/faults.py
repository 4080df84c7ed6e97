"""A table of faults: for each kind of finding pictures that have it, and pictures that nearly have it."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from lorasmith.demo.audit_bench.draw import Strength
from lorasmith.demo.audit_bench.encode import again, encoded, jpeg, png, scaled, to_area

SIDE = 320
"""Pixels of a made picture's side."""

Maker = Callable[[Image.Image, Strength], bytes]
"""A sound picture and how strong to make the fault -> the file."""


def _blur(picture: Image.Image, pixels_of_512: float) -> Image.Image:
    scale = max(1.0, 512 / (picture.width * picture.height) ** 0.5)
    big = scaled(picture, scale)  # the softness is measured at 512 x 512, so it is made there
    return big.filter(ImageFilter.GaussianBlur(pixels_of_512))


def _sharp_middle(picture: Image.Image, to: Strength) -> bytes:
    mask = Image.new("L", picture.size, 0)
    w, h = picture.size
    ImageDraw.Draw(mask).ellipse((w // 5, h // 5, w - w // 5, h - h // 5), fill=255)
    return png(Image.composite(picture, picture.filter(ImageFilter.GaussianBlur(to(6, 4, 9))), mask))


def _dot(picture: Image.Image, to: Strength) -> bytes:
    out = Image.linear_gradient("L").resize((SIDE, SIDE)).point([100 + v // 8 for v in range(256)]).convert("RGB")
    ImageDraw.Draw(out).ellipse((200, 90, 216, 106), fill=picture.getpixel((5, 5)))
    return png(out)


def _plain(picture: Image.Image, to: Strength) -> bytes:
    return png(Image.new("RGB", picture.size, picture.getpixel((picture.width // 2, picture.height // 2))))


def _figure_on_plain(picture: Image.Image, to: Strength) -> bytes:
    out = Image.new("RGB", (SIDE, SIDE), (226, 222, 210))
    draw = ImageDraw.Draw(out)
    draw.ellipse((70, 60, 250, 240), fill=(40, 90, 160), outline="black", width=4)
    for left in (110, 180):
        draw.ellipse((left, 110, left + 30, 150), fill="white", outline="black", width=3)
    draw.arc((110, 130, 210, 210), 20, 160, fill="black", width=5)
    draw.line((160, 240, 160, 310), fill="black", width=5)
    return png(out)


def _lamp_in_the_dark(picture: Image.Image, to: Strength) -> bytes:
    out = ImageEnhance.Brightness(picture).enhance(to(0.15, 0.08, 0.2))
    r = round((to(0.05, 0.035, 0.15) * out.width * out.height / 3.14) ** 0.5)
    x, y = out.width // 3, out.height // 3
    out.paste(
        ImageEnhance.Brightness(picture).enhance(1.0).resize((2 * r, 2 * r)).point([max(v, 150) for v in range(256)] * 3), (x - r, y - r)
    )
    return png(out)


def _drawing_on_white(picture: Image.Image, to: Strength) -> bytes:
    out = Image.new("RGB", (SIDE, SIDE), "white")
    draw = ImageDraw.Draw(out)
    for number in range(14):
        draw.line((20 + number * 20, 20, 300 - number * 18, 300), fill="black", width=3)
    draw.rectangle((90, 90, 230, 230), fill=(60, 90, 130), outline="black", width=4)
    return png(out)


def _burnt(picture: Image.Image, gain: float = 1.9, lift: int = 96) -> Image.Image:
    return picture.point([min(255, round(v * gain + lift)) for v in range(256)] * 3)


def _strip(picture: Image.Image, ratio: float) -> bytes:
    large = to_area(picture, 720)
    height = max(8, round(large.width / ratio))
    top = max(0, (large.height - height) // 2)
    return png(large.crop((0, top, large.width, min(large.height, top + height))))


def _shape(picture: Image.Image, width: int, height: int) -> bytes:
    return png(ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS))


def _on_plain(picture: Image.Image, share: float, colour: tuple[int, int, int], place: float) -> bytes:
    """The picture in an even area of which it takes `share`."""
    side = (picture.width * picture.height / share) ** 0.5
    out = Image.new("RGB", (max(picture.width, round(side)), max(picture.height, round(side))), colour)
    out.paste(picture, (round((out.width - picture.width) * place), round((out.height - picture.height) * place)))
    return png(out)


def _on_white(picture: Image.Image, to: Strength) -> bytes:
    return jpeg(Image.open(io.BytesIO(_on_plain(picture, to(0.5, 0.3, 0.7), (255, 255, 255), to(0.5, 0.2, 0.8)))), round(to(85, 75, 95)))


def _bars(picture: Image.Image, share: float, colour: str, upright: bool = False) -> bytes:
    if upright:
        picture = picture.transpose(Image.Transpose.TRANSPOSE)
    if (np.abs(np.asarray(picture)[[0, -1]].astype(int) - (0 if colour == "black" else 255)) > 30).any(2).mean() < 0.75:
        colour = "white" if colour == "black" else "black"  # a bar beside its own colour is none
    bar = round(picture.height * share)
    out = Image.new("RGB", (picture.width, picture.height + 2 * bar), colour)
    out.paste(picture, (0, bar))
    return png(out.transpose(Image.Transpose.TRANSPOSE) if upright else out)


def _framed(picture: Image.Image, share: float) -> bytes:
    rim = np.concatenate([np.asarray(picture)[[0, -1]].reshape(-1, 3), np.asarray(picture)[:, [0, -1]].reshape(-1, 3)])
    on_white = (rim > 215).all(1).mean() > 0.25
    return png(
        ImageOps.expand(picture, round(share * min(picture.size)), "#406080" if on_white else "white")
    )  # white around white is no frame


def _one_bar(picture: Image.Image, to: Strength) -> bytes:
    out = Image.new("RGB", (picture.width, round(picture.height * to(1.15, 1.08, 1.3))), "black")
    out.paste(picture, (0, 0))
    return png(out)


def _figure_with_air(picture: Image.Image, to: Strength) -> bytes:
    """A round cut-out that stands free on white: air on all sides, but no bars."""
    inside = Image.new("L", picture.size, 0)
    ImageDraw.Draw(inside).ellipse((0, 0, picture.width - 1, picture.height - 1), fill=255)
    cut = Image.composite(picture, Image.new("RGB", picture.size, "white"), inside)
    out = Image.new("RGB", (picture.width + 20, picture.height + 60), "white")
    out.paste(cut, (10, 30))
    return png(out)


def _sheet(picture: Image.Image, columns: int, rows: int, gutter: int, colour: str) -> bytes:
    w, h = picture.size
    out = Image.new("RGB", (columns * w + (columns + 1) * gutter, rows * h + (rows + 1) * gutter), colour)
    for place in range(columns * rows):
        view = ImageOps.mirror(picture) if place % 2 else picture
        out.paste(view, (gutter + place % columns * (w + gutter), gutter + place // columns * (h + gutter)))
    return png(out)


def _side_by_side(picture: Image.Image, to: Strength) -> bytes:
    """Two pictures of which one begins where the other ends, in a light that falls off: nothing even parts them."""
    out = Image.new("RGB", (picture.width * 2, picture.height))
    out.paste(picture, (0, 0))
    out.paste(
        ImageOps.mirror(picture).rotate(to(3, 1, 6), Image.Resampling.BILINEAR, fillcolor=picture.getpixel((1, 1))), (picture.width, 0)
    )
    light = Image.linear_gradient("L").resize(out.size).point([90 + value * 165 // 255 for value in range(256)])
    return png(ImageChops.multiply(out, light.convert("RGB")))


def _logo_beside(picture: Image.Image, to: Strength) -> bytes:
    out = Image.new("RGB", (round(picture.width * to(1.3, 1.2, 1.5)), picture.height + 20), "white")
    out.paste(picture, (10, 10))
    ImageDraw.Draw(out).ellipse((out.width - 50, 20, out.width - 15, 55), fill="navy")
    return png(out)


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
    return png(Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8)))


def _clear(picture: Image.Image, to: Strength) -> bytes:
    inside = Image.new("L", picture.size, 0)
    ImageDraw.Draw(inside).ellipse((10, 2, picture.width - 11, picture.height - 3), fill=255)
    picture.putalpha(inside)
    return png(picture)


def _glassy(picture: Image.Image, to: Strength) -> bytes:
    picture.putalpha(round(to(200, 60, 245)))
    return encoded(picture, "WEBP", lossless=True)


def _opaque(picture: Image.Image, to: Strength) -> bytes:
    picture.putalpha(255)
    return png(picture)


def _moving(picture: Image.Image, kind: str) -> bytes:
    frames = [picture, picture.rotate(6), picture.rotate(-6)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=120, loop=0)


def _sepia(picture: Image.Image, to: Strength) -> bytes:
    return png(ImageOps.colorize(picture.convert("L"), "black", (255, 240, 205)))


def _named(name: str, maker: Maker) -> Maker:
    maker.__name__ = name
    return maker


FAULTS: dict[str, tuple[tuple[Maker, ...], tuple[Maker, ...]]] = {
    "unreadable": (
        (
            _named("half a PNG", lambda p, to: png(p)[: len(png(p)) // 2]),
            _named("half a JPEG", lambda p, to: jpeg(p, 85)[: len(jpeg(p, 85)) // 2]),
            _named("half a WebP", lambda p, to: encoded(p, "WEBP")[: len(encoded(p, "WEBP")) // 2]),
            _named("nothing", lambda p, to: b""),
            _named("a letter", lambda p, to: b"Dear reader, this is no picture."),
        ),
        (
            _named("a JPEG with a tail", lambda p, to: jpeg(p, 85) + b"something else" * 9),
            _named("a GIF named PNG", lambda p, to: encoded(p, "GIF")),
            _named("an AVIF", lambda p, to: encoded(p, "AVIF", quality=70, speed=10)),
        ),
    ),
    "too_small": (
        (_named("half the side", lambda p, to: png(to_area(p, to(128, 60, 180)))), _named("80 %", lambda p, to: png(to_area(p, to(205, 180, 225))))),
        (_named("98 %", lambda p, to: png(to_area(p, to(251, 247, 254)))), _named("102 %", lambda p, to: png(to_area(p, to(261, 258, 300))))),
    ),
    "too_large": (
        (_named("3100 wide", lambda p, to: jpeg(p.resize((round(to(3100, 3010, 4000)), 1100)), 60)),),
        (_named("2980 wide", lambda p, to: jpeg(p.resize((round(to(2980, 2400, 2998)), 1000)), 60)),),
    ),
    "transparent": ((_clear, _glassy), (_opaque,)),
    "compressed": (
        (
            _named("JPEG 12", lambda p, to: jpeg(p, round(to(12, 5, 25)))),
            _named("JPEG 35", lambda p, to: jpeg(p, round(to(35, 25, 46)))),
            _named("a PNG of JPEG 10", lambda p, to: again(jpeg(p, round(to(10, 5, 14))))),
            _named("JPEG 10 in JPEG 95", lambda p, to: encoded(Image.open(io.BytesIO(jpeg(p, round(to(10, 5, 14))))), "JPEG", quality=round(to(95, 92, 98)))),
        ),
        (
            _named("JPEG 70", lambda p, to: jpeg(p, round(to(70, 55, 75)))),
            _named("JPEG 85", lambda p, to: jpeg(p, round(to(85, 75, 95)))),
            _named("a PNG of JPEG 75", lambda p, to: again(jpeg(p, round(to(75, 70, 90))))),
        ),
    ),
    "blurred": (
        (_named("4 pixels", lambda p, to: png(_blur(p, to(4, 3, 6)))), _named("7 pixels, then large", lambda p, to: jpeg(scaled(_blur(p, to(7, 4, 9)), to(2, 1.3, 2.5)), 85))),
        (
            _sharp_middle,
            _named("less than a pixel", lambda p, to: png(_blur(p, to(0.8, 0.3, 1.1)))),
            _named("enlarged", lambda p, to: jpeg(scaled(p, to(2, 1.5, 2.5)), 90)),
        ),
    ),
    "little_to_see": ((_dot, _plain), (_figure_on_plain, _drawing_on_white)),
    "dark": (
        (_named("an eighth of the light", lambda p, to: png(ImageEnhance.Brightness(p).enhance(to(0.12, 0.06, 0.17)))),),
        (_lamp_in_the_dark, _named("half the light", lambda p, to: png(ImageEnhance.Brightness(p).enhance(to(0.55, 0.45, 0.8))))),
    ),
    "blown_out": (
        (_named("too long exposed", lambda p, to: png(_burnt(p, to(1.9, 1.7, 2.2), round(to(96, 90, 110))))), _named("far too long exposed", lambda p, to: jpeg(_burnt(p, to(2.4, 2.2, 3), round(to(110, 100, 130))), 90))),
        (_drawing_on_white, _on_white, _figure_with_air, _named("a little bright", lambda p, to: png(_burnt(p, to(1.1, 1, 1.2), round(to(10, 0, 15)))))),
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
            _named("a black frame", lambda p, to: png(ImageOps.expand(p, round(to(20, 14, 40)), "black"))),
            _named("white bars at the sides", lambda p, to: _bars(p, to(0.08, 0.05, 0.2), "white", upright=True)),
        ),
        (_one_bar, _figure_with_air),
    ),
    "framed": (
        (
            _named("an even frame", lambda p, to: _framed(p, to(0.075, 0.05, 0.125))),
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
        (_named("a still GIF", lambda p, to: encoded(p, "GIF")), _named("a still WebP", lambda p, to: encoded(p, "WEBP"))),
    ),
    "greyscale": (
        (_named("grey", lambda p, to: png(p.convert("L"))), _named("grey in RGB", lambda p, to: jpeg(p.convert("L").convert("RGB"), 90))),
        (_sepia,),
    ),
}  # fmt: skip

LEFT_OUT: dict[str, tuple[str, ...]] = {
    "little_to_see": ("cell",),
    "dark": ("hubble_deep_field", "night"),  # half the light of a night is dark
    "compressed": (
        *("cell", "clock_motion", "moon", "retina", "night"),  # so smooth, or so dark, that blocks show at 75
        *("page", "grass", "scan", "icon", "line art", "sprite", "screenshot"),  # so rough, so small, or so much paper, that none do at 10
        "pixel art",  # it is made of blocks
    ),
    "blurred": ("cell", "clock_motion"),  # soft as they are
    "blown_out": (
        *("hubble_deep_field", "retina", "moon", "rocket", "cell", "night"),  # black with a few lights
        *("brick", "page", "text", "clock_motion", "ihc"),  # so pale that nothing is left
        *("scene", "flat art", "sprite", "icon", "line art", "pixel art", "screenshot", "scan", "logo", "logo2", "color"),  # no exposure
        "on white",  # white as it should be
    ),
    "odd_aspect": ("logo2",),
    "empty_margins": ("cell", "page"),
    "framed": ("cell", "retina", "page"),
    "letterbox": ("cell", "retina", "hubble_deep_field", "color"),  # their own ground is black: bars would be no other
    "several_views": ("screenshot", "logo2"),  # their parts stand as far from one another as the views
    "adversarial_noise": ("icon",),  # smaller than what is judged
}
"""Sorts of pictures, or single ones, that a fault cannot be made from."""

AS_THEY_ARE: dict[str, tuple[str, ...]] = {"blurred": ("cell", "clock_motion"), "too_small": ("icon",), "odd_aspect": ("logo2",)}
"""Pictures that have a fault before it is made: whether the audit says so is not asked."""


def sort_of(name: str) -> str:
    """The sort of a sound picture: `sprite` of `sprite-2`; a photograph is its own."""
    sort, _, number = name.rpartition("-")
    return sort if number.isdigit() else name
