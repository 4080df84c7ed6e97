"""What a run will take, told before it: the bytes of its files, the memory of its phases, the work and the time of a step.

Nothing is looked up in tables of other people's cards. The run's own modules are built on torch's meta device, where a tensor has a
shape and a type but no numbers, the run's own network is attached to them, and one step is rehearsed: forward and backward of the
largest batch go through the very code that will train, while every operation is noted.

    memory      a tensor is counted from the operation that makes it to the moment its last holder lets go; the highest sum is what a
                step needs beside the weights. Gradient checkpointing, batch size, precision and the network's kind all act on it as
                they will in the run, since they are the same code.
    work        floating-point operations of every matrix product and convolution, by torch's own formulas
                (torch.utils.flop_counter); attention counts 4 n m d forward and 10 n m d backward, as the fused kernels compute it (Dao
                2023, https://arxiv.org/abs/2307.08691, section 3.2). A frozen layer gives a gradient to its input alone.
    traffic     bytes that operations read and write, views aside.

Of time there are three kinds: multiplying, moving numbers, and starting operations. Each is timed on this machine for a moment
(`measure_machine`): multiplying by the heaviest products of the rehearsal itself, with real numbers, because small and odd shapes run
at a fraction of what large ones reach. A step takes

    seconds = UNSEEN * (FLOPs / rate + bytes / bandwidth + operations * seconds of one)

where UNSEEN stands for what none of the three sees: fetching memory, and numbers that are no longer at hand. It is no promise;
docs/guide/performance.md says how far it was off. Sizes of files are exact but for the digits in their metadata.
"""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from lorasmith.adapters.attach import AttachedAdapter, attach_network
from lorasmith.adapters.selection import select_network
from lorasmith.models.base import Base
from lorasmith.models.description import Description
from lorasmith.models.diffusion import Ddpm, Flow
from lorasmith.models.files.weights import empty_module
from lorasmith.models.open import base_class
from lorasmith.models.parts import Part
from lorasmith.models.quantize import BLOCK, packings_of
from lorasmith.models.settings import Quantize
from lorasmith.models.texts import EncodedTexts
from lorasmith.training.optim.optimizers import optimizer_of
from lorasmith.training.settings.tree import Settings

# ---- a base without weights


def blank_base(description: Description, dtype: torch.dtype) -> Base:
    """The base with its modules on the meta device, its denoiser and text encoders in `dtype`; it computes shapes alone."""
    with torch.device("meta"):
        modules = {name: empty_module(place.config) for name, place in description.parts.items()}
    for name, module in modules.items():
        nn.Module.to(module.requires_grad_(False).eval(), torch.float32 if name == "vae" else dtype)
    diffusion = Flow if description.prediction_type == "flow" else Ddpm.from_config
    words = {"tokenizer": _NoWords(), "tokenizer_2": _NoWords()}
    unread = dict.fromkeys(modules, "0" * 64)  # as long as the hashes that stand in their place
    base: Base = base_class(description.record)(modules, words, diffusion(description.scheduler[1]), unread)
    return base


class _NoWords:
    """A tokenizer for which every caption is empty: its states have the same shape as any other's."""

    bos_token_id = eos_token_id = pad_token_id = 0
    model_max_length = 512

    def __call__(self, texts: str | list[str], max_length: int = 0, **options: Any) -> Any:
        ids = torch.zeros(len(texts), max_length, dtype=torch.int64)
        found = SimpleNamespace(input_ids=[] if isinstance(texts, str) else ids, attention_mask=torch.ones_like(ids))
        found.to = lambda device: SimpleNamespace(input_ids=ids.to(device), attention_mask=torch.ones_like(ids, device=device))
        return found


def attach_blank(base: Base, settings: Settings) -> dict[str, AttachedAdapter]:
    """The run's networks on a blank base, by part, in the shapes that they will have."""
    parts = {part: module for part, module in base.parts.items() if settings.lr_of(part, base.family) > 0}
    with torch.device("meta"):
        adapters = {
            part: attach_network(parts[part], chosen.targets, chosen.settings, settings.training.seed)
            for part, chosen in select_network(base.family, parts, settings.network).items()
        }
    for adapter in adapters.values():
        for layer in adapter.layers().values():
            for name, _ in list(layer.named_buffers()):  # a mark that is read while computing: (IA)^3's, of which side it scales
                layer.register_buffer(name, torch.tensor(layer.settings.on_input))
    return adapters


# ---- sizes of files


def safetensors_bytes(shapes: Mapping[str, tuple[int, ...]], dtype: str, bytes_each: int, metadata: Mapping[str, str]) -> int:
    """Bytes of a LoRA file with these tensors and this metadata, as `adapters.file` writes it: length, header filled up to 8, numbers."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for key in sorted(shapes):
        begin, end = end, end + bytes_each * _product(shapes[key])
        header[key] = {"dtype": dtype, "shape": list(shapes[key]), "data_offsets": [begin, end]}
    text = len(json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode())
    return 8 + text + -text % 8 + end


def _product(shape: tuple[int, ...]) -> int:
    product = 1
    for side in shape:
        product *= side
    return product


def optimizer_bytes(numbers: int, optimizer: str) -> int:
    """What an optimizer keeps for so many trained numbers."""
    return int(numbers * optimizer_of(optimizer).state_bytes_per_parameter)


def update_of(numbers: int, optimizer: str, tensors: int) -> Work:
    """The optimizer's part of a step: it reads weights, gradients and states and writes weights and states; so many tensors in turn."""
    return Work(0.0, 12.0 * numbers + 2.0 * optimizer_bytes(numbers, optimizer), tensors, 0)


# ---- weights in memory


def weight_bytes(module: nn.Module, part: Part, quantize: Quantize) -> int:
    """Bytes of a part's weights and buffers, packed where the base is quantised; see `models.quantize`."""
    packed = packings_of(module, quantize) if quantize != "none" and part.architecture.quantizable else {}
    total = 0
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        match packed.get(name):
            case "int8":
                total += tensor.numel() + 4 * tensor.shape[0]
            case "nf4":
                total += tensor.numel() // 2 + 2 * (tensor.numel() // BLOCK)
            case _:
                total += tensor.nbytes
    return total


# ---- the rehearsal


@dataclass(frozen=True)
class Work:
    """What some operations do and need. Memory is beside that of weights; `kept` is what stood between forward and backward."""

    flops: float
    traffic: float
    """Bytes read and written."""
    operations: int
    peak: int
    """Bytes of all live tensors at the worst moment."""
    kept: int = 0
    attention_flops: float = 0.0
    """Those among `flops` that grow with the square of the picture's area."""
    products: Mapping[Product, float] = field(default_factory=dict)
    """Each product with its FLOPs in all."""

    def scaled(self, area: float, batch: float = 1.0) -> Work:
        """The same for pictures of so many times the area, so many times as many of them; attention over a picture grows with its square.

        The count of operations stays as it is.
        """
        linear, attention = (self.flops - self.attention_flops) * area * batch, self.attention_flops * area * area * batch
        size = area * batch
        return Work(linear + attention, self.traffic * size, self.operations, int(self.peak * size), int(self.kept * size), attention)

    def __add__(self, other: Work) -> Work:
        """One after the other."""
        return Work(
            self.flops + other.flops, self.traffic + other.traffic, self.operations + other.operations, max(self.peak, other.peak),
            max(self.kept, other.kept), self.attention_flops + other.attention_flops,
            {product: self.products.get(product, 0.0) + other.products.get(product, 0.0) for product in {**self.products, **other.products}},
        )  # fmt: skip


@dataclass(frozen=True)
class Product:
    """A matrix product or convolution: the operation, and its arguments with (shape, type) in the place of each tensor."""

    operation: Any
    arguments: tuple[Any, ...]
    flops: float

    def with_numbers(self, device: str) -> Callable[[], Any]:
        """The operation on tensors of these shapes, ready to be run."""
        arguments = [
            torch.rand(told.shape, device=device).to(told.dtype)
            if isinstance(told, _Told)
            else list(told)
            if isinstance(told, tuple)
            else told
            for told in self.arguments
        ]
        return lambda: self.operation(*arguments)


@dataclass(frozen=True)
class _Told:
    shape: tuple[int, ...]
    dtype: torch.dtype


def _told(argument: Any) -> Any:
    if isinstance(argument, Tensor):
        return _Told(tuple(argument.shape), argument.dtype)
    return tuple(argument) if isinstance(argument, list) else argument


class Watch(TorchDispatchMode):
    """Notes every operation within the block; meant for meta tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.products: dict[Product, float] = {}
        self.flops, self.attention_flops, self.traffic, self.operations = 0.0, 0.0, 0.0, 0
        self.live = self.peak = 0
        self._storages: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        made = [t for t in (out if isinstance(out, list | tuple) else (out,)) if isinstance(t, Tensor)]
        if func.is_view:
            return out
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        if count := flop_registry.get(func.overloadpacket):
            flops = count(*args, **kwargs, out_val=out)
            self.flops += flops
            product = Product(func, tuple(_told(argument) for argument in args), flops)
            self.products[product] = self.products.get(product, 0.0) + flops
        self.operations += 1
        self.traffic += sum(t.nbytes for t in given) + sum(t.nbytes for t in made)
        for tensor in made:
            self.hold(tensor)
        return out

    def hold(self, tensor: Tensor) -> None:
        """Count a tensor's memory until it goes."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self._storages:
            self._storages[key] = storage.nbytes()
            self.live += storage.nbytes()
            self.peak = max(self.peak, self.live)
            weakref.finalize(storage, self._gone, key)

    def _gone(self, key: int) -> None:
        self.live -= self._storages.pop(key, 0)

    def work(self, kept: int = 0) -> Work:
        return Work(self.flops, self.traffic, self.operations, self.peak, kept, self.attention_flops, self.products)

    @contextmanager
    def as_on_a_device(self) -> Iterator[None]:
        """Within the block code on the meta device finds what a real one has.

        Attention is counted as the fused kernels do it, where the meta device would take the slow way; and autocast can be asked for
        and switched off.
        """

        def attention(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Tensor:
            found: Tensor = _Attention.apply(query, key, value, self)
            return found

        with ExitStack() as stack:
            stack.enter_context(_in_place_of(nn.functional, "scaled_dot_product_attention", attention))
            stack.enter_context(_in_place_of(torch, "is_autocast_enabled", lambda *_: False))
            stack.enter_context(_in_place_of(torch, "autocast", lambda *_, **__: nullcontext()))
            yield

    def attended(self, query: Tensor, key: Tensor, value: Tensor, products: int) -> None:
        flops = products * query.shape[:-1].numel() * key.shape[-2] * (query.shape[-1] + value.shape[-1])
        self.flops += flops
        if query.shape[-2] == key.shape[-2]:
            self.attention_flops += flops


@contextmanager
def _in_place_of(owner: Any, name: str, other: Any) -> Iterator[None]:
    """Within the block `other` stands where `owner` has `name`."""
    whole = getattr(owner, name)
    setattr(owner, name, other)
    try:
        yield
    finally:
        setattr(owner, name, whole)


class _Attention(torch.autograd.Function):
    """Shapes, memory and work of a fused attention: it keeps its inputs, its output and one number a row."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, watch: Watch) -> Tensor:
        out = query.new_empty((*query.shape[:-1], value.shape[-1]))
        rows = query.new_empty(query.shape[:-1], dtype=torch.float32)
        watch.attended(query, key, value, 2)
        ctx.save_for_backward(query, key, value, out, rows)
        ctx.watch = watch
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        query, key, value, _, _ = ctx.saved_tensors
        ctx.watch.attended(query, key, value, 5)
        return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value), None


def rehearse_step(base: Base, adapters: Mapping[str, AttachedAdapter], settings: Settings, size: tuple[int, int], batch: int) -> Work:
    """One forward and backward over a batch of pictures of `size` (width, height), on a blank base with its networks."""
    if settings.training.gradient_checkpointing:
        base.checkpoint_gradients()
    frozen_texts = set(adapters) == {base.denoiser}
    watch = Watch()
    with watch.as_on_a_device():
        with torch.no_grad():
            texts = _texts(base, settings, batch)
        with watch, _draws(adapters):
            if not frozen_texts:
                texts = _texts(base, settings, batch)
            answer = base.predict(
                _latents(base, size, batch), torch.zeros(batch, dtype=torch.int64), texts, None, settings.flow.guidance_scale
            )
            loss = answer.float().square().mean()
            kept = watch.live
            loss.backward()
    for adapter in adapters.values():
        for parameter in adapter.parameters():
            parameter.grad = None
    return watch.work(kept)


@contextmanager
def _draws(adapters: Mapping[str, AttachedAdapter]) -> Iterator[None]:
    """Within the block dropouts are drawn as in a step."""
    with ExitStack() as stack:
        for adapter in adapters.values():
            stack.enter_context(adapter.at_step(0, 0))
        yield


def rehearse_predict(base: Base, settings: Settings, size: tuple[int, int], batch: int) -> Work:
    """One forward for drawing."""
    return _rehearse(lambda texts: base.predict(_latents(base, size, batch), torch.zeros(batch), texts), _texts(base, settings, batch))


def rehearse_encode(base: Base, size: tuple[int, int]) -> Work:
    """One picture into a latent."""
    return _rehearse(base.encode_pixels, torch.empty(1, 3, size[1], size[0], device="meta"))


def rehearse_decode(base: Base, size: tuple[int, int], batch: int) -> Work:
    """Latents into pictures."""
    return _rehearse(base.decode_latents, _latents(base, size, batch))


@torch.no_grad()
def _rehearse(work: Callable[[Any], Tensor], given: Any) -> Work:
    watch = Watch()
    with watch.as_on_a_device(), watch:
        work(given)
    return watch.work()


def _latents(base: Base, size: tuple[int, int], batch: int) -> Tensor:
    width, height = size
    return torch.empty(batch, base.latent_channels, height // base.latent_step, width // base.latent_step, device="meta")


def _texts(base: Base, settings: Settings, batch: int) -> EncodedTexts:
    return base.encode_texts([""] * batch, settings.base.text_options)


# ---- the machine


UNSEEN = 1.35  # the middle of float32 runs on a CPU: 1.32 to 1.39 on the demo base, 1.49 on Stable Diffusion 1.5


@dataclass(frozen=True)
class Machine:
    """How fast a device is: multiplying in one type, moving numbers, starting an operation."""

    flops_per_second: float
    bytes_per_second: float
    seconds_per_operation: float

    def seconds(self, work: Work) -> float:
        seen = work.flops / self.flops_per_second + work.traffic / self.bytes_per_second + work.operations * self.seconds_per_operation
        return UNSEEN * seen


def measure_machine(device: str, dtype: torch.dtype, work: Work) -> Machine:
    """Times on `device` the heaviest products of a work, an activation of many numbers in `dtype`, and a network too small to compute.

    It takes a second or two, since each moment is tried several times; on a CPU that cannot do large products in that time, fewer.
    """
    numbers = torch.randn(1 << 27 if device == "cuda" else 1 << 21, device=device).to(dtype)
    moved = 2 * numbers.nbytes / _best(device, lambda: nn.functional.silu(numbers))
    return Machine(_rate(device, work), moved, _start_of_an_operation(device))


MOST_PRODUCTS, MOST_SECONDS = 12, 2.0


def _rate(device: str, work: Work) -> float:
    """FLOP/s over the heaviest products, each as often as it comes in the work."""
    flops = seconds = 0.0
    began = time.perf_counter()
    for product, share in sorted(work.products.items(), key=lambda item: -item[1])[:MOST_PRODUCTS]:
        once = product.flops
        seconds += _best(device, product.with_numbers(device), tries=3) * share / once
        flops += share
        if time.perf_counter() - began > MOST_SECONDS:
            break
    return flops / seconds


def _start_of_an_operation(device: str) -> float:
    """Seconds that an operation takes of which there is nothing to compute, with its module and its way back."""
    small = nn.Sequential(*[nn.Sequential(nn.Linear(8, 8), nn.SiLU()) for _ in range(16)]).to(device)
    given = torch.ones(1, 8, device=device)
    with Watch() as watch:
        small(given).sum().backward()
    return _best(device, lambda: small(given).sum().backward()) / watch.operations


def _best(device: str, work: Callable[[], Any], times: int = 1, tries: int = 12) -> float:
    """Seconds of `times` calls in the middle of several tries: what is usual here now, other work included."""
    taken = []
    for _ in range(tries):
        _wait(device)
        began = time.perf_counter()
        for _ in range(times):
            work()
        _wait(device)
        taken.append(time.perf_counter() - began)
    return sorted(taken)[tries // 2]


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
