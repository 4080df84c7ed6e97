"""The client of scripts: the guide's example as it is printed, against a real studio that trains for real."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lorasmith.client import ApiError, Client
from lorasmith.demo.datasets import write_dataset
from lorasmith.demo.weights import BASE

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "api.md"


def test_the_guides_example_takes_pictures_to_a_lora(running, workspace, tmp_path):
    pictures = write_dataset(tmp_path, "character-zorvex-small")
    for picture in sorted(pictures.glob("*.png"))[4:]:
        picture.unlink()
        picture.with_suffix(".txt").unlink()
    example = re.search(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)[1]
    assert len(example.strip().splitlines()) <= 20
    example = example.replace('["epochs"] = 1', '["epochs"] = 1; settings["samples"] = {}; settings["datasets"][0]["repeats"] = 1')
    result = subprocess.run(
        [sys.executable, "-c", example, running, str(pictures), str(BASE)], capture_output=True, text=True, timeout=900, check=False
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "4 pictures"
    assert (workspace / lines[-1]).is_file()
    studio = Client(running)
    (run,) = studio.get("runs")
    assert (run["id"], run["state"], run["step"]) == ("mimi~first", "finished", run["steps"])
    with pytest.raises(ApiError) as refused:
        studio.get("projects/gone")
    assert (refused.value.code, refused.value.values["project"]) == ("project.not_found", "gone")
    topic, hello = next(studio.events("run:mimi~first@0"))
    assert (topic, set(hello)) == ("hello", {"stream"})


def test_a_studio_that_is_not_there_is_a_sentence():
    with pytest.raises(ApiError) as refused:
        Client("http://127.0.0.1:9/?token=x").get("projects")
    assert "lorasmith studio" in str(refused.value)


def test_the_token_is_taken_from_the_address_and_never_shown():
    assert Client("http://127.0.0.1:9/?token=abc")._token == "abc"
    assert Client("http://127.0.0.1:9/", "abc")._token == "abc"
    assert "abc" not in repr(Client("http://127.0.0.1:9/?token=abc"))
