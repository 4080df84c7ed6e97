"""What an audit costs beside a plain Pillow loop that decodes and resizes: pictures a second, alternating in one process, medians.

    python benchmarks/audit.py --pictures 24 --rounds 5
    python benchmarks/audit.py --signatures 50000
    python benchmarks/audit.py --folder 10000

Pictures are 2 megapixels, JPEG at quality 90 and every fourth a PNG, made of photographs of scikit-image laid side by side. Both sides
run in one thread, and processor time is what counts, as other programs may run. `--signatures` measures the search for near duplicates;
`--folder` the time and memory of `lorasmith audit` on so many pictures (of which a fifth are different; 0.3 MB of disk each).
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from PIL import Image

from lorasmith.curation.audit.dataset import audit_dataset
from lorasmith.draws import rng_for
from lorasmith.images.duplicates import Pair, Signature, near_duplicate_pairs

NAMES = ("astronaut", "chelsea", "coffee", "rocket", "retina", "hubble_deep_field", "immunohistochemistry")


def make_pictures(folder: Path, count: int, copies: str = "") -> None:
    """So many JPEGs and PNGs; with `copies`, JPEGs alone, each five times with another comment."""
    photographs = [Image.fromarray(getattr(skimage.data, name)()).convert("RGB") for name in NAMES]
    for number in range(count):
        rng = rng_for("audit benchmark", number)
        picture = Image.new("RGB", (1664, 1216))
        for place in range(4):
            photograph = rng.choice(photographs)
            w, h = photograph.size
            part = photograph.crop((0, 0, rng.randint(w // 2, w), rng.randint(h // 2, h))).resize((832, 608), Image.Resampling.LANCZOS)
            picture.paste(part, (place % 2 * 832, place // 2 * 608))
        if copies:
            for copy in range(5):
                picture.save(folder / f"{number}-{copy}.jpg", quality=90, comment=f"{copies} {copy}")
        elif number % 4 == 3:
            picture.save(folder / f"{number}.png", compress_level=6)
        else:
            picture.save(folder / f"{number}.jpg", quality=90)


def plain_loop(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        with Image.open(path) as image:
            image.convert("RGB").resize((768, 561), Image.Resampling.LANCZOS)


def timed(call) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """Seconds of processor and of the clock."""
    processor, clock = time.process_time(), time.perf_counter()
    call()
    return time.process_time() - processor, time.perf_counter() - clock


def pictures_part(count: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder, cache = Path(made) / "pictures", Path(made) / "cache"
        folder.mkdir()
        make_pictures(folder, count)
        plain, audits, seconds = [], [], []
        plain_loop(folder)
        audit_dataset(folder)
        for _ in range(rounds):
            plain.append(timed(lambda: plain_loop(folder))[0])
            audits.append(timed(lambda: audit_dataset(folder))[0])
        first = timed(lambda: audit_dataset(folder, cache=cache))[0]
        for _ in range(rounds):
            seconds.append(timed(lambda: audit_dataset(folder, cache=cache))[0])
        loop, audit, second = (statistics.median(one) for one in (plain, audits, seconds))
        print(f"plain loop   {count / loop:7.1f} pictures/s of one core")
        print(f"audit        {count / audit:7.1f} pictures/s of one core, {audit / loop:.2f} times the loop")
        print(f"second audit {count / second:7.0f} pictures/s, {second / first:.1%} of the first")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory  {peak:7.0f} MiB, and about {10_000 * 12 / 1024:.0f} MiB more for 10,000 pictures (12 KiB are kept of each)")


def folder_part(count: int) -> None:
    """The audit as a user runs it, in a process of its own, twice."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "pictures"
        folder.mkdir()
        make_pictures(folder, (count + 4) // 5, "copies")
        for word in ("first", "second"):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            clock = time.perf_counter()
            command = [sys.executable, "-m", "lorasmith.cli.main", "audit", str(folder), "--cache", str(Path(made) / "cache")]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(
                f"{word} audit of {len(list(folder.iterdir())):,} pictures: {time.perf_counter() - clock:.1f} s of the clock, "
                f"{processor:.1f} s of processor, peak memory so far {after.ru_maxrss / 1024:.0f} MiB",
                flush=True,
            )


SETS = ("varied", "alike", "one backdrop")


def made_signatures(count: int, of: str) -> list[Signature]:
    """Pictures of 22 coloured leaves over one another, whose statistics are like those of photographs; a hundredth are copies.

    `varied` ones have nothing in common. Of `alike` ones a thousand each are of one scene: their large leaves lie at most a few cells
    apart and have nearly one colour, as in pictures of one shooting or frames of one film. Of `one backdrop` all show the same picture, and
    before it a figure of a few leaves of any colour near the middle.
    """
    rng = np.random.default_rng(0)
    down, right = np.arange(24, dtype=np.float32)[None, :, None], np.arange(24, dtype=np.float32)[None, None, :]
    out: list[Signature] = []
    copies = count // 100
    backdrop = made_signatures(4, "varied")[3] if of == "one backdrop" else None
    while len(out) < count - copies:
        n = min(1000, count - copies - len(out))
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
    for number in range(copies):
        luma, chroma = out[number * 7].luma, out[number * 7].chroma
        noise = rng.integers(-3, 4, luma.shape)
        out.append(Signature(np.clip(luma[:, ::-1].astype(int) + noise, 0, 255).astype(np.uint8), np.ascontiguousarray(chroma[:, ::-1])))
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


def search(signatures: list[Signature], found: list[list[Pair]]) -> None:
    found.append(near_duplicate_pairs(signatures))


def signatures_part(count: int) -> None:
    for of in SETS:
        signatures = made_signatures(count, of)
        found: list[list[Pair]] = []
        processor, clock = timed(partial(search, signatures, found))
        copies = count // 100
        there = {(pair.first, pair.second) for pair in found[0]}
        known = sum((number * 7, count - copies + number) in there for number in range(copies))
        print(
            f"near duplicates of {count:,}, {of}: {processor:.1f} s of processor, {clock:.1f} s of the clock; "
            f"{known} of {copies} copies found, {len(there) - known} other pairs",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--signatures", type=int, default=0, help="search among so many signatures instead")
    parser.add_argument("--folder", type=int, default=0, help="audit a folder of so many instead")
    given = parser.parse_args()
    if given.folder:
        folder_part(given.folder)
    elif given.signatures:
        signatures_part(given.signatures)
    else:
        pictures_part(given.pictures, given.rounds)
