"""Caption files are read as written, or refused with a sentence that helps."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.captions.caption import join_tags, read_caption, split_tags
from lorasmith.errors import DatasetError


def written(folder: Path, content: bytes) -> Path:
    path = folder / "cat.txt"
    path.write_bytes(content)
    return path


def test_a_caption_is_read_without_the_newline_at_its_end(tmp_path: Path):
    assert read_caption(written(tmp_path, b"cat, ginger fur\n")) == "cat, ginger fur"


def test_only_one_newline_is_taken_off_and_spaces_stay(tmp_path: Path):
    assert read_caption(written(tmp_path, b"  cat \n\n")) == "  cat \n"


def test_a_byte_order_mark_is_no_part_of_the_caption(tmp_path: Path):
    assert read_caption(written(tmp_path, b"\xef\xbb\xbfcat")) == "cat"


def test_letters_beyond_ascii_are_read(tmp_path: Path):
    assert read_caption(written(tmp_path, "猫, café, 🐈".encode())) == "猫, café, 🐈"


def test_a_caption_of_several_lines_keeps_them_whatever_the_system_that_wrote_it(tmp_path: Path):
    assert read_caption(written(tmp_path, b"a cat\r\na ginger cat\r\n")) == "a cat\na ginger cat"


def test_an_empty_file_is_an_empty_caption(tmp_path: Path):
    assert read_caption(written(tmp_path, b"")) == ""


@pytest.mark.parametrize(("text", "encoding"), [("café", "latin-1"), ("cat", "utf-16"), ("cat", "utf-16-le"), ("猫", "shift-jis")])
def test_another_encoding_is_refused_with_the_way_out(tmp_path: Path, text: str, encoding: str):
    path = written(tmp_path, text.encode(encoding))
    with pytest.raises(DatasetError, match=r"cat\.txt is not UTF-8.*save it"):
        read_caption(path)


def test_a_caption_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(DatasetError, match=r"none\.txt cannot be opened"):
        read_caption(tmp_path / "none.txt")


def test_tags_are_stripped_and_empty_ones_dropped_but_repeated_ones_kept():
    assert split_tags(" cat,, ginger fur ,cat, ") == ["cat", "ginger fur", "cat"]


def test_another_separator_leaves_commas_alone():
    assert split_tags("cat, big | fur", separator="|") == ["cat, big", "fur"]


TAGS = st.lists(st.text(st.characters(exclude_characters=",|", exclude_categories=["Cs"]), min_size=1).map(str.strip).filter(bool))


@given(TAGS, st.sampled_from(",|"))
def test_joined_tags_split_into_the_same_tags(tags: list[str], separator: str):
    assert split_tags(join_tags(tags, separator), separator) == tags
