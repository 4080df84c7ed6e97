"""The search for near duplicates among many pictures: time, memory, recall and false pairs, by the number of pictures.

    python benchmarks/duplicates.py                                     # 1,000 to 1,000,000
    python benchmarks/duplicates.py --counts 100000 --sets alike "one backdrop"
    python benchmarks/duplicates.py --counts 50000 --both               # beside the comparison of all pairs

Each search runs in a process of its own, in one thread. The signatures are made: of a hundredth of them there is a changed copy, every
other one mirrored, cropped to 90-100 % of either side and with noise as of compression. What is found beside those is a false pair.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time
from functools import partial

import cv2
import numpy as np

from lorasmith.images import duplicates
from lorasmith.images.duplicates import Signature, near_duplicate_pairs

SETS = ("varied", "alike", "one backdrop")


def made_signatures(count: int, of: str) -> list[Signature]:
    """Pictures of 22 coloured leaves over one another, whose statistics are like those of photographs.

    `varied` ones have nothing in common. Of `alike` ones a thousand each are of one scene: their large leaves lie at most a few cells
    apart and have nearly one colour, as in pictures of one shooting or frames of one film. Of `one backdrop` all show the same picture, and
    before it a figure of a few leaves of any colour near the middle.
    """
    rng = np.random.default_rng(0)
    down, right = np.arange(24, dtype=np.float32)[None, :, None], np.arange(24, dtype=np.float32)[None, None, :]
    out: list[Signature] = []
    backdrop = made_signatures(4, "varied")[3] if of == "one backdrop" else None
    while len(out) < count:
        n = min(1000, count - len(out))
        big = 12 if of == "alike" else 0  # leaves that a thousand pictures have in common
        pictures = np.tile(_around(rng, n, big, 20, 235, 6, 3)[:, None, None], (1, 24, 24, 1))
        radii = 1 / np.linspace(1 / 12, 1 / 1.5, 22)
        middle = rng.uniform(7, 17, (2, n, 1, 1)).astype(np.float32)
        if backdrop:
            pictures[:] = _in_colour(backdrop)
            radii = np.append(rng.uniform(4, 7, 1), rng.uniform(1.5, 6, 7))
        for number, radius in enumerate(radii):
            shared = number < big
            y, x = _around(rng, n, shared, -2, 26, 0.7), _around(rng, n, shared, -2, 26, 0.7)
            if backdrop:
                y, x = (at + rng.normal(0, 3, at.shape) * (number > 0) for at in middle)
            flat = _around(rng, n, shared, 0.5, 2, 0.05).clip(0.3)
            inside = (down - y) ** 2 * flat + (right - x) ** 2 / flat < radius**2
            np.copyto(pictures, _around(rng, n, shared, 0, 255, 10, 3)[:, None, None], where=inside[..., None])
        red, green, blue = np.moveaxis(pictures.clip(0, 255), -1, 0)
        luma = 0.299 * red + 0.587 * green + 0.114 * blue
        chroma = np.stack([128 + 0.564 * (blue - luma), 128 + 0.713 * (red - luma)], -1).clip(0, 255).astype(np.uint8)
        for light, colour in zip(luma, chroma, strict=True):
            out.append(Signature(cv2.resize(light, (48, 48)).round().astype(np.uint8), colour))
    return out


def _in_colour(one: Signature) -> np.ndarray:
    """A signature as a picture of 24 x 24 cells."""
    luma = cv2.resize(one.luma.astype(np.float32), (24, 24), interpolation=cv2.INTER_AREA)
    blue, red = np.moveaxis(one.chroma.astype(np.float32) - 128, -1, 0)
    return np.stack([luma + red / 0.713, luma - 0.344 * blue - 0.714 * red, luma + blue / 0.564], -1)


def _around(rng: np.random.Generator, n: int, shared: bool | int, low: float, high: float, spread: float, channels: int = 0) -> np.ndarray:
    """n numbers (or colours) between the two; where `shared`, near one of them."""
    shape = (n, channels) if channels else (n, 1, 1)
    if not shared:
        return rng.uniform(low, high, shape).astype(np.float32)
    return (rng.uniform(low, high, (1, *shape[1:])) + rng.normal(0, spread, shape)).astype(np.float32)


def copy_of(one: Signature, rng: np.random.Generator, mirrored: bool) -> Signature:
    """The signature of a crop of the picture, with noise."""
    scale = rng.uniform(0.9, 1, 2)
    start = rng.uniform(0, 1 - scale)
    luma, chroma = (_cropped(every.astype(np.float32), start, scale) for every in (one.luma, one.chroma))
    luma += rng.integers(-3, 4, luma.shape)
    way = slice(None, None, -1 if mirrored else 1)
    return Signature(*(np.ascontiguousarray(every[:, way].round().clip(0, 255).astype(np.uint8)) for every in (luma, chroma)))


def _cropped(cells: np.ndarray, start: np.ndarray, scale: np.ndarray) -> np.ndarray:
    side = len(cells)
    down, right = (
        (((np.arange(side) + 0.5) / side * share + at) * side - 0.5).astype(np.float32) for at, share in zip(start, scale, strict=True)
    )
    return cv2.remap(cells, np.tile(right, (side, 1)), np.tile(down[:, None], (1, side)), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def with_copies(count: int, of: str) -> tuple[list[Signature], set[tuple[int, int]]]:
    """`count` signatures, and which pairs are copies."""
    copies = count // 100
    signatures = made_signatures(count - copies, of)
    rng = np.random.default_rng(1)
    planted = {(number * 7, count - copies + number) for number in range(copies)}
    signatures += [copy_of(signatures[number * 7], rng, number % 2 == 1) for number in range(copies)]
    return signatures, planted


def search(count: int, of: str, all_pairs: bool) -> None:
    signatures, planted = with_copies(count, of)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if all_pairs:
        duplicates.ALL_PAIRS = count**2
    processor, clock = time.process_time(), time.perf_counter()
    found = {(pair.first, pair.second) for pair in near_duplicate_pairs(signatures)}
    processor, clock = time.process_time() - processor, time.perf_counter() - clock
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    way = "all pairs" if count**2 // 2 <= duplicates.ALL_PAIRS else "bands"
    print(
        f"| {count:,} | {of} | {way} | {processor:.1f} | {clock:.1f} | {before:,.0f} | {peak:,.0f} | "
        f"{len(planted & found):,} of {len(planted):,} | {len(found - planted):,} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000], help="numbers of signatures")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=["varied"], help="what the pictures have in common")
    parser.add_argument("--both", action="store_true", help="compare all pairs, too")
    given = parser.parse_args()
    print("| signatures | set | compared | processor, s | clock, s | MiB before | MiB at most | copies found | other pairs |")
    print("| --- " * 9 + "|", flush=True)
    for count in given.counts:
        for of in given.sets:
            for all_pairs in (False, True)[: 1 + given.both]:
                process = multiprocessing.get_context("spawn").Process(target=partial(search, count, of, all_pairs))
                process.start()
                process.join()
                if process.exitcode:
                    sys.exit(process.exitcode)


if __name__ == "__main__":
    main()
