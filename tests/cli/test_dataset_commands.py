"""The verbs on datasets as a user types them."""

import json

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from lorasmith.cli import dataset as verbs
from lorasmith.cli.mend import mend
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene
from lorasmith.errors import InputError
from tests.curation.imports.test_imports import listing, png, write
from tests.photographs import TOO_SMALL, make_pile

app = typer.Typer()
app.command("import")(verbs.import_)
app.command("mend")(mend)
app.command("layout")(verbs.layout)
app.command("export")(verbs.export)


def run(*words, code=0):
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=code != 0)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def dataset(tmp_path):
    make_pile(tmp_path / "pile")
    run("import", tmp_path / "pile", "--into", tmp_path / "ds", "--check")
    return tmp_path / "ds"


def test_a_dry_run_of_a_layout_says_what_the_layout_then_does(tmp_path):
    for name, count, first in (("anna", 12, 0), ("bert", 3, 100), ("woman", 6, 200)):
        (tmp_path / name).mkdir()
        for i in range(count):
            draw_scene(random_scene(first + i), 64).save(tmp_path / name / f"{name}{i}.png")
        run("import", tmp_path / name, "--into", tmp_path / "ds", "--concept", name)
    (tmp_path / "ds" / "1_anna" / "broken.png").write_bytes(b"no picture")
    words = ["layout", tmp_path / "ds", "--rename", "anna=anna, red", "--regularisation", "woman", "--holdout", "0.2"]
    before = listing(tmp_path / "ds")
    planned = run(*words, "--dry-run").stdout.split("would move")
    assert listing(tmp_path / "ds") == before
    done = run(*words).stdout
    assert done.startswith(planned[0])
    assert f"{len(planned) - 1} moves made" in done
    assert "several concepts: a batch size of 1" in done
    assert "rights not confirmed: --rights WORDS" in done
    assert str(tmp_path / "ds" / "1_anna, red" / "broken.png") in done


def test_what_an_import_leaves_out_is_counted_by_kind_the_worst_first(tmp_path):
    orphans = {f"orphan{n:02}.txt": b"a hat" for n in range(40)}
    write(tmp_path / "pile", {"a.png": png(1), "broken.png": b"not a picture", "Thumbs.db": b"", **orphans})
    lines = run("import", tmp_path / "pile", "--into", tmp_path / "ds").stdout.splitlines()
    assert [line for line in lines if line.startswith("left out")] == [
        "left out, unreadable: 1", "left out, caption without picture: 40", "left out, system file: 1",
    ]  # fmt: skip
    assert sum("orphan" in line for line in lines) == 5
    assert "  and 35 more; --json lists them all" in lines


def test_from_a_pile_to_an_export(tmp_path, dataset):
    again = run("import", tmp_path / "pile", "--into", dataset, "--check")
    assert again.stdout.startswith(f"0 pictures added to {dataset}, 0 with a caption\n")
    assert "left out, already there: 12" in again.stdout
    assert "text.png is not a picture" in again.stdout
    before = listing(dataset)
    looked = run("mend", dataset, "--flatten", "--upscale", 320, "--dry-run", "--sheet", tmp_path / "look.png")
    assert "alpha.png: would be scaled to 481 x 320, flattened on white" in looked.stdout
    with Image.open(tmp_path / "look.png") as sheet:
        assert sheet.width > 300
    assert listing(dataset) == before
    run("mend", dataset, "--flatten", "--upscale", 320)
    assert "alpha.png: scaled to 481 x 320, flattened on white" in run("mend", dataset, "--list").stdout
    run("mend", dataset, "--undo")
    assert listing(dataset) == before
    run("mend", dataset, "--duplicates")
    laid = run("layout", dataset, "--concept", "pile of things", "--holdout", "0.2")
    assert "1_pile of things" in laid.stdout
    trains, aside = (
        len([path for path in listing(dataset) if path.startswith(start) and not path.endswith(".txt")]) for start in ("1_", "holdout/")
    )
    assert aside == round(0.2 * (trains + aside))
    assert f"held out for evaluation: {aside} of {trains + aside} pictures" in laid.stdout
    assert f"{trains} samples in an epoch" in laid.stdout
    done = run("export", dataset, tmp_path / "out.zip", "--for", "sd-scripts")
    assert "written to" in done.stdout
    assert run("import", tmp_path / "out.zip", "--into", dataset).stdout.startswith("0 pictures added")


def test_scripts_get_json(tmp_path, dataset):
    imported = json.loads(run("import", tmp_path / "pile", "--into", dataset, "--json").stdout)
    assert {left["code"] for left in imported["left_out"]} == {"imports.already_there", "imports.unreadable"}
    proposed = json.loads(run("mend", dataset, "--max", 100, "--dry-run", "--only", "coffee.webp", "--json").stdout)
    assert proposed["dataset"] == str(dataset)
    assert proposed["proposals"][0]["steps"] == [{"do": "resize", "size": [100, 67]}]
    assert json.loads(run("mend", dataset, "--max", 100, "--only", "coffee.webp", "--json").stdout)["mended"][0]["after"] == [
        str(dataset / "coffee.png")
    ]
    assert json.loads(run("mend", dataset, "--list", "--json").stdout)["recipes"][0]["original"]["path"] == "coffee.webp"
    laid = json.loads(run("layout", dataset, "--concept", "x", "--json").stdout)
    assert laid["concepts"][0]["share"]["passes"] == 10
    assert json.loads(run("export", dataset, tmp_path / "out", "--json").stdout)["pictures"] == laid["concepts"][0]["share"][
        "pictures"
    ] - len(TOO_SMALL)


def test_one_step_is_taken_back_and_lost_results_are_made_again(dataset):
    run("mend", dataset, "--only", "chelsea.jpg", "--rotate", 90)
    run("mend", dataset, "--only", "chelsea.png", "--crop", "0,0,50,40")
    assert "chelsea.png: undone: cropped" in run("mend", dataset, "--undo", "--last").stdout
    (dataset / "chelsea.png").unlink()
    assert "1 picture changed" in run("mend", dataset, "--replay").stdout
    with Image.open(dataset / "chelsea.png") as image:
        assert image.size == (300, 451)
    assert "now in the bin" in run("mend", dataset, "--remove", "--only", "rocket.jpeg").stdout
    assert not (dataset / "rocket.txt").exists()
    run("mend", dataset, "--undo", "--only", "rocket*")
    assert (dataset / "rocket.txt").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mend", "DS"], "say what to mend"),
        (["mend", "DS", "--bars", "--undo"], "one thing at a time"),
        (["mend", "DS", "--flip", "horizontal"], "--only"),
        (["mend", "DS", "--rotate", "45", "--only", "*"], "90, 180 or 270"),
        (["mend", "DS", "--crop", "1,2,3", "--only", "*"], "left,top,right,bottom"),
        (["mend", "DS", "--flatten", "--background", "blurple"], "must be a colour"),
        (["mend", "DS", "--bars", "--background", "red"], "no effect without --flatten"),
        (["mend", "DS", "--bars", "--upscaler", "x.pth"], "no effect without --upscale"),
        (["mend", "DS", "--bars", "--only", "nobody*"], "no pictures that fit"),
        (["mend", "DS/no", "--bars"], "is not a folder"),
        (["layout", "DS"], "--concept NAME"),
        (["layout", "DS", "--concept", "x", "--repeats", "x=0"], "from 1 to 999"),
        (["layout", "DS", "--concept", "x", "--rename", "y"], "= between them"),
        (["layout", "DS/no"], "is not a folder"),
        (["export", "DS/no", "DS.zip"], "is not a folder"),
        (["import", "DS/no", "--into", "DS"], "does not exist"),
        (["import", "DS", "--into", "DS"], "dataset itself"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, words, said):
    root = write(tmp_path / "ds", {"a.png": png(1), "b.png": png(2)})
    before = listing(root)
    with pytest.raises(InputError) as error:
        run(*(word.replace("DS", str(root)) for word in words), code=2)
    assert said in str(error.value)
    assert listing(root) == before


@pytest.mark.parametrize("verb", ["import", "mend", "layout", "export"])
def test_help_shows_examples_line_by_line(verb):
    examples = [line.strip() for line in run(verb, "--help").stdout.splitlines() if line.strip().startswith(f"lorasmith {verb} ")]
    assert len(examples) >= 3
