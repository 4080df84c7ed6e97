"""Places in stores: what is brought, what is sent, and what is said where that cannot be."""

import json
import os

import pytest

from lorasmith import stores
from lorasmith.errors import InputError, RunError
from lorasmith.stores import Place, Stored, bring, copy_of, here, url_of


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LORASMITH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(params=["s3://bucket", "memory://bucket"])
def place(request, tmp_path):
    """A folder of its own in a store of each sort: one in which files appear whole, one in which they are renamed."""
    if request.param.startswith("s3"):
        request.getfixturevalue("s3")
    return Place.at(f"{request.param}/{tmp_path.name}")


@pytest.fixture
def folder(place):
    for name, content in {"a.png": b"a picture", "deep/b.png": b"another", "deep/b.txt": b""}.items():
        place.send(name, content)
    return place


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("given", "url"),
    {
        "s3://bucket/set": "s3://bucket/set",
        "s3://bucket/set/": "s3://bucket/set",
        "s3:/bucket/set": "s3://bucket/set",  # after it was a path
        "s3:\\bucket\\set": "s3://bucket/set",  # on Windows
        "hf://datasets/owner/name": "hf://datasets/owner/name",
        "pictures/anna": None,
        "owner/name": None,
        "C:/pictures": None,
        "C:\\pictures": None,
        "https://host/model.safetensors": None,
        "file:///pictures": None,
    }.items(),
)
def test_a_url_is_told_from_a_path_an_id_and_a_link(given, url):
    assert url_of(given) == url


def test_what_is_sent_is_listed_and_read(folder):
    assert {name: stored.size for name, stored in folder.entries().items()} == {"a.png": 9, "deep/b.png": 7, "deep/b.txt": 0}
    assert folder.read("deep/b.png") == b"another"
    assert folder.read("c.png") is None
    folder.remove("a.png")
    folder.remove("a.png")
    assert sorted(folder.entries()) == ["deep/b.png", "deep/b.txt"]


def test_hidden_files_are_passed_over(folder):
    folder.send(".lorasmith/captions.sqlite", b"of another machine")
    folder.send("deep/.a.png.part", b"half a pic")
    assert sorted(folder.entries()) == ["a.png", "deep/b.png", "deep/b.txt"]


def test_only_what_has_changed_is_brought_again(folder, cache, monkeypatch):
    fetched = []
    fetch = Place.fetch
    monkeypatch.setattr(Place, "fetch", lambda self, name, *rest: (fetched.append(name), fetch(self, name, *rest)))
    copy = bring(folder.url)
    assert content(copy) == {"a.png": b"a picture", "deep/b.png": b"another", "deep/b.txt": b""}
    assert copy.is_relative_to(cache)
    fetched.clear()
    folder.send("a.png", b"A picture")
    folder.remove("deep/b.txt")
    (copy / "deep" / "b.png").write_bytes(b"changed here")
    assert bring(folder.url) == copy
    assert sorted(fetched) == ["a.png", "deep/b.png"]
    assert content(copy) == {"a.png": b"A picture", "deep/b.png": b"another"}
    fetched.clear()
    bring(folder.url)
    assert fetched == []


def test_a_store_is_not_asked_again_at_once(folder, cache):
    copy = here(folder.url)
    folder.send("a.png", b"A picture")
    assert here(folder.url) == copy
    assert (copy / "a.png").read_bytes() == b"a picture"
    bring(folder.url)
    assert (copy / "a.png").read_bytes() == b"A picture"


def test_a_sentence_about_a_copy_names_the_url(folder, cache):
    copy = bring(folder.url)
    assert stores.named_by_urls(f"{copy / 'a.png'} is damaged.") == f"{folder.url}{os.sep}a.png is damaged."


def test_a_single_file_is_brought(folder, cache):
    file = here(f"{folder.url}/deep/b.png")
    assert (file.name, file.read_bytes()) == ("b.png", b"another")
    assert here(f"{folder.url}/deep/b.png") == bring(f"{folder.url}/deep/b.png") == file


def test_a_large_file_goes_on_where_it_broke_off(folder, cache, monkeypatch):
    monkeypatch.setattr(stores, "PIECE", 4)
    monkeypatch.setattr(stores, "PAUSES", ())
    folder.send("large", b"0123456789")
    asked = []
    cat_file = folder.files.cat_file

    def breaking(path, start=None, end=None):
        asked.append(start)
        if start == 8 and len(asked) == 3:
            raise ConnectionError("the connection is lost")
        return cat_file(path, start=start, end=end)

    monkeypatch.setattr(folder.files, "cat_file", breaking)
    part = cache.parent / "part"
    stored = folder.entries()["large"]
    with pytest.raises(RunError, match="could not be reached \\(the connection is lost\\). Try again."):
        folder.fetch("large", stored, part)
    assert part.read_bytes() == b"01234567"
    folder.fetch("large", stored, part)
    assert part.read_bytes() == b"0123456789"
    assert asked == [0, 4, 8, 8]


def test_a_file_that_changes_meanwhile_is_not_mixed(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(stores, "PIECE", 4)
    folder.send("large", b"0123456789")
    stored = folder.entries()["large"]
    (tmp_path / "part").write_bytes(b"0123")
    folder.send("large", b"9876543210")
    with pytest.raises(RunError, match="/large has changed while it was fetched"):
        folder.fetch("large", stored, tmp_path / "part")
    assert not (tmp_path / "part").exists()


def test_a_connection_that_comes_back_is_used(folder, monkeypatch):
    monkeypatch.setattr(stores, "PAUSES", (0.0, 0.0))
    lost = [ConnectionError("lost"), ConnectionError("lost")]
    cat_file = folder.files.cat_file

    def breaking(path, **where):
        if lost:
            raise lost.pop()
        return cat_file(path, **where)

    monkeypatch.setattr(folder.files, "cat_file", breaking)
    assert folder.read("a.png") == b"a picture"


def test_what_a_killed_process_brought_is_not_brought_again(folder, cache):
    copy = copy_of(folder.url)
    bring(folder.url)
    index = copy.parent / "index.jsonl"
    lines = index.read_text().splitlines()
    index.write_text("\n".join([*lines[:2], lines[2][:5]]))  # killed while it noted the third one
    assert len(stores.Index(index).known) == 2
    bring(folder.url)
    assert [json.loads(line)[0] for line in index.read_text().splitlines()] == ["a.png", "deep/b.png", "deep/b.txt"]


def test_a_name_that_would_leave_the_folder_is_refused(cache):
    class Odd:
        def invalidate_cache(self): ...
        def info(self, path):
            return {"type": "directory"}

        def find(self, path, detail):
            return {"set/../../evil": {"type": "file", "size": 1, "ETag": "1"}}

    with pytest.raises(InputError, match="cannot be a file's name"):
        Place("odd://set", Odd(), "set").entries()


SAID = {
    "s3://bucket/nothing-there": "There is nothing at s3://bucket/nothing-there. Check the bucket and the path.",
    "s3://no-such-bucket/set": "There is nothing at s3://no-such-bucket/set. Check the bucket and the path.",
    "odd://set": "odd://set is in no kind of store that is known here (Protocol not known: odd). Check how it begins.",
    "sftp://anna:hunter2@host/set": "A URL sftp://... holds a password or a token. Leave it out: keys are read from the environment or your credential files.",
    "s3://bucket/set?X-Amz-Signature=abcd": "A URL s3://... holds a password or a token. Leave it out: keys are read from the environment or your credential files.",
    "gs://bucket/set": 'gs://bucket/set is in a store whose package is not installed. Install it with: pip install "lorasmith[gs]"',
}


@pytest.mark.parametrize("url", SAID)
def test_what_cannot_be_brought_is_said_in_a_sentence(url, s3, cache):
    with pytest.raises(InputError) as refused:
        bring(url)
    assert str(refused.value) == SAID[url]


def test_a_store_without_keys_says_where_they_are_read_from(s3, cache, monkeypatch):
    import fsspec

    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(cache / "none"))
    fsspec.filesystem("s3").clear_instance_cache()
    place = Place.at("s3://bucket/set")
    with pytest.raises(InputError, match="does not let you in .* Its keys are read from the environment"):
        place.send("a", b"1")
    fsspec.filesystem("s3").clear_instance_cache()


def test_versions_are_told_apart_by_what_the_store_has(place):
    place.send("a", b"1")
    before = place.entries()["a"]
    place.send("a", b"2")
    after = place.entries()["a"]
    assert before.size == after.size == 1
    assert before != after
    assert isinstance(after, Stored)
