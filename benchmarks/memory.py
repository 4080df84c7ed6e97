"""What a base takes in memory, opened and in a training step, by number type, packing and gradient checkpointing.

    python benchmarks/memory.py --pixels 512
    python benchmarks/memory.py --pixels 256 --rows bf16 "bf16 checkpointing" nf4

The base is a U-Net of SD 1.5's full size with random weights, in a file that is opened as any other; a LoRA of rank 16 on the usual
layers makes steps with AdamW on one picture. Each row is a process of its own, whose peak the system counts (Linux); what the
libraries take before the base is opened is left out. On a GPU (--device cuda) the peaks are those of torch's allocator.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Row -> type that the base computes in, packing, checkpointing.
ROWS = {
    "fp32": ("float32", "none", False),
    "fp32 checkpointing": ("float32", "none", True),
    "bf16": ("bfloat16", "none", False),
    "bf16 checkpointing": ("bfloat16", "none", True),
    "int8": ("bfloat16", "int8", False),
    "int8 checkpointing": ("bfloat16", "int8", True),
    "nf4": ("bfloat16", "nf4", False),
    "nf4 checkpointing": ("bfloat16", "nf4", True),
    "fp16": ("float16", "none", False),
    "fp16 checkpointing": ("float16", "none", True),
}
DEFAULTS = [row for row in ROWS if not row.startswith("fp16")]  # a CPU computes fp16 some fourteen times slower; its memory is bf16's


def write_base(path: Path) -> None:
    """SD 1.5's U-Net with random weights in fp16."""
    import torch
    from safetensors.torch import save_file

    from lorasmith.models.families import FAMILIES
    from lorasmith.models.parts import build

    with torch.device("meta"):
        shapes = {name: t.shape for name, t in build(FAMILIES["sd1"].usual.parts["unet"]).state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    save_file({name: (0.02 * torch.randn(shape, generator=generator)).half() for name, shape in shapes.items()}, path)


def measure(path: Path, row: str, pixels: int, steps: int, device: str) -> None:
    """One row, in this process: megabytes of the weights, at most while opening, at most in the steps; seconds a step."""
    import torch

    from lorasmith.adapters.attach import attach
    from lorasmith.adapters.files import names as keys
    from lorasmith.models.description import Description, PartPlace
    from lorasmith.models.families import FAMILIES
    from lorasmith.models.files.weights import empty_module, load_part
    from lorasmith.models.memory import checkpoint_blocks

    dtype_name, quantize, checkpointing = ROWS[row]
    dtype = getattr(torch, dtype_name)
    config = FAMILIES["sd1"].usual.parts["unet"]
    place = PartPlace((path,), "", "diffusers", config, "the benchmark", {"F16": 1})
    description = Description(path, "single file", FAMILIES["sd1"], "", "epsilon", False, {"unet": place}, ("", {}), {}, (), ())
    empty_module(config)
    before = _peak(device)
    unet = load_part(description, "unet", dtype, device, quantize)
    opened = _peak(device) - before
    kept = sum(getattr(p, "packed_bytes", p.nbytes) for p in unet.parameters()) / 1e6
    if checkpointing:
        checkpoint_blocks(unet)
    adapter = attach(unet, keys.targets("sd1", "unet", unet), 16, 16.0, seed=1)
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=1e-4)
    generator = torch.Generator().manual_seed(0)
    noisy = torch.randn(1, 4, pixels // 8, pixels // 8, generator=generator).to(device, dtype)
    texts = torch.randn(1, 77, 768, generator=generator).to(device, dtype)
    seconds = []
    for _ in range(steps):
        began = time.process_time() if device == "cpu" else time.perf_counter()
        loss = unet(noisy, torch.tensor([500], device=device), texts).sample.float().square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append((time.process_time() if device == "cpu" else time.perf_counter()) - began)
    print(f"{row} | {kept:,.0f} | {opened:,.0f} | {_peak(device) - before:,.0f} | {min(seconds):.1f}")


def _peak(device: str) -> float:
    """The most memory so far, in megabytes."""
    import torch

    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pixels", type=int, default=512, help="side of the picture")
    parser.add_argument("--steps", type=int, default=2, help="training steps of a row; the fastest is told")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=DEFAULTS)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--one", nargs=2, metavar=("FILE", "ROW"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        measure(Path(asked.one[0]), asked.one[1], asked.pixels, asked.steps, asked.device)
        return
    more = ["--pixels", str(asked.pixels), "--steps", str(asked.steps), "--device", asked.device]
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "unet.safetensors"
        write_base(base)
        print("row | weights MB | peak of opening MB | peak of a step MB | seconds a step")
        for row in asked.rows:
            done = subprocess.run([sys.executable, __file__, "--one", str(base), row, *more], capture_output=True, text=True, check=False)
            print(done.stdout.strip() or f"{row} failed: {done.stderr.strip().splitlines()[-1]}", flush=True)


if __name__ == "__main__":
    main()
