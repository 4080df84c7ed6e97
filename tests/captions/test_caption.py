"""Caption files are read as written, or refused with a sentence that helps."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.captions.caption import Caption, is_utf8, join_tags, read_caption, split_tags
from lorasmith.errors import DatasetError, InputError


def written(folder: Path, content: bytes) -> Path:
    path = folder / "cat.txt"
    path.write_bytes(content)
    return path


def test_a_caption_is_read_without_the_newline_at_its_end(tmp_path: Path):
    assert read_caption(written(tmp_path, b"cat, ginger fur\n")) == "cat, ginger fur"


def test_only_one_newline_is_taken_off_and_spaces_stay(tmp_path: Path):
    assert read_caption(written(tmp_path, b"  cat \n\n")) == "  cat \n"


def test_a_byte_order_mark_is_not_part_of_the_caption(tmp_path: Path):
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


def test_a_missing_caption_file_is_named(tmp_path: Path):
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


# The caption as a type


@pytest.mark.parametrize(
    ("raw", "tags"),
    [
        (b"a, b,c ,, d,", ["a", "b", "c", "d"]),
        (b"\xef\xbb\xbfa, b\r\n", ["a", "b"]),
        (rb"cat \(animal\), ^_^, long_hair, \m/", [r"cat \(animal\)", "^_^", "long_hair", r"\m/"]),
        (b"a, b\nA cat, asleep.", ["a", "b"]),
        (b"\n  \na, b\n", ["a", "b"]),
        (b"", []),
        (b" \n", []),
    ],
)
def test_tags_are_those_of_the_line_that_is_trained_on(raw: bytes, tags: list[str]):
    assert Caption(raw).tags == tags


@pytest.mark.parametrize(
    ("raw", "tags", "edited"),
    [
        (b"a,b,c", ["a", "c"], b"a,c"),
        (b"a, b, c\n", ["a", "c"], b"a, c\n"),
        (b"a, b,\r\n", ["a"], b"a,\r\n"),
        (b"\xef\xbb\xbfa, b", ["b", "a"], b"\xef\xbb\xbfb, a"),
        (b"  a, b  ", ["b"], b"  b  "),
        (b"a, b\r\nA cat.\r\n", ["x"], b"x\r\nA cat.\r\n"),
        (b"\n\na", ["b", "c"], b"\n\nb, c"),
        (b"a", [], b""),
        (b"a,", ["a", "b"], b"a, b,"),
        (b"", ["a", "b"], b"a, b"),
        (b"a,b, c", ["a", "c"], b"a, c"),
    ],
)
def test_an_edit_keeps_the_files_format(raw: bytes, tags: list[str], edited: bytes):
    assert Caption(raw).with_tags(tags).raw == edited


def test_other_tags_are_read_back_as_they_were_given():
    assert Caption(b"a,b").with_tags(["x y", r"z \(w\)", "^_^"]).tags == ["x y", r"z \(w\)", "^_^"]


@pytest.mark.parametrize("tag", ["", " a", "a, b", "a\nb", "a\0"])
def test_a_text_that_is_not_one_tag_is_refused(tag: str):
    with pytest.raises(InputError, match="is not one tag"):
        Caption(b"a").with_tags(["a", tag])


def test_a_text_takes_the_files_line_ends():
    assert Caption(b"a\r\nb\r\n").with_text("x\ny").raw == b"x\r\ny\r\n"
    assert Caption(b"a").with_text("x\n").text == "x\n"


@pytest.mark.parametrize(
    ("text", "tags", "sentence"),
    [
        ("zorvex, hat", ["zorvex", "hat"], ""),
        ("zorvex, hat, A cat, asleep on a mat.", ["zorvex", "hat"], "A cat, asleep on a mat."),
        ("zorvex, a cat that sits on a mat, asleep", ["zorvex"], "a cat that sits on a mat, asleep"),
        ("zorvex, hat\nA cat.\n\nIt sleeps.", ["zorvex", "hat"], "A cat.\nIt sleeps."),
        ("Hatsune Miku, hat", ["Hatsune Miku", "hat"], ""),
        ("A cat sleeps.", [], "A cat sleeps."),
        ("Zorvex.", ["Zorvex."], ""),
    ],
)
def test_tags_and_sentence_are_separated(text: str, tags: list[str], sentence: str):
    caption = Caption(text.encode())
    assert (caption.parts[0], caption.sentence) == (tags, sentence)


@given(st.text())
def test_a_text_is_read_back_as_it_was_written(text: str):
    clean = text.replace("\0", "").replace("\r", "").removeprefix("\ufeff")
    assert Caption().with_text(clean.encode("utf-8", "ignore").decode()).text == clean.encode("utf-8", "ignore").decode()


@pytest.mark.parametrize("raw", ["é".encode("latin-1"), "a".encode("utf-16"), "a".encode("utf-16-le"), "猫".encode("shift-jis"), b"a\0"])
def test_other_encodings_are_not_captions(raw: bytes):
    assert not is_utf8(raw)
