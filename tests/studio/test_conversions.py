"""Captions in other encodings than UTF-8: recognised, made UTF-8, and taken back."""

import pytest

from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene

CONVERSIONS = "/api/projects/mimi/conversions"
WRITTEN = {
    "0": "café crème, naïve, déjà vu, là-bas".encode("latin-1"), "1": "rocket, night".encode("utf-16"), "2": "青い帽子、座っている猫".encode("shift-jis"),
    "3": "très bien, garçon, élève, forêt".encode("latin-1"), "4": b"hat",
}  # fmt: skip


@pytest.fixture
def dataset(script, workspace):
    script.post("/api/projects", json={"name": "Mimi"})
    folder = workspace / "projects" / "mimi" / "dataset"
    for number, (name, raw) in enumerate(WRITTEN.items()):
        draw_scene(random_scene(number)).save(folder / f"{name}.png")
        (folder / f"{name}.txt").write_bytes(raw)
    return folder


def test_captions_are_listed_by_the_encoding_that_they_look_written_in(script, dataset):
    groups = script.get(CONVERSIONS).json()
    found = {group["readings"][0]["encoding"]: (group["captions"], group["readings"][0]["text"]) for group in groups}
    assert found == {
        "latin-1": (["0.txt", "3.txt"], "café crème, naïve, déjà vu, là-bas"),
        "utf-16": (["1.txt"], "rocket, night"),
        "shift-jis": (["2.txt"], "青い帽子、座っている猫"),
    }


def test_they_are_made_utf8_as_one_operation_that_can_be_undone(script, dataset):
    done = script.post(CONVERSIONS, json={"captions": ["0.txt", "3.txt"], "encoding": "latin-1"}).json()
    assert (done["changed"], done["operation"]["summary"]) == (2, "convert from latin-1")
    assert (dataset / "0.txt").read_text(encoding="utf-8") == "café crème, naïve, déjà vu, là-bas"
    assert (dataset / "2.txt").read_bytes() == WRITTEN["2"]
    script.post("/api/projects/mimi/history:undo")
    assert (dataset / "0.txt").read_bytes() == WRITTEN["0"]


def test_without_an_encoding_each_is_read_as_it_looks(script, dataset):
    assert script.post(CONVERSIONS, json={"captions": [f"{name}.txt" for name in WRITTEN]}).json()["changed"] == 4
    assert (dataset / "2.txt").read_text(encoding="utf-8") == "青い帽子、座っている猫"
    assert script.get(CONVERSIONS).json() == []


@pytest.mark.parametrize(("encoding", "code"), [("klingon", "captions.unknown_encoding"), ("utf-8", "captions.wrong_encoding")])
def test_what_cannot_be_read_so_is_left_as_it_is(script, dataset, encoding, code):
    refused = script.post(CONVERSIONS, json={"captions": ["0.txt"], "encoding": encoding})
    assert (refused.status_code // 100, refused.json()["code"]) == (4, code)
    assert (dataset / "0.txt").read_bytes() == WRITTEN["0"]
