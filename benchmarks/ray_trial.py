"""What a trial of a sweep costs under Ray beside the same trial in a plain process: a training on the demo base, and its proof.

    python benchmarks/ray_trial.py
    python benchmarks/ray_trial.py --epochs 8 --rounds 5

Both do the same work with the same function (`ray_trial.train_trial`); under Ray a node starts a process for it, as for each trial of
`lorasmith sweep --ray`. They take turns, with the same priority (Ray's processes otherwise let others go first). Printed are the time that passes from the request to the answer, and the processor's time of the
trial's process, which other work on the machine disturbs less; a ratio is the median over the rounds of Ray's over the plain one's.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # on loopback

from lorasmith.demo.weights import BASE
from lorasmith.jobs.sweep.ray_trial import FOLDER, RayTrial, train_trial
from lorasmith.training.settings.tree import Settings, settings_from

OBJECT_STORE = 80 * 2**20
"""Bytes; nothing is kept in it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ray-") as folder:
        os.chdir(folder)
        subprocess.run([sys.executable, "-m", "lorasmith", "demo", "data", "pictures", "--name", "character-zorvex-small"], check=True, stdout=subprocess.DEVNULL)  # fmt: skip
        settings = settings_from({
            "name": "trial", "base": {"path": str(BASE)}, "datasets": [{"path": "pictures/character-zorvex-small"}], "captions": {"trigger": "zorvex"},
            "training": {"epochs": chosen.epochs}, "cache": "cache",
        })  # fmt: skip
        measure(settings, chosen.rounds)


def measure(settings: Settings, rounds: int) -> None:
    import ray

    ray.init(num_cpus=1, object_store_memory=OBJECT_STORE, include_dashboard=False, log_to_driver=False, logging_level="ERROR", _temp_dir=os.getcwd(), _system_config={"worker_niceness": 0})  # fmt: skip
    on_ray = ray.remote(num_cpus=1, max_calls=1)(trial)
    found: dict[str, list[tuple[float, float]]] = {"plain": [], "Ray": []}
    made(settings, "warm")
    plain("warm")  # latents and texts are cached, files read
    for number in range(rounds):
        for name in ("plain", "Ray") if number % 2 else ("Ray", "plain"):
            made(settings, f"{name}-{number}")
            started = time.monotonic()
            cpu = plain(f"{name}-{number}") if name == "plain" else ray.get(on_ray.remote(os.getcwd(), f"{name}-{number}"))
            found[name].append((time.monotonic() - started, cpu))
            print(f"{name:6} passed {found[name][-1][0]:6.1f} s   processor {cpu:6.1f} s", flush=True)
    ray.shutdown()
    for what, place in (("passed", 0), ("processor", 1)):
        ratios = [a[place] / b[place] for a, b in zip(found["Ray"], found["plain"], strict=True)]
        print(f"{what:10} Ray / plain: {statistics.median(ratios):.3f}  ({', '.join(f'{ratio:.3f}' for ratio in ratios)})")


def made(settings: Settings, name: str) -> None:
    RayTrial(Path("sweep") / FOLDER / name).write(settings, "quick")


def plain(name: str) -> float:
    """The trial in a process of its own; the processor's seconds of that."""
    program = "import sys; sys.path.insert(0, sys.argv[1]); from ray_trial import trial; print('\\n', trial(*sys.argv[2:]))"
    command = [sys.executable, "-c", program, str(Path(__file__).parent), os.getcwd(), name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def trial(workspace: str, name: str) -> float:
    """Train and judge; the seconds of the processor that this process has taken since it began."""
    result: dict[str, Any] = train_trial(workspace, "sweep", name, 0)
    if result["state"] != "done":
        raise RuntimeError(result["sentence"])
    return time.process_time()


if __name__ == "__main__":
    main()
