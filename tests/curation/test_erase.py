"""Regions are erased from pictures; masks beside the pictures leave them out of training, and follow every other mend."""

import base64
import io
import shutil

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lorasmith.curation.chosen_pictures import dataset_pictures
from lorasmith.curation.mend import carry_out
from lorasmith.curation.mend.mend import alone_in, mend, redo_what_was_done_at, replay, undo, undo_what_was_done_at
from lorasmith.curation.mend.proposals import propose
from lorasmith.curation.mend.recipes import recipes
from lorasmith.curation.moves import make_moves
from lorasmith.datasets.settings import BucketSettings, DatasetSettings
from lorasmith.datasets.training_set import open_training_set
from lorasmith.errors import DatasetError, InputError
from lorasmith.findings import MendChange
from tests.command_line import lorasmith
from tests.curation.imports.test_imports import listing
from tests.photographs import photograph

BOX = (100, 100, 190, 130)


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """A cat with a signature, and its caption; a cup of coffee."""
    folder = tmp_path_factory.mktemp("signed")
    cat = photograph("chelsea").resize((226, 150))
    ImageDraw.Draw(cat).text((104, 108), "sample.net", fill="white")
    cat.save(folder / "cat.jpg", quality=90)
    (folder / "cat.txt").write_text("a cat")
    photograph("coffee").resize((120, 80)).save(folder / "coffee.png")
    return folder


@pytest.fixture
def dataset(signed, tmp_path):
    return shutil.copytree(signed, tmp_path / "ds")


def do(root, *changes, only=("cat*",)):
    return mend(root, propose(root, dataset_pictures(root, only), list(changes)))


def erase(**parameters):
    return MendChange("erase", parameters)


def mask_of(root, name):
    return np.asarray(Image.open(root / f"{name}-masklabel.png"))


def drawn(size, *boxes):
    mask = np.full(size[::-1], 255, np.uint8)
    for left, top, right, bottom in boxes:
        mask[top:bottom, left:right] = 0
    return mask


def test_an_erased_region_is_left_out_of_training_until_it_is_undone(dataset):
    before = listing(dataset)
    (mended,) = do(dataset, erase(boxes=[BOX]))
    assert (mended.problem, mended.words) == ("", "erased 90 x 30 at 100,100")
    assert set(listing(dataset)) == {"cat.png", "cat.txt", "cat-masklabel.png", "coffee.png"}
    assert np.array_equal(mask_of(dataset, "cat"), drawn((226, 150), BOX))
    was, now = (np.asarray(Image.open(file).convert("RGB")).astype(int) for file in (io.BytesIO(before["cat.jpg"]), dataset / "cat.png"))
    assert np.array_equal(was[:100], now[:100])
    assert was[100:130, 100:190].max() > 250 > now[100:130, 100:190].max()  # no letter is white any more
    opened = open_training_set([DatasetSettings(path=dataset)], BucketSettings(resolution=128, min_bucket_reso=64))
    assert [item.picture.path.name for item in opened.pictures if item.masks] == ["cat.png"]
    undo(dataset)
    assert listing(dataset) == before
    assert not list((dataset / ".lorasmith" / "originals").rglob("*.*"))


def test_the_mask_follows_what_is_done_to_the_picture_afterwards(dataset):
    do(dataset, erase(boxes=[BOX]))
    do(dataset, MendChange("crop", {"box": (50, 60, 200, 150)}), MendChange("flip"))
    mirrored = drawn((150, 90), (50, 40, 140, 70))[:, ::-1]
    assert np.array_equal(mask_of(dataset, "cat"), mirrored)
    do(dataset, MendChange("rotate", {"degrees": 90}), MendChange("clean"))
    assert np.array_equal(mask_of(dataset, "cat"), np.rot90(mirrored, -1))
    do(dataset, MendChange("max", {"pixels": 75}))
    assert mask_of(dataset, "cat").shape == (75, 45)
    undo(dataset, recipes(dataset), steps=1)
    assert np.array_equal(mask_of(dataset, "cat"), np.rot90(mirrored, -1))
    do(dataset, MendChange("crop", {"box": (0, 0, 10, 10)}))
    assert not (dataset / "cat-masklabel.png").exists()  # nothing of what is left was erased


def own_mask(root, name="cat-masklabel.png", size=(226, 150)):
    """A mask as people paint it: the left half counts; mode RGBA, white on clear."""
    painted = Image.new("RGBA", size, (0, 0, 0, 0))
    painted.paste((255, 255, 255, 255), (0, 0, size[0] // 2, size[1]))
    painted.save(root / name)


def test_a_mask_of_the_users_own_follows_and_comes_back_byte_for_byte(dataset):
    own_mask(dataset)
    before = listing(dataset)
    do(dataset, erase(boxes=[(50, 10, 70, 30)]), MendChange("rotate", {"degrees": 180}))
    wanted = drawn((226, 150), (113, 0, 226, 150), (50, 10, 70, 30))[::-1, ::-1]
    assert np.array_equal(mask_of(dataset, "cat"), wanted)
    undo(dataset)
    assert listing(dataset) == before


def test_a_mask_of_half_the_size_follows_as_it_is_trained_with(dataset):
    own_mask(dataset, size=(113, 75))
    do(dataset, MendChange("crop", {"box": (0, 0, 226, 75)}))
    mask = mask_of(dataset, "cat")
    assert mask.shape == (75, 226)
    assert (mask[:, :108].min(), mask[:, 118:].max()) == (255, 0)


def test_a_mask_of_another_shape_is_named_and_nothing_is_changed(dataset):
    own_mask(dataset, size=(100, 100))
    before = listing(dataset)
    (mended,) = do(dataset, MendChange("flip"))
    assert "cat-masklabel.png is 100 x 100 pixels and its picture 226 x 150, so it cannot follow it" in mended.problem
    assert listing(dataset) == before


def test_a_mask_that_was_changed_or_removed_by_hand_is_the_new_beginning(dataset):
    before = listing(dataset)
    do(dataset, erase(boxes=[BOX]))
    (dataset / "cat-masklabel.png").unlink()
    do(dataset, MendChange("flip"))
    assert not (dataset / "cat-masklabel.png").exists()
    undo(dataset)
    assert listing(dataset) == before


def test_each_picture_that_is_cut_out_has_its_part_of_the_mask(dataset):
    before = listing(dataset)
    do(dataset, erase(boxes=[BOX]))
    do(dataset, MendChange("cut", {"boxes": [(0, 0, 90, 150), (90, 0, 226, 150)]}))
    assert "cat_1-masklabel.png" not in listing(dataset)
    assert np.array_equal(mask_of(dataset, "cat_2"), drawn((136, 150), (10, 100, 100, 130)))
    assert "cat-masklabel.png" not in listing(dataset)
    undo(dataset)
    assert listing(dataset) == before


def test_the_mask_of_a_removed_picture_goes_to_the_bin_and_comes_back(dataset):
    do(dataset, erase(boxes=[BOX]))
    before = listing(dataset)
    do(dataset, MendChange("remove"))
    assert set(listing(dataset)) == {"coffee.png"}
    undo(dataset, steps=1)
    assert listing(dataset) == before


def test_masks_move_with_their_pictures_and_still_come_off(dataset):
    do(dataset, erase(boxes=[BOX]))
    make_moves(dataset, [("cat.png", "5_cat/tom.png")])
    assert {"5_cat/tom.png", "5_cat/tom.txt", "5_cat/tom-masklabel.png"} <= set(listing(dataset))
    undo(dataset)
    assert {name for name in listing(dataset) if "cof" not in name} == {"5_cat/tom.jpg", "5_cat/tom.txt"}


def test_a_mask_that_is_lost_is_made_again(dataset):
    do(dataset, erase(boxes=[BOX]))
    after = listing(dataset)
    (dataset / "cat-masklabel.png").unlink()
    replay(dataset, recipes(dataset))
    assert listing(dataset) == after


@pytest.mark.parametrize("undoing", [False, True])
@pytest.mark.parametrize("files", [0, 1, 2])
def test_what_is_interrupted_between_picture_and_mask_is_finished(dataset, monkeypatch, files, undoing):
    own_mask(dataset)
    before = listing(dataset)
    do(dataset, erase(boxes=[BOX]))
    after = listing(dataset)
    if not undoing:
        undo(dataset)
    real, written = carry_out.write_whole, []

    def killed(root, path, data):
        if len(written) == files:
            raise KeyboardInterrupt
        written.append(path)
        real(root, path, data)

    monkeypatch.setattr(carry_out, "write_whole", killed)
    if files < 2:
        with pytest.raises(KeyboardInterrupt):
            undo(dataset) if undoing else do(dataset, erase(boxes=[BOX]))
    else:
        undo(dataset) if undoing else do(dataset, erase(boxes=[BOX]))
    monkeypatch.setattr(carry_out, "write_whole", real)
    with alone_in(dataset):
        pass
    assert listing(dataset) == (before if undoing else after)
    undo(dataset)
    assert listing(dataset) == before


def test_an_erased_region_comes_back_and_goes_again(dataset):
    own_mask(dataset)
    before = listing(dataset)
    do(dataset, erase(boxes=[BOX]))
    after = listing(dataset)
    at = recipes(dataset)[0].steps[0].at
    undo_what_was_done_at(dataset, at)
    assert listing(dataset) == before
    redo_what_was_done_at(dataset, at)
    assert listing(dataset) == after
    undo_what_was_done_at(dataset, at)
    (dataset / "cat-masklabel.png").unlink()
    with pytest.raises(DatasetError, match="or its mask is not what it was"):
        redo_what_was_done_at(dataset, at)


def test_two_pictures_of_one_name_cannot_have_one_mask(dataset):
    shutil.copy(dataset / "coffee.png", dataset / "cat.webp")
    before = listing(dataset)
    (mended,) = do(dataset, erase(boxes=[BOX]), only=["cat.jpg"])
    assert "cat.webp would have the mask of cat.png, too" in mended.problem
    assert listing(dataset) == before


def test_what_is_painted_comes_as_bytes_or_as_json(dataset):
    painted = Image.new("RGBA", (226, 150), (0, 0, 0, 0))
    ImageDraw.Draw(painted).line((104, 114, 150, 114), fill="white", width=3)
    buffer = io.BytesIO()
    painted.save(buffer, "PNG")
    for given in (buffer.getvalue(), base64.b64encode(buffer.getvalue()).decode()):
        (mended,) = do(dataset, erase(painted=given, polygons=[[(0, 0), (9, 0), (0, 9)]], method="ns"))
        assert mended.words == "erased 1 region and what was painted"
        assert set(np.unique(mask_of(dataset, "cat"))) == {0, 255}
        assert mask_of(dataset, "cat")[114, 104:150].max() == 0
        undo(dataset)
    (proposal,) = propose(dataset, [dataset / "coffee.png"], [erase(painted=buffer.getvalue())])
    assert "The painted region is 226 x 150 pixels and the picture 120 x 80" in proposal.problem


@pytest.mark.parametrize(
    ("parameters", "why_not"),
    [
        ({"boxes": [(300, 0, 400, 9)]}, "a box is outside its 226 x 150 pixels"),
        ({"boxes": [(-9, -9, 400, 400)]}, "the region is all of it, and nothing would be left to train on"),
        ({"polygons": [[(300, 0), (400, 0), (400, 9)]]}, "no pixel of it is in the region"),
    ],
)
def test_a_region_that_is_nothing_or_everything_is_said(dataset, parameters, why_not):
    (proposal,) = propose(dataset, [dataset / "cat.jpg"], [erase(**parameters)])
    assert (proposal.steps, proposal.why_not) == ((), (why_not,))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "needs a region: boxes, polygons or a painted PNG"),
        ({"painted": "no base64!"}, "painted: value error, it is not base64"),
        ({"boxes": [(1, 2, 3)]}, r"cannot be done with .*boxes\.0\.3: field required"),
        ({"method": "magic", "boxes": [BOX]}, "method: input should be 'telea' or 'ns'"),
    ],
)
def test_parameters_that_say_no_region_are_refused(dataset, parameters, words):
    with pytest.raises(InputError, match=words):
        propose(dataset, [dataset / "cat.jpg"], [erase(**parameters)])


def test_the_command_line_erases_boxes_and_what_is_painted(dataset, tmp_path):
    paint = Image.new("L", (226, 150))
    paint.paste(255, (0, 0, 4, 4))
    paint.save(tmp_path / "marks.png")
    done = lorasmith("mend", dataset, "--only", "cat.jpg", "--erase", "100,100,190,130", "--erase-painted", tmp_path / "marks.png")
    assert done.stdout == "cat.jpg: erased 1 region and what was painted, now cat.png\n1 picture changed\n"
    assert np.array_equal(mask_of(dataset, "cat"), drawn((226, 150), BOX, (0, 0, 4, 4)))
    assert "is '1,2', but must be four numbers of pixels" in lorasmith("mend", dataset, "--only", "cat.png", "--erase", "1,2").stderr
    assert "--erase" in lorasmith("mend", dataset, "--erase", "0,0,9,9").stderr  # for chosen pictures alone
    assert "cannot be opened" in lorasmith("mend", dataset, "--only", "cat.png", "--erase-painted", tmp_path / "nothing.png").stderr
