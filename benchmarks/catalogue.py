"""How long the catalogue takes with many files: the first index, later starts, finding.

    python benchmarks/catalogue.py --files 5000

The files have headers as of a LoRA for SD 1.x on all 264 layers (about 120 kB each), with 50 different tables of tensors, and holes instead
of numbers, so that they take little room.
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

from lorasmith.library.catalogue.catalogue import Catalogue
from lorasmith.library.catalogue.query import Query

BLOCKS = ("down_blocks_0", "down_blocks_1", "down_blocks_2", "up_blocks_1", "up_blocks_2", "up_blocks_3", "mid_block")
PARTS = (
    "attn1_to_q",
    "attn1_to_k",
    "attn1_to_v",
    "attn1_to_out_0",
    "attn2_to_q",
    "attn2_to_k",
    "attn2_to_v",
    "attn2_to_out_0",
    "ff_net_0_proj",
    "ff_net_2",
)


def layers() -> list[str]:
    """264 names, as many as kohya's LoRA of SD 1.x has."""
    names = [f"lora_unet_{block}_attentions_{k}_transformer_blocks_0_{part}" for block in BLOCKS for k in range(3) for part in PARTS]
    text = [
        f"lora_te_text_model_encoder_layers_{k}_{part}"
        for k in range(12)
        for part in ("mlp_fc1", "mlp_fc2", *(f"self_attn_{x}_proj" for x in ("q", "k", "v", "out")))
    ]
    return (names + text)[:264]


def write_file(path: Path, number: int) -> int:
    """A LoRA whose numbers are a hole, of one of 50 ranks; returns the bytes of its header."""
    rank = 1 + number // 5 % 50
    tags = {f"tag {number} {k}": k for k in range(200)}
    metadata = {
        "ss_base_model_version": "sd_v1", "ss_network_module": "networks.lora", "ss_network_dim": str(rank), "ss_sd_model_name": "base.safetensors",
        "ss_output_name": f"lora{number // 5}", "ss_session_id": str(number // 5), "ss_epoch": str(number % 5), "ss_tag_frequency": json.dumps({"10_x": tags}),
        "modelspec.trigger_phrase": f"trigger{number // 5}", "modelspec.description": f"Number {number // 5} of many",
    }  # fmt: skip
    header: dict[str, object] = {"__metadata__": metadata}
    end = 0
    for layer in layers():
        width = 768 if "_te_" in layer or "attn2_to_k" in layer or "attn2_to_v" in layer else 320
        for name, shape in (("lora_down.weight", [rank, width]), ("lora_up.weight", [320, rank]), ("alpha", [])):
            size = 2 * (shape[0] * shape[1] if shape else 1)
            header[f"{layer}.{name}"] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end + size]}
            end += size
    text = json.dumps(header, separators=(",", ":")).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    return len(text)


def timed(what: str, work: object) -> None:
    """How long it takes, and how much of that this process computes: on a busy machine that says more."""
    start, computed = time.perf_counter(), time.process_time()
    work()  # type: ignore[operator]
    print(f"{what:<44} {time.perf_counter() - start:7.3f} s, {time.process_time() - computed:7.3f} s of the CPU")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=5000)
    files = parser.parse_args().files
    with tempfile.TemporaryDirectory() as scratch:
        folder, library = Path(scratch) / "loras", Path(scratch) / "library"
        folder.mkdir()
        headers = sum(write_file(folder / f"lora{k // 5}-{k % 5:06d}.safetensors", k) for k in range(files))
        print(f"{files:,} files, {headers / 1e6:,.0f} MB of headers")
        timed("headers read and nothing else", lambda: [path.open("rb").read(headers // files) for path in folder.iterdir()])
        catalogue = Catalogue(library)
        catalogue.add(folder)
        timed("first index", catalogue.refresh)
        timed("later start: nothing has changed", catalogue.refresh)
        timed("all entries", catalogue.entries)
        trigger = f"trigger{files // 10}"
        timed("find a trigger", lambda: catalogue.find(Query(trigger=trigger)))
        timed("find words", lambda: catalogue.find(Query(["number", "many"])))
        command = [sys.executable, "-m", "lorasmith", "library", "find", "--trigger", trigger, "--catalogue", str(library), "--json"]
        timed(
            "lorasmith library find, the whole command",
            lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=os.environ),
        )


if __name__ == "__main__":
    main()
