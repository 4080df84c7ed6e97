"""Options of a subset stay with their subset: its own setting where there is one, else a finding that names the folder."""

import pytest

from lorasmith.training.importers.import_settings import import_settings
from lorasmith.training.importers.sd_scripts_folders import LEFT_OUT

PAIR = """
[[datasets]]
resolution = 512
{dataset}
  [[datasets.subsets]]
  image_dir = 'anna'
  {anna}
  [[datasets.subsets]]
  image_dir = 'berta'
  {berta}
"""


def pair(tmp_path, anna="", berta="", dataset="", command=""):
    """Two folders, in a dataset configuration that a command names."""
    (tmp_path / "ds.toml").write_text(PAIR.format(anna=anna, berta=berta, dataset=dataset), encoding="utf-8")
    words = "accelerate launch train_network.py --pretrained_model_name_or_path b --dataset_config ds.toml --max_train_epochs 3 --learning_rate 1e-4 "
    (tmp_path / "train.sh").write_text(words + command, encoding="utf-8")
    return import_settings(tmp_path / "train.sh")


def own(found, name):
    return [getattr(folder, name) for folder in found.settings.datasets]


def whys(found, code="import.not_carried"):
    return {each.subjects[0]: each.why for each in found.of(code)}


@pytest.mark.parametrize(
    ("option", "value", "of_others"),
    [
        ("flip_aug", "true", False), ("color_aug", "true", False), ("random_crop", "true", False), ("alpha_mask", "true", False),
        ("caption_extension", "'.caption'", None), ("caption_dropout_rate", "0.25", None), ("caption_tag_dropout_rate", "0.25", None),
        ("keep_tokens", "2", None), ("shuffle_caption", "true", None), ("caption_prefix", "'p'", None), ("caption_suffix", "'s'", None),
        ("caption_separator", "';'", None), ("secondary_separator", "';;'", None), ("enable_wildcard", "true", None),
    ],
)  # fmt: skip
def test_an_option_of_one_folder_is_its_own_setting(tmp_path, option, value, of_others):
    found = pair(tmp_path, berta=f"{option} = {value}")
    assert found.fault == ""
    assert own(found, option)[0] == of_others
    assert own(found, option)[1] not in (of_others, False, None)
    captions = found.settings.captions
    assert option not in type(captions).model_fields or getattr(captions, option) == type(captions).model_fields[option].default


def test_a_folder_decides_before_the_command(tmp_path):
    found = pair(tmp_path, anna="flip_aug = false\nkeep_tokens = 0", command="--flip_aug --keep_tokens 2 --shuffle_caption")
    assert own(found, "flip_aug") == [False, True]
    assert (own(found, "keep_tokens"), found.settings.captions.keep_tokens) == ([0, None], 2)


def test_what_all_folders_have_alike_is_of_the_whole(tmp_path):
    found = pair(
        tmp_path,
        anna="keep_tokens = 2",
        berta="keep_tokens = 2",
        dataset="enable_bucket = true\nbucket_reso_steps = 32\nshuffle_caption = true",
    )
    assert (found.settings.captions.keep_tokens, own(found, "keep_tokens")) == (2, [None, None])
    assert (found.settings.buckets.enable_bucket, found.settings.buckets.bucket_reso_steps) == (True, 32)


@pytest.mark.parametrize(
    ("option", "value"),
    [("caption_dropout_every_n_epochs", "2"), ("token_warmup_step", "0.5"), ("token_warmup_min", "3"), ("face_crop_aug_range", "[1.0, 3.0]"), ("resize_interpolation", "'area'")],
)  # fmt: skip
def test_an_option_that_no_folder_can_have_here_names_its_folder_and_reaches_no_other(tmp_path, option, value):
    found = pair(tmp_path, anna=f"{option} = {value}")
    assert whys(found)[f"subset 1 (anna): {option}"]
    captions = found.settings.captions
    assert option not in type(captions).model_fields or getattr(captions, option) == type(captions).model_fields[option].default


def test_buckets_of_one_dataset_do_not_become_those_of_all(tmp_path):
    text = "[[datasets]]\nresolution = 512\nmax_bucket_reso = 2048\nenable_bucket = true\n[[datasets.subsets]]\nimage_dir = 'a'\n"
    text += "[[datasets]]\nresolution = 512\nenable_bucket = true\nskip_image_resolution = 256\n[[datasets.subsets]]\nimage_dir = 'b'\n"
    (tmp_path / "ds.toml").write_text(text, encoding="utf-8")
    found = import_settings(tmp_path / "ds.toml", base="base")
    assert found.settings.buckets.max_bucket_reso == 1024
    assert "buckets.max_bucket_reso holds for all folders" in whys(found)["subset 1 (a): max_bucket_reso"]
    assert "subset 2 (b): skip_image_resolution" in whys(found)


def test_a_value_that_says_what_leaving_it_out_means_is_no_difference(tmp_path):
    found = pair(tmp_path, anna="token_warmup_min = 1\ncaption_dropout_every_n_epochs = 0\nkeep_tokens = 0")
    assert not [name for name in whys(found) if "subset" in name]
    assert own(found, "keep_tokens") == [None, None]


@pytest.mark.parametrize("option", ["learning_rate", "network_dim", "keep_token"])
def test_what_is_no_option_of_a_folder_is_unknown_and_reaches_nothing(tmp_path, option):
    found = pair(tmp_path, anna=f"{option} = 3", berta=f"{option} = 3")
    assert list(whys(found, "import.unknown")) == [f"subset 1 (anna): {option}", f"subset 2 (berta): {option}"]
    assert (found.settings.network.rank, found.settings.optimizer.learning_rate) == (4, 1e-4)


def test_a_subset_of_metadata_alone_is_named_and_makes_no_folder(tmp_path):
    text = "[[datasets]]\nresolution = 512\n[[datasets.subsets]]\nmetadata_file = 'meta.json'\nflip_aug = true\n[[datasets.subsets]]\nimage_dir = 'b'\nmetadata_file = 'b.json'\n"
    (tmp_path / "ds.toml").write_text(text, encoding="utf-8")
    found = import_settings(tmp_path / "ds.toml", base="base")
    assert [(str(folder.path), folder.flip_aug) for folder in found.settings.datasets] == [("b", False)]
    assert {"subset 1: metadata_file", "subset 2 (b): metadata_file"} <= whys(found).keys()


def test_every_option_of_a_folder_is_its_own_setting_or_has_a_reason(tmp_path):
    for option in LEFT_OUT:
        found = pair(tmp_path, anna=f"{option} = 0.5")
        said = [each.theirs for each in found.carried] + [name for each in found.findings for name in each.subjects]
        assert any(name.endswith(f"): {option}") for name in said), option
        assert not found.of("import.unknown")
