"""Sound pictures of the sorts that people train on beside photographs and scenes, drawn by code.

A painter gets a source of numbers and gives a picture without a fault: each time of another size, with other colours and other things.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Colour = tuple[int, int, int]
Painter = Callable[[random.Random], Image.Image]

WORDS = ("the", "lamp", "of", "a", "quiet", "harbour", "turns", "slowly", "over", "boats", "and", "nets", "while", "gulls", "sleep")


def flat_art(rng: random.Random) -> Image.Image:
    """Hills, houses and trees of even colours, as on posters."""
    width, height = rng.randint(300, 420), rng.randint(280, 380)
    big = Image.new("RGB", (2 * width, 2 * height), _pale(rng))
    draw = ImageDraw.Draw(big)
    x, y, r = rng.randint(80, 2 * width - 80), rng.randint(60, height // 2), rng.randint(30, 70)
    draw.ellipse((x - r, y - r, x + r, y + r), fill=_strong(rng))
    for layer in range(3):
        top = height * (0.9 + 0.3 * layer)
        phase, waves = rng.uniform(0, 6), rng.uniform(1, 3)
        edge = [(x, top + 40 * math.sin(phase + waves * x / width)) for x in range(0, 2 * width + 9, 8)]
        draw.polygon([(0, 2 * height), *edge, (2 * width, 2 * height)], fill=_strong(rng))
    for _ in range(rng.randint(2, 5)):
        x, y, side = rng.randint(20, 2 * width - 140), rng.randint(height, 2 * height - 130), rng.randint(50, 110)
        draw.rectangle((x, y, x + side, y + side), fill=_pale(rng))
        draw.polygon([(x - 10, y), (x + side // 2, y - side // 2), (x + side + 10, y)], fill=_strong(rng))
        draw.rectangle((x + side // 3, y + side // 2, x + side // 2, y + side), fill=_strong(rng))
    return big.resize((width, height), Image.Resampling.LANCZOS)


def sprite(rng: random.Random) -> Image.Image:
    """A figure of few even colours on white: pale or strong, with an outline or without, in air or up to the edges."""
    side = rng.randint(288, 420)
    big = Image.new("RGB", (2 * side, 2 * side), "white")
    draw = ImageDraw.Draw(big)
    colour = _pale if rng.random() < 0.5 else _strong
    outline, width = ((40, 30, 30), rng.randint(6, 12)) if rng.random() < 0.5 else (None, 0)
    unit = 2 * side / 100
    reach = rng.choice((0.86, 0.98, 1.06))  # the last is cut by the edges

    def box(left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        return tuple((50 + (value - 50) * reach) * unit for value in (left, top, right, bottom))  # type: ignore[return-value]

    skin, coat = colour(rng), colour(rng)
    for left in (32, 54):
        draw.rounded_rectangle(box(left, 70, left + 14, 98), 4 * unit, fill=colour(rng), outline=outline, width=width)
    for left in (12, 72):
        draw.rounded_rectangle(box(left, 46, left + 16, 72), 6 * unit, fill=coat, outline=outline, width=width)
    draw.rounded_rectangle(box(24, 42, 76, 82), 8 * unit, fill=coat, outline=outline, width=width)
    draw.ellipse(box(26, 4, 74, 50), fill=skin, outline=outline, width=width)
    draw.pieslice(box(26, 2, 74, 46), 180, 360, fill=colour(rng), outline=outline, width=width)
    for left in (38, 54):
        draw.ellipse(box(left, 28, left + 7, 37), fill=(40, 30, 30) if rng.random() < 0.7 else colour(rng))
    return big.resize((side, side), Image.Resampling.LANCZOS)


def icon(rng: random.Random) -> Image.Image:
    """A sign on a tile, as programs have them: 32 to 128 pixels."""
    side = rng.choice((32, 48, 64, 96, 128))
    big = Image.new("RGB", (256, 256), "white" if rng.random() < 0.6 else _pale(rng))
    draw = ImageDraw.Draw(big)
    draw.rounded_rectangle((10, 10, 246, 246), rng.randint(50, 110), fill=_strong(rng))
    sign = _pale(rng)
    match rng.randrange(4):
        case 0:
            draw.polygon([(90, 70), (190, 128), (90, 186)], fill=sign)
        case 1:
            draw.ellipse((70, 70, 186, 186), outline=sign, width=26)
        case 2:
            draw.rectangle((70, 112, 186, 144), fill=sign)
            draw.rectangle((112, 70, 144, 186), fill=sign)
        case _:
            draw.polygon(
                [(128 + (80, 36)[k % 2] * math.sin(k * math.pi / 5), 128 - (80, 36)[k % 2] * math.cos(k * math.pi / 5)) for k in range(10)],
                fill=sign,
            )
    return big.resize((side, side), Image.Resampling.LANCZOS)


def line_art(rng: random.Random) -> Image.Image:
    """Strokes on white or cream paper, in ink or in a coloured pencil."""
    width, height = rng.randint(300, 460), rng.randint(300, 460)
    big = Image.new("RGB", (2 * width, 2 * height), "white" if rng.random() < 0.7 else (250, 246, 236))
    draw = ImageDraw.Draw(big)
    ink = (0, 0, 0) if rng.random() < 0.5 else _strong(rng)
    stroke = rng.randint(4, 9)
    cx, cy, r = width, round(0.8 * height), round(0.5 * min(width, height))
    draw.ellipse((cx - r, cy - r, cx + r, cy + r), outline=ink, width=stroke)
    for x in (cx - r // 2, cx + r // 3):
        draw.ellipse((x, cy - r * 0.25, x + r // 5, cy + r // 8), outline=ink, width=stroke)
    draw.arc((cx - r // 2, cy, cx + r // 2, cy + r // 2), 20, 160, fill=ink, width=stroke)
    for _ in range(rng.randint(12, 24)):  # hair
        angle, bend = rng.uniform(math.pi, 2 * math.pi), rng.uniform(-0.5, 0.5)
        line = [
            (cx + r * (1 + 0.5 * t / 8) * math.cos(angle + bend * t / 8), cy + r * (1 + 0.5 * t / 8) * math.sin(angle + bend * t / 8))
            for t in range(9)
        ]
        draw.line(line, fill=ink, width=stroke)
    draw.line([(cx, cy + r), (cx + rng.randint(-30, 30), 2 * height - 40)], fill=ink, width=stroke)
    for side in (-1, 1):
        draw.line([(cx, cy + r + 40), (cx + side * r, 2 * height - rng.randint(60, 160))], fill=ink, width=stroke)
    return big.resize((width, height), Image.Resampling.LANCZOS)


def pixel_art(rng: random.Random) -> Image.Image:
    """A mirrored figure or a landscape of 16 to 40 large pixels a side and at most 12 colours."""
    cells, by = rng.choice(((16, 20), (24, 14), (32, 10), (40, 8)))
    palette = [_strong(rng) for _ in range(rng.randint(3, 8))] + [(24, 20, 30)]
    grid = np.empty((cells, cells, 3), np.uint8)
    grid[:] = (255, 255, 255) if rng.random() < 0.5 else _pale(rng)
    rows = [rng.uniform(0.2, 1) for _ in range(6)]
    rows[0] *= 0.5
    for y in range(cells // 10, cells - cells // 10):
        reach = round((cells // 2 - 1) * rows[6 * y // cells])
        for x in range(reach):
            colour = palette[-1] if x == reach - 1 else palette[(y * 5 // cells + (rng.random() < 0.15)) % len(palette)]
            grid[y, cells // 2 + x] = grid[y, cells // 2 - 1 - x] = colour
    return Image.fromarray(grid).resize((cells * by, cells * by), Image.Resampling.NEAREST)


def screenshot(rng: random.Random) -> Image.Image:
    """A window with a bar, a list and text, dark or light."""
    width, height = rng.randint(420, 640), rng.randint(320, 420)
    dark = rng.random() < 0.4
    ground, text = ((32, 33, 38), (210, 212, 220)) if dark else ((255, 255, 255), (40, 42, 48))
    out = Image.new("RGB", (width, height), ground)
    draw = ImageDraw.Draw(out)
    accent, side = _strong(rng), rng.randint(90, 150)
    draw.rectangle((0, 0, width, 28), fill=(52, 54, 62) if dark else (226, 228, 232))
    draw.rectangle((0, 28, side, height), fill=(42, 44, 50) if dark else (243, 244, 246))
    for x in (10, 26, 42):
        draw.ellipse((x, 9, x + 10, 19), fill=_strong(rng))
    font, head = ImageFont.load_default(12), ImageFont.load_default(20)
    for row in range(6):
        draw.text((12, 42 + 24 * row), rng.choice(WORDS), fill=accent if not row else text, font=font)
    draw.text((side + 16, 40), " ".join(rng.sample(WORDS, 3)), fill=text, font=head)
    for row in range(rng.randint(5, 9)):
        draw.text((side + 16, 76 + 20 * row), " ".join(rng.sample(WORDS, 6)), fill=text, font=font)
    draw.rounded_rectangle((width - 120, height - 46, width - 16, height - 16), 6, fill=accent)
    draw.text((width - 96, height - 38), rng.choice(WORDS), fill=(255, 255, 255), font=font)
    return out


def scan(rng: random.Random) -> Image.Image:
    """A printed page as a scanner gives it: not quite straight, not quite white, with the paper's grain."""
    width, height = rng.randint(300, 380), rng.randint(400, 480)
    page = Image.new("L", (2 * width, 2 * height), 236)
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(rng.randint(22, 28))
    for row in range(height * 2 // 40 - 3):
        draw.text((60, 60 + 40 * row), " ".join(rng.choices(WORDS, k=9)), fill=rng.randint(20, 50), font=font)
    draw.rectangle((2 * width - 60, 0, 2 * width, 2 * height), fill=236)
    page = page.rotate(rng.uniform(-1.5, 1.5), Image.Resampling.BICUBIC, fillcolor=228).resize((width, height), Image.Resampling.LANCZOS)
    paper = np.array((1.0, rng.uniform(0.96, 1.0), rng.uniform(0.86, 0.98)))
    return _photograph(np.asarray(page, np.float32)[..., None] * paper, rng, grain=2.5)


def by_day(rng: random.Random) -> Image.Image:
    """Mountains, a meadow and clouds in the light of a day, rough at every scale as photographs are."""
    width, height = rng.randint(340, 460), rng.randint(280, 360)
    down = np.linspace(0, 1, height)[:, None]
    clouds = _rough(width, height, rng)
    light = np.stack([110 + 70 * down + 34 * clouds, 150 + 50 * down + 26 * clouds, 210 + 20 * down + 10 * clouds], 2)
    for layer, base in enumerate(sorted(rng.uniform(0.3, 0.75) for _ in range(3))):
        ridge = base + 0.07 * _rough(width, 8, rng)[0]
        colour = np.array((rng.uniform(40, 90), rng.uniform(60, 110), rng.uniform(30, 90))) * (1.1 - 0.3 * layer)
        shaded = colour * (1 + 0.35 * _rough(width, height, rng))[..., None]
        light = np.where((down > ridge)[..., None], shaded, light)
    return _photograph(light, rng, grain=2)


def at_night(rng: random.Random) -> Image.Image:
    """Houses with lit windows and lamps under a dark sky, with the noise of a long exposure."""
    width, height = rng.randint(320, 480), rng.randint(280, 360)
    sky = np.linspace(rng.uniform(6, 20), rng.uniform(30, 60), height)[:, None, None] * np.array((0.7, 0.8, 1.2))
    out = Image.fromarray(np.broadcast_to(sky, (height, width, 3)).clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(out)
    left = 0
    while left < width:
        wide, top = rng.randint(40, 90), rng.randint(round(height * 0.25), height // 2)
        shade = rng.randint(10, 34)
        draw.rectangle((left, top, left + wide, height), fill=(shade, shade, shade + 6))
        for x in range(left + 8, left + wide - 10, 16):
            for y in range(top + 10, height - 60, 22):
                if rng.random() < 0.6:
                    draw.rectangle((x, y, x + 8, y + 12), fill=(rng.randint(190, 255), rng.randint(150, 220), rng.randint(60, 150)))
        left += wide
    glow = Image.new("RGB", out.size)
    lights = ImageDraw.Draw(glow)
    for _ in range(rng.randint(3, 6)):
        x, y = rng.randint(0, width), rng.randint(height // 2, height - 20)
        lights.ellipse((x - 9, y - 9, x + 9, y + 9), fill=(255, 220, 150))
    light = np.asarray(glow.filter(ImageFilter.GaussianBlur(14)), np.float32) * 2.5 + np.asarray(
        glow.filter(ImageFilter.GaussianBlur(2)), np.float32
    )
    return _photograph(np.asarray(out.filter(ImageFilter.GaussianBlur(0.5)), np.float32) + light, rng, grain=4)


def on_white(rng: random.Random) -> Image.Image:
    """A shaded thing with its soft shadow on white, as shops photograph it: light or dark, matt or shining."""
    width, height = rng.randint(320, 420), rng.randint(300, 400)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    cx, cy, r = width / 2 + rng.uniform(-20, 20), height / 2, 0.36 * min(width, height)
    across, down = (x - cx) / r, (y - cy) / (r * rng.uniform(0.8, 1.2))
    inside = across**2 + down**2 < 1
    depth = np.sqrt(np.maximum(1 - across**2 - down**2, 0))
    lit = 0.25 + 0.75 * np.maximum(0, -0.5 * across - 0.5 * down + 0.7 * depth)
    texture = 1 + rng.uniform(0.05, 0.3) * np.sin(across * rng.uniform(4, 14)) * np.sin(down * rng.uniform(4, 14))
    colour = np.array(_strong(rng) if rng.random() < 0.7 else _pale(rng), np.float32)
    thing = (lit * texture)[..., None] * colour + (
        255 * rng.uniform(0, 0.8) * np.maximum(0, -0.45 * across - 0.5 * down + 0.74 * depth) ** 20
    )[..., None]
    shade = 70 * np.exp(-((((x - cx) / (1.1 * r)) ** 2 + ((y - cy - 0.95 * r) / (0.16 * r)) ** 2) ** 1.0))
    ground = np.repeat((255 - shade)[..., None], 3, 2)
    mask = np.asarray(Image.fromarray((inside * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.7)), np.float32)[..., None] / 255
    return _photograph(thing * mask + ground * (1 - mask), rng, grain=1.5)


DRAWN: dict[str, Painter] = {
    "flat art": flat_art,
    "sprite": sprite,
    "icon": icon,
    "line art": line_art,
    "pixel art": pixel_art,
    "screenshot": screenshot,
    "scan": scan,
    "day": by_day,
    "night": at_night,
    "on white": on_white,
}
"""Sort of picture -> its painter."""


def _rough(width: int, height: int, rng: random.Random) -> np.ndarray:
    """Height x width, mean 0 and spread 1, as strong at each scale as photographs are (amplitude 1/f)."""
    noise = np.fft.rfft2(np.random.default_rng(rng.getrandbits(32)).normal(size=(height, width)))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    plane = np.fft.irfft2(noise / np.maximum(frequency, 1 / width) ** 1.1, (height, width))
    rough: np.ndarray = (plane - plane.mean()) / plane.std()
    return rough


def _photograph(light: np.ndarray, rng: random.Random, grain: float) -> Image.Image:
    """Brightness (height x width x 3) as a camera gives it: with grain, mostly alike in all channels."""
    noise = np.random.default_rng(rng.getrandbits(32))
    grey, coloured = noise.normal(0, grain, (*light.shape[:2], 1)), noise.normal(0, 0.3 * grain, light.shape)
    return Image.fromarray((light + grey + coloured).clip(0, 255).round().astype(np.uint8))


def _pale(rng: random.Random) -> Colour:
    return rng.randint(170, 250), rng.randint(170, 250), rng.randint(170, 250)


def _strong(rng: random.Random) -> Colour:
    bright, middle, low = rng.randint(160, 255), rng.randint(60, 170), rng.randint(0, 80)
    red, green, blue = rng.sample((bright, middle, low), 3)
    return red, green, blue
