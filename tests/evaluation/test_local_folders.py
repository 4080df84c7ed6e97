"""Reports do not name the folders, or the buckets, of who made them."""

from pathlib import Path

from lorasmith.evaluation.local_folders import LocalFolders
from lorasmith.stores import copy_of
from lorasmith.training.settings.tree import settings_from


def test_places_in_stores_and_their_copies_are_hidden(tmp_path, monkeypatch):
    monkeypatch.setenv("LORASMITH_CACHE", str(tmp_path / "cache"))
    url = "s3://my-bucket/of-anna/zorvex"
    settings = settings_from({"base": {"path": "base"}, "datasets": [{"path": url}]})
    hidden_in = LocalFolders.of(settings, Path("runs/zorvex")).hidden_in
    assert hidden_in(f'path = "{url}"') == 'path = "zorvex"'
    assert hidden_in(f"{settings.datasets[0].path} holds no pictures") == "zorvex holds no pictures"
    assert hidden_in(f"{copy_of(url)}/a.png is damaged") == "zorvex/a.png is damaged"


def test_the_folders_of_every_place_in_the_settings_are_hidden(tmp_path):
    files = {name: tmp_path / name / "own" / f"{name}.file" for name in ("merged", "prompts", "parent", "base")}
    settings = settings_from(
        {
            "base": {"path": str(files["base"]), "merge": [{"path": str(files["merged"])}]}, "datasets": [{"path": "set"}],
            "network": {"weights": str(files["parent"])}, "samples": {"prompts_file": str(files["prompts"])}, "training": {"epochs": 1},
        }
    )  # fmt: skip
    hidden_in = LocalFolders.of(settings, Path("runs/zorvex")).hidden_in
    for name, file in files.items():
        assert hidden_in(f"{file} is damaged") == f"{name}.file is damaged"
