"""The nodes for ComfyUI: what they read of a file, which folders they offer, and that ComfyUI's own loader takes them."""

import importlib
import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from lorasmith.library.catalogue.place import library_folder, write_folders
from tests.library.lora_files import write_lora

NODES = Path(__file__).parents[2] / "integrations" / "comfyui"
SOURCE = "LORASMITH_COMFYUI"
"""Names the folder of ComfyUI's source, for the test with its own loader."""


class Comfy:
    """The two modules of ComfyUI that the nodes call, over one folder; keeps what they were asked."""

    def __init__(self, loras):
        self.loras, self.added, self.loaded = loras, [], []
        comfy = self

        class LoraLoader:
            def load_lora(self, model, clip, name, strength_model, strength_clip):
                comfy.loaded.append((name, strength_model, strength_clip))
                return f"{model}+lora", clip and f"{clip}+lora"

        self.folder_paths = types.SimpleNamespace(
            get_filename_list=lambda kind: sorted(path.name for path in loras.glob("*.safetensors")),
            get_full_path_or_raise=lambda kind, name: str(loras / name),
            add_model_folder_path=lambda kind, folder: self.added.append((kind, folder)),
        )
        self.nodes = types.SimpleNamespace(LoraLoader=LoraLoader)


@pytest.fixture
def comfy(tmp_path, monkeypatch):
    loras = tmp_path / "loras"
    loras.mkdir()
    standing = Comfy(loras)
    monkeypatch.setitem(sys.modules, "folder_paths", standing.folder_paths)
    monkeypatch.setitem(sys.modules, "nodes", standing.nodes)
    monkeypatch.setenv("LORASMITH_LIBRARY", str(tmp_path / "library"))
    monkeypatch.syspath_prepend(str(NODES))
    return standing


@pytest.fixture
def package(comfy):
    """The nodes' package as ComfyUI imports it: its folder, under a name of ComfyUI's own."""
    spec = importlib.util.spec_from_file_location(
        "custom_lorasmith", NODES / "lorasmith" / "__init__.py", submodule_search_locations=[str(NODES / "lorasmith")]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules["custom_lorasmith"] = package
    spec.loader.exec_module(package)
    yield package
    for name in [name for name in sys.modules if name.startswith("custom_lorasmith")]:
        del sys.modules[name]


def node(package, name="LorasmithLoadWithTrigger"):
    return package.NODE_CLASS_MAPPINGS[name]()


def published(folder, name="zorvex", **metadata):
    said = {
        "modelspec.title": "Zorvex",
        "modelspec.trigger_phrase": "zorvex",
        "ss_sd_model_name": "base.safetensors",
        "lorasmith_weight": "0.8",
    }
    return write_lora(folder / f"{name}.safetensors", said | metadata)


def test_a_lora_is_loaded_at_the_weight_that_its_file_recommends_and_its_trigger_handed_on(comfy, package):
    published(comfy.loras)

    model, clip, trigger, weight, about = node(package).load("model", "zorvex.safetensors", True, 1.0, "clip")

    assert (model, clip, trigger, weight) == ("model+lora", "clip+lora", "zorvex", 0.8)
    assert comfy.loaded == [("zorvex.safetensors", 0.8, 0.8)]
    assert about == "Zorvex; zorvex; weight 0.8; trained on base.safetensors"


def test_without_a_recommendation_or_on_request_the_given_weight_is_used(comfy, package):
    published(comfy.loras)
    write_lora(comfy.loras / "plain.safetensors", {})

    assert node(package).load("model", "zorvex.safetensors", False, 0.5)[3] == 0.5
    _, clip, trigger, weight, about = node(package).load("model", "plain.safetensors", True, 0.6)

    assert (clip, trigger, weight) == (None, "", 0.6)
    assert about == "no trigger word is named; nothing says which weight"
    assert comfy.loaded[-1] == ("plain.safetensors", 0.6, 0.0)


def test_what_a_user_typed_beside_the_file_goes_before_what_the_file_says(comfy, package):
    file = published(comfy.loras)
    file.with_suffix(".json").write_text(json.dumps({"activation text": "zorvex, green", "preferred weight": 0.6}))

    shown = node(package, "LorasmithAboutLora").read("zorvex.safetensors")

    assert shown["result"][:2] == ("zorvex, green", 0.6)


@pytest.mark.parametrize(
    "content", [b"", b"short", b"\xff" * 64, (2).to_bytes(8, "little") + b"[]", (9).to_bytes(8, "little") + b'{"a": [[[']
)
def test_a_damaged_file_or_note_says_nothing_and_stops_nothing(comfy, package, content):
    (comfy.loras / "odd.safetensors").write_bytes(content)
    (comfy.loras / "odd.json").write_bytes(content)

    assert node(package, "LorasmithAboutLora").read("odd.safetensors")["result"][:2] == ("", 1.0)


def test_the_folders_of_the_library_are_offered_that_are_there(comfy, tmp_path, request):
    kept = tmp_path / "kept"
    kept.mkdir()
    write_folders(library_folder(), [kept, tmp_path / "unplugged"])

    request.getfixturevalue("package")

    assert comfy.added == [("loras", str(kept))]


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_the_nodes_look_for_the_library_where_lorasmith_keeps_it(package, monkeypatch, platform):
    monkeypatch.delenv("LORASMITH_LIBRARY")
    monkeypatch.setattr(sys, "platform", platform)

    assert importlib.import_module("custom_lorasmith.library")._library() == library_folder()


@pytest.mark.skipif(
    not os.environ.get(SOURCE), reason=f"name the folder of ComfyUI's source in {SOURCE} to load the nodes with its own loader"
)
def test_comfyuis_own_loader_takes_the_nodes():
    code = (
        "import asyncio, sys, nodes\n"
        f"assert asyncio.run(nodes.load_custom_node({str(NODES / 'lorasmith')!r}))\n"
        "print(sorted(name for name in nodes.NODE_CLASS_MAPPINGS if name.startswith('Lorasmith')))\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, "--cpu"], cwd=os.environ[SOURCE], capture_output=True, text=True, check=False)

    assert "['LorasmithAboutLora', 'LorasmithLoadWithTrigger']" in ended.stdout, ended.stderr
