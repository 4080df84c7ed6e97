"""Train the demo's U-Net on the world's latents and captions, and write the whole base as a diffusers folder.

    python -m lorasmith.demo.build.unet WORK OUT --steps 6000 --processes 2

Epsilon prediction on Stable Diffusion 1.x's noise schedule, min-SNR weights (gamma 5), one caption in ten empty (for
guidance), one picture in eight abstract, an exponential moving average of the weights as the result. The text encoder and the autoencoder in OUT are
frozen. Processes share a batch and average their gradients.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from lorasmith.demo.build import abstract, loop
from lorasmith.demo.build.text_encoder import tokenize, training_caption
from lorasmith.demo.world import random_scene
from lorasmith.training.optim.muon import Muon

EMA = 0.998
ABSTRACT = 0.125  # share of abstract pictures


def new_unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=16, in_channels=4, out_channels=4, block_out_channels=(64, 128, 192), layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",) * 3, up_block_types=("CrossAttnUpBlock2D",) * 3,
        cross_attention_dim=128, attention_head_dim=4, norm_num_groups=16,
    )  # fmt: skip


def new_scheduler() -> DDIMScheduler:
    """The schedule of Stable Diffusion 1.x."""
    return DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000,
                         clip_sample=False, set_alpha_to_one=False, steps_offset=1, timestep_spacing="leading")  # fmt: skip


def encode_stock(vae_folder: Path, stock_file: Path, count: int, path: Path, processes: int) -> None:
    """Latents (mode, scaled) of the first `count` pictures, float16 (count, 4, 16, 16), into `path`."""
    if path.exists():
        return
    firsts = range(0, count, 64)
    with torch.multiprocessing.get_context("spawn").Pool(processes, _open_for_encoding, (vae_folder, stock_file)) as pool:
        parts = pool.map(_encode, [(first, min(count, first + 64)) for first in firsts], chunksize=4)
    aside = path.with_suffix(".part.npy")
    np.save(aside, np.concatenate(parts))
    aside.rename(path)


_opened: dict[str, Any] = {}


def _open_for_encoding(vae_folder: Path, stock_file: Path) -> None:
    torch.set_num_threads(1)
    _opened.update(vae=AutoencoderKL.from_pretrained(vae_folder).eval(), stock=np.load(stock_file, mmap_mode="r"))


@torch.inference_mode()
def _encode(span: tuple[int, int]) -> np.ndarray:
    pictures = torch.from_numpy(np.array(_opened["stock"][slice(*span)])).permute(0, 3, 1, 2).float() / 127.5 - 1
    vae = _opened["vae"]
    return (vae.encode(pictures).latent_dist.mode() * vae.config.scaling_factor).half().numpy()


def save_base(out: Path, unet: UNet2DConditionModel) -> None:
    """Write OUT as a folder that StableDiffusionPipeline.from_pretrained opens, weights in float16."""
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(out / "vae"),
        text_encoder=CLIPTextModel.from_pretrained(out / "text_encoder"),
        tokenizer=CLIPTokenizer.from_pretrained(out / "tokenizer"),
        unet=unet, scheduler=new_scheduler(), safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    folder = out.parent / (out.name + "-fp16")
    pipeline.to(torch.float16).save_pretrained(folder)
    for file in folder.glob("*/config.json"):  # where the parts were on this machine is nobody's business
        config = json.loads(file.read_text(encoding="utf-8"))
        config.pop("_name_or_path", None)
        file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def train(rank: int, args: argparse.Namespace) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(args.port))
    torch.set_num_threads(1)
    torch.manual_seed(4)
    if args.processes > 1:
        dist.init_process_group("gloo", rank=rank, world_size=args.processes)
    latents = np.load(args.work / "base-latents.npy", mmap_mode="r")
    abstract_latents = np.load(args.work / "abstract-latents.npy", mmap_mode="r")
    tokenizer = CLIPTokenizer.from_pretrained(args.out / "tokenizer")
    encoder = CLIPTextModel.from_pretrained(args.out / "text_encoder").float().eval()
    unet, ema = new_unet(), new_unet()
    if args.start_from:
        unet.load_state_dict(UNet2DConditionModel.from_pretrained(args.start_from, torch_dtype=torch.float32).state_dict())
    ema.load_state_dict(unet.state_dict())
    alphas = new_scheduler().alphas_cumprod
    snr = alphas / (1 - alphas)
    weights = snr.clamp(max=5) / snr
    optimizer = Muon(unet.parameters(), lr=args.lr)
    share = args.batch // args.processes
    if rank == 0:
        print(f"{sum(p.numel() for p in unet.parameters()) / 1e6:.2f} M parameters", flush=True)

    def step(number: int, generator: torch.Generator) -> dict[str, float]:
        picks = torch.randint(len(latents), (args.batch,), generator=generator)
        timesteps = torch.randint(1000, (args.batch,), generator=generator)
        noise = torch.randn((args.batch, 4, 16, 16), generator=generator)
        rng = random.Random(f"unet-{number}")
        odd = [rng.random() < ABSTRACT for _ in range(args.batch)]
        captions = [
            "" if rng.random() < 0.1 else abstract.CAPTION if odd[k] else training_caption(random_scene(i), rng)[0]
            for k, i in enumerate(picks.tolist())
        ]
        mine = slice(rank * share, (rank + 1) * share)
        chosen = list(zip(picks.tolist(), odd, strict=True))[mine]
        clean = torch.from_numpy(np.stack([abstract_latents[i % len(abstract_latents)] if a else latents[i] for i, a in chosen])).float()
        a = alphas[timesteps[mine]][:, None, None, None]
        noisy = a.sqrt() * clean + (1 - a).sqrt() * noise[mine]
        with torch.no_grad():
            states = encoder(tokenize(tokenizer, captions[mine])).last_hidden_state
        prediction = unet(noisy, timesteps[mine], states).sample
        per_sample = (prediction - noise[mine]).square().mean((1, 2, 3))
        loss = (per_sample * weights[timesteps[mine]]).mean()
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        if args.processes > 1:
            _average_gradients(unet, args.processes)
        optimizer.step()
        decay = min(EMA, (number + 1) / (number + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(ema.parameters()), list(unet.parameters()), 1 - decay)
        return {"loss": loss.item(), "plain": per_sample.mean().item()}

    loop.run(
        args.work / "unet.state", {"unet": unet, "ema": ema}, optimizer, args.steps, step, lr=args.lr, warmup=50,
        log_every=50, save_every=args.save_every, leader=rank == 0, on_save=lambda _: save_base(args.out, _copy(ema)),
    )  # fmt: skip


def _average_gradients(unet: UNet2DConditionModel, processes: int) -> None:
    """Let every process have the mean of all gradients."""
    gradients = [p.grad for p in unet.parameters() if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= processes
    at = 0
    for gradient in gradients:
        gradient.copy_(flat[at : at + gradient.numel()].view_as(gradient))
        at += gradient.numel()


def _copy(ema: UNet2DConditionModel) -> UNet2DConditionModel:
    unet = new_unet()
    unet.load_state_dict(ema.state_dict())
    return unet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--pictures", type=int, default=20_000, help="how many of the stock's pictures are used")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--save-every", type=int, default=250)
    parser.add_argument("--start-from", type=Path, help="a folder with a U-Net to go on from, in place of random weights")
    parser.add_argument("--port", type=int, default=29561)
    args = parser.parse_args()
    started = time.monotonic()
    encode_stock(args.out / "vae", args.work / "base.npy", args.pictures, args.work / "base-latents.npy", args.processes)
    abstract_stock = args.work / "abstract.npy"
    count = len(np.load(abstract_stock, mmap_mode="r"))
    encode_stock(args.out / "vae", abstract_stock, count, args.work / "abstract-latents.npy", args.processes)
    print(f"latents ready after {time.monotonic() - started:.0f} s", flush=True)
    if args.processes > 1:
        torch.multiprocessing.spawn(train, args=(args,), nprocs=args.processes)
    else:
        train(0, args)


if __name__ == "__main__":
    main()
