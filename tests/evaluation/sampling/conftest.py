"""An opened toy base, and LoRAs of random weights for it."""

import pytest
import torch

from lorasmith.adapters.attach import adapter_tensors, attach_network
from lorasmith.adapters.files.lora_file import save_lora
from lorasmith.adapters.selection import select_network
from lorasmith.models.open import open_base


@pytest.fixture(scope="session")
def base(toy_base):
    return open_base(toy_base, torch.float32)


@pytest.fixture
def lora(base, settings_for, tmp_path):
    """Writes a LoRA of random weights for the base."""

    def write(seed, path=None, **network):
        settings = settings_for(network={"rank": 2, **network})
        parts = {name: part for name, part in base.parts.items() if settings.lr_of(name, base.family) > 0}
        chosen = select_network(base.family, parts, settings.network)
        adapters = {part: attach_network(base.parts[part], one.targets, one.settings, seed) for part, one in chosen.items()}
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for adapter in adapters.values():
                for parameter in adapter.parameters():
                    parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        path = path or tmp_path / f"{seed}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_lora(
            path, adapter_tensors(*adapters.values()), {"ss_base_model_version": "sd_v1", "ss_output_name": f"out-{seed}"}, torch.float32
        )
        for adapter in adapters.values():
            adapter.detach()
        return path

    return write
