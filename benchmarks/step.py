"""How long a whole training step takes beside a plain loop of diffusers and peft, on the same base, pictures, noise and threads.

    python benchmarks/step.py --base demo --threads 1 --rounds 16
    python benchmarks/step.py --base small --side 256 --batch 4
    python benchmarks/step.py --base sd1 --side 128 --batch 1 --rounds 4      # Stable Diffusion 1.5's size; needs 14 GB

Four trainings take turns in one process, one step each in every round:

    encode      a loop as diffusers' LoRA example describes it: every step reads its pictures from disk and sends them and their captions
                through the autoencoder and the text encoder; peft's LoRA, float32, AdamW, gradients clipped, min-SNR weights
    cached      the same loop with latents and texts made before
    fp32, bf16  ours: `lorasmith.training.run.train` as it stands, with its order, captions, events and log file, on latents and
                texts made before; bf16 is what `lorasmith new --recipe` writes

All start from the same LoRA, on the same layers, and are given the same pictures, noise and timesteps, so their losses must agree;
that is asserted. What is random (the small and the SD 1.5-sized base) has no say in how long a step takes.

Ours does more in a step than theirs: it draws noise and timesteps (theirs are handed out ready), and writes events. With one thread the
processor's time of the process is counted, which other work on the machine disturbs little; with more, the time that passes. A ratio is
the median over the rounds of the other's time over ours in the same round, with the quarters below and above it in brackets.

Then it says where our step's time goes: reading the data, and all that is neither the U-Net forward nor the way back.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import random
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import diffusers
import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.training_utils import compute_snr
from peft import LoraConfig, inject_adapter_in_model
from PIL import Image
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizerFast

from lorasmith.adapters.attach import attach
from lorasmith.adapters.files import names as keys
from lorasmith.datasets.training_set import open_training_set
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.weights import BASE
from lorasmith.demo.world import random_scene, tag_caption
from lorasmith.models.architectures.unet_base import UnetBase
from lorasmith.models.parts import build
from lorasmith.models.sd1 import config as sd1
from lorasmith.training import step
from lorasmith.training.commands import Commands
from lorasmith.training.data import TrainingData
from lorasmith.training.events import Event, PhaseStarted, StepDone
from lorasmith.training.objective import noise as noises
from lorasmith.training.objective.noise import draw_noise
from lorasmith.training.objective.timesteps import draw_timesteps
from lorasmith.training.run import train
from lorasmith.training.settings.tree import Settings, settings_from

RANK, ALPHA, SEED, RATE, GAMMA = 16, 8.0, 42, 1e-4, 5.0
PICTURES = 16
AGREE, AGREE_STEPS = 1e-4, 8  # how far losses in float32 may differ, as a share, in the first steps


# ---- bases


def small_base(folder: Path, side: int) -> None:
    """Stable Diffusion's structure with 18 million parameters in the U-Net, and an autoencoder of a quarter of the width."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=side // 8, block_out_channels=(128, 256), layers_per_block=1, cross_attention_dim=256, attention_head_dim=8,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(32, 64, 128, 128), layers_per_block=2, latent_channels=4, sample_size=side, scaling_factor=0.18215,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    )  # fmt: skip
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=661, hidden_size=256, intermediate_size=1024, num_hidden_layers=6, num_attention_heads=4, eos_token_id=660
        )
    )
    _save(folder, unet, vae, text)


def sd1_base(folder: Path, side: int) -> None:
    """Stable Diffusion 1.5 at its full size."""
    torch.manual_seed(0)
    parts = {name: build(part) for name, part in sd1.PARTS.items()}
    _save(folder, parts["unet"], parts["vae"], parts["text_encoder"])


def _save(folder: Path, unet: UNet2DConditionModel, vae: AutoencoderKL, text: CLIPTextModel) -> None:
    """A diffusers folder in half precision, with the demo's words."""
    pipeline = StableDiffusionPipeline(
        vae=vae.half(), text_encoder=text.half(), tokenizer=CLIPTokenizerFast.from_pretrained(BASE / "tokenizer"), unet=unet.half(),
        scheduler=DDIMScheduler.from_pretrained(BASE / "scheduler"), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(folder)


def base_folder(name: str, side: int, scratch: Path) -> Path:
    if name == "demo":
        return BASE
    folder = scratch / "base"
    {"small": small_base, "sd1": sd1_base}[name](folder, side)
    return folder


def draw_pictures(folder: Path, side: int) -> None:
    """Pictures of the demo world in the size that they train in, with captions."""
    folder.mkdir()
    for i in range(PICTURES):
        scene = random_scene(900 + i)
        draw_scene(scene).resize((side, side), Image.Resampling.LANCZOS).save(folder / f"{i:02d}.png")
        (folder / f"{i:02d}.txt").write_text(tag_caption(scene, random.Random(i)), encoding="utf-8")


# ---- the loop beside which ours is held


@dataclass(frozen=True)
class Given:
    """What a step is made of."""

    paths: list[Path]
    captions: list[str]
    noise: Tensor
    timesteps: Tensor


class PlainLoop:
    """A LoRA trained as diffusers' example does it; with `cached`, latents and texts are made before the first step."""

    def __init__(self, folder: Path, unet: UNet2DConditionModel, batches: Sequence[Given], cached: bool):
        self.vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32).requires_grad_(False)
        self.text = CLIPTextModel.from_pretrained(folder / "text_encoder", torch_dtype=torch.float32).requires_grad_(False)
        self.tokenizer = CLIPTokenizerFast.from_pretrained(folder / "tokenizer")
        self.scheduler = DDPMScheduler.from_pretrained(folder / "scheduler")
        self.unet, self.batches = unet, batches
        self.parameters = peft_lora(unet)
        self.optimizer = torch.optim.AdamW(self.parameters, lr=RATE, weight_decay=0.01)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: 1.0)
        self.done = 0
        self.latents: dict[Path, Tensor] = {}
        self.states: dict[str, Tensor] = {}
        if cached:
            for batch in batches:
                for path, caption in zip(batch.paths, batch.captions, strict=True):
                    if path not in self.latents:
                        self.latents[path], self.states[caption] = self.encode([path])[0], self.read([caption])[0]

    @torch.no_grad()
    def encode(self, paths: Sequence[Path]) -> Tensor:
        """Latents of pictures; the middle of the distribution, where the example draws from it, so that losses can be compared."""
        pixels = torch.stack([torch.from_numpy(np.array(Image.open(path).convert("RGB"))) for path in paths])
        pixels = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
        return self.vae.encode(pixels).latent_dist.mode() * self.vae.config.scaling_factor

    @torch.no_grad()
    def read(self, captions: Sequence[str]) -> Tensor:
        tokens = self.tokenizer(
            list(captions), max_length=self.tokenizer.model_max_length, padding="max_length", truncation=True, return_tensors="pt"
        )
        return self.text(tokens.input_ids)[0]

    def step(self) -> float:
        batch = self.batches[self.done]
        if self.latents:
            latents = torch.stack([self.latents[path] for path in batch.paths])
            states = torch.stack([self.states[caption] for caption in batch.captions])
        else:
            latents, states = self.encode(batch.paths), self.read(batch.captions)
        noisy = self.scheduler.add_noise(latents, batch.noise, batch.timesteps)
        prediction = self.unet(noisy, batch.timesteps, states, return_dict=False)[0]
        snr = compute_snr(self.scheduler, batch.timesteps)
        weights = snr.clamp(max=GAMMA) / snr
        per_sample = torch.nn.functional.mse_loss(prediction.float(), batch.noise, reduction="none").mean((1, 2, 3))
        loss = (per_sample * weights).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.done += 1
        return loss.item()


def peft_lora(unet: UNet2DConditionModel) -> list[torch.nn.Parameter]:
    """peft's LoRA on the layers that ours trains, with the numbers that ours starts with."""
    unet.requires_grad_(False)
    paths = {of_layer[0]: name for name, of_layer in keys.targets("sd1", "unet", unet).items()}
    ours = attach(unet, paths, rank=RANK, alpha=ALPHA, seed=SEED)
    ours.detach()
    inject_adapter_in_model(LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=list(paths)), unet)
    with torch.no_grad():
        for path, name in paths.items():
            down, up = ours.layers()[name].tensors().values()
            layer = unet.get_submodule(path)
            layer.lora_A["default"].weight.copy_(down)
            layer.lora_B["default"].weight.copy_(up)
    return [parameter for name, parameter in unet.named_parameters() if "lora_" in name]


# ---- ours, a step at a time


class Taking:
    """Seconds of this process by what they went for, step by step, where functions are watched."""

    def __init__(self, clock: Callable[[], float]):
        self.clock, self.steps = clock, list[dict[str, float]]()
        self._seconds = defaultdict[str, float](float)

    def end_step(self, whole: float) -> None:
        """The step took so many seconds in all; what was watched of it is a part."""
        around = whole - self._seconds["forward"] - self._seconds["backward"]
        self.steps.append({part: seconds / whole for part, seconds in {**self._seconds, "around": around}.items()})
        self._seconds.clear()

    @contextmanager
    def watch(self, owner: Any, name: str, what: str) -> Iterator[None]:
        whole = getattr(owner, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            began = self.clock()
            try:
                return whole(*arguments, **named)
            finally:
                self._seconds[what] += self.clock() - began

        setattr(owner, name, timed)
        try:
            yield
        finally:
            setattr(owner, name, whole)


class OurRun:
    """A run in a thread of its own that waits for its turn before each step."""

    def __init__(self, settings: Settings, folder: Path):
        self._turn, self._told = threading.Semaphore(0), queue.Queue[Any]()
        self._commands = Commands()
        self._thread = threading.Thread(target=self._work, args=(settings, folder), daemon=True)
        self._thread.start()
        self._wait()

    def _work(self, settings: Settings, folder: Path) -> None:
        try:
            train(settings, folder, [self._listen], self._commands)
        except BaseException as error:
            self._told.put(error)

    def _listen(self, event: Event) -> None:
        at_a_step = isinstance(event, StepDone) or (isinstance(event, PhaseStarted) and event.phase == "train")
        if at_a_step and not self._commands.stopping:
            self._told.put(event)
            self._turn.acquire()

    def _wait(self) -> Any:
        told = self._told.get()
        if isinstance(told, BaseException):
            raise told
        return told

    def step(self) -> float:
        """From the end of one step to the end of the next, with all that the run does between."""
        self._turn.release()
        return float(self._wait().loss)

    def end(self) -> None:
        self._commands.stop()
        self._turn.release()
        self._thread.join()


def our_settings(folder: Path, pictures: Path, scratch: Path, arguments: argparse.Namespace, precision: str) -> Settings:
    side = arguments.side
    return settings_from({
        "name": f"ours-{precision}",
        "base": {"path": str(folder)},
        "datasets": [{"path": str(pictures), "repeats": 1 + (arguments.rounds + 1) * arguments.batch // PICTURES}],
        "buckets": {"resolution": side, "min_bucket_reso": side, "max_bucket_reso": side, "bucket_reso_steps": min(64, side)},
        "captions": {"cached_variants": 1},
        "network": {"rank": RANK, "alpha": ALPHA, "train_text_encoder": False},
        "training": {"epochs": 2, "batch_size": arguments.batch, "mixed_precision": precision, "seed": SEED, "device": "cpu"},
        "optimizer": {"learning_rate": RATE},
        "schedule": {"lr_scheduler": "constant"},
        "loss": {"min_snr_gamma": GAMMA},
        "checkpoints": {"save_state_every_seconds": 1e9},
        "cache": str(scratch / "cache"),
    })  # fmt: skip


def given_batches(settings: Settings, count: int, latent_shape: tuple[int, int, int]) -> list[Given]:
    """What our run will train on in its first steps, from the same pure functions."""
    training_set = open_training_set(settings.datasets, settings.buckets)
    found = []
    for number, batch in enumerate(training_set.epoch(1, settings.training.batch_size, SEED)[:count]):
        pictures = [training_set.pictures[sample.picture].picture for sample in batch.samples]
        noise = draw_noise((len(pictures), *latent_shape), SEED, number, 0)
        timesteps = draw_timesteps(len(pictures), 1000, SEED, number, 0)
        found.append(Given([p.path for p in pictures], [(p.caption or "").strip() for p in pictures], noise, timesteps))
    assert len(found) == count, "an epoch is too short for so many rounds"
    return found


# ---- the table


def spread(ratios: Sequence[float]) -> str:
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.2f} ({low:.2f}-{high:.2f})"


def check_losses(losses: dict[str, list[float]]) -> float:
    """The largest difference of the float32 losses from those of `encode`, as a share, in the first steps; asserts that it is small."""
    worst = max(
        abs(mine - first) / first for name in ("cached", "fp32") if name in losses
        for mine, first in list(zip(losses[name], losses["encode"], strict=True))[:AGREE_STEPS]
    )  # fmt: skip
    assert worst < AGREE, f"the losses differ by {worst:.1e}: the loops do not train the same"
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", choices=("demo", "small", "sd1"), default="demo")
    parser.add_argument("--side", type=int, help="of the pictures, in pixels; demo 64, small 256, sd1 128 where left out")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", nargs="+", choices=("no", "bf16"), default=["no", "bf16"], help="of ours")
    parser.add_argument("--json", type=Path, help="file for all times and losses")
    arguments = parser.parse_args()
    arguments.side = arguments.side or {"demo": 64, "small": 256, "sd1": 128}[arguments.base]
    torch.set_num_threads(arguments.threads)
    diffusers.utils.logging.disable_progress_bar()
    clock = time.process_time if arguments.threads == 1 else time.perf_counter
    with tempfile.TemporaryDirectory() as temporary:
        compare(arguments, Path(temporary), clock)


def compare(arguments: argparse.Namespace, scratch: Path, clock: Callable[[], float]) -> None:
    folder = base_folder(arguments.base, arguments.side, scratch)
    draw_pictures(scratch / "pictures", arguments.side)
    names = {"no": "fp32", "bf16": "bf16"}
    settings = {names[p]: our_settings(folder, scratch / "pictures", scratch, arguments, p) for p in arguments.precision}
    vae = json.loads((folder / "vae" / "config.json").read_text())
    cells = arguments.side // 2 ** (len(vae["block_out_channels"]) - 1)
    batches = given_batches(next(iter(settings.values())), arguments.rounds + 1, (vae["latent_channels"], cells, cells))
    first = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
    second = UNet2DConditionModel.from_config(first.config)
    second.load_state_dict(first.state_dict(), assign=True)  # the frozen weights lie in memory once
    plain = {"encode": PlainLoop(folder, first, batches, False), "cached": PlainLoop(folder, second, batches, True)}
    ours = {name: OurRun(own, scratch / name) for name, own in settings.items()}
    size = sum(p.numel() for p in first.parameters() if not p.requires_grad)
    print(
        f"base {arguments.base}: U-Net of {size / 1e6:.0f} M parameters, {cells} x {cells} latents, batch {arguments.batch}, rank {RANK} on "
        f"{len(plain['encode'].parameters) // 2} layers, {arguments.threads} threads, "
        f"bf16 instructions: {'yes' if torch.cpu._is_avx512_bf16_supported() else 'no'}",
        flush=True,
    )
    loops: dict[str, Callable[[], float]] = {name: one.step for name, one in (*plain.items(), *ours.items())}
    times: dict[str, list[float]] = {name: [] for name in loops}
    losses: dict[str, list[float]] = {name: [] for name in loops}
    taking = {name: Taking(clock) for name in ours}
    for number in range(arguments.rounds + 1):
        for name, one in loops.items():
            began = clock()
            loss = watched(taking[name], one) if number and name in ours else one()
            losses[name].append(loss)
            if number:  # the first step of each warms up
                times[name].append(clock() - began)
                if name in ours:
                    taking[name].end_step(times[name][-1])
    for run in ours.values():
        run.end()
    worst = check_losses(losses)
    print(f"losses in float32 agree within {worst:.0e}, step by step over {min(AGREE_STEPS, arguments.rounds + 1)}")
    if "bf16" in losses:
        apart = statistics.fmean(losses["bf16"]) / statistics.fmean(losses["encode"]) - 1
        print(f"mean loss of {arguments.rounds + 1} steps in bf16: {apart:+.2%} of float32's")
    print(f"{'':<8} {'ms a step':>10}  {'encode / it':>18}  {'cached / it':>18}")
    for name in loops:
        ratios = [spread([a / b for a, b in zip(times[other], times[name], strict=True)]) for other in ("encode", "cached")]
        print(f"{name:<8} {statistics.median(times[name]) * 1000:>10.0f}  {ratios[0]:>18}  {ratios[1]:>18}")
    for name in ours:
        shares(name, taking[name])
    if arguments.json:
        arguments.json.write_text(json.dumps({"times": times, "losses": losses}))


def watched(taking: Taking, one: Callable[[], float]) -> float:
    """A step of ours with its parts watched."""
    with (
        taking.watch(UnetBase, "predict", "forward"),
        taking.watch(Tensor, "backward", "backward"),
        taking.watch(TrainingData, "prepare", "data"),
        taking.watch(TrainingData, "epoch", "data"),
        taking.watch(noises, "draw_noise", "noise"),
        taking.watch(step, "_update", "optimizer"),
        taking.watch(torch.nn.utils, "clip_grad_norm_", "clipping"),
    ):
        return one()


def shares(name: str, taking: Taking) -> None:
    """Prints where a step's time goes: medians over the steps."""
    parts = {part: statistics.median(step.get(part, 0.0) for step in taking.steps) for part in taking.steps[-1]}
    detail = ", ".join(f"{part} {share:.2%}" for part, share in parts.items() if part not in ("forward", "backward", "around"))
    print(f"{name}: forward {parts['forward']:.1%}, backward {parts['backward']:.1%}, all around them {parts['around']:.2%} ({detail})")


if __name__ == "__main__":
    main()
