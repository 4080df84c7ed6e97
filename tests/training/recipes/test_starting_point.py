"""Settings to start from, as `lorasmith new` writes them for a folder and a base."""

import shutil

import pytest
from PIL import Image

from lorasmith.datasets import folders
from lorasmith.demo.weights import BASE
from lorasmith.models.device import DEVICES
from lorasmith.models.families import FAMILIES
from lorasmith.models.open import describe
from lorasmith.models.widths import SOURCE, widths_of
from lorasmith.training.recipes.precision import fitted_to_machine
from lorasmith.training.recipes.recipe_file import own_recipe
from lorasmith.training.recipes.recipes import recipe
from lorasmith.training.recipes.sample_prompts import sample_prompts
from lorasmith.training.recipes.starting_point import starting_point
from tests.models import toys
from tests.models.test_detection import SD1, SDXL, header_file
from tests.models.test_device import with_flags
from tests.models.toys import toy_folder


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


def a_characters(base, images):
    return recipe("character", base.family, "standard", images, widths_of(base))


def test_pictures_are_read_once_also_with_a_recipe(creatures, toy_base, monkeypatch):
    headers = []
    monkeypatch.setattr(folders, "picture_size", lambda path: headers.append(path))
    starting_point(creatures, toy_base, "zorvex", "zorvex", a_characters)
    assert headers == []  # the pictures are decoded, which shows their sizes


@pytest.mark.parametrize("chosen", [None, a_characters], ids=["no recipe", "recipe"])
@pytest.mark.parametrize(("folder", "repeats"), [("1_zorvex", None), ("7_zorvex", None), ("zorvex", 10), ("2024_zorvex", 10)])
def test_the_number_in_a_folders_name_is_kept_also_where_it_is_one(creatures, toy_base, tmp_path, folder, repeats, chosen):
    shutil.copytree(creatures, tmp_path / "set" / folder)
    for dataset in (tmp_path / "set", tmp_path / "set" / folder):
        if repeats is not None and dataset.name == "set":
            continue  # pictures in plain folders are not read from above
        settings, _ = starting_point(dataset, toy_base, "zorvex", "zorvex", chosen)
        assert (settings.datasets[0].repeats is None) == (repeats is None)


def test_samples_are_made_from_the_captions_and_one_is_without_the_trigger(creatures, toy_base):
    settings, _ = starting_point(creatures, toy_base, "zorvex", "zorvex")
    first, second, third, uncalled = settings.samples.prompts
    caption = (creatures / "0.txt").read_text(encoding="utf-8")
    assert first == caption.replace("zorvex", "{trigger}")
    assert second.startswith("{trigger}, ")
    assert len({first, second, third}) == 3
    assert uncalled == caption.removeprefix("zorvex, ")


@pytest.mark.parametrize(
    ("captions", "trigger", "prompts"),
    [
        ([], None, []), ([None, ""], "zorvex", ["{trigger}"]), (["zorvex"], "zorvex", ["{trigger}"]),
        (["red, hat"] * 3, "zorvex", ["{trigger}, red, hat", "red, hat"]), (["a red hat\nsecond line"], None, ["a red hat"]),
        (["A photo of Zorvex in the rain."], "zorvex", ["A photo of {trigger} in the rain.", "A photo of in the rain."]),
        (["hat (red)", "a --b c"], None, [r"hat \(red\)", '--prompt "a --b c"']),
        ([f"zorvex, {n}" for n in "abcdef"], "zorvex", ["{trigger}, a", "{trigger}, c", "{trigger}, e", "a"]),
        (["zorvexian, hat", "zorvex, cap"], "zorvex", ["{trigger}, zorvexian, hat", "{trigger}, cap", "zorvexian, hat"]),
    ],
)  # fmt: skip
def test_prompts_of_captions(captions, trigger, prompts):
    assert sample_prompts(captions, trigger) == prompts


@pytest.mark.parametrize("family", toys.TOYS)
def test_base_inspect_and_new_agree_on_the_size(creatures, family):
    base = toys.toy_folder(family)
    description = describe(base)
    settings, _ = starting_point(creatures, base, "zorvex", "zorvex")
    size = settings.buckets.resolution
    assert f"native resolution {size} x {size} pixels, buckets in steps of {settings.buckets.bucket_reso_steps}" in description.notes


def test_pictures_without_captions_are_one_note_that_does_not_deny_the_trigger(toy_base, tmp_path):
    for number in range(53):
        Image.new("RGB", (32, 32), (number, 0, 0)).save(tmp_path / f"{number}.png")
    (tmp_path / "notes.md").write_text("mine")
    _, notes = starting_point(tmp_path, toy_base, "zorvex", "zorvex")
    (missing,) = [note for note in notes if "no caption" in note]
    assert missing.startswith("warning: 53 of 53 pictures have no caption: tag them")
    assert "trained without" not in missing
    assert [note for note in notes if "notes.md" in note]


@pytest.mark.parametrize("family", [name for name, family in FAMILIES.items() if family.is_flow])
def test_without_a_recipe_a_flow_family_is_trained_at_its_own_rate_and_timesteps(family, creatures):
    settings, _ = starting_point(creatures, toy_folder(family), "zorvex", "zorvex")
    defaults = FAMILIES[family].defaults
    assert settings.optimizer.unet_lr == widths_of(describe(toy_folder(family))).denoiser.rate(defaults.denoiser_lr)
    assert settings.flow.timestep_sampling == defaults.timestep_sampling
    assert not settings.network.train_text_encoder


@pytest.mark.parametrize(
    ("chosen", "of_full_size", "of_the_demo"),
    [(None, (3e-4, 5e-5), (2e-3, 3e-4)), (a_characters, (1.5e-4, 1.5e-5), (1e-3, 9e-5))], ids=["no recipe", "recipe"],
)  # fmt: skip
def test_rates_go_with_the_width_of_the_base(chosen, of_full_size, of_the_demo, creatures, tmp_path):
    for base, rates in ((header_file(tmp_path / "sd1.safetensors", SD1), of_full_size), (BASE, of_the_demo)):
        settings, notes = starting_point(creatures, base, "zorvex", "zorvex", chosen)
        assert (settings.optimizer.unet_lr, settings.optimizer.text_encoder_lr) == rates
        said = [note for note in notes if SOURCE in note]
        assert [note.partition(":")[0] for note in said] == (
            [] if base != BASE else [f"optimizer.unet_lr {rates[0]:g}", f"optimizer.text_encoder_lr {rates[1]:g}"]
        )
        assert all("times narrower than usual" in note for note in said)


def test_a_rate_that_a_recipe_of_ones_own_or_an_optimizer_sets_stays_as_it_is_on_a_narrow_base(creatures, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('begin_with = "character/sd1/standard"\n[settings]\n"optimizer.unet_lr" = 4e-4\n')
    mine, notes = starting_point(creatures, BASE, "zorvex", "zorvex", lambda base, images: own_recipe(file, images, widths_of(base)))
    assert (mine.optimizer.unet_lr, mine.optimizer.text_encoder_lr) == (4e-4, 9e-5)
    assert [note.split()[0] for note in notes if SOURCE in note] == ["optimizer.text_encoder_lr"]
    found, notes = starting_point(
        creatures, BASE, "zorvex", "zorvex", lambda base, images: recipe("character", "sd1", "competition", images, widths_of(base))
    )
    assert (found.optimizer.type, found.optimizer.learning_rate, found.optimizer.unet_lr) == ("Prodigy", 1.0, None)
    assert not [note for note in notes if SOURCE in note]


@pytest.mark.parametrize(("flags", "of_full_size"), [({"avx512f"}, "no"), ({"avx512f", "avx512_bf16"}, "bf16")])
def test_without_a_recipe_a_base_is_in_bf16_where_the_cpu_has_instructions_and_the_base_is_not_small(
    flags, of_full_size, creatures, tmp_path, monkeypatch
):
    monkeypatch.setitem(DEVICES, "cpu", with_flags(DEVICES["cpu"], flags))
    for base, precision in ((header_file(tmp_path / "sd1.safetensors", SD1), of_full_size), (BASE, "no")):
        settings, notes = starting_point(creatures, base, "zorvex", "zorvex")
        assert settings.training.mixed_precision == precision
        assert any("instructions" in note for note in notes) == (precision == "bf16")


@pytest.mark.parametrize(
    ("flags", "alone", "precisions"),
    [({"avx512f"}, True, ("no", "no", "bf16")), ({"avx512_bf16"}, True, ("bf16", "no", "bf16")), ({"avx512f"}, False, ("bf16", "bf16", "bf16"))],
)  # fmt: skip
def test_a_recipe_is_in_float32_where_there_is_no_gpu_and_bf16_costs_time_on_the_cpu(
    flags, alone, precisions, creatures, tmp_path, monkeypatch
):
    """Of a base at full size, the demo's narrow one, and one whose memory bf16 has to halve."""
    monkeypatch.setitem(DEVICES, "cpu", with_flags(DEVICES["cpu"], flags, alone))
    bases = (header_file(tmp_path / "sd1.safetensors", SD1), BASE, header_file(tmp_path / "sdxl.safetensors", SDXL))
    found = [fitted_to_machine(a_characters(describe(base), 5), describe(base)) for base in bases]
    chosen = [next(one for one in choices if one.setting == "training.mixed_precision") for choices in found]
    assert tuple(one.value for one in chosen) == precisions
    assert all(("no GPU" in one.reason) == (one.value == "no") for one in chosen)
    mine = tmp_path / "mine.toml"
    mine.write_text('begin_with = "character/sd1/standard"\n[settings]\n"training.mixed_precision" = "bf16"\n')
    settings, _ = starting_point(creatures, BASE, "zorvex", "zorvex", lambda base, images: own_recipe(mine, images, widths_of(base)))
    assert settings.training.mixed_precision == "bf16"
