"""The audit says what is wrong, is right about it, and forgets nothing and nobody."""

from __future__ import annotations

import io
import json
import os
import random
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps

from lorasmith.curation import measuring
from lorasmith.curation.audit.audit import audit
from lorasmith.curation.audit.dataset import audit_dataset, audited_files
from lorasmith.curation.audit.finding_kind import Sign, confidence
from lorasmith.curation.audit.kinds import KINDS
from lorasmith.curation.audit.page import audit_page
from lorasmith.curation.audit.picture_kinds import PICTURE_KINDS, PictureKind
from lorasmith.curation.audit.set_kinds import SET_KINDS, SetKind
from lorasmith.curation.mend.proposals import propose, removal_of_duplicates
from lorasmith.demo.audit_bench.bench import bench
from lorasmith.demo.audit_bench.draw import QUICK
from lorasmith.demo.audit_bench.drawn import DRAWN
from lorasmith.demo.audit_bench.shipped import packages_missing, shipped_pictures
from lorasmith.demo.datasets import dataset_names, write_dataset
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene
from lorasmith.errors import DatasetError, InputError
from lorasmith.findings import MendChange
from lorasmith.images import duplicates
from lorasmith.pages.render import page_html
from tests.pages.reader import ReadPage
from tests.photographs import make_pile, photograph

BENCHED = [kind for kind in KINDS if kind != "text"]


def ask_shipped_pictures():
    if missing := packages_missing():
        pytest.skip(f"the set of shipped pictures is of three packages: pip install {' '.join(missing)}")


@pytest.fixture(scope="module")
def shipped():
    return shipped_pictures()


@pytest.fixture(scope="module")
def few_scores():
    return {score.kind: score for score in bench("drawn", effort=QUICK)}


@pytest.mark.parametrize("kind", BENCHED)
def test_each_finding_is_right_on_a_few_drawings(few_scores, kind):
    score = few_scores[kind]
    assert score.wrongly == ()
    assert len(score.missed) <= 0.05 * score.present, score.missed
    assert score.present >= 1
    assert score.absent >= 3


@pytest.mark.slow
@pytest.mark.parametrize("sound", ["drawn", "shipped"])
@pytest.mark.parametrize("seed", [0, 7, 8])
def test_each_finding_is_right_on_the_made_sets(sound, seed):
    """The limits were set on draws 0 to 6; what it says of 7 and 8 is what a user may expect."""
    if sound == "shipped":
        ask_shipped_pictures()
    scores = bench(sound, seed=seed)
    assert {score.kind for score in scores} == set(BENCHED)
    for score in scores:
        assert score.recall >= 0.95, (score.kind, score.missed)
        assert score.precision >= 0.95, (score.kind, score.wrongly)


@pytest.mark.slow
def test_near_duplicates_are_found_and_nothing_else():
    ask_shipped_pictures()
    [score] = [score for score in bench("shipped") if score.kind == "near_duplicate"]
    assert score.present > 200
    assert score.recall >= 0.98, score.missed
    assert score.precision >= 0.99, score.wrongly


@pytest.mark.parametrize("sort", DRAWN)
def test_nothing_is_said_against_a_clean_drawing(tmp_path, sort):
    for number in range(6):
        picture = DRAWN[sort](random.Random(f"clean {number}"))
        picture.save(tmp_path / f"{number}.png")
        picture.save(tmp_path / f"{number}.jpg", quality=88)
    said = {finding.code for finding in audit_dataset(tmp_path, resolution=256).findings}
    told_rightly = {"near_duplicate", "greyscale", "cropped_away", "same_pose", "same_background", "same_lettering", "asymmetry"}
    assert said <= {f"audit.{rule}" for rule in told_rightly | ({"too_small"} if sort == "icon" else set())}


@pytest.mark.parametrize("darkest", [0, 120, 200])
def test_flat_shapes_on_white_are_not_called_burnt_out(tmp_path, darkest):
    for number in range(24):
        kind, quality = (("PNG", {}), ("JPEG", {"quality": 85}), ("WEBP", {"quality": 85}))[number % 3]
        rng = random.Random(f"{darkest} {number}")
        side = rng.choice((256, 300, 512, 768))
        big = Image.new("RGB", (2 * side, 2 * side), "white")
        for _ in range(rng.randint(1, 9)):
            left, top, across, down = (rng.uniform(low, high) * side for low, high in ((0, 1.6), (0, 1.6), (0.1, 1.2), (0.1, 1.2)))
            colour = tuple(rng.randint(darkest, 255) for _ in range(3))
            getattr(ImageDraw.Draw(big), rng.choice(("ellipse", "rectangle")))((left, top, left + across, top + down), fill=colour)
        big.resize((side, side), Image.Resampling.LANCZOS).save(tmp_path / f"{number}.png", kind, **quality)
    assert not found(audit_dataset(tmp_path, resolution=256), "blown_out")


@pytest.mark.parametrize("name", [name for name in dataset_names() if name.endswith("-small")])
def test_the_demo_s_own_small_pictures_are_not_called_protected(tmp_path, name):
    folder = write_dataset(tmp_path, name)
    assert not found(audit_dataset(folder, resolution=64), "adversarial_noise")


@pytest.mark.parametrize(("opacity", "said"), [(255, set()), (254, set()), (250, set()), (240, {"a.png"}), (128, {"a.png"})])
def test_what_is_nearly_opaque_is_not_called_transparent(tmp_path, opacity, said):
    picture = photograph("coffee").convert("RGBA")
    picture.putalpha(opacity)
    picture.save(tmp_path / "a.png")
    assert found(audit_dataset(tmp_path, resolution=256), "transparent") == said
    [proposal] = propose(tmp_path, [tmp_path / "a.png"], [MendChange("flatten")])
    assert bool(proposal.steps) == bool(said)


@pytest.mark.parametrize(("value", "sure"), [(50, 0.5), (35, 0.725), (20, 0.95), (1, 0.95), (60, 0.5)])
def test_confidence_grows_beyond_the_limit(value, sure):
    assert confidence(value, 50, 20) == pytest.approx(sure, abs=0.01)


# A folder


@pytest.fixture
def pile(tmp_path: Path) -> Path:
    folder = tmp_path / "pile"
    make_pile(folder)
    return folder


def found(result, kind: str) -> set[str]:
    return {name for finding in result.findings if finding.code == f"audit.{kind}" for name in finding.subjects}


def test_an_ordinary_pile_is_judged_and_what_cannot_be_read_is_named(pile):
    result = audit_dataset(pile, resolution=300)
    assert len(result.pictures) == 14
    assert found(result, "unreadable") == {"truncated.jpg", "text.png"}
    assert found(result, "transparent") == {"alpha.png"}
    assert "sliver.png" in found(result, "odd_aspect")
    assert {"sliver.png", "dot.png"} <= found(result, "too_small")
    assert not {"astronaut.png", "coffee.webp", "rocket.jpeg"} & {
        name for f in result.findings if f.severity != "note" for name in f.subjects
    }
    [copies] = [f for f in result.findings if f.code == "audit.near_duplicate" and "chelsea.jpg" in f.subjects]
    assert {"chelsea.jpg", "rotated.jpg", "palette.png", "deep_colour.png"} <= set(copies.subjects)


def test_the_score_falls_with_what_is_wrong_and_says_why(pile, tmp_path):
    sound = tmp_path / "sound"
    sound.mkdir()
    for i in range(6):
        draw_scene(random_scene(100 + i), 256).save(sound / f"{i}.png")
    assert audit_dataset(sound, resolution=256).score == 100
    result = audit_dataset(pile, resolution=1024)
    assert result.score < 70
    assert sum(points for _, points in result.why) == pytest.approx(100 - result.score, abs=1)
    worst, worth = result.worst(1)[0]
    assert worst.path.name in ("truncated.jpg", "text.png")
    assert worth == 0


def test_the_best_copy_stands_first_and_is_not_blamed(tmp_path):
    photograph("coffee").save(tmp_path / "good.png")
    photograph("coffee").resize((300, 200)).save(tmp_path / "a-small.jpg", quality=50)
    ImageOps.mirror(photograph("coffee")).save(tmp_path / "mirror.jpg", quality=60)
    result = audit_dataset(tmp_path, resolution=256)
    [copies] = [f for f in result.findings if f.code == "audit.near_duplicate"]
    assert copies.subjects == ("good.png", "a-small.jpg", "mirror.jpg")
    assert "mirror.jpg" in copies.details[0]
    assert [f.subjects for f in result.findings if f.code == "audit.asymmetry"] == [("good.png", "mirror.jpg")]
    assert "good.png" not in {picture.path.name for picture, _ in result.worst()}


def test_equal_files_are_one_finding_and_the_shortest_name_is_kept(tmp_path):
    photograph("coffee").save(tmp_path / "cup.png")
    (tmp_path / "cup (copy).png").write_bytes((tmp_path / "cup.png").read_bytes())
    result = audit_dataset(tmp_path, resolution=256)
    [same] = [f for f in result.findings if f.code == "audit.exact_duplicate"]
    assert same.subjects == ("cup.png", "cup (copy).png")
    assert not found(result, "near_duplicate")


def test_mend_keeps_the_copy_that_the_audit_names(tmp_path):
    cup = photograph("coffee")
    cup.save(tmp_path / "a.jpg", quality=40)
    cup.save(tmp_path / "b.jpg", quality=93)
    cup.resize((598, 398)).save(tmp_path / "c.jpg", quality=70)
    (tmp_path / "b (copy).jpg").write_bytes((tmp_path / "b.jpg").read_bytes())
    photograph("chelsea").save(tmp_path / "cat.png")
    result = audit_dataset(tmp_path, resolution=256)
    assert {f.subjects[0] for f in result.findings if f.code in ("audit.exact_duplicate", "audit.near_duplicate")} == {"b.jpg"}
    gone = [one.path.name for one in removal_of_duplicates(sorted(tmp_path.iterdir()))]
    assert gone == ["a.jpg", "b (copy).jpg", "c.jpg"]


def test_words_on_a_picture_are_found(tmp_path):
    pytest.importorskip("rapidocr", reason="the extra `ocr` is not installed")
    shout = photograph("coffee").resize((512, 341))
    ImageDraw.Draw(shout).text(
        (30, 30), "GRAND OPENING", fill="white", stroke_width=3, stroke_fill="black", font=ImageFont.load_default(48)
    )
    shout.save(tmp_path / "shout.png")
    photograph("chelsea").save(tmp_path / "quiet.png")
    result = audit_dataset(tmp_path, resolution=256, read_words=True)
    [text] = [f for f in result.findings if f.code == "audit.text"]
    assert text.subjects == ("shout.png",)
    assert "opening" in str(text.evidence).lower()


def test_words_are_read_once_and_count_where_they_were_read(tmp_path):
    pytest.importorskip("rapidocr", reason="the extra `ocr` is not installed")
    (tmp_path / "pile").mkdir()
    shout = Image.new("RGB", (400, 200), "white")
    ImageDraw.Draw(shout).text((20, 60), "OPENING", fill="black", font=ImageFont.load_default(60))
    shout.save(tmp_path / "pile" / "shout.png")

    def audit(words, within=None):
        return audit_dataset(tmp_path / "pile", resolution=256, cache=tmp_path / "cache", read_words=words, within=within)

    assert audit(words=True, within=600.0).unread == 1
    assert found(audit(words=True), "text") == {"shout.png"}
    known = audit(words=True, within=-1.0)
    assert (known.unread, found(known, "text")) == (0, {"shout.png"})
    assert found(audit(words=False), "text") == set()


@pytest.mark.parametrize(("kind", "finding"), [("character", set()), ("style", {"set_too_small"}), (None, set())])
def test_the_kind_decides_whether_there_are_enough(tmp_path, kind, finding):
    for i in range(16):
        draw_scene(random_scene(200 + i), 128).save(tmp_path / f"{i}.png")
    rules = {f.code.removeprefix("audit.") for f in audit_dataset(tmp_path, kind=kind, resolution=128).findings}
    assert rules & {"set_too_small", "set_too_large"} == finding


@pytest.mark.parametrize(("kind", "quality"), [("PNG", {}), ("JPEG", {"quality": 85})])
@pytest.mark.parametrize("name", ["chelsea", "coffee", "brick", "clock_motion", "ihc"])
def test_what_stands_on_white_is_not_burnt_and_what_was_exposed_too_long_is(shipped, tmp_path, name, kind, quality):
    sound = shipped[name].copy()
    sound.thumbnail((400, 400))
    on_white = Image.new("RGB", (700, 560), "white")
    on_white.paste(sound, (150, 80))
    on_white.save(tmp_path / "on white.png", kind, **quality)
    sound.point([min(255, round(1.9 * value + 96)) for value in range(256)] * 3).save(tmp_path / "burnt.png", kind, **quality)
    sound.save(tmp_path / "sound.png")
    assert found(audit_dataset(tmp_path, resolution=256), "blown_out") == {"burnt.png"}


def test_names_that_are_not_utf8_are_shown_and_cached(tmp_path):
    folder = tmp_path / "names"
    folder.mkdir()
    for name in (b"caf\xe9.png", b"\x1b[31mred.png"):
        (folder / os.fsdecode(name)).write_bytes(encoded_scene())
    audits = [audit_dataset(folder, resolution=256, cache=tmp_path / "cache") for _ in range(2)]
    assert audits[1].from_cache == 2
    assert "caf\\udce9.png" in page_html(audit_page(audits[1]))


def encoded_scene() -> bytes:
    buffer = io.BytesIO()
    draw_scene(random_scene(5), 256).save(buffer, "PNG")
    return buffer.getvalue()


def test_buckets_say_how_much_is_cropped_away(tmp_path):
    photograph("coffee").resize((600, 230)).save(tmp_path / "wide.png")
    [lost] = [f for f in audit_dataset(tmp_path, resolution=256).findings if f.code == "audit.cropped_away"]
    assert 12 < lost.evidence.number < 30
    assert lost.evidence.unit == "% of the area"


# Again, stopped, broken


def test_a_second_audit_decodes_nothing_and_says_the_same(pile, tmp_path, monkeypatch):
    first = audit_dataset(pile, resolution=300, cache=tmp_path / "cache")
    measured = []
    real = measuring.measure
    monkeypatch.setattr(measuring, "measure", lambda path, *rest: measured.append(path.name) or real(path, *rest))
    second = audit_dataset(pile, resolution=300, cache=tmp_path / "cache")
    assert set(measured) == {"truncated.jpg", "text.png"}  # what failed is tried again
    assert second.findings == first.findings
    assert second.score == first.score
    assert (first.from_cache, second.from_cache) == (0, 12)


def test_a_changed_file_is_measured_again_and_a_moved_one_is_known(pile, tmp_path):
    audit_dataset(pile, resolution=300, cache=tmp_path / "cache")
    (pile / "coffee.webp").rename(pile / "tea.webp")
    photograph("coffee").convert("L").save(pile / "astronaut.png")
    result = audit_dataset(pile, resolution=300, cache=tmp_path / "cache")
    assert result.from_cache == 11
    assert "astronaut.png" in found(result, "greyscale")


def test_a_damaged_cache_is_replaced(pile, tmp_path):
    audit_dataset(pile, resolution=300, cache=tmp_path / "cache")
    [file] = (tmp_path / "cache").glob("*.sqlite")
    for beside in (tmp_path / "cache").glob("*.sqlite-*"):
        beside.unlink()
    file.write_bytes(b"no database" * 500)
    assert len(audit_dataset(pile, resolution=300, cache=tmp_path / "cache").pictures) == 14
    assert audit_dataset(pile, resolution=300, cache=tmp_path / "cache").from_cache == 12


def test_a_second_audit_compares_only_what_is_new(pile, tmp_path, monkeypatch):
    compared = []
    real = duplicates.possible_pairs

    def possible_pairs(bounds, settled, known=0):
        compared.append((len(bounds.value), known))
        return real(bounds, settled, known)

    monkeypatch.setattr(duplicates, "possible_pairs", possible_pairs)
    first = audit_dataset(pile, resolution=300, cache=tmp_path / "cache")
    second = audit_dataset(pile, resolution=300, cache=tmp_path / "cache")
    assert [*first.counts] == [*second.counts]
    assert len(compared) == 1
    with Image.open(pile / "astronaut.png") as picture:
        picture.save(pile / "astronaut again.jpg", quality=80)
    third = audit_dataset(pile, resolution=300, cache=tmp_path / "cache")
    assert compared[1:] == [(compared[0][0] + 1, compared[0][0])]
    assert third.findings == audit_dataset(pile, resolution=300).findings
    (pile / "astronaut again.jpg").unlink()
    assert audit_dataset(pile, resolution=300, cache=tmp_path / "cache").findings == first.findings


def test_a_cache_inside_the_dataset_is_no_part_of_it(pile, monkeypatch):
    monkeypatch.chdir(pile)
    before = audited_files(".")
    audit_dataset(".", resolution=300, cache="cache/pictures")
    assert list((pile / "cache" / "pictures").glob("*.sqlite*"))
    assert audited_files(".") == before


def test_progress_is_reported_and_a_stop_judges_what_was_seen(pile):
    told = []
    result = audit_dataset(pile, resolution=300, progress=lambda done, total: told.append((done, total)), cancelled=lambda: len(told) >= 5)
    assert told == [(i, 14) for i in range(1, 6)]
    assert len(result.pictures) == 5
    assert result.left_out == 9


def test_the_number_of_threads_changes_nothing(pile):
    pictures, _ = audited_files(pile)
    one, many = (audit(pictures, pile, resolution=300, workers=workers) for workers in (1, 5))
    assert one.findings == many.findings


def test_a_fault_of_ours_is_a_finding_and_the_rest_goes_on(pile, monkeypatch):
    real = measuring.measure

    def faulty(path, *rest):
        if path.name == "coffee.webp":
            raise ZeroDivisionError
        return real(path, *rest)

    monkeypatch.setattr(measuring, "measure", faulty)
    result = audit_dataset(pile, resolution=300)
    assert "coffee.webp" in found(result, "unreadable")
    assert len(result.pictures) == 14


def test_bad_input_gets_a_sentence(tmp_path):
    with pytest.raises(DatasetError, match="holds no pictures"):
        audit_dataset(tmp_path)
    with pytest.raises(DatasetError, match="does not exist"):
        audit_dataset(tmp_path / "nowhere")
    with pytest.raises(InputError, match="resolution is 7"):
        audit_dataset(tmp_path, resolution=7)


def test_files_that_are_not_pictures_are_listed_unless_datasets_have_them(pile):
    (pile / "film.mp4").write_bytes(b"x")
    (pile / ".hidden.png").write_bytes(b"x")
    pictures, unknown = audited_files(pile)
    assert [path.name for path in unknown] == ["film.mp4"]
    assert ".hidden.png" not in {path.name for path in pictures}


# For scripts and for eyes


def test_the_audit_as_json_holds_all_that_a_script_needs(pile):
    said = json.loads(json.dumps(audit_dataset(pile, kind="character", resolution=300).as_data))
    assert said["pictures"] == 14
    unreadable = next(finding for finding in said["findings"] if finding["code"] == "audit.unreadable")
    assert unreadable["fix"]["changes"] == [{"kind": "mend", "way": "remove", "parameters": {}}]
    assert unreadable["severity"] == "error"
    assert said["counts"]["audit.unreadable"] == 2


def test_the_page_shows_the_worst_and_copies(pile):
    (pile / "<b>&.png").write_bytes((pile / "sliver.png").read_bytes())
    page = ReadPage(page_html(audit_page(audit_dataset(pile, resolution=300))))
    assert "<b>&.png" in page.words
    assert "It cannot be read as an image." in page.words
    assert len(page.pictures) > 5
    assert page.headings[:2] == ["h1", "h2"]


def test_a_picture_without_fault_has_no_finding(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    draw_scene(random_scene(5), 256).save(tmp_path / "fine.png")
    result = audit_dataset(tmp_path, resolution=256)
    assert result.of("fine.png") == []
    assert result.of("x.png")


# One place for a new finding


def test_a_made_up_finding_of_a_picture_takes_one_row(tmp_path, monkeypatch):
    photograph("chelsea").save(tmp_path / "cat.png")
    photograph("coffee").save(tmp_path / "cup.png")
    square = PictureKind(
        sign=lambda measures, training: Sign(min(measures.size), "pixels", "one side is 300 pixels", 0.9) if min(measures.size) == 300 else None,
        title="three hundred", severity="warning", message="The picture has a side of 300 pixels.", why="It is made up.", fix="Ignore it.",
        changes=(MendChange("trim"),),
    )  # fmt: skip
    monkeypatch.setitem(PICTURE_KINDS, "three_hundred", square)
    result = audit_dataset(tmp_path, resolution=256)
    assert [finding.subjects for finding in result.findings if finding.code == "audit.three_hundred"] == [("cat.png",)]
    assert result.as_data["counts"]["audit.three_hundred"] == 1
    assert "three hundred" in dict(result.why)
    assert "three hundred" in ReadPage(page_html(audit_page(result))).words


def test_a_made_up_finding_of_the_set_takes_one_row(tmp_path, monkeypatch):
    photograph("chelsea").save(tmp_path / "cat.png")
    lonely = SetKind(
        signs=lambda pile: iter([([], Sign(1, "pictures", "one picture", 0.5))] if len(pile.single) == 1 else []),
        title="a lonely picture", severity="note", message="There is one picture.", why="It is made up.", fix="Ignore it.", about="set",
    )  # fmt: skip
    monkeypatch.setitem(SET_KINDS, "lonely", lonely)
    result = audit_dataset(tmp_path, resolution=256)
    assert result.counts["audit.lonely"] == 1
    assert dict(result.why)["a lonely picture"] == 1.5


@pytest.mark.parametrize(
    ("name", "said"), [("scan.tif", "the TIFF has several pages, and the first page"), ("cat.gif", "the GIF has several frames")]
)
def test_a_file_of_several_pictures_says_which_one_is_used_and_why(tmp_path, name, said):
    page = Image.effect_noise((512, 512), 60)
    page.save(tmp_path / name, save_all=True, append_images=[page.rotate(90)])
    (found,) = [finding for finding in audit_dataset(tmp_path, cache=None).findings if finding.code == "audit.animated"]
    assert found.message == "The file holds more than one picture."
    assert said in str(found.evidence)
    assert found.why == "Only the first is used."


def test_what_was_measured_before_is_judged_at_once_and_the_rest_is_counted(tmp_path):
    from PIL import Image

    from lorasmith.curation.audit.dataset import audit_dataset

    for number in range(4):
        Image.new("RGB", (64, 64 + number), "red").save(tmp_path / f"{number}.png")
        if number == 1:
            audit_dataset(tmp_path, cache=tmp_path / "cache")
    known = audit_dataset(tmp_path, cache=tmp_path / "cache", within=-1.0)
    assert [picture.name for picture in known.pictures] == ["0.png", "1.png", "2.png"], "one more is measured before the time is looked at"
    assert known.left_out == 1
    assert audit_dataset(tmp_path, cache=tmp_path / "cache", within=60.0).left_out == 0
