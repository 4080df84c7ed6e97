"""A base at full size trains on a CPU, in the memory of an ordinary machine."""

import resource
import time

import pytest
import torch

from lorasmith.adapters.attach import attach
from lorasmith.adapters.files import names as keys
from lorasmith.models.diffusion import Ddpm
from lorasmith.models.parts import build
from lorasmith.models.sampling import initial_latents
from lorasmith.models.sd1 import config
from lorasmith.models.sd1.base import StableDiffusion1
from lorasmith.models.texts import TextOptions
from lorasmith.training.learner.learner import Learner
from lorasmith.training.learner.text_states import TextStates
from lorasmith.training.objective.batch_loss import PreparedBatch
from lorasmith.training.settings.tree import settings_from
from lorasmith.training.step import step
from tests.models import toys


@pytest.mark.slow
def test_sd1_trains_three_steps_at_256_pixels_in_under_12_gb():
    began = time.monotonic()
    modules = {}
    for name, part in config.PARTS.items():
        torch.set_default_dtype(torch.float32 if name == "vae" else torch.bfloat16)  # made in the type it is kept in
        try:
            modules[name] = build(part)
        finally:
            torch.set_default_dtype(torch.float32)
    base = StableDiffusion1(modules, {"tokenizer": toys.clip_tokenizer()}, Ddpm.from_config(config.SCHEDULER[1]), {})
    adapters = {part: attach(module, keys.targets("sd1", part, module), rank=8, alpha=8.0, seed=1) for part, module in base.parts.items()}
    optimizer = torch.optim.AdamW([p for adapter in adapters.values() for p in adapter.parameters()], lr=1e-4)
    settings = settings_from({"base": {"path": "."}, "datasets": [{"path": "."}], "training": {"max_train_steps": 3}})
    batch = PreparedBatch(initial_latents(base, [1], 256, 256), ("a red cat",), ("0.png",))
    texts = TextStates(base, TextOptions(), trained=True)
    learner = Learner(base, adapters, optimizer, texts, settings)
    losses = [step(learner, [batch], number).loss for number in range(3)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"peak {peak:.1f} GB, {time.monotonic() - began:.0f} s, losses {losses}")
    assert all(torch.isfinite(torch.tensor(losses)))
    assert any(p.abs().max() > 0 for layer in adapters["unet"].layers().values() for p in layer.parameters())
    assert peak < 12
