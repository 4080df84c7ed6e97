"""Grids on a run: only what changed is generated, a stopped one continues, and the sheet and the page have every cell."""

import re
import shutil

import pytest
from PIL import Image

import lorasmith as ls
from lorasmith.errors import SettingsError
from lorasmith.evaluation.grid import grid as grids
from lorasmith.evaluation.grid.plan import plan_grid
from lorasmith.evaluation.grid.record import read_record
from lorasmith.evaluation.sampling import loras
from lorasmith.models.prompts.parameters import read_png


@pytest.fixture
def run(grid_run, tmp_path):
    return shutil.copytree(grid_run, tmp_path / "run")


def test_checkpoints_by_weights_is_one_short_call(run):
    result = ls.grid(run, x="checkpoints", y="0.5..1.0:0.5")
    assert (result.generated, result.reused, result.finished) == (6, 0, True)
    assert result.sheet.parent == run / "grids"
    assert re.fullmatch(r"checkpoint-weight-[0-9a-f]{6}\.png", result.sheet.name)
    assert result.page == result.sheet.with_suffix(".html")
    files = {place: cell.file for place, cell in result.plan.cells.items()}
    assert len({Image.open(file).tobytes() for file in files.values()}) == 6
    said = read_png(files[2, 0, 0])
    assert said.request.prompt == "zorvex, red hat <lora:toy:0.5>"
    (alone,) = ls.sample(
        read_settings(run).base.path, "zorvex, red hat", lora=[(run / "checkpoints" / "toy.safetensors", 0.5)], steps=2, cfg_scale=2.0, device="cpu"
    )  # fmt: skip
    assert Image.open(files[2, 0, 0]).tobytes() == alone.tobytes(), "as lorasmith sample generates it"


def read_settings(run):
    return ls.load_settings(run / "settings.toml")


def test_only_changed_cells_are_generated_again(run, lora_of):
    first = ls.grid(run, x="checkpoints", y="weight=0.5,1")
    again = ls.grid(run, x="checkpoints", y="weight=0.5,1,0.75")
    assert (again.generated, again.reused) == (3, 6)
    assert ls.grid(run, x="checkpoints", y="weight=0.5,1").generated == 0
    lora_of(run / "checkpoints" / "toy-000001.safetensors")
    changed = ls.grid(run, x="checkpoints", y="weight=0.5,1")
    assert (changed.generated, changed.reused) == (2, 4)
    assert ls.grid(run, x="checkpoints", y="weight=0.5,1", steps=3).generated == 6
    assert first.plan.cells[1, 0, 0].file == changed.plan.cells[1, 0, 0].file


def test_another_grid_with_the_same_axes_replaces_no_sheet_and_the_same_grid_its_own(run):
    first = ls.grid(run, x="checkpoints")
    other = ls.grid(run, x="checkpoints", prompt="zorvex, blue hat")
    assert first.sheet != other.sheet
    assert first.sheet.is_file()
    assert ls.grid(run, x="checkpoints").sheet == first.sheet
    assert ls.grid(run, x="checkpoints", name="mine").sheet == run / "grids" / "mine.png"


@pytest.fixture
def lora_of():
    """Makes a LoRA file another one of the same shapes."""

    def change(path):
        file = ls.read_lora(path)
        from lorasmith.adapters.files.lora_file import save_lora

        tensors = {key: tensor * 2 if "lora_up" in key else tensor for key, tensor in file.tensors.items()}
        save_lora(path, tensors, file.metadata, next(iter(tensors.values())).dtype)

    return change


def test_a_grid_that_was_stopped_goes_on_where_it_was(run):
    calls = []
    stopped = ls.grid(
        run, x="checkpoints", y="seed=1..4", progress=lambda done, total: calls.append((done, total)), cancelled=lambda: len(calls) > 5
    )
    assert not stopped.finished
    assert (stopped.sheet, stopped.generated) == (None, 5)
    assert calls[:2] == [(0, 12), (1, 12)]
    rest = ls.grid(run, x="checkpoints", y="seed=1..4")
    assert (rest.generated, rest.reused, rest.finished) == (7, 5, True)


def test_bases_are_opened_once_and_files_read_once(run, monkeypatch):
    opened, read = [], []
    monkeypatch.setattr(grids, "open_session", lambda base, *others, open=grids.open_session: (opened.append(base), open(base, *others))[1])
    monkeypatch.setattr(loras, "load_tensors", lambda path, load=loras.load_tensors: (read.append(path.name), load(path))[1])
    ls.grid(run, x="checkpoints", y="weight=0.25,0.5,1", z="seed=1,2")
    assert (len(opened), len(read), len(set(read))) == (1, 3, 3)


def test_a_grid_of_bases_and_prompts_without_a_run(run, toy_base, tmp_path):
    other = shutil.copytree(toy_base, tmp_path / "other")
    with pytest.raises(SettingsError, match="The axis base changes nothing here"):
        plan_grid(base=toy_base, x=("base", [toy_base, other]), prompt="red cat")
    scheduler = other / "scheduler" / "scheduler_config.json"
    scheduler.write_text(scheduler.read_text().replace('"epsilon"', '"v_prediction"'))
    result = ls.grid(
        base=toy_base, x=("base", [toy_base, other]), y="sr: red, blue", z="prompt: red cat, a red dog", lora_folder=run / "checkpoints",
        steps=1, out=tmp_path / "out", format="webp", name="mine",
    )  # fmt: skip
    assert (len(result.plan.cells), result.generated, result.sheet) == (8, 8, tmp_path / "out" / "mine.webp")
    assert Image.open(result.sheet).format == "WEBP"


def test_what_would_be_generated_is_known_without_a_weight(run, monkeypatch):
    monkeypatch.setattr(grids, "open_session", lambda *given: pytest.fail("a base was opened"))
    plan = plan_grid(run, x="epochs=base,1", y="0.5,1")
    assert [(cell["x"], cell["y"], cell["there"]) for cell in plan.as_data["cells"]] == [
        ("base", "weight 0.5", False), ("epoch 1", "weight 0.5", False), ("base", "weight 1", False), ("epoch 1", "weight 1", False)
    ]  # fmt: skip
    assert len(plan.missing) == 3, "the base alone is the same at any weight"
    assert not (run / "grids").exists()


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({}, "grid.no_axis"),
        ({"x": "guidance=1,2"}, "grid.axis_without_effect"),
        ({"x": "sr: green, blue"}, "grid.not_in_prompt"),
        ({"x": "size=33x32"}, "sample.size_does_not_fit"),
        ({"x": "size=0x32,32x32"}, "sample.size_does_not_fit"),
        ({"x": "seed=1..101", "y": "weight=0..1:0.01"}, "grid.too_many_cells"),
        ({"x": "checkpoints", "prompt": "a <lora:tox:1>"}, "lora.not_in_folder"),
        ({"x": "checkpoints", "format": "gif"}, "grid.format"),
    ],
)
def test_what_cannot_be_a_grid_is_said(run, given, code):
    with pytest.raises(ls.LorasmithError) as caught:
        ls.grid(run, **given)
    assert caught.value.code == code


def test_a_weight_without_a_lora_is_refused(toy_base):
    with pytest.raises(SettingsError, match="No LoRA is given or called"):
        plan_grid(base=toy_base, prompt="a cat", x="weight=0.5,1")
    with pytest.raises(SettingsError, match="A grid needs a base"):
        plan_grid(x="seed=1,2")


def test_the_page_flips_between_all_cells(run):
    result = ls.grid(run, x="checkpoints", y="weight=0.5,1", z="seed=1,2")
    html = result.page.read_text()
    assert html.count('type="radio"') == 12
    assert len(re.findall(r'type="radio"[^>]* checked', html)) == 2, "one in each group"
    assert 'aria-label="epoch 2, weight 0.5, seed 1"' in html
    assert str(run) not in html
    assert "<script" not in html


def test_the_record_of_a_grid_has_the_labels_and_the_file_of_each_cell(run):
    result = ls.grid(run, x="weight=0.5,1", z="seed=1,2", out=run / "mine", name="weights")
    assert result.record == run / "mine" / "weights.json"
    record = read_record(result.record)
    assert (record.columns, record.rows, record.blocks) == (("weight 0.5", "weight 1"), ("",), ("seed 1", "seed 2"))
    assert [[result.record.parent / file for file in row] for (row,) in record.cells] == [
        [result.plan.cells[column, 0, block].file for column in range(2)] for block in range(2)
    ]
