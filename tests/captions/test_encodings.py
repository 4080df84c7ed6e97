"""The encoding that a caption looks written in."""

import pytest

from lorasmith.captions.encodings import in_words, readings


def likely_encoding(raw):
    found = readings(raw)
    return found[0].encoding if len(found) == 1 else None


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
        ("東京都, 赤帽子, 女性", "shift-jis", "shift-jis"),
        ("猫, 帽子", "shift-jis", "shift-jis"),
        ("猫①, 帽子", "cp932", "cp932"),
        ("東京都, 赤帽子, 女性", "euc-jp", "euc-jp"),
        ("红色帽子, 女孩", "gbk", "gbk"),
        ("紅色帽子, 女孩", "big5", "big5"),
        ("빨간 모자, 소녀", "euc-kr", "euc-kr"),
        ("кошка, красная шляпа", "cp1251", "cp1251"),
        ("кошка, красная шляпа", "koi8-r", "koi8-r"),
        ("κόκκινο καπέλο, γάτα", "cp1253", "cp1253"),
        ("חתול, כובע אדום", "cp1255", "cp1255"),
        ("γατα, κοκκινο καπελο", "cp1253", "cp1253"),
        ("příliš žluťoučký kůň", "cp1250", "cp1250"),
        ("kırmızı şapka, güneş", "cp1254", "cp1254"),
    ],
)
def test_an_encoding_is_recognised(text, encoding, recognised):
    assert likely_encoding(text.encode(encoding)) == recognised
    assert text.encode(encoding).decode(recognised).removeprefix("\ufeff") == text


@pytest.mark.parametrize("raw", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x08", b"\xff\xfe\xff", b"a\0", b"\x81\x8d"])
def test_what_is_no_text_has_no_encoding(raw):
    if (found := likely_encoding(raw)) is not None:
        assert raw.decode(found).isprintable()


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("家", "gbk"),
        ("녀", "euc-kr"),
        ("zdjęcie", "cp1250"),
        ("niño", "latin-1"),
        ("кот", "koi8-r"),
        ("麒麟", "gbk"),
        ("שלום", "cp1255"),
        ("סוס לבן בשדה", "cp1255"),
        ("σκύλος", "cp1253"),
    ],
)
def test_where_letters_are_too_few_all_likely_readings_are_named(text, encoding):
    raw = text.encode(encoding)
    found = readings(raw)
    assert likely_encoding(raw) is None
    assert 1 < len(found) <= 5
    assert text in [one.text for one in found]
    assert f"{next(one.encoding for one in found if one.text == text)} ({text!r})" in in_words(found)


def test_other_captions_of_the_folder_settle_what_one_leaves_open():
    for text, encoding in (("家", "gbk"), ("녀", "euc-kr"), ("zdjęcie", "cp1250")):
        others = {
            "gbk": "红色帽子, 女孩, 微笑, 长发",
            "euc-kr": "빨간 모자, 고양이, 소녀, 미소",
            "cp1250": "żółty kapelusz, łąka",
            "euc-jp": "赤い帽子, 少女",
        }
        found = readings(text.encode(encoding), f"{others[encoding]}\n{text}".encode(encoding))
        assert [one.text for one in found] == [text]
