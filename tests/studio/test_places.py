"""Pictures are put into another concept, with other repeats, held out: good, bad input, not there, busy, changed meanwhile."""

import shutil

import pytest

from lorasmith.dataset_folder import locked
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene

AT = "/api/projects/mimi/pictures"


@pytest.fixture
def dataset(script, workspace):
    """Three pictures of one concept, one of another that is held out, one of regularisation."""
    script.post("/api/projects", json={"name": "Mimi"})
    folder = workspace / "projects" / "mimi" / "dataset"
    places = ["5_mimi/a.png", "5_mimi/b.png", "5_mimi/c d.png", "holdout/1_mimi/e.png", "regularisation/1_cat/r.png"]
    for number, place in enumerate(places):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        draw_scene(random_scene(number)).save(folder / place)
    (folder / "5_mimi" / "a.txt").write_text("mimi, red hat", encoding="utf-8")
    return folder


def ids(script):
    return script.get(AT).json()["ids"]


def patch(script, picture, **change):
    return script.patch(f"{AT}/{picture}", json=change)


def test_a_picture_gets_another_concept_other_repeats_and_its_caption_goes_along(script, dataset):
    moved = patch(script, "5_mimi/a.png", concept="Tama", repeats=7).json()
    assert (moved["id"], moved["concept"], moved["repeats"], moved["text"]) == ("7_Tama/a.png", "Tama", 7, "mimi, red hat")
    assert moved["moves"] == [{"old": "5_mimi/a.png", "new": "7_Tama/a.png"}]
    assert patch(script, "7_Tama/a.png", concept="mimi").json()["id"] == "5_mimi/a.png", "the folder that the concept has"
    assert patch(script, "5_mimi/a.png", repeats=2).json()["id"] == "2_mimi/a.png"
    assert patch(script, "regularisation/1_cat/r.png", repeats=3).json()["id"] == "regularisation/3_cat/r.png"
    assert patch(script, "5_mimi/b.png").json()["moves"] == []


def test_a_picture_is_held_out_with_its_near_duplicates_and_taken_back(script, dataset):
    (dataset / "5_mimi" / "z.png").write_bytes((dataset / "5_mimi" / "a.png").read_bytes())
    moved = patch(script, "5_mimi/a.png", held_out=True).json()
    assert (moved["id"], moved["held_out"]) == ("holdout/1_mimi/a.png", True)
    assert sorted(move["new"] for move in moved["moves"]) == ["holdout/1_mimi/a.png", "holdout/1_mimi/z.png"]
    dry = script.put("/api/projects/mimi/holdout", params={"dry": 1}, json={"share": 0.1}).json()
    assert "holdout/1_mimi/a.png" in dry["held_out"], "what was decided by hand stays so"
    assert patch(script, "holdout/1_mimi/a.png", held_out=False, repeats=9).json()["id"] == "9_mimi/a.png"
    assert patch(script, "holdout/1_mimi/e.png", held_out=False).json()["id"] == "5_mimi/e.png"


def test_a_concept_that_is_held_out_whole_comes_back_into_a_folder_of_its_own(script, dataset):
    (dataset / "holdout" / "1_mimi").rename(dataset / "holdout" / "1_tama")
    assert patch(script, "holdout/1_tama/e.png", held_out=False).json()["id"] == "1_tama/e.png"


def test_a_picture_becomes_one_of_regularisation_and_the_subjects_again(script, dataset):
    marked = patch(script, "5_mimi/a.png", regularisation=True, concept="woman").json()
    assert (marked["id"], marked["regularisation"], marked["text"]) == ("regularisation/1_woman/a.png", True, "mimi, red hat")
    assert patch(script, "regularisation/1_woman/a.png", repeats=4).json()["id"] == "regularisation/4_woman/a.png"
    back = patch(script, "regularisation/4_woman/a.png", regularisation=False, concept="mimi").json()
    assert (back["id"], back["regularisation"]) == ("5_mimi/a.png", False)
    assert patch(script, "holdout/1_mimi/e.png", regularisation=True).json()["id"] == "regularisation/1_mimi/e.png"
    script.post("/api/projects/mimi/history:undo")
    assert "holdout/1_mimi/e.png" in ids(script)


def test_a_folder_of_regularisation_by_another_name_keeps_it(script, dataset):
    (dataset / "regularisation").rename(dataset / "reg")
    assert patch(script, "reg/1_cat/r.png", repeats=3).json()["id"] == "reg/3_cat/r.png"
    assert patch(script, "reg/3_cat/r.png", regularisation=False).json()["id"] == "1_cat/r.png"


def test_a_loose_picture_becomes_one_of_regularisation_and_the_others_are_trained_on_as_before(script, dataset):
    for name in ("a", "b", "c d"):
        (dataset / "5_mimi" / f"{name}.png").rename(dataset / f"{name}.png")
    shutil.rmtree(dataset / "5_mimi")
    assert patch(script, "a.png", regularisation=True, concept="woman").json()["id"] == "regularisation/1_woman/a.png"
    assert patch(script, "regularisation/1_woman/a.png", regularisation=False).json()["id"] == "a.png"


def test_several_pictures_change_together(script, dataset):
    version = script.get(AT).json()["version"]
    chosen = {"pictures": ["5_mimi/a.png", "5_mimi/b.png"], "concept": "tama"}
    changed = script.patch(AT, json=chosen, headers={"If-Match": f'"{version}"'}).json()
    assert [move["new"] for move in changed["moves"]] == ["1_tama/a.png", "1_tama/b.png"]
    assert changed["version"] == script.get(AT).json()["version"] != version
    refused = script.patch(AT, json={"pictures": ["1_tama/a.png"], "repeats": 2}, headers={"If-Match": f'"{version}"'})
    assert (refused.status_code, refused.json()["code"]) == (412, "pictures.changed")


@pytest.mark.parametrize(
    ("picture", "change", "status", "code"),
    [
        ("5_mimi/a.png", {"repeats": 0}, 422, "call.value"), ("5_mimi/a.png", {"repeats": 1000}, 422, "call.value"), ("5_mimi/a.png", {"concept": " "}, 422, "call.value"),
        ("5_mimi/a.png", {"held_out": True, "repeats": 2}, 400, "place.held_out"), ("holdout/1_mimi/e.png", {"repeats": 2}, 400, "place.held_out"),
        ("regularisation/1_cat/r.png", {"held_out": True}, 400, "place.regularisation"),
        ("5_mimi/a.png", {"regularisation": True, "held_out": True}, 400, "place.regularisation"),
        ("5_mimi/gone.png", {"repeats": 2}, 404, "picture.not_found"), ("..%2fproject.toml", {"repeats": 2}, 404, "picture.not_found"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_nothing_moves(script, dataset, picture, change, status, code):
    before = ids(script)
    refused = patch(script, picture, **change)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert script.patch(AT, json={"pictures": [picture], **change}).status_code == status
    assert ids(script) == before


@pytest.mark.parametrize("concept", ["../x", "a/b", "..", "C:\\x", "a\0b", "con", "<script>"])
def test_a_concept_is_a_name_and_never_a_path(script, dataset, concept):
    assert patch(script, "5_mimi/a.png", concept=concept).status_code == 200
    (moved,) = [picture for picture in ids(script) if picture.endswith("/a.png")]
    assert moved.count("/") == 1
    assert moved.startswith("1_")


def test_a_picture_that_changed_meanwhile_is_412(script, dataset):
    read = script.get(f"{AT}/5_mimi/a.png").headers["etag"]
    draw_scene(random_scene(77)).save(dataset / "5_mimi" / "a.png")
    refused = script.patch(f"{AT}/5_mimi/a.png", json={"repeats": 2}, headers={"If-Match": read})
    assert (refused.status_code, refused.json()["code"]) == (412, "pictures.changed")
    assert refused.json()["actions"][0]["call"] == f"GET {AT}/5_mimi/a.png"
    now = script.get(f"{AT}/5_mimi/a.png").headers["etag"]
    assert script.patch(f"{AT}/5_mimi/a.png", json={"repeats": 2}, headers={"If-Match": now}).status_code == 200


def test_a_dataset_that_is_in_use_is_423_and_a_project_that_is_not_there_404(script, dataset):
    with locked(dataset):
        assert patch(script, "5_mimi/a.png", repeats=2).status_code == 423
        assert patch(script, "5_mimi/a.png", held_out=True).status_code == 423
    assert script.patch("/api/projects/gone/pictures/a.png", json={"repeats": 2}).status_code == 404
    assert script.patch("/api/projects/gone/pictures", json={"pictures": ["a.png"], "repeats": 2}).status_code == 404


def test_loose_pictures_are_not_left_out_of_training_by_moving_one_of_them(script, dataset):
    (dataset / "5_mimi" / "a.png").rename(dataset / "a.png")
    (dataset / "5_mimi" / "b.png").rename(dataset / "b.png")
    refused = patch(script, "a.png", concept="mimi")
    assert (refused.status_code, refused.json()["code"]) == (400, "place.not_laid_out")
    both = script.patch(AT, json={"pictures": ["a.png", "b.png"], "concept": "mimi"})
    assert both.status_code == 200
    assert "5_mimi/b.png" in ids(script)


def test_a_picture_comes_with_the_steps_by_which_it_was_mended(script, dataset):
    rotate = {"way": "rotate", "parameters": {"degrees": 90}}
    for changes in ([rotate, {"way": "convert", "parameters": {"to": "jpg"}}], [rotate]):
        script.post("/api/projects/mimi/mends", json={"pictures": [ids(script)[0]], "changes": changes})
    picture = script.get(f"{AT}/{ids(script)[0]}").json()
    assert (picture["id"], picture["original"]) == ("5_mimi/a.jpg", "5_mimi/a.png")
    assert [step["words"] for step in picture["history"]] == ["turned by 90 degrees", "saved as JPG", "turned by 90 degrees"]
    first, second, third = (step["at"] for step in picture["history"])
    assert first == second < third
