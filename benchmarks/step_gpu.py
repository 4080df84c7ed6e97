"""How fast a base at full size trains on a GPU, with random weights: images a second, peak memory, share of the card's rate.

    python benchmarks/step_gpu.py                                        # SDXL, bf16, 1024 pixels
    python benchmarks/step_gpu.py --family flux --ours "" --ours training.gradient_checkpointing=true
    python benchmarks/step_gpu.py --family sd1 --toy --device cpu        # the same way through a small base, to see that it runs

Trainings of one rank on the same layers, one after the other in one process, each on its own base with frozen weights in bf16:

    encode      a loop as diffusers' LoRA example describes it: each step sends its pictures through the autoencoder (float32) and its
                captions through the text encoders; peft's LoRA in float32 under autocast; AdamW, gradients clipped
    cached      the same with latents and texts made before
    compiled    the same with the denoiser's repeated blocks compiled, as diffusers' guide advises
    ours        `lorasmith.training.step.step` with the settings of `lorasmith new`, or a row for each --ours with what that changes

The first step is told apart: it compiles and warms up. A peak is that of one training, what it needs of the base included. The card's
rate is that of a product of two 8192 x 8192 matrices in bf16, measured in the same run; a step's FLOPs are counted by the rehearsal of
`lorasmith.training.forecast`, the ones that gradient checkpointing repeats left out. What is random has no say in how long a step
takes. Without a GPU it says so and ends.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

from lorasmith.adapters.files import names as keys
from lorasmith.models.base import Base, SizeConditioning
from lorasmith.models.block_swap import swap_blocks, swapped_weights
from lorasmith.models.description import Description, PartPlace
from lorasmith.models.diffusion import Ddpm, Flow
from lorasmith.models.families import FAMILIES
from lorasmith.models.flux.base import image_ids, unpack
from lorasmith.models.flux.base import pack as tokens_of
from lorasmith.models.open import base_class, describe
from lorasmith.models.parts import Part, build
from lorasmith.models.quantize import packings_of, quantize_weight
from lorasmith.models.sdxl.base import time_ids
from lorasmith.training.forecast.rehearsal import attach_blank, blank_base, rehearse_step
from lorasmith.training.forecast.rehearsed import rehearsed_run
from lorasmith.training.learner.learner import make_learner
from lorasmith.training.objective.batch_loss import PreparedBatch
from lorasmith.training.settings.changes import with_changes
from lorasmith.training.settings.tree import Settings, settings_from
from lorasmith.training.step import ready, step

RANK, ALPHA = 16, 8.0
CAPTION = "a b c d e f g h"
PEERS = ("encode", "cached", "compiled")
SETTINGS: Settings = settings_from({
    "base": {"path": "."}, "datasets": [{"path": "."}], "captions": {"trigger": "x"},
    "network": {"rank": RANK, "alpha": ALPHA, "train_text_encoder": False}, "training": {"epochs": 1, "mixed_precision": "bf16"},
})  # fmt: skip


class Words:
    """A tokenizer for texts whose words do not matter: every caption is as many tokens as can be read."""

    bos_token_id, eos_token_id, pad_token_id = 0, 1, 1
    model_max_length = 512

    def __call__(self, text: str | Sequence[str], max_length: int = 0, **options: Any) -> Any:
        if isinstance(text, str):
            return SimpleNamespace(input_ids=[2 + len(word) for word in text.split()])
        ids = torch.full((len(text), max_length), 3)
        return SimpleNamespace(to=lambda device: SimpleNamespace(input_ids=ids.to(device), attention_mask=torch.ones_like(ids).to(device)))


# -- the base -----------------------------------------------------------------------------------------------------------


def description_of(family: str, toy: bool) -> Description:
    """What opening a base of the family at full size would find; with `toy` the tests' small one."""
    if toy:
        sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
        from tests.models.toys import toy_folder

        return describe(toy_folder(family))
    form = FAMILIES[family].usual
    places = {name: PartPlace((), "", "diffusers", part, "", {}) for name, part in form.parts.items()}
    prediction = FAMILIES[family].prediction.types[0]
    return Description(Path("."), "folder", FAMILIES[family], "", prediction, False, places, form.scheduler, {}, (), ())


def make_base(description: Description, device: str, settings: Settings = SETTINGS) -> Base:
    """The base with random weights, made on the device in the types that they are kept in."""
    torch.manual_seed(0)
    modules = {}
    for name, place in description.parts.items():
        modules[name] = random_part(place.config, device, torch.float32 if name == "vae" else torch.bfloat16)
        if settings.base.quantize != "none" and place.config.architecture.quantizable:
            pack(modules[name], settings.base.quantize)
    if settings.training.blocks_to_swap:
        denoiser = modules[description.record.denoiser]
        swap_blocks(denoiser, swapped_weights(denoiser, settings.training.blocks_to_swap), device)
    diffusion = Flow if description.prediction_type == "flow" else Ddpm.from_config
    words = dict.fromkeys(description.record.tokenizers, Words())
    made: Base = base_class(description.record)(modules, words, diffusion(description.scheduler[1]), dict.fromkeys(modules, ""))
    return made


def random_part(part: Part, device: str, dtype: torch.dtype) -> nn.Module:
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            return nn.Module.to(build(part), dtype)
    finally:
        torch.set_default_dtype(torch.float32)


def pack(part: nn.Module, quantize: Any) -> None:
    """Pack a part's weights where they are, as opening a base with base.quantize does."""
    for name, packing in packings_of(part, quantize).items():
        module = part.get_submodule(name.removesuffix(".weight"))
        module.weight = nn.Parameter(quantize_weight(module.weight.data, packing, torch.bfloat16), requires_grad=False)


# -- the others -----------------------------------------------------------------------------------------------------------


def call_unet(unet: nn.Module, noisy: Tensor, timesteps: Tensor, texts: Any, side: int) -> Tensor:
    if texts.pooled is None:
        return unet(noisy, timesteps, texts.states).sample
    sizes = time_ids([SizeConditioning.uncropped(side, side)] * len(noisy)).to(noisy.device)
    return unet(noisy, timesteps, texts.states, added_cond_kwargs={"text_embeds": texts.pooled, "time_ids": sizes}).sample


def call_transformer(transformer: nn.Module, noisy: Tensor, timesteps: Tensor, texts: Any, side: int) -> Tensor:
    height, width = noisy.shape[-2:]
    answer = transformer(
        hidden_states=tokens_of(noisy), timestep=timesteps / 1000, guidance=torch.ones(len(noisy), device=noisy.device),
        pooled_projections=texts.pooled, encoder_hidden_states=texts.states,
        txt_ids=torch.zeros(texts.states.shape[1], 3, device=noisy.device), img_ids=image_ids(height, width).to(noisy.device),
    )  # fmt: skip
    return unpack(answer.sample, height, width)


@dataclass
class Example:
    """diffusers' example: peft's LoRA under autocast."""

    base: Any
    pixels: Tensor
    cached: bool
    compiled: bool
    checkpointing: bool

    def __post_init__(self) -> None:
        self.denoiser = self.base.parts[self.base.denoiser]
        self.trained = peft_on(self.base.family, self.base.denoiser, self.denoiser)
        if self.checkpointing:
            self.denoiser.enable_gradient_checkpointing()
        if self.compiled:
            self.denoiser.compile_repeated_blocks()
        self.optimizer = torch.optim.AdamW(self.trained, lr=1e-4)
        self.latents, self.texts = self.encode() if self.cached else (None, None)

    @torch.no_grad()
    def encode(self) -> tuple[Tensor, Any]:
        texts = self.base.encode_texts([CAPTION] * len(self.pixels), SETTINGS.base.text_options)
        return self.base.encode_pixels(self.pixels), texts

    def step(self) -> None:
        latents, texts = (self.latents, self.texts) if self.cached else self.encode()
        noise = torch.randn_like(latents)
        if isinstance(self.base.diffusion, Flow):
            level = torch.rand(len(latents), device=latents.device)
            timesteps, sigma = level * 1000, level.view(-1, 1, 1, 1)
            noisy, target, call = (1 - sigma) * latents + sigma * noise, noise - latents, call_transformer
        else:
            timesteps = torch.randint(0, 1000, (len(latents),), device=latents.device)
            kept = self.base.diffusion.alphas_cumprod.to(latents.device)[timesteps].view(-1, 1, 1, 1)
            noisy, target, call = kept.sqrt() * latents + (1 - kept).sqrt() * noise, noise, call_unet
        with torch.autocast(latents.device.type, torch.bfloat16):
            prediction = call(self.denoiser, noisy.bfloat16(), timesteps, texts, self.pixels.shape[-1])
        (prediction.float() - target).square().mean().backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


def peft_on(family: str, part: str, denoiser: nn.Module) -> list[nn.Parameter]:
    """peft's LoRA on the layers that ours trains."""
    paths = [path for layers in keys.targets(family, part, denoiser).values() for path in layers]
    inject_adapter_in_model(LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=paths), denoiser)
    trained = [p for name, p in denoiser.named_parameters() if "lora_" in name]
    for parameter in trained:
        parameter.data = parameter.data.float()
    return trained


# -- ours -----------------------------------------------------------------------------------------------------------------


def our_step(base: Base, settings: Settings, pixels: Tensor) -> Callable[[], Any]:
    """A step as a run makes it: latents cached and texts in memory, the autoencoder freed, the text encoders where the settings say so."""
    with torch.no_grad():
        latents = base.encode_pixels(pixels).cpu().float()
    base.free_autoencoder()
    learner, _ = make_learner(settings, base)
    learner.ready_base()
    learner.texts([CAPTION])  # kept from now on
    if settings.captions.cached_variants:
        learner.texts.free_encoders()
    count, side = len(pixels), pixels.shape[-1]
    names = tuple(map(str, range(count)))
    batch = PreparedBatch(latents, (CAPTION,) * count, names, (SizeConditioning.uncropped(side, side),) * count)
    numbers, ahead = iter(range(10**9)), {0: batch}

    def one() -> None:
        number = next(numbers)
        step(learner, [ahead.pop(number)], number, meanwhile=lambda: ahead.update({number + 1: ready(learner, batch, number + 1)}))

    return one


# -- measuring --------------------------------------------------------------------------------------------------------------


@dataclass
class Row:
    """One training: seconds of the first step and of the others, the peak in bytes."""

    name: str
    first: float
    steps: list[float]
    peak: int
    held: int
    """Between steps."""

    @property
    def middle(self) -> float:
        return statistics.median(self.steps)


def measure(name: str, make: Callable[[], Callable[[], Any]], rounds: int, device: str, memory: float | None) -> Row:
    allow(device, None)
    reset(device)
    work = make()
    reset(device)
    allow(device, memory)
    first = timed(work, device)
    for _ in range(2):
        work()
    steps = [timed(work, device) for _ in range(rounds)]
    held, peak = (torch.cuda.memory_allocated(), torch.cuda.max_memory_allocated()) if device == "cuda" else (0, 0)
    return Row(name, first, steps, peak, held)


def reset(device: str) -> None:
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def allow(device: str, memory: float | None) -> None:
    """Let torch use `memory` GB of the card; None: all of it."""
    if device == "cuda":
        whole = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(1.0 if memory is None else min(1.0, memory * 1e9 / whole))


def timed(work: Callable[[], Any], device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def measured_rate(device: str, side: int) -> float:
    """FLOP/s of one large product in bf16, the median of twenty."""
    a, b = (torch.randn(side, side, device=device).bfloat16() for _ in range(2))
    taken = [timed(lambda: a @ b, device) for _ in range(25)][5:]
    return 2 * side**3 / statistics.median(taken)


def flops_of_a_step(description: Description, side: int, batch: int) -> float:
    base, run = blank_base(description, torch.bfloat16), rehearsed_run(SETTINGS, description, (side, side), batch, (side, side))
    return rehearse_step(base, attach_blank(base, run), run).flops


def profiled(work: Callable[[], Any]) -> str:
    """Where the time of two steps goes, as torch's profiler tells it."""
    from torch.profiler import ProfilerActivity, profile

    work()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as found:
        work()
        work()
    return found.key_averages().table(sort_by="self_cuda_time_total", row_limit=40, max_name_column_width=70)


def setting(text: str) -> tuple[str, Any]:
    """`section.name=value`, the value as JSON where it is."""
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=("sd1", "sdxl", "flux"), default="sdxl")
    parser.add_argument("--side", type=int, help="of the pictures, in pixels; the family's own, the toys' 64")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--checkpointing", action="store_true", help="gradient checkpointing in the peers")
    parser.add_argument("--peers", default=",".join(PEERS), help="which of encode, cached, compiled are measured; 'none' for none")
    parser.add_argument(
        "--ours", action="append", default=[], metavar="SETTINGS", help="settings of a row of ours, 'a.b=1 c.d=2', or '' for none"
    )
    parser.add_argument("--memory", type=float, help="GB that torch may take for the steps, as on a smaller card")
    parser.add_argument("--profile", type=Path, help="write where the time of our first row goes into this file")
    parser.add_argument("--json", type=Path, help="write the numbers into this file too")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--toy", action="store_true")
    arguments = parser.parse_args()
    device, batch = arguments.device, arguments.batch
    if device == "cuda" and not torch.cuda.is_available():
        print("no GPU here: torch sees none, so there is nothing to measure (--toy --device cpu runs the same code on a small base)")
        sys.exit(0)
    description = description_of(arguments.family, arguments.toy)
    side = arguments.side or (64 if arguments.toy else FAMILIES[arguments.family].usual.defaults.resolution)
    rate, flops = measured_rate(device, 8192 if device == "cuda" else 512), flops_of_a_step(description, side, batch)
    pixels = torch.rand(batch, 3, side, side, device=device) * 2 - 1

    makers: dict[str, Callable[[], Callable[[], Any]]] = {}
    for peer in PEERS if arguments.peers != "none" else ():
        if peer in arguments.peers.split(","):
            makers[peer] = lambda peer=peer: (
                Example(make_base(description, device), pixels, peer != "encode", peer == "compiled", arguments.checkpointing).step
            )
    for changes in arguments.ours or [""]:
        settings = with_changes(SETTINGS, dict(map(setting, changes.split())))
        makers[f"ours {changes}".strip()] = lambda settings=settings: our_step(make_base(description, device, settings), settings, pixels)

    shown = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    print(
        f"{shown}, torch {torch.__version__}, {arguments.family}: {rate / 1e12:.3g} TFLOP/s in bf16; {flops / 1e12:.3g} TFLOP a step; {side} pixels, batch {batch}"
    )
    print(f"{'':<60} {'images/s':>9} {'ms a step':>10} {'first, s':>9} {'peak GB':>8} {'of the rate':>12} {'against cached':>15}")
    rows: list[Row] = []
    for name, make in makers.items():
        try:
            row = measure(name, make, arguments.rounds, device, arguments.memory)
        except Exception as error:  # the other rows are still worth having
            print(f"{name:<60} {type(error).__name__}: {str(error)[:300]}", flush=True)
            continue
        rows.append(row)
        cached = next((one.middle / row.middle for one in rows if one.name == "cached"), float("nan"))
        print(
            f"{name:<60} {batch / row.middle:>9.2f} {row.middle * 1000:>10.1f} {row.first:>9.2f} {row.peak / 1e9:>8.2f}"
            f" {flops / row.middle / rate:>12.1%} {cached:>15.2f}",
            flush=True,
        )
    if arguments.json:
        found = {"card": shown, "torch": torch.__version__, "rate": rate, "flops": flops, "side": side, "batch": batch}
        arguments.json.write_text(json.dumps({**found, "family": arguments.family, "rows": [vars(row) for row in rows]}, indent=1))
    if arguments.profile:
        arguments.profile.write_text(profiled(next(make for name, make in makers.items() if name not in PEERS)()))


if __name__ == "__main__":
    main()
