"""Opening: SDXL at its full size from a single file, in the memory that the brief allows."""

import json
import struct
import subprocess
import sys

import pytest

from lorasmith.models.architectures import autoencoder_names, text_encoder_names, unet_names
from lorasmith.models.architectures.clip_tokenizer import merge_list
from lorasmith.models.families import FAMILIES
from lorasmith.models.files.weights import empty_module


def write_sdxl_shaped(path):
    """An original-layout SDXL file in bf16, about 7 GB, written in blocks of one random tensor."""
    import torch

    shapes: dict[str, tuple[int, ...]] = {}
    for part, config in FAMILIES["sdxl"].usual.parts.items():
        of = {name: tuple(tensor.shape) for name, tensor in empty_module(config).state_dict().items()}
        prefix, names = {
            "unet": ("model.diffusion_model.", lambda of: unet_names.from_ldm(of, ())),
            "vae": ("first_stage_model.", lambda of: autoencoder_names.from_ldm(of, ())),
            "text_encoder": ("conditioner.embedders.0.transformer.text_model.", lambda of: text_encoder_names.from_transformers(of, of)),
            "text_encoder_2": ("conditioner.embedders.1.model.", lambda of: text_encoder_names.from_open_clip(of, ())),
        }[part]
        for name, take in names(of).items():
            rows = max(take.rows[1], shapes.get(prefix + take.key, (0,))[0]) if take.rows else of[name][0]
            shapes[prefix + take.key] = (rows, *of[name][1:])
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 2
        for side in shape:
            size *= side
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    raw = json.dumps(header).encode()
    raw += b" " * (-len(raw) % 8)
    noise = (torch.randn(1 << 23) * 0.02).bfloat16().view(torch.uint8).numpy().tobytes()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(raw)) + raw)
        while at > 0:
            file.write(noise[: min(at, len(noise))])
            at -= len(noise)
    return path


OPEN = """
import json, resource, sys, time
import torch
from lorasmith.models.open import open_base
from lorasmith.models.texts import TextOptions
began = time.monotonic()
base = open_base(sys.argv[1], torch.bfloat16)
opened = time.monotonic() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
with torch.no_grad():
    texts = base.encode_texts(["a cat"], TextOptions())
    began = time.monotonic()
    found = base.predict(torch.randn(1, 4, 32, 32), torch.tensor([500]), texts)
print(json.dumps({
    "opened_s": round(opened, 1), "open_peak_gb": round(peak / 1e9, 2), "forward_s": round(time.monotonic() - began, 1),
    "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2), "shape": list(found.shape),
    "finite": bool(found.isfinite().all()),
}))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
@pytest.mark.skipif(merge_list() is None, reason="CLIP's words are not installed (open_clip_torch)")
def test_full_size_sdxl_opens_and_runs_in_under_eight_gigabytes(tmp_path, monkeypatch):
    """The process' peak of resident memory, libraries and mapped pages included; one forward at 256 pixels."""
    monkeypatch.setenv("LORASMITH_CACHE", str(tmp_path / "cache"))
    path = write_sdxl_shaped(tmp_path / "sdxl.safetensors")
    assert path.stat().st_size > 6.5e9
    try:
        result = subprocess.run([sys.executable, "-c", OPEN, str(path)], capture_output=True, text=True, check=False)
    finally:
        path.unlink()
    assert result.returncode == 0, result.stderr
    measured = json.loads(result.stdout.splitlines()[-1])
    print(measured)
    assert (measured["shape"], measured["finite"]) == ([1, 4, 32, 32], True)
    assert measured["peak_gb"] < 8, measured
