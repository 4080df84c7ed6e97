"""Train the demo's autoencoder: 64 x 64 x 3 pixels to 16 x 16 x 4 latents and back.

    python -m lorasmith.demo.build.vae WORK OUT --steps 1700

Crops of the base's pictures, with one in sixteen replaced by an abstract pattern (dots, bars, checks, panes in any
colour): a real base's autoencoder has seen everything, so it can carry textures that the world itself does not have.
The held-out things are not among its pictures.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

from lorasmith.demo.build import loop
from lorasmith.training.optim.muon import Muon

CROP = 32


LATENT_CHANNELS = 4


def new_vae(channels: tuple[int, ...] = (32, 64, 96)) -> AutoencoderKL:
    vae = AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=LATENT_CHANNELS, sample_size=64,
        block_out_channels=channels, layers_per_block=1, norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * len(channels), up_block_types=("UpDecoderBlock2D",) * len(channels),
        scaling_factor=1.0,
    )  # fmt: skip
    with torch.no_grad():  # start with little noise in the latents, or the first minutes go into drowning it out
        vae.quant_conv.bias[LATENT_CHANNELS:] = -6.0
        vae.quant_conv.weight[LATENT_CHANNELS:] *= 0.1
        for name, weight in vae.named_parameters():  # each residual branch starts silent: the net starts almost linear
            if ".conv2." in name or ".to_out.0." in name:
                weight.zero_()
    return vae


def abstract_patterns(count: int, side: int, generator: torch.Generator) -> torch.Tensor:
    """(count, 3, side, side) in [-1, 1]: two colours mixed by a periodic or a cell pattern."""
    u = torch.rand(count, 12, generator=generator)
    yy, xx = torch.meshgrid(torch.arange(side) + 0.5, torch.arange(side) + 0.5, indexing="ij")
    angle, period = u[:, 0] * math.tau, 3 + 9 * u[:, 1]
    cos, sin = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    a = (xx * cos + yy * sin) / period[:, None, None] * math.tau + u[:, 2, None, None] * math.tau
    b = (-xx * sin + yy * cos) / period[:, None, None] * math.tau + u[:, 3, None, None] * math.tau
    bars, dots, checks = torch.sin(a), torch.cos(a) + torch.cos(b) - 0.8 * (2 * u[:, 4, None, None] - 1), torch.sin(a) * torch.sin(b)
    kind = torch.randint(3, (count,), generator=generator)[:, None, None]
    field = torch.where(kind == 0, bars, torch.where(kind == 1, dots, checks))
    mask = torch.sigmoid(field * 6)[:, None]
    colors = u[:, 5:11].reshape(count, 2, 3, 1, 1) * 2 - 1
    return colors[:, 0] * mask + colors[:, 1] * (1 - mask)


def crops(stock: np.ndarray, count: int, generator: torch.Generator) -> torch.Tensor:
    """(count, 3, CROP, CROP) in [-1, 1], every sixteenth an abstract pattern."""
    picks = torch.randint(len(stock), (count,), generator=generator).tolist()
    corners = torch.randint(64 - CROP + 1, (count, 2), generator=generator).tolist()
    pieces = np.stack([stock[i, y : y + CROP, x : x + CROP] for i, (y, x) in zip(picks, corners, strict=True)])
    batch = torch.from_numpy(pieces).permute(0, 3, 1, 2).float() / 127.5 - 1
    batch[::16] = abstract_patterns(len(batch[::16]), CROP, generator)
    return batch


@torch.no_grad()
def psnr(vae: AutoencoderKL, pictures: torch.Tensor) -> torch.Tensor:
    """Peak signal-to-noise ratio of each picture after encoding (mode) and decoding, in dB. Shape (n,)."""
    out = vae.decode(vae.encode(pictures).latent_dist.mode()).sample.clamp(-1, 1)
    return -10 * torch.log10(((out - pictures) / 2).square().mean((1, 2, 3)))


@torch.no_grad()
def set_scaling_factor(vae: AutoencoderKL, pictures: torch.Tensor) -> None:
    """1 / standard deviation of the latents, so that the U-Net sees unit variance."""
    vae.register_to_config(scaling_factor=float(1 / vae.encode(pictures).latent_dist.mode().std()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=1700)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=3e-3)
    args = parser.parse_args()
    torch.manual_seed(1)
    stock = np.load(args.work / "base.npy", mmap_mode="r")
    vae = new_vae().to(memory_format=torch.channels_last)
    print(f"{sum(p.numel() for p in vae.parameters()) / 1e6:.2f} M parameters", flush=True)
    optimizer = Muon(vae.parameters(), lr=args.lr)
    held_back = torch.from_numpy(np.array(stock[-64:])).permute(0, 3, 1, 2).float() / 127.5 - 1

    def step(number: int, generator: torch.Generator) -> dict[str, float]:
        batch = crops(stock[:-64], args.batch, generator).contiguous(memory_format=torch.channels_last)
        posterior = vae.encode(batch).latent_dist
        latents = posterior.mean + posterior.std * torch.randn(posterior.mean.shape, generator=generator)
        out = vae.decode(latents).sample
        mse, l1 = F.mse_loss(out, batch), F.l1_loss(out, batch)
        loss = mse + 0.1 * l1 + 1e-6 * posterior.kl().mean() / 64
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return {"mse": mse.item(), "l1": l1.item()}

    def on_save(done: int) -> None:
        vae.eval()
        print(f"PSNR at {done}: {psnr(vae, held_back).mean():.2f} dB", flush=True)
        set_scaling_factor(vae, held_back)
        vae.save_pretrained(args.out)
        vae.train()

    loop.run(args.work / "vae.state", {"vae": vae}, optimizer, args.steps, step, lr=args.lr, on_save=on_save)


if __name__ == "__main__":
    main()
