"""The form of a notebook: its folders, its calculation, and the settings that it makes."""

from importlib import import_module
from pathlib import Path

import pytest

from lorasmith.errors import SettingsError
from lorasmith.notebook.form import SETTING, Form, calculate, settings_of
from lorasmith.notebook.shown import SHOWN
from lorasmith.training.settings.changes import setting_names


def test_both_habits_of_folders_are_known():
    by_project = Form("My zorvex", "base", root="drive")
    by_category = Form("My zorvex", "base", root="drive", structure="by category")

    assert (by_project.dataset, by_project.output) == (Path("drive/Loras/My_zorvex/dataset"), Path("drive/Loras/My_zorvex/output"))
    assert by_category.dataset == Path("drive/lora_training/datasets/My_zorvex")
    assert by_category.output == Path("drive/lora_training/output/My_zorvex")


def test_a_project_without_a_name_is_refused():
    with pytest.raises(SettingsError, match=r"fill in `project`"):
        _ = Form("", "base").dataset


@pytest.mark.parametrize(
    ("unit", "how_many", "steps_per_epoch", "epochs"),
    [("epochs", 10, 75, 10), ("steps", 750, 75, 10), ("steps", 1, 75, 1), ("steps", 800, 75, 11)],
)
def test_steps_and_epochs_follow_from_each_other(unit, how_many, steps_per_epoch, epochs):
    found = calculate(Form("zorvex", "base", unit=unit, how_many=how_many), pictures=15, repeats=10)

    assert (found.steps_per_epoch, found.epochs, found.steps) == (steps_per_epoch, epochs, steps_per_epoch * epochs)


def test_what_is_filled_in_is_set_and_the_rest_is_as_new_decides(toy_base, creatures, tmp_path):
    form = Form(
        "creatures",
        str(toy_base),
        root=str(tmp_path),
        trigger="zorvex",
        flip_aug=True,
        repeats=4,
        how_many=3,
        network="lokr",
        rank=4,
        alpha=2,
    )
    form.dataset.parent.mkdir(parents=True)
    form.dataset.symlink_to(creatures)

    settings, calculated = settings_of(form)

    assert (settings.network.kind, settings.network.rank, settings.network.alpha) == ("lokr", 4, 2)
    assert (settings.datasets[0].flip_aug, settings.datasets[0].repeats, settings.training.epochs) == (True, 4, 3)
    assert settings.captions.trigger == "zorvex"
    assert str(calculated) == "5 pictures x 4 repeats: 10 steps in an epoch, 3 epochs, 30 steps in all"


def test_every_name_of_the_form_is_a_setting():
    assert set(SETTING.values()) <= set(setting_names())


@pytest.mark.parametrize(("module", "name"), SHOWN)
def test_what_a_cell_shows_as_a_page_is_there(module, name):
    assert isinstance(getattr(import_module(module), name), type)
