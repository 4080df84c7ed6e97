"""Small LoRA files, written by hand: header and numbers, without torch."""

import json
import random
import struct
from pathlib import Path

LAYERS = tuple(
    f"lora_unet_down_blocks_{block}_attentions_0_transformer_blocks_0_attn2_to_{part}" for block in (0, 1) for part in ("q", "k", "v")
)
SD1 = {
    "ss_base_model_version": "sd_v1",
    "ss_network_module": "networks.lora",
    "ss_network_dim": "4",
    "ss_network_alpha": "4.0",
    "ss_sd_model_name": "animagine.safetensors",
}


def write_lora(path: Path, metadata: dict[str, str] | None = None, *, rank: int = 4, seed: int = 0) -> Path:
    """A plain LoRA for SD 1.x in fp16; `seed` chooses its numbers."""
    tensors = {}
    for layer in LAYERS:
        width = 640 if "blocks_1" in layer else 320
        into = 768 if layer.endswith(("k", "v")) else width
        tensors |= {f"{layer}.lora_down.weight": [rank, into], f"{layer}.lora_up.weight": [width, rank], f"{layer}.alpha": []}
    header, end = {}, 0
    if metadata is None or metadata:
        header["__metadata__"] = {**SD1, **(metadata or {})}
    for name, shape in tensors.items():
        size = 2 * (shape[0] * shape[1] if shape else 1)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header, separators=(",", ":")).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = bytearray(_numbers(end, seed))
    for entry in (header[f"{layer}.alpha"] for layer in LAYERS):
        numbers[slice(*entry["data_offsets"])] = struct.pack("<e", rank)
    path.write_bytes(len(text).to_bytes(8, "little") + text + numbers)
    return path


def _numbers(size: int, seed: int) -> bytes:
    """fp16 numbers under 1: the exponent's high bits are never all set."""
    data = bytearray(random.Random(seed).randbytes(size))
    data[1::2] = bytes(0x38 | byte & 0x83 for byte in data[1::2])
    return bytes(data)
