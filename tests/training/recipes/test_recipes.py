"""Recipes fit the number of pictures, stay within the guides' ranges, and give settings that contradict nothing."""

import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.errors import SettingsError
from lorasmith.guides import GUIDES
from lorasmith.models.families import FAMILIES
from lorasmith.training.recipes.recipe_file import own_recipe
from lorasmith.training.recipes.recipes import Kind, Level, recipe, settings_tree
from lorasmith.training.settings.checks import check_together
from lorasmith.training.settings.tree import settings_from

KINDS, LEVELS = get_args(Kind), get_args(Level)


def values(*what):
    return {choice.setting: choice.value for choice in recipe(*what)}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", LEVELS)
def test_every_recipe_gives_settings_without_a_contradiction(kind, family, level):
    tree = settings_tree(recipe(kind, family, level, 40))
    dataset = {"path": "pictures", **tree.pop("datasets")}
    captions = {**tree.pop("captions"), "trigger": "zorvex"}
    settings = settings_from({"base": {"path": "base"}, "datasets": [dataset], "captions": captions, **tree})
    assert check_together(settings) == []


@given(st.sampled_from(KINDS), st.sampled_from([*FAMILIES]), st.integers(1, 2000))
def test_the_length_stays_within_the_guides_ranges(kind, family, images):
    found = values(kind, family, "standard", images)
    showings = images * found["datasets.repeats"] * found["training.epochs"]
    least, most = {"character": (700, 3000), "style": (1500, 6000), "concept": (1250, 4000), "multi-concept": (1500, 6000)}[kind]
    if images * 10 <= most:  # beyond, one pass an epoch is the least there is
        assert 0.6 * least <= showings <= 1.5 * most
    assert found["training.epochs"] >= 1
    assert found["datasets.repeats"] >= 1


def test_more_pictures_are_repeated_less():
    repeats = [values("character", "sd1", "standard", n)["datasets.repeats"] for n in (8, 15, 30, 100)]
    assert repeats == sorted(repeats, reverse=True)
    assert repeats[0] > repeats[-1]


def test_what_the_guides_agree_on():
    style = values("style", "sdxl", "standard", 100)
    assert style["network.train_text_encoder"] is False
    assert style["buckets.resolution"] == 1024
    assert values("multi-concept", "sd1", "standard", 60)["training.batch_size"] == 1
    best = values("character", "sdxl", "competition", 30)
    assert (best["optimizer.type"], best["optimizer.learning_rate"], best["network.alpha"]) == ("Prodigy", 1.0, 1.0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", LEVELS)
def test_every_choice_has_a_reason_and_a_source(kind, level):
    for family in FAMILIES:
        for choice in recipe(kind, family, level, 50):
            assert len(choice.reason) > 3
            assert any(source in choice.source for source in ("measured", "sd-scripts", "ai-toolkit", "musubi-tuner", *GUIDES))
            assert not (isinstance(choice.value, float) and math.isnan(choice.value))


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (("charater", "sd1", "quick", 5), "did you mean 'character'"), (("style", "sdxxl", "quick", 5), "did you mean 'sdxl'"),
        (("style", "sdxl", "best", 5), "quick, standard, competition"), (("style", "sdxl", "quick", 0), "0 pictures"),
    ],
)  # fmt: skip
def test_an_unknown_recipe_is_named(what, words):
    with pytest.raises(SettingsError, match=words):
        recipe(*what)


def test_a_recipe_of_ones_own_changes_what_it_likes(tmp_path):
    file = tmp_path / "lines.toml"
    file.write_text(
        'begin_with = "style/sdxl/standard"\n[settings]\n"network.rank" = 24\n[settings.training]\nseed = 7\n'
        '[reasons]\n"network.rank" = "line art needs little"\n'
    )
    found = {choice.setting: choice for choice in own_recipe(file, 80)}
    assert (found["network.rank"].value, found["network.rank"].reason, found["network.rank"].source) == (
        24,
        "line art needs little",
        "lines.toml",
    )
    assert found["training.seed"].value == 7
    assert found["buckets.resolution"].value == 1024


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("begin_with = 3", "must begin with another"), ('begin_with = "style/sdxl/standard"\nextra = 1', "has 'extra'"),
        ('begin_with = "style/sdxl/standard"\n[settings]\n"network.rang" = 3', "did you mean 'network.rank'"),
        ('begin_with = "style/sdxl/standard"\n[reasons]\n"network.kind" = "x"', "gives a reason for 'network.kind'"), ("=", "is not valid TOML"),
    ],
)  # fmt: skip
def test_a_faulty_recipe_says_what_is_wrong(tmp_path, content, words):
    file = tmp_path / "mine.toml"
    file.write_text(content)
    with pytest.raises(SettingsError, match=words):
        own_recipe(file, 10)


# What is trained by default: timesteps, s of the sigmas at 1024 x 1024 (4,096 tokens of 2 x 2 latents), rate, rank; how it is drawn: steps, cfg.
USUAL = {
    "flux": ("flux_shift", 3.16, 1e-4, None, 25, 1.0),
    "chroma": ("sigmoid", None, 1e-4, 32, 30, 4.0),
    "klein": ("flux_shift", 3.16, 1e-4, 32, 50, 4.0),
    "zimage": ("flux_shift", 3.0, 1e-4, 32, 30, 4.0),
    "qwen_image": ("flux_shift", 2.0, 1e-4, 32, 50, 4.0),
    "anima": ("sigmoid", None, 1e-4, 16, 30, 4.5),
    "krea2": ("flux_shift", 2.48, 1e-4, 32, 28, 5.5),
    "lumina2": ("flux_shift", 6.0, 1e-4, None, 30, 4.0),
    "sd3": ("flux_shift", 3.0, 1e-4, None, 40, 4.5),
}


@pytest.mark.parametrize("family", [name for name, family in FAMILIES.items() if family.is_flow])
def test_a_flow_family_is_trained_and_drawn_as_its_users_do(family):
    sampling, factor, rate, rank, steps, cfg = USUAL[family]
    defaults = FAMILIES[family].defaults
    found = values("character", family, "standard", 30)
    assert (found["flow.timestep_sampling"], found["optimizer.unet_lr"]) == (sampling, rate)
    assert (defaults.steps, defaults.cfg_scale) == (steps, cfg)
    if factor is not None:
        assert math.exp(defaults.shift.mu(4096)) == pytest.approx(factor, abs=0.01)
    if rank is not None:
        assert (found["network.rank"], found["network.alpha"]) == (rank, rank)
        assert values("style", family, "quick", 30)["network.alpha"] == rank / 2 == values("style", family, "quick", 30)["network.rank"]
