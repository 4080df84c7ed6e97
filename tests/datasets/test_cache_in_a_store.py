"""A cache in a store: latents and texts are made once for all machines, each of which has a copy, and what a store lacks is sent to it."""

import pytest

from lorasmith.datasets.cache_files import CacheFiles
from lorasmith.errors import InputError
from lorasmith.stores import Place
from lorasmith.training.events import CacheProgress
from lorasmith.training.run import train

NAMES = [f"{number:02x}{number:062x}.text" for number in range(5)]


@pytest.fixture
def place(s3, tmp_path):
    return Place.at(f"s3://bucket/{tmp_path.name}/texts")


def test_what_one_machine_has_made_another_one_brings(place, tmp_path):
    first = CacheFiles(tmp_path / "one", place)
    for name in NAMES[:3]:
        first.put(name, name.encode())
    first.finish()
    assert place.entries().keys() == {f"{name[:2]}/{name}" for name in NAMES[:3]}

    other = CacheFiles(tmp_path / "other", place)
    other.bring(NAMES)
    assert [other.path(name).exists() for name in NAMES] == [True, True, True, False, False]
    assert [other.path(name).read_bytes() for name in NAMES[:3]] == [name.encode() for name in NAMES[:3]]
    assert not other.fetch(NAMES[4])


def test_what_the_store_lacks_is_sent_and_what_is_damaged_there_is_replaced(place, tmp_path):
    """As where a run was killed before it had sent all, or somebody emptied the bucket."""
    CacheFiles(tmp_path / "one").put(NAMES[0], b"made without the store")
    place.send(f"{NAMES[1][:2]}/{NAMES[1]}", b"dam")
    files = CacheFiles(tmp_path / "one", place)
    files.offer(NAMES[0])
    assert files.fetch(NAMES[1])
    files.put(NAMES[1], b"damaged no more")
    files.finish()
    assert place.read(f"{NAMES[0][:2]}/{NAMES[0]}") == b"made without the store"
    assert place.read(f"{NAMES[1][:2]}/{NAMES[1]}") == b"damaged no more"


def test_a_store_that_goes_away_is_said_once_and_what_is_made_is_kept(place, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("lorasmith.stores.PAUSES", ())
    files = CacheFiles(tmp_path / "one", place)
    files.bring(NAMES)
    monkeypatch.setattr(place.files, "put_file", _refuse)
    for name in NAMES:
        files.put(name, b"kept")
        files.finish()
    assert [files.path(name).read_bytes() for name in NAMES] == [b"kept"] * 5
    (said,) = [record.getMessage() for record in caplog.records]
    assert "the next run sends it" in said


def _refuse(*_, **__):
    raise OSError("no way to the store")


def test_a_second_machine_encodes_nothing_and_trains_the_same_lora(s3, settings_with_cache, tmp_path, monkeypatch):
    more = {"captions": {"cached_variants": 1}, "network": {"train_text_encoder": False}, "training": {"epochs": 1}}
    here = train(settings_with_cache(tmp_path / "cache", **more), tmp_path / "here")
    shared = settings_with_cache(f"s3://bucket/{tmp_path.name}/cache", **more)
    missing, loras = [], [_tensors(here.file)]
    for machine in ("one", "other"):
        monkeypatch.setenv("LORASMITH_CACHE", str(tmp_path / machine))
        heard = []
        result = train(shared, tmp_path / f"run-{machine}", [heard.append])
        first = next(event for event in heard if isinstance(event, CacheProgress) and event.what == "latents")
        missing.append(first.total - first.done)
        loras.append(_tensors(result.file))
    assert missing == [5, 0]
    assert loras[0] == loras[1] == loras[2]
    sent = Place.at(f"s3://bucket/{tmp_path.name}/cache").entries()
    assert {name.partition("/")[0] for name in sent} == {"latents", "texts"}
    assert len(sent) == sum(1 for path in (tmp_path / "cache").rglob("*") if path.suffix in (".safetensors", ".text"))


def test_a_password_in_the_url_is_refused_before_a_run_is_written(settings_with_cache, tmp_path):
    with pytest.raises(InputError, match="holds a password or a token"):
        train(settings_with_cache("s3://me:secret@bucket/cache"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def _tensors(file):
    """The bytes of its tensors; its metadata names the cache."""
    data = file.read_bytes()
    return data[8 + int.from_bytes(data[:8], "little") :]
