"""`lorasmith grid`: what would be generated, what was, and Ctrl-C."""

import json
import re
import signal

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from lorasmith.cli.grid import grid
from lorasmith.evaluation.sampling import session
from tests.models.single_files import write_single_file
from tests.models.toys import toy_folder


@pytest.fixture
def call(tmp_path):
    app = typer.Typer()
    app.command()(grid)

    def run(*arguments):
        begin = ("--base", toy_folder("sd1"), "--prompt", "red cat --s 1", "--out", tmp_path / "grids")
        return CliRunner().invoke(app, [str(each) for each in (*begin, *arguments)])

    return run


def test_a_grid_is_announced_generated_and_kept(call, tmp_path):
    axes = ("--x", "seed=1..3", "--y", "sr: red, blue")
    announced = call(*axes, "--dry-run")
    assert announced.output.splitlines() == [
        "x  Seed: seed 1, seed 2, seed 3", "y  Prompt S/R: red, blue", "6 cells: 6 pictures to generate, 0 there already."
    ]  # fmt: skip
    assert not (tmp_path / "grids").exists()
    made = call(*axes)
    assert made.exit_code == 0, made.output
    (sheet,) = (tmp_path / "grids").glob("seed-prompt-sr-*.png")
    page = sheet.with_suffix(".html")
    assert made.output.splitlines() == ["6 pictures generated, 0 there already.", str(sheet), str(page)]
    assert Image.open(sheet).width > Image.open(sheet).height
    again = json.loads(call(*axes, "--json", "--format", "webp").stdout)
    assert (again["generated"], again["reused"], again["finished"], len(again["cells"])) == (0, 6, True, 6)
    assert again["axes"] == {"x": "seed", "y": "prompt_sr", "z": None}
    assert again["sheet"] == str(sheet.with_suffix(".webp"))
    assert {cell["file"] for cell in again["cells"]} == {str(path) for path in (tmp_path / "grids" / "cells").iterdir()}


def test_ctrl_c_keeps_what_is_done_and_the_same_command_continues(call, monkeypatch):
    def write(path, data, write=session.write_atomically):
        write(path, data)
        if len(list(path.parent.glob("*.png"))) == 2:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(session, "write_atomically", write)
    stopped = call("--x", "seed=1..5")
    assert stopped.exit_code == 130
    assert "Stopping after this picture." in stopped.stderr
    assert "2 pictures generated, 0 there already.\nStopped before the end." in stopped.stdout
    rest = call("--x", "seed=1..5")
    assert rest.exit_code == 0
    assert re.match("3 pictures generated, 2 there already.", rest.stdout)


def test_a_base_in_several_files_is_opened_as_it_is_for_sample(tmp_path):
    bare = write_single_file(toy_folder("sdxl"), tmp_path / "bare.safetensors", drop=["first_stage_model."])
    app = typer.Typer()
    app.command()(grid)
    options = ("--base", bare, "--vae", toy_folder("sdxl") / "vae", "--config", toy_folder("sdxl"), "--out", tmp_path, "--x", "seed=1,2")
    result = CliRunner().invoke(app, [str(each) for each in (*options, "--prompt", "a cat --s 1")])
    assert result.exit_code == 0, result.output
    assert "2 pictures generated" in result.stdout
