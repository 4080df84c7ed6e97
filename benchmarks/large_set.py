"""What a set of a million rows costs beside one of a thousand: memory and seconds of opening, planning and training. Prints a table.

python benchmarks/large_set.py [rows ...]

The set is a manifest: its rows have captions of their own and share 100 pictures of 64 x 64, so that nothing but the number of rows differs.
Trained is the demo's base for some steps. Each number of rows has a process of its own, which says after each part how much memory it has
taken (Linux: what is the process's own, without mapped files) and what it had at most.
"""

from __future__ import annotations

import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

PICTURES, STEPS, BATCH = 100, 16, 4
ROWS = (1_000, 1_000_000)
Result = TypeVar("Result")


def make_set(folder: Path, rows: int) -> Path:
    """A manifest in `folder`, and the pictures that it names."""
    from lorasmith.demo.drawing import draw_scene
    from lorasmith.demo.world import random_scene, tag_caption

    (folder / "pictures").mkdir(parents=True)
    scenes = [random_scene(number) for number in range(PICTURES)]
    captions = [tag_caption(scene, random.Random(0)) for scene in scenes]
    for number, scene in enumerate(scenes):
        draw_scene(scene).save(folder / "pictures" / f"{number}.png")
    with (folder / "set.jsonl").open("w", encoding="utf-8") as lines:
        for row in range(rows):
            own = {
                "file_name": f"pictures/{row % PICTURES}.png",
                "text": f"zorvex {row}, {captions[row % PICTURES]}",
                "repeats": row % 3 + 1,
            }
            lines.write(json.dumps(own) + "\n")
    return folder / "set.jsonl"


class Measured:
    """Seconds, seconds of CPU and memory of one part after the other."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float, float, float, float]] = []

    def part(self, name: str, work: Callable[[], Result]) -> Result:
        """Do it, and remember what it took."""
        began, worked = time.monotonic(), time.process_time()
        result = work()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.rows.append((name, time.monotonic() - began, time.process_time() - worked, own_memory(), peak))
        return result


def own_memory() -> float:
    """MB that are the process's own, without mapped files."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("RssAnon"))) / 1024


def measure(folder: Path, rows: int) -> None:
    """All parts for one number of rows; prints JSON."""
    import torch  # noqa: F401  # what it takes to import is nobody's here

    from lorasmith.datasets.training_set import open_training_set
    from lorasmith.demo.weights import BASE
    from lorasmith.images.picture_cache import PICTURES as PICTURE_CACHE
    from lorasmith.training.events import StepDone
    from lorasmith.training.forecast.report import make_report
    from lorasmith.training.records.event_log import read_history
    from lorasmith.training.records.inputs import inputs_entry
    from lorasmith.training.records.manifest import inputs_of
    from lorasmith.training.run import train
    from lorasmith.training.settings.tree import settings_from

    measured = Measured()
    manifest = measured.part("(writing the manifest)", lambda: make_set(folder, rows))
    settings = settings_from({
        "name": "large", "base": {"path": str(BASE)}, "datasets": [{"path": str(manifest)}], "captions": {"trigger": "zorvex"},
        "buckets": {"resolution": 64, "min_bucket_reso": 32, "max_bucket_reso": 128, "bucket_reso_steps": 32}, "network": {"rank": 4},
        "training": {"max_train_steps": STEPS, "batch_size": BATCH, "device": "cpu"}, "cache": str(folder / "cache"),
    })  # fmt: skip

    def opened() -> object:
        return open_training_set(settings.datasets, settings.buckets, batch_size=BATCH, cache=settings.cache / PICTURE_CACHE)

    measured.part("opening it the first time", opened)
    measured.part("opening it again", opened)
    report = measured.part("a plan", lambda: make_report(settings, estimate=False))
    training_set = report.training_set
    order = measured.part("the order of all epochs", lambda: training_set.order(BATCH, 42))
    last = len(order.epoch(3)) - 1
    measured.part("the last 100 batches of epoch 3", lambda: order.epoch(3)[last - 99 :])
    measured.part("what is recorded of the pictures", lambda: (inputs_of(training_set, {}), inputs_entry(training_set, {})))
    samples = [sample for batch in order.epoch(2)[:1000] for sample in batch.samples]
    measured.part(f"{len(samples):,} rows with captions", lambda: [training_set.pictures[each.picture].picture.caption for each in samples])
    measured.part(f"a run of {STEPS} steps", lambda: train(settings, folder / "run"))
    seconds = [event.seconds for _, event in read_history(folder / "run" / "events.jsonl") if isinstance(event, StepDone)]
    print(json.dumps({"parts": measured.rows, "step": statistics.median(seconds[5:]) if seconds else 0.0}))


def main(sizes: list[int]) -> None:
    found = {}
    for rows in sizes:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--measure", folder + "/set", str(rows)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            found[rows] = json.loads(done.stdout.splitlines()[-1])
    print(f"{'':<34}" + "".join(f"{f'{rows:,} rows':>42}" for rows in sizes))
    print(f"{'':<34}" + "".join(f"{'seconds':>12}{'CPU':>8}{'MB':>10}{'MB at most':>12}" for _ in sizes))
    for place, (name, *_) in enumerate(found[sizes[0]]["parts"]):
        print(f"{name:<34}" + "".join("{1:>12.2f}{2:>8.2f}{3:>10.0f}{4:>12.0f}".format(*found[rows]["parts"][place]) for rows in sizes))
    print(f"{'a step, median, ms':<34}" + "".join(f"{1000 * found[rows]['step']:>12.1f}{'':>30}" for rows in sizes))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main([int(argument) for argument in sys.argv[1:]] or list(ROWS))
