"""The notebooks are what their scripts say, and run from top to bottom on the demo's base."""

import re
import shutil
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

from lorasmith.demo.datasets import write_dataset
from lorasmith.demo.weights import BASE, TAGGER

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
NAMES = ("dataset", "train")


def with_values(notebook, **values):
    """The notebook with its form filled in."""
    (form,) = (cell for cell in notebook.cells if "# @title The form" in cell.source)
    for name, value in values.items():
        form.source, found = re.subn(
            rf"^{name} = .+?(?=  # @param)", lambda _, n=name, v=value: f"{n} = {v!r}", form.source, flags=re.MULTILINE
        )
        assert found == 1, name
    return notebook


def run(name, folder, **values):
    """The cells' outputs as text, by cell."""
    notebook = with_values(nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4), **values)
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    return notebook, ["".join(str(output.get("text", output.get("data"))) for output in cell.get("outputs", [])) for cell in notebook.cells]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_what_its_script_says(name):
    made = jupytext.read(NOTEBOOKS / f"{name}.py")
    kept = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)

    assert [(cell.cell_type, cell.source) for cell in kept.cells] == [(cell.cell_type, cell.source) for cell in made.cells], (
        f"rebuild the notebook: jupytext --to ipynb notebooks/{name}.py"
    )
    nbformat.validate(kept)


@pytest.mark.slow
def test_the_notebooks_make_a_dataset_and_a_judged_lora_of_it(tmp_path):
    shutil.make_archive(str(tmp_path / "pile"), "zip", write_dataset(tmp_path, "character-zorvex-small"))

    _, made = run("dataset", tmp_path, pictures="pile.zip", resolution=64, tagger=str(TAGGER), hold_out=0.2)
    notebook, trained = run("train", tmp_path, base=str(BASE), num_repeats=1, how_many=2)

    assert "pictures are in Loras/zorvex/dataset" in "".join(made)
    assert "held out" in made[-1]
    pages = [out.data["text/html"] for cell in notebook.cells for out in cell.get("outputs", []) if "text/html" in out.get("data", {})]
    assert sum("srcdoc" in page for page in pages) == 3  # the plan, the verdict, the report
    assert "zorvex.safetensors" in "".join(trained)
    assert any('target="_blank"' in page for page in pages)
    assert (tmp_path / "Loras/zorvex/output/report.html").is_file()
