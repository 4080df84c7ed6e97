"""The commands of the guides on sampling and on grids run as they stand there, one after the other."""

import contextlib
import re
import shlex
import shutil
from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from lorasmith.cli.grid import grid
from lorasmith.cli.picture import sample

GUIDES = Path(__file__).parents[3] / "docs" / "guide"

app = typer.Typer()
app.command()(grid)
app.command()(sample)


def commands(guide):
    return re.findall(r"^    lorasmith ((?:sample|grid) .*)$", (GUIDES / guide).read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture
def workshop(grid_run, toy_base, creatures, tmp_path):
    """A folder with what the guides name: a base, a run, its LoRA, pictures, and the guide's file of prompts."""
    shutil.copytree(toy_base, tmp_path / "models" / "base")
    shutil.copytree(grid_run, tmp_path / "runs" / "zorvex")
    shutil.copytree(creatures, tmp_path / "pictures" / "zorvex")
    (tmp_path / "loras").mkdir()
    for place in ("loras/zorvex.safetensors", "zorvex.safetensors"):
        shutil.copy(grid_run / "checkpoints" / "toy.safetensors", tmp_path / place)
    prompts = re.search(r"```text\n(.*?)```", (GUIDES / "sampling.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    (tmp_path / "prompts.txt").write_text(prompts, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("guide", ["sampling.md", "grid.md"])
def test_the_commands_of_a_guide_run(workshop, guide):
    found = commands(guide)
    assert len(found) >= 4
    with contextlib.chdir(workshop):
        for command in found:
            result = CliRunner().invoke(app, shlex.split(command))
            assert (result.exit_code, result.stderr) == (0, ""), command
        pictures = [line for line in result.stdout.splitlines() if line.endswith(".png")]
        assert pictures
        for path in pictures:
            Image.open(path).verify()
