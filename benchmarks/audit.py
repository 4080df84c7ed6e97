"""What an audit costs beside a plain Pillow loop that decodes and resizes: pictures a second, alternating in one process, medians.

    python benchmarks/audit.py --pictures 24 --rounds 5
    python benchmarks/audit.py --folder 10000

Pictures are 2 megapixels, JPEG at quality 90 and every fourth a PNG, made of photographs of scikit-image laid side by side. Both sides
run in one thread, and processor time is what counts, as other programs may run. `--folder` measures the time and memory of `lorasmith audit` on so many pictures (of which a fifth are different; 0.3 MB of disk each).
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import skimage.data
from PIL import Image

from lorasmith.curation.audit.dataset import audit_dataset
from lorasmith.draws import rng_for

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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=int, default=0, help="audit a folder of so many instead")
    given = parser.parse_args()
    if given.folder:
        folder_part(given.folder)
    else:
        pictures_part(given.pictures, given.rounds)
