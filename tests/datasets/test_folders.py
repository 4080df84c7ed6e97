"""A folder is opened whole: what can be trained on comes back, and all that is odd about it is said."""

import os
import shutil
import zipfile
from pathlib import Path, PurePath

import pytest
from PIL import Image

from lorasmith.curation.audit.dataset import audit_dataset
from lorasmith.datasets import folders
from lorasmith.datasets.folders import FolderContents, open_folder
from lorasmith.errors import DatasetError, SettingsError
from lorasmith.findings import Finding
from lorasmith.images import looks
from tests.photographs import CAPTIONS, TOO_SMALL, UNREADABLE, make_pile


def draw(path: Path, caption: str | None = None, size: tuple[int, int] = (32, 24)) -> Path:
    """A picture whose content is its own, with its caption if there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.effect_noise(size, 50).convert("RGB").save(path)
    if caption is not None:
        path.with_suffix(".txt").write_text(caption, encoding="utf-8")
    return path


def codes(contents: FolderContents) -> list[str]:
    return [finding.code for finding in contents.findings]


def the_finding(contents: FolderContents) -> Finding:
    [finding] = contents.findings
    return finding


def in_short(finding: Finding) -> tuple[str, str, str]:
    """Its one subject, its code, its severity."""
    [subject] = finding.subjects
    return subject, finding.code, finding.severity


# The pile of real photographs and odd files


def test_of_a_mixed_pile_all_that_can_be_trained_on_is_found_and_the_rest_is_named(tmp_path: Path):
    pile = make_pile(tmp_path / "pile")
    contents = open_folder(tmp_path / "pile")
    left_out = {*UNREADABLE, *TOO_SMALL}
    assert [picture.path for picture in contents.pictures] == sorted(pile[name] for name in pile.keys() - left_out)
    errors = [finding for finding in contents.findings if finding.severity == "error"]
    assert {tmp_path / "pile" / finding.subjects[0] for finding in errors} == {pile[name] for name in left_out}
    for finding in contents.findings:
        assert str(tmp_path / "pile" / finding.subjects[0]) in finding.message


def test_pictures_carry_their_caption_size_folder_and_repeats(tmp_path: Path):
    pile = make_pile(tmp_path / "pile")
    by_path = {picture.path: picture for picture in open_folder(tmp_path / "pile").pictures}
    for name, caption in CAPTIONS.items():
        assert by_path[pile[name]].caption == caption
    rotated = by_path[pile["rotated"]]
    assert (rotated.size, rotated.folder, rotated.repeats, rotated.is_reg, rotated.caption) == ((451, 300), "pile", 1, False, None)


def test_damage_behind_the_header_is_seen_only_when_verifying(tmp_path: Path):
    pile = make_pile(tmp_path)
    quick = open_folder(tmp_path, verify=False)
    assert pile["truncated"] in [picture.path for picture in quick.pictures]
    assert [tmp_path / one.subjects[0] for one in quick.findings if one.code == "folder.unreadable"] == [pile["text"]]


# Layouts


def test_each_kohya_folder_gives_its_repeats_and_stands_in_for_missing_captions(tmp_path: Path):
    draw(tmp_path / "10_anna, red dress" / "b.png")
    draw(tmp_path / "10_anna, red dress" / "a.png", "anna, smiling")
    draw(tmp_path / "3_my_dog" / "c.png")
    contents = open_folder(tmp_path)
    assert [(picture.path.name, picture.caption, picture.repeats, picture.folder) for picture in contents.pictures] == [
        ("a.png", "anna, smiling", 10, "10_anna, red dress"),
        ("b.png", "anna, red dress", 10, "10_anna, red dress"),
        ("c.png", "my_dog", 3, "3_my_dog"),
    ]
    assert codes(contents) == ["folder.caption_missing", "folder.caption_missing"]
    assert "'my_dog'" in contents.findings[1].message


def test_a_single_kohya_folder_may_be_opened_itself(tmp_path: Path):
    draw(tmp_path / "7_anna" / "a.png")
    (picture,) = open_folder(tmp_path / "7_anna").pictures
    assert (picture.repeats, picture.caption) == (7, "anna")


def test_given_repeats_override_those_in_the_name(tmp_path: Path):
    draw(tmp_path / "10_anna" / "a.png", "anna")
    assert open_folder(tmp_path, repeats=2).pictures[0].repeats == 2


def test_repeats_below_one_are_refused(tmp_path: Path):
    draw(tmp_path / "a.png", "a")
    with pytest.raises(SettingsError, match="repeats is 0"):
        open_folder(tmp_path, repeats=0)


def test_a_year_is_not_taken_for_repeats(tmp_path: Path):
    draw(tmp_path / "2024_holiday" / "a.png", "beach")
    assert open_folder(tmp_path / "2024_holiday").pictures[0].repeats == 1


def test_pictures_beside_kohya_folders_are_left_out_and_named(tmp_path: Path):
    draw(tmp_path / "preview.png", "preview")
    draw(tmp_path / "5_anna" / "a.png", "anna")
    contents = open_folder(tmp_path)
    assert [picture.path.name for picture in contents.pictures] == ["a.png"]
    assert in_short(the_finding(contents)) == ("preview.png", "folder.picture_beside_folders", "error")


def test_a_subfolder_with_pictures_is_not_left_out_in_silence(tmp_path: Path):
    draw(tmp_path / "a.png", "a")
    draw(tmp_path / "more" / "b.png", "b")
    (tmp_path / "notes").mkdir()
    contents = open_folder(tmp_path)
    assert [picture.path.name for picture in contents.pictures] == ["a.png"]
    assert in_short(the_finding(contents)) == ("more", "folder.folder_not_read", "error")


def test_a_folder_of_no_repeats_is_left_out_and_named(tmp_path: Path):
    draw(tmp_path / "0_raw" / "a.png", "a")
    draw(tmp_path / "1_good" / "b.png", "b")
    contents = open_folder(tmp_path)
    assert [picture.path.name for picture in contents.pictures] == ["b.png"]
    assert the_finding(contents).subjects == ("0_raw",)


def test_reading_recursively_takes_every_folder_and_its_concept(tmp_path: Path):
    draw(tmp_path / "a.png", "a")
    draw(tmp_path / "more" / "deep" / "b.png", "b")
    draw(tmp_path / "4_anna" / "faces" / "c.png")
    contents = open_folder(tmp_path, recursive=True)
    assert [(picture.folder, picture.repeats, picture.caption) for picture in contents.pictures] == [
        (tmp_path.name, 1, "a"),
        ("4_anna/faces", 4, "anna"),
        ("more/deep", 1, "b"),
    ]


def test_a_link_that_leads_back_does_not_read_for_ever(tmp_path: Path):
    draw(tmp_path / "set" / "a.png", "a")
    (tmp_path / "set" / "again").symlink_to(tmp_path / "set", target_is_directory=True)
    assert len(open_folder(tmp_path / "set", recursive=True).pictures) == 1


def test_the_order_does_not_depend_on_the_order_of_writing(tmp_path: Path):
    for name in ("c", "a", "B", "b10", "b2"):
        draw(tmp_path / f"{name}.png", name)
    assert [picture.path.stem for picture in open_folder(tmp_path).pictures] == ["B", "a", "b10", "b2", "c"]


def test_findings_come_in_the_order_of_their_files(tmp_path: Path):
    draw(tmp_path / "b.png", "b")
    draw(tmp_path / "a.png")
    (tmp_path / "z.txt").write_text("z")
    shutil.copy(tmp_path / "b.png", tmp_path / "c.png")
    assert [finding.subjects[0] for finding in open_folder(tmp_path, missing_caption="x").findings] == ["c.png", "z.txt"]
    assert [finding.subjects[0] for finding in open_folder(tmp_path).findings] == ["a.png", "c.png", "c.png", "z.txt"]


def test_regularisation_pictures_are_marked(tmp_path: Path):
    draw(tmp_path / "a.png", "a woman")
    assert open_folder(tmp_path, is_reg=True).pictures[0].is_reg


def test_what_systems_leave_behind_is_passed_over(tmp_path: Path):
    draw(tmp_path / "a.png", "a")
    for name in (".DS_Store", "._a.png", "Thumbs.db", "desktop.ini"):
        (tmp_path / name).write_bytes(b"x")
    draw(tmp_path / "__MACOSX" / "b.png")
    assert open_folder(tmp_path).findings == ()


def test_suffixes_in_capitals_are_read(tmp_path: Path):
    draw(tmp_path / "A.PNG")
    (tmp_path / "A.TXT").write_text("a")
    contents = open_folder(tmp_path)
    assert contents.pictures[0].caption == "a"
    assert contents.findings == ()


# What is wrong with captions


def test_a_missing_caption_is_reported_and_none(tmp_path: Path):
    draw(tmp_path / "a.png")
    contents = open_folder(tmp_path)
    assert contents.pictures[0].caption is None
    assert in_short(the_finding(contents)) == ("a.png", "folder.caption_missing", "warning")


def test_a_caption_given_for_missing_ones_stands_in_before_the_name_of_the_folder(tmp_path: Path):
    draw(tmp_path / "2_anna" / "a.png")
    contents = open_folder(tmp_path, missing_caption="a woman")
    assert contents.pictures[0].caption == "a woman"
    assert contents.findings == ()


def test_an_empty_caption_is_reported_and_stays_empty(tmp_path: Path):
    draw(tmp_path / "2_anna" / "a.png", " \n")
    contents = open_folder(tmp_path, missing_caption="a woman")
    assert contents.pictures[0].caption == " "
    assert (the_finding(contents).code, the_finding(contents).severity) == ("folder.caption_empty", "warning")


def test_a_picture_whose_caption_is_not_utf8_is_left_out(tmp_path: Path):
    picture = draw(tmp_path / "a.png")
    picture.with_suffix(".txt").write_bytes("café".encode("latin-1"))
    draw(tmp_path / "b.png", "b")
    contents = open_folder(tmp_path)
    assert [picture.path.name for picture in contents.pictures] == ["b.png"]
    assert in_short(the_finding(contents)) == ("a.png", "folder.caption_unreadable", "error")
    assert "a.txt is not UTF-8" in the_finding(contents).message


def test_a_caption_without_a_picture_is_reported(tmp_path: Path):
    draw(tmp_path / "a.png", "a")
    (tmp_path / "b.txt").write_text("b")
    assert in_short(the_finding(open_folder(tmp_path))) == ("b.txt", "folder.caption_without_picture", "warning")


def test_of_two_captions_the_first_suffix_counts_and_the_other_is_reported(tmp_path: Path):
    draw(tmp_path / "a.png", "from txt")
    (tmp_path / "a.caption").write_text("from caption")
    contents = open_folder(tmp_path)
    assert contents.pictures[0].caption == "from txt"
    assert (the_finding(contents).subjects, the_finding(contents).code) == (("a.caption",), "folder.caption_not_used")
    assert open_folder(tmp_path, caption_extension=(".caption", ".txt")).pictures[0].caption == "from caption"


def test_two_pictures_of_one_name_that_share_a_caption_are_reported(tmp_path: Path):
    draw(tmp_path / "a.png", "both")
    draw(tmp_path / "a.webp")
    contents = open_folder(tmp_path)
    assert [picture.caption for picture in contents.pictures] == ["both", "both"]
    [shared] = [finding for finding in contents.findings if finding.code == "folder.caption_shared"]
    assert in_short(shared) == ("a.webp", "folder.caption_shared", "warning")
    assert "a.png and a.webp" in shared.message


def test_one_caption_suffix_may_be_given_as_plain_text(tmp_path: Path):
    draw(tmp_path / "a.png")
    (tmp_path / "a.tags").write_text("a")
    assert open_folder(tmp_path, caption_extension="tags").pictures[0].caption == "a"


# What is wrong with pictures


def test_a_picture_of_the_smallest_side_is_kept_and_a_smaller_one_left_out(tmp_path: Path):
    draw(tmp_path / "a.png", "a", size=(8, 8))
    draw(tmp_path / "b.png", "b", size=(7, 20))
    contents = open_folder(tmp_path)
    assert [picture.path.name for picture in contents.pictures] == ["a.png"]
    assert (the_finding(contents).code, the_finding(contents).severity) == ("folder.too_small", "error")
    assert "7 x 20" in the_finding(contents).message


def test_a_very_long_picture_is_kept_with_a_word_on_what_is_cropped(tmp_path: Path):
    draw(tmp_path / "a.png", "a", size=(40, 10))
    draw(tmp_path / "b.png", "b", size=(10, 100))
    contents = open_folder(tmp_path)
    assert len(contents.pictures) == 2
    assert in_short(the_finding(contents)) == ("b.png", "folder.extreme_aspect", "warning")
    assert "60%" in the_finding(contents).message
    assert the_finding(contents).fix.changes == ()  # what matters in it a person says


def test_the_same_file_twice_is_reported_also_across_folders(tmp_path: Path):
    first = draw(tmp_path / "1_anna" / "a.png", "a")
    draw(tmp_path / "1_anna" / "other.png", "another")
    second = tmp_path / "2_bella" / "b.png"
    second.parent.mkdir()
    shutil.copy(first, second)
    second.with_suffix(".txt").write_text("b")
    contents = open_folder(tmp_path)
    assert len(contents.pictures) == 3
    assert in_short(the_finding(contents)) == ("2_bella/b.png", "folder.duplicate", "warning")
    assert str(first) in the_finding(contents).message


def test_a_file_of_another_kind_is_reported(tmp_path: Path):
    draw(tmp_path / "a.png", "a")
    (tmp_path / "a.psd").write_bytes(b"x")
    assert in_short(the_finding(open_folder(tmp_path))) == ("a.psd", "folder.unknown_file", "warning")


# Errors that end it


def test_a_missing_folder_a_file_and_an_archive_are_refused_with_the_way_out(tmp_path: Path):
    with pytest.raises(DatasetError, match=r"nowhere does not exist"):
        open_folder(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"a\.png is a file: give the folder"):
        open_folder(draw(tmp_path / "a.png"))
    with zipfile.ZipFile(tmp_path / "set.upload", "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(DatasetError, match=r"set\.upload is an archive: bring it in with `lorasmith import set\.upload"):
        open_folder(tmp_path / "set.upload")


def test_a_folder_without_pictures_is_refused(tmp_path: Path):
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(DatasetError, match="holds no pictures"):
        open_folder(tmp_path)


def test_a_folder_of_broken_pictures_is_refused_with_three_reasons(tmp_path: Path):
    for name in "abcde":
        (tmp_path / f"{name}.png").write_text("no picture")
    with pytest.raises(DatasetError, match=r"a\.png.*b\.png.*c\.png.*and 2 more\.$") as caught:
        open_folder(tmp_path)
    assert "d.png" not in str(caught.value)


def test_a_folder_whose_pictures_all_lie_in_subfolders_says_where(tmp_path: Path):
    draw(tmp_path / "faces" / "a.png", "a")
    with pytest.raises(DatasetError, match=r"no picture that can be used: .*faces holds pictures"):
        open_folder(tmp_path)


def test_the_folder_may_be_given_relative_to_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    draw(tmp_path / "set" / "a.png", "a")
    monkeypatch.chdir(tmp_path / "set")
    assert os.fspath(open_folder(".").pictures[0].path) == "a.png"
    assert open_folder(".").pictures[0].folder == "set"


def test_listing_a_folder_grows_with_its_files_and_not_with_their_square(tmp_path, monkeypatch):
    """Paths are compared a few times for each file; they were compared with each caption of the folder."""
    for number in range(200):
        (tmp_path / f"{number}.png").write_bytes(b"")
        (tmp_path / f"{number}.txt").write_text("a cat")
        (tmp_path / f"{number}.bak").write_text("a cat")
    compared = 0
    equal = PurePath.__eq__

    def counted(one, other):
        nonlocal compared
        compared += 1
        return equal(one, other)

    monkeypatch.setattr(PurePath, "__eq__", counted)
    monkeypatch.setattr(folders, "picture_size", lambda path: (64, 64))
    contents = open_folder(tmp_path, verify=False)
    assert len(contents.pictures) == 200
    assert sum(finding.code == "folder.unknown_file" for finding in contents.findings) == 200
    assert compared < 20 * 600


def test_what_was_decoded_once_is_not_decoded_again(tmp_path, monkeypatch):
    folder = tmp_path / "set"
    folder.mkdir()
    for number in range(6):
        Image.new("RGB", (40 + number, 30), (number, 0, 0)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text("a cat")
    decoded = []
    read = looks.read_picture
    monkeypatch.setattr(looks, "read_picture", lambda path: decoded.append(path.name) or read(path))
    first = open_folder(folder, cache=tmp_path / "cache")
    assert sorted(decoded) == [f"{number}.png" for number in range(6)]
    assert open_folder(folder, cache=tmp_path / "cache") == first == open_folder(folder)
    Image.new("RGB", (99, 30)).save(folder / "2.png")
    (folder / "4.png").write_bytes(b"cut off")
    del decoded[:]
    again = open_folder(folder, cache=tmp_path / "cache")
    assert sorted(decoded) == ["2.png", "4.png"]
    assert [picture.size[0] for picture in again.pictures] == [40, 41, 99, 43, 45]
    assert again == open_folder(folder)


def test_what_the_audit_decoded_is_known_here(tmp_path, monkeypatch):
    for number in range(3):
        Image.effect_noise((90, 80), 20 + 20 * number).convert("RGB").save(tmp_path / f"{number}.png")
    audit_dataset(tmp_path, resolution=64, cache=tmp_path / "cache")
    monkeypatch.setattr(looks, "read_picture", lambda path: pytest.fail(f"{path} is decoded again"))
    assert [picture.size for picture in open_folder(tmp_path, cache=tmp_path / "cache").pictures] == [(90, 80)] * 3


def test_a_caption_may_have_the_whole_name_of_its_picture(tmp_path: Path):
    draw(tmp_path / "a.png")
    (tmp_path / "a.png.txt").write_text("whole name")
    draw(tmp_path / "b.png", "by stem")
    (tmp_path / "b.png.txt").write_text("not this")
    draw(tmp_path / "c.jpg.png", "of the png")
    draw(tmp_path / "c.jpg")
    contents = open_folder(tmp_path)
    assert {picture.path.name: picture.caption for picture in contents.pictures} == {
        "a.png": "whole name", "b.png": "by stem", "c.jpg.png": "of the png", "c.jpg": None,
    }  # fmt: skip
    assert [(finding.code, finding.subjects) for finding in contents.findings if finding.about == "caption"] == [
        ("folder.caption_not_used", ("b.png.txt",))
    ]


def test_a_folder_around_the_pictures_is_refused_with_where_they_are(tmp_path: Path):
    draw(tmp_path / "lora" / "images" / "10_girl" / "a.png")
    with pytest.raises(DatasetError, match=r"images/10_girl holds pictures; open that folder, or the one around it"):
        open_folder(tmp_path / "lora")


def test_a_hold_out_is_known_by_its_name_and_neither_trained_on_nor_reported(tmp_path: Path):
    draw(tmp_path / "a.png", "a")
    draw(tmp_path / "holdout" / "b.png", "b")
    contents = open_folder(tmp_path)
    assert [picture.path.name for picture in contents.pictures] == ["a.png"]
    assert contents.findings == ()
