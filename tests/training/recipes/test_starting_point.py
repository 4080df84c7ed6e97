"""Settings to start from, as `lorasmith new` writes them for a folder and a base."""

import shutil

import pytest
from PIL import Image

from lorasmith.training.recipes.starting_point import starting_point


@pytest.mark.parametrize("name", ["regularisation", "reg"])
def test_the_regularisation_pictures_of_a_dataset_are_taken_along(name, creatures, toy_base, tmp_path):
    dataset = tmp_path / "zorvex"
    shutil.copytree(creatures, dataset)
    (dataset / name / "1_woman").mkdir(parents=True)
    Image.new("RGB", (32, 32)).save(dataset / name / "1_woman" / "1.png")
    settings, notes = starting_point(dataset, toy_base, "zorvex", "zorvex")
    assert [(one.path, one.is_reg) for one in settings.datasets] == [(dataset, False), (dataset / name, True)]
    assert [note for note in notes if note.startswith("1 regularisation picture ")]


def test_a_dataset_without_regularisation_pictures_is_one_entry(creatures, toy_base):
    settings, _ = starting_point(creatures, toy_base, "zorvex", "zorvex")
    assert [one.is_reg for one in settings.datasets] == [False]
