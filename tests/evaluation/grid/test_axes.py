"""What a grid can vary, in our words and in A1111's."""

from pathlib import Path

import pytest

from lorasmith.errors import SettingsError
from lorasmith.evaluation.grid.axes import AXES, Axis, Value, cell_of, read_axis
from lorasmith.evaluation.grid.subject import Cell, Subject, checkpoints_of, subject_of
from lorasmith.evaluation.sampling.loras import LoraUse
from lorasmith.models.prompts.request import PictureRequest
from lorasmith.training.records.run_folder import RunFolder

SUBJECT = Subject(Cell("base", PictureRequest("zorvex, red hat <lora:a:1>", "red sky")), "toy")


def values(said, subject=SUBJECT):
    along = read_axis(said, subject)
    return along.key, [value.label for value in along.values]


@pytest.mark.parametrize(
    ("said", "key", "labels"),
    [
        ("0.5..1.0:0.25", "weight", ["weight 0.5", "weight 0.75", "weight 1"]),
        ("weight=0.5, 1", "weight", ["weight 0.5", "weight 1"]),
        (("weight", [0.5, 1]), "weight", ["weight 0.5", "weight 1"]),
        ("Steps: 10-30 (+10)", "steps", ["steps 10", "steps 20", "steps 30"]),
        ("CFG Scale: 3-7 [3]", "cfg_scale", ["CFG 3", "CFG 5", "CFG 7"]),
        ("seed=1..3", "seed", ["seed 1", "seed 2", "seed 3"]),
        ("Sampler: Euler a, DPM++ 2M Karras, k_euler", "sampler", ["Euler a", "DPM++ 2M Karras", "Euler"]),
        ('Prompt S/R: red hat, "blue, torn hat"', "prompt_sr", ["red hat", "blue, torn hat"]),
        ("sr: <lora:a:1>, <lora:a:0.5>", "prompt_sr", ["<lora:a:1>", "<lora:a:0.5>"]),
        ("size=512x768,768x512", "size", ["512x768", "768x512"]),
        ("prompt=a cat --s 3, a dog", "prompt", ["a cat", "a dog"]),
        ("Checkpoint name: models/a.safetensors, b", "base", ["a.safetensors", "b"]),
        ("clip skip=1-2", "clip_skip", ["clip skip 1", "clip skip 2"]),
        ("seed=1,1,2", "seed", ["seed 1", "seed 2"]),
        ("base=a/m.safetensors, b/m.safetensors", "base", ["m.safetensors", "m.safetensors (2)"]),
        ("prompt=a cat, a cat --s 3", "prompt", ["a cat", "a cat (2)"]),
    ],
)
def test_axes_are_read(said, key, labels):
    assert values(said) == (key, labels)


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        ("sed=1..3", "grid.axis", "did you mean 'seed'"),
        ("seed", "grid.no_values", "Write seed=VALUES"),
        ("checkpoints", "grid.no_values", "The run has nothing for the axis checkpoint"),
        ("steps=0..3", "grid.value", "0 is too low"),
        ("size=big", "grid.value", "'big' is not a size"),
        ("sampler=euler_b", "sampler.unknown", "did you mean"),
        ("?", "grid.axis", "names no axis"),
        ("sr: , blue", "grid.value", "what is replaced, and it is empty"),
        ("sr: red\rblue", "grid.value", "is not a list with commas between its values"),
    ],
)
def test_what_is_wrong_with_an_axis_is_said(said, code, words):
    with pytest.raises(SettingsError, match=words) as caught:
        read_axis(said, SUBJECT)
    assert caught.value.code == code


def chosen(said, number, start):
    along = read_axis(said, SUBJECT)
    return cell_of(start, [(along.key, along.values[number])])


def test_each_axis_changes_its_part_of_a_cell():
    start = SUBJECT.start
    assert chosen("sr: red, blue", 1, start).request.prompt == "zorvex, blue hat <lora:a:1>"
    assert chosen("sr: red, blue", 1, start).request.negative_prompt == "blue sky"
    assert chosen("weight=0.5", 0, start).request.prompt == "zorvex, red hat <lora:a:0.5>"
    shouted = Cell("base", PictureRequest("zorvex <LoRA:a:1>"))
    assert chosen("weight=0.5", 0, shouted).request.prompt == "zorvex <lora:a:0.5>"
    given = Cell("base", start.request, (LoraUse(Path("a"), 1, 1), LoraUse(Path("b"), 0.2, 0.2)))
    assert chosen("weight=0.5", 0, given).loras == (LoraUse(Path("a"), 0.5, 0.5), LoraUse(Path("b"), 0.2, 0.2))
    assert chosen("cfg=4", 0, start).request.cfg_scale == 4
    assert (chosen("size=8x16", 0, start).request.width, chosen("base=b", 0, start).base) == (8, "b")
    with pytest.raises(SettingsError, match="has no 'green' to replace"):
        chosen("sr: green, blue", 1, start)


def test_a_prompt_is_chosen_before_words_in_it_are_replaced():
    replaced, prompt = read_axis("sr: cat, dog", SUBJECT), read_axis("prompt: a cat, two cats", SUBJECT)
    cell = cell_of(SUBJECT.start, [("prompt_sr", replaced.values[1]), ("prompt", prompt.values[1])])
    assert cell.request.prompt == "two dogs"


def test_checkpoints_of_a_run_are_named_by_their_epochs(grid_run):
    subject = subject_of(grid_run)
    assert [each.label for each in checkpoints_of(RunFolder(grid_run))] == ["epoch 1", "epoch 2", "epoch 3"]
    assert values("checkpoints", subject) == ("checkpoint", ["epoch 1", "epoch 2", "epoch 3"])
    assert values("epochs: base, 1-3 (+2)", subject) == ("checkpoint", ["base", "epoch 1", "epoch 3"])
    assert values("checkpoint=last, toy-000001", subject) == ("checkpoint", ["epoch 3", "epoch 1"])
    assert values("prompts", subject) == ("prompt", ["zorvex, red hat", "happy"])
    assert subject.start.request.prompt == "zorvex, red hat"
    with pytest.raises(SettingsError, match="There is no checkpoint 'epoch 9': did you mean|choose one of"):
        read_axis("epochs=9", subject)


def test_an_axis_of_ones_own_is_a_function_and_a_line(monkeypatch):
    def read(said, subject):
        return [Value(one, f"sky {one}") for one in said]

    def apply(cell, colour):
        return cell_of(cell, [("prompt_sr", Value(("red sky", f"{colour} sky"), ""))])

    monkeypatch.setitem(AXES, "sky", Axis("Sky", read, apply))
    along = read_axis("sky=green, grey", SUBJECT)
    assert [cell_of(SUBJECT.start, [("sky", value)]).request.negative_prompt for value in along.values] == ["green sky", "grey sky"]
