"""Networks of every kind for the toy bases, and checkpoints with them merged in: for the tests of extracting and merging."""

from functools import cache
from pathlib import Path

import torch
from safetensors.torch import save_file

from lorasmith.adapters.attach import adapter_tensors, attach_network
from lorasmith.adapters.selection import select_network
from lorasmith.models.files.weights import load_part
from lorasmith.models.open import describe
from tests.adapters.test_kinds_on_families import settings_for
from tests.models.toys import family_of, toy_folder

PARTS = {
    "sd1": ("unet", "text_encoder"),
    "sd2": ("unet", "text_encoder"),
    "sdxl": ("unet", "text_encoder", "text_encoder_2"),
    "flux": ("transformer", "text_encoder", "text_encoder_2"),
}
VERSIONS = {"sd1": "sd_v1", "sd2": "sd_v2_v", "sdxl": "sdxl_base_v1-0", "flux": "flux1"}


def loaded(source, parts, **open_options):
    """The parts of a base, in fp32."""
    described = describe(source, **open_options)
    return {part: load_part(described, part, torch.float32) for part in parts}


@cache
def toy_parts(family):
    return loaded(toy_folder(family), PARTS[family_of(family)])


def write_lora(path: Path, family: str, kind: str, size: float = 0.1, seed: int = 0, parts=None, **more) -> Path:
    """A file of this kind for a toy, as if it had been trained, in fp32."""
    modules = {part: module for part, module in toy_parts(family).items() if parts is None or part in parts}
    chosen = select_network(family, modules, settings_for(kind, family).model_copy(update=more))
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for part, of_part in chosen.items():
        adapter = attach_network(modules[part], of_part.targets, of_part.settings, seed=seed + 1)
        with torch.no_grad():
            for parameter in adapter.parameters():
                parameter += size * torch.randn(parameter.shape, generator=generator)
        adapter.detach()
        tensors |= {key: value.detach().clone().contiguous() for key, value in adapter_tensors(adapter).items()}
    save_file(tensors, path, {"ss_base_model_version": VERSIONS[family]})
    return path
