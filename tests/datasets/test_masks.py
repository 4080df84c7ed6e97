"""Parts of pictures that do not count: where masks come from, their way into the latent, and what is wrong with them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lorasmith.datasets import masks
from lorasmith.datasets.buckets import Fit
from lorasmith.datasets.latent_source import LatentSource
from lorasmith.datasets.masks import Mask, mask_cells, masks_content
from lorasmith.datasets.order import Sample
from lorasmith.datasets.settings import BucketSettings, DatasetSettings
from lorasmith.datasets.training_set import open_training_set
from lorasmith.errors import DatasetError, SettingsError
from lorasmith.images.read import read_opacity
from lorasmith.training.objective.masked import masked_mean
from lorasmith.training.settings.checks import check_together
from lorasmith.training.settings.tree import settings_from

BUCKETS = BucketSettings(resolution=64, min_bucket_reso=32, max_bucket_reso=128, bucket_reso_steps=32)
LEFT_HALF = np.repeat([[255, 0]], 64, 0).repeat(32, 1).astype(np.uint8)


def save_mask(path, grey):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(grey, dtype=np.uint8)).save(path)


@pytest.fixture
def pictures(tmp_path):
    """A folder with the pictures 0.png to 3.png."""
    (tmp_path / "pictures").mkdir()
    for i in range(4):
        Image.new("RGB", (64, 64), (60 * i, 0, 0)).save(tmp_path / "pictures" / f"{i}.png")
    return tmp_path / "pictures"


def open_masked(folder, masks):
    return open_training_set([DatasetSettings(path=folder, mask_path=masks)], BUCKETS)


def test_cells_count_as_their_pixels_do_on_average(tmp_path):
    grey = np.zeros((64, 64))
    grey[:, :32], grey[:8, 32:40], grey[:4, 40:48] = 255, 51, 255
    save_mask(tmp_path / "m.png", grey)
    cells = mask_cells([Mask(tmp_path / "m.png", "", False)], Fit((64, 64), (64, 64), (0, 0)), (8, 8))
    assert cells.shape == (1, 8, 8)
    assert cells.dtype == torch.float32
    expected = torch.zeros(8, 8)
    expected[:, :4], expected[0, 4], expected[0, 5] = 1, 0.2, 0.5
    assert torch.allclose(cells[0], expected)


def test_a_mask_is_resized_and_cropped_as_its_picture_is(tmp_path):
    grey = np.zeros((32, 80))  # half as large as its picture of 160 x 64
    grey[:, 40:] = 255
    save_mask(tmp_path / "m.png", grey)
    cells = mask_cells([Mask(tmp_path / "m.png", "", False)], Fit((64, 64), (160, 64), (64, 0)), (8, 8))[0]
    assert torch.allclose(cells[:, :1], torch.zeros(8, 1), atol=1e-3)
    assert cells[:, 3:].min() > 0.999  # the edge at 80 of 160 pixels is at 16 of the bucket's 64
    assert torch.allclose(cells.mean(), torch.tensor(0.75), atol=0.01)


def test_masks_are_found_by_name_and_each_fault_is_named(pictures, tmp_path):
    masks = tmp_path / "masks"
    save_mask(masks / "0.png", LEFT_HALF)
    save_mask(masks / "2.jpg", np.zeros((64, 64)))
    save_mask(masks / "3.png", np.full((20, 64), 255))
    save_mask(masks / "9.png", LEFT_HALF)
    found = open_masked(pictures, masks)
    assert {item.picture.path.stem: bool(item.masks) for item in found.pictures} == {"0": True, "1": False, "3": False}
    named = {(Path(one.subjects[0]).name, one.code): one.severity for one in found.findings if one.code.startswith("folder.mask")}
    assert named == {
        ("1.png", "folder.mask_missing"): "warning", ("2.png", "folder.mask_empty"): "error",
        ("3.png", "folder.mask_does_not_fit"): "warning", ("9.png", "folder.mask_without_picture"): "warning",
    }  # fmt: skip


def test_masks_of_folders_with_repeats_lie_alike_or_all_together(tmp_path):
    for folder, colour in (("2_anna", 10), ("1_bert", 90)):
        (tmp_path / "set" / folder).mkdir(parents=True)
        Image.new("RGB", (64, 64), (colour, 0, 0)).save(tmp_path / "set" / folder / "a.png")
    save_mask(tmp_path / "masks" / "2_anna" / "a.png", LEFT_HALF)
    save_mask(tmp_path / "masks" / "a.png", 255 - LEFT_HALF)
    found = {item.picture.folder: item.masks[0].path for item in open_masked(tmp_path / "set", tmp_path / "masks").pictures}
    assert found == {"2_anna": tmp_path / "masks" / "2_anna" / "a.png", "1_bert": tmp_path / "masks" / "a.png"}


def test_white_paint_on_a_clear_ground_is_a_mask(pictures, tmp_path):
    for i in range(4):
        painted = np.zeros((64, 64, 4), dtype=np.uint8)
        painted[:, :32] = 255
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.fromarray(painted, "RGBA").save(tmp_path / "masks" / f"{i}.png")
    item = open_masked(pictures, tmp_path / "masks").pictures[0]
    assert mask_cells(item.masks, item.fit, (2, 1)).tolist() == [[[1.0, 0.0]]]


def test_transparency_is_a_mask(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    rgba = np.full((64, 64, 4), 200, dtype=np.uint8)
    rgba[..., 3] = LEFT_HALF
    Image.fromarray(rgba, "RGBA").save(folder / "cut.png")
    rgba[..., 3] = 0
    Image.fromarray(rgba, "RGBA").save(folder / "gone.png")
    Image.new("RGB", (64, 64), "red").save(folder / "whole.jpg")
    found = open_training_set([DatasetSettings(path=folder, alpha_mask=True)], BUCKETS)
    cut, whole = found.pictures
    assert mask_cells(cut.masks, cut.fit, (2, 1)).tolist() == [[[1.0, 0.0]]]
    assert whole.masks == ()
    named = {(Path(one.subjects[0]).name, one.code) for one in found.findings if one.code.startswith("folder.mask")}
    assert named == {("gone.png", "folder.mask_empty"), ("whole.jpg", "folder.mask_missing")}


def test_opacity_is_upright_as_its_picture_is(tmp_path):
    rgba = np.full((32, 64, 4), 200, dtype=np.uint8)
    rgba[..., 3] = LEFT_HALF[:32]
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise: what lies left comes to the top
    Image.fromarray(rgba, "RGBA").save(tmp_path / "a.png", exif=exif)
    opacity = np.asarray(read_opacity(tmp_path / "a.png"))
    assert opacity.shape == (64, 32)
    assert (opacity[:32] == 255).all()
    assert (opacity[32:] == 0).all()


def test_a_set_of_which_nothing_counts_is_refused(pictures, tmp_path):
    for i in range(4):
        save_mask(tmp_path / "masks" / f"{i}.png", np.zeros((64, 64)))
    with pytest.raises(DatasetError, match="No picture in .* has a mask in which anything counts"):
        open_masked(pictures, tmp_path / "masks")
    with pytest.raises(DatasetError, match="does not exist"):
        open_masked(pictures, tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        ({"alpha_mask": True, "mask_path": "m"}, "alpha_mask and datasets.0.mask_path"),
        ({"alpha_mask": True, "random_crop": True}, "random_crop may cut away all that datasets.0.alpha_mask"),
        ({"mask_path": "m", "random_crop": True}, "random_crop may cut away all that datasets.0.mask_path"),
    ],
)
def test_contradictions_are_refused(dataset, words):
    tree = {"base": {"path": "b"}, "datasets": [{"path": "d", **dataset}], "training": {"epochs": 1}}
    with pytest.raises(SettingsError, match=words):
        check_together(settings_from(tree))


@pytest.mark.parametrize("alpha", [False, True])
def test_masks_that_were_decoded_once_are_not_decoded_again(pictures, tmp_path, monkeypatch, alpha):
    folder = pictures
    if alpha:
        folder = tmp_path / "cut out"
        folder.mkdir()
        for number, opaque in enumerate((255, 128, 0)):
            Image.new("RGBA", (64, 64), (60 * number, 0, 0, opaque)).save(folder / f"{number}.png")
    else:
        for number, grey in enumerate((255, 128, 0)):
            save_mask(tmp_path / "masks" / f"{number}.png", np.full((64, 64), grey))
    dataset = DatasetSettings(path=folder, alpha_mask=True) if alpha else DatasetSettings(path=folder, mask_path=tmp_path / "masks")
    decoded = []
    for name in ("read_picture", "read_opacity"):
        real = getattr(masks, name)
        monkeypatch.setattr(masks, name, lambda path, real=real, **more: decoded.append(path.name) or real(path, **more))
    first = open_training_set([dataset], BUCKETS, cache=tmp_path / "cache")
    assert sorted(decoded) == ["0.png", "1.png", "2.png"]
    assert open_training_set([dataset], BUCKETS, cache=tmp_path / "cache") == first
    assert len(decoded) == 3
    assert first == open_training_set([dataset], BUCKETS)


# Masks beside their pictures


def test_a_mask_beside_its_picture_counts_unless_it_is_to_be_ignored(pictures):
    save_mask(pictures / "1-masklabel.png", LEFT_HALF)
    found = open_training_set([DatasetSettings(path=pictures)], BUCKETS)
    masked = {item.picture.path.name: item for item in found.pictures if item.masks}
    assert list(masked) == ["1.png"]
    assert mask_cells(masked["1.png"].masks, masked["1.png"].fit, (2, 1)).tolist() == [[[1.0, 0.0]]]
    assert found.masked_pictures == 1
    assert [one.code for one in found.findings if "mask" in one.code] == []
    ignored = open_training_set([DatasetSettings(path=pictures, masked_loss=False)], BUCKETS)
    assert ignored.masked_pictures == 0


def test_a_mask_beside_that_fits_no_picture_is_named(pictures):
    save_mask(pictures / "0-masklabel.png", np.full((20, 64), 255))
    save_mask(pictures / "9-masklabel.png", LEFT_HALF)
    save_mask(pictures / "1-masklabel.jpg", LEFT_HALF)
    save_mask(pictures / "2-masklabel.png", np.zeros((64, 64)))
    found = open_training_set([DatasetSettings(path=pictures)], BUCKETS)
    named = {one.subjects[0]: (one.code, one.severity) for one in found.findings if "mask" in one.code}
    assert named == {
        "0-masklabel.png": ("folder.mask_does_not_fit", "warning"), "9-masklabel.png": ("folder.mask_without_picture", "warning"),
        "1-masklabel.jpg": ("folder.mask_without_picture", "warning"), "2.png": ("folder.mask_empty", "error"),
    }  # fmt: skip
    assert "0-masklabel.png is 64 x 20 and its picture 64 x 64" in next(one.message for one in found.findings if "does_not_fit" in one.code)


def test_what_one_of_two_masks_leaves_out_does_not_count(pictures, tmp_path):
    top_half = LEFT_HALF.T
    for number in range(4):
        save_mask(tmp_path / "masks" / f"{number}.png", LEFT_HALF)
    save_mask(pictures / "0-masklabel.png", top_half)
    save_mask(pictures / "1-masklabel.png", 255 - LEFT_HALF)
    found = open_masked(pictures, tmp_path / "masks")
    assert [item.picture.path.name for item in found.pictures] == ["0.png", "2.png", "3.png"]  # of 1.png nothing is left
    assert mask_cells(found.pictures[0].masks, found.pictures[0].fit, (2, 2)).tolist() == [[[1.0, 0.0], [0.0, 0.0]]]
    assert len(masks_content(found.pictures[0].masks).split()) == 2


@pytest.mark.parametrize("flip", [False, True])
def test_a_mask_takes_the_way_of_a_picture_that_it_is_drawn_into(tmp_path, flip):
    """The picture is its own mask: whatever happens to one on its way into the batch happens to the other."""
    drawn = np.zeros((96, 208), np.uint8)
    drawn[20:70, 40:150] = 255
    (tmp_path / "set").mkdir()
    Image.fromarray(drawn).convert("RGB").save(tmp_path / "set" / "a.png")
    save_mask(tmp_path / "set" / "a-masklabel.png", drawn)
    dataset = DatasetSettings(path=tmp_path / "set", flip_aug=flip, random_crop=True, repeats=4)
    found = open_training_set([dataset], BUCKETS)
    source = LatentSource(found.pictures, [dataset], lambda pixels: pixels[:, :1], "pixels", torch.float32, tmp_path / "latents", seed=7)
    batch = source([Sample(0, repeat) for repeat in range(4)], epoch=1)
    seen = (batch.latents + 1) / 2
    assert len({tuple(seen[index].flatten().tolist()) for index in range(4)}) > 1  # the samples are cropped, or mirrored, differently
    assert batch.masks.shape == seen.shape
    inside = (seen < 0.02) | (seen > 0.98)  # at the edges pictures are resized by another filter than masks
    assert torch.equal(seen[inside].round(), batch.masks[inside].round())


def test_the_gradient_of_a_masked_region_is_exactly_zero(pictures):
    save_mask(pictures / "0-masklabel.png", LEFT_HALF)
    item = open_training_set([DatasetSettings(path=pictures)], BUCKETS).pictures[0]
    cells = mask_cells(item.masks, item.fit, (8, 8))[None]
    for normalize in (False, True):
        predicted = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
        (gradient,) = torch.autograd.grad(masked_mean(predicted.square(), cells, normalize_area=normalize).sum(), predicted)
        assert torch.equal(gradient[..., 4:], torch.zeros(1, 4, 8, 4))
        assert (gradient[..., :4] != 0).all()
