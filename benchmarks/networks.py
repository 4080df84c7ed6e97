"""What a training step with each network kind costs beside peft's LoRA and LyCORIS' kinds, on a U-Net built like SD 1.x's.

    python benchmarks/networks.py --threads 1 --repeats 8
    python benchmarks/networks.py --dtype bfloat16 --only lora loha

Ours and theirs take turns in one process, on copies of one frozen U-Net, over the same layers (linear layers and 1x1
convolutions of the transformer blocks; with `--convolutions` the residual blocks' too) and with the same ranks. A step is
forward, backward and AdamW. On the CPU with one thread the processor's time is measured, which other work on the machine
disturbs little; the ratios are of the fastest steps and of the medians.

LyCORIS' modules run as they come and, where they have it, in bypass mode; the faster of the two is what ours is held against.
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("LYCORIS_KERNEL_BACKEND", "torch")

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from lorasmith.adapters.attach import attach_network
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.kinds import KINDS
from lorasmith.adapters.kinds.layer_settings import LayerSettings

RANK = 16


def unet(dtype: torch.dtype) -> UNet2DConditionModel:
    """18 million parameters in SD 1.x's structure, with a real width of channels."""
    torch.manual_seed(0)
    model = UNet2DConditionModel(
        sample_size=32, block_out_channels=(128, 256), layers_per_block=1, cross_attention_dim=256, attention_head_dim=8,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    )  # fmt: skip
    return model.to(dtype).requires_grad_(False)


def ours(model: nn.Module, paths: dict[str, str], settings: LayerSettings) -> list[nn.Parameter]:
    return list(attach_network(model, paths, settings, seed=0).parameters())


def peft_lora(model: nn.Module, paths: dict[str, str], dora: bool = False) -> list[nn.Parameter]:
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=list(paths), use_dora=dora)
    inject_adapter_in_model(config, model)
    return [parameter for name, parameter in model.named_parameters() if "lora_" in name]


def lycoris(model: nn.Module, paths: dict[str, str], algo: str, bypass: bool, **options: object) -> list[nn.Parameter]:
    """LyCORIS' own modules on the same layers; its container is not used."""
    from lycoris import modules

    classes = {
        "lora": modules.LoConModule, "loha": modules.LohaModule, "lokr": modules.LokrModule, "glora": modules.GLoRAModule,
        "ia3": modules.IA3Module, "diag-oft": modules.DiagOFTModule, "boft": modules.ButterflyOFTModule, "full": modules.FullModule,
    }  # fmt: skip
    kept = nn.ModuleList()
    for path, name in paths.items():
        more = {key: value for key, value in options.items() if key != "size"}
        module = classes[algo](name, model.get_submodule(path), 1.0, options.get("size", RANK), RANK, bypass_mode=bypass, **more)
        module.apply_to()
        kept.append(module)
    model.lycoris = kept
    return list(kept.parameters())


Maker = Callable[[nn.Module, dict[str, str]], list[nn.Parameter]]


def contestants(kind: str) -> tuple[Maker, dict[str, Maker]]:
    """Our maker and theirs."""
    options: dict[str, dict[str, object]] = {"diag-oft": {"block_size": 32}, "boft": {"block_size": 8}, "lokr": {"factor": 8}}
    theirs_options: dict[str, dict[str, object]] = {"diag-oft": {"size": 32}, "boft": {"size": 8}, "lokr": {"factor": 8}}
    name, dora = kind.removesuffix("+dora"), kind.endswith("+dora")
    settings = KINDS[name].layer_settings(rank=RANK, alpha=RANK, dora=dora, **options.get(name, {}))
    theirs: dict[str, Maker] = {}
    if name == "lora":
        theirs["peft"] = lambda model, paths: peft_lora(model, paths, dora)
    if kind != "lora":
        more = dict(theirs_options.get(name, {}))
        if dora:
            more |= {"weight_decompose": True, "wd_on_out": False}
        theirs["lycoris"] = lambda model, paths: lycoris(model, paths, name, False, **more)
        if name in ("loha", "lokr", "glora", "ia3") and not dora:
            theirs["lycoris bypass"] = lambda model, paths: lycoris(model, paths, name, True, **more)
    return lambda model, paths: ours(model, paths, settings), theirs


def step_of(
    base: UNet2DConditionModel, make: Maker, paths: dict[str, str], batch: tuple[Tensor, ...], clock: Callable[[], float]
) -> Callable[[], float]:
    model = copy.deepcopy(base)
    optimizer = torch.optim.AdamW(make(model, paths), lr=1e-5)
    latents, timesteps, states, goal = batch

    def step() -> float:
        began = clock()
        loss = (model(latents, timesteps, states).sample.float() - goal).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return clock() - began

    return step


CONTESTS = ("lora", "lora+dora", "loha", "loha+dora", "lokr", "lokr+dora", "glora", "ia3", "diag-oft", "boft", "full")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="of the base; the networks stay in fp32")
    parser.add_argument("--convolutions", action="store_true", help="the residual blocks' layers too")
    parser.add_argument("--only", nargs="+", choices=CONTESTS, default=CONTESTS)
    parser.add_argument("--side", type=int, default=16, help="of the latents")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    def clock() -> float:
        if arguments.device == "cpu":
            return time.process_time() if arguments.threads == 1 else time.perf_counter()
        torch.cuda.synchronize()
        return time.perf_counter()

    dtype = getattr(torch, arguments.dtype)
    base = unet(dtype).to(arguments.device)
    chosen = keys.targets("sd1", "unet", base, "convolutions" if arguments.convolutions else "default")
    paths = {own[0]: name for name, own in chosen.items()}
    batch = tuple(
        tensor.to(arguments.device)
        for tensor in (
            torch.randn(2, 4, arguments.side, arguments.side).to(dtype),
            torch.tensor([100, 700]),
            torch.randn(2, 77, 256).to(dtype),
            torch.randn(2, 4, arguments.side, arguments.side),
        )
    )
    print(f"{len(paths)} layers, {sum(p.numel() for p in base.parameters()) / 1e6:.0f} M parameters, {arguments.dtype}")
    print(f"{'kind':<10} {'ours ms':>8}   ratio to the fastest of the others (best steps / medians)")
    for kind in arguments.only:
        make, theirs = contestants(kind)
        steps = {"ours": step_of(base, make, paths, batch, clock)}
        failed = {}
        for name, other in theirs.items():
            try:
                steps[name] = step_of(base, other, paths, batch, clock)
                steps[name]()
            except (RuntimeError, TypeError, ValueError) as error:
                failed[name] = f"{type(error).__name__}: {error}".splitlines()[0][:80]
                steps.pop(name, None)
        times: dict[str, list[float]] = {name: [] for name in steps}
        for repeat in range(arguments.repeats + 1):
            for name, step in steps.items():
                took = step()
                if repeat:
                    times[name].append(took)
        best = {name: min(values) for name, values in times.items()}
        median = {name: statistics.median(values) for name, values in times.items()}
        words = [f"{name} {best['ours'] / best[name]:.2f} / {median['ours'] / median[name]:.2f}" for name in steps if name != "ours"]
        words += [f"{name} fails ({why})" for name, why in failed.items()]
        print(f"{kind:<10} {best['ours'] * 1000:>8.0f}   {'   '.join(words)}", flush=True)


if __name__ == "__main__":
    main()
