"""Pictures are mended, and every mend can be listed, undone to the last byte, and made again."""

import io
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lorasmith import atomic
from lorasmith.curation.audit.dataset import audit_dataset
from lorasmith.curation.audit.kinds import KINDS
from lorasmith.curation.chosen_pictures import dataset_pictures
from lorasmith.curation.layout import lay_out, plan_layout
from lorasmith.curation.mend import carry_out
from lorasmith.curation.mend import mend as mending
from lorasmith.curation.mend import recipes as recipes_of_a_dataset
from lorasmith.curation.mend.mend import alone_in, mend, redo_what_was_done_at, replay, undo, undo_what_was_done_at
from lorasmith.curation.mend.proposals import check_changes, propose
from lorasmith.curation.mend.recipes import kept_recipes, recipes
from lorasmith.curation.mend.sheet import before_and_after
from lorasmith.curation.mend.steps import Rotate
from lorasmith.curation.mend.ways import WAYS
from lorasmith.datasets.folders import open_folder
from lorasmith.errors import DatasetError, InputError
from lorasmith.findings import MendChange
from lorasmith.images.clean import clean_by_filters, clean_by_scaling, guided_filter
from lorasmith.images.read import read_picture
from tests.curation.imports.test_imports import listing
from tests.listings import counting_listings
from tests.photographs import photograph


def sheet_of_views():
    sheet = Image.new("RGB", (430, 220), "white")
    for n, name in enumerate(("astronaut", "coffee")):
        sheet.paste(photograph(name).resize((200, 200)), (10 + n * 210, 10))
    return sheet


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A dataset with one picture of each kind of trouble, and captions."""
    folder = tmp_path_factory.mktemp("sound")
    cat = photograph("chelsea").resize((226, 150))
    cat.save(folder / "cat.jpg", quality=90)
    barred = Image.new("RGB", (226, 190), "black")
    barred.paste(cat, (0, 20))
    barred.save(folder / "bars.png")
    margins = Image.new("RGB", (400, 300), (240, 240, 236))
    margins.paste(photograph("coffee").resize((90, 60)), (200, 180))
    margins.save(folder / "margins.png")
    sheet_of_views().save(folder / "sheet.png")
    clear = cat.convert("RGBA")
    clear.putalpha(Image.new("L", cat.size, 0))
    clear.paste(cat.crop((60, 30, 160, 130)), (60, 30))
    clear.save(folder / "clear.webp", lossless=True)
    lying = Image.Exif()
    lying[0x0112] = 6
    cat.transpose(Image.Transpose.ROTATE_90).save(folder / "lying.jpeg", exif=lying)
    for name in ("cat", "bars", "sheet", "clear", "lying"):
        (folder / f"{name}.txt").write_bytes(f"{name}, größer\r\n".encode())
    (folder / "sheet.caption").write_bytes(b"\xff other")
    return folder


@pytest.fixture
def dataset(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "ds")


def do(root, *changes, only=()):
    return mend(root, propose(root, dataset_pictures(root, only), list(changes)))


def sizes(root):
    return {path.name: read_picture(path).size for path in dataset_pictures(root)}


def test_bars_are_trimmed_and_nothing_else_is_touched(dataset):
    before = listing(dataset)
    proposals = propose(dataset, dataset_pictures(dataset), [MendChange("bars")])
    assert {one.path.name: one.after for one in proposals if one.steps} == {"bars.png": ((226, 150),)}
    assert next(one for one in proposals if one.path.name == "cat.jpg").why_not == ("it has no letterbox bars",)
    assert listing(dataset) == before  # proposing changes nothing
    mend(dataset, proposals)
    after = listing(dataset)
    assert {name for name in after if after[name] != before[name]} == {"bars.png"}
    assert sizes(dataset)["bars.png"] == (226, 150)


def test_steps_add_up_from_the_original_and_go_one_by_one(dataset):
    before = listing(dataset)
    do(dataset, MendChange("crop", {"box": (10, 10, 110, 90)}), only=["cat.jpg"])
    do(dataset, MendChange("rotate", {"degrees": 90}), MendChange("max", {"pixels": 50}), only=["cat.png"])
    with Image.open(dataset / "cat.png") as image:
        upright = image.convert("RGB")
    wanted = read_picture_bytes(before["cat.jpg"]).crop((10, 10, 110, 90)).transpose(Image.Transpose.ROTATE_270)
    assert upright.size == (40, 50)
    assert np.array_equal(np.asarray(upright), np.asarray(wanted.resize((40, 50), Image.Resampling.LANCZOS)))
    (recipe,) = recipes(dataset)
    assert recipe.words == "cat.jpg: cropped to 100 x 80 at 10,10, turned by 90 degrees, scaled to 40 x 50"
    undo(dataset, recipes(dataset), steps=1)
    assert sizes(dataset)["cat.png"] == (80, 100)
    undo(dataset, recipes(dataset))
    assert listing(dataset) == before
    assert recipes(dataset) == []
    assert not list((dataset / ".lorasmith" / "originals").rglob("*.*"))


def read_picture_bytes(data):
    return Image.open(io.BytesIO(data)).convert("RGB")


def test_a_picture_from_a_phone_is_mended_as_it_is_seen(dataset):
    do(dataset, MendChange("crop", {"box": (0, 0, 226, 75)}), only=["lying.jpeg"])
    assert sizes(dataset)["lying.png"] == (226, 75)
    assert open_folder(dataset).pictures[3].caption == "lying, größer"


def test_a_sheet_is_cut_and_each_view_has_the_caption(dataset):
    before = listing(dataset)
    do(dataset, MendChange("cut"))
    after = listing(dataset)
    assert "sheet.png" not in after
    assert "sheet.txt" not in after
    assert after["sheet_1.txt"] == after["sheet_2.txt"] == before["sheet.txt"]
    assert after["sheet_2.caption"] == before["sheet.caption"]
    assert sizes(dataset)["sheet_1.png"] == sizes(dataset)["sheet_2.png"] == (200, 200)
    do(dataset, MendChange("flip", {"way": "horizontal"}), only=["sheet_1.png"])
    assert len(recipes(dataset)) == 2
    (dataset / "sheet_2.txt").write_text("rewritten by hand")
    undo(dataset, [recipe for recipe in recipes(dataset) if recipe.closed])
    assert listing(dataset) == before
    assert [file.read_text() for file in (dataset / ".lorasmith" / "bin").rglob("*.txt")] == ["rewritten by hand"]


def test_sheets_are_cut_with_as_many_listings_for_many_as_for_one(tmp_path, monkeypatch):
    listings = []
    for number in (1, 5):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in range(number):
            sheet_of_views().save(folder / f"{name}.png")
        proposals = propose(folder, dataset_pictures(folder), [MendChange("cut")])
        with counting_listings(monkeypatch, folder) as found:
            mend(folder, proposals)
        listings.append(len(found))
        assert len(sizes(folder)) == 2 * number
    assert listings[0] == listings[1]


def test_a_caption_of_the_whole_name_follows_its_picture_everywhere(dataset):
    for name in ("cat.jpg", "sheet.png", "lying.jpeg", "bars.png"):
        (dataset / name).with_suffix(".txt").rename(dataset / f"{name}.txt")
    before = listing(dataset)
    do(dataset, MendChange("cut"))
    assert listing(dataset)["sheet_1.txt"] == listing(dataset)["sheet_2.txt"] == before["sheet.png.txt"]
    assert "sheet.png.txt" not in listing(dataset)
    undo(dataset, recipes(dataset))
    assert listing(dataset) == before
    do(dataset, MendChange("rotate", {"degrees": 180}), only=["cat.jpg", "lying.jpeg", "bars.png"])
    lay_out(dataset, plan_layout(dataset, concept="things"))
    captions = {picture.path.stem: picture.caption for picture in open_folder(dataset, verify=False).pictures}
    assert [captions[name] for name in ("cat", "sheet", "lying", "bars")] == [
        f"{name}, größer" for name in ("cat", "sheet", "lying", "bars")
    ]


def test_duplicates_go_to_the_bin_and_come_back(dataset):
    photograph("chelsea").resize((226, 150)).save(dataset / "again.jpg", quality=60)
    (dataset / "again.txt").write_bytes(b"again")
    before = listing(dataset)
    proposals = propose(dataset, dataset_pictures(dataset, ["cat.jpg", "again.jpg", "margins.png"]), [MendChange("duplicates")])
    assert [(one.path.name, one.steps[0].why) for one in proposals] == [
        ("again.jpg", "near duplicate of cat.jpg; its caption differs and goes with it: again")
    ]
    mend(dataset, proposals)
    assert set(before) - set(listing(dataset)) == {"again.jpg", "again.txt"}
    assert {file.name for file in (dataset / ".lorasmith" / "bin").rglob("*.*")} == {"again.jpg", "again.txt"}
    undo(dataset, recipes(dataset))
    assert listing(dataset) == before
    assert not list((dataset / ".lorasmith" / "bin").rglob("*.*"))


def test_the_copy_that_stays_gets_the_caption_of_the_one_that_goes_and_gives_it_back(tmp_path):
    photograph("coffee").save(tmp_path / "large.png")
    photograph("coffee").resize((300, 200)).save(tmp_path / "small.png")
    (tmp_path / "small.txt").write_bytes("zorvex, größer\r\n".encode())
    before = listing(tmp_path)
    (mended,) = do(tmp_path, MendChange("duplicates"))
    assert mended.before.name == "small.png"
    assert "gets its caption" in mended.words
    assert {name: data for name, data in listing(tmp_path).items() if name.endswith(".txt")} == {"large.txt": before["small.txt"]}
    undo(tmp_path, recipes(tmp_path))
    assert listing(tmp_path) == before


def test_a_caption_that_was_changed_since_it_was_passed_on_stays(tmp_path):
    photograph("coffee").save(tmp_path / "large.png")
    photograph("coffee").resize((300, 200)).save(tmp_path / "small.png")
    (tmp_path / "small.txt").write_text("a cup")
    do(tmp_path, MendChange("duplicates"))
    (tmp_path / "large.txt").write_text("a cup of coffee")
    undo(tmp_path, recipes(tmp_path))
    assert (tmp_path / "large.txt").read_text() == "a cup of coffee"
    assert (tmp_path / "small.txt").read_text() == "a cup"


def test_captions_that_contradict_each_other_are_shown_and_none_is_lost(tmp_path):
    for name, side, caption in (("large", 600, ""), ("middle", 450, "a cup"), ("small", 300, "a spoon")):
        photograph("coffee").resize((side, side * 2 // 3)).save(tmp_path / f"{name}.png")
        if caption:
            (tmp_path / f"{name}.txt").write_text(caption)
    words = {one.before.name: one.words for one in do(tmp_path, MendChange("duplicates"))}
    assert "gets its caption" in words["middle.png"]
    assert "its caption differs and goes with it: a spoon" in words["small.png"]
    assert (tmp_path / "large.txt").read_text() == "a cup"
    assert "a spoon" in [file.read_text() for file in (tmp_path / ".lorasmith" / "bin").rglob("small.txt")]


def test_transparency_is_flattened_on_the_colour_asked_for(dataset):
    do(dataset, MendChange("flatten", {"background": (255, 0, 0)}))
    assert read_picture(dataset / "clear.png").getpixel((5, 5)) == (255, 0, 0)
    assert {one.original.path for one in recipes(dataset)} == {"clear.webp"}


def test_a_subject_on_clear_ground_is_found_by_its_opacity(dataset):
    do(dataset, MendChange("subject"), only=["clear.webp"])
    width, height = sizes(dataset)["clear.png"]
    assert 100 <= width <= 120
    assert 100 <= height <= 120


@pytest.mark.parametrize("kind", ["jpg", "webp", "png"])
def test_converting_gives_that_kind(dataset, kind):
    do(dataset, MendChange("convert", {"to": kind}), only=["bars.png"])
    with Image.open(dataset / f"bars.{kind}") as image:
        assert image.format == {"jpg": "JPEG", "webp": "WEBP", "png": "PNG"}[kind]
    assert len(recipes(dataset)) == (kind != "png")


def test_small_pictures_are_enlarged_and_large_ones_scaled_down(dataset):
    do(dataset, MendChange("upscale", {"pixels": 180}), MendChange("max", {"pixels": 300}))
    assert all(min(size) >= 125 and max(size) <= 300 for size in sizes(dataset).values())


def test_a_sliver_is_not_blown_up(dataset):
    Image.new("RGB", (3, 4000), "teal").save(dataset / "sliver.png")
    (proposal,) = propose(dataset, [dataset / "sliver.png"], [MendChange("upscale", {"pixels": 320})])
    assert not proposal.steps
    assert "crop it first" in proposal.why_not[0]


def test_what_cannot_be_read_or_is_in_the_way_does_not_stop_the_rest(dataset):
    (dataset / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    photograph("rocket").resize((64, 64)).save(dataset / "cat.png")
    before = listing(dataset)
    proposals = propose(dataset, dataset_pictures(dataset, ["broken.png", "cat.jpg", "bars.png"]), [MendChange("rotate", {"degrees": 90})])
    assert [bool(one.problem) for one in proposals] == [False, True, False]
    mended = mend(dataset, proposals)
    assert ["in the way" in one.problem for one in mended] == [False, True, False]
    assert "broken.png" in mended[2].problem
    undo(dataset, recipes(dataset))
    assert listing(dataset) == before


def test_work_by_hand_in_between_is_kept(dataset):
    before = listing(dataset)
    do(dataset, MendChange("flip", {"way": "horizontal"}), only=["cat.jpg"])
    mended = listing(dataset)["cat.png"]
    Image.new("RGB", (50, 50), "teal").save(dataset / "cat.png")
    by_hand = listing(dataset)["cat.png"]
    do(dataset, MendChange("rotate", {"degrees": 90}), only=["cat.png"])
    undo(dataset, recipes(dataset)[-1:])
    assert listing(dataset)["cat.png"] == by_hand
    replay(dataset, recipes(dataset))
    assert listing(dataset)["cat.png"] == mended
    undo(dataset, recipes(dataset))
    assert listing(dataset) == before
    assert [file.read_bytes() for file in (dataset / ".lorasmith" / "bin").rglob("*.png")] == [by_hand]


def test_undo_takes_back_what_was_built_upon_by_hand_too(dataset):
    before = listing(dataset)
    do(dataset, MendChange("flip", {"way": "horizontal"}), only=["bars.png"])
    Image.new("RGB", (50, 50), "teal").save(dataset / "bars.png")
    do(dataset, MendChange("rotate", {"degrees": 90}), only=["bars.png"])
    undo(dataset, [one for one in recipes(dataset) if one.upon is None])
    assert listing(dataset) == before
    assert recipes(dataset) == []


def test_results_that_got_lost_are_made_again(dataset):
    do(dataset, MendChange("flip", {"way": "horizontal"}), only=["cat.jpg"])
    wanted = listing(dataset)["cat.png"]
    (dataset / "cat.png").unlink()
    assert len(replay(dataset, recipes(dataset))) == 1
    assert listing(dataset)["cat.png"] == wanted
    assert replay(dataset, recipes(dataset)) == []


def test_undo_does_not_overwrite_what_came_into_the_place(dataset):
    do(dataset, MendChange("cut"))
    Image.new("RGB", (50, 50), "teal").save(dataset / "sheet.png")
    before = listing(dataset)
    with pytest.raises(DatasetError, match="in the way"):
        undo(dataset, recipes(dataset))
    assert listing(dataset) == before


WISHES = st.sampled_from(
    [
        MendChange("rotate", {"degrees": 90}), MendChange("rotate", {"degrees": 270}), MendChange("flip", {"way": "horizontal"}), MendChange("flip", {"way": "vertical"}), MendChange("crop", {"box": (5, 5, 60, 60)}), MendChange("trim"), MendChange("bars"),
        MendChange("cut"), MendChange("max", {"pixels": 100}), MendChange("upscale", {"pixels": 120}), MendChange("flatten", {"background": (1, 2, 3)}), MendChange("convert", {"to": "jpg"}), MendChange("convert", {"to": "webp"}), MendChange("subject"),
        MendChange("clean", {"way": "down-up"}),
    ]
)  # fmt: skip


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rounds=st.lists(st.tuples(st.lists(WISHES, min_size=1, max_size=2), st.sampled_from([(), ("*t*.*",), ("c*",)])), min_size=1, max_size=3)
)
def test_any_mends_and_their_undoing_restore_every_byte(sound, tmp_path_factory, rounds):
    root = shutil.copytree(sound, tmp_path_factory.mktemp("any") / "ds")
    before = listing(root)
    for wishes, only in rounds:
        do(root, *wishes, only=only)
        assert all(recipe.done for recipe in recipes(root))
    undo(root, recipes(root))
    assert listing(root) == before
    assert recipes(root) == []


def test_a_kill_in_the_middle_is_finished_by_the_next_call(dataset):
    for n in range(60):
        shutil.copy(dataset / "cat.jpg", dataset / f"cat{n}.jpg")
        (dataset / f"cat{n}.txt").write_text(f"cat {n}")
    before = listing(dataset)
    program = (
        "import time; from pathlib import Path; from lorasmith.curation.chosen_pictures import dataset_pictures\n"
        "from lorasmith.curation.mend.mend import mend; from lorasmith.curation.mend.proposals import propose\n"
        "from lorasmith.findings import MendChange\n"
        f"r = Path({str(dataset)!r}); mend(r, propose(r, dataset_pictures(r, ['cat*']), [MendChange('rotate', {{'degrees': 90}})]),"
        " progress=lambda done, of: time.sleep(600 if done == 30 else 0))"  # however busy the machine is, it is killed in the middle
    )
    child = subprocess.Popen([sys.executable, "-c", program])
    while child.poll() is None and len(list(dataset.glob("cat*.png"))) < 8:
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    with alone_in(dataset):
        pass
    assert all(recipe.done for recipe in recipes(dataset))
    stems = [path.stem for path in dataset_pictures(dataset)]
    assert len(stems) == len(set(stems)) == 66
    undo(dataset, recipes(dataset))
    assert listing(dataset) == before


@pytest.fixture
def many(tmp_path):
    """Seventy pictures with captions, of which the first two are one picture; and what the folder holds."""
    for n in range(70):
        Image.new("RGB", (8, 8), (max(1, n), 0, 0)).save(tmp_path / f"{n:02}.png")
        (tmp_path / f"{n:02}.txt").write_text(f"number {n}")
    return tmp_path, listing(tmp_path)


def test_many_pictures_are_removed_together_and_come_back_together(many, monkeypatch):
    root, before = many
    waits = []
    monkeypatch.setattr(atomic, "sync_folder", waits.append)
    reported = []
    removed = mend(root, propose(root, dataset_pictures(root), [MendChange("remove")]), lambda done, of: reported.append((done, of)))
    assert [one.before.name for one in removed] == [f"{n:02}.png" for n in range(70)]
    assert reported == [(n, 70) for n in range(1, 71)]
    assert listing(root) == {}
    assert len(waits) < 2 + 70, "the folder of the recipes is waited for twice, and that of each original once at most"
    del waits[:]
    back = undo(root)
    assert listing(root) == before
    assert recipes(root) == []
    assert len(waits) < 70
    assert sorted(one.before.name for one in back) == [f"{n:02}.png" for n in range(70)]
    (at,) = {step.at for recipe in kept_recipes(root) for step in recipe.undone}
    redo_what_was_done_at(root, at)
    assert listing(root) == {}
    undo_what_was_done_at(root, at)
    assert listing(root) == before


@pytest.mark.parametrize(("doing", "left"), [("mend(r, propose(r, dataset_pictures(r), [MendChange('remove')]))", 0), ("undo(r)", 70)])
def test_a_kill_while_many_are_removed_or_come_back_is_finished_by_the_next_call(many, doing, left):
    root, before = many
    if left:
        do(root, MendChange("remove"))
    program = (
        "import os; from pathlib import Path; from lorasmith.curation.chosen_pictures import dataset_pictures\n"
        "from lorasmith.curation.mend import carry_out; from lorasmith.curation.mend.mend import mend, undo\n"
        "from lorasmith.curation.mend.proposals import propose; from lorasmith.findings import MendChange\n"
        "show, shown = carry_out._show, []\n"
        "def show_some(*given): shown.append(show(*given)); len(shown) == 20 and os._exit(9)\n"
        f"carry_out._show = show_some; r = Path({str(root)!r}); {doing}"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 9
    assert len(dataset_pictures(root)) == (20 if left else 50)
    with alone_in(root):
        pass
    assert all(recipe.done for recipe in recipes(root))
    assert len(dataset_pictures(root)) == (32 if left else 0), "those that were begun together"
    undo(root)
    assert listing(root) == before


def test_bad_changes_and_bad_recipes_are_sentences(dataset):
    with pytest.raises(InputError, match="no way to mend called 'blur'"):
        propose(dataset, [], [MendChange("blur")])
    do(dataset, MendChange("rotate", {"degrees": 90}), only=["cat.jpg"])
    (file,) = (dataset / ".lorasmith" / "mends").glob("*.json")
    file.write_text("{}")
    with pytest.raises(DatasetError, match="is not a recipe"):
        recipes(dataset)


def test_a_sheet_shows_before_and_after(dataset):
    proposals = propose(dataset, dataset_pictures(dataset), [MendChange("cut"), MendChange("bars"), MendChange("flatten")])
    sheet = before_and_after(dataset, proposals)
    assert sheet.height > 3 * 200
    assert before_and_after(dataset, propose(dataset, dataset_pictures(dataset, ["cat.jpg"]), [MendChange("bars")])) is None


def noisy(picture, strength=6):
    grain = np.random.default_rng(1).normal(0, strength, (picture.height, picture.width, 3))
    return (np.asarray(picture) + grain).clip(0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("clean", [clean_by_filters, clean_by_scaling])
def test_cleaning_brings_a_noisy_picture_nearer_to_the_sound_one(clean):
    soft = photograph("astronaut").resize((64, 64)).resize((192, 192), Image.Resampling.BICUBIC)
    spoilt, sound = noisy(soft), np.asarray(soft).astype(float)
    before, after = (np.abs(pixels.astype(float) - sound).mean() for pixels in (spoilt, clean(spoilt)))
    assert after < 0.75 * before


def test_the_guided_filter_of_an_even_guide_is_a_mean():
    source = noisy(photograph("coffee").resize((64, 48))).astype(np.float32)
    even = np.full_like(source, 100)
    import cv2

    mean = cv2.blur(cv2.blur(source, (9, 9)), (9, 9))
    assert np.allclose(guided_filter(even, source, 4, 16.0), mean, atol=0.01)
    assert np.allclose(guided_filter(source, source, 4, 1e-6), source, atol=0.1)  # its own guide, no smoothing wanted


def test_somebody_else_at_the_dataset_is_a_sentence(dataset):
    with alone_in(dataset), pytest.raises(DatasetError, match="being changed"):
        do(dataset, MendChange("rotate", {"degrees": 90}), only=["cat.jpg"])
    assert os.path.exists(dataset / "cat.jpg")


def test_every_mend_that_the_audit_offers_can_be_done():
    for kind in KINDS.values():
        for one in kind.changes:
            check_changes([one])


def test_parameters_that_a_way_does_not_take_are_sentences(dataset):
    with pytest.raises(InputError, match="'rotate' cannot be done with {}: missing a required argument: 'degrees'"):
        propose(dataset, [], [MendChange("rotate")])
    with pytest.raises(InputError, match="'rotate' cannot be done with {'degrees': 45}"):
        propose(dataset, dataset_pictures(dataset), [MendChange("rotate", {"degrees": 45})])
    with pytest.raises(InputError, match="'crop' cannot be done with {'box': \\[1, 2\\]}: box.2: field required"):
        propose(dataset, [], [MendChange("crop", {"box": [1, 2]})])
    with pytest.raises(InputError, match="'cut' cannot be done with .*at least 2 items"):
        propose(dataset, [], [MendChange("cut", {"boxes": [(0, 0, 9, 9)]})])
    with pytest.raises(InputError, match="goes alone"):
        propose(dataset, [], [MendChange("remove"), MendChange("bars")])


def test_a_picture_is_cut_into_boxes_of_the_users_own_and_put_together_again(dataset):
    before = listing(dataset)
    do(dataset, MendChange("cut", {"boxes": [(0, 0, 100, 150), (100, 10, 500, 500)]}), only=["bars.png"])
    assert (sizes(dataset)["bars_1.png"], sizes(dataset)["bars_2.png"]) == ((100, 150), (126, 180))
    undo(dataset, recipes(dataset))
    assert listing(dataset) == before
    (proposal,) = propose(dataset, [dataset / "bars.png"], [MendChange("cut", {"boxes": [(0, 0, 9, 9), (300, 0, 400, 9)]})])
    assert proposal.why_not == ("a box is outside its 226 x 190 pixels",)


def test_a_made_up_way_takes_one_row(dataset, monkeypatch):
    monkeypatch.setitem(WAYS, "quarter", lambda look, *, times=1: Rotate(degrees=90 * times))
    do(dataset, MendChange("quarter", {"times": 2}), only=["cat.jpg"])
    assert [recipe.words for recipe in recipes(dataset)] == ["cat.jpg: turned by 180 degrees"]


def test_the_fix_of_a_finding_is_applied_as_it_is(dataset):
    found = audit_dataset(dataset, resolution=128).findings
    [letterbox] = [finding for finding in found if finding.code == "audit.letterbox"]
    mend(dataset, propose(dataset, [dataset / name for name in letterbox.subjects], letterbox.fix.changes))
    assert letterbox.subjects == ("bars.png",)
    assert sizes(dataset)["bars.png"] == (226, 150)


def test_undoing_reads_each_recipe_a_few_times_and_not_once_for_each_other(tmp_path, monkeypatch):
    for number in range(30):
        Image.new("RGB", (20, 10), (number, 0, 0)).save(tmp_path / f"{number}.png")
    mend(tmp_path, propose(tmp_path, dataset_pictures(tmp_path), [MendChange("rotate", {"degrees": 90})]))
    read = []
    real = recipes_of_a_dataset.recipes
    for module in (recipes_of_a_dataset, carry_out, mending):
        monkeypatch.setattr(module, "recipes", lambda root: read.append(found := real(root)) or found)
    assert len(undo(tmp_path)) == 30
    assert sum(map(len, read)) <= 3 * 30
    assert not recipes(tmp_path)
    assert not [path for path in (tmp_path / ".lorasmith" / "originals").rglob("*") if path.is_file()]
