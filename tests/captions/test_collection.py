"""A folder of captions opens as it is, names what is wrong, and keeps each file's manner when it is changed."""

import os
from pathlib import Path

import pytest

from lorasmith.captions.caption import Caption
from lorasmith.captions.collection import open_captions
from lorasmith.captions.history import History
from lorasmith.errors import DatasetError, SettingsError


def filled(folder: Path, **files: bytes | None) -> Path:
    """Files by name, `__` for a dot and `_in_` for a slash: `anna_in_1__txt=b"hat"` is `anna/1.txt`."""
    for name, content in files.items():
        path = folder / name.replace("_in_", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content or b"")
    return folder


def test_pictures_come_with_their_captions_in_order_and_those_without_are_known(tmp_path):
    filled(tmp_path, b__png=None, b__txt=b"hat", a__jpg=None, anna_in_1__webp=None, anna_in_1__txt=b"solo\n")
    collection = open_captions(tmp_path)
    assert {key: caption.text for key, caption in collection.captions.items()} == {"a.txt": "", "anna/1.txt": "solo", "b.txt": "hat"}
    assert collection.missing == ["a.txt"]
    assert collection["anna/1.txt"].pictures == ("anna/1.webp",)
    assert collection.tag_counts() == {"hat": 1, "solo": 1}


def test_folders_below_are_left_out_on_demand_and_hidden_ones_always(tmp_path):
    filled(tmp_path, a__png=None, anna_in_1__png=None, __hidden_in_2__png=None, __c__png=None)
    assert list(open_captions(tmp_path).captions) == ["a.txt", "anna/1.txt"]
    assert list(open_captions(tmp_path, recursive=False).captions) == ["a.txt"]


def test_existing_captions_keep_their_suffix_and_new_ones_get_the_most_frequent(tmp_path):
    filled(tmp_path, a__png=None, a__caption=b"hat", b__png=None, b__caption=b"hat", c__png=None, c__txt=b"hat", d__png=None)
    collection = open_captions(tmp_path)
    collection.save({key: Caption(b"new") for key in collection.captions}, "write new")
    assert sorted(path.name for path in tmp_path.glob("*.[tc]*")) == ["a.caption", "b.caption", "c.txt", "d.caption"]


def test_only_the_given_suffix_counts(tmp_path):
    filled(tmp_path, a__png=None, a__caption=b"hat", a__txt=b"solo")
    assert open_captions(tmp_path)["a.txt"].caption.text == "solo"
    assert open_captions(tmp_path, "caption")["a.caption"].caption.text == "hat"
    with pytest.raises(SettingsError, match="suffix of pictures"):
        open_captions(tmp_path, ".png")


def test_pictures_of_one_name_share_their_caption(tmp_path):
    filled(tmp_path, a__png=None, a__jpg=None, a__txt=b"hat")
    assert open_captions(tmp_path)["a.txt"].pictures == ("a.jpg", "a.png")


def test_captions_without_a_picture_are_named(tmp_path):
    filled(tmp_path, a__png=None, b__txt=b"hat")
    assert open_captions(tmp_path).orphans == ("b.txt",)


@pytest.mark.skipif(os.name != "posix", reason="links as on Unix")
def test_a_circular_link_is_read_once(tmp_path):
    filled(tmp_path, anna_in_a__png=None)
    (tmp_path / "anna" / "back").symlink_to(tmp_path)
    assert list(open_captions(tmp_path).captions) == ["anna/a.txt"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.write_text("x"), "is a file"),
        (lambda path: path.mkdir(), "holds no pictures"),
    ],
)
def test_a_path_that_is_not_a_folder_of_pictures_is_refused(tmp_path, make, words):
    make(tmp_path / "pictures")
    with pytest.raises(DatasetError, match=words):
        open_captions(tmp_path / "pictures")


def test_a_missing_caption_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"caption file z\.txt"):
        open_captions(filled(tmp_path, a__png=None))["z.txt"]


# Other encodings

LATIN = "café, fille".encode("latin-1")


def test_captions_in_another_encoding_are_refused_with_the_way_out(tmp_path):
    filled(tmp_path, a__png=None, a__txt=LATIN, b__png=None, b__txt="caf\u00e9".encode("utf-16"), c__png=None, c__txt=b"hat")
    with pytest.raises(DatasetError, match=r"a\.txt and 1 more .*lorasmith captions convert .*recognises"):
        open_captions(tmp_path)
    collection = open_captions(tmp_path, unreadable_too=True)
    assert (list(collection.unreadable), list(collection.captions)) == (["a.txt", "b.txt"], ["c.txt"])


def test_converting_can_be_undone_to_the_byte(tmp_path):
    filled(tmp_path, a__png=None, a__txt=LATIN, c__png=None, c__txt="bel, é".encode())
    collection = open_captions(tmp_path, unreadable_too=True)
    collection.save(collection.conversions("latin-1"), "convert from latin-1")
    assert {key: caption.text for key, caption in collection.captions.items()} == {"a.txt": "café, fille", "c.txt": "bel, é"}
    assert {key: caption.text for key, caption in open_captions(tmp_path).captions.items()} == {"a.txt": "café, fille", "c.txt": "bel, é"}
    collection.undo()
    assert (tmp_path / "a.txt").read_bytes() == LATIN
    assert (list(collection.unreadable), list(collection.captions)) == (["a.txt"], ["c.txt"])


@pytest.mark.parametrize(
    ("content", "encoding", "text"),
    [("猫, 帽子".encode("shift-jis"), "shift-jis", "猫, 帽子"), ("é, a".encode("utf-16"), "utf-16", "é, a"), (b"\xe9\x80", "cp1252", "é€")],
)
def test_encodings_that_people_have_are_converted(tmp_path, content, encoding, text):
    filled(tmp_path, a__png=None, a__txt=content)
    assert open_captions(tmp_path, unreadable_too=True).conversions(encoding) == {"a.txt": Caption(text.encode())}


def test_each_file_is_converted_from_its_own_encoding(tmp_path):
    curly = "the cat\u2019s \u201cred\u201d hat \u2013 old"
    filled(
        tmp_path, a__png=None, a__txt=LATIN, b__png=None, b__txt=curly.encode("cp1252"), c__png=None, c__txt="é, a".encode("utf-16"),
        d__png=None, d__txt="ねこ, 帽子".encode("shift-jis"),
    )  # fmt: skip
    converted = open_captions(tmp_path, unreadable_too=True).conversions()
    assert [caption.text for caption in converted.values()] == ["café, fille", curly, "é, a", "ねこ, 帽子"]


def test_cp1252_taken_for_latin_1_is_noticed(tmp_path):
    collection = open_captions(filled(tmp_path, a__png=None, a__txt=b"the cat\x92s hat"), unreadable_too=True)
    with pytest.raises(DatasetError, match=r"a\.txt is not written in latin-1: it looks like cp1252"):
        collection.conversions("latin-1")


@pytest.mark.parametrize(
    ("encoding", "words"), [("klingon", "no encoding"), ("ascii", r"a\.txt is not written in ascii"), ("utf-8", "is not written in utf-8")]
)
def test_a_wrong_encoding_is_refused(tmp_path, encoding, words):
    collection = open_captions(filled(tmp_path, a__png=None, a__txt=LATIN), unreadable_too=True)
    with pytest.raises((DatasetError, SettingsError), match=words):
        collection.conversions(encoding)


def test_utf_16_taken_for_latin_1_is_noticed(tmp_path):
    collection = open_captions(filled(tmp_path, a__png=None, a__txt="hat".encode("utf-16")), unreadable_too=True)
    with pytest.raises(DatasetError, match="looks like utf-16"):
        collection.conversions("latin-1")


# Saving


def test_saving_what_is_the_same_writes_nothing(tmp_path):
    collection = open_captions(filled(tmp_path, a__png=None, a__txt=b"hat", b__png=None))
    assert collection.save(collection.captions, "nothing") is None
    assert not (tmp_path / ".lorasmith").exists()


def test_the_collection_is_what_was_saved_and_undone(tmp_path):
    collection = open_captions(filled(tmp_path, a__png=None, a__txt=b"hat", b__png=None))
    collection.save({"a.txt": Caption(b"cap"), "b.txt": Caption(b"new")}, "write")
    assert (collection["a.txt"].caption.text, collection["b.txt"].exists, collection.missing) == ("cap", True, [])
    collection.undo()
    assert (collection["a.txt"].caption.text, collection["b.txt"].exists, collection.missing) == ("hat", False, ["b.txt"])
    assert not (tmp_path / "b.txt").exists()
    collection.redo()
    assert (tmp_path / "b.txt").read_bytes() == b"new"


def test_a_key_that_is_not_in_the_folder_is_refused(tmp_path):
    collection = open_captions(filled(tmp_path, a__png=None))
    with pytest.raises(DatasetError, match=r"\.\./b\.txt"):
        collection.save({"../b.txt": Caption(b"x")}, "escape")
    assert not (tmp_path.parent / "b.txt").exists()


def test_two_collections_of_one_folder_do_not_overwrite_each_other(tmp_path):
    filled(tmp_path, a__png=None, a__txt=b"hat", b__png=None, b__txt=b"solo")
    one, other = open_captions(tmp_path), open_captions(tmp_path)
    one.save({"a.txt": Caption(b"one")}, "one")
    other.save({"b.txt": Caption(b"other")}, "other")  # another file: no harm
    with pytest.raises(DatasetError, match=r"1 caption in .* was changed by another program since it was read.*a\.txt"):
        other.save({"a.txt": Caption(b"other")}, "other")
    assert (tmp_path / "a.txt").read_bytes() == b"one"
    assert [operation.summary for operation in History(tmp_path).operations()] == ["one", "other"]


def test_a_caption_of_the_pictures_whole_name_is_edited_where_it_is(tmp_path):
    filled(tmp_path, a__png=None)
    (tmp_path / "a.png.txt").write_text("hat")
    collection = open_captions(tmp_path)
    assert {entry.key: entry.pictures for entry in collection} == {"a.png.txt": ("a.png",)}
    assert collection.orphans == ()
    collection.save({"a.png.txt": Caption(b"coat")}, "change it")
    assert (tmp_path / "a.png.txt").read_text() == "coat"
