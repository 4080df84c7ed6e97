"""How every verb of the command line grows with the files of a dataset: processor time, peak memory, and the exponent.

    python benchmarks/growth.py
    python benchmarks/growth.py --sizes 100 1000 10000 --verbs audit plan "captions check"

Verbs are those that the app itself lists: one that has neither a row here nor a reason to be left out is an error. Pictures are PNGs of
64 x 64 pixels with captions of five tags; each command is a process of its own, in the order in which a dataset is made.

The exponent p is that of `seconds = start + k * files ** p` through the last three sizes; 1 is linear. It is not given where the
command takes less than half a second more at the largest size than at the smallest. One over 1.1 is marked, except the first search for
near duplicates, which compares each picture with each. The exit code is 1 where a command fails; times depend on the machine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import typer
from safetensors.numpy import save_file
from typer.core import TyperGroup

from lorasmith.cli.main import app
from lorasmith.demo.weights import WEIGHTS

MOST_EXPONENT = 1.1
LEAST_GROWTH = 0.5
"""Seconds."""

BASE = str(WEIGHTS / "base")


@dataclass(frozen=True)
class Row:
    """A command as it is measured; it runs in a folder that holds what the rows before it made."""

    verb: str
    arguments: Callable[[int], Sequence[str]]
    """Of the number of files."""
    title: str = ""
    before: Callable[[int], None] = lambda count: None
    """What it needs, made in the working folder."""
    most: int = 10**9
    """Files beyond which it is not run."""
    may_grow: bool = False
    expected: tuple[int, ...] = (0,)
    """Exit codes."""

    @property
    def name(self) -> str:
        return self.title or self.verb


@dataclass
class Measured:
    """What a row took, by number of files."""

    seconds: dict[int, float] = field(default_factory=dict)
    memory: dict[int, float] = field(default_factory=dict)
    """MiB at the peak."""


# What commands work on


def make_pictures(folder: Path, first: int, count: int) -> None:
    folder.mkdir(exist_ok=True)
    for number in range(first, first + count):
        rng = np.random.default_rng(number)
        small = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number:07d}.png"), cv2.resize(small, (64, 64), interpolation=cv2.INTER_CUBIC))
        tags = ["red hat", f"tag {number % 97}", f"tag {number % 31}", "sitting", f"rare {number}"]
        (folder / f"{number:07d}.txt").write_text(", ".join(tags), encoding="utf-8")


def pile(count: int) -> None:
    make_pictures(Path("pile"), 0, count)


def one_more(count: int) -> None:
    make_pictures(Path("more"), count, 1)


def lora_of_layers(count: int) -> None:
    tensors = {}
    for number in range(count):
        name = f"lora_unet_down_blocks_0_attentions_0_transformer_blocks_{number}_attn1_to_q"
        tensors |= {f"{name}.lora_down.weight": np.ones((1, 8), np.float32), f"{name}.lora_up.weight": np.ones((8, 1), np.float32)}
    save_file(tensors, "layers.safetensors")


def loras(count: int) -> None:
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    tensors = {f"{name}.lora_down.weight": np.ones((1, 320), np.float32), f"{name}.lora_up.weight": np.ones((320, 1), np.float32)}
    for number in range(count):
        save_file(tensors, f"{number}.safetensors")


def folder_of_loras(count: int) -> None:
    Path("loras").mkdir()
    os.chdir("loras")
    loras(count)
    os.chdir("..")


def settings_of_others(count: int) -> None:
    subsets = "".join(f'[[datasets.subsets]]\nimage_dir = "set/{number}"\nnum_repeats = 2\n' for number in range(count))
    Path("theirs.toml").write_text(f"[[datasets]]\nresolution = 512\n{subsets}", encoding="utf-8")


# The commands


def always(*arguments: str) -> Callable[[int], Sequence[str]]:
    return lambda count: arguments


def of_captions(verb: str, *arguments: str, expected: tuple[int, ...] = (0,)) -> Row:
    return Row(f"captions {verb}", always("set", *arguments), expected=expected)


ROWS = (
    Row("import", always("pile", "--into", "set"), before=pile),
    Row("import", always("pile", "--into", "set"), "import again"),
    Row("audit", always("set"), "audit, the first", may_grow=True),
    Row("audit", always("set"), "audit again"),
    Row("mend", always("set", "--duplicates", "--dry-run"), "mend --duplicates"),
    Row("mend", always("set", "--rotate", "90", "--only", "*0.png"), "mend a tenth"),
    Row("mend", always("set", "--undo"), "mend --undo"),
    of_captions("list"),
    Row("captions show", lambda count: ("set", f"{count - 1:07d}.png")),
    of_captions("tags"),
    Row("captions autocomplete", always("blu", "--vocabulary", "demo")),
    of_captions("check"),
    of_captions("report"),
    of_captions("convert"),
    of_captions("add", "new tag"),
    of_captions("remove", "sitting"),
    of_captions("undo"),
    of_captions("redo"),
    of_captions("history"),
    Row("undo", always("set", "--list"), "undo --list"),
    Row("undo", always("set")),
    Row("undo", always("set", "--redo"), "undo --redo"),
    of_captions("replace", "tag 3", "--by", "other"),
    of_captions("rename", "tag 4", "another"),
    of_captions("regex", r"tag (\d+)", r"\1 tag"),
    of_captions("front", "red hat"),
    of_captions("sort"),
    of_captions("dedupe"),
    of_captions("truncate", "--tags", "4"),
    of_captions("drop-rare", "--fewer-than", "2"),
    of_captions("drop-common", "--above", "0.9"),
    of_captions("split", "--keep", "tags"),
    of_captions("spell", "underscores"),
    of_captions("implications", "--vocabulary", "demo"),
    of_captions("aliases", "--vocabulary", "demo"),
    of_captions("set-triggers", "zorvex"),
    of_captions("mend-triggers", "zorvex"),
    of_captions("triggers", "--set", "zorvex"),
    Row("new", always("first.toml", "--dataset", "set", "--base", BASE, "--trigger", "zorvex", "--cache", "none"), "new, nothing known"),
    Row("new", always("run.toml", "--dataset", "set", "--base", BASE, "--trigger", "zorvex")),
    Row("new", always("chosen.toml", "--dataset", "set", "--base", BASE, "--recipe", "character"), "new, with a recipe"),
    Row("plan", always("run.toml")),
    Row("layout", always("set", "--concept", "zorvex", "--holdout", "0.1")),
    of_captions("folder-triggers"),
    Row("import", always("more", "--into", "set"), "import one more, with a hold-out", before=one_more),
    Row("export", always("set", "out")),
    Row("import-settings", always("theirs.toml", "--base", BASE), before=settings_of_others, title="import-settings, of many subsets"),
    Row("check", always("layers.safetensors", "--family", "sd1"), before=lora_of_layers, title="check, of many layers", expected=(0, 1)),
    Row("lora show", always("layers.safetensors", "--family", "sd1"), title="lora show, of many layers"),
    Row(
        "lora merge",
        lambda count: (*(f"{number}.safetensors" for number in range(count)), "--out", "merged.safetensors", "--family", "sd1"),
        before=loras, most=1000, title="lora merge, of many files",
    ),
    Row("library add", always("loras", "--catalogue", "catalogue"), before=folder_of_loras),
    Row("library add", always("loras", "--catalogue", "catalogue"), "library add again"),
    Row("library list", always("--catalogue", "catalogue")),
    Row("library find", always("0", "--catalogue", "catalogue")),
    Row("library rescan", always("--catalogue", "catalogue")),
    Row("library remove", always("loras", "--catalogue", "catalogue")),
)  # fmt: skip

LEFT_OUT = {
    "train": "trains on weights; until then it does what plan does, and caches latents (benchmarks/step.py)",
    "cache": "an autoencoder's weights take nearly all of the time",
    "resume": "trains on weights",
    "sweep": "trains on weights",
    "report": "reads one run, which takes weights to make",
    "prove": "draws with weights",
    "compare": "reads runs, which take weights to make",
    "runs": "reads runs, which take weights to make",
    "sample": "draws with weights; reads no dataset",
    "grid": "draws with weights; reads no dataset",
    "signal": "writes one small file into a run",
    "captions tag": "a tagger's weights take nearly all of the time",
    "captions describe": "a captioner's weights, or a server, take nearly all of the time",
    "base inspect": "reads one base; no dataset",
    "recipe list": "reads no files of the user's",
    "recipe show": "reads no files of the user's",
    "lora resize": "one file, with as many layers as its family has",
    "lora edit": "one file, with as many layers as its family has",
    "lora extract": "one file, with as many layers as its family has",
    "publish": "one file or one run",
    "install": "one file",
    "lora compare": "a few files, with as many layers as their family has",
    "retrain": "trains on weights",
    "studio": "a server, which runs the verbs that are measured here",
    **dict.fromkeys(
        (
            f"jobs {verb}"
            for verb in ("add", "cancel", "dismiss", "kinds", "list", "log", "move", "pause", "resume", "retry", "stop", "work")
        ),
        "a queue of jobs, whose work is done by the verbs that are measured here",
    ),
    "lora convert": "one file, with as many layers as its family has",
    "demo run": "trains on weights",
    "demo data": "makes sets of fixed sizes",
    "bench audit": "makes sets of a fixed size",
    "bench verdict": "trains on weights",
}
"""Verb -> why nothing is measured."""


def verbs_of(command: Any, name: str = "") -> Iterator[str]:
    """All verbs below a command of the app, those made from registries too."""
    if not isinstance(command, TyperGroup):
        yield name
        return
    context = typer.Context(command)
    for below in command.list_commands(context):
        found = command.get_command(context, below)
        if found is not None:
            yield from verbs_of(found, f"{name} {below}".strip())


# Measuring


def run(row: Row, count: int, measured: Measured) -> str:
    """Run a command in the working folder; what is wrong with its end, if something is."""
    row.before(count)
    with open("output", "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "lorasmith", *row.verb.split(), *row.arguments(count)], stdout=output, stderr=output
        )
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    measured.seconds[count] = used.ru_utime + used.ru_stime
    measured.memory[count] = used.ru_maxrss / 1024
    print(f"{row.name}, {count:,} files: {measured.seconds[count]:.1f} s", file=sys.stderr, flush=True)
    if process.returncode in row.expected:
        return ""
    lines = Path("output").read_text(errors="replace").strip().splitlines()
    return f"{row.name}, {count:,} files: exit code {process.returncode}: {lines[-1] if lines else ''}"


def exponent(seconds: dict[int, float]) -> float | None:
    """That of growth through the last three sizes; None where there are fewer, or it hardly grows."""
    if len(seconds) < 3:
        return None
    (a, start), (b, middle), (c, end) = sorted(seconds.items())[-3:]
    if end - start < LEAST_GROWTH:
        return None
    middle = max(middle, start + 0.01)  # what a clock can tell
    aim = (end - start) / (middle - start)
    low, high = 0.0, 8.0
    for _ in range(50):  # the ratio grows with p
        p = (low + high) / 2
        low, high = (p, high) if (c**p - a**p) / max(b**p - a**p, 1e-9) < aim else (low, p)
    return p


def print_table(rows: Sequence[Row], measured: dict[str, Measured], sizes: Sequence[int]) -> None:
    print("| command | " + " | ".join(f"{size:,} files" for size in sizes) + " | exponent |")
    print("| --- |" + " --- |" * (len(sizes) + 1))
    for row in rows:
        one = measured[row.name]
        p = exponent(one.seconds)
        cells = [f"{one.seconds[size]:.1f} s, {one.memory[size]:.0f} MiB" if size in one.seconds else "" for size in sizes]
        over = " (over)" if p is not None and p > MOST_EXPONENT and not row.may_grow else ""
        print(f"| `{row.verb}`{row.title.removeprefix(row.verb)} | " + " | ".join(cells) + f" | {'-' if p is None else f'{p:.2f}{over}'} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[30, 100, 300], help="numbers of files")
    parser.add_argument("--verbs", nargs="+", help="these alone, after the import")
    parser.add_argument("--folder", type=Path, help="where files are made; on the disk that is to be measured")
    given = parser.parse_args()
    verbs = set(verbs_of(typer.main.get_command(app)))
    unknown = verbs - {row.verb for row in ROWS} - {*LEFT_OUT}
    gone = ({row.verb for row in ROWS} | {*LEFT_OUT}) - verbs
    if unknown or gone:
        sys.exit(f"no row and no reason here: {sorted(unknown)}; no verbs any more: {sorted(gone)}")
    rows = [row for row in ROWS if not given.verbs or row.verb in ("import", *given.verbs)]
    measured = {row.name: Measured() for row in rows}
    wrong = []
    for size in sorted(given.sizes):
        with tempfile.TemporaryDirectory(prefix="growth-", dir=given.folder) as folder:
            os.chdir(folder)
            wrong += [found for row in rows if size <= row.most and (found := run(row, size, measured[row.name]))]
            os.chdir("/")
    print_table(rows, measured, sorted(given.sizes))
    print("\n".join(["", *(f"left out: {verb}: {why}" for verb, why in LEFT_OUT.items()), *wrong]))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
