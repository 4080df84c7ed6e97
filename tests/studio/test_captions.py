"""Each route of captions: good, bad input, not there, busy, changed meanwhile."""

import os
from urllib.parse import quote

import pytest

from lorasmith.dataset_folder import locked
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene

AT = "/api/projects/mimi"


@pytest.fixture
def dataset(script, workspace):
    script.post("/api/projects", json={"name": "Mimi", "trigger": "mimi"})
    folder = workspace / "projects" / "mimi" / "dataset"
    for number, caption in enumerate(["mimi, red hat", "mimi, blue hat", None]):
        draw_scene(random_scene(number)).save(folder / f"{number}.png")
        if caption is not None:
            (folder / f"{number}.txt").write_text(caption, encoding="utf-8")
    return folder


def said(dataset):
    return [file.read_text(encoding="utf-8") for file in sorted(dataset.glob("*.txt"))]


def test_a_caption_is_read_and_written(script, dataset):
    read = script.get(f"{AT}/captions/0.txt")
    assert read.json() == {"id": "0.txt", "text": "mimi, red hat", "tags": ["mimi", "red hat"], "exists": True, "pictures": ["0.png"]}
    written = script.put(f"{AT}/captions/0.txt", json={"tags": ["mimi", "green hat"]}, headers={"If-Match": read.headers["etag"]})
    assert written.json()["text"] == "mimi, green hat"
    assert written.headers["etag"] != read.headers["etag"]
    assert script.put(f"{AT}/captions/2.txt", json={"text": "<script>alert(1)</script>"}).json()["exists"]
    assert said(dataset) == ["mimi, green hat", "mimi, blue hat", "<script>alert(1)</script>"]


def test_a_caption_that_changed_meanwhile_is_412_and_stays(script, dataset):
    old = script.get(f"{AT}/captions/0.txt").headers["etag"]
    (dataset / "0.txt").write_text("typed elsewhere", encoding="utf-8")
    refused = script.put(f"{AT}/captions/0.txt", json={"text": "x"}, headers={"If-Match": old})
    assert (refused.status_code, refused.json()["code"]) == (412, "captions.changed")
    assert said(dataset)[0] == "typed elsewhere"


@pytest.mark.parametrize(
    "body", [{}, {"text": "x", "tags": []}, {"tags": ["a, b"]}, {"tags": [""]}, {"text": "a\0b"}, {"text": 3}, {"text": "x" * 100_001}]
)
def test_what_is_no_caption_is_refused(script, dataset, body):
    assert script.put(f"{AT}/captions/0.txt", json=body).status_code in (400, 422)
    assert said(dataset)[0] == "mimi, red hat"


@pytest.mark.parametrize("name", ["9.txt", "../project.toml", "..%2fproject.toml", "0.png", "%00", "/etc/passwd"])
def test_a_caption_that_is_not_there_is_404(script, dataset, name):
    assert script.get(f"{AT}/captions/{name}").status_code == 404
    assert script.put(f"{AT}/captions/{name}", json={"text": "x"}).status_code == 404
    assert script.get(f"/api/projects/cat/captions/{name}").status_code == 404


def test_a_dataset_that_is_in_use_is_423(script, dataset, monkeypatch):
    monkeypatch.setattr("lorasmith.studio.datasets.SOON", 0.0)
    monkeypatch.setattr("lorasmith.studio.history.SOON", 0.0)
    script.put(f"{AT}/captions/0.txt", json={"text": "mimi"})
    calls = {
        f"PUT {AT}/captions/0.txt": {"text": "x"}, f"POST {AT}/edits": {"edit": "add", "arguments": {"tags": ["cat"]}}, f"POST {AT}/history:undo": None,
        f"PUT {AT}/layout": {}, f"PUT {AT}/holdout": {"share": 0.5}, f"PATCH {AT}/pictures/0.png": {"held_out": True},
        f"POST {AT}/mends": {"pictures": ["0.png"], "changes": [{"way": "flip"}]},
    }  # fmt: skip
    with locked(dataset):
        for call, body in calls.items():
            refused = script.request(*call.split(), json=body)
            assert (refused.status_code, refused.json()["values"]["process"]) == (423, os.getpid()), call
        assert script.get(f"{AT}/captions/0.txt").json()["text"] == "mimi", "who only reads is not refused"


def test_an_edit_is_tried_before_it_is_done_and_can_be_undone(script, dataset):
    edit = {"edit": "add", "arguments": {"tags": ["cat"]}, "where": "tag:*hat"}
    plan = script.post(f"{AT}/edits:plan", json=edit).json()
    assert (plan["considered"], plan["changed"]) == (2, 2)
    assert plan["shown"][0] == {"id": "0.txt", "before": "mimi, red hat", "after": "mimi, red hat, cat"}
    assert said(dataset) == ["mimi, red hat", "mimi, blue hat"], "nothing is written yet"
    done = script.post(f"{AT}/edits", json=edit).json()
    assert (done["changed"], done["operation"]["captions"]) == (2, 2)
    assert said(dataset) == ["mimi, red hat, cat", "mimi, blue hat, cat"]
    assert script.post(f"{AT}/edits", json={**edit, "where": "tag:none"}).json() == {"changed": 0, "operation": None}
    assert script.post(f"{AT}/history:undo").json()["state"] == "undone"
    assert said(dataset) == ["mimi, red hat", "mimi, blue hat"]
    assert script.post(f"{AT}/history:redo").json()["state"] == "done"
    assert said(dataset) == ["mimi, red hat, cat", "mimi, blue hat, cat"]
    assert len(script.get(f"{AT}/history").json()) == 1
    script.post(f"{AT}/history:undo")
    assert script.post(f"{AT}/history:undo").status_code == 409


def test_an_undo_of_what_changed_elsewhere_is_412(script, dataset):
    script.post(f"{AT}/edits", json={"edit": "add", "arguments": {"tags": ["cat"]}})
    (dataset / "0.txt").write_text("typed elsewhere", encoding="utf-8")
    refused = script.post(f"{AT}/history:undo")
    assert (refused.status_code, refused.json()["code"]) == (412, "captions.changed_outside")
    assert said(dataset)[0] == "typed elsewhere"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"edit": "ad"}, 422), ({"edit": "add"}, 422), ({"edit": "add", "arguments": {"tags": ["a, b"]}}, 400), ({}, 422),
        ({"edit": "add", "arguments": {"tags": ["x"], "nothing": 1}}, 422), ({"edit": "sort", "where": "tag:"}, 400),
        ({"edit": "sort", "paths": ["gone"]}, 404), ({"edit": "aliases"}, 400), ({"edit": "regex", "arguments": {"pattern": "(", "by": ""}}, 422),
    ],
)  # fmt: skip
def test_an_edit_that_cannot_be_done_is_refused(script, dataset, body, status):
    assert script.post(f"{AT}/edits:plan", json=body).status_code == status
    assert script.post(f"{AT}/edits", json=body).status_code == status


def test_edits_are_listed_with_their_arguments(script, dataset):
    edits = {edit["name"]: edit for edit in script.get(f"{AT}/edits").json()}
    assert "tags" in edits["add"]["arguments"]["properties"]


def test_tags_are_counted(script, dataset):
    assert script.get(f"{AT}/tags").json()[0] == {"tag": "mimi", "count": 2}
    assert [tag["tag"] for tag in script.get(f"{AT}/tags", params={"q": "HAT"}).json()] == ["blue hat", "red hat"]
    assert len(script.get(f"{AT}/tags", params={"count": 1}).json()) == 1


def test_advice_is_given(script, dataset):
    (dataset / "1.txt").write_text("blue hat", encoding="utf-8")
    assert "captions.trigger_missing" in {finding["code"] for finding in script.get(f"{AT}/advice").json()}


def test_advice_is_given_where_there_is_no_trigger_yet(script, dataset):
    script.patch("/api/projects/mimi", json={"trigger": ""})
    advice = script.get(f"{AT}/advice")
    assert advice.status_code == 200
    assert all(finding["code"] for finding in advice.json())


def test_a_project_without_pictures_says_so(script):
    script.post("/api/projects", json={"name": "Empty"})
    refused = script.get("/api/projects/empty/tags")
    assert (refused.status_code, refused.json()["code"]) == (400, "dataset.no_pictures")


def test_captions_in_folders_have_their_path_as_id(script, dataset):
    (dataset / "5_mimi é").mkdir()
    (dataset / "0.png").rename(dataset / "5_mimi é" / "0.png")
    (dataset / "0.txt").rename(dataset / "5_mimi é" / "0.txt")
    assert script.get(f"{AT}/captions/{quote('5_mimi é/0.txt')}").json()["text"] == "mimi, red hat"
