"""Each route of labels: good, bad input, not there, and nothing written where something is only tried."""

from types import SimpleNamespace

import numpy as np
import pytest

from lorasmith.captions.taggers.probabilities import ProbabilityStore
from lorasmith.captions.taggers.tagger_descriptor import descriptor_by_name
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene
from lorasmith.images.read import content_hash

AT = "/api/projects/mimi"


@pytest.fixture
def dataset(script, workspace):
    script.post("/api/projects", json={"name": "Mimi", "trigger": "mimi"})
    folder = workspace / "projects" / "mimi" / "dataset"
    for number in range(15):
        draw_scene(random_scene(number)).save(folder / f"{number:02}.png")
    (folder / "00.txt").write_text("mimi, by hand", encoding="utf-8")
    return folder


TAGS = {"1girl": 0.99, "long_hair": 0.9, "red_hat": 0.6, "smile": 0.4, "hat": 0.36, "tree": 0.2, "zorvex": 0.9}


@pytest.fixture
def tagged(dataset):
    """All but the last picture have stored probabilities, the same for all."""
    categories = ["character" if tag == "zorvex" else "general" for tag in TAGS]
    tagger = SimpleNamespace(
        identity="a tagger", folder=dataset, names=list(TAGS), categories=categories, descriptor=descriptor_by_name("wd")
    )
    with ProbabilityStore(dataset) as store:
        store.register(tagger)
        contents = [content_hash(picture) for picture in sorted(dataset.glob("*.png"))[:-1]]
        store.add("a tagger", contents, np.array([list(TAGS.values())] * len(contents)))
    return dataset


def preview(script, **asked):
    return script.post(f"{AT}/labels:preview", json=asked)


def test_a_choice_is_tried_on_twelve_pictures_and_nothing_is_written(script, tagged):
    before = {file.name: file.read_bytes() for file in tagged.glob("*.txt")}
    found = preview(script, choice={"prepend": ["mimi"]}).json()
    assert (found["considered"], len(found["shown"])) == (15, 12)
    first, second = found["shown"][0], found["shown"][1]
    assert (first["before"], first["after"]) == (["mimi", "by hand"], ["mimi", "by hand"]), "captions that exist stay"
    assert second["before"] == []
    assert second["after"] == ["mimi", "1girl", "long hair", "zorvex", "red hat", "smile", "hat"], "above the tagger's own 0.35 and 0.85"
    assert [(tag["tag"], round(tag["probability"], 2)) for tag in second["nearly_chosen"]] == [("tree", 0.2)]
    assert (found["tagger"], found["choice"]["general_threshold"]) == ("a tagger", 0.35)
    assert {file.name: file.read_bytes() for file in tagged.glob("*.txt")} == before
    assert script.get("/api/jobs").json() == [], "no tagger runs"


def test_thresholds_numbers_blacklist_and_mode_change_what_is_chosen(script, tagged):
    def chosen(**choice):
        (one,) = preview(script, choice=choice, pictures=["01.png"]).json()["shown"]
        return [tag["tag"] for tag in one["chosen"]]

    assert chosen(general_threshold=0.1)[-1] == "tree"
    assert chosen(general_threshold=0.95, character_threshold=0.95) == ["1girl"]
    assert chosen(max_tags=1) == ["1girl"]
    assert chosen(blacklist=["long hair", "hat"], max_tags=2) == ["1girl", "zorvex"]
    (one,) = preview(script, choice={"max_tags": 1}, pictures=["01.png"]).json()["shown"]
    assert one["nearly_chosen"][0]["tag"] == "long_hair", "the next one is nearly chosen"
    (by_hand,) = preview(script, mode="append", pictures=["00.png"]).json()["shown"]
    assert by_hand["after"][:2] == ["mimi", "by hand"]
    assert len(by_hand["after"]) > 2
    (by_hand,) = preview(script, mode="overwrite", pictures=["00.png"]).json()["shown"]
    assert "by hand" not in by_hand["after"]


def test_a_tag_list_leaves_out_what_another_tag_implies(script, tagged, workspace):
    (workspace / "vocabularies").mkdir()
    (workspace / "vocabularies" / "tag_implications.csv").write_text(
        "id,antecedent_name,consequent_name,created_at,status\n1,red_hat,hat,2020,active\n", encoding="utf-8"
    )
    (one,) = preview(script, pictures=["01.png"], vocabulary=["vocabularies/tag_implications.csv"]).json()["shown"]
    assert one["after"] == ["1girl", "long hair", "zorvex", "red hat", "smile"]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"choice": {"general_threshold": 2}}, 422), ({"choice": {"nothing": 1}}, 422), ({"mode": "explode"}, 422), ({"count": 0}, 422),
        ({"where": "tag:"}, 400), ({"pictures": ["gone.png"]}, 404), ({"pictures": ["../x"]}, 404), ({"vocabulary": ["vocabularies/gone.csv"]}, 404),
        ({"vocabulary": ["../../etc/passwd"]}, 404), ({"tagger": "none of this name"}, 400),
    ],
)  # fmt: skip
def test_what_cannot_be_tried_is_refused(script, tagged, asked, status):
    assert preview(script, **asked).status_code == status


def test_before_a_tagger_was_run_there_is_nothing_to_try(script, dataset):
    tried = preview(script)
    assert tried.status_code == 200
    assert (tried.json()["tagger"], tried.json()["shown"]) == ("", [])
    assert script.post("/api/projects/gone/labels:preview", json={}).status_code == 404
    script.post("/api/projects", json={"name": "Empty"})
    assert script.post("/api/projects/empty/labels:preview", json={}).json()["code"] == "dataset.no_pictures"


def test_labels_are_written_by_a_job(script, dataset):
    asked = {
        "tagger": "SmilingWolf/wd-swinv2-tagger-v3",
        "choice": {"max_tags": 5},
        "mode": "append",
        "pictures": ["01.png"],
        "priority": 3,
    }
    added = script.post(f"{AT}/labels", json=asked)
    assert added.status_code == 201
    job = added.json()
    assert (job["kind"], job["state"], job["project"], job["priority"]) == ("tag", "queued", "mimi", 3)
    assert job["arguments"]["dataset"] == str(dataset)
    assert (job["arguments"]["choice"], job["arguments"]["only"], job["arguments"]["mode"]) == ({"max_tags": 5}, ["01.png"], "append")


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 422), ({"tagger": ""}, 422), ({"tagger": "x", "pictures": ["gone.png"]}, 404), ({"tagger": "x", "where": "tag:"}, 400),
        ({"tagger": "x", "vocabulary": ["/etc/passwd"]}, 404), ({"tagger": "x", "choice": {"max_tags": 0}}, 422),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_not_queued(script, dataset, asked, status):
    assert script.post(f"{AT}/labels", json=asked).status_code == status
    assert script.post("/api/projects/gone/labels", json={"tagger": "x"}).status_code == 404
    assert script.get("/api/jobs").json() == []
