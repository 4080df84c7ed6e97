"""Datasets at a URL: what reads them reads a copy, and what would change them says where that is done."""

import pytest

from lorasmith.captions.collection import open_captions
from lorasmith.curation.audit.dataset import audit_dataset
from lorasmith.curation.export import export
from lorasmith.curation.history import operations
from lorasmith.curation.holdout import plan_holdout
from lorasmith.curation.imports.imports import import_pictures
from lorasmith.dataset_folder import locked
from lorasmith.datasets.folders import open_folder
from lorasmith.datasets.settings import BucketSettings, DatasetSettings
from lorasmith.datasets.training_set import open_training_set
from lorasmith.errors import DatasetError, InputError
from lorasmith.stores import Place
from tests.command_line import lorasmith


@pytest.fixture
def url(creatures, tmp_path, monkeypatch):
    """Five pictures with captions in a store, two of them set aside."""
    monkeypatch.setenv("LORASMITH_CACHE", str(tmp_path / "cache"))
    place = Place.at(f"memory://bucket/{tmp_path.name}/creatures")
    for number, path in enumerate(sorted(creatures.iterdir())):
        place.send(f"holdout/1_zorvex/{path.name}" if number < 4 else path.name, path)
    return place.url


def test_a_folder_in_a_store_is_opened(url, creatures):
    contents = open_folder(url)
    assert [(p.path.name, p.caption) for p in contents.pictures] == [(p.path.name, p.caption) for p in open_folder(creatures).pictures[2:]]


def test_a_training_set_is_made_of_folders_in_a_store(url):
    dataset = DatasetSettings(path=url)
    assert len(open_training_set([dataset], BucketSettings(resolution=64)).pictures) == 3


def test_pictures_of_a_store_are_audited_imported_and_exported(url, tmp_path):
    assert len(audit_dataset(url, resolution=64).pictures) == 5
    assert len(import_pictures([url], tmp_path / "here").added) == 5
    assert export(url, tmp_path / "out").pictures == 3


def test_the_command_audits_pictures_of_a_store(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = lorasmith("audit", url, "--resolution", "64")
    assert (said.returncode, said.stderr) == (0, "")
    assert "5 pictures" in said.stdout


def test_a_dataset_is_sent_to_a_store_where_nothing_is(creatures, tmp_path, monkeypatch):
    monkeypatch.setenv("LORASMITH_CACHE", str(tmp_path / "cache"))
    url = f"memory://bucket/{tmp_path.name}/sent"
    assert export(creatures, url).pictures == 5
    assert len(audit_dataset(url, resolution=64).pictures) == 5
    assert export(creatures, f"{url}.zip").pictures == 5
    assert len(import_pictures([f"{url}.zip"], tmp_path / "here").added) == 5
    with pytest.raises(InputError, match=f"{url} is there already"):
        export(creatures, url)


CHANGES = {
    "captions": open_captions,
    "history": operations,
    "files": lambda url: locked(url).__enter__(),
    "import": lambda url: import_pictures([], url),
    "hold out": lambda url: plan_holdout(url, share=0.2),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_to_what_is_in_a_store_is_refused_with_the_way_out(what, url):
    with pytest.raises(DatasetError) as refused:
        CHANGES[what](url)
    assert str(refused.value) == (
        f"{url} is in a store, where nothing is changed: bring it here first with `lorasmith import {url} --into FOLDER`, and work on that folder."
    )
