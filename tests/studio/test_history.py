"""Each route of the history: good, nothing there, not there, busy, changed meanwhile."""

import pytest

from lorasmith.curation.mend.recipes import kept_recipes, save_recipe
from lorasmith.curation.mend.steps import Upscale
from lorasmith.dataset_folder import locked
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene
from lorasmith.studio.mends import MOST_AT_ONCE

AT = "/api/projects/mimi"


@pytest.fixture
def dataset(script, workspace):
    script.post("/api/projects", json={"name": "Mimi", "trigger": "mimi"})
    folder = workspace / "projects" / "mimi" / "dataset"
    for number in range(3):
        draw_scene(random_scene(number)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"mimi, {number}", encoding="utf-8")
    return folder


def history(script):
    return script.get(f"{AT}/history").json()


def state(script):
    return [(one["what"], one["state"], one["undo"], one["redo"]) for one in history(script)]


ROTATE = {"pictures": ["0.png", "1.png"], "changes": [{"way": "rotate", "parameters": {"degrees": 90}}]}


def test_captions_mends_and_moves_are_undone_and_redone_in_turn(script, dataset):
    assert history(script) == []
    script.post(f"{AT}/edits", json={"edit": "add", "arguments": {"tags": ["cat"]}})
    script.post(f"{AT}/mends", json=ROTATE)
    script.put(f"{AT}/layout", json={"repeats": {"mimi": 4}})
    assert state(script) == [("moves", "done", True, False), ("mends", "done", False, False), ("captions", "done", False, False)]
    listed = history(script)
    assert [one["summary"] for one in listed] == ["lay out 4_mimi", "0.png and 1 more: turned by 90 degrees", listed[2]["summary"]]
    assert [one["count"] for one in listed] == [3, 2, 3]
    for one in listed:
        undone = script.post(f"{AT}/history:undo").json()
        assert (undone["id"], undone["state"]) == (one["id"], "undone")
    assert script.get(f"{AT}/pictures").json()["ids"] == ["0.png", "1.png", "2.png"]
    assert (dataset / "0.txt").read_text(encoding="utf-8") == "mimi, 0"
    assert state(script) == [("moves", "undone", False, False), ("mends", "undone", False, False), ("captions", "undone", False, True)]
    refused = script.post(f"{AT}/history:undo")
    assert (refused.status_code, refused.json()["code"]) == (409, "dataset.nothing_to_undo")
    for one in reversed(listed):
        assert script.post(f"{AT}/history:redo").json()["id"] == one["id"]
    assert script.get(f"{AT}/pictures").json()["ids"] == ["4_mimi/0.png", "4_mimi/1.png", "4_mimi/2.png"]
    assert script.post(f"{AT}/history:redo").status_code == 409


def test_an_undo_of_one_operation_takes_back_no_other_one(script, dataset):
    script.post(f"{AT}/mends", json=ROTATE)
    meant = history(script)[0]["id"]
    script.post(f"{AT}/edits", json={"edit": "add", "arguments": {"tags": ["cat"]}})
    refused = script.post(f"{AT}/history:undo", params={"operation": meant})
    assert (refused.status_code, refused.json()["code"]) == (409, "history.stale")
    assert refused.json()["values"]["operation"] == history(script)[0]["id"]
    assert [one["state"] for one in history(script)] == ["done", "done"]
    for one in history(script):
        assert script.post(f"{AT}/history:undo", params={"operation": one["id"]}).json()["state"] == "undone"
    assert script.post(f"{AT}/history:undo", params={"operation": meant}).status_code == 409


def test_mends_of_many_pictures_in_several_ways_are_one_call_and_one_step_back(script, dataset):
    before = {file.name: file.read_bytes() for file in dataset.glob("*.png")}
    asked = [{"pictures": ["0.png", "1.png"], "changes": ROTATE["changes"]}, {"pictures": ["2.png"], "changes": [{"way": "remove"}]}]
    done = script.post(f"{AT}/mends:together", json={"mends": asked}).json()
    assert [(one["before"], one["problem"]) for one in done] == [("0.png", ""), ("1.png", ""), ("2.png", "")]
    assert [(one["what"], one["count"]) for one in history(script)] == [("mends", 3)]
    script.post(f"{AT}/history:undo")
    assert {file.name: file.read_bytes() for file in dataset.glob("*.png")} == before
    script.post(f"{AT}/history:redo")
    assert script.get(f"{AT}/pictures").json()["ids"] == ["0.png", "1.png"]


def test_edits_that_follow_each_other_are_one_call_and_one_step_back(script, dataset):
    rename = {"edit": "rename", "arguments": {"old": "0", "new": "hat"}, "followed_by": [{"edit": "add", "arguments": {"tags": ["cat"]}}]}
    plan = script.post(f"{AT}/edits:plan", json=rename).json()
    assert (plan["changed"], plan["shown"][0]["after"]) == (3, "mimi, hat, cat")
    assert script.post(f"{AT}/edits", json=rename).json()["changed"] == 3
    assert (dataset / "0.txt").read_text(encoding="utf-8") == "mimi, hat, cat"
    assert [one["summary"] for one in history(script)] == [plan["summary"]]
    script.post(f"{AT}/history:undo")
    assert (dataset / "0.txt").read_text(encoding="utf-8") == "mimi, 0"


def test_mends_together_are_of_any_number_of_pictures(script, dataset):
    body = {"pictures": [f"{number}.png" for number in range(MOST_AT_ONCE + 1)], "changes": [{"way": "remove"}]}
    assert script.post(f"{AT}/mends", json=body).status_code == 422, "too many"
    refused = script.post(f"{AT}/mends:together", json={"mends": [body]})
    assert (refused.status_code, refused.json()["values"]["picture"]) == (404, "3.png"), "the first one that is not there"


@pytest.mark.parametrize(
    ("pictures", "way", "status"), [("gone.png", "flip", 404), ("1.png", "explode", 400), ("0.png", "rotate", 400)]
)  # fmt: skip
def test_of_mends_together_none_is_begun_where_one_cannot_be_done(script, dataset, pictures, way, status):
    asked = [{"pictures": ["0.png"], "changes": [{"way": "flip"}]}, {"pictures": [pictures], "changes": [{"way": way}]}]
    assert script.post(f"{AT}/mends:together", json={"mends": asked}).status_code == status
    assert history(script) == []


def test_a_picture_that_was_put_elsewhere_and_a_caption_that_was_written_are_among_it(script, dataset):
    script.put(f"{AT}/captions/0.txt", json={"text": "mimi"})
    script.patch(f"{AT}/pictures/0.png", json={"held_out": True})
    assert [one["summary"] for one in history(script)] == ["0.png: held out", "write 0.txt"]
    script.post(f"{AT}/history:undo")
    assert script.get(f"{AT}/pictures/0.png").json()["held_out"] is False


def test_what_changed_elsewhere_is_412_and_stays(script, dataset):
    script.post(f"{AT}/edits", json={"edit": "add", "arguments": {"tags": ["cat"]}})
    (dataset / "0.txt").write_text("typed elsewhere", encoding="utf-8")
    refused = script.post(f"{AT}/history:undo")
    assert (refused.status_code, refused.json()["code"]) == (412, "captions.changed_outside")
    assert (dataset / "0.txt").read_text(encoding="utf-8") == "typed elsewhere"
    (dataset / "0.txt").write_text("mimi, 0, cat", encoding="utf-8")
    script.post(f"{AT}/history:undo")
    script.post(f"{AT}/mends", json=ROTATE)
    script.post(f"{AT}/history:undo")
    draw_scene(random_scene(9)).save(dataset / "0.png")
    refused = script.post(f"{AT}/history:redo")
    assert (refused.status_code, refused.json()["code"]) == (412, "mend.changed")


def test_a_dataset_that_is_in_use_is_423_and_a_project_that_is_not_there_404(script, dataset):
    script.put(f"{AT}/layout", json={})
    with locked(dataset):
        assert script.post(f"{AT}/history:undo").status_code == 423
    script.post(f"{AT}/history:undo")
    with locked(dataset):
        assert script.post(f"{AT}/history:redo").status_code == 423
    for method, path in (("GET", "history"), ("POST", "history:undo"), ("POST", "history:redo")):
        assert script.request(method, f"/api/projects/gone/{path}").status_code == 404


def test_an_undo_that_would_load_a_network_is_refused(script, dataset):
    for _ in range(2):
        script.post(f"{AT}/mends", json={**ROTATE, "pictures": ["0.png"]})
    (recipe,) = kept_recipes(dataset)
    network = Upscale(size=(128, 128), network="x.safetensors", content="0", at=recipe.steps[0].at)
    save_recipe(dataset, recipe.model_copy(update={"steps": (network, recipe.steps[1])}))
    refused = script.post(f"{AT}/history:undo")
    assert (refused.status_code, refused.json()["code"]) == (400, "dataset.undo_takes_a_network")


def test_a_project_without_pictures_has_no_history(script):
    script.post("/api/projects", json={"name": "Empty"})
    assert script.get("/api/projects/empty/history").json() == []
    assert script.post("/api/projects/empty/history:undo").status_code == 409


def test_undoing_the_trigger_gives_captions_and_project_back(script, dataset):
    setting = {"edit": "set-triggers", "arguments": {"triggers": ["zorvex"], "replacing": ["mimi"]}, "trigger": "zorvex"}

    def found():
        return script.get(AT).json()["trigger"], (dataset / "0.txt").read_text(encoding="utf-8")

    assert script.post(f"{AT}/edits", json=setting).json()["changed"] == 3
    assert found() == ("zorvex", "zorvex, 0")
    script.post(f"{AT}/history:undo")
    assert found() == ("mimi", "mimi, 0")
    script.post(f"{AT}/history:redo")
    assert found() == ("zorvex", "zorvex, 0")


def test_a_trigger_that_the_captions_have_already_becomes_the_projects(script, dataset):
    setting = {"edit": "set-triggers", "arguments": {"triggers": ["mimi"], "replacing": []}, "trigger": "mimi, 0"}
    assert script.post(f"{AT}/edits", json=setting).json() == {"changed": 0, "operation": None}
    assert script.get(AT).json()["trigger"] == "mimi, 0"
