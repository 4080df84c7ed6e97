"""What it saves to lay the base's convolutions out for the CPU: a step with and a step without it, in turns, in one process.

    python benchmarks/prepacked.py --side 128 --precision no bf16
    python benchmarks/prepacked.py --side 512 --precision bf16 --rounds 2
    python benchmarks/prepacked.py --side 512 --between --rounds 2      # float32 and bf16 in turns, both laid out

The U-Net of Stable Diffusion 1.5 at full size with random weights and a LoRA of rank 16 on its usual layers: forward, backward, clipping
and AdamW, on noise. CPU seconds of one thread. Needs 4 GB in bf16, 11 GB in fp32.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import nn

from lorasmith.adapters.attach import AttachedAdapter, attach
from lorasmith.adapters.files import names as keys
from lorasmith.models.parts import build
from lorasmith.models.prepacked import PrepackedWeight, prepack_convolutions
from lorasmith.models.sd1 import config as sd1
from lorasmith.training.records.checkpoints import DTYPES


class Trained:
    """A U-Net with a LoRA, and how it takes a step."""

    def __init__(self, dtype: torch.dtype, prepacked: bool) -> None:
        torch.manual_seed(0)
        self.unet: nn.Module = build(sd1.PARTS["unet"]).to(dtype).requires_grad_(False).eval()
        targets = {of_layer[0]: name for name, of_layer in keys.targets("sd1", "unet", self.unet).items()}
        self.adapter: AttachedAdapter = attach(self.unet, targets, rank=16, alpha=8.0, seed=42)
        self.optimizer = torch.optim.AdamW(self.adapter.parameters(), lr=1e-4, fused=True)
        self.dtype = dtype
        if prepacked:
            prepack_convolutions(self.unet, self.adapter.target_modules)

    def step(self, side: int, batch: int) -> tuple[float, float]:
        """CPU seconds and the loss."""
        generator = torch.Generator().manual_seed(1)
        latents = torch.randn(batch, 4, side // 8, side // 8, generator=generator)
        texts = torch.randn(batch, 77, 768, generator=generator).to(self.dtype)
        began = time.process_time()
        self.optimizer.zero_grad(set_to_none=True)
        prediction = self.unet(latents.to(self.dtype), torch.full((batch,), 500), texts).sample
        loss = (prediction.float() - latents).square().mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(self.adapter.parameters()), 1.0)
        self.optimizer.step()
        return time.process_time() - began, loss.item()

    @property
    def more_bytes(self) -> int:
        """What the blocks take beyond the weights themselves."""
        packed = [p for p in self.unet.parameters() if isinstance(p, PrepackedWeight)]
        return sum(p.packs.nbytes - p.numel() * p.element_size() for p in packed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=128, help="of the pictures, in pixels")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", nargs="+", choices=("no", "bf16"), default=["no", "bf16"])
    parser.add_argument("--between", action="store_true", help="float32 beside bf16, both laid out")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.between:
        compare_precisions(arguments.side, arguments.batch, arguments.rounds)
        return
    for precision in arguments.precision:
        compare(precision, arguments.side, arguments.batch, arguments.rounds)


def compare(precision: str, side: int, batch: int, rounds: int) -> None:
    """Print both medians, and what laying out costs."""
    ordinary, laid_out = (Trained(DTYPES[precision], prepacked) for prepacked in (False, True))
    first = [one.step(side, batch)[0] for one in (ordinary, laid_out)]
    times: list[tuple[float, float]] = []
    for _ in range(rounds):
        (before, loss), (after, again) = ordinary.step(side, batch), laid_out.step(side, batch)
        assert abs(again / loss - 1) < (1e-4 if precision == "no" else 1e-2), f"losses {loss} and {again} differ"
        times.append((before, after))
    before, after = (statistics.median(column) for column in zip(*times, strict=True))
    saved = 1 - statistics.median(after / before for before, after in times)
    print(
        f"{precision}, {side} pixels, batch {batch}: {before:.2f} s, laid out {after:.2f} s, {saved:.0%} less (medians of {rounds}); "
        f"the first step {first[0]:.1f} and {first[1]:.1f} s; {laid_out.more_bytes / 1e9:.2f} GB more",
        flush=True,
    )


def compare_precisions(side: int, batch: int, rounds: int) -> None:
    """Print the medians of float32 and bf16 and the median of how many times faster bf16 is."""
    both = [Trained(DTYPES[precision], prepacked=True) for precision in ("no", "bf16")]
    for one in both:
        one.step(side, batch)
    times = [tuple(one.step(side, batch)[0] for one in both) for _ in range(rounds)]
    in_float32, in_bf16 = (statistics.median(column) for column in zip(*times, strict=True))
    faster = statistics.median(first / second for first, second in times)
    print(f"{side} pixels, batch {batch}: fp32 {in_float32:.2f} s, bf16 {in_bf16:.2f} s, {faster:.2f} times as fast (medians of {rounds})")


if __name__ == "__main__":
    main()
