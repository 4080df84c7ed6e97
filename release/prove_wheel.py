"""Builds the wheel and the source archive, and proves that the wheel works where nothing else of Lorasmith is.

    python release/prove_wheel.py            # make wheel

1. `python -m build` makes both below dist/, from the files that git knows, and `twine check --strict` reads their descriptions.
2. The wheel is compared with the package's folder: every file of it is there, and nothing else.
3. It is installed with its `studio` extra into a new environment, in the tested versions (requirements.lock).
4. There, in an empty folder, a LoRA of the demo world is trained, checked and drawn with, and the studio's page answers.

Everything but dist/ is made in a folder that is removed at the end.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
CREATURE = "character-zorvex-small"
SHORT = {"epochs = 10": "epochs = 1", "repeats = 10": "repeats = 1"}
"""What is changed in the settings that `new` writes: a training of 8 steps."""
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def prove() -> None:
    with tempfile.TemporaryDirectory() as aside:
        place = Path(aside)
        wheel = build(place)
        compare_with_the_package(wheel)
        python = install(wheel, place / "fresh")
        work = place / "work"
        work.mkdir()
        train_and_use(python, work)
        open_the_studio(python, work)
    print(f"{wheel.relative_to(ROOT)}: {wheel.stat().st_size / 1e6:.1f} MB, installed; it has trained a LoRA, and its studio has opened")


# -- built ----------------------------------------------------------------------------------------------------------------------


def build(place: Path) -> Path:
    """Rebuild dist/ from a copy of the files that git tracks, so that no stray file gets in; returns the wheel's path."""
    tools = new_environment(place / "tools", "-r", str(ROOT / "release" / "tools.txt"))
    source = place / "source"
    shutil.rmtree(DIST, ignore_errors=True)
    known = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
    for name in filter(None, known):
        if (ROOT / name).is_symlink() or (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name, follow_symlinks=False)
    run(tools, "-m", "build", "--outdir", DIST, source)
    made = sorted(DIST.iterdir())
    run(tools, "-m", "twine", "check", "--strict", *made)
    return next(file for file in made if file.suffix == ".whl")


def compare_with_the_package(wheel: Path) -> None:
    """Every file of the package that git knows is in the wheel, those behind a link to a folder too, and no other."""
    names = [ROOT / name for name in run("git", "ls-files", "-z", "src/lorasmith", cwd=ROOT).split("\0") if name]
    files = [file for name in names for file in (name.rglob("*") if name.is_dir() else [name])]
    known = {file.relative_to(ROOT / "src").as_posix() for file in files}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("lorasmith/")}
    if known != packed:
        raise SystemExit(f"{wheel.name} lacks {sorted(known - packed)[:5]} and has besides {sorted(packed - known)[:5]}: see package-data.")


# -- installed ------------------------------------------------------------------------------------------------------------------


def install(wheel: Path, place: Path) -> Path:
    """A new environment with the wheel and its `studio` extra; its Python."""
    python = new_environment(place, "-c", str(ROOT / "requirements.lock"), f"{wheel}[studio]")
    run(python, "-m", "pip", "check")
    return python


def new_environment(place: Path, *packages: str) -> Path:
    """A new environment with packages; its Python."""
    venv.create(place, with_pip=True)
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages)
    return python


# -- used -----------------------------------------------------------------------------------------------------------------------


def train_and_use(python: Path, work: Path) -> None:
    """A short training on the demo's base, and what one does with its file. (`make notebooks` judges one.)"""
    lorasmith = python.with_name("lorasmith")
    base = run(python, "-c", "from lorasmith.demo.weights import BASE; print(BASE)", cwd=work).strip()
    if not Path(base).is_relative_to(python.parents[1]):
        raise SystemExit(f"The new environment imports another Lorasmith: {base}")
    run(lorasmith, "demo", "data", "pictures", "--name", CREATURE, cwd=work)
    run(lorasmith, "new", "zorvex.toml", "--dataset", f"pictures/{CREATURE}", "--base", base, "--trigger", "zorvex", cwd=work)
    shorten(work / "zorvex.toml")
    run(lorasmith, "train", "zorvex.toml", "--out", "runs/zorvex", cwd=work)
    file = "runs/zorvex/checkpoints/zorvex.safetensors"
    run(lorasmith, "check", file, "--base", base, cwd=work)
    run(
        lorasmith,
        "sample",
        "--base",
        base,
        "--prompt",
        "zorvex, beach",
        "--lora",
        file,
        "--steps",
        "2",
        "--out",
        "pictures-with-it",
        cwd=work,
    )
    if not list((work / "pictures-with-it").glob("*.png")):
        raise SystemExit("The wheel has trained a LoRA, but has generated no picture with it.")


def shorten(settings: Path) -> None:
    text = settings.read_text(encoding="utf-8")
    for long, short in SHORT.items():
        if long not in text:
            raise SystemExit(f"{settings.name} has no `{long}`: say in SHORT how the training is made short.")
        text = text.replace(long, short)
    settings.write_text(text, encoding="utf-8")


def open_the_studio(python: Path, work: Path) -> None:
    """The studio of the wheel starts, and its page answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["studio", "--workspace", str(work), "--port", str(port), "--no-browser", "--no-token"]
    studio = subprocess.Popen([python.with_name("lorasmith"), *options], cwd=work, env=surroundings(), stdout=subprocess.DEVNULL)
    try:
        page = answer(f"http://127.0.0.1:{port}/", studio)
    finally:
        studio.terminate()
        studio.wait(30)
    if b"<script" not in page:
        raise SystemExit("The wheel's studio has no page: see package-data.")


def answer(address: str, server: subprocess.Popen[bytes]) -> bytes:
    """The first answer of a server that is starting."""
    while server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=10) as answered:
                return bytes(answered.read())
        except OSError:
            time.sleep(0.2)
    raise SystemExit("The wheel's studio did not start.")


def surroundings() -> dict[str, str]:
    """The environment of commands, in which this folder is not on the path."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | OFFLINE


def run(*command: object, cwd: Path = ROOT) -> str:
    """What a command prints; its own words where it fails."""
    ended = subprocess.run([str(part) for part in command], cwd=cwd, env=surroundings(), capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"{' '.join(str(part) for part in command)} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
    return ended.stdout


if __name__ == "__main__":
    sys.exit(prove())
