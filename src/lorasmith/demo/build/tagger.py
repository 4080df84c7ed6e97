"""Train the demo's tagger, the measure of truth, and write it in the form of the WD v3 taggers.

    python -m lorasmith.demo.build.tagger WORK OUT --steps 4000

Input `input`: float32 (n, 64, 64, 3), BGR, 0-255. Output `output`: float32 (n, tags), probabilities. `selected_tags.csv`
has `tag_id,name,category,count`; characters are category 4, the rest 0. It knows the held-out things too, and it is
trained on noisy, blurred and re-coloured pictures as well, so that it judges generated pictures fairly.
"""

from __future__ import annotations

import argparse
import csv
import itertools
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from lorasmith.demo.build import loop
from lorasmith.demo.build.stock import any_scene
from lorasmith.demo.truth import TAGS, attribute_accuracy, tag_row
from lorasmith.demo.world import CHARACTERS


class Tagger(nn.Module):
    """A small residual convolutional net over 64 x 64 pixels; its forward takes what a WD tagger takes."""

    def __init__(self) -> None:
        super().__init__()
        widths = (24, 48, 96, 160)
        layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 5, 2, 2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()]
        for before, after in itertools.pairwise(widths):
            layers += [_Residual(before), nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.body = nn.Sequential(*layers, _Residual(widths[-1]))
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(widths[-1] * 16, 256), nn.ReLU(), nn.Dropout(0.1), nn.Linear(256, len(TAGS)))

    def logits(self, pictures: torch.Tensor) -> torch.Tensor:
        """RGB (n, 3, 64, 64) in [-1, 1] to (n, tags)."""
        return self.head(self.body(pictures))

    def forward(self, bgr: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.logits(bgr.permute(0, 3, 1, 2).flip(1) / 127.5 - 1))


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
                                  nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.body(x))


def worsen(pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Half of the pictures as a small diffusion model would make them worse: noise, blur, shifts of light and place."""
    n = len(pictures)
    u = torch.rand(n, 8, generator=generator)[..., None, None]
    out = pictures.roll((int(u[0, 0] * 7) - 3, int(u[0, 1] * 7) - 3), (2, 3))
    small = F.interpolate(F.interpolate(out, scale_factor=0.5, mode="area"), scale_factor=2.0, mode="bilinear")
    blurred = torch.where(u[:, None, 2] < 0.3, out + (small - out) * u[:, None, 3], out)
    noise = torch.randn(pictures.shape, generator=generator) * (u[:, None, 4] * 0.25)
    light = (u[:, None, 5] - 0.5) * 0.15 + blurred * (1 + (u[:, None, 6] - 0.5) * 0.3)
    return torch.where(u[:, None, 7] < 0.5, (light + noise).clamp(-1, 1), pictures)


def export(tagger: Tagger, out: Path) -> None:
    """Write `model.onnx` and `selected_tags.csv`."""
    out.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        tagger.eval(), (torch.zeros(2, 64, 64, 3),), str(out / "model.onnx"), input_names=["input"], output_names=["output"],
        dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}}, dynamo=False, opset_version=17,
    )  # fmt: skip
    with (out / "selected_tags.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["tag_id", "name", "category", "count"])
        for i, tag in enumerate(TAGS):
            writer.writerow([i, tag.replace(" ", "_"), 4 if tag in CHARACTERS else 0, 1000])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=2e-3)
    args = parser.parse_args()
    torch.manual_seed(3)
    stock = np.load(args.work / "all.npy", mmap_mode="r")
    scenes = [any_scene(i) for i in range(len(stock))]
    labels = torch.from_numpy(np.stack([tag_row(s) for s in scenes]))
    held_back = 1000
    tagger = Tagger()
    print(f"{sum(p.numel() for p in tagger.parameters()) / 1e6:.2f} M parameters, {len(TAGS)} tags", flush=True)
    optimizer = torch.optim.AdamW(tagger.parameters(), lr=args.lr, weight_decay=0.02)

    def step(number: int, generator: torch.Generator) -> dict[str, float]:
        picks = torch.randint(len(stock) - held_back, (args.batch,), generator=generator)
        batch = torch.from_numpy(stock[picks.numpy()]).permute(0, 3, 1, 2).float() / 127.5 - 1
        logits = tagger.logits(worsen(batch, generator))
        loss = F.binary_cross_entropy_with_logits(logits, labels[picks]) * len(TAGS) / 8
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return {"loss": loss.item()}

    def on_save(done: int) -> None:
        tagger.eval()
        rows = []
        with torch.no_grad():
            for first in range(len(stock) - held_back, len(stock), 100):
                rgb = torch.from_numpy(np.array(stock[first : first + 100])).float()
                rows.append(tagger(rgb.flip(3)).numpy())
        accuracy = attribute_accuracy(np.concatenate(rows), scenes[-held_back:])
        print(f"accuracy at {done}: " + "  ".join(f"{name} {share:.3f}" for name, share in accuracy.items()), flush=True)
        export(tagger, args.out)
        tagger.train()

    loop.run(args.work / "tagger.state", {"tagger": tagger}, optimizer, args.steps, step, lr=args.lr, save_every=400, on_save=on_save)


if __name__ == "__main__":
    main()
