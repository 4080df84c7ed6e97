"""What the tools write is loaded by diffusers itself, and predicts there what we say."""

import copy

import pytest
import torch

from lorasmith.adapters.delta import delta
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.tools.extract import extract_file
from lorasmith.adapters.tools.merge import merge_files
from lorasmith.adapters.tools.merge_into_base import merge_into_base
from lorasmith.adapters.tools.opened import open_lora
from lorasmith.adapters.tools.resize import resize_file
from tests.adapters.test_kinds_on_families import outputs
from tests.adapters.tools.merged_bases import PARTS, write_lora
from tests.adapters.tools.test_merge_into_base import assert_same, attached
from tests.models.single_files import write_single_file
from tests.models.toys import pipeline_of, toy_folder


def test_merged_resized_and_extracted_loras_change_the_weights_in_diffusers_as_their_layers_say(tmp_path):
    a = write_lora(tmp_path / "a.safetensors", "sd1", "lora", size=0.1, rank=4)
    b = write_lora(tmp_path / "b.safetensors", "sd1", "loha", size=0.3, seed=5)
    resize_file(a, tmp_path / "resized.safetensors", 2, block_ranks={"MID": 3})
    merge_files([(a, 0.5), (b, -0.7)], tmp_path / "merged.safetensors", rank=3)
    merge_into_base([(a, 1.0), (b, 1.0)], toy_folder("sd1"), tmp_path / "tuned")
    extract_file(tmp_path / "tuned", toy_folder("sd1"), tmp_path / "extracted.safetensors", "locon", rank=4, parts=PARTS["sd1"])
    for name in ("resized", "merged", "extracted"):
        pipeline = pipeline_of("sd1")
        before = {part: copy.deepcopy(getattr(pipeline, part).state_dict()) for part in PARTS["sd1"]}
        pipeline.load_lora_weights(str(tmp_path), weight_name=f"{name}.safetensors")
        pipeline.fuse_lora()
        pipeline.unload_lora_weights()
        after = {part: getattr(pipeline, part).state_dict() for part in PARTS["sd1"]}
        layers = open_lora(tmp_path / f"{name}.safetensors", "sd1").layers
        assert len(layers) > 100
        for layer in layers.values():
            part, (path,) = keys.layers_of("sd1", layer.name)
            key = f"{path.removeprefix('text_model.')}.weight"
            change = after[part][key] - before[part][key]
            torch.testing.assert_close(change, delta(layer).float().view_as(change), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", PARTS)
def test_merged_folders_are_opened_by_diffusers(family, tmp_path):
    file = write_lora(tmp_path / "lora.safetensors", family, "lora", size=0.05)
    merge_into_base([(file, 0.7)], toy_folder(family), tmp_path / "merged")
    pipeline = type(pipeline_of(family)).from_pretrained(tmp_path / "merged", local_files_only=True)
    with torch.no_grad():
        assert_same(outputs({part: getattr(pipeline, part) for part in PARTS[family]}), attached(family, file, 0.7))


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_merged_single_files_are_opened_by_diffusers(family, tmp_path):
    base = write_single_file(toy_folder(family), tmp_path / "base.safetensors")
    file = write_lora(tmp_path / "lora.safetensors", family, "lora", size=0.05)
    merge_into_base([(file, 0.7)], base, tmp_path / "merged.safetensors", config=toy_folder(family))
    pipeline = type(pipeline_of(family)).from_single_file(
        str(tmp_path / "merged.safetensors"), config=str(toy_folder(family)), local_files_only=True
    )
    with torch.no_grad():
        assert_same(outputs({part: getattr(pipeline, part) for part in PARTS[family]}), attached(family, file, 0.7))
