"""Masks come into a dataset with their pictures, whatever trainer they were made for."""

import io
import zipfile

import pytest
from PIL import Image

from lorasmith.curation.export import export
from lorasmith.curation.imports.imports import import_pictures
from tests.curation.imports.test_imports import listing, png, reasons, write


def painted(mode="L", kind="PNG", background=0, paint=255):
    """A mask: the left half of a picture counts."""
    image = Image.new(mode, (16, 12), background)
    image.paste(paint, (0, 0, 8, 12))
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


MASK = painted()
HABITS = {
    "OneTrainer, beside the picture": {"cat.png": png(1), "cat-masklabel.png": MASK},
    "a folder of masks inside": {"cat.png": png(1), "masks/cat.png": MASK},
    "the same with one of pictures": {"images/cat.png": png(1), "mask/cat.png": MASK},
    "letters of another case": {"Cat.png": png(1), "Masks/cat.png": MASK},
    "white paint on a clear ground": {"cat.png": png(1), "masks/cat.png": painted("RGBA", background=(255, 255, 255, 0), paint=(255, 255, 255, 255))},
    "grey in three channels": {"cat.png": png(1), "masks/cat.png": painted("RGB", background=(0, 0, 0), paint=(255, 255, 255))},
}  # fmt: skip


@pytest.mark.parametrize("habit", HABITS)
def test_the_mask_of_a_picture_comes_in_beside_it(tmp_path, habit):
    files = HABITS[habit]
    report = import_pictures([write(tmp_path / "pile", files)], tmp_path / "ds")
    (picture, mask) = files.values()
    (name,) = (one.path.name for one in report.added)
    stem = name.removesuffix(".png")
    assert listing(tmp_path / "ds") == {name: picture, f"{stem}-masklabel.png": mask}
    assert report.masks_added == [tmp_path / "ds" / f"{stem}-masklabel.png"]
    assert report.left_out == []


def test_masks_beside_concepts_and_in_an_archive(tmp_path):
    files = {
        "set/img/10_anna/a.png": png(1),
        "set/img/2_bert/a.png": png(2),
        "set/masks/10_anna/a.png": MASK,
        "set/masks/2_bert/a.png": painted(paint=99),
    }
    with zipfile.ZipFile(tmp_path / "pile.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    import_pictures([tmp_path / "pile.zip"], tmp_path / "ds")
    assert listing(tmp_path / "ds") == {
        "10_anna/a.png": png(1), "10_anna/a-masklabel.png": MASK, "2_bert/a.png": png(2), "2_bert/a-masklabel.png": painted(paint=99),
    }  # fmt: skip


def test_a_mask_in_another_format_becomes_a_png(tmp_path):
    import_pictures(
        [write(tmp_path / "pile", {"cat.png": png(1), "masks/cat.jpg": painted("RGB", "JPEG", (0, 0, 0), (255, 255, 255))})],
        tmp_path / "ds",
    )
    with Image.open(tmp_path / "ds" / "cat-masklabel.png") as mask:
        assert (mask.mode, mask.size) == ("L", (16, 12))
        assert mask.getpixel((2, 6)) > 240 > 15 > mask.getpixel((13, 6))


def test_pictures_of_masks_are_pictures(tmp_path):
    """The folder's name alone decides nothing: these are what is learnt, and have the names of no others, or colours."""
    files = {"hats/1.png": png(1), "masks/1.png": png(2), "masks/2.png": MASK, "1.png": png(3)}
    report = import_pictures([write(tmp_path / "pile", files)], tmp_path / "ds")
    assert len(report.added) == 4
    assert report.masks_added == []


def test_a_mask_that_leaves_nothing_out_is_none(tmp_path):
    import_pictures([write(tmp_path / "pile", {"cat.png": png(1), "masks/cat.png": painted(background=255)})], tmp_path / "ds")
    assert listing(tmp_path / "ds") == {"cat.png": png(1)}


def test_what_masks_no_picture_or_cannot_be_read_is_named(tmp_path):
    files = {"cat.png": png(1), "dog-masklabel.png": MASK, "cat-condlabel.png": png(2), "eel.png": png(3), "eel-masklabel.png": b"torn"}
    report = import_pictures([write(tmp_path / "pile", files)], tmp_path / "ds")
    assert listing(tmp_path / "ds") == {"cat.png": png(1), "eel.png": png(3)}
    assert reasons(report) == {"pile/dog-masklabel.png": "mask", "pile/cat-condlabel.png": "mask", "pile/eel.png": "mask"}


def test_a_mask_made_later_comes_to_the_picture_that_is_there_and_replaces_none(tmp_path):
    pile = write(tmp_path / "pile", {"cat.png": png(1)})
    import_pictures([pile], tmp_path / "ds")
    write(pile, {"cat-masklabel.png": MASK})
    assert import_pictures([pile], tmp_path / "ds").masks_added == [tmp_path / "ds" / "cat-masklabel.png"]
    write(pile, {"cat-masklabel.png": painted(paint=9)})
    assert import_pictures([pile], tmp_path / "ds").masks_added == []
    assert listing(tmp_path / "ds") == {"cat.png": png(1), "cat-masklabel.png": MASK}


def test_a_single_picture_brings_its_mask(tmp_path):
    pile = write(tmp_path / "pile", {"cat.png": png(1), "cat-masklabel.png": MASK, "dog.png": png(2)})
    import_pictures([pile / "cat.png"], tmp_path / "ds")
    assert listing(tmp_path / "ds") == {"cat.png": png(1), "cat-masklabel.png": MASK}


@pytest.mark.parametrize("source", ["out", "out/dataset.toml"])
def test_what_was_exported_with_masks_comes_back_with_them(tmp_path, source):
    files = {"10_anna/a.png": png(1), "10_anna/a-masklabel.png": MASK, "10_anna/b.png": png(2)}
    import_pictures([write(tmp_path / "pile", files)], tmp_path / "ds")
    export(tmp_path / "ds", tmp_path / "out", "sd-scripts")
    import_pictures([tmp_path / source], tmp_path / "back")
    assert set(listing(tmp_path / "back")) == set(files)
    with Image.open(tmp_path / "back" / "10_anna" / "a-masklabel.png") as mask:
        assert mask.tobytes() == Image.open(io.BytesIO(MASK)).tobytes()


def test_masks_that_a_toml_names_and_that_are_not_there_are_named(tmp_path):
    write(tmp_path / "pile", {"img/a.png": png(1), "cond/a.png": png(2)})
    (tmp_path / "one.toml").write_text('[[datasets]]\n[[datasets.subsets]]\nimage_dir = "pile/img"\nconditioning_data_dir = "pile/gone"\n')
    assert reasons(import_pictures([tmp_path / "one.toml"], tmp_path / "ds")) == {"one.toml/pile/gone": "missing"}
    (tmp_path / "two.toml").write_text('[[datasets]]\n[[datasets.subsets]]\nimage_dir = "pile/img"\nconditioning_data_dir = "pile/cond"\n')
    assert reasons(import_pictures([tmp_path / "two.toml"], tmp_path / "ds2")) == {"cond/a.png": "mask"}
