"""The denoiser's part of a step as CUDA graphs: recorded once for each shape of a batch, then replayed.

A step of a U-Net is some ten thousand small kernels, and starting them one by one takes the CPU longer than the GPU needs to run them: with
SDXL at batch 1 a fast card waits for most of a step. A CUDA graph (https://docs.nvidia.com/cuda/cuda-c-programming-guide, "CUDA Graphs")
holds the kernels of a whole pass and is started at once. Two graphs are recorded for a shape, one of the forward pass, one of the backward
pass; the second adds to the trained weights' gradients itself. Everything before and after them, noise, loss, update, is as ever.

What a graph computes is fixed when it is recorded: it reads its input from the memory that it had then, and nothing that Python decides is
decided again. So there are none where a layer draws (dropout, rank dropout, module dropout), nor where trained weights move in memory
(bf16 weights, which are float32 for the time of an update). Graphs of all shapes share memory, which is right as long as each forward pass
is followed by its own backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils._pytree import tree_flatten, tree_unflatten

from lorasmith.adapters.attach import AttachedAdapter
from lorasmith.findings import Finding, Fix, SettingChange
from lorasmith.models.device import DEVICES

WARM_UP = 2
"""Passes before the recording, in which libraries choose their kernels."""


def can_be_recorded(denoiser: nn.Module, adapter: AttachedAdapter) -> bool:
    """Whether passes through the denoiser with its adapter can be CUDA graphs; see the head."""
    has_graphs = DEVICES[next(denoiser.parameters()).device.type].graphs
    still = all(parameter.dtype == torch.float32 for parameter in adapter.parameters())
    return has_graphs and still and not any(layer.random for layer in adapter.layers().values())


class RecordedDenoiser:
    """Takes the place of a denoiser's `forward`: passes with gradients are graphs, others run as they did.

    Where a pass cannot be recorded, all run as they did from then on, and `findings` say so.
    """

    def __init__(self, denoiser: nn.Module, adapter: AttachedAdapter) -> None:
        self._denoiser, self._adapter = denoiser, adapter
        self._forward = denoiser.forward
        self._recorded: dict[Any, _Recorded] = {}
        self._gradients = {parameter: torch.zeros_like(parameter) for parameter in adapter.parameters()}
        self._pool = torch.cuda.graph_pool_handle()
        self._anchor = torch.zeros((), device=next(denoiser.parameters()).device, requires_grad=True)
        self._problem = ""
        self.findings: list[Finding] = []
        """What is to be reported and was not yet."""
        denoiser.forward = self.forward

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        if self._problem or not torch.is_grad_enabled() or self._adapter.multiplier != 1:
            return self._forward(*args, **kwargs)
        leaves, spec = tree_flatten((args, kwargs))
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        others = tuple("tensor" if isinstance(leaf, Tensor) else leaf for leaf in leaves)
        key = repr(spec), others, tuple((t.shape, t.dtype, t.requires_grad) for t in tensors)
        if key not in self._recorded:

            def run(given: Sequence[Tensor]) -> Tensor:
                left = iter(given)
                filled = [next(left) if isinstance(leaf, Tensor) else leaf for leaf in leaves]
                inner_args, inner_kwargs = tree_unflatten(filled, spec)
                answer: Tensor = self._forward(*inner_args, **inner_kwargs).sample
                return answer

            try:
                self._recorded[key] = _Recorded(run, tensors, self._gradients, self._pool)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                self._problem = str(error).strip().splitlines()[0]
                self._recorded.clear()
                self.findings.append(_without_graphs(self._problem))
                return self._forward(*args, **kwargs)
        return _Answer(_Replay.apply(self._recorded[key], self._anchor, *tensors))


def _without_graphs(problem: str) -> Finding:
    return Finding(
        "run.no_cuda_graphs", "note", "Steps run without CUDA graphs, which takes longer: the network does what no graph can hold.",
        about="run", details=(problem,),
        fix=Fix("Set training.cuda_graphs to false, and it is not tried again.", (SettingChange("training.cuda_graphs", False),)),
    )  # fmt: skip


class _Answer:
    """What a denoiser returns, as far as bases read it."""

    def __init__(self, sample: Tensor) -> None:
        self.sample = sample


class _Recorded:
    """The two graphs of one shape, and the memory that they read and write."""

    def __init__(
        self, run: Callable[[Sequence[Tensor]], Tensor], given: Sequence[Tensor], gradients: Mapping[nn.Parameter, Tensor], pool: Any
    ) -> None:
        self.inputs = [tensor.detach().clone().requires_grad_(tensor.requires_grad) for tensor in given]
        with_gradient = [tensor for tensor in self.inputs if tensor.requires_grad]
        wanted = [*with_gradient, *gradients]
        torch.cuda.synchronize()
        with torch.cuda.stream(torch.cuda.Stream()):
            for _ in range(WARM_UP):
                output = run(self.inputs)
                found = torch.autograd.grad(output, wanted, torch.zeros_like(output), allow_unused=True)
                used = [gradient is not None for gradient in found[len(with_gradient) :]]
                del output, found
        torch.cuda.synchronize()
        self.gradients = {parameter: mine for (parameter, mine), is_used in zip(gradients.items(), used, strict=True) if is_used}

        self._forward, self._backward = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._forward, pool=pool):
            output = run(self.inputs)
        self._output_gradient = torch.zeros_like(output)
        with torch.cuda.graph(self._backward, pool=pool):
            found = torch.autograd.grad(output, [*with_gradient, *self.gradients], self._output_gradient, allow_unused=True)
            torch._foreach_add_(list(self.gradients.values()), list(found[len(with_gradient) :]))
        self._input_gradients = found[: len(with_gradient)]
        self._output = output.detach()  # what the backward pass needs of the forward pass stays in the pool, for the next graph to use

    def forward(self, given: Sequence[Tensor]) -> Tensor:
        with torch.no_grad():
            for mine, tensor in zip(self.inputs, given, strict=True):
                mine.copy_(tensor)
        self._forward.replay()
        return self._output.clone()

    def backward(self, gradient: Tensor) -> list[Tensor | None]:
        """Add to the parameters' gradients; returns those of the inputs."""
        self._output_gradient.copy_(gradient)
        if any(parameter.grad is not mine for parameter, mine in self.gradients.items()):  # the first batch of a step
            torch._foreach_zero_(list(self.gradients.values()))
            for parameter, mine in self.gradients.items():
                if parameter.grad is not None:
                    mine.copy_(parameter.grad)
                parameter.grad = mine
        self._backward.replay()
        found = iter(self._input_gradients)
        return [next(found) if tensor.requires_grad else None for tensor in self.inputs]


class _Replay(torch.autograd.Function):
    """A recorded pass as a function of its inputs. `anchor` has a gradient, so that there is a backward pass in any case."""

    @staticmethod
    def forward(ctx: Any, recorded: _Recorded, anchor: Tensor, *given: Tensor) -> Tensor:
        ctx.recorded = recorded
        return recorded.forward(given)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        return None, None, *ctx.recorded.backward(gradient)
