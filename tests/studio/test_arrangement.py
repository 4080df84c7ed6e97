"""Each route of mends, layout, hold-out and rights: good, bad input, not there, busy."""

import io

import pytest
from PIL import Image

from lorasmith.dataset_folder import locked
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene
from tests.curation.imports.test_imports import listing

AT = "/api/projects/mimi"


@pytest.fixture
def dataset(script, workspace):
    script.post("/api/projects", json={"name": "Mimi", "trigger": "mimi"})
    folder = workspace / "projects" / "mimi" / "dataset"
    for number in range(5):
        draw_scene(random_scene(number)).crop((0, 0, 64, 48)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"mimi, {number}", encoding="utf-8")
    return folder


def ids(script):
    return script.get(f"{AT}/pictures").json()["ids"]


ROTATE = {"pictures": ["0.png"], "changes": [{"way": "rotate", "parameters": {"degrees": 90}}]}


def test_a_mend_is_tried_done_listed_and_taken_back(script, dataset):
    before = (dataset / "0.png").read_bytes()
    (plan,) = script.post(f"{AT}/mends:plan", json=ROTATE).json()
    assert (plan["picture"], plan["before"], plan["after"], plan["problem"]) == ("0.png", [64, 48], [[48, 64]], "")
    assert (dataset / "0.png").read_bytes() == before, "nothing is changed yet"
    (done,) = script.post(f"{AT}/mends", json=ROTATE).json()
    assert (done["before"], done["problem"]) == ("0.png", "")
    assert script.get(f"{AT}/pictures/0.png").json()["height"] == 64
    assert [one["original"] for one in script.get(f"{AT}/mends").json()] == ["0.png"]
    (undone,) = script.post(f"{AT}/mends:undo", json={"pictures": ["0.png"]}).json()
    assert undone["after"] == ["0.png"]
    assert (dataset / "0.png").read_bytes() == before
    assert script.post(f"{AT}/mends:undo", json={}).json() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"pictures": ["gone.png"], "changes": [{"way": "trim"}]}, 404), ({"pictures": ["../x.png"], "changes": [{"way": "trim"}]}, 404),
        ({"pictures": ["0.png"], "changes": [{"way": "explode"}]}, 400), ({"pictures": ["0.png"], "changes": []}, 422),
        ({"pictures": [], "changes": [{"way": "trim"}]}, 422), ({"pictures": ["0.png"], "changes": [{"way": "rotate"}]}, 400),
        ({"pictures": ["0.png"], "changes": [{"way": "rotate", "parameters": {"degrees": 17}}]}, 400),
        ({"pictures": ["0.png"], "changes": [{"way": "crop", "parameters": {"box": [1, 2]}}]}, 400),
        ({"pictures": ["0.png"], "changes": [{"way": "crop", "parameters": {"box": "abcd"}}]}, 400),
        ({"pictures": ["0.png"], "changes": [{"way": "max", "parameters": {"pixels": 0}}]}, 400),
        ({"pictures": ["0.png"], "changes": [{"way": "cut", "parameters": {"boxes": [[0, 0, 9, 9]]}}]}, 400),
        ({"pictures": ["0.png"], "changes": [{"way": "trim", "parameters": {"box": [0, 0, 9, 9]}}]}, 400),
        ({"pictures": ["0.png"], "changes": [{"way": "upscale", "parameters": {"pixels": 512, "network": "/etc/passwd"}}]}, 400),
        ({"pictures": ["0.png"] * 201, "changes": [{"way": "trim"}]}, 422),
    ],
)  # fmt: skip
def test_a_mend_that_cannot_be_done_is_refused(script, dataset, body, status):
    assert script.post(f"{AT}/mends:plan", json=body).status_code == status
    assert script.post(f"{AT}/mends", json=body).status_code == status


def test_a_plan_shows_before_and_after_and_writes_nothing_to_the_dataset(script, dataset):
    before = listing(dataset)
    cut = {"way": "cut", "parameters": {"boxes": [[0, 0, 20, 48], [20, 0, 64, 48]]}}
    (plan,) = script.post(f"{AT}/mends:plan", json={"pictures": ["0.png"], "changes": [cut]}).json()
    assert script.get(plan["before_url"]).content == (dataset / "0.png").read_bytes()
    assert plan["boxes"] == cut["parameters"]["boxes"]
    drawn = [script.get(address) for address in plan["after_urls"]]
    assert [Image.open(io.BytesIO(one.content)).size for one in drawn] == [(20, 48), (44, 48)]
    assert all("immutable" in one.headers["cache-control"] and one.headers["content-type"] == "image/webp" for one in drawn)
    assert listing(dataset) == before
    missing = plan["after_urls"][0].replace("/0.webp", "/2.webp")
    assert (script.get(missing).status_code, script.get(missing).json()["code"]) == (404, "preview.not_found")
    (again,) = script.post(f"{AT}/mends:plan", json={"pictures": ["0.png"], "changes": [cut]}).json()
    assert again["after_urls"] == plan["after_urls"]


@pytest.mark.parametrize(("way", "pictures"), [("trim", 0), ("remove", 0)])
def test_what_makes_no_picture_has_none_to_show(script, dataset, way, pictures):
    (plan,) = script.post(f"{AT}/mends:plan", json={"pictures": ["0.png"], "changes": [{"way": way}]}).json()
    assert len(plan["after_urls"]) == pictures


def test_a_preview_of_a_picture_that_changed_is_409_and_an_unknown_one_404(script, dataset):
    (plan,) = script.post(f"{AT}/mends:plan", json=ROTATE).json()
    draw_scene(random_scene(9)).save(dataset / "0.png")
    refused = script.get(plan["after_urls"][0])
    assert (refused.status_code, refused.json()["code"]) == (409, "preview.stale")
    assert script.get(f"/files/mends/{'0' * 64}/0.webp").status_code == 404
    assert script.get(f"/files/mends/{'0' * 64}/100.webp").status_code == 422
    assert script.get("/files/mends/..%2f..%2fx/0.webp").status_code in (404, 422)


def test_old_previews_make_room_for_new_ones(script, dataset, workspace, monkeypatch):
    monkeypatch.setattr("lorasmith.curation.mend.previews.MOST_KEPT", 6)
    for left in range(20):
        crop = {"way": "crop", "parameters": {"box": [left, 0, 60, 40]}}
        (plan,) = script.post(f"{AT}/mends:plan", json={"pictures": ["0.png"], "changes": [crop]}).json()
        assert script.get(plan["after_urls"][0]).status_code == 200
    assert len([file for file in (workspace / ".lorasmith" / "previews").iterdir() if file.suffix in (".json", ".webp")]) <= 8


def test_the_ways_to_mend_are_listed_with_what_they_take(script, dataset):
    ways = {way["way"]: way for way in script.get(f"{AT}/mends/ways").json()}
    assert ways["rotate"]["parameters"]["properties"]["degrees"]["enum"] == [90, 180, 270]
    assert (ways["crop"]["parameters"]["required"], ways["crop"]["for_chosen"]) == (["box"], True)
    assert (ways["remove"]["alone"], ways["trim"]["alone"], ways["trim"]["for_chosen"]) == (True, False, False)
    assert all(way["words"].endswith(".") for way in ways.values())
    assert script.get("/api/projects/gone/mends/ways").status_code == 404


def test_a_picture_is_cut_into_the_boxes_of_the_user(script, dataset):
    cut = {"way": "cut", "parameters": {"boxes": [[0, 0, 20, 48], [20, -5, 99, 48]]}}
    (done,) = script.post(f"{AT}/mends", json={"pictures": ["0.png"], "changes": [cut]}).json()
    assert done["after"] == ["0_1.png", "0_2.png"]
    assert [script.get(f"{AT}/pictures/{picture}").json()["width"] for picture in done["after"]] == [20, 44]
    script.post(f"{AT}/mends:undo", json={})
    assert "0.png" in ids(script)


def test_a_removed_picture_comes_back(script, dataset):
    script.post(f"{AT}/mends", json={"pictures": ["0.png"], "changes": [{"way": "remove"}]})
    assert "0.png" not in ids(script)
    script.post(f"{AT}/mends:undo", json={})
    assert "0.png" in ids(script)


def test_a_layout_is_shown_before_it_is_made(script, dataset):
    shown = script.get(f"{AT}/layout").json()
    assert shown["concepts"] == [{"folder": "1_mimi", "name": "mimi", "pictures": 5, "repeats": 1, "regularisation": False}]
    assert len(shown["moves"]) == 5
    dry = script.put(f"{AT}/layout", params={"dry": 1}, json={"repeats": {"mimi": 4}}).json()
    assert (dry["concepts"][0]["folder"], dry["samples_per_epoch"]) == ("4_mimi", 20)
    assert ids(script) == [f"{number}.png" for number in range(5)]
    script.put(f"{AT}/layout", json={"repeats": {"mimi": 4}})
    assert ids(script) == [f"4_mimi/{number}.png" for number in range(5)]
    assert (dataset / "4_mimi" / "0.txt").exists()


def test_a_layout_that_cannot_be_is_refused(script, dataset):
    assert script.put(f"{AT}/layout", json={"repeats": {"gone": 4}}).status_code == 400
    assert script.put(f"{AT}/layout", json={"base_repeats": 0}).status_code == 422
    assert script.put(f"{AT}/layout", json={"concept": "../x"}).json()["concepts"][0]["folder"].count("/") == 0


def test_a_share_is_held_out(script, dataset):
    dry = script.put(f"{AT}/holdout", params={"dry": 1}, json={"share": 0.2}).json()
    assert (len(dry["training"]), len(dry["held_out"])) == (4, 1)
    assert script.get(f"{AT}/holdout").json()["held_out"] == []
    done = script.put(f"{AT}/holdout", json={"share": 0.2}).json()
    now = script.get(f"{AT}/holdout").json()
    assert (now["held_out"], now["training"]) == (done["held_out"], done["training"])
    assert now["held_out"][0].startswith("holdout/")
    assert script.put(f"{AT}/holdout", json={"share": 0.6}).status_code == 422


def test_rights_are_confirmed_in_words(script, dataset):
    assert script.get(f"{AT}/rights").json()["confirmed"] is False
    assert script.put(f"{AT}/rights", json={"words": "  "}).status_code == 400
    assert script.put(f"{AT}/rights", json={"words": "my own <drawings>"}).json()["pictures"] == 5
    assert script.get(f"{AT}/rights").json()["words"] == "my own <drawings>"


def test_a_dataset_that_is_in_use_is_423(script, dataset):
    with locked(dataset):
        assert script.post(f"{AT}/mends", json=ROTATE).status_code == 423
        assert script.post(f"{AT}/mends:undo", json={}).status_code == 423
        busy = script.put(f"{AT}/layout", params={"dry": "0"}, json={})
        assert busy.status_code == 423
        assert busy.json()["actions"] == [{"label": "Try again", "call": f"PUT {AT}/layout?dry=0", "again": True}]
        assert script.put(f"{AT}/holdout", json={"share": 0.2}).status_code == 423


@pytest.mark.parametrize("what", ["mends", "layout", "holdout", "rights"])
def test_of_a_project_that_is_not_there_it_is_404_and_an_empty_one_says_so(script, what):
    assert script.get(f"/api/projects/gone/{what}").status_code == 404
    script.post("/api/projects", json={"name": "Empty"})
    assert script.get(f"/api/projects/empty/{what}").status_code in (200, 400)
