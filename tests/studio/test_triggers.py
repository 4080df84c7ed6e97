"""The trigger of a project: where it leaks, and what the base makes of a word."""

import pytest

from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.weights import BASE
from lorasmith.demo.world import random_scene

TRIGGER = "/api/projects/mimi/trigger"


@pytest.fixture
def dataset(script, workspace):
    script.post("/api/projects", json={"name": "Mimi", "trigger": "zorvex"})
    folder = workspace / "projects" / "mimi" / "dataset"
    captions = {"0": "zorvex, red hat", "1": "blue hat, zorvex", "2": "a hat", "regularisation/3": "zorvex, dog"}
    for number, (name, caption) in enumerate(captions.items()):
        (folder / name).parent.mkdir(exist_ok=True)
        draw_scene(random_scene(number)).save(folder / f"{name}.png")
        (folder / f"{name}.txt").write_text(caption, encoding="utf-8")
    return folder


def test_leaks_of_the_trigger_are_shown(script, dataset):
    shown = script.get(TRIGGER).json()
    assert (shown["triggers"], shown["captions"], shown["checks"]) == (["zorvex"], 3, [])
    assert [(leak["key"], leak["kind"]) for leak in shown["leaks"]] == [("1.txt", "not first"), ("2.txt", "missing")]
    assert shown["in_regularisation"] == {"regularisation/3.txt": ["zorvex"]}


def test_a_word_is_looked_at_as_the_base_does(script, dataset):
    script.patch("/api/projects/mimi", json={"base": str(BASE)})
    ordinary, made_up = script.get(TRIGGER, params={"check": "hat, zorvex"}).json()["checks"]
    assert ordinary["trigger"] == "hat"
    assert any(doubt["warning"] for doubt in ordinary["doubts"])
    (split,) = made_up["splits"].values()
    assert "".join(split) == "zorvex"
    assert not any(doubt["warning"] for doubt in made_up["doubts"])


def test_words_from_the_name_are_suggested_with_a_base_that_serves_until_one_is_chosen(script, dataset):
    suggestions = script.get(TRIGGER, params={"suggest": 3, "base": str(BASE)}).json()["suggestions"]
    assert [one["trigger"][:4] for one in suggestions] == ["mimi"] * 3
    assert not any(doubt["warning"] for one in suggestions for doubt in one["doubts"])


def test_without_a_base_or_with_one_that_is_not_there_a_sentence_says_so(script, dataset):
    refused = script.get(TRIGGER, params={"check": "hat"})
    assert (refused.status_code, refused.json()["code"]) == (400, "trigger.no_base")
    script.patch("/api/projects/mimi", json={"base": "gone.safetensors"})
    refused = script.get(TRIGGER, params={"check": "hat"})
    assert (refused.status_code, refused.json()["code"]) == (400, "trigger.not_checked")
    assert "gone.safetensors" in refused.json()["detail"]


@pytest.mark.parametrize("word", [",", "a\0b", "--mend", "a\nb", "x" * 201])
def test_what_is_no_word_is_refused_and_is_never_an_option(script, dataset, word):
    script.patch("/api/projects/mimi", json={"base": str(BASE)})
    answered = script.get(TRIGGER, params={"check": word})
    assert answered.status_code in (400, 422) or [check["trigger"] for check in answered.json()["checks"]] == [word]
    assert (dataset / "2.txt").read_text(encoding="utf-8") == "a hat"


def test_a_project_without_pictures_has_no_leaks(script, workspace):
    script.post("/api/projects", json={"name": "Mimi", "trigger": "zorvex"})
    assert script.get(TRIGGER).json()["leaks"] == []
    assert script.get("/api/projects/cat/trigger").status_code == 404
