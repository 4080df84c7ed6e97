"""Any pile of pictures comes in once, whole and under safe names; what stays out is said."""

import io
import json
import os
import signal
import subprocess
import sys
import time
import unicodedata
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from lorasmith.curation.imports import bringing, placing
from lorasmith.curation.imports.imports import import_pictures
from lorasmith.datasets.folders import open_folder
from lorasmith.demo.datasets import write_dataset
from lorasmith.errors import DatasetError, InputError
from lorasmith.images.read import content_hash
from tests.curation.imports.test_archives import make_tar, make_zip
from tests.listings import counting_listings
from tests.photographs import UNREADABLE, make_pile


def png(shade, size=(16, 12)):
    buffer = io.BytesIO()
    Image.new("RGB", size, (shade % 256, shade // 256, 77)).save(buffer, "PNG")
    return buffer.getvalue()


def write(folder, files):
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def listing(folder):
    """Every visible file of a dataset with its bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".lorasmith" not in path.parts
    }


def reasons(report):
    return {left.subjects[0]: left.code.removeprefix("imports.") for left in report.left_out}


def test_names_that_are_taken_take_as_many_listings_for_many_pictures_as_for_one(tmp_path, monkeypatch):
    listings = []
    for number in (1, 30):
        dataset = write(tmp_path / f"ds{number}", {f"10_cat/{n}.txt": b"of another import" for n in range(number)})
        pile = write(tmp_path / f"pile{number}", {f"{n}.png": png(n) for n in range(number)})
        with counting_listings(monkeypatch, dataset) as around, counting_listings(monkeypatch, dataset / "10_cat") as found:
            report = import_pictures([pile], dataset, concept="cat")
        listings.append((len(around), len(found)))
        assert {one.path.parent.name for one in report.added} == {"10_cat"}
        assert all(one.path.stem == f"{Path(one.source).stem}_2" for one in report.added)
    assert listings[0] == listings[1]


def test_two_pictures_do_not_share_the_caption_of_an_interrupted_import(tmp_path):
    dataset = write(tmp_path / "ds", {"cat.txt": b"a cat"})
    pile = write(tmp_path / "pile", {"a/cat.png": png(1), "a/cat.txt": b"a cat", "b/cat.png": png(2), "b/cat.txt": b"a cat"})
    report = import_pictures([pile], dataset)
    assert {one.path.name for one in report.added} == {"cat.png", "b_cat.png"}


@pytest.fixture(scope="module")
def messy(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("messy"), "messy")


def test_the_messy_archive_comes_in_whole_or_with_a_reason(messy, tmp_path):
    report = import_pictures([messy], tmp_path / "ds")
    truth = json.loads(messy.with_suffix(".json").read_text("utf-8"))
    came = {one.source.removeprefix("messy.zip/") for one in report.added}
    out = {name.removeprefix("messy.zip/"): why for name, why in reasons(report).items()}
    pictures = {name for name in truth if not name.endswith(".txt")}
    assert came | set(out) == pictures | {"no-picture.txt"}
    assert not came & set(out)
    assert {name for name, why in out.items() if why == "system_file"} == {n for n, wrong in truth.items() if "system-junk" in wrong}
    assert {name for name, why in out.items() if why == "unreadable"} == {"nothing.png", "letter.png"}
    assert out["0001 (copy).png"] == "same_picture"
    assert out["no-picture.txt"] == "caption_without_picture"
    with zipfile.ZipFile(messy) as archive:
        for one in report.added:
            source = one.source.removeprefix("messy.zip/")
            assert one.path.read_bytes() == archive.read(source)
            text = str(Path(source).with_suffix(".txt"))
            assert [caption.read_bytes() for caption in one.captions] == ([archive.read(text)] if text in truth else [])
    assert len(open_folder(tmp_path / "ds", verify=False).pictures) == len(report.added) - 1  # one caption is Latin-1
    before = listing(tmp_path / "ds")
    again = import_pictures([messy], tmp_path / "ds")
    assert again.added == []
    assert again.captions_added == []
    assert listing(tmp_path / "ds") == before


def test_a_pile_of_photographs_and_nothing_of_it_is_changed(tmp_path):
    pile = make_pile(tmp_path / "pile")
    before = {path: path.read_bytes() for path in (tmp_path / "pile").iterdir()}
    report = import_pictures([tmp_path / "pile"], tmp_path / "ds", verify=True)
    assert {Path(name).stem for name, why in reasons(report).items() if why == "unreadable"} == set(UNREADABLE)
    assert len(report.added) == len(pile) - len(UNREADABLE)
    assert {path: path.read_bytes() for path in (tmp_path / "pile").iterdir()} == before
    assert listing(tmp_path / "ds")["rocket.txt"] == pile["rocket"].with_suffix(".txt").read_bytes()
    header_only = import_pictures([tmp_path / "pile"], tmp_path / "other")
    assert reasons(header_only) == {"pile/text.png": "unreadable"}


@pytest.mark.parametrize("make", [make_zip, make_tar, lambda path, files: make_tar(path, files, "gz")])
def test_evil_archives_write_nothing_outside(tmp_path, make):
    evil = {"../out.png": png(1), "/abs.png": png(2), "a/../../b.png": png(3), "C:\\win.png": png(4), "good/ok.png": png(5)}
    (tmp_path / "in").mkdir()
    pile = make(tmp_path / "in" / "pile.bin", evil)
    report = import_pictures([pile], tmp_path / "work" / "ds")
    assert list(listing(tmp_path / "work" / "ds")) == ["ok.png"]
    assert sorted(reasons(report).values()) == ["refused"] * 4
    assert {path.name for path in tmp_path.rglob("*.png")} == {"ok.png"}


def test_names_that_some_system_takes_for_one_stay_two(tmp_path):
    nfc, nfd = unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")
    files = {
        "Cat.png": png(1), "cat.png": png(2), "cat.jpg": png(3), "sub/cat.png": png(4), f"{nfc}.png": png(5), f"{nfd}.png": png(6),
        "Cat.txt": b"one", "cat.txt": b"two", "sub/cat.txt": b"four", f"{nfd}.txt": b"six", "my cat.png": png(7), "my_cat.png": png(8),
    }  # fmt: skip
    report = import_pictures([make_zip(tmp_path / "pile.zip", files)], tmp_path / "ds")
    assert len(report.added) == 8
    contents = open_folder(tmp_path / "ds")
    said = {one.path.read_bytes(): one.caption for one in contents.pictures}
    assert [said[png(n)] for n in range(1, 9)] == ["one", "two", "two", "four", None, "six", None, None]
    assert len({unicodedata.normalize("NFC", one.path.stem.casefold()) for one in contents.pictures}) == 8
    assert any("outside ASCII" in note for note in report.notes)


def test_a_name_twice_in_one_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "pile.zip", "w") as archive:
        archive.writestr("a.png", png(1))
        archive.writestr("a.png", png(2))
    import_pictures([tmp_path / "pile.zip"], tmp_path / "ds")
    assert listing(tmp_path / "ds") == {"a.png": png(1), "a_2.png": png(2)}


def test_folders_with_repeats_keep_them_and_their_regularisation(tmp_path):
    pile = write(tmp_path / "pile", {
        "img/10_anna, red hat/1.png": png(1), "img/10_anna, red hat/1.txt": b"anna, hat", "img/3_bert/1.png": png(1),
        "reg/1_woman/r.png": png(2), "loose.png": png(3),
    })  # fmt: skip
    import_pictures([pile], tmp_path / "ds")
    assert set(listing(tmp_path / "ds")) == {
        "10_anna, red hat/1.png", "10_anna, red hat/1.txt", "3_bert/1.png", "regularisation/1_woman/r.png", "1_ds/loose.png"
    }  # fmt: skip
    contents = open_folder(tmp_path / "ds")
    assert {(one.folder, one.repeats) for one in contents.pictures} == {("10_anna, red hat", 10), ("3_bert", 3), ("1_ds", 1)}
    (tmp_path / "ds" / "10_anna, red hat").rename(tmp_path / "ds" / "2_anna, red hat")  # repeats are changed, the pile is the same
    assert import_pictures([pile], tmp_path / "ds").added == []


def test_folders_with_repeats_do_not_mix_with_loose_pictures(tmp_path):
    import_pictures([write(tmp_path / "a", {"x.png": png(1)})], tmp_path / "ds")
    with pytest.raises(DatasetError, match="lorasmith layout"):
        import_pictures([write(tmp_path / "b", {"5_anna/y.png": png(2)})], tmp_path / "ds")
    import_pictures([write(tmp_path / "c", {"y.png": png(2)})], tmp_path / "ds2", concept="anna", repeats=4)
    assert list(listing(tmp_path / "ds2")) == ["4_anna/y.png"]


def test_captions_of_both_kinds_come_byte_for_byte_and_a_late_one_is_added(tmp_path):
    odd = b"\xef\xbb\xbfone, two\r\n\r\n caf\xe9  "
    pile = write(
        tmp_path / "pile", {"a.png": png(1), "a.txt": odd, "a.caption": b"\0x", "b.jpeg": png(2), "c.png": png(3), "c.png.txt": b"c"}
    )
    import_pictures([pile], tmp_path / "ds")
    assert listing(tmp_path / "ds") == {
        "a.png": png(1), "a.txt": odd, "a.caption": b"\0x", "b.jpeg": png(2), "c.png": png(3), "c.txt": b"c"
    }  # fmt: skip
    write(pile, {"b.txt": b"late", "a.txt": b"changed"})
    again = import_pictures([pile], tmp_path / "ds")
    assert [path.name for path in again.captions_added] == ["b.txt"]
    assert listing(tmp_path / "ds")["a.txt"] == odd
    assert any("a.png" in left.subjects[0] and "is left out" in left.message for left in again.left_out)


def test_a_picture_without_its_ending_is_known_by_its_bytes(tmp_path):
    pile = write(tmp_path / "pile", {"download": png(1), "x.jfif": b"\xff\xd8\xff", "notes.docx": b"PK", "big.npz": b"PK", "in.zip": b"PK"})
    report = import_pictures([pile], tmp_path / "ds")
    assert list(listing(tmp_path / "ds")) == ["download.png"]
    assert reasons(report) == {
        "pile/x.jfif": "unreadable", "pile/notes.docx": "unknown_file", "pile/big.npz": "unknown_file", "pile/in.zip": "archive_inside"
    }  # fmt: skip


def test_a_single_picture_comes_with_its_caption(tmp_path):
    pile = write(tmp_path / "5_anna", {"a.png": png(1), "a.txt": b"x", "b.png": png(2)})
    import_pictures([pile / "a.png"], tmp_path / "ds")
    assert set(listing(tmp_path / "ds")) == {"5_anna/a.png", "5_anna/a.txt"}


def test_the_dataset_file_of_sd_scripts(tmp_path):
    write(
        tmp_path,
        {"img/one/a.png": png(1), "img/one/a.caption": b"a", "img/one/a.txt": b"no", "reg/r.png": png(2), "img/one/deep/x.png": png(9)},
    )
    toml = tmp_path / "dataset.toml"
    toml.write_text(
        '[general]\nshuffle_caption = true\ncaption_extension = ".caption"\n[[datasets]]\nresolution = 512\nnum_repeats = 7\n'
        '[[datasets.subsets]]\nimage_dir = "img/one"\nclass_tokens = "anna girl"\n'
        '[[datasets.subsets]]\nimage_dir = "reg"\nis_reg = true\nnum_repeats = 1\n[[datasets.subsets]]\nimage_dir = "gone"\n'
    )
    report = import_pictures([toml], tmp_path / "ds")
    assert set(listing(tmp_path / "ds")) == {"7_anna girl/a.png", "7_anna girl/a.caption", "regularisation/1_reg/r.png"}
    said = " ".join(str(left) for left in report.left_out)
    assert "shuffle_caption" in said
    assert "resolution" in said
    assert "gone" in said


def test_the_metadata_of_fine_tuning(tmp_path):
    write(tmp_path, {"pics/a.png": png(1), "pics/a.txt": b"not this", "pics/b.jpg": png(2)})
    meta = tmp_path / "meta.json"
    meta.write_text(
        json.dumps({"pics/a.png": {"caption": "a cat", "tags": "cat, sofa"}, str(tmp_path / "pics" / "b"): {"tags": "dog"}, "pics/c": {}})
    )
    report = import_pictures([meta], tmp_path / "ds")
    assert listing(tmp_path / "ds") == {"a.png": png(1), "a.txt": b"a cat, cat, sofa", "b.jpg": png(2), "b.txt": b"dog"}
    assert reasons(report) == {f"{tmp_path.name}/meta.json, entry pics/c": "missing", "pics/a.txt": "caption_not_used"}
    lines = tmp_path / "metadata.jsonl"
    lines.write_text('{"file_name": "pics/a.png", "text": "größer"}\n', "utf-8")
    import_pictures([lines], tmp_path / "ds2")
    assert listing(tmp_path / "ds2")["a.txt"] == "größer".encode()


def test_bad_sources_are_one_sentence_and_make_nothing(tmp_path):
    odd = {
        "general.toml": b"general = []\n[[datasets]]",
        "subsets.toml": b"[[datasets]]\nsubsets = 3",
        "subset.toml": b"[[datasets]]\nsubsets = [3]",
    }
    write(tmp_path, odd | {"bad.toml": b"= 1", "plain.toml": b"a = 1", "list.json": b"[]", "map.json": b'{"a": 1}', "no.zip": b"PK\3\4"})
    for name in (*odd, "bad.toml", "plain.toml", "list.json", "map.json", "no.zip", "missing"):
        with pytest.raises(DatasetError, match=name):
            import_pictures([tmp_path / name], tmp_path / "ds")
    assert not (tmp_path / "ds").exists()
    with pytest.raises(DatasetError, match="is a file"):
        import_pictures([tmp_path], tmp_path / "no.zip")
    import_pictures([write(tmp_path / "a", {"x.png": png(1)})], tmp_path / "a" / "ds")
    with pytest.raises(InputError, match="dataset itself"):
        import_pictures([tmp_path / "a" / "ds"], tmp_path / "a" / "ds")
    again = import_pictures([tmp_path / "a"], tmp_path / "a" / "ds")  # the dataset in the pile is no part of the pile
    assert reasons(again) == {"a/x.png": "already_there"}


def test_links_instead_of_copies(tmp_path):
    pile = write(tmp_path / "pile", {"a.png": png(1)})
    import_pictures([pile], tmp_path / "ds", link=True)
    assert os.path.samefile(pile / "a.png", tmp_path / "ds" / "a.png")


def test_links_in_a_folder_do_not_lead_in_circles(tmp_path):
    pile = write(tmp_path / "pile", {"a.png": png(1), ".git/x.png": png(2)})
    (pile / "round").symlink_to(pile)
    (pile / "nowhere.png").symlink_to(tmp_path / "nothing")
    os.mkfifo(pile / "pipe.png")
    report = import_pictures([pile], tmp_path / "ds")
    assert list(listing(tmp_path / "ds")) == ["a.png"]
    assert reasons(report) == {
        "pile/round": "refused",
        "pile/nowhere.png": "refused",
        "pile/pipe.png": "refused",
        "pile/.git": "system_file",
    }


def test_a_stop_leaves_a_valid_dataset_and_the_next_import_goes_on(tmp_path):
    pile = write(tmp_path / "pile", {f"{n}.png": png(n) for n in range(9)} | {f"{n}.txt": b"x" for n in range(9)})
    done = []
    report = import_pictures([pile], tmp_path / "ds", progress=lambda n, of: done.append((n, of)), cancelled=lambda: len(done) == 4)
    assert report.stopped
    assert done == [(n, 9) for n in range(1, 5)]
    assert len(open_folder(tmp_path / "ds").pictures) == 4
    assert len(import_pictures([pile], tmp_path / "ds").added) == 5
    assert len(listing(tmp_path / "ds")) == 18


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_kill_leaves_a_valid_dataset_and_the_next_import_completes_it(tmp_path, kind):
    files = {f"{n}.png": png(n) for n in range(400)} | {f"{n}.txt": f"caption {n}".encode() for n in range(400)}
    pile = write(tmp_path / "pile", files) if kind == "folder" else make_zip(tmp_path / "pile.zip", files)
    program = (
        "import time; from pathlib import Path; from lorasmith.curation.imports.imports import import_pictures\n"
        f"import_pictures([Path({str(pile)!r})], Path({str(tmp_path / 'ds')!r}),"
        " progress=lambda done, of: time.sleep(600 if done == 200 else 0))"  # however busy the machine is, it is killed in the middle
    )
    child = subprocess.Popen([sys.executable, "-c", program])
    while child.poll() is None and len(list((tmp_path / "ds").glob("*.png"))) < 50:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    contents = open_folder(tmp_path / "ds")
    assert 50 <= len(contents.pictures) < 400
    assert all(one.caption == f"caption {one.path.stem}" for one in contents.pictures)
    import_pictures([pile], tmp_path / "ds")
    assert listing(tmp_path / "ds") == files


def test_an_import_cut_short_between_caption_picture_and_record_is_completed(tmp_path):
    pile = write(tmp_path / "pile", {"a.png": png(1), "a.txt": b"a", "b.png": png(2), "b.txt": b"b", "c.png": png(3)})
    dataset = write(tmp_path / "ds", {"a.txt": b"a", "b.png": png(2), "b.txt": b"b", "c.txt": b"of another c"})
    write(dataset, {".lorasmith/incoming/copy.png": b"half", ".lorasmith/imported.jsonl": b'{"content": "12'})
    report = import_pictures([pile], dataset)
    assert {one.path.name for one in report.added} == {"a.png", "c_2.png"}
    assert listing(dataset).keys() == {"a.png", "a.txt", "b.png", "b.txt", "c_2.png", "c.txt"}
    assert not (dataset / ".lorasmith" / "incoming").exists()


def test_two_imports_at_once_do_not_mix(tmp_path):
    pile = write(tmp_path / "pile", {"a.png": png(1)})
    import_pictures([pile], tmp_path / "ds")

    def second(done, of):
        with pytest.raises(DatasetError, match="being changed"):
            import_pictures([pile], tmp_path / "ds")

    import_pictures([pile], tmp_path / "ds", progress=second)


def test_pictures_that_are_there_already_are_not_hashed_again(tmp_path, monkeypatch):
    write(tmp_path / "pile", {f"{n}.png": png(n) for n in range(20)})
    import_pictures([tmp_path / "pile"], tmp_path / "ds")
    hashed = []
    for room in (placing, bringing):
        monkeypatch.setattr(room, "content_hash", lambda path: hashed.append(Path(path)) or content_hash(path))
    report = import_pictures([tmp_path / "pile"], tmp_path / "ds")
    assert len(report.left_out) == 20
    assert sorted(hashed) == sorted((tmp_path / "pile").iterdir())  # those that come, not those in the dataset


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("image_dir = 'pile'\nnum_repeats = 0", "num_repeats = 0, which is not 1 or more"), ("image_dir = 'pile'\nnum_repeats = 'many'", "num_repeats = 'many'"),
        ("image_dir = 'pile/a.png'", "which is no folder"), (f"image_dir = '{'x' * 5000}'", "does not exist"),
    ],
)  # fmt: skip
def test_a_subset_that_cannot_be_taken_is_named_and_the_others_come(tmp_path, options, said):
    write(tmp_path, {"pile/a.png": png(1), "other/b.png": png(2)})
    toml = tmp_path / "dataset.toml"
    toml.write_text(f"[[datasets]]\n[[datasets.subsets]]\n{options}\n[[datasets.subsets]]\nimage_dir = 'other'\nclass_tokens = ['b']\n")
    report = import_pictures([toml], tmp_path / "ds")
    assert [one.path.relative_to(tmp_path / "ds").as_posix() for one in report.added] == ["1_other/b.png"]
    assert any(said in left.message for left in report.left_out)


def test_a_row_with_a_picture_where_its_name_should_be_costs_no_other(tmp_path):
    write(
        tmp_path,
        {
            "pile/a.png": png(1),
            "pile/rows.jsonl": b'{"image": "' + b"aGVsbG8" * 2000 + b'", "text": "x"}\n{"image": "a.png", "text": "a cat"}\n',
        },
    )
    report = import_pictures([tmp_path / "pile" / "rows.jsonl"], tmp_path / "ds")
    assert [one.path.name for one in report.added] == ["a.png"]
    (left,) = report.left_out
    assert "there is no such picture" in left.message
    assert len(left.message) < 500
