"""Thumbnails show the picture as a viewer does, are kept by content, and decode no more of a JPEG than they need."""

import io

import pytest
from PIL import Image

from lorasmith.errors import DatasetError
from lorasmith.images.picture_cache import PictureCache
from lorasmith.images.read import content_hash, read_small, read_with_facts
from lorasmith.images.thumbnails import Thumbnails, content_of


@pytest.mark.parametrize(("size", "small"), [((1000, 500), (100, 50)), ((30, 600), (5, 100)), ((80, 20), (80, 20))])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_small_picture_keeps_its_shape_and_never_grows(tmp_path, size, small, suffix):
    Image.new("RGB", size, (200, 30, 30)).save(tmp_path / f"a.{suffix}")
    picture = read_small(tmp_path / f"a.{suffix}", 100)
    assert picture.size == small
    assert picture.getpixel((0, 0))[0] > 190


def test_of_a_jpeg_no_more_is_decoded_than_is_needed(tmp_path):
    Image.new("RGB", (1600, 800), "red").save(tmp_path / "a.jpg")
    assert read_with_facts(tmp_path / "a.jpg", decode_to=256).picture.size == (800, 400), "an eighth would be less than 256 on a side"
    assert read_with_facts(tmp_path / "a.jpg").picture.size == (1600, 800)


def test_a_turned_photograph_stands_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (800, 400), "red").save(tmp_path / "a.jpg", exif=exif)
    assert read_small(tmp_path / "a.jpg", 100).size == (50, 100)


def test_transparent_parts_are_white(tmp_path):
    Image.new("RGBA", (50, 50), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert read_small(tmp_path / "a.png", 20).getpixel((5, 5)) == (255, 255, 255)


def test_a_thumbnail_is_kept_and_outlives_its_picture(tmp_path):
    picture = tmp_path / "a.png"
    Image.new("RGB", (400, 400), "red").save(picture)
    thumbnails, content = Thumbnails(tmp_path / "thumbs"), content_hash(picture)
    assert thumbnails.kept(content, 256) is None
    made = thumbnails.make(picture, content, 256)
    picture.unlink()
    assert thumbnails.kept(content, 256) == made
    assert thumbnails.kept(content, 1024) is None
    assert Image.open(io.BytesIO(made)).format == "WEBP"
    assert (tmp_path / "thumbs" / "CACHEDIR.TAG").exists()


def test_what_is_no_picture_leaves_no_thumbnail(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError):
        Thumbnails(tmp_path / "thumbs").make(tmp_path / "a.png", "ab" * 32, 256)
    assert not (tmp_path / "thumbs").exists()


def test_the_content_of_a_file_is_read_anew_when_it_has_changed(tmp_path):
    picture = tmp_path / "a.png"
    Image.new("RGB", (4, 4), "red").save(picture)
    with PictureCache(tmp_path / "cache") as cache:
        first = content_of(picture, cache)
        assert first == content_of(picture, cache) == content_hash(picture)
        Image.new("RGB", (4, 4), "blue").save(picture)
        assert content_of(picture, cache) == content_hash(picture) != first
