"""One file over HTTP: it goes on where it broke off, two versions are never mixed, and what is wrong is a sentence without the token."""

import pytest

from lorasmith.errors import InputError, RunError
from lorasmith.models.files import fetch as room
from lorasmith.models.files.fetch import fetch
from lorasmith.models.files.link import fetch_link, is_link, link_of
from tests.library.lora_files import write_lora

from .small_web import TOKEN, sha256, small_web

DATA = bytes(range(256)) * 40


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(room, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(room, "PIECE", 1000)


@pytest.fixture
def web():
    with small_web() as web:
        web.files["/files/a.safetensors"] = DATA
        yield web


def test_a_file_comes_whole_with_its_progress(web, tmp_path):
    seen = []
    fetch(f"{web.address}/files/a.safetensors", tmp_path / "x.part", "a file", progress=lambda done, of: seen.append((done, of)))
    assert (tmp_path / "x.part").read_bytes() == DATA
    assert seen[0] == (1000, len(DATA))
    assert seen[-1] == (len(DATA), len(DATA))


def test_a_connection_that_breaks_again_and_again_still_brings_each_byte_once(web, tmp_path):
    web.breaks = [700, 1500, 4000]
    fetch(f"{web.address}/files/a.safetensors", tmp_path / "x.part", "a file")
    assert (tmp_path / "x.part").read_bytes() == DATA
    assert [start for start, _ in web.sent] == [0, 4000, 5500, 6200]


def test_what_was_ended_goes_on_where_it_was(web, tmp_path):
    def stop(done, of):
        if done >= 3000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(f"{web.address}/files/a.safetensors", tmp_path / "x.part", "a file", progress=stop)
    fetch(f"{web.address}/files/a.safetensors", tmp_path / "x.part", "a file")
    assert (tmp_path / "x.part").read_bytes() == DATA
    assert web.sent[1][0] >= 3000


def test_another_version_begins_again(web, tmp_path):
    web.breaks = [3000]
    with pytest.raises(KeyboardInterrupt):
        fetch(
            f"{web.address}/files/a.safetensors", tmp_path / "x.part", "a file", progress=lambda done, of: exec("raise KeyboardInterrupt")
        )
    web.files["/files/a.safetensors"] = DATA[::-1]
    fetch(f"{web.address}/files/a.safetensors", tmp_path / "x.part", "a file")
    assert (tmp_path / "x.part").read_bytes() == DATA[::-1]


def test_more_than_there_is_begins_again(web, tmp_path):
    (tmp_path / "x.part").write_bytes(DATA + b"more")
    fetch(f"{web.address}/files/a.safetensors", tmp_path / "x.part", "a file", version="known")
    assert (tmp_path / "x.part").read_bytes() == DATA


def test_a_server_that_fails_is_asked_again_and_at_last_it_is_said(web, tmp_path):
    web.fail = [503, 500]
    fetch(f"{web.address}/files/a.safetensors", tmp_path / "x.part", "a file")
    web.fail = [503] * 9
    with pytest.raises(RunError, match="a file could not be downloaded \\(the server answered 503\\). What came is kept") as failed:
        fetch(f"{web.address}/files/a.safetensors?token={TOKEN}", tmp_path / "y.part", "a file")
    assert TOKEN not in str(failed.value)


def test_a_machine_that_cannot_be_reached_is_a_sentence(tmp_path):
    with pytest.raises(RunError, match="could not be downloaded"):
        fetch("http://127.0.0.1:9/x", tmp_path / "x.part", "a file")


def test_what_is_not_there_or_not_for_everybody_is_not_asked_for_again(web, tmp_path):
    web.files["/files/gated"] = DATA
    for path, code in (("gone", "download.not_found"), ("gated", "download.gated")):
        before = len(web.asked)
        with pytest.raises(InputError) as refused:
            fetch(f"{web.address}/files/{path}", tmp_path / "x.part", "a file")
        assert refused.value.code == code
        assert len(web.asked) == before + 1


def test_a_disk_that_is_too_small_is_said_before_the_first_byte(web, tmp_path, monkeypatch):
    monkeypatch.setattr(room.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 100})())
    with pytest.raises(InputError, match="Make room") as refused:
        fetch(f"{web.address}/files/a.safetensors", tmp_path / "x.part", "a file")
    assert refused.value.code == "download.disk_full"


@pytest.mark.parametrize(
    "address",
    [
        "http://evil.example/x",
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "https://",
        "https://[::1",
        "https://a:99999/x",
        "https://a/\nb",
        "https://ä.de/x",
    ],
)
def test_what_is_not_encrypted_or_no_address_is_refused(address, tmp_path):
    with pytest.raises(InputError) as refused:
        fetch(address, tmp_path / "x.part", "a file")
    assert refused.value.code == "download.address"


@pytest.mark.parametrize("to", ["http://evil.example/x", "file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_a_redirect_leads_nowhere_else(web, tmp_path, to):
    web.moved_to = to
    with pytest.raises(InputError) as refused:
        fetch(f"{web.address}/files/moved", tmp_path / "x.part", "a file")
    assert refused.value.code in ("download.address", "download.refused")
    assert not (tmp_path / "x.part").exists()


# -- links --


def test_a_token_is_taken_off_a_link(web):
    link = link_of(f"https://civitai.com/api/download/models/12?type=Model&token={TOKEN}&format=SafeTensor")
    assert link.address == "https://civitai.com/api/download/models/12?type=Model&format=SafeTensor"
    assert link.whole == f"{link.address}&token={TOKEN}"
    assert TOKEN not in repr(link)
    assert link_of("https://host/a b/ä.safetensors?api_key=x").address == "https://host/a%20b/%C3%A4.safetensors"
    assert not is_link("owner/name")
    for bad in ("https://name:word@host/x", "http://host/x", "https://"):
        with pytest.raises(InputError):
            link_of(bad)


def test_what_signs_a_link_is_taken_off_it_and_sent():
    link = link_of(
        f"https://b.s3.amazonaws.com/a.safetensors?X-Amz-Date=1&X-Amz-Credential={TOKEN}%2F1&X-Amz-SignedHeaders=host&X-Amz-Signature={TOKEN}"
    )
    assert link.address == "https://b.s3.amazonaws.com/a.safetensors?X-Amz-Date=1&X-Amz-SignedHeaders=host"
    assert link.whole == f"{link.address}&X-Amz-Credential={TOKEN}%2F1&X-Amz-Signature={TOKEN}"
    shared = link_of(f"https://me.blob.core.windows.net/c/a.safetensors?sv=2024-11-04&sp=r&sig={TOKEN}%3D")
    assert (shared.address.rpartition("?")[2], shared.secret) == ("sv=2024-11-04&sp=r", f"sig={TOKEN}%3D")


def test_the_users_token_is_sent_to_its_site_alone(monkeypatch):
    monkeypatch.setenv("CIVITAI_TOKEN", TOKEN)
    assert link_of("https://civitai.com/api/download/models/12").whole.endswith(f"?token={TOKEN}")
    assert link_of("https://www.civitai.com/x?a=1").whole.endswith(f"&token={TOKEN}")
    for other in ("https://evil.example/civitai.com", "https://civitai.com.evil.example/x"):
        assert TOKEN not in link_of(other).whole


@pytest.fixture
def lora(tmp_path):
    write_lora(tmp_path / "made.safetensors", {})
    return (tmp_path / "made.safetensors").read_bytes()


def get(web, tmp_path, path, **more):
    return fetch_link(link_of(f"{web.address}/files/{path}"), tmp_path / "models", (".safetensors",), parts=tmp_path / "parts", **more)


def test_a_link_gives_a_file_under_the_name_of_its_sender(web, tmp_path, lora):
    web.files |= {"/files/12": lora, "/files/b.safetensors": lora}
    web.headers = {"Content-Disposition": 'attachment; filename="../My model?.safetensors"'}
    file = get(web, tmp_path, "12")
    assert (file.parent, file.name) == (tmp_path / "models", "My_model.safetensors")
    assert get(web, tmp_path, "12") == file, "the same file is not kept twice"
    web.files["/files/12"] = DATA
    web.headers = {}
    assert get(web, tmp_path, "b.safetensors").name == "b.safetensors"
    assert list((tmp_path / "parts").iterdir()) == []


def test_another_file_of_the_same_name_gets_a_number(web, tmp_path, lora):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "b.safetensors").write_bytes(DATA)
    web.files["/files/b.safetensors"] = lora
    assert get(web, tmp_path, "b.safetensors").name == "b_2.safetensors"


def test_what_is_not_the_file_is_not_kept(web, tmp_path, lora):
    web.files |= {"/files/b.safetensors": lora, "/files/c.ckpt": lora}
    for path, more, code in (
        ("login", {}, "download.kind"), ("c.ckpt", {}, "download.kind"), ("a.safetensors", {}, "download.damaged"),
        ("b.safetensors", {"sha256": "0" * 64}, "download.wrong_hash"),
    ):  # fmt: skip
        with pytest.raises(InputError) as refused:
            get(web, tmp_path, path, **more)
        assert refused.value.code == code
    assert list((tmp_path / "parts").iterdir()) == []
    assert not (tmp_path / "models").exists()
    assert get(web, tmp_path, "b.safetensors", sha256=sha256(lora).upper()).exists()


def test_a_gated_link_comes_with_its_token_and_no_error_shows_it(web, tmp_path, lora):
    web.files["/files/gated"] = lora
    web.headers = {"Content-Disposition": "attachment; filename=x.safetensors"}
    assert get(web, tmp_path, f"gated?token={TOKEN}").name == "x.safetensors"
    with pytest.raises(InputError) as refused:
        get(web, tmp_path, "gated?token=wrong-but-secret")
    assert "wrong-but-secret" not in str(refused.value) + repr(refused.value.values)
