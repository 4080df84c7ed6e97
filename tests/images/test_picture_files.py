"""What a list shows of picture files is kept: a file is opened where it is new or has changed, and not otherwise."""

import os

import pytest
from PIL import Image

from lorasmith.images import picture_files
from lorasmith.images.looks import SIZES, look_at
from lorasmith.images.picture_cache import PictureCache
from lorasmith.images.picture_files import PictureFiles
from lorasmith.images.read import content_hash


@pytest.fixture
def pictures(tmp_path):
    """Three pictures of 10, 20 and 30 pixels."""
    (tmp_path / "set").mkdir()
    places = [tmp_path / "set" / f"{side}.png" for side in (10, 20, 30)]
    for place, side in zip(places, (10, 20, 30), strict=True):
        Image.new("RGB", (side, side), "red").save(place)
    return places


@pytest.fixture
def opened(monkeypatch):
    """The files that were opened."""
    seen = []
    look = picture_files.look_at
    monkeypatch.setattr(picture_files, "look_at", lambda path, *how: seen.append(path) or look(path, *how))
    return seen


def look(files, pictures):
    return files.look([os.fspath(picture) for picture in pictures])


def test_each_file_is_opened_once(tmp_path, pictures, opened):
    files = PictureFiles(tmp_path / "cache")
    found = look(files, pictures)
    assert [file.size for file in found] == [(10, 10), (20, 20), (30, 30)]
    assert [(file.content, file.bytes) for file in found] == [(content_hash(picture), picture.stat().st_size) for picture in pictures]
    assert opened == pictures
    assert look(files, pictures) == found
    assert look(PictureFiles(tmp_path / "cache"), pictures) == found, "a studio that was started anew knows them from the cache"
    assert opened == pictures


def test_what_was_decoded_for_something_else_is_not_opened(tmp_path, pictures, opened):
    with PictureCache(tmp_path / "cache") as cache:
        for picture in pictures:
            look_at(picture, SIZES, cache)
    assert [file.size for file in look(PictureFiles(tmp_path / "cache"), pictures)] == [(10, 10), (20, 20), (30, 30)]
    assert opened == []


def test_a_file_that_changed_is_opened_again(tmp_path, pictures, opened):
    files = PictureFiles(tmp_path / "cache")
    before = look(files, pictures)
    Image.new("RGB", (7, 9), "blue").save(pictures[1])
    opened.clear()
    found = look(files, pictures)
    assert (found[0], found[1].size, found[2]) == (before[0], (7, 9), before[2])
    assert opened == [pictures[1]]


def test_a_file_that_is_no_picture_has_a_content_and_no_size_and_one_that_is_gone_is_an_error(tmp_path, pictures):
    files = PictureFiles(tmp_path / "cache")
    pictures[0].write_bytes(b"no picture")
    (found,) = look(files, pictures[:1])
    assert (found.bytes, found.content, found.size) == (10, content_hash(pictures[0]), None)
    pictures[0].unlink()
    with pytest.raises(FileNotFoundError):
        look(files, pictures)


def test_a_content_is_found_as_long_as_its_file_stays_as_it_is(tmp_path, pictures):
    files = PictureFiles(tmp_path / "cache")
    content = look(files, pictures)[0].content
    assert files.with_content(content) == pictures[0]
    Image.new("RGB", (7, 9), "blue").save(pictures[0])
    assert files.with_content(content) is None, "its thumbnail would be another picture's"
    pictures[0].unlink()
    assert files.with_content(content) is None
    assert files.with_content("ab" * 32) is None
