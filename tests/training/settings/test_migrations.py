"""A settings file of an earlier version reads as one of today."""

import tomllib
from pathlib import Path

import pytest

from lorasmith.errors import SettingsError
from lorasmith.training.settings.migrations import MIGRATIONS, RENAMED, VERSION, migrate
from lorasmith.training.settings.toml import load_settings, settings_toml
from lorasmith.training.settings.tree import setting_names, settings_from

VERSION_1 = Path(__file__).with_name("version_1.toml")  # written by the version 1 of Lorasmith


def test_a_file_of_version_1_keeps_every_value():
    before = tomllib.loads(VERSION_1.read_text(encoding="utf-8"))
    settings = load_settings(VERSION_1)
    assert (settings.version, settings.training.max_non_finite_steps, settings.validation.max_images) == (VERSION, 7, 8)
    moved = {name: after for names in RENAMED.values() for name, after in names.items()}
    after = settings.model_dump(mode="json")
    for section, values in before.items():
        for name, value in values.items() if isinstance(values, dict) else ():
            new_section, _, new_name = moved.get(f"{section}.{name}", f"{section}.{name}").partition(".")
            assert after[new_section][new_name] == value
    assert load_settings(VERSION_1) == settings_from(tomllib.loads(settings_toml(settings)))


def test_every_renamed_setting_exists_today_under_its_last_name():
    names = set(setting_names())
    later = {before for renamed in RENAMED.values() for before in renamed}
    for renamed in RENAMED.values():
        assert not renamed.keys() & names
        assert all(after in names or after in later for after in renamed.values())
    assert sorted(MIGRATIONS) == list(range(2, VERSION + 1))


def test_what_was_given_is_left_as_it_was():
    tree = {"version": 1, "training": {"max_spoilt_steps": 3}}
    assert migrate(tree)["training"] == {"max_non_finite_steps": 3}
    assert tree == {"version": 1, "training": {"max_spoilt_steps": 3}}


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"version": 9}, "version 9 is newer than this Lorasmith"),
        ({"version": "one"}, "version is 'one'"),
        (
            {"version": 1, "training": {"max_spoilt_steps": 3, "max_non_finite_steps": 4}},
            "are the same setting. Remove training.max_spoilt_steps",
        ),
    ],
)
def test_a_file_that_cannot_be_migrated_says_why(tree, words):
    with pytest.raises(SettingsError, match=words) as raised:
        migrate(tree, "my.toml")
    assert str(raised.value).startswith("my.toml")
