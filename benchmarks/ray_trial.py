"""What a trial of a sweep costs under Ray beside the same trial in a plain process: a training on the demo base, and its proof.

    python benchmarks/ray_trial.py
    python benchmarks/ray_trial.py --epochs 8 --rounds 5

Both do the same work with the same function (`ray_trial.train_trial`); under Ray a node starts a process for it, as for each trial of
`lorasmith sweep --ray`. They take turns, with the same priority (Ray's processes otherwise let others go first). Printed are the time that
passes from the request to the answer, and the processor's time of the trial's process, which other work on the machine disturbs less; under
Ray also what the node's own processes took meanwhile, whatever it had to do. A ratio is the median over the rounds of Ray's over the plain
one's.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil

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
            "buckets": {"resolution": 64, "min_bucket_reso": 32, "max_bucket_reso": 128, "bucket_reso_steps": 16},  # the demo base's own
            "training": {"epochs": chosen.epochs}, "checkpoints": {"save_every_n_epochs": chosen.epochs}, "cache": "cache",
        })  # fmt: skip
        measure(settings, chosen.rounds)


def measure(settings: Settings, rounds: int) -> None:
    import ray

    ray.init(num_cpus=1, object_store_memory=OBJECT_STORE, include_dashboard=False, log_to_driver=False, logging_level="ERROR", _temp_dir=os.getcwd(), _system_config={"worker_niceness": 0})  # fmt: skip
    on_ray = ray.remote(num_cpus=1, max_calls=1)(trial)
    node = psutil.Process().children(recursive=True)
    found: dict[str, list[tuple[float, float]]] = {"plain": [], "Ray": []}
    made(settings, "warm")
    plain("warm")  # latents and texts are cached, files read
    ray.get(ray.remote(num_cpus=1, max_calls=1)(nothing).remote())  # the node has started
    for number in range(rounds):
        for name in ("plain", "Ray") if number % 2 else ("Ray", "plain"):
            made(settings, f"{name}-{number}")
            started, of_node = time.monotonic(), processor(node)
            before, cpu = plain(f"{name}-{number}") if name == "plain" else ray.get(on_ray.remote(os.getcwd(), f"{name}-{number}"))
            passed = time.monotonic() - started
            found[name].append((passed, cpu))
            beside = f"   the node's own {processor(node) - of_node:5.1f} s" if name == "Ray" else ""
            print(
                f"{name:6} passed {passed:6.1f} s   processor {cpu:6.1f} s, {before:.1f} s of it before the trial began{beside}", flush=True
            )
    ray.shutdown()
    for what, place in (("passed", 0), ("processor", 1)):
        ratios = [a[place] / b[place] for a, b in zip(found["Ray"], found["plain"], strict=True)]
        print(f"{what:10} Ray / plain: {statistics.median(ratios):.3f}  ({', '.join(f'{ratio:.3f}' for ratio in ratios)})")


def processor(processes: Iterable[psutil.Process]) -> float:
    """Seconds of the processor that these have taken since they began; those that have ended since are left out."""
    times = [process.cpu_times() for process in processes if process.is_running()]
    return sum(one.user + one.system for one in times)


def nothing() -> None: ...


def made(settings: Settings, name: str) -> None:
    RayTrial(Path("sweep") / FOLDER / name).write(settings, "quick")


def plain(name: str) -> tuple[float, float]:
    """The trial in a process of its own; the processor's seconds of that, before it began and in all."""
    program = "import sys; sys.path.insert(0, sys.argv[1]); from ray_trial import trial; print('\\n', *trial(*sys.argv[2:]))"
    command = [sys.executable, "-c", program, str(Path(__file__).parent), os.getcwd(), name]
    before, cpu = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-2:]
    return float(before), float(cpu)


def trial(workspace: str, name: str) -> tuple[float, float]:
    """Train and judge; the seconds of the processor that this process had taken before, and has taken now."""
    before = time.process_time()
    from lorasmith.evaluation.prompts import Counts
    from lorasmith.evaluation.proof.plan import EFFORTS, Effort

    EFFORTS["quick"] = Effort("a third of the usual proof, so that rounds are short", Counts(4, 2, 2, 2, 3), 5, 1, 3)
    result: dict[str, Any] = train_trial(workspace, "sweep", name, 0)
    if result["state"] != "done":
        raise RuntimeError(result["sentence"])
    return before, time.process_time()


if __name__ == "__main__":
    main()
