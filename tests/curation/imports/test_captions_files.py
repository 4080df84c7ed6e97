"""Captions in other trainers' files: each row reaches its picture, or is named; a bad one costs no other."""

import json

import pytest
from PIL import Image

from lorasmith.curation.imports.imports import import_pictures
from lorasmith.curation.imports.matching import PictureIndex


@pytest.fixture
def pile(tmp_path):
    """Makes a folder of pictures, each with content of its own."""

    def make(*names):
        for number, name in enumerate(names):
            (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 16), (number * 20, 99, 7)).save(tmp_path / "set" / name)
        return tmp_path / "set"

    return make


def imported(source, into):
    """(name of each picture -> its caption, what was left out) of an import."""
    report = import_pictures([source], into)
    captions = {one.path.name: one.captions[0].read_text("utf-8") if one.captions else None for one in report.added}
    return captions, [str(left.message) for left in report.left_out]


ROWS = (
    b'{"file_name": "a.png", "text": "is a"}', b'{"file_name": "b.png", "text": null}', b'{"file_name": "c.png", "text": ["one", "two"]}',
    b'{"file_name": "d.png", "te', b"[1]", b'{"file_name": "./e.png", "caption": "is \xe2\x80\xa8 e"}',
)  # fmt: skip


@pytest.mark.parametrize("source", ["", "metadata.jsonl"])
def test_a_bad_row_costs_no_other(pile, tmp_path, source):
    folder = pile("a.png", "b.png", "c.png", "d.png", "e.png")
    (folder / "metadata.jsonl").write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(ROWS))
    captions, left = imported(folder / source, tmp_path / "ds")
    assert {name: text for name, text in captions.items() if text} == {"a.png": "is a", "c.png": "one\ntwo", "e.png": "is \u2028 e"}
    for number in (2, 4, 5):
        assert any(f"line {number} is not used" in message for message in left)


FORMS = {
    "metadata.csv": 'file_name,text\na.png,"is, a"\nb.png,is b\n',
    "metadata.CSV": "file_name;text\r\na.png;is, a\r\nb.png;is b\r\n",
    "unquoted.csv": "image,caption\na.png,is, a\nb.png,is b\n",
    "bare.tsv": "a.png\tis, a\nb.png\tis b\n",
    "map.json": '{"a.png": "is, a", "b": "is b"}',
    "fine_tuning.json": '{"a": {"caption": "is", "tags": "a"}, "b": {"tags": ["is b"]}}',
    "list.json": '[{"image": "a.png", "prompt": "is, a"}, {"file_name": "b.png", "text": "is b"}]',
}


@pytest.mark.parametrize("name", FORMS)
def test_tables_maps_and_lists_are_read(pile, tmp_path, name):
    folder = pile("a.png", "b.png")
    (folder / name).write_text(FORMS[name])
    assert imported(folder / name, tmp_path / "ds") == ({"a.png": "is, a", "b.png": "is b"}, [])
    if name.lower().startswith("metadata"):
        assert imported(folder, tmp_path / "whole") == ({"a.png": "is, a", "b.png": "is b"}, [])


def test_a_file_as_windows_writes_it_is_read(pile, tmp_path):
    folder = pile("a.png")
    (folder / "metadata.jsonl").write_bytes(json.dumps({"file_name": "a.png", "text": "café"}, ensure_ascii=False).encode("utf-16"))
    assert imported(folder, tmp_path / "ds") == ({"a.png": "café"}, [])


def test_a_row_that_was_cut_within_a_character_is_used_and_costs_no_other(pile, tmp_path):
    folder = pile("a.png", "b.png")
    rows = (
        rb'{"file_name": "a.png", "text": "a cat \ud83d\u0000"}',
        rb'{"file_name": "c\udc00.png", "text": "x"}',
        b'{"file_name": "b.png", "text": "a dog"}',
    )
    (folder / "metadata.jsonl").write_bytes(b"\n".join(rows))
    captions, left = imported(folder, tmp_path / "ds")
    assert captions == {"a.png": "a cat ?", "b.png": "a dog"}
    assert any("names c?.png" in message for message in left)


def test_rows_that_fit_no_picture_are_named(pile, tmp_path):
    folder = pile("train/a.png", "bob/1.png")
    rows = [{"file_name": f"train/{name}.png", "text": name} for name in ("a", "gone")] + [{"file_name": "../anna/1.png", "text": "anna"}]
    (folder / "train" / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    captions, left = imported(folder, tmp_path / "ds")
    assert captions == {"a.png": "a", "1.png": None}
    assert len(left) == 2
    assert "line 2 names train/gone.png" in left[0]
    assert "line 3 names ../anna/1.png" in left[1]


@pytest.mark.parametrize(
    ("path", "picture"),
    [
        ("img\\10_tom\\t1.jpg", "img/10_tom/t1.jpg"),
        (".\\img\\10_tom\\t1", "img/10_tom/t1.jpg"),
        ("C:\\train\\set\\img\\10_tom\\t1.jpg", "img/10_tom/t1.jpg"),
        ("/data/10_tom/t1.jpg", "img/10_tom/t1.jpg"),
        ("IMG/10_Tom/T1.JPG", "img/10_tom/t1.jpg"),
        ("img/10_tom/cafe\u0301.png", "img/10_tom/caf\u00e9.png"),
        ("t1.jpg", "img/10_tom/t1.jpg"),
        ("set/beside.png", "beside.png"),
        ("moved/beside.png", "beside.png"),
        ("1.png", None),  # of two folders
        ("10_anna/t1.jpg", None),  # of another folder
        ("gone.png", None),
        ("..", None),
    ],
)
def test_a_picture_is_found_by_the_end_of_its_path(path, picture):
    names = ["img/10_tom/t1.jpg", "img/10_tom/caf\u00e9.png", "beside.png", "a/1.png", "b/1.png"]
    index = PictureIndex(names, "set")
    assert (index.at(path, "") or index.like(path, "")) == picture


def test_a_subset_takes_its_captions_from_its_metadata_file(pile, tmp_path):
    folder = pile("img/t1.png", "img/t2.png", "img/t3.png")
    (folder / "img" / "t1.txt").write_text("not this")
    (folder / "img" / "t3.txt").write_text("from text")
    (folder / "meta.json").write_text(
        json.dumps({"t1": {"caption": "tom one", "tags": "hat, red"}, "C:\\x\\img\\t2.png": {"caption": "tom two"}})
    )
    (folder / "ds.toml").write_text("[[datasets]]\n[[datasets.subsets]]\nimage_dir = '.\\img'\nmetadata_file = 'meta.json'\n")
    captions, left = imported(folder / "ds.toml", tmp_path / "ds")
    assert captions == {"t1.png": "tom one, hat, red", "t2.png": "tom two", "t3.png": "from text"}
    assert left == [f"img/t1.txt is not used: {folder.name}/meta.json, entry t1 has another caption."]
    (folder / "meta.json").unlink()
    _, left = imported(folder / "ds.toml", tmp_path / "other")
    assert any("metadata_file meta.json" in message for message in left)


def test_of_a_row_and_a_caption_file_the_one_that_loses_is_named_with_the_way_to_choose_it(pile, tmp_path):
    folder = pile("a.png", "b.png", "c.png", "d.png")
    for name, text in (("a", "from text"), ("b", "the  same\n"), ("d", "kept")):
        (folder / f"{name}.txt").write_text(text)
    rows = {"a": "from the row", "b": "the same", "c": "alone", "d": ""}
    (folder / "metadata.jsonl").write_text("\n".join(json.dumps({"file_name": f"{name}.png", "text": text}) for name, text in rows.items()))
    captions, left = imported(folder, tmp_path / "by folder")
    assert captions == {"a.png": "from text", "b.png": "the  same\n", "c.png": "alone", "d.png": "kept"}
    assert left == [f"{folder.name}/metadata.jsonl, line 1 is not used: {folder.name}/a.txt has another caption."]
    (lost,) = import_pictures([folder], tmp_path / "again").left_out
    assert lost.fix.words == "Import the metadata file itself to take its captions."
    captions, left = imported(folder / "metadata.jsonl", tmp_path / "by file")
    assert captions == {"a.png": "from the row", "b.png": "the same", "c.png": "alone", "d.png": "kept"}
    assert [message.split(":")[0] for message in left] == [f"{folder.name}/a.txt is not used"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.jsonl", '{"file_name": "a.png", "text": "a hat", "tags": "hat, red"}\n{"file_name": "b.png", "text": "", "tags": "coat"}'),
        ("rows.csv", "file_name,text,tags\na.png,a hat,hat\nb.png,coat,\n"),
    ],
)
def test_a_second_text_of_rows_is_named(pile, tmp_path, name, text):
    folder = pile("a.png", "b.png")
    (folder / name).write_text(text)
    captions, left = imported(folder / name, tmp_path / "ds")
    assert captions == {"a.png": "a hat", "b.png": "coat"}
    assert left == [f"{folder.name}/{name} has a second text, tags, in 1 of 2 rows, which is not used."]
