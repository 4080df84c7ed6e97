"""Models from the hub, over a small server that answers as the hub does; and what is said where it cannot be reached."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lorasmith.errors import BaseModelError
from lorasmith.models.files.hub import is_hub_id, needed_files, source_of
from lorasmith.models.open import describe
from tests.models.toys import toy_folder

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub():
    """A hub with the toy as maker/toy (and a pickle beside it), and maker/gated behind terms; what it was asked for is noted."""
    folder, asked = toy_folder("sd1"), []
    files = {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    files |= {"unet/diffusion_pytorch_model.bin": b"a pickle", "unet/flax_model.msgpack": b"flax", "README.md": b"words"}

    class Hub(BaseHTTPRequestHandler):
        def answer(self, body, kind="application/json", code=200, **headers):
            self.send_response(code)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_GET(self):
            asked.append((self.command, self.path, self.headers.get("Authorization")))
            path = self.path.partition("?")[0]
            if "maker/gated" in path:
                return self.answer(b"{}", code=403, X_Error_Code="GatedRepo")
            if "maker/toy" not in path:
                return self.answer(b"{}", code=404, X_Error_Code="RepoNotFound")
            if path.startswith("/api/models/maker/toy/tree"):
                tree = [{"type": "file", "path": name, "size": len(data), "oid": "0" * 40} for name, data in files.items()]
                return self.answer(json.dumps(tree).encode())
            if path.startswith("/api/"):
                info = {"id": "maker/toy", "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
                return self.answer(json.dumps(info).encode())
            name = path.split("/resolve/")[1].partition("/")[2]
            if name not in files:
                return self.answer(b"", code=404, X_Error_Code="EntryNotFound")
            return self.answer(files[name], "application/octet-stream", ETag=f'"{abs(hash(name))}"', X_Repo_Commit=COMMIT)

        do_HEAD = do_GET

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


PROGRAM = """
import sys
from lorasmith.errors import BaseModelError
from lorasmith.models.open import describe
for source in sys.argv[1:]:
    try:
        found = describe(source)
        print(found.family, found.hub_id, sorted(str(f.relative_to(found.source)) for f in found.source.rglob("*") if f.is_file()))
    except BaseModelError as error:
        print("error:", error)
"""


def _run(tmp_path, *sources, **environment):
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS"))}
    environment = keep | {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"} | environment
    result = subprocess.run([sys.executable, "-c", PROGRAM, *sources], capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def test_a_model_of_the_hub_is_fetched_once_without_its_pickles(hub, tmp_path):
    endpoint, asked = hub
    found, gated, unknown, file = _run(
        tmp_path, "maker/toy", "maker/gated", "maker/nothing", "maker/toy/none.safetensors", HF_ENDPOINT=endpoint, HF_TOKEN="secret-token"
    )
    assert found.startswith("sd1 maker/toy")
    assert "unet/diffusion_pytorch_model.safetensors" in found
    assert "tokenizer/tokenizer.json" in found
    assert not any(name in found for name in (".bin", "msgpack", "README"))
    assert "accept them on its page" in gated
    assert "no public model of that name on the hub" in unknown
    assert "no such revision or file" in file
    assert {authorization for _, path, authorization in asked if "maker/" in path} == {"Bearer secret-token"}, asked
    count = len(asked)
    offline, absent = _run(tmp_path, "maker/toy", "maker/other", HF_ENDPOINT=endpoint, HF_HUB_OFFLINE="1")
    assert offline == found
    assert "nor in the hub's cache, and the hub cannot be reached" in absent
    assert len(asked) == count, "offline nothing is asked"
    cut_off, absent = _run(tmp_path, "maker/toy", "maker/other", HF_ENDPOINT="http://127.0.0.1:9")
    assert cut_off == found, "without a network the cache is used"
    assert "the hub cannot be reached" in absent


def test_half_precision_is_fetched_where_it_is_offered():
    files = ["model_index.json", "unet/config.json", "tokenizer/merges.txt", "vae/config.json", "unet/diffusion_pytorch_model.onnx"]
    files += [f"unet/diffusion_pytorch_model{x}.safetensors" for x in ("", ".fp16", ".non_ema")]
    files += ["vae/diffusion_pytorch_model.safetensors", "safety_checker/model.safetensors", "sd_xl_base.safetensors"]
    wanted = needed_files(files)
    assert sorted(f for f in wanted if f.endswith("safetensors")) == [
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    ]
    assert "tokenizer/merges.txt" in wanted


def test_what_is_a_hub_id_and_what_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_hub_id("stabilityai/stable-diffusion-xl-base-1.0")
    assert is_hub_id("owner/name@fp16")
    assert is_hub_id("owner/name/folder/model.safetensors")
    assert not is_hub_id("/owner/name")
    assert not is_hub_id("./owner/name")
    assert not is_hub_id("model.safetensors")
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert not is_hub_id("owner/name"), "a folder of that name counts"
    with pytest.raises(BaseModelError, match="does not exist; give a file, a folder or a hub id"):
        describe("model.safetensors")


def test_a_home_of_nobody_is_a_name_like_any_other():
    name = "~nobody-of-this-name/base"
    assert not is_hub_id(name)
    assert source_of(name) == Path(name)
