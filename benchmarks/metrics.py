"""What the metrics of a run cost beside a step, on the demo base with batch size 1: as a share of the step's time, both in one process.

python benchmarks/metrics.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from lorasmith.adapters.settings import NetworkSettings
from lorasmith.demo.weights import BASE
from lorasmith.models.open import open_base
from lorasmith.models.texts import TextOptions
from lorasmith.training.learner.learner import make_learner
from lorasmith.training.records.metrics import Metrics
from lorasmith.training.settings.tree import settings_from
from lorasmith.training.step import SampleLoss, StepResult


def seconds(work: Callable[[], object], times: int) -> float:
    """The quickest of five rounds, for one call."""
    rounds = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(times):
            work()
        rounds.append((time.process_time() - began) / times)
    return min(rounds)


def main() -> None:
    base = open_base(BASE, torch.float32)
    tree = {
        "name": "x",
        "base": {"path": str(BASE)},
        "datasets": [{"path": "."}],
        "network": NetworkSettings(rank=4).model_dump(mode="json"),
    }
    learner, _ = make_learner(settings_from(tree), base)
    metrics = Metrics(learner.adapters, learner.optimizer, 1000)
    result = StepResult(0.3, 1.0, tuple(SampleLoss(f"{k}.png", 50.0 * k, 0.1 * k) for k in range(8)))
    steps = iter(range(1, 10**6))
    latents = torch.randn(1, base.latent_channels, 8, 8)
    with torch.no_grad():
        texts = base.encode_texts(["zorvex"], TextOptions())

    def train() -> None:
        base.predict(latents, torch.tensor([500]), texts).square().mean().backward()

    measured = seconds(lambda: metrics.step_done(next(steps), 1, result, {"unet": 1e-4}, 0.03), 100)
    step = seconds(train, 3)
    print(f"metrics {measured * 1e6:.0f} us, forward and backward {step * 1e3:.1f} ms: {measured / step:.2%}")


if __name__ == "__main__":
    main()
