"""How fast Stable Diffusion XL's full U-Net trains on a GPU, with random weights: images a second, peak memory, share of the card's rate.

    python benchmarks/step_gpu.py                              # SDXL, bf16, 1024 pixels
    python benchmarks/step_gpu.py --batch 4 --checkpointing
    python benchmarks/step_gpu.py --toy --device cpu           # the same way through a small U-Net, to see that it runs

Three trainings take turns in one process, on one frozen U-Net in bf16 whose weights lie in memory once:

    encode    a loop as diffusers' LoRA example describes it: each step sends its pictures through the autoencoder (float32, as SDXL's
              needs) and its captions through both text encoders; peft's LoRA in float32 under autocast; AdamW, gradients clipped
    cached    the same with latents and texts made before
    ours      `lorasmith.training.step.step` with the settings of `lorasmith new --recipe`

A peak is that of one contestant's steps, the others' networks and optimizers (some hundred MB) lying beside; the encoders' weights are
counted where a loop needs them. The card's rate is that of a product of two 8192 x 8192 matrices in bf16, measured in the same run; a
step's FLOPs are counted by the rehearsal of `lorasmith.training.forecast.estimate`, the ones that gradient checkpointing repeats left out. What
is random has no say in how long a step takes. Without a GPU it says so and ends.
"""

from __future__ import annotations

import argparse
import copy
import gc
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

from lorasmith.adapters.files import names as keys
from lorasmith.models.base import SizeConditioning
from lorasmith.models.description import Description, PartPlace
from lorasmith.models.diffusion import Ddpm
from lorasmith.models.families import FAMILIES
from lorasmith.models.parts import Part, build
from lorasmith.models.sdxl import config
from lorasmith.models.sdxl.base import StableDiffusionXL, time_ids
from lorasmith.training.forecast.rehearsal import attach_blank, blank_base, rehearse_step
from lorasmith.training.learner.learner import make_learner
from lorasmith.training.objective.batch_loss import PreparedBatch
from lorasmith.training.settings.tree import Settings, settings_from
from lorasmith.training.step import step

RANK, ALPHA = 16, 8.0
TOY: dict[str, dict[str, Any]] = {
    "unet": {
        "block_out_channels": (32, 64, 64), "layers_per_block": 1, "transformer_layers_per_block": (1, 1, 2), "attention_head_dim": (2, 4, 4),
        "norm_num_groups": 8, "cross_attention_dim": 96, "addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 112,
        "sample_size": 8,
    },
    "text_encoder": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2},
    "text_encoder_2": {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "projection_dim": 64},
    "vae": {"block_out_channels": (8, 8, 8, 8), "norm_num_groups": 4, "layers_per_block": 1, "sample_size": 64},
}  # fmt: skip


class Words:
    """A tokenizer for texts whose words do not matter: every caption is as many tokens as can be read."""

    bos_token_id, eos_token_id, pad_token_id = 0, 1, 1

    def __call__(self, text: str, **options: Any) -> Any:
        return SimpleNamespace(input_ids=[2 + len(word) for word in text.split()])


def parts_of(toy: bool) -> dict[str, Part]:
    return {name: Part(kind, {**given, **(TOY[name] if toy else {})}) for name, (kind, given) in FAMILIES["sdxl"].usual.parts.items()}


def make_base(parts: dict[str, Part], device: str, dtype: torch.dtype) -> StableDiffusionXL:
    """A base with random weights, made on the device in the types that they are kept in."""
    torch.manual_seed(0)
    modules = {}
    for name, part in parts.items():
        torch.set_default_dtype(torch.float32 if name == "vae" else dtype)
        try:
            with torch.device(device):
                modules[name] = build(part)
        finally:
            torch.set_default_dtype(torch.float32)
    return StableDiffusionXL(
        modules,
        dict.fromkeys(StableDiffusionXL.record.tokenizers, Words()),
        Ddpm.from_config(config.SCHEDULER[1]),
        dict.fromkeys(parts, ""),
    )


@dataclass
class Plain:
    """diffusers' example: peft's LoRA under autocast."""

    base: StableDiffusionXL
    unet: nn.Module
    optimizer: torch.optim.Optimizer
    pixels: Tensor
    captions: list[str]
    cached: bool
    latents: Tensor
    texts: Any

    def step(self) -> None:
        device = self.pixels.device
        latents = self.latents if self.cached else self.base.encode_pixels(self.pixels)
        with torch.no_grad():
            texts = self.texts if self.cached else self.base.encode_texts(self.captions, SETTINGS.base.text_options)
        noise = torch.randn_like(latents)
        timesteps = torch.randint(0, 1000, (len(latents),), device=device)
        level = self.base.diffusion.alphas_cumprod.to(device)[timesteps].view(-1, 1, 1, 1)
        noisy = level.sqrt() * latents + (1 - level).sqrt() * noise
        side = self.pixels.shape[-1]
        sizes = time_ids([SizeConditioning.uncropped(side, side)] * len(latents)).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            told = {"text_embeds": texts.pooled, "time_ids": sizes}
            prediction = self.unet(noisy.bfloat16(), timesteps, texts.states, added_cond_kwargs=told).sample
        (prediction.float() - noise).square().mean().backward()
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


SETTINGS: Settings = settings_from({
    "base": {"path": "."}, "datasets": [{"path": "."}], "captions": {"trigger": "x"},
    "network": {"rank": RANK, "alpha": ALPHA, "train_text_encoder": False}, "training": {"epochs": 1, "mixed_precision": "bf16"},
})  # fmt: skip


def shared_copy(module: nn.Module) -> nn.Module:
    """A copy whose weights lie where the module's do."""
    return copy.deepcopy(module, {id(p): p for p in module.parameters()})


def peft_on(unet: nn.Module) -> list[nn.Parameter]:
    paths = [layers[0] for layers in keys.targets("sdxl", "unet", unet).values()]
    inject_adapter_in_model(LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=paths), unet)
    trained = [p for name, p in unet.named_parameters() if "lora_" in name]
    for parameter in trained:
        parameter.data = parameter.data.float()
    return trained


def measured_rate(device: str, dtype: torch.dtype, side: int) -> float:
    """FLOP/s of one large product, the median of twenty."""
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    taken = [timed(lambda: a @ b, device) for _ in range(25)][5:]
    return 2 * side**3 / statistics.median(taken)


def timed(work: Callable[[], Any], device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def flops_of_a_step(parts: dict[str, Part], side: int, batch: int) -> float:
    places = {name: PartPlace((), "", "diffusers", part, "", {}) for name, part in parts.items()}
    description = Description(Path("."), "folder", FAMILIES["sdxl"], "", "epsilon", False, places, config.SCHEDULER, {}, (), ())
    base = blank_base(description, torch.bfloat16)
    return rehearse_step(base, attach_blank(base, SETTINGS), SETTINGS, (side, side), batch).flops


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, help="of the pictures, in pixels; 1024, the toy 64")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--checkpointing", action="store_true", help="gradient checkpointing in all three")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--toy", action="store_true")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        print("no GPU here: torch sees none, so there is nothing to measure (--toy --device cpu runs the same code on a small U-Net)")
        sys.exit(0)
    device, dtype = arguments.device, torch.bfloat16
    side, batch = arguments.side or (64 if arguments.toy else 1024), arguments.batch
    parts = parts_of(arguments.toy)
    base = make_base(parts, device, dtype)
    pixels = torch.rand(batch, 3, side, side, device=device) * 2 - 1
    captions = ["a b c d e f g h"] * batch
    with torch.no_grad():
        latents, texts = base.encode_pixels(pixels), base.encode_texts(captions, SETTINGS.base.text_options)
    loops: dict[str, Callable[[], Any]] = {}
    for name, cached in (("encode", False), ("cached", True)):
        unet = shared_copy(base.unet)
        if arguments.checkpointing:
            unet.enable_gradient_checkpointing()
        optimizer = torch.optim.AdamW(peft_on(unet), lr=1e-4)
        loops[name] = Plain(base, unet, optimizer, pixels, captions, cached, latents, texts).step
    learner, _ = make_learner(SETTINGS, base)
    if arguments.checkpointing:
        base.checkpoint_gradients()
    prepared = PreparedBatch(
        latents.cpu().float(), tuple(captions), tuple(map(str, range(batch))), (SizeConditioning.uncropped(side, side),) * batch
    )
    numbers = iter(range(10**9))
    loops["ours"] = lambda: step(learner, [replace(prepared)], next(numbers))

    rate = measured_rate(device, dtype, 8192 if device == "cuda" else 512)
    flops = flops_of_a_step(parts, side, batch)
    times: dict[str, list[float]] = {name: [] for name in loops}
    peaks: dict[str, int] = dict.fromkeys(loops, 0)
    for number in range(arguments.rounds + 2):
        for name, one in loops.items():
            gc.collect()
            if device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            taken = timed(one, device)
            if number >= 2:
                times[name].append(taken)
                peaks[name] = max(peaks[name], torch.cuda.max_memory_allocated() if device == "cuda" else 0)
    shown = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    print(f"{shown}: {rate / 1e12:.3g} TFLOP/s in bf16; {flops / 1e12:.3g} TFLOP a step; {side} pixels, batch {batch}, rank {RANK}")
    print(f"{'':<8} {'images/s':>9} {'ms a step':>10} {'peak GB':>8} {'share of the rate':>18} {'speed against cached':>21}")
    for name, taken in times.items():
        middle = statistics.median(taken)
        ratio = statistics.median(a / b for a, b in zip(times["cached"], taken, strict=True))
        print(
            f"{name:<8} {batch / middle:>9.2f} {middle * 1000:>10.1f} {peaks[name] / 1e9:>8.2f} {flops / middle / rate:>18.1%} {ratio:>21.2f}"
        )


if __name__ == "__main__":
    main()
