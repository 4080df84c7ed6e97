"""Each route of the library: good, bad input, not there, changed meanwhile."""

import os

import pytest
from PIL import Image

from tests.library.lora_files import write_lora


@pytest.fixture
def loras(script, tmp_path):
    """Two LoRAs in a folder of the catalogue."""
    folder = tmp_path / "loras"
    write_lora(folder / "mimi.safetensors", {"modelspec.title": "Mimi <b>", "ss_output_name": "mimi"})
    write_lora(folder / "zorvex.safetensors", {"modelspec.title": "Zorvex"}, seed=1)
    Image.new("RGB", (8, 8)).save(folder / "mimi.png")
    assert script.put("/api/library/folders", json={"folders": [str(folder)]}).json()["new"] == 2
    return folder


def names(script, **asked):
    return [item["name"] for item in script.get("/api/library", params=asked).json()["items"]]


def test_loras_are_found_by_what_is_in_them(script, loras):
    assert names(script) == ["mimi", "zorvex"]
    assert names(script, q="zorv") == ["zorvex"]
    assert names(script, family="sd1", base="animagine") == ["mimi", "zorvex"]
    assert names(script, q="nothing") == []
    assert script.get("/api/library", params={"kind": "lroa"}).json()["notes"] != []


def test_long_lists_come_in_parts(script, loras):
    first = script.get("/api/library", params={"count": 1}).json()
    assert [item["name"] for item in first["items"]] == ["mimi"]
    assert names(script, count=1, after=first["next"]) == ["zorvex"]
    assert script.get("/api/library", params={"count": 1, "after": first["next"], "q": "x"}).json()["next"] is None


@pytest.mark.parametrize("asked", [{"count": 0}, {"count": 501}, {"since": "yesterday"}])
def test_what_cannot_be_asked_is_refused(script, loras, asked):
    assert script.get("/api/library", params=asked).status_code == 422


def test_a_lora_is_inspected_and_shown_with_its_picture(script, loras):
    item = script.get("/api/library").json()["items"][0]
    assert item["facts"]["title"] == "Mimi <b>"
    shown = script.get(f"/api/library/{item['id']}").json()
    assert (shown["family"], shown["ranks"]) == ("sd1", {"4": 6})
    assert script.get(item["preview"]).headers["content-type"] == "image/png"
    other = script.get("/api/library").json()["items"][1]
    assert other["preview"] is None
    assert script.get(f"/files/library/{other['id']}/preview").status_code == 404


def test_metadata_are_edited_and_taken_back(script, loras):
    before = (loras / "mimi.safetensors").read_bytes()
    id = script.get("/api/library").json()["items"][0]["id"]
    change = {"entries": {"modelspec.title": "Mimi"}}
    tried = script.patch(f"/api/library/{id}/metadata", json={**change, "dry": True}).json()
    assert (tried["written"], tried["changes"]) == (False, [{"key": "modelspec.title", "before": "Mimi <b>", "after": "Mimi"}])
    assert (loras / "mimi.safetensors").read_bytes() == before
    assert script.patch(f"/api/library/{id}/metadata", json=change).json()["written"]
    assert script.post("/api/library:refresh").json()["changed"] == 1
    assert script.get("/api/library").json()["items"][0]["facts"]["title"] == "Mimi"
    script.post(f"/api/library/{id}/metadata:undo")
    assert (loras / "mimi.safetensors").read_bytes() == before
    assert script.patch(f"/api/library/{id}/metadata", json={}).status_code == 422
    assert script.patch(f"/api/library/{id}/metadata", json={"remove": ["gone"]}).status_code == 422


def test_what_is_not_there_is_404_and_what_is_no_folder_is_refused(script, loras):
    for call in (
        script.get("/api/library/gone"),
        script.patch("/api/library/gone/metadata", json={"private": True}),
        script.get("/files/library/gone/preview"),
    ):
        assert (call.status_code, call.json()["code"]) == (404, "library.not_found")
    for folder in ("relative", "/gone", str(loras / "mimi.safetensors")):
        assert script.put("/api/library/folders", json={"folders": [folder]}).status_code == 400
    assert script.get("/api/library/folders").json() == {"folders": [str(loras)]}
    assert script.put("/api/library/folders", json={"folders": []}).json()["gone"] == 2
    assert names(script) == []


def test_a_damaged_file_is_listed_with_the_reason(script, loras):
    (loras / "mimi.safetensors").write_bytes(b"no LoRA")
    script.post("/api/library:refresh")
    assert script.get("/api/library").json()["items"][0]["problem"]
    id = script.get("/api/library").json()["items"][0]["id"]
    assert script.get(f"/api/library/{id}").status_code == 400


def test_the_newest_of_each_training_comes_first(script, loras):
    write_lora(loras / "mimi-000001.safetensors", {"ss_session_id": "7", "ss_output_name": "many", "ss_epoch": "1"}, seed=2)
    write_lora(loras / "mimi-000002.safetensors", {"ss_session_id": "7", "ss_output_name": "many", "ss_epoch": "2"}, seed=3)
    for at, name in enumerate(("zorvex", "mimi-000001", "mimi-000002", "mimi")):
        os.utime(loras / f"{name}.safetensors", (2**31 + at, 2**31 + at))
    script.post("/api/library:refresh")
    assert names(script, newest=True) == ["mimi", "mimi-000002", "zorvex"]
    first = script.get("/api/library", params={"newest": True, "count": 1}).json()["next"]
    assert names(script, newest=True, count=1, after=first) == ["mimi-000002"]


def test_a_place_is_proposed_for_what_is_made(script, loras):
    mimi = script.get("/api/library").json()["items"][0]["id"]
    (loras / "mimi-resized.safetensors").touch()
    proposed = script.get("/api/library/place", params={"made": "resized", "of": mimi}).json()
    assert proposed == {"path": (loras / "mimi-resized-2.safetensors").as_posix()}
    assert script.get("/api/library/place", params={"made": "extracted"}).json() == {"path": "loras/extracted.safetensors"}
    assert script.get("/api/library/place", params={"made": "resized", "of": "gone"}).status_code == 404
    assert script.get("/api/library/place", params={"made": "burnt"}).status_code == 422
