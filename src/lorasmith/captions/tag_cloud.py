"""A tag cloud: the tags of a set as one picture, the frequent ones large.

Tags are placed by falling frequency, each at the first free spot on a spiral from the middle. Free means free of drawn letters, not of
their boxes, so small tags fit between the letters of large ones. The same frequencies give the same picture.

Pillow's own font has Latin letters. Tags in other scripts are drawn with the first of the machine's fonts that has all of their
letters. Tags that no font can draw are left out rather than drawn as boxes; `undrawable` lists them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

BACKGROUND = (252, 251, 248)
COLOURS = ((28, 62, 98), (176, 64, 44), (46, 110, 92), (150, 104, 24), (94, 66, 128), (66, 86, 104))
SMALLEST, LARGEST = 13, 92  # font sizes, in pixels
ABOVE, BESIDE = 2, 8  # free pixels around a tag
MOST_TAGS = 120
FONTS = (
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc", "NotoSansCJKjp-Regular.otf", "SourceHanSans-Regular.otf", "wqy-zenhei.ttc",
    "wqy-microhei.ttc", "DroidSansFallbackFull.ttf", "NotoSansArabic-Regular.ttf", "NotoSansHebrew-Regular.ttf", "NotoSansThai-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf", "NotoSansSymbols2-Regular.ttf", "segoeui.ttf", "msyh.ttc", "YuGothM.ttc", "malgun.ttf", "seguisym.ttf", "arial.ttf",
    "Arial Unicode.ttf", "PingFang.ttc", "Hiragino Sans GB.ttc", "AppleSDGothicNeo.ttc",
)  # fmt: skip
"""Fonts of Linux, Windows and macOS, by file name; together they cover most scripts."""
NO_LETTER = "\U0010ffff"
"""No font has it, so it is drawn as the box for a missing letter."""
AIR = 1.8  # area of the picture over that of the drawn letters


def tag_cloud(frequencies: Mapping[str, int], width: int = 1200, height: int = 700) -> Image.Image:
    """The most frequent tags as a picture (RGB), `width` by `height` pixels; tags without room or font are left out."""
    picture = Image.new("RGB", (width, height), BACKGROUND)
    draw = ImageDraw.Draw(picture)
    drawable = ((tag, count) for tag, count in frequencies.items() if _font_of(tag) is not None)
    words = sorted(drawable, key=lambda item: (-item[1], item[0]))[:MOST_TAGS]
    if not words:
        draw.text((width / 2, height / 2), "no tags", COLOURS[-1], ImageFont.load_default(32), anchor="mm")
        return picture
    taken = np.zeros((height, width), bool)
    for number, (word, size) in enumerate(_sizes(words, width, height)):
        font = _font(_font_of(word) or "", size)
        letters = _letters(word, font)
        if letters.shape[0] > height or letters.shape[1] > width:
            continue
        place = _free_place(taken, letters)
        if place is None:
            continue
        x, y = place
        spread = _grown(letters)
        taken[y - ABOVE : y - ABOVE + spread.shape[0], x - BESIDE : x - BESIDE + spread.shape[1]] |= spread
        left, top, _, _ = font.getbbox(word)
        draw.text((x - left, y - top), word, COLOURS[number % len(COLOURS)], font)
    return picture


def undrawable(tags: Iterable[str]) -> list[str]:
    """The tags for which no font of this machine has all letters."""
    return [tag for tag in tags if _font_of(tag) is None]


@lru_cache(maxsize=100_000)
def _font_of(tag: str) -> str | None:
    """The first font that has all letters of a tag, "" for Pillow's own; None where there is none."""
    return next((name for name in _fonts() if all(_has(name, letter) for letter in set(tag) if not letter.isspace())), None)


@lru_cache(maxsize=1)
def _fonts() -> tuple[str, ...]:
    """Pillow's own font, and those of `FONTS` that this machine has."""
    found = [""]
    for name in FONTS:
        try:
            ImageFont.truetype(name, SMALLEST)
        except OSError:
            continue
        found.append(name)
    return tuple(found)


@lru_cache(maxsize=100_000)
def _has(name: str, letter: str) -> bool:
    font = _font(name, LARGEST)
    return bytes(font.getmask(letter)) != bytes(font.getmask(NO_LETTER))


@lru_cache(maxsize=256)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.truetype(name, size) if name else ImageFont.load_default(size)


def _sizes(words: list[tuple[str, int]], width: int, height: int) -> Iterator[tuple[str, int]]:
    """A font size for each tag: its area grows with its count, and all together fill the picture with some air."""
    most = words[0][1]
    sizes = [(word, SMALLEST + (LARGEST - SMALLEST) * math.sqrt(count / most)) for word, count in words]
    area = sum(0.55 * size * len(word) * size for word, size in sizes)
    scale = min(1.0, math.sqrt(width * height / AIR / area))
    longest = max(0.55 * size * len(word) for word, size in sizes)
    scale = min(scale, 0.8 * width / longest)
    return ((word, max(SMALLEST, round(size * scale))) for word, size in sizes)


def _letters(word: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> np.ndarray:
    """Where the drawn word has ink: bool (height, width)."""
    left, top, right, bottom = font.getbbox(word)
    mask = Image.new("L", (max(1, math.ceil(right - left)), max(1, math.ceil(bottom - top))))
    ImageDraw.Draw(mask).text((-left, -top), word, 255, font)
    return np.asarray(mask) > 20


def _free_place(taken: np.ndarray, letters: np.ndarray) -> tuple[int, int] | None:
    """The left upper corner of the first place on the spiral where no letter meets another; None where there is none."""
    height, width = taken.shape
    rows, columns = letters.shape
    stretch = width / height
    for step in range(6000):
        angle = 0.35 * math.sqrt(step) * 2.4
        reach = 0.9 * math.sqrt(step) * 6
        x = round(width / 2 + stretch * reach * math.cos(angle) - columns / 2)
        y = round(height / 2 + reach * math.sin(angle) - rows / 2)
        if x < BESIDE or y < ABOVE or x + columns > width - BESIDE or y + rows > height - ABOVE:
            continue
        if not (taken[y : y + rows, x : x + columns] & letters).any():
            return x, y
    return None


def _grown(letters: np.ndarray) -> np.ndarray:
    """The ink with free pixels around it: bool (height + 2 ABOVE, width + 2 BESIDE)."""
    rows, columns = letters.shape
    grown = np.zeros((rows + 2 * ABOVE, columns + 2 * BESIDE), bool)
    for down in range(2 * ABOVE + 1):
        for right in range(2 * BESIDE + 1):
            grown[down : down + rows, right : right + columns] |= letters
    return grown
