"""The encoding that a caption looks written in."""

import pytest

from lorasmith.captions.encodings import likely_encoding


@pytest.mark.parametrize(
    ("text", "encoding", "recognised"),
    [
        ("café, fille", "latin-1", "latin-1"),
        ("the cat’s “red” hat – old", "cp1252", "cp1252"),
        ("ok…", "cp1252", "cp1252"),
        ("é, a", "utf-16", "utf-16"),
        ("é, a", "utf-32", "utf-32"),
        ("a hat, red", "utf-16-le", "utf-16-le"),
        ("a hat, red", "utf-16-be", "utf-16-be"),
        ("ねこ, 赤い帽子", "shift-jis", "shift-jis"),
        ("猫，红色的帽子，坐着", "gbk", "gbk"),
        ("кошка, красная шляпа", "cp1251", "cp1251"),
    ],
)
def test_an_encoding_is_recognised(text, encoding, recognised):
    assert likely_encoding(text.encode(encoding)) == recognised
    assert text.encode(encoding).decode(recognised).removeprefix("\ufeff") == text


@pytest.mark.parametrize("raw", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x08", b"\xff\xfe\xff", b"a\0", b"\x81\x8d"])
def test_what_is_no_text_has_no_encoding(raw):
    if (found := likely_encoding(raw)) is not None:
        assert raw.decode(found).isprintable()
