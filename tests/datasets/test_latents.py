"""Latents: cached under their content, the same whatever was cached before, and made anew where each sample differs."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from lorasmith.datasets.augment import ColourChange
from lorasmith.datasets.buckets import Fit
from lorasmith.datasets.latent_request import LatentRequest
from lorasmith.datasets.latent_source import LatentSource
from lorasmith.datasets.latents import LatentCache, bucket_pixels, latent_key
from lorasmith.datasets.order import Sample
from lorasmith.datasets.settings import BucketSettings, DatasetSettings
from lorasmith.datasets.training_set import open_training_set
from lorasmith.errors import RunError
from lorasmith.library.catalogue.scan import scan

BUCKETS = BucketSettings(resolution=64, min_bucket_reso=32, max_bucket_reso=128, bucket_reso_steps=32)
PLAIN = LatentRequest(None, "ab" * 32, Fit((512, 448), (512, 461), (0, 6)))


def test_the_key_of_a_picture_as_it_is_stays_what_it_was():
    """So that caches of earlier versions stay valid."""
    assert latent_key(PLAIN, "cd" * 32, torch.float32) == "e3a8ade8cba5c8da23ecff77b13a29054f159b7d264c67f234c811c6fc7161ec"


def test_all_that_a_latent_depends_on_is_in_its_key():
    other = [
        LatentRequest(None, "ef" * 32, PLAIN.fit), LatentRequest(None, PLAIN.content, Fit((512, 448), (512, 461), (0, 5))),
        LatentRequest(None, PLAIN.content, PLAIN.fit, mirrored=True),
    ]  # fmt: skip
    keys = {latent_key(request, "cd" * 32, torch.float32) for request in (PLAIN, *other)}
    keys |= {latent_key(PLAIN, "ce" * 32, torch.float32), latent_key(PLAIN, "cd" * 32, torch.float16)}
    assert len(keys) == 6
    with pytest.raises(AssertionError):
        latent_key(LatentRequest(None, "", PLAIN.fit, colour=ColourChange(hue=3)), "", torch.float32)


@pytest.fixture(scope="module")
def vae(toy_base):
    from lorasmith.models.open import open_base

    return open_base(toy_base, torch.float32, "cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four square pictures of noise, and three wide ones that lose something on the left and the right."""
    root = tmp_path_factory.mktemp("noise")
    rng = np.random.default_rng(0)
    for i in range(7):
        Image.fromarray(rng.integers(0, 256, (64, 64 if i < 4 else 80, 3), dtype=np.uint8)).save(root / f"{i}.png")
    return root


def opened(folder, **settings):
    """(pictures, datasets) of a folder as one dataset."""
    datasets = [DatasetSettings(path=folder, **settings)]
    return open_training_set(datasets, BUCKETS).pictures, datasets


def source_of(data, encode, cache, in_memory=True, seed=5):
    return LatentSource(*data, encode, "vae", torch.float32, cache, seed, in_memory)


SQUARES, WIDES = [Sample(i, 0) for i in range(4)], [Sample(i, 0) for i in range(4, 7)]


def all_shown(source, epochs=3):
    return [source(samples, epoch) for epoch in range(1, epochs + 1) for samples in (SQUARES, WIDES)]


def same(a, b):
    return all(
        torch.equal(x.latents, y.latents) and x.sizes == y.sizes and (x.masks is None) == (y.masks is None)
        and (x.masks is None or torch.equal(x.masks, y.masks)) for x, y in zip(a, b, strict=True)
    )  # fmt: skip


@pytest.mark.parametrize("settings", [{}, {"flip_aug": True}, {"flip_aug": True, "color_aug": True, "random_crop": True}])
def test_latents_do_not_depend_on_what_was_cached_nor_on_how_they_are_read(vae, folder, tmp_path, settings):
    data = opened(folder, **settings)
    whole = source_of(data, vae.encode_pixels, tmp_path / "a")
    list(whole.prepare())
    expected = all_shown(whole)

    without = source_of(data, vae.encode_pixels, tmp_path / "b")  # nothing prepared
    assert same(expected, all_shown(without))
    other = source_of(opened(folder), vae.encode_pixels, tmp_path / "c")  # a few are there already
    other(SQUARES[1:3], 1)
    partly = source_of(data, vae.encode_pixels, tmp_path / "c", in_memory=False)
    list(partly.prepare())
    assert same(expected, all_shown(partly))
    for samples in (SQUARES, WIDES, SQUARES):
        partly.expect(samples, 2)
    assert same(expected[2:4], [partly(SQUARES, 2), partly(WIDES, 2)])
    assert not same(expected, all_shown(source_of(data, vae.encode_pixels, tmp_path / "a", seed=6))) or not settings


def counting(encode):
    """`encode`, and the list of how many pictures it was given at each call."""
    calls = []

    def counted(pixels):
        calls.append(len(pixels))
        return encode(pixels)

    return counted, calls


def test_nothing_is_encoded_twice_and_a_second_run_encodes_nothing(vae, folder, tmp_path):
    encode, calls = counting(vae.encode_pixels)
    data = opened(folder, flip_aug=True)
    source = source_of(data, encode, tmp_path)
    assert list(source.prepare()) == [(n, 14) for n in range(15)]
    assert calls == [1] * 14  # each picture, and mirrored
    assert not source.needs_encoder
    source.release_encoder()
    all_shown(source)
    again = source_of(data, encode, tmp_path, in_memory=False)
    assert list(again.prepare()) == [(14, 14)]
    all_shown(again)
    assert len(calls) == 14


def test_what_is_read_ahead_is_read_once_and_what_is_passed_over_is_let_go(vae, folder, tmp_path, monkeypatch):
    data = opened(folder, random_crop=True)
    source = source_of(data, vae.encode_pixels, tmp_path)
    expected = [source(WIDES, epoch) for epoch in range(1, 20)]
    from lorasmith.datasets import latent_source

    read = []
    monkeypatch.setattr(latent_source, "bucket_pixels", lambda request: read.append(request) or bucket_pixels(request))
    for epoch in range(1, 16):
        source.expect(WIDES, epoch)
    taken = [source(WIDES, epoch) for epoch in (1, 2, 3)]
    taken += [source(WIDES, epoch) for epoch in range(6, 11)]  # epochs 4 and 5 are passed over
    for epoch in range(11, 20):
        source.expect(WIDES, epoch)
        taken.append(source(WIDES, epoch))
    assert len(read) == 30 + 27  # of the first 45 asked for ahead no more than 32 wait
    assert same(expected[:3] + expected[5:], taken)


def test_only_samples_like_no_other_are_encoded_in_the_loop(vae, folder, tmp_path):
    encode, calls = counting(vae.encode_pixels)
    source = source_of(opened(folder, random_crop=True), encode, tmp_path)
    list(source.prepare())
    assert len(calls) == 4  # the squares fill their bucket: there is nothing to crop
    assert source.needs_encoder
    all_shown(source, epochs=4)
    assert len(calls) == 4 + 4 * 3

    encode, calls = counting(vae.encode_pixels)
    coloured = source_of(opened(folder, color_aug=True), encode, tmp_path / "c")
    list(coloured.prepare())
    assert len(calls) == 7
    all_shown(coloured, epochs=30)
    assert 0.2 < (len(calls) - 7) / (30 * 7) < 0.45


def test_sdxl_gets_where_this_sample_was_cropped(vae, folder, tmp_path):
    data = opened(folder, flip_aug=True, random_crop=True)
    source = source_of(data, vae.encode_pixels, tmp_path)
    crops, whole = set(), {}
    for epoch in range(1, 9):
        shown = source(WIDES, epoch)
        for sample, latent, (original, (left, top), target) in zip(WIDES, shown.latents, shown.sizes, strict=True):
            assert (original, target) == ((80, 64), (64, 64))
            item = data[0][sample.picture]
            crops.add((left, top))
            for mirrored in (False, True):
                request = LatentRequest(item.picture.path, "", Fit((80, 64), (80, 64), (0, 0)), mirrored)
                pixels = whole.setdefault((sample.picture, mirrored), bucket_pixels(request))
                if torch.equal(vae.encode_pixels(pixels[None, :, top : top + 64, left : left + 64])[0], latent):
                    break
            else:
                raise AssertionError("the latent is not that of the place that is told")
    assert len(crops) > 4
    assert {top for _, top in crops} == {0}


def test_processes_share_the_work_and_find_all_of_it(vae, folder, tmp_path):
    encode, calls = counting(vae.encode_pixels)
    sources = [source_of(opened(folder, flip_aug=True), encode, tmp_path) for _ in range(3)]
    for rank, source in enumerate(sources):
        done = list(source.prepare(rank, 3))[-1]
        assert done[0] == done[1] in (4, 5)
    assert len(calls) == 14
    for source in sources:
        source.release_encoder()
        all_shown(source)


def test_a_file_of_the_cache_is_judged_before_a_number_of_it_is_read(tmp_path):
    cache, latent = LatentCache(tmp_path), torch.ones(4, 2, 2)
    cache.put("ab12", latent)
    assert torch.equal(cache.get("ab12"), latent)
    file = tmp_path / "ab" / "ab12.safetensors"
    row = b'"latent":{"dtype":"F32","shape":[4],"data_offsets":[%d,%d]}'
    header = b"{" + row % (0, 16) + b"," + row % (16, 32) + b"}"
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(32))  # the format's library takes the second
    assert cache.get("ab12") is None
    assert cache.get("cd34") is None


def test_a_non_finite_latent_is_an_error_and_not_cached(folder, tmp_path):
    broken = source_of(opened(folder), lambda pixels: torch.full((1, 4, 16, 16), torch.nan), tmp_path)
    with pytest.raises(RunError, match=r"a non-finite latent for .*0\.png"):
        list(broken.prepare())
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_damaged_file_of_the_cache_is_made_again(vae, folder, tmp_path):
    data = opened(folder)
    source = source_of(data, vae.encode_pixels, tmp_path)
    list(source.prepare())
    expected = all_shown(source)
    for damaged in sorted(tmp_path.rglob("*.safetensors"))[:2]:
        damaged.write_bytes(damaged.read_bytes()[: os.path.getsize(damaged) // 2])
    again = source_of(data, vae.encode_pixels, tmp_path)
    assert next(again.prepare()) == (5, 7)
    assert same(expected, all_shown(again))


def test_without_the_autoencoder_a_lost_latent_is_an_error(vae, folder, tmp_path):
    source = source_of(opened(folder), vae.encode_pixels, tmp_path, in_memory=False)
    list(source.prepare())
    source.release_encoder()
    for file in tmp_path.rglob("*.safetensors"):
        file.unlink()
    with pytest.raises(RunError, match="missing or damaged"):
        source(SQUARES, 1)


def test_masks_come_in_the_latents_cells_mirrored_with_their_picture(vae, folder, tmp_path):
    (tmp_path / "masks").mkdir()
    grey = np.zeros((64, 64), dtype=np.uint8)
    grey[:, :16] = 255
    Image.fromarray(grey).save(tmp_path / "masks" / "1.png")
    data = opened(folder, flip_aug=True, mask_path=tmp_path / "masks")
    plain = source_of(opened(folder, flip_aug=True), vae.encode_pixels, tmp_path / "cache")
    source = source_of(data, vae.encode_pixels, tmp_path / "cache")
    left = torch.zeros(16, 16)
    left[:, :4] = 1
    seen = []
    for epoch in range(1, 5):
        shown = source(SQUARES, epoch)
        assert shown.masks.shape == (4, 1, 16, 16)
        assert torch.equal(shown.masks[0], torch.ones(1, 16, 16))  # no mask: counts whole
        seen.append(torch.equal(shown.masks[1, 0], left.flip(-1)))
        assert seen[-1] or torch.equal(shown.masks[1, 0], left)
        assert torch.equal(shown.latents, plain(SQUARES, epoch).latents)  # a mask does not change the picture
    assert sum(seen) == 2
    assert source(WIDES, 1).masks is None
    assert plain(SQUARES, 1).masks is None


def test_a_cache_is_marked_as_one_so_that_nobody_takes_its_files_for_loras(tmp_path):
    LatentCache(tmp_path / "cache" / "latents").put("ab" * 32, torch.zeros(4, 2, 2))

    assert (tmp_path / "cache" / "latents" / "CACHEDIR.TAG").is_file()
    assert scan([tmp_path]).files == {}
