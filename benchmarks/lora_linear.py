"""How long a LoRA layer takes beside peft's: forward + backward, alternating in one process, medians.

    python benchmarks/lora_linear.py --threads 1 --repeats 20

A ratio under 1 means that ours is faster. `base` is the frozen layer alone, with its input asking for a gradient.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

from lorasmith.adapters.attach import attach

LAYERS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "Linear 320": (nn.Linear(320, 320), (2, 1024, 320)),
    "Linear 320 -> 2560": (nn.Linear(320, 2560), (2, 1024, 320)),
    "Linear 1280": (nn.Linear(1280, 1280), (2, 256, 1280)),
    "Conv 1x1 320": (nn.Conv2d(320, 320, 1), (2, 320, 32, 32)),
    "Conv 1x1 1280": (nn.Conv2d(1280, 1280, 1), (2, 1280, 8, 8)),
    "Conv 3x3 320": (nn.Conv2d(320, 320, 3, padding=1), (2, 320, 32, 32)),
    "Conv 3x3 stride 2": (nn.Conv2d(320, 320, 3, stride=2, padding=1), (2, 320, 32, 32)),
}


def seconds(model: nn.Module, x: Tensor, grad: Tensor) -> float:
    began = time.perf_counter()
    model(x).backward(grad)
    return time.perf_counter() - began


def models(layer: nn.Module, rank: int) -> dict[str, nn.Module]:
    """The frozen layer alone, with our LoRA, and with peft's, in fresh copies."""
    plain = nn.Sequential(copy.deepcopy(layer)).requires_grad_(False)
    ours = copy.deepcopy(plain)
    attach(ours, {"0": "lora_unet_layer"}, rank, rank, seed=0)
    theirs = inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=rank, target_modules=["0"]), copy.deepcopy(plain))
    return {"base": plain, "ours": ours, "peft": theirs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="of the base; the LoRA stays in fp32")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    dtype = getattr(torch, arguments.dtype)
    print(f"{'layer':<20} {'base ms':>8} {'ours/base':>10} {'peft/base':>10} {'ours/peft':>10}")
    for title, (layer, shape) in LAYERS.items():
        contestants = models(layer.to(dtype), arguments.rank)
        x = torch.randn(shape).to(dtype).requires_grad_()
        grad = torch.randn_like(contestants["base"](x))
        times: dict[str, list[float]] = {name: [] for name in contestants}
        for repeat in range(arguments.repeats + 2):
            for name, model in contestants.items():
                took = seconds(model, x, grad)
                if repeat >= 2:
                    times[name].append(took)
        base, ours, theirs = (statistics.median(times[name]) for name in ("base", "ours", "peft"))
        print(f"{title:<20} {base * 1000:>8.1f} {ours / base:>10.2f} {theirs / base:>10.2f} {ours / theirs:>10.2f}")


if __name__ == "__main__":
    main()
