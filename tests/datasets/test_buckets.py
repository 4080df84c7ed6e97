"""Buckets: the same as the engine of reference, and every picture fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.datasets.buckets import bucket_sizes, fit
from lorasmith.datasets.settings import BucketSettings, DatasetSettings
from lorasmith.datasets.training_set import open_training_set
from lorasmith.errors import SettingsError
from tests.reference import reference_json


def _settings(config: dict) -> BucketSettings:
    return BucketSettings(
        resolution=tuple(config["resolution"]),
        min_bucket_reso=config["min_bucket_reso"] or 256,
        max_bucket_reso=config["max_bucket_reso"] or 1024,
        bucket_reso_steps=config["bucket_reso_steps"],
        bucket_no_upscale=config["no_upscale"],
        enable_bucket=config["enable_bucket"],
    )


def test_bucket_lists_agree_with_the_reference():
    checked = 0
    for config in reference_json("01_bucketing.json")["configs"]:
        if config.get("predefined_resos") and config["enable_bucket"]:
            assert bucket_sizes(_settings(config)) == [tuple(r) for r in config["predefined_resos"]], config
            checked += 1
    assert checked > 8


def test_every_picture_falls_into_the_reference_bucket_with_the_reference_crop():
    data = reference_json("01_bucketing.json")
    configs = {c["config_id"]: c for c in data["configs"]}
    checked = 0
    for case in data["cases"]:
        config = configs[case["config_id"]]
        if config.get("error") or case.get("error") or case.get("degenerate_bucket"):
            continue
        settings = _settings(config)
        sizes = [] if config["no_upscale"] and config["enable_bucket"] else bucket_sizes(settings)
        found = fit(tuple(case["image_size"]), settings, sizes)
        assert found.bucket == tuple(case["bucket_reso"]), (config, case)
        assert found.resized == tuple(case["resized_size"]), (config, case)
        assert found.crop == tuple(case["crop_left_top_in_resized"]), (config, case)
        checked += 1
    assert checked > 300


@given(
    width=st.integers(8, 5000), height=st.integers(8, 5000), resolution=st.sampled_from([64, 256, 512, 768, 1024]),
    step=st.sampled_from([8, 16, 32, 64]),
)  # fmt: skip
def test_a_bucket_is_always_inside_the_resized_picture(width, height, resolution, step):
    settings = BucketSettings(resolution=resolution, min_bucket_reso=step, max_bucket_reso=2 * resolution, bucket_reso_steps=step)
    found = fit((width, height), settings, bucket_sizes(settings))
    assert found.bucket[0] % step == 0
    assert found.bucket[1] % step == 0
    assert found.bucket[0] * found.bucket[1] <= resolution**2
    assert 0 <= found.crop[0] <= found.resized[0] - found.bucket[0]
    assert 0 <= found.crop[1] <= found.resized[1] - found.bucket[1]
    assert 0 <= found.lost < 1


def test_a_picture_smaller_than_a_step_is_refused_without_upscaling():
    settings = BucketSettings(bucket_no_upscale=True)
    with pytest.raises(SettingsError, match="bucket_no_upscale"):
        fit((40, 300), settings, [])


def test_the_picture_that_is_too_small_to_train_on_without_upscaling_is_named(creatures):
    with pytest.raises(SettingsError, match=r"0\.png is 64 x 64 pixels, smaller than one bucket step \(96 pixels\)"):
        open_training_set([DatasetSettings(path=creatures)], BucketSettings(bucket_no_upscale=True, bucket_reso_steps=96))
