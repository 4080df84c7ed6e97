"""How long `lorasmith lora show` takes on a LoRA file of 2 GB, beside `lorasmith --version`, each in a fresh process, in turns.

python benchmarks/show.py [--gigabytes 2] [--rounds 5]

The file is sparse: a header of real layers of SDXL, and numbers that are not on the disk.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

WIDTH = 1280


def write_sparse_lora(path: Path, size: int) -> None:
    """A LoRA on SDXL's attention of about `size` bytes, with alphas that are 0."""
    blocks = [
        f"lora_unet_{'input' if k < 24 else 'output'}_blocks_{4 + k % 2}_1_transformer_blocks_{k % 10}_attn{1 + k // 10 % 2}"
        for k in range(48)
    ]
    names = list(dict.fromkeys(f"{block}_to_{part}" for block in blocks for part in ("q", "k", "v")))
    rank = max(1, size // (len(names) * 2 * 2 * WIDTH))
    header: dict[str, object] = {"__metadata__": {"ss_base_model_version": "sdxl_base_v1-0", "ss_network_module": "networks.lora"}}
    end = 0
    for name in names:
        for suffix, shape in (("alpha", ()), ("lora_down.weight", (rank, WIDTH)), ("lora_up.weight", (WIDTH, rank))):
            count = 1
            for side in shape:
                count *= side
            header[f"{name}.{suffix}"] = {"dtype": "F16", "shape": list(shape), "data_offsets": [end, end + 2 * count]}
            end += 2 * count
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)


def seconds(*arguments: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "lorasmith", *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "large.safetensors"
        write_sparse_lora(file, int(given.gigabytes * 1e9))
        print(f"{file.stat().st_size / 1e9:.2f} GB, of which {os.stat(file).st_blocks * 512 / 1e6:.2f} MB are on the disk")
        seconds("--version"), seconds("lora", "show", str(file))  # the files of the program come from the disk
        rounds = [(seconds("--version"), seconds("lora", "show", str(file))) for _ in range(given.rounds)]
    start, show = (median(times) for times in zip(*rounds, strict=True))
    print(f"lorasmith --version  {start:.2f} s\nlorasmith lora show  {show:.2f} s, {show - start:.2f} s more")


if __name__ == "__main__":
    main()
