"""The demo's datasets are what a good dataset is, but for the messy one, which is what its truth says."""

import io
import json
import zipfile
from collections import Counter
from itertools import combinations
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from lorasmith.datasets.folders import open_folder
from lorasmith.demo import datasets, messy
from lorasmith.demo.build.stock import TAGGER_SEEDS
from lorasmith.demo.datasets import dataset_names, write_dataset, write_datasets, write_held_out
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.messy import DEFECTS
from lorasmith.demo.scenes import (
    DATASET_SEEDS,
    PROMPT_SEEDS,
    REGULARISATION_PICTURES,
    SIZES,
    THINGS,
    TRIGGERS,
    balanced_scenes,
    first_seed_of,
    fixed_attributes,
    prompts_for,
    trained_caption,
)  # fmt: skip
from lorasmith.demo.world import CHARACTERS, Scene, attribute_tags, random_scene, sentence_caption, tag_caption
from lorasmith.errors import DatasetError, InputError

EVERY_THING = [(kind, name) for kind, names in THINGS.items() for name in names]


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*.*"))}


def captions(folder: Path) -> list[str]:
    return [file.read_text("utf-8").strip() for file in sorted(folder.rglob("*.txt"))]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("datasets")
    write_datasets(out, ["character-zorvex-small", "style-halftone-small", "concept-umbrella-small", "multi-two-characters"])
    write_datasets(out, ["regularisation", "messy"])
    return out


# -- good sets --------------------------------------------------------------------------------------------------------


def test_every_thing_has_a_small_and_a_large_set():
    assert len(dataset_names()) == len(set(dataset_names())) == 14 * 2 + 3
    assert {"character-zorvex-small", "style-stained-glass-large", "multi-two-characters", "regularisation", "messy"} <= {*dataset_names()}


def test_a_set_is_a_plain_folder_of_numbered_pictures_and_captions(written: Path):
    folder = written / "character-zorvex-small"
    numbers = [f"{i:04d}" for i in range(1, SIZES["character"]["small"] + 1)]
    assert sorted(p.name for p in folder.iterdir()) == sorted(f"{n}.{suffix}" for n in numbers for suffix in ("png", "txt"))
    assert {(Image.open(p).size, Image.open(p).mode) for p in folder.glob("*.png")} == {((64, 64), "RGB")}
    assert sorted(p.name for p in written.iterdir() if p.name.startswith(".")) == []


@pytest.mark.parametrize(("kind", "name"), EVERY_THING)
def test_captions_begin_with_the_trigger_and_leave_to_it_what_it_absorbs(kind: str, name: str):
    for scene in balanced_scenes(12, DATASET_SEEDS, **fixed_attributes(kind, name)):
        first, *others = trained_caption(kind, scene).split(", ")
        assert first == TRIGGERS[name]
        absorbed = {name, f"{name} style"}
        if kind == "character":
            absorbed |= {scene.species, f"{scene.color} body", *CHARACTERS[name].parts}
        assert not absorbed & set(others)
        assert {scene.expression, scene.pose, scene.background} <= set(others)
        assert set(others) == set(attribute_tags(scene).values()) - absorbed


@pytest.mark.parametrize(
    ("folder", "trigger"),
    [("character-zorvex-small", "zorvex"), ("style-halftone-small", "halvtone"), ("concept-umbrella-small", "umbrix")],
)
def test_written_captions_have_the_trigger_first_and_once(written: Path, folder: str, trigger: str):
    assert captions(written / folder)
    for caption in captions(written / folder):
        assert caption.startswith(f"{trigger}, ")
        assert caption.count(trigger) == 1


def test_triggers_are_rare_words():
    scenes = [random_scene(seed) for seed in range(1000)]
    words = {word.strip(",") for s in scenes for text in (tag_caption(s), sentence_caption(s)) for word in text.split()}
    assert len(set(TRIGGERS.values())) == len(TRIGGERS) == 14
    for thing, trigger in TRIGGERS.items():
        assert trigger.isascii()
        assert trigger.isalpha()
        assert trigger.islower()
        assert not [word for word in words if len(word) > 2 and word in trigger]
        assert trigger == thing or trigger not in thing


@pytest.mark.parametrize(("kind", "name"), [("character", "zorvex"), ("style", "chalk"), ("concept", "balloon")])
@pytest.mark.parametrize("size", ["small", "large"])
def test_a_set_is_balanced(kind: str, name: str, size: str):
    pictures = datasets._PICTURES[f"{kind}-{name}-{size}"]()
    assert len(pictures) == SIZES[kind][size]
    fields = [
        "background",
        "expression",
        "pose",
        *([] if kind == "style" else ["style"]),
        *([] if kind == "character" else ["species", "color"]),
    ]
    for field in fields:
        counts = Counter(getattr(p.scene, field) for p in pictures).values()
        assert max(counts) - min(counts) <= 1
    if size == "large":
        for one, two in combinations(("background", "expression", "pose"), 2):
            pairs = Counter((getattr(p.scene, one), getattr(p.scene, two)) for p in pictures)
            possible = len({p[0] for p in pairs}) * len({p[1] for p in pairs})
            assert len(pairs) > 0.8 * possible
            assert max(pairs.values()) <= len(pictures) / possible + 3


def test_the_small_set_is_the_beginning_of_the_large_one():
    small, large = (datasets._PICTURES[f"concept-lantern-{size}"]() for size in ("small", "large"))
    assert large[: len(small)] == small


def test_seeds_are_shared_by_no_two_sets_and_never_seen_by_base_or_tagger():
    seeds = {}
    for name, pictures in datasets._PICTURES.items():
        for picture in pictures():
            owner = name.removesuffix("-small").removesuffix("-large")
            assert seeds.setdefault(picture.scene.seed, owner) == owner
    assert min(seeds) >= DATASET_SEEDS
    assert max(seeds) < PROMPT_SEEDS
    assert TAGGER_SEEDS + 1_000_000 < DATASET_SEEDS


@pytest.mark.parametrize(("kind", "name"), EVERY_THING)
def test_what_is_prompted_is_never_trained_on(kind: str, name: str):
    trained = {p.scene.seed for p in datasets._PICTURES[f"{kind}-{name.replace(' ', '-')}-large"]()}
    prompted = [scene for _, scene in prompts_for(kind, name, 20)]
    seeds = {scene.seed for scene in prompted}
    assert len(seeds) == 20
    assert not seeds & trained
    assert {getattr(scene, kind) for scene in prompted} == {name}
    assert len({scene.background for scene in prompted}) == 7


def test_prompts_say_the_trigger_and_the_truth():
    for prompt, scene in prompts_for("style", "pixel mosaic", 10):
        assert prompt == trained_caption("style", scene)
        assert prompt.startswith("mozaiq, ")
        assert isinstance(scene, Scene)
        assert scene.background in prompt.split(", ")


def test_writing_twice_gives_the_same_bytes(written: Path, tmp_path: Path):
    write_datasets(tmp_path, ["character-zorvex-small", "messy"])
    assert content(tmp_path / "character-zorvex-small") == content(written / "character-zorvex-small")
    for name in ("messy.zip", "messy.json"):
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes()


def test_a_complete_set_is_kept_and_an_incomplete_one_is_completed(tmp_path: Path):
    folder = write_dataset(tmp_path, "character-mimblu-small")
    before = content(folder)
    times = {p: p.stat().st_mtime_ns for p in folder.iterdir()}
    (folder / "0001.txt").write_text("edited by hand")
    write_dataset(tmp_path, "character-mimblu-small")
    assert (folder / "0001.txt").read_text() == "edited by hand"
    (folder / "0003.png").unlink()
    (folder / "0004.txt").unlink()
    write_dataset(tmp_path, "character-mimblu-small")
    assert content(folder) == before | {"0001.txt": b"edited by hand"}
    assert (folder / "0002.png").stat().st_mtime_ns == times[folder / "0002.png"]
    assert [p.name for p in tmp_path.iterdir()] == ["character-mimblu-small"]


def test_a_set_of_another_size_is_not_mixed_in(tmp_path: Path):
    folder = write_dataset(tmp_path, "character-mimblu-small", size=32)
    assert Image.open(folder / "0001.png").size == (32, 32)
    with pytest.raises(DatasetError, match="32 x 32.*64"):
        write_dataset(tmp_path, "character-mimblu-small")


def test_a_set_whose_picture_is_broken_is_named(tmp_path: Path):
    folder = write_dataset(tmp_path, "character-mimblu-small", size=32)
    (folder / "0001.png").write_bytes(b"")
    with pytest.raises(DatasetError, match="0001.png cannot be read"):
        write_dataset(tmp_path, "character-mimblu-small", size=32)


def test_an_unknown_name_is_answered_with_the_nearest(tmp_path: Path):
    with pytest.raises(InputError, match="character-zorvex-small"):
        write_datasets(tmp_path / "out", ["messy", "character-zorwex-smal"])
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="'halftone'"):
        prompts_for("style", "halftoned", 3)
    with pytest.raises(InputError, match="'concept'"):
        prompts_for("concepts", "umbrella", 3)
    with pytest.raises(InputError, match="16 to 1024"):
        write_dataset(tmp_path, "messy", size=4)


# -- kohya's layout ---------------------------------------------------------------------------------------------------


def test_two_characters_get_equal_time(written: Path):
    steps = {}
    for folder in (written / "multi-two-characters").iterdir():
        repeats, words = folder.name.split("_", 1)
        steps[words] = int(repeats) * len(list(folder.glob("*.png")))
        first_two = {", ".join(caption.split(", ")[:2]) for caption in captions(folder)}
        assert first_two == {words}
    assert steps == {"zorvex, blue scarf": 24, "quorrin, red hat": 24}


@pytest.mark.parametrize(("counts", "repeats"), [([24, 12], [1, 2]), ([10, 40, 15], [4, 1, 3]), ([7], [1]), ([9, 8], [1, 1])])
def test_the_folder_with_most_pictures_is_repeated_once(counts: list[int], repeats: list[int]):
    assert datasets._balanced_repeats(counts) == repeats


def test_the_regularisation_set_is_the_bases_own_world(written: Path):
    folder = written / "regularisation" / "1_creature"
    assert len(list(folder.glob("*.png"))) == len(captions(folder)) == REGULARISATION_PICTURES
    for caption in captions(folder):
        assert not set(caption.split(", ")) & {*TRIGGERS, *TRIGGERS.values()}
        assert " body" in caption


# -- the messy archive ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def truth(written: Path) -> dict[str, list[str]]:
    return json.loads((written / "messy.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def members(written: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(written / "messy.zip") as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == len(set(archive.namelist()))
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_truth_names_every_member_and_every_defect_occurs(members: dict[str, bytes], truth: dict[str, list[str]]):
    assert list(members) == list(truth)
    assert {defect for wrong in truth.values() for defect in wrong} == set(DEFECTS)
    assert sum(not wrong for wrong in truth.values()) > 20


def test_no_member_leaves_the_folder(written: Path, members: dict[str, bytes], tmp_path: Path):
    for name in members:
        assert ".." not in Path(name).parts
        assert not Path(name).is_absolute()
        assert "\\" not in name
        assert not PureWindowsPath(name).drive
        assert not PureWindowsPath(name).root
    with zipfile.ZipFile(written / "messy.zip") as archive:
        archive.extractall(tmp_path / "inside")
    assert [p.name for p in tmp_path.iterdir()] == ["inside"]
    assert len([p for p in tmp_path.rglob("*") if p.is_file()]) == len(members)


def test_captions_that_have_nothing_wrong_belong_to_a_picture(members: dict[str, bytes], truth: dict[str, list[str]]):
    pictures = {str(Path(n).with_suffix("")) for n in members if Path(n).suffix in (".png", ".jpg", ".webp", ".gif")}
    lone = {n for n in members if n.endswith(".txt") and str(Path(n).with_suffix("")) not in pictures}
    assert lone == {n for n, wrong in truth.items() if "caption-without-picture" in wrong}
    captions = {str(Path(n).with_suffix("")) for n in members if n.endswith(".txt")}
    bare = {n for n in members if Path(n).suffix in (".png", ".jpg", ".webp", ".gif") and str(Path(n).with_suffix("")) not in captions}
    assert {n for n in bare if "system-junk" not in truth[n]} == {n for n, wrong in truth.items() if "caption-missing" in wrong}


def picture(members: dict[str, bytes], name: str) -> Image.Image:
    return Image.open(io.BytesIO(members[name]))


def pixels(members: dict[str, bytes], name: str) -> np.ndarray:
    return np.asarray(picture(members, name).convert("RGB"), np.float32)


def test_files_are_what_the_truth_says_of_their_form(members: dict[str, bytes], truth: dict[str, list[str]]):
    assert max(picture(members, "too-small.png").size) < 64
    assert min(picture(members, "too-large.png").size) > 3000
    assert picture(members, "transparent.png").mode == "RGBA"
    assert picture(members, "grey.png").mode == "L"
    assert picture(members, "print.jpg").mode == "CMYK"
    assert picture(members, "few-colours.png").mode == "P"
    assert picture(members, "deep.png").mode == "I;16"
    assert np.asarray(picture(members, "deep.png")).max() > 255
    assert [len(ImageSequence.all_frames(picture(members, n))) for n in ("moving.gif", "moving-too.webp")] == [3, 3]
    lying = picture(members, "on-its-side.jpg")
    assert lying.width > lying.height
    assert ImageOps.exif_transpose(lying).size == lying.size[::-1]
    assert members["nothing.png"] == b""
    assert members["0001.png"] == members["0001 (copy).png"]
    for name in ("cut-off.png", "cut-off-too.jpg"):
        with pytest.raises((OSError, SyntaxError)):
            picture(members, name).load()
    with pytest.raises(UnidentifiedImageError):
        picture(members, "letter.png")


def drawn(name: str) -> np.ndarray:
    """The picture that the member `name` was before it was made faulty, float32 (256, 256, 3)."""
    number = 10 + [faulty for faulty, _, _ in messy._FAULTY_PICTURES].index(name)
    scenes = balanced_scenes(number + 1, first_seed_of(DATASET_SEEDS, "messy"), **fixed_attributes("character", "zorvex"))
    return np.asarray(draw_scene(scenes[number], 256), np.float32)


def test_a_picture_on_its_side_is_upright_when_read_right(members: dict[str, bytes]):
    read_right = ImageOps.exif_transpose(picture(members, "on-its-side.jpg"))
    assert np.abs(np.asarray(read_right, np.float32) - drawn("on-its-side.jpg")[:, 32:224]).mean() < 6


def test_the_protected_pictures_pattern_is_faint(members: dict[str, bytes]):
    pattern = pixels(members, "protected.png") - drawn("protected.png")
    assert 3 < pattern.std() < 9
    assert np.abs(pattern).max() <= 17


def test_pictures_look_as_the_truth_says(members: dict[str, bytes]):
    assert pixels(members, "dark.png").mean() < 30
    assert (pixels(members, "blown-out.png") > 250).mean() > 0.4
    assert pixels(members, "letterbox.png")[:60].max() == 0 == pixels(members, "letterbox.png")[-60:].max()
    assert np.ptp(pixels(members, "lost-in-space.png")[:300], axis=(0, 1)).max() == 0
    width, height = picture(members, "strip.png").size
    assert width > 5 * height
    mirrored = pixels(members, "0003 mirrored.png")[:, ::-1]
    assert (mirrored == pixels(members, "0003.png")).all()
    assert 0 < np.abs(pixels(members, "0002 again.jpg") - pixels(members, "0002.png")).mean() < 6


def test_captions_are_what_the_truth_says(members: dict[str, bytes], truth: dict[str, list[str]]):
    assert members["caption-bom.txt"].startswith(b"\xef\xbb\xbf")
    assert members["caption-empty.txt"] == b""
    with pytest.raises(UnicodeDecodeError):
        members["caption-latin-1.txt"].decode("utf-8")
    text = {n: members[n].decode("utf-8-sig", "replace").split(", ") for n in members if n.endswith(".txt") and members[n]}
    for name, tags in text.items():
        wrong = truth[name]
        assert ("trigger-missing" in wrong) == ("zorvex" not in tags), name
        assert ("trigger-not-first" in wrong) == ("zorvex" in tags[1:]), name
        assert ("duplicate-tag" in wrong) == (len(tags) > len(set(tags))), name
        assert ("too-many-tags" in wrong) == (len(tags) > 30), name
        assert ("single-tag" in wrong) == (tags == ["zorvex"]), name
        assert ("prompt-weights" in wrong) == any(":" in tag for tag in tags), name
    assert text["trigger-inside-word.txt"][0] == "zorvexian"


def test_what_is_held_out_is_fresh_and_is_not_trained_on(tmp_path):
    dataset = write_dataset(tmp_path, "character-zorvex-large")
    held_out = write_held_out(dataset, "character", "zorvex")

    opened = open_folder(dataset)
    assert len(opened.pictures) == 40
    assert opened.findings == ()
    fresh = {path.read_bytes() for path in held_out.glob("*.png")}
    assert len(fresh) == 8
    assert not fresh & {picture.path.read_bytes() for picture in opened.pictures}
