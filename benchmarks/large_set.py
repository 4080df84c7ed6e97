"""What a set of a million rows costs beside one of a thousand: memory and seconds of opening, planning and training.

python benchmarks/large_set.py [rows ...]

Prints the table of docs/guide/scale.md. The set is a manifest: its rows have captions of their own and share 100 pictures of 64 x 64, whose
latents are in the cache, so that nothing but the number of rows differs. Trained is the demo's base for some steps. Each number of rows has
a process of its own, which computes in one thread. Seconds are those of the processor, as others may be at work beside; memory (Linux) is
what the process has of its own, without mapped files, beyond what it began with (torch and numpy, imported).
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch  # noqa: F401  # what it takes to import is nobody's here

from lorasmith.datasets.training_set import TrainingSet, open_training_set
from lorasmith.demo.weights import BASE
from lorasmith.images.picture_cache import PICTURES as PICTURE_CACHE
from lorasmith.training.events import Event, PhaseStarted, StepDone
from lorasmith.training.forecast.report import make_report
from lorasmith.training.records.inputs import inputs_entry
from lorasmith.training.records.manifest import inputs_of
from lorasmith.training.run import train
from lorasmith.training.settings.tree import Settings, settings_from

PICTURES, STEPS, BATCH = 100, 16, 4
ROWS = (1_000, 100_000, 1_000_000)
Result = TypeVar("Result")


def make_set(folder: Path, rows: int) -> tuple[Path, Path]:
    """A manifest in `folder` with its pictures, and one that names each of them once."""
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
    own_rows = [json.dumps({"file_name": f"pictures/{number}.png", "text": captions[number]}) for number in range(PICTURES)]
    (folder / "pictures.jsonl").write_text("\n".join(own_rows), encoding="utf-8")
    return folder / "set.jsonl", folder / "pictures.jsonl"


class Measured:
    """Seconds of the processor, and the memory that there is after each part."""

    def __init__(self) -> None:
        self.began = own_memory()
        self.rows: list[tuple[str, str]] = []

    def part(self, name: str, work: Callable[[], Result], times: int = 1) -> Result:
        """Do it, and write down what one of `times` took."""
        worked = time.process_time()
        result = work()
        self.took(name, (time.process_time() - worked) / times)
        return result

    def took(self, name: str, seconds: float) -> None:
        """Write down seconds."""
        self.rows.append((name, as_time(seconds)))

    def memory(self, name: str) -> None:
        """Write down how much memory there is now beyond what there was at first."""
        self.rows.append((name, f"{own_memory() - self.began:.0f} MB"))


def as_time(seconds: float) -> str:
    """In two digits or so, in the unit that suits."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("\N{MICRO SIGN}s", 1e6)):
        if seconds * factor >= 1 or factor == 1e6:
            value = seconds * factor
            return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}"
    raise AssertionError("the last unit takes all")


def own_memory() -> float:
    """MB that are the process's own, without mapped files."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("RssAnon"))) / 1024


class RunWatch:
    """Listens to a run: processor seconds of looking for latents and of each step, and the memory at its last step."""

    def __init__(self) -> None:
        self.latents, self.steps, self.memory = 0.0, list[float](), 0.0
        self._phase, self._since = "", 0.0

    def __call__(self, event: Event) -> None:
        now = time.process_time()
        if isinstance(event, PhaseStarted):
            if self._phase == "cache":
                self.latents += now - self._since
            self._phase, self._since = event.phase, now
        elif isinstance(event, StepDone):
            self.steps.append(now - self._since)
            self._since, self.memory = now, own_memory()


def measure(folder: Path, rows: int) -> None:
    """All parts for one number of rows; prints JSON."""
    measured = Measured()
    manifest, pictures = make_set(folder, rows)

    def settings_of(path: Path, steps: int) -> Settings:
        return settings_from({
            "name": "large", "base": {"path": str(BASE)}, "datasets": [{"path": str(path)}], "captions": {"trigger": "zorvex"},
            "buckets": {"resolution": 64, "min_bucket_reso": 32, "max_bucket_reso": 128, "bucket_reso_steps": 32}, "network": {"rank": 4},
            "training": {"max_train_steps": steps, "batch_size": BATCH, "device": "cpu"}, "cache": str(folder / "cache"),
        })  # fmt: skip

    settings = settings_of(manifest, STEPS)
    measure_opened(measured, settings)
    train(settings_of(pictures, 1), folder / "first")
    watch = RunWatch()
    train(settings, folder / "run", [watch])
    measured.took("looking for all latents in the cache, before the first step", watch.latents)
    measured.took(f"a step of {BATCH} pictures", statistics.median(watch.steps[5:]))
    measured.rows.append(("memory of the whole run while it trains", f"{watch.memory - measured.began:.0f} MB"))
    print(json.dumps(measured.rows))


def measure_opened(measured: Measured, settings: Settings) -> None:
    """What is done with a set before and while it is trained on, without the training."""

    def opened() -> TrainingSet:
        return open_training_set(settings.datasets, settings.buckets, batch_size=BATCH, cache=settings.cache / PICTURE_CACHE)

    measured.part("opening it the first time (every picture is decoded)", opened)
    measured.part("opening it again (rows and the states of their files are read)", opened)
    report = measured.part("a plan without its estimate of time, which opens it", lambda: make_report(settings, estimate=False))
    measured.memory("memory of that")
    training_set = report.training_set
    order = measured.part("the order of all epochs, once", lambda: training_set.order(BATCH, 42))
    last = len(order.epoch(3)) - 1
    measured.part("100 batches at the end of epoch 3", lambda: order.epoch(3)[last - 99 :])
    measured.part(
        "what the run's manifest and the LoRA record of the pictures", lambda: (inputs_of(training_set, {}), inputs_entry(training_set, {}))
    )
    samples = [sample for batch in order.epoch(2)[:1000] for sample in batch.samples]
    measured.part(
        "a picture's row and caption, read where a sample needs it",
        lambda: [training_set.pictures[each.picture].picture.caption for each in samples], len(samples),
    )  # fmt: skip


def main(sizes: list[int]) -> None:
    found = []
    for rows in sizes:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--measure", folder + "/set", str(rows)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
            found.append(json.loads(done.stdout.splitlines()[-1]))
    print(f"| | {' | '.join(f'{rows:,} rows' for rows in sizes)} |")
    print(f"| --- |{' --- |' * len(sizes)}")
    for parts in zip(*found, strict=True):
        print(f"| {parts[0][0]} | {' | '.join(value for _, value in parts)} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main([int(argument) for argument in sys.argv[1:]] or list(ROWS))
