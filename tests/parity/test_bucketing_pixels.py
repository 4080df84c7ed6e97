"""Pictures on their way into their buckets, and what SDXL is told of it, beside the engine of reference."""

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from lorasmith.datasets.augment import crop_seen
from lorasmith.datasets.buckets import Fit, bucket_sizes, fit
from lorasmith.datasets.latent_request import LatentRequest
from lorasmith.datasets.latents import bucket_pixels
from lorasmith.datasets.settings import BucketSettings
from lorasmith.images.read import picture_size
from tests.reference import FOLDER, reference_cases

CASES = reference_cases("01_bucketing.json", "getitem_cases")
PIXELS = reference_cases("01_bucketing.json", "pixel_cases")
TURNED = (5, 6, 7, 8)
"""EXIF orientations that swap width and height."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.get('file_size')}-{case.get('exif_orientation')}-{case.get('flipped')}")
def test_sdxl_is_told_the_pictures_size_its_bucket_and_the_real_crop(case, tmp_path):
    """The crop is ours on purpose: theirs is that of a letter-box, on the other axis than what is cut off (docs/parity.md)."""
    exif = Image.Exif()
    if case["exif_orientation"]:
        exif[0x0112] = case["exif_orientation"]
    Image.new("L", tuple(case["file_size"])).save(tmp_path / "a.jpg", exif=exif)
    size = picture_size(tmp_path / "a.jpg")
    resolution = tuple(case["resolution"])
    settings = BucketSettings(
        resolution=resolution, min_bucket_reso=256, max_bucket_reso=2048, bucket_reso_steps=case["bucket_reso_steps"],
        bucket_no_upscale=case["no_upscale"],
    )  # fmt: skip
    found = fit(size, settings, [] if case["no_upscale"] else bucket_sizes(settings))
    crop = crop_seen(found, case["flipped"])

    # What is cut off of the resized picture, half on each side; of an odd pixel the larger part is on the right, mirrored on the left.
    cut = [resized - bucket for resized, bucket in zip(found.resized, found.bucket, strict=True)]
    assert crop == (-(-cut[0] // 2) if case["flipped"] else cut[0] // 2, cut[1] // 2)

    turn = (lambda pair: tuple(reversed(pair))) if case["exif_orientation"] in TURNED else tuple
    assert size == turn(case["image_size_seen"]), "they train pictures as they are stored, we as they are seen"
    if turn is tuple:
        assert found.bucket == tuple(case["bucket_reso"])
        assert found.resized == tuple(case["resized_size"])
        assert size[::-1] == tuple(case["original_size_hw"])
        assert found.bucket[::-1] == tuple(case["target_size_hw"])


@pytest.mark.parametrize("case", PIXELS, ids=lambda case: case["id"])
def test_pixels_agree_with_the_reference(case, tmp_path):
    """Ours are scaled with Lanczos always; theirs with an area mean where a picture shrinks, or as a setting says (docs/parity.md)."""
    tensors = load_file(FOLDER / "01_bucketing_pixels.safetensors")
    given, expected = tensors[f"{case['id']}.input_hwc_u8"], tensors[f"{case['id']}.output_hwc_u8"].astype(int)
    Image.fromarray(given).save(tmp_path / "a.png")
    (width, height), bucket = case["resized_size"], tuple(case["bucket_reso"])
    way = Fit(bucket, (width, height), ((width - bucket[0]) // 2, (height - bucket[1]) // 2))
    normalized = bucket_pixels(LatentRequest(tmp_path / "a.png", "", way))
    ours = np.rint((normalized.permute(1, 2, 0).numpy() + 1) * 127.5).astype(int)
    if "lanczos" in case["effective_interpolation"] or case["effective_interpolation"] == "none":
        assert np.abs(ours - expected).max() <= 1
        if (theirs := tensors.get(f"{case['id']}.normalized_chw")) is not None:
            assert np.abs(normalized.numpy() - theirs).max() <= 1.01 / 127.5
    else:
        left, top = way.crop
        lanczos = np.asarray(Image.fromarray(given).resize((width, height), Image.Resampling.LANCZOS)).astype(int)
        assert (ours == lanczos[top : top + bucket[1], left : left + bucket[0]]).all()
        assert abs(ours.mean() - expected.mean()) < 5, "another filter, but the same part of the picture"
        assert np.corrcoef(ours.ravel(), expected.ravel())[0, 1] > 0.7
