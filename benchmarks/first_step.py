"""The CPU time of `lorasmith plan` and of a run on the demo base up to its first step, beside a bare `import torch`, each in a fresh process.

python benchmarks/first_step.py

What the command line imports is counted, and reading the pictures, making their latents and encoding their captions. The files are warm: the
first round is not counted. `plan` comes after a command that has seen the pictures; with nothing kept it rehearses the run, the second time not.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lorasmith.demo.datasets import write_dataset
from lorasmith.demo.weights import BASE
from lorasmith.training.forecast.kept_rehearsals import FOLDER
from lorasmith.training.settings.toml import settings_toml
from lorasmith.training.settings.tree import settings_from

USAGE = """
import json, os, resource, sys
def report():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps([usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, len(sys.modules)]), flush=True)
    os._exit(0)
"""
TORCH = USAGE + "import torch\nreport()"
RUN = (
    USAGE
    + """
from pathlib import Path
import lorasmith.cli.run
from lorasmith.imports import without_collection
with without_collection():  # as the command does
    from lorasmith.training.run import train
from lorasmith.training.events import PhaseStarted
from lorasmith.training.forecast.kept_rehearsals import FOLDER
from lorasmith.training.settings.toml import load_settings
run = Path(sys.argv[2])
settings = load_settings(sys.argv[1]).model_copy(update={"cache": run.with_name(f"cache of {run.name}")})
train(settings, run, [lambda event: report() if isinstance(event, PhaseStarted) and event.phase == "train" else None])
"""
)

FIRST_PLAN = "plan, nothing kept"
PLAN = (
    USAGE
    + """
from pathlib import Path
import lorasmith.cli.main
from lorasmith.cli.run import plan
plan(Path(sys.argv[1]))
report()
"""
)


def measured(program: str, *arguments: str) -> tuple[float, float, int]:
    """CPU seconds of all threads, peak MiB, and the number of modules imported, of a program in a fresh process."""
    found = subprocess.run([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, check=True, text=True)
    seconds, memory, modules = json.loads(found.stdout.splitlines()[-1])
    return seconds, memory, modules


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_dataset(Path(folder), "character-zorvex-small")
        settings = Path(folder) / "settings.toml"
        settings.write_text(
            settings_toml(
                settings_from(
                    {
                        "base": {"path": str(BASE)},
                        "datasets": [{"path": str(dataset)}],
                        "buckets": {"resolution": 64, "min_bucket_reso": 32, "max_bucket_reso": 128, "bucket_reso_steps": 16},
                        "training": {"epochs": 1, "batch_size": 4},
                        "cache": f"{folder}/cache",
                    }
                )
            ),
            encoding="utf-8",
        )
        kept = Path(folder) / "cache" / FOLDER
        for name, program in (("import torch", TORCH), (FIRST_PLAN, PLAN), ("plan again", PLAN), ("up to the first step", RUN)):
            found = []
            for number in range(rounds + 1):
                if name == FIRST_PLAN:
                    shutil.rmtree(kept, ignore_errors=True)
                found.append(measured(program, str(settings), f"{folder}/run-{number}"))
            seconds, memory, modules = min(found[1:])
            print(
                f"{name:20}  {seconds:5.2f} s of CPU   {memory:5.0f} MiB   {modules:5} modules   (the best of {rounds} rounds)", flush=True
            )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
