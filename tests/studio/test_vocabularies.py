"""Tag lists of the workspace, and what a beginning of a tag can become."""

import pytest

from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene


@pytest.fixture
def lists(script, workspace):
    script.post("/api/projects", json={"name": "Mimi"})
    dataset = workspace / "projects" / "mimi" / "dataset"
    for number, caption in enumerate(["red hat, red dress", "red hat", "Red_hat, blue_hat"]):
        draw_scene(random_scene(number)).save(dataset / f"{number}.png")
        (dataset / f"{number}.txt").write_text(caption, encoding="utf-8")
    (workspace / "vocabularies").mkdir()
    (workspace / "vocabularies" / "site.csv").write_text(
        'red_hat,0,500,"crimson_hat"\nred_eyes,0,900,\nblue_eyes,0,700,"azure_eyes"\n', encoding="utf-8"
    )
    return workspace / "vocabularies"


def complete(script, beginning, **more):
    answered = script.get("/api/projects/mimi/complete", params={"beginning": beginning, **more})
    assert answered.status_code == 200
    return [(one["tag"], one["count"], one["alias"], one["source"]) for one in answered.json()]


def test_tags_of_the_captions_come_first_then_those_of_the_lists(script, lists):
    site = "vocabularies/site.csv"
    assert complete(script, "red") == [("red hat", 3, None, ""), ("red dress", 1, None, ""), ("red_eyes", 900, None, site)]
    assert complete(script, "blue h") == [("blue_hat", 1, None, "")]
    assert complete(script, "azure") == [("blue_eyes", 700, "azure_eyes", site)]
    assert complete(script, "")[:1] == [("red hat", 3, None, "")]
    assert len(complete(script, "", count=2)) == 2
    assert complete(script, "nothing begins so") == []


def test_tags_with_the_word_inside_them_come_behind_those_that_begin_so(script, lists):
    site = "vocabularies/site.csv"
    assert complete(script, "hat") == [("red hat", 3, None, ""), ("blue_hat", 1, None, "")]
    assert complete(script, "eyes") == [("red_eyes", 900, None, site), ("blue_eyes", 700, None, site)]
    assert complete(script, "d") == [("red hat", 3, None, ""), ("red dress", 1, None, ""), ("red_eyes", 900, None, site)]
    assert complete(script, "hat", count=1) == [("red hat", 3, None, "")]


def test_a_list_that_is_registered_from_elsewhere_completes_too(script, lists, tmp_path_factory):
    own = tmp_path_factory.mktemp("lists") / "own.csv"
    own.write_text("redwood,0,40,\n", encoding="utf-8")
    assert script.post("/api/models", json={"kind": "vocabulary", "source": str(own)}).status_code == 201
    assert complete(script, "redw") == [("redwood", 40, None, str(own))]
    assert [one["file"] for one in script.get("/api/vocabularies").json()] == ["vocabularies/site.csv", str(own)]
    own.unlink()
    assert complete(script, "redw") == []


def test_lists_are_read_anew_when_they_change_and_a_damaged_one_says_so(script, lists):
    assert script.get("/api/vocabularies").json() == [
        {"file": "vocabularies/site.csv", "bytes": 73, "tags": 3, "aliases": 2, "implying": 0, "problem": ""}
    ]
    (lists / "site.csv").write_text("green_hat,0,5,\n", encoding="utf-8")
    (lists / "damaged.csv").write_bytes(b"\xff\xfe\xfa")
    damaged, site = script.get("/api/vocabularies").json()
    assert "not UTF-8" in damaged["problem"]
    assert site["tags"] == 1
    assert [tag for tag, *_ in complete(script, "green")] == ["green_hat"]


def test_without_lists_and_without_pictures_there_is_nothing(script):
    script.post("/api/projects", json={"name": "Mimi"})
    assert script.get("/api/vocabularies").json() == []
    assert complete(script, "red") == []


def test_bad_questions_are_refused(script, lists):
    assert script.get("/api/projects/mimi/complete").status_code == 422
    assert script.get("/api/projects/mimi/complete", params={"beginning": "a", "count": 0}).status_code == 422
    assert script.get("/api/projects/cat/complete", params={"beginning": "a"}).status_code == 404
