"""A dataset goes to other trainers as they want it, and comes back as it was."""

import json
import tomllib
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from lorasmith.curation.export import export
from lorasmith.curation.imports.imports import import_pictures
from lorasmith.errors import DatasetError, InputError
from tests.curation.imports.test_imports import listing, png, write

# What sd-scripts' schema (voluptuous, strict) accepts of what we write, by level.
KNOWN_TO_SD_SCRIPTS = {
    "general": {"caption_extension", "enable_bucket"},
    "dataset": {"resolution", "subsets"},
    "subset": {"image_dir", "num_repeats", "class_tokens", "is_reg"},
}


@pytest.fixture
def dataset(tmp_path):
    files = {
        "10_anna, red hat/a.png": png(1), "10_anna, red hat/a.txt": b"anna, gr\xc3\xb6\xc3\x9fer\r\n", "10_anna, red hat/b.png": png(2),
        "2_bert/a.png": png(3), "2_bert/a.caption": b"bert", "reg/1_woman/r.png": png(4), "holdout/1_bert/h.png": png(5),
    }  # fmt: skip
    import_pictures([write(tmp_path / "pile", files)], tmp_path / "ds")
    return tmp_path / "ds"


def test_kohyas_layout(dataset, tmp_path):
    done = export(dataset, tmp_path / "out", "kohya")
    assert listing(tmp_path / "out") == {
        "img/10_anna, red hat/a.png": png(1), "img/10_anna, red hat/a.txt": b"anna, gr\xc3\xb6\xc3\x9fer\r\n", "img/10_anna, red hat/b.png": png(2),
        "img/2_bert/a.png": png(3), "img/2_bert/a.txt": b"bert", "reg/1_woman/r.png": png(4),
    }  # fmt: skip
    assert done.pictures == 4
    assert any("b.png has no caption" in note for note in done.notes)


@pytest.mark.parametrize(
    ("caption", "written"),
    [
        (b"\xef\xbb\xbfzorvex, hat\r\n", b"zorvex, hat\r\n"), (b"\xef\xbb\xbf\r\n \r\nzorvex\r\nA sentence.", b"zorvex\r\nA sentence."),
        (b"\n\nzorvex", b"zorvex"), (b" zorvex\n\nbelow", b" zorvex\n\nbelow"),
    ],
)  # fmt: skip
def test_a_caption_begins_with_the_line_that_is_trained(tmp_path, caption, written):
    """sd-scripts takes the first line, and what is before the first letter with it."""
    folder = write(tmp_path / "ds", {"10_zorvex/a.png": png(1), "10_zorvex/a.txt": caption})
    done = export(folder, tmp_path / "out", "kohya")
    assert listing(tmp_path / "out")["img/10_zorvex/a.txt"] == written
    assert sum("at its beginning" in note for note in done.notes) == (caption != written)


@pytest.mark.parametrize("absolute", [False, True])
def test_the_toml_of_sd_scripts(dataset, tmp_path, absolute):
    export(dataset, tmp_path / "out", "sd-scripts", absolute=absolute, resolution=768)
    tree = tomllib.loads((tmp_path / "out" / "dataset.toml").read_text("utf-8"))
    (one,) = tree["datasets"]
    assert set(tree["general"]) <= KNOWN_TO_SD_SCRIPTS["general"]
    assert set(one) <= KNOWN_TO_SD_SCRIPTS["dataset"]
    assert all(set(subset) <= KNOWN_TO_SD_SCRIPTS["subset"] for subset in one["subsets"])
    assert one["resolution"] == 768
    assert [(subset["num_repeats"], subset["class_tokens"], subset.get("is_reg", False)) for subset in one["subsets"]] == [
        (10, "anna, red hat", False), (2, "bert", False), (1, "woman", True)
    ]  # fmt: skip
    for subset in one["subsets"]:
        folder = Path(subset["image_dir"])
        assert folder.is_absolute() == absolute
        assert any((tmp_path / "out" / folder).glob("*.png"))


def test_the_metadata_of_diffusers(dataset, tmp_path):
    done = export(dataset, tmp_path / "out", "diffusers")
    rows = [json.loads(line) for line in (tmp_path / "out" / "img" / "metadata.jsonl").read_text("utf-8").splitlines()]
    assert {row["file_name"]: row["text"] for row in rows} == {
        "10_anna, red hat/a.png": "anna, größer", "10_anna, red hat/b.png": "anna, red hat", "2_bert/a.png": "bert"
    }  # fmt: skip
    assert all((tmp_path / "out" / "img" / row["file_name"]).is_file() for row in rows)
    assert any("no repeats" in note for note in done.notes)


@pytest.mark.parametrize("form", ["kohya", "sd-scripts"])
@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_our_own_exports_come_back_as_they_were(dataset, tmp_path, form, name):
    export(dataset, tmp_path / name, form)
    import_pictures([tmp_path / name], tmp_path / "back")
    wanted = {place: data for place, data in listing(dataset).items() if not place.startswith("holdout/")}
    wanted["2_bert/a.txt"] = wanted.pop("2_bert/a.caption")
    assert listing(tmp_path / "back") == wanted
    assert import_pictures([tmp_path / name], dataset).added == []
    if form == "sd-scripts" and name == "out":
        import_pictures([tmp_path / "out" / "dataset.toml"], tmp_path / "by toml")
        assert listing(tmp_path / "by toml") == wanted


def test_diffusers_exports_come_back_with_their_captions(dataset, tmp_path):
    export(dataset, tmp_path / "out.zip", "diffusers")
    import_pictures([tmp_path / "out.zip"], tmp_path / "back")
    back = listing(tmp_path / "back")
    assert back["10_anna, red hat/a.txt"] == "anna, größer".encode()
    assert back["10_anna, red hat/a.png"] == png(1)


def test_a_plain_dataset_gets_a_folder_and_odd_pictures_become_png(tmp_path):
    root = tmp_path / "cats"
    root.mkdir()
    Image.new("RGB", (32, 32), "teal").save(root / "moving.gif")
    write(root, {"a.png": png(1), "a.txt": b"", "b.png": png(2), "b.txt": b"caf\xe9"})
    done = export(root, tmp_path / "out", "kohya")
    assert set(listing(tmp_path / "out")) == {"img/1_cats/moving.png", "img/1_cats/a.png"}
    said = " ".join(done.notes)
    assert "moving.gif was exported as PNG" in said
    assert "a.txt is empty" in said
    assert "b.txt is not UTF-8" in said


def test_the_same_dataset_gives_the_same_zip(dataset, tmp_path):
    export(dataset, tmp_path / "one.zip", "sd-scripts")
    export(dataset, tmp_path / "two.zip", "sd-scripts")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert zipfile.ZipFile(tmp_path / "one.zip").testzip() is None


def test_nothing_is_overwritten_and_bad_requests_are_sentences(dataset, tmp_path):
    (tmp_path / "there.zip").write_bytes(b"mine")
    with pytest.raises(InputError, match="is there already"):
        export(dataset, tmp_path / "there.zip", "kohya")
    assert (tmp_path / "there.zip").read_bytes() == b"mine"
    with pytest.raises(InputError, match="no form"):
        export(dataset, tmp_path / "out", "onetrainer")
    with pytest.raises(InputError, match="inside a ZIP"):
        export(dataset, tmp_path / "out.zip", "sd-scripts", absolute=True)
    with pytest.raises(InputError, match="inside the dataset itself"):
        export(dataset, dataset / "out", "kohya")
    with pytest.raises(DatasetError, match="is not a folder"):
        export(tmp_path / "missing", tmp_path / "out", "kohya")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ds", "pile", "there.zip"]
