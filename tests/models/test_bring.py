"""Models are brought from the hub and from links, looked at, and put on the workspace's shelf."""

import json
import os
import subprocess
import sys

import pytest

from lorasmith.errors import InputError
from lorasmith.images.upscale import why_no_networks
from lorasmith.models.bring import bring, check_source
from lorasmith.models.files import fetch
from lorasmith.models.files.hub import hub_parts
from lorasmith.models.known import look_at
from lorasmith.models.shelf import Registered, Shelf
from tests.library.lora_files import write_lora
from tests.models.files.small_web import TOKEN, small_web
from tests.models.toys import toy_folder

PROGRAM = """
import json, sys
from pathlib import Path
from lorasmith.errors import LorasmithError
from lorasmith.models.bring import bring
from lorasmith.models.known import look_at
from lorasmith.models.files import fetch
fetch.PAUSES, fetch.PIECE = (0.0, 0.0), 1000
for kind, source in json.loads(sys.argv[1]):
    seen = []
    try:
        found = bring(".", kind, source, parts="parts", progress=lambda done, of: seen.append((done, of)))
        known = look_at(".", found)
        print(json.dumps([found.source, found.licence, known.family, known.missing, known.problem, seen[-1], all(a[0] <= b[0] for a, b in zip(seen, seen[1:]))]))
    except LorasmithError as error:
        print(json.dumps([error.code, str(error)]))
"""


@pytest.fixture
def web():
    folder = toy_folder("sd1")
    files = {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    files |= {"unet/diffusion_pytorch_model.bin": b"a pickle", "README.md": b"words"}
    with small_web() as web:
        web.repositories = {
            "maker/toy": files, "maker/list": {"tags.csv": b"red_hat,0,500,\nblue_hat,0,200,\n", "other.txt": b"x"},
            "maker/wd-toy-tagger": {"model.onnx": b"onnx", "selected_tags.csv": b"tag_id,name,category,count\n", "model.msgpack": b"x"}, "maker/nothing": {"a.txt": b"x"},
        }  # fmt: skip
        yield web


def brought(web, workspace, *asked, **environment):
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS"))}
    environment = keep | {"HF_HOME": str(workspace / "hf"), "HF_HUB_DISABLE_XET": "1", "HF_ENDPOINT": web.address} | environment
    workspace.mkdir(exist_ok=True)
    command = [sys.executable, "-c", PROGRAM, json.dumps(asked)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=workspace)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_models_come_from_the_hub_with_progress_and_licence_and_are_on_the_shelf(web, tmp_path):
    web.breaks = [5000]
    base, tagger, tags = brought(
        web, tmp_path / "w", ("base", "maker/toy"), ("tagger", "maker/wd-toy-tagger"), ("vocabulary", "maker/list/tags.csv"), HF_TOKEN="hf-secret"
    )  # fmt: skip
    assert base[:5] == ["maker/toy", "openrail", "sd1", [], ""]
    assert base[5][0] == base[5][1] > 5000
    assert base[6] is True, "it never goes back"
    assert tagger[:5] == ["maker/wd-toy-tagger", "openrail", "wd", [], ""]
    assert tags[0] == "vocabularies/tags.csv"
    assert (tmp_path / "w" / "vocabularies" / "tags.csv").exists()
    assert [one.source for one in Shelf(tmp_path / "w")] == ["maker/toy", "maker/wd-toy-tagger", "vocabularies/tags.csv"]
    fetched = [path for command, path, _ in web.asked if command == "GET"]
    assert not [path for path in fetched if path.endswith((".bin", ".md", ".msgpack"))]
    assert [headers["Range"] for command, _, headers in web.asked if command == "GET" and "Range" in headers] == ["bytes=5000-"]
    assert {headers.get("Authorization", headers.get("authorization")) for _, path, headers in web.asked if "toy" in path} == {
        "Bearer hf-secret"
    }
    count = len([path for path in fetched if "resolve" in path])
    (again,) = brought(web, tmp_path / "w", ("base", "maker/toy"))
    assert again[0] == "maker/toy"
    assert len([path for command, path, _ in web.asked if command == "GET" and "resolve" in path]) == count, "nothing is fetched twice"
    shelf = Shelf(tmp_path / "w")
    assert len(list(shelf)) == 3


def test_what_is_wrong_with_the_hub_is_a_sentence(web, tmp_path):
    web.promised = {"unet/diffusion_pytorch_model.safetensors": "0" * 64}
    gated, gone, nothing, wrong = brought(
        web, tmp_path / "w", ("base", "maker/gated"), ("base", "maker/gone"), ("base", "maker/nothing"), ("base", "maker/toy")
    )
    assert [said[0] for said in (gated, gone, nothing, wrong)] == ["hub.gated", "hub.not_found", "hub.nothing", "download.wrong_hash"]
    assert "accept them on its page" in gated[1]
    assert list(Shelf(tmp_path / "w")) == []
    web.promised = {}
    (right,) = brought(web, tmp_path / "w", ("base", "maker/toy"))
    assert right[0] == "maker/toy", "what was wrong was deleted"


def test_a_base_comes_from_a_link_and_another_file_is_not_one(web, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "PAUSES", (0.0,))
    write_lora(tmp_path / "lora.safetensors", {})
    web.files = {
        "/files/lora.safetensors": (tmp_path / "lora.safetensors").read_bytes(),
        "/files/up.safetensors": (tmp_path / "lora.safetensors").read_bytes(),
    }
    with pytest.raises(InputError):
        bring(tmp_path, "base", f"{web.address}/files/lora.safetensors", parts=tmp_path / "parts")
    assert list(Shelf(tmp_path)) == []
    found = bring(tmp_path, "upscaler", f"{web.address}/files/up.safetensors", parts=tmp_path / "parts", secret=f"token={TOKEN}")
    assert found.source == str(tmp_path / "models" / "upscalers" / "up.safetensors")
    assert look_at(tmp_path, found).problem == why_no_networks()
    assert TOKEN in web.asked[-1][1]
    assert TOKEN not in "".join(file.read_text("latin-1") for file in tmp_path.rglob("*") if file.is_file())


@pytest.mark.parametrize(
    ("kind", "source", "code"),
    [
        ("base", "no model", "hub.not_found"), ("base", "/etc/passwd", "hub.not_found"), ("base", "http://evil.example/x.safetensors", "download.address"),
        ("tagger", "https://host/x.onnx", "download.kind"), ("upscaler", "owner/name", "download.kind"), ("vocabulary", "owner/name", "download.kind"),
    ],
)  # fmt: skip
def test_what_cannot_be_brought_is_refused(kind, source, code):
    with pytest.raises(InputError) as refused:
        check_source(kind, source)
    assert refused.value.code == code


def test_the_shelf_keeps_each_once_and_forgets(tmp_path):
    shelf = Shelf(tmp_path)
    for source in ("a/b", "c/d", "a/b"):
        shelf.add(Registered("base", source))
    assert [one.source for one in shelf] == ["c/d", "a/b"]
    shelf.remove("base", "a/b")
    with pytest.raises(InputError, match="is registered"):
        shelf.remove("tagger", "c/d")
    assert [one.source for one in Shelf(tmp_path)] == ["c/d"]
    shelf.file.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="is damaged"):
        list(shelf)


def test_the_parts_of_a_hub_id():
    assert hub_parts("a/b") == ("a/b", "main", "")
    assert hub_parts("a/b/c/d.safetensors") == ("a/b", "main", "c/d.safetensors")
    assert hub_parts("a/b@fp16") == ("a/b", "fp16", "")
    assert hub_parts("a/b@refs/pr/1") == ("a/b", "refs/pr/1", "")
    assert hub_parts("a/b@v1/c/d.safetensors") == ("a/b", "v1", "c/d.safetensors")
