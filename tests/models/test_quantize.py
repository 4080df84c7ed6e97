"""A base packed in 8 or 4 bits: what it says, what memory it takes, and that every network kind trains on it."""

import copy
import functools
import gc
import itertools
import statistics
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lorasmith.adapters.attach import attach, attach_network
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.kinds import KINDS, trainable_kinds
from lorasmith.adapters.targets import NetworkTarget
from lorasmith.errors import AdapterError, BaseModelError
from lorasmith.models.architectures.parts import T5 as ARCHITECTURE_OF_T5
from lorasmith.models.families import FAMILIES
from lorasmith.models.open import open_base
from lorasmith.models.parts import Part, build
from lorasmith.models.quantize import NF4_LEVELS, PACKINGS, QuantizedWeight, packings_of, quantize_weight
from lorasmith.models.sampling import initial_latents
from lorasmith.models.texts import TextOptions
from tests.models import toys

SIZE = toys.PICTURE


def bytes_of(weight):
    """The memory that a quantised weight takes."""
    return weight.codes.nbytes + weight.scales.nbytes


def is_quantized(module):
    return any(isinstance(parameter, QuantizedWeight) for parameter in module.parameters())


def trained_weight(*shape):
    """Numbers as a trained layer has them: normal, each row of its own width."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(shape, generator=generator) * torch.rand(shape[0], *[1] * (len(shape) - 1), generator=generator) * 0.05


def relative_error(packing, weight):
    return ((quantize_weight(weight, packing, torch.float32).unpacked() - weight).norm() / weight.norm()).item()


# ---- the packings


def test_the_16_levels_are_the_normal_quantiles_of_qlora():
    """Appendix E of the paper: 8 quantiles of the positive side and 9 of the negative, which share 0, over the largest."""
    normal, outermost = statistics.NormalDist(), 0.9677083
    positive = [normal.inv_cdf(outermost + (0.5 - outermost) * k / 8) for k in range(8)]
    negative = [-normal.inv_cdf(outermost + (0.5 - outermost) * k / 7) for k in range(7)]
    levels = sorted([*negative, 0.0, *positive])
    assert list(NF4_LEVELS) == pytest.approx([level / max(levels) for level in levels], abs=1e-6)


@pytest.mark.parametrize("shape", [(64, 128), (24, 10, 3, 3), (7, 5)])
def test_int8_is_within_half_a_step_of_each_rows_scale(shape):
    weight = trained_weight(*shape)
    packed = quantize_weight(weight, "int8", torch.float32)
    largest = weight.abs().flatten(1).amax(1).view(-1, *[1] * (len(shape) - 1))
    assert ((packed.unpacked() - weight).abs() <= 0.5001 * largest / 127).all()
    assert bytes_of(packed) == weight.numel() + 4 * shape[0]


@pytest.mark.parametrize("shape", [(64, 128), (24, 10, 3, 3), (7, 5)])
def test_fp8_is_within_a_sixteenth_of_each_number_or_half_of_e4m3s_smallest(shape):
    weight = trained_weight(*shape) ** 3 * 1e4  # of many sizes
    packed = quantize_weight(weight, "fp8", torch.float32)
    largest = weight.abs().flatten(1).amax(1).view(-1, *[1] * (len(shape) - 1))
    off = (packed.unpacked() - weight).abs()
    assert (off <= 1.0001 * torch.maximum(weight.abs() / 16, largest / 448 / 1024)).all()
    assert off.max() > 0
    assert bytes_of(packed) == weight.numel() + 4 * shape[0]


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("shape", [(64, 128), (24, 10, 3, 3), (7, 5)])
def test_the_table_says_what_a_packed_weight_takes(packing, shape):
    assert bytes_of(quantize_weight(trained_weight(*shape), packing, torch.float32)) == PACKINGS[packing].bytes_of(torch.Size(shape))


@pytest.mark.parametrize("packing", PACKINGS)
def test_numbers_in_half_precision_are_rounded_once(packing):
    packed = quantize_weight(trained_weight(32, 64), packing, torch.float32)
    assert torch.equal(packed.unpacked(torch.bfloat16), packed.unpacked().to(torch.bfloat16))


@pytest.mark.parametrize("shape", [(64, 128), (24, 10, 3, 3), (7, 5)])
def test_nf4_takes_the_nearest_level_of_each_block(shape):
    weight = trained_weight(*shape)
    packed = quantize_weight(weight, "nf4", torch.float32)
    flat, found = weight.flatten(), packed.unpacked().flatten()
    for start in range(0, weight.numel(), 64):
        block = flat[start : start + 64]
        levels = torch.tensor(NF4_LEVELS) * block.abs().max().to(torch.bfloat16).float()
        nearest = (block[:, None] - levels).abs().min(1).values
        torch.testing.assert_close((found[start : start + 64] - block).abs(), nearest, atol=1e-7, rtol=1e-4)
    assert bytes_of(packed) <= weight.numel() / 2 + 2 * (weight.numel() / 64 + 1) + 32


def test_what_packing_costs_in_accuracy():
    weight = trained_weight(256, 512)
    assert relative_error("int8", weight) < 0.01
    assert 0.02 < relative_error("fp8", weight) < 0.03
    assert 0.05 < relative_error("nf4", weight) < 0.1


@pytest.mark.parametrize("packing", PACKINGS)
def test_rows_of_zeros_stay_zeros(packing):
    weight = torch.zeros(64, 64)
    weight[0] = 1.0
    assert torch.equal(quantize_weight(weight, packing, torch.float32).unpacked(), weight)


# ---- in a layer


def layer_pair(make, packing, dtype=torch.float32):
    """A layer with a packed weight, and the same with what that unpacks to."""
    torch.manual_seed(0)
    packed = make().to(dtype).requires_grad_(False)
    packed.weight = nn.Parameter(quantize_weight(packed.weight, packing, dtype), requires_grad=False)
    plain = make().to(dtype).requires_grad_(False)
    plain.weight = nn.Parameter(packed.weight.unpacked(), requires_grad=False)
    plain.bias = packed.bias
    return packed, plain


LAYERS = {  # whose weights are larger than anything else that is kept
    "linear": (lambda: nn.Linear(96, 128), (2, 3, 96)),
    "conv": (lambda: nn.Conv2d(48, 64, 3, stride=2, padding=1), (2, 48, 5, 5)),
    "pointwise": (lambda: nn.Conv2d(96, 128, 1), (2, 96, 3, 3)),
}


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("layer", LAYERS)
def test_a_packed_layer_computes_what_its_unpacked_weight_would(layer, packing, dtype):
    make, shape = LAYERS[layer]
    packed, plain = layer_pair(make, packing, dtype)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    results = []
    for module in (packed, plain):
        own = x.clone().requires_grad_()
        y = module(own)
        y.float().square().sum().backward()
        results.append((y.detach(), own.grad))
    assert torch.equal(results[0][0], results[1][0])
    torch.testing.assert_close(results[0][1], results[1][1])
    with torch.no_grad():
        assert torch.equal(packed(x), results[0][0]), "with and without gradients alike"


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_packed_weight_survives_what_modules_do_to_weights(packing):
    layer, _ = layer_pair(lambda: nn.Linear(64, 64), packing)
    unpacked = layer.weight.unpacked()
    for other in (copy.deepcopy(layer), layer.to("cpu"), layer.requires_grad_(False).eval()):
        assert type(other.weight) is QuantizedWeight
        assert torch.equal(other.weight.unpacked(), unpacked)
    half = copy.deepcopy(layer).to(torch.bfloat16)
    assert half.weight.dtype == half.weight.unpacked().dtype == torch.bfloat16
    assert type(half.weight) is QuantizedWeight
    assert torch.equal(half.weight.to(torch.float32).unpacked(), unpacked), "a change of type loses nothing"
    fresh = nn.Linear(64, 64)
    fresh.load_state_dict(layer.state_dict(), assign=True)
    assert torch.equal(fresh.weight.unpacked(), unpacked)


def test_a_packed_weight_cannot_be_written():
    layer, _ = layer_pair(lambda: nn.Linear(64, 64), "int8")
    before = layer.weight.unpacked()
    with torch.no_grad():
        for change in (lambda w: w.mul_(2), lambda w: w.copy_(torch.zeros(64, 64)), lambda w: w.data.add_(1)):
            with pytest.raises(BaseModelError, match="quantised base cannot be changed"):
                change(layer.weight)
    assert torch.equal(layer.weight.unpacked(), before)


def test_a_network_is_not_merged_into_a_quantised_base():
    layer, _ = layer_pair(lambda: nn.Linear(64, 64), "nf4")
    adapter = attach(nn.ModuleDict({"a": layer}), {"a": "lora_a"}, 4, 4.0, seed=1)
    with pytest.raises(AdapterError, match="quantised"):
        adapter.merge_into_base()
    assert adapter.attached


# ---- under every network kind

NETWORKS = {kind: {} for kind in trainable_kinds()} | {
    "dora": {"kind": "lora", "dora": True}, "loha dora": {"kind": "loha", "dora": True}, "lokr dora": {"kind": "lokr", "dora": True},
    "ia3 on input": {"kind": "ia3", "on_input": True}, "tucker": {"kind": "lora", "use_tucker": True},
    "diag-oft": {"block_size": 8}, "boft": {"block_size": 8},
}  # fmt: skip


@pytest.fixture
def plain_tensors():
    """Asks for the plain tensors with numbers that Python has learned of since, such as those that a function kept in a graph holds."""
    gc.freeze()  # what was there before is passed over, which makes up nearly all
    return lambda: [obj for obj in gc.get_objects() if type(obj) is torch.Tensor and not obj.is_meta]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("layer", [*LAYERS, "fused"])
@pytest.mark.parametrize("network", NETWORKS)
def test_every_kind_trains_on_a_packed_layer_and_keeps_nothing_unpacked(plain_tensors, network, layer, dtype):
    make, shape = LAYERS["linear" if layer == "fused" else layer]
    packed, plain = layer_pair(make, "nf4", dtype)
    options = {"kind": network, **NETWORKS[network]}
    settings = KINDS[options.pop("kind")].layer_settings(rank=4, alpha=4.0, **options)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    results = []
    before = plain_tensors()
    known = {id(t) for t in before}
    for module in (packed, plain):
        target, model = NetworkTarget(("a",), "net"), nn.ModuleDict({"a": module})
        if layer == "fused":
            target, model = NetworkTarget(("a", "b"), "net"), nn.ModuleDict({"a": module, "b": copy.deepcopy(module)})
        adapter = attach_network(model, [target], settings, seed=1)
        generator = torch.Generator().manual_seed(2)
        with torch.no_grad():
            for name, parameter in adapter.named_parameters():
                if "dora" not in name:  # lengths stay those of the weight
                    parameter.normal_(0, 0.05, generator=generator)
        own, kept = x.clone().requires_grad_(), []
        with adapter.at_step(1, 1), torch.autograd.graph.saved_tensors_hooks(lambda t, kept=kept: kept.append(t) or t, lambda t: t):
            y = model["a"](own) if layer != "fused" else torch.cat([model["a"](own), model["b"](own)], -1)
        if module is packed:
            trained = {p.untyped_storage().data_ptr() for p in adapter.parameters()}
            held = [
                t
                for t in (*kept, *(t for t in plain_tensors() if id(t) not in known))
                if type(t) is torch.Tensor and t.untyped_storage().data_ptr() not in trained
            ]
            codes = {module.weight.codes.data_ptr() for module in model.values()}
            assert not [tuple(t.shape) for t in held if t.numel() >= packed.weight.numel() / 2 and t.data_ptr() not in codes]
        y.float().square().sum().backward()
        results.append([y.detach(), own.grad, *(p.grad for p in adapter.parameters() if p.grad is not None)])
        assert len(results[-1]) > 2, "something learned"
    loose = {"atol": 0.06, "rtol": 0.06} if dtype == torch.bfloat16 else {"atol": 1e-4, "rtol": 1e-4}
    for mine, theirs in zip(*results, strict=True):
        scale = theirs.float().abs().max().clamp_min(1e-6)
        torch.testing.assert_close(mine.float() / scale, theirs.float() / scale, **loose)


# ---- a whole base


def latents_and_times(base):
    timesteps = torch.tensor([100, 700]) if base.diffusion.prediction_type != "flow" else torch.tensor([100.0, 700.0])
    return initial_latents(base, [1, 2], SIZE, SIZE), timesteps


@pytest.fixture(scope="module", params=toys.quick_and_slow())
def name(request):
    return request.param


@pytest.fixture(scope="module")
def plain(name):
    return open_base(toys.toy_folder(name), torch.float32)


@pytest.mark.parametrize(("quantize", "most"), [("int8", 0.03), ("fp8", 0.1), ("nf4", 0.25)])
def test_a_quantised_base_says_nearly_the_same(name, plain, quantize, most):
    """The bounds are for toys, whose random weights leave little room; on the demo's trained base see docs/guide/memory.md."""
    packed = open_base(toys.toy_folder(name), torch.float32, quantize=quantize)
    with torch.no_grad():
        texts, own_texts = (base.encode_texts(["a cat", "dog"], TextOptions()) for base in (plain, packed))
        expected = plain.predict(*latents_and_times(plain), texts)
        found = packed.predict(*latents_and_times(plain), texts)
    assert 0 < (found - expected).norm() / expected.norm() < most
    expected_parts = {name for name, part in FAMILIES[plain.family].usual.parts.items() if part.architecture.quantizable}
    assert {part for part, module in packed.parts.items() if is_quantized(module)} == expected_parts
    assert not is_quantized(packed.autoencoder.vae)
    if plain.denoiser != "unet":
        assert 0 < (own_texts.states - texts.states).norm() / texts.states.norm() < most
    else:
        assert torch.equal(own_texts.states, texts.states)
    for part in packed.parts:
        changed = packed.fingerprints[part] != plain.fingerprints[part]
        assert changed == is_quantized(packed.parts[part]), "a cache of packed states is not taken for one of plain states"


@functools.cache
def losses_of_a_training(name, quantize):
    """Of a LoRA on one batch, step by step."""
    base = open_base(toys.toy_folder(name), torch.float32, quantize=quantize)
    adapters = [attach(module, keys.targets(base.family, part, module), 4, 4.0, seed=1) for part, module in toys.carrying(base).items()]
    optimizer = torch.optim.AdamW([p for adapter in adapters for p in adapter.parameters()], lr=1e-2)
    noisy, timesteps = latents_and_times(base)
    losses = []
    for _ in range(5):
        prediction = base.predict(noisy, timesteps, base.encode_texts(["a happy red cat", "the big dog"], TextOptions()))
        loss = (prediction - noisy).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


LARGE = ("sd1", "sdxl", "klein")
"""Toys of so many layers that a training takes a second: quickly tried with the packing that has two kinds of codes alone."""
TRAININGS = [
    pytest.param(toy, quantize, marks=pytest.mark.slow if "-" in toy or (toy in LARGE and quantize != "nf4") else ())
    for toy, quantize in itertools.product(toys.TOYS, PACKINGS)
    if toy != "sd2"  # its layers are those of sdxl
]


@pytest.mark.parametrize(("toy", "quantize"), TRAININGS)
def test_a_lora_trains_on_a_quantised_base_as_on_a_plain_one(toy, quantize):
    packed = losses_of_a_training(toy, quantize)
    assert packed[-1] < 0.97 * packed[0], packed
    assert packed == pytest.approx(losses_of_a_training(toy, "none"), rel=0.1)


def test_only_layers_within_blocks_are_packed_and_nearly_all_numbers_are_theirs():
    for family, part in (
        ("sd1", "unet"),
        ("sdxl", "unet"),
        ("flux", "transformer"),
        ("flux", "text_encoder_2"),
        ("chroma", "transformer"),
        ("zimage", "transformer"),
        ("lumina2", "transformer"),
        ("klein", "transformer"),
        ("krea2", "transformer"),
    ):
        with torch.device("meta"):
            module = build(FAMILIES[family].usual.parts[part])
        packed, numbers = packings_of(module, "nf4"), dict(module.named_parameters())
        assert sum(numbers[key].numel() for key in packed) > 0.94 * sum(p.numel() for p in numbers.values())
        assert not [key for key in packed if "norm" in key.split(".")[-2] or "embed" in key or key.startswith(("conv_", "proj_out"))]
        assert {packed[key] for key in packed if numbers[key].dim() == 4} <= {"int8"}


_OPEN = """
import sys
from pathlib import Path
import torch
from lorasmith.models.architectures.parts import T5
from lorasmith.models.description import Description, PartPlace
from lorasmith.models.families import FAMILIES
from lorasmith.models.parts import Part
from lorasmith.models.quantize import quantize_weight
from lorasmith.models.files.weights import empty_module, load_part

path, config = Path(sys.argv[1]), Part(T5, eval(sys.argv[2]))
place = PartPlace((path,), "", "transformers", config, "the test", {"F16": 1})
description = Description(path, "single file", FAMILIES["flux"], "dev", "flow", False, {"text_encoder_2": place}, ("", {}), {}, (), ())
empty_module(config)  # what this imports is no memory of the opening
quantize_weight(torch.ones(64, 64), sys.argv[3], torch.bfloat16)
peak = lambda: 1024 * next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak()
module = load_part(description, "text_encoder_2", torch.bfloat16, quantize=sys.argv[3])
print(peak() - before, sum(p.codes.nbytes + p.scales.nbytes if hasattr(p, "codes") else p.nbytes for p in module.parameters()))
"""
T5 = {
    "vocab_size": 1000, "d_model": 1024, "d_kv": 64, "d_ff": 4096, "num_layers": 12, "num_heads": 16, "feed_forward_proj": "gated-gelu",
    "is_encoder_decoder": False, "use_cache": False, "tie_word_embeddings": False,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a process's own peak of memory is read from Linux")
@pytest.mark.parametrize(("quantize", "share"), [("int8", 0.52), ("fp8", 0.52), ("nf4", 0.29)])
def test_opening_takes_the_memory_of_the_packed_weights_and_of_one_tensor(tmp_path, quantize, share):
    with torch.device("meta"):
        shapes = {name: t.shape for name, t in build(Part(ARCHITECTURE_OF_T5, T5)).state_dict().items() if "embed_tokens" not in name}
    save_file({name: torch.randn(shape, dtype=torch.float16) for name, shape in shapes.items()}, tmp_path / "t5.safetensors")
    numbers, largest = (most(shape.numel() for shape in shapes.values()) for most in (sum, max))
    done = subprocess.run(
        [sys.executable, "-c", _OPEN, str(tmp_path / "t5.safetensors"), repr(T5), quantize], capture_output=True, text=True, check=True
    )
    peak, kept = map(int, done.stdout.split())
    print(f"{numbers:,} numbers, kept {kept:,} bytes, at most {peak:,}")
    assert kept < share * 2 * numbers
    assert peak < kept + 24 * largest, "a tensor in fp32, as a share of its block's scale, and as whole numbers"
    assert peak < 1.7 * numbers, "the whole in 16 bits is 2 bytes a number"
