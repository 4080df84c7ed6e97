"""Every network kind on every sort of layer: the same promises for all."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from lorasmith.adapters.attach import adapter_tensors, attach_layers, attach_network
from lorasmith.adapters.kinds import KINDS, trainable_kinds
from lorasmith.adapters.kinds.diag_oft import RotationSettings
from lorasmith.adapters.kinds.dylora import DyloraSettings
from lorasmith.adapters.kinds.formulas import boft, diag_oft, dylora, lokr
from lorasmith.adapters.kinds.ia3 import Ia3Settings
from lorasmith.adapters.kinds.layer_settings import LayerSettings
from lorasmith.adapters.kinds.lokr import LokrSettings
from lorasmith.adapters.layer import read_layer, read_layers
from lorasmith.adapters.targets import NetworkTarget
from lorasmith.errors import AdapterError

LAYERS = {
    "linear": lambda: nn.Linear(12, 16),
    "linear without bias": lambda: nn.Linear(12, 16, bias=False),
    "conv 1x1": lambda: nn.Conv2d(12, 16, 1),
    "conv 3x3": lambda: nn.Conv2d(12, 16, 3, padding=1),
    "conv 3x3 stride 2": lambda: nn.Conv2d(12, 16, 3, padding=1, stride=2),
}

PLAIN = LayerSettings(rank=3, alpha=2.0)
NETWORKS = {
    "lora": PLAIN,
    "lora rs": replace(PLAIN, rs_lora=True),
    "lora tucker": replace(PLAIN, use_tucker=True),
    "lora dora": replace(PLAIN, dora=True),
    "lora tucker dora": replace(PLAIN, use_tucker=True, dora=True),
    "loha": replace(PLAIN, kind="loha"),
    "loha tucker": replace(PLAIN, kind="loha", use_tucker=True),
    "loha dora": replace(PLAIN, kind="loha", dora=True),
    "lokr": replace(PLAIN, kind="lokr", rank=1),
    "lokr factor 2": replace(PLAIN, kind="lokr", own=LokrSettings(factor=2)),
    "lokr both": replace(PLAIN, kind="lokr", rank=1, own=LokrSettings(decompose_both=True), rs_lora=True),
    "lokr full": replace(PLAIN, kind="lokr", own=LokrSettings(full_matrix=True)),
    "lokr dora": replace(PLAIN, kind="lokr", rank=1, dora=True),
    "dylora": replace(PLAIN, kind="dylora", rank=4),
    "glora": replace(PLAIN, kind="glora"),
    "glora rs": replace(PLAIN, kind="glora", rs_lora=True),
    "ia3": replace(PLAIN, kind="ia3"),
    "ia3 on input": replace(PLAIN, kind="ia3", own=Ia3Settings(on_input=True)),
    "diag-oft": replace(PLAIN, kind="diag-oft", own=RotationSettings(block_size=4)),
    "diag-oft constraint": replace(PLAIN, kind="diag-oft", own=RotationSettings(block_size=4, constraint=0.02)),
    "boft": replace(PLAIN, kind="boft", own=RotationSettings(block_size=4)),
    "boft constraint": replace(PLAIN, kind="boft", own=RotationSettings(block_size=4, constraint=0.02)),
    "full": replace(PLAIN, kind="full"),
}


class Walk(nn.Module):
    """One layer under a path, fed with pixels as tokens where it is linear."""

    def __init__(self, layer):
        super().__init__()
        self.inner = nn.ModuleList([layer])

    def forward(self, x):
        return self.inner[0](x.flatten(2).transpose(1, 2) if isinstance(self.inner[0], nn.Linear) else x)


def model_with(layer, dtype=torch.float32):
    torch.manual_seed(0)
    return Walk(LAYERS[layer]()).to(dtype).requires_grad_(False)


def picture(dtype=torch.float32):
    return torch.randn(2, 12, 6, 5, generator=torch.Generator().manual_seed(3)).to(dtype)


def network(model, settings, **more):
    return attach_network(model, {"inner.0": "lora_unet_layer"}, settings, seed=1, **more)


def shaken(adapter, size=0.2):
    """As if it had been trained: every trained number moved."""
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter += size * torch.randn(parameter.shape, generator=generator).to(parameter.dtype)
    return adapter


every_network = pytest.mark.parametrize("settings", NETWORKS.values(), ids=NETWORKS.keys())
# A kind in its plain form, on every layer; its variants on the two that differ most. The rest of the table is slow.
PLAIN_ONES = {settings.kind: name for name, settings in reversed(NETWORKS.items())}.values()


def pair(name, layer):
    quick = name in PLAIN_ONES or layer in ("linear", "conv 3x3")
    return pytest.param(NETWORKS[name], layer, id=f"{name}-{layer}", marks=() if quick else pytest.mark.slow)


every_pair = pytest.mark.parametrize(("settings", "layer"), [pair(name, layer) for name in NETWORKS for layer in LAYERS])
# DoRA's length counts as a constant for the gradient, which has its own test.
WITHOUT_DORA = {name: settings for name, settings in NETWORKS.items() if not settings.dora}


def test_the_table_of_networks_has_every_kind():
    assert {settings.kind for settings in NETWORKS.values()} == trainable_kinds().keys()
    assert {NETWORKS[name].kind for name in PLAIN_ONES} == trainable_kinds().keys()


@every_pair
def test_it_starts_as_the_base_bit_for_bit(settings, layer):
    model, x = model_with(layer), picture()
    before = model(x)
    adapter = network(model, settings)
    with torch.no_grad():
        assert torch.equal(model(x), before)
    shaken(adapter)
    with torch.no_grad():
        assert not torch.equal(model(x), before)
        with adapter.off():
            assert torch.equal(model(x), before)


@every_pair
def test_attached_strong_and_weak_merged_and_from_the_file_it_predicts_the_same(settings, layer):
    model, x = model_with(layer), picture()
    base = model(x)
    adapter = shaken(network(model, settings))
    with torch.no_grad():
        live = model(x)
        with adapter.strength(0.5):
            half = model(x)
    # Strength is that of the whole change: W + s (W' - W).
    torch.testing.assert_close(half, base + 0.5 * (live - base), rtol=1e-4, atol=2e-5)

    tensors = {key: value.clone() for key, value in adapter_tensors(adapter).items()}
    again = model_with(layer)
    attach_layers(again, {"inner.0": "lora_unet_layer"}, read_layers(tensors))
    with torch.no_grad():
        torch.testing.assert_close(again(x), live, rtol=1e-5, atol=1e-5)
        adapter.merge_into_base()
        torch.testing.assert_close(model(x), live, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("settings", WITHOUT_DORA.values(), ids=WITHOUT_DORA.keys())
@pytest.mark.parametrize("layer", ["linear", "conv 3x3 stride 2"])
def test_the_gradients_are_those_of_the_changed_weight(settings, layer):
    """The way of the forward pass, whatever it is, against autograd through W + delta W in double precision."""
    model, x = model_with(layer, torch.float64), picture(torch.float64).requires_grad_()
    adapter = shaken(network(model, settings, dtype=torch.float64))
    trained, module = adapter.layers()["lora_unet_layer"], model.inner[0]
    if settings.kind == "dylora":
        adapter.eval()
    goal = torch.linspace(-1, 1, model(x).numel(), dtype=torch.float64)
    parameters = list(adapter.parameters())
    ours = torch.autograd.grad((model(x).flatten() * goal).sum(), [x, *parameters], allow_unused=True)

    bias = trained.layer.delta_bias()
    weight = module.weight + trained.layer.delta_weight(module.weight)
    whole = module.bias if bias is None else module.bias + bias
    if isinstance(module, nn.Linear):
        output = F.linear(x.flatten(2).transpose(1, 2), weight, whole)
    else:
        output = F.conv2d(x, weight, whole, module.stride, module.padding)
    expected = torch.autograd.grad((output.flatten() * goal).sum(), [x, *parameters])
    for found, wanted in zip(ours, expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=2e-5, atol=2e-6)  # delta_weight is in fp32


def test_dora_gradients_are_those_with_the_length_held():
    model, x = model_with("linear", torch.float64), picture(torch.float64)
    adapter = shaken(network(model, NETWORKS["lora dora"], dtype=torch.float64))
    layer, module = adapter.layers()["lora_unet_layer"], model.inner[0]
    parameters = list(adapter.parameters())
    ours = torch.autograd.grad(model(x).square().sum(), parameters)
    changed = module.weight + layer.kind.formulas.delta_weight(layer.tensors(), layer.alpha, module.weight)
    weight = changed * (layer.dora_scale / changed.norm(dim=0, keepdim=True).detach())
    expected = torch.autograd.grad(F.linear(x.flatten(2).transpose(1, 2), weight, module.bias).square().sum(), parameters)
    for found, wanted in zip(ours, expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("settings", "layer"), [pair(name, layer) for name in NETWORKS for layer in ("linear", "conv 1x1", "conv 3x3")])
def test_the_loss_falls_on_a_fixed_batch(settings, layer):
    model, x = model_with(layer), picture()
    goal = 0.5 * torch.randn(model(x).shape, generator=torch.Generator().manual_seed(4)) + model(x)
    adapter = network(model, settings)
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=1e-2, weight_decay=0)
    losses = []
    for step in range(15):
        with adapter.at_step(seed=1, step=step):
            loss = (model(x) - goal).square().mean()
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 1e-4


@every_network
@pytest.mark.parametrize("layer", ["linear", "conv 3x3"])
def test_over_a_base_in_bf16_a_small_change_is_not_lost(settings, layer):
    """The change, taken as the difference of two outputs, against the exact one: no worse than the outputs' own rounding."""
    exact, x = model_with(layer), picture()
    adapter = network(exact, settings)
    shaken(adapter, 1e-3)
    half = model_with(layer, torch.bfloat16)
    tensors = adapter_tensors(adapter)
    half_adapter = attach_layers(half, {"inner.0": "lora_unet_layer"}, read_layers(tensors))
    with torch.no_grad():
        output = half(x.bfloat16())
        assert output.dtype == torch.bfloat16
        assert (output.float() - exact(x)).norm() < 0.01 * exact(x).norm()
        # At a thousandfold strength the change itself must come out right, however small beside the weight.
        wanted = 1000 * adapter.layers()["lora_unet_layer"].layer.delta_weight(half.inner[0].weight)
        with half_adapter.strength(1000.0):
            strong = half(x.bfloat16()).float() - output.float()
    change = half.inner[0].__class__(12, 16, **({} if layer == "linear" else {"kernel_size": 3, "padding": 1}), bias=False)
    change.weight.data.copy_(wanted)
    reference = change(x.flatten(2).transpose(1, 2) if layer == "linear" else x)
    if adapter.layers()["lora_unet_layer"].layer.delta_bias() is not None:
        bias = 1000 * adapter.layers()["lora_unet_layer"].layer.delta_bias()
        reference = reference + (bias if layer == "linear" else bias[:, None, None])
    assert (strong - 0.999 * reference).norm() < 0.03 * reference.norm()


@every_network
@pytest.mark.parametrize("layer", ["linear", "conv 3x3"])
def test_autocast_checkpointing_and_channels_last_change_nothing_but_the_rounding(settings, layer):
    def gradients(way):
        model, x = model_with(layer), picture().requires_grad_()
        adapter = shaken(network(model, settings))
        with adapter.at_step(seed=5, step=3), torch.autocast("cpu", torch.bfloat16, enabled=way == "autocast"):
            if way == "checkpoint":
                output = checkpoint(model, x, use_reentrant=False)
            else:
                output = model(x.contiguous(memory_format=torch.channels_last) if way == "channels last" else x)
            (output.float().flatten() * torch.linspace(-1, 1, output.numel())).mean().backward()
        return [x.grad, *(parameter.grad for parameter in adapter.parameters())]

    plain = gradients("plain")
    for way, allowed in (("checkpoint", 1e-6), ("channels last", 1e-4), ("autocast", 0.1)):
        for found, wanted in zip(gradients(way), plain, strict=True):
            assert found.dtype == wanted.dtype
            assert (found - wanted).norm() <= allowed * max(wanted.norm().item(), 1e-3), way


# ---- delta W is the formula at the head of the kind's file


def formula(name, tensors, alpha, weight):
    """Each kind's change once more, in double precision and the plainest words."""
    t = {ending: value.double() for ending, value in tensors.items()}
    weight = weight.double()
    rows = weight.shape[0]
    if name in ("lora", "dylora"):
        down, up = t["lora_down.weight"], t["lora_up.weight"].flatten(1)
        if "lora_mid.weight" in t:
            core = torch.tensordot(up, t["lora_mid.weight"], ([1], [0]))
            change = torch.tensordot(core, down.flatten(1), ([1], [0])).movedim(-1, 1)
        else:
            change = torch.tensordot(up, down, 1)
        return alpha / len(down) * change
    if name == "loha":
        halves = []
        for i in "12":
            a, b = t[f"hada_w{i}_a"], t[f"hada_w{i}_b"]
            if f"hada_t{i}" in t:
                core = torch.tensordot(a.t(), t[f"hada_t{i}"], 1)
                halves.append(torch.tensordot(core, b, ([1], [0])).movedim(-1, 1))
            else:
                halves.append((a @ b).view(weight.shape))
        return alpha / len(t["hada_w1_b"]) * halves[0] * halves[1]
    if name == "lokr":
        w1 = t["lokr_w1"] if "lokr_w1" in t else t["lokr_w1_a"] @ t["lokr_w1_b"]
        scale = 1.0
        if "lokr_w2" in t:
            w2 = t["lokr_w2"]
            if "lokr_w1" not in t:
                scale = alpha / len(t["lokr_w1_b"])
        else:
            scale = alpha / len(t["lokr_w2_b"])
            w2 = (t["lokr_w2_a"] @ t["lokr_w2_b"]).view(len(t["lokr_w2_a"]), -1, *weight.shape[2:])
        tiles = w1[:, None, :, None, *[None] * (weight.dim() - 2)] * w2[None, :, None]
        return scale * tiles.reshape(weight.shape)
    if name == "glora":
        a = t["a1.weight"].flatten(1) @ t["a2.weight"].flatten(1)
        reworked = torch.stack([weight.movedim(1, -1)[o] @ a for o in range(rows)]).movedim(-1, 1)
        return alpha / len(t["a2.weight"]) * (reworked + torch.tensordot(t["b1.weight"].flatten(1), t["b2.weight"], 1))
    if name == "ia3":
        values = t["weight"].flatten()
        return weight * (values[None, :] if t["on_input"] else values[:, None]).view(
            *((1, -1) if t["on_input"] else (-1, 1)), *[1] * (weight.dim() - 2)
        )
    if name == "diag-oft":
        blocks = list(cayley(t["oft_blocks"], alpha * rows))
        return (torch.block_diag(*blocks).t() @ weight.flatten(1)).view(weight.shape) - weight
    if name == "boft":
        rotations, turned, size = cayley(t["oft_blocks"], alpha * rows), weight.flatten(1), t["oft_blocks"].shape[-1]
        for stage, blocks in enumerate(rotations):
            apart = 2**stage * size // 2
            # Where each output lies after the shuffle: halves of neighbouring groups come to lie together.
            order = torch.arange(rows).view(-1, 2, apart).transpose(1, 2).flatten()
            mixed = torch.zeros(rows, rows, dtype=torch.float64)
            mixed[order[:, None], order[None, :]] = torch.block_diag(*blocks)
            turned = mixed @ turned
        return turned.view(weight.shape) - weight
    assert name == "full"
    return t["diff"]


def cayley(blocks, limit):
    q = blocks - blocks.transpose(-1, -2)
    if limit and q.norm() > limit:
        q = q * limit / q.norm()
    eye = torch.eye(q.shape[-1], dtype=q.dtype)
    return (eye + q) @ torch.linalg.inv(eye - q)


@every_pair
def test_delta_weight_is_the_formula_in_double_precision(settings, layer):
    model = model_with(layer)
    adapter = shaken(network(model, settings))
    own, weight = adapter.layers()["lora_unet_layer"], model.inner[0].weight
    with torch.no_grad():
        expected = formula(settings.kind, own.tensors(), own.alpha, weight)
        if settings.dora:
            changed = weight.double() + expected
            across = [i for i in range(weight.dim()) if i != 1]
            expected = changed * own.dora_scale.double() / changed.square().sum(across, keepdim=True).sqrt() - weight.double()
        found = own.layer.delta_weight(weight)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=2e-6)


# ---- layers that the file has in one


@every_network
def test_layers_that_the_file_stacks_get_their_rows_of_one_change(settings):
    """Flux: one name over query, key and value, of different sizes here."""
    torch.manual_seed(0)
    parts = nn.ModuleDict({"q": nn.Linear(12, 8), "k": nn.Linear(12, 10), "v": nn.Linear(12, 14)}).requires_grad_(False)
    one = nn.ModuleDict({"qkv": nn.Linear(12, 32)}).requires_grad_(False)
    one["qkv"].weight.copy_(torch.cat([part.weight for part in parts.values()]))
    one["qkv"].bias.copy_(torch.cat([part.bias for part in parts.values()]))
    x = torch.randn(3, 7, 12)
    fused = shaken(attach_network(parts, [NetworkTarget(("q", "k", "v"), "lora_unet_qkv")], settings, seed=1))
    whole = shaken(attach_network(one, [NetworkTarget(("qkv",), "lora_unet_qkv")], settings, seed=1))
    assert {k: v.tolist() for k, v in adapter_tensors(fused).items()} == {k: v.tolist() for k, v in adapter_tensors(whole).items()}
    fused.eval(), whole.eval()
    expected = one["qkv"](x)
    found = torch.cat([part(x) for part in parts.values()], dim=-1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    ours = torch.autograd.grad(found.square().sum(), list(fused.parameters()))
    theirs = torch.autograd.grad(expected.square().sum(), list(whole.parameters()))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
    fused.merge_into_base()
    torch.testing.assert_close(torch.cat([part(x) for part in parts.values()], dim=-1), expected, rtol=1e-4, atol=1e-5)


# ---- single kinds


@pytest.mark.parametrize("kind", ["diag-oft", "boft"])
def test_a_constraint_is_worked_into_the_file_whose_alpha_is_zero(kind):
    model = model_with("linear")
    adapter = shaken(network(model, NETWORKS[f"{kind} constraint"]), 0.5)
    tensors = adapter_tensors(adapter)
    assert tensors["lora_unet_layer.alpha"] == 0
    assert not torch.equal(tensors["lora_unet_layer.oft_blocks"], adapter.layers()["lora_unet_layer"].oft_blocks)
    q = tensors["lora_unet_layer.oft_blocks"] - tensors["lora_unet_layer.oft_blocks"].transpose(-1, -2)
    assert q.norm() == pytest.approx(0.02 * 16, rel=1e-4)


@pytest.mark.parametrize("kind", ["diag-oft", "boft"])
def test_rotations_keep_the_lengths_of_the_weights_columns(kind):
    model = model_with("linear")
    weight = model.inner[0].weight
    adapter = shaken(network(model, NETWORKS[kind]))
    changed = weight + adapter.layers()["lora_unet_layer"].layer.delta_weight(weight)
    torch.testing.assert_close(changed.norm(dim=0), weight.norm(dim=0))
    assert (changed - weight).norm() > 0.3 * weight.norm()


def test_boft_says_which_block_size_a_layer_needs():
    assert [boft.block_size_for(out, None) for out in (320, 640, 768, 1024, 1280, 3072, 10240)] == [10, 10, 12, 8, 10, 12, 10]
    assert boft.block_size_for(320, 32) == 20
    with pytest.raises(AdapterError, match=r"1280 outputs into blocks of up to 4: give a block_size of 10 or more"):
        network(Walk(nn.Linear(4, 1280)), LayerSettings(kind="boft", own=RotationSettings(block_size=4)))
    with pytest.raises(AdapterError, match="even number of outputs"):
        network(Walk(nn.Linear(4, 7)), LayerSettings(kind="boft"))
    assert diag_oft.block_size_for(320, None) == 32
    assert diag_oft.block_size_for(7, 4) == 1


def test_boft_reaches_from_every_output_to_every_other():
    blocks = {
        "oft_blocks": 0.3
        * torch.randn(boft.start(torch.Size((32, 5)), False, LayerSettings(own=RotationSettings(block_size=4)), None)["oft_blocks"].shape)
    }
    whole = torch.eye(32) + boft.delta_weight(blocks, 0.0, torch.eye(32))
    assert (whole.abs() > 1e-7).all()


def test_a_dylora_trains_the_ranks_up_to_the_drawn_one_and_is_saved_as_a_plain_lora():
    model, x = model_with("linear"), picture()
    adapter = shaken(network(model, NETWORKS["dylora"]))
    reached = set()
    for step in range(12):
        adapter.zero_grad()
        with adapter.at_step(seed=1, step=step):
            model(x).square().sum().backward()
        down = adapter.layers()["lora_unet_layer"].lora_down.weight.grad
        trained = [bool(row.any()) for row in down]
        assert trained == sorted(trained, reverse=True)
        reached.add(sum(trained))
    assert reached == {1, 2, 3, 4}
    tensors = adapter_tensors(adapter)
    stored = read_layer("x", {key.partition(".")[2]: value for key, value in tensors.items()})
    assert (stored.kind.name, stored.alpha) == ("lora", 2.0)


def test_a_dylora_cut_to_a_smaller_rank_acts_as_it_did_in_training():
    model, x = model_with("linear"), picture()
    adapter = shaken(network(model, replace(NETWORKS["dylora"], own=DyloraSettings(rank_step=2))))
    layer = adapter.layers()["lora_unet_layer"]
    step = next(step for step in range(20) if rank_drawn(adapter, step, layer) == 2)
    with adapter.at_step(1, step), torch.no_grad():
        trained = model(x)
    adapter.detach()
    tensors, alpha = dylora.cut(layer.tensors(), layer.alpha, 2)
    file = {f"lora_unet_layer.{key}": value for key, value in tensors.items()} | {"lora_unet_layer.alpha": torch.tensor(alpha)}
    attach_layers(model, {"inner.0": "lora_unet_layer"}, read_layers(file))
    torch.testing.assert_close(model(x), trained)


def rank_drawn(adapter, step, layer):
    with adapter.at_step(1, step):
        return dylora.drawn_rank(layer.settings, layer.rank, adapter._draws["lora_unet_layer"])


def test_a_linear_glora_is_a_lora_of_twice_the_rank():
    model = model_with("linear")
    layer = shaken(network(model, NETWORKS["glora"])).layers()["lora_unet_layer"]
    weight = model.inner[0].weight
    left, right, _ = layer.layer.factors(weight)
    assert left.shape[1] == 6
    torch.testing.assert_close((left @ right).float(), layer.layer.delta_weight(weight))


def test_lokr_splits_sizes_as_asked():
    assert [lokr.split(1280, factor) for factor in (-1, 2, 4, 8, 16, 7)] == [(32, 40), (2, 640), (4, 320), (8, 160), (16, 80), (5, 256)]
    assert lokr.split(127, 8) == (1, 127)
    assert lokr.split(16, 8) == (2, 8)


def test_dora_of_others_along_the_outputs_is_read_as_they_meant_it():
    """m [out, 1]: each row of W + change gets its own length."""
    model, x = model_with("linear"), picture()
    weight, bias = model.inner[0].weight, model.inner[0].bias
    down, up, m = torch.randn(3, 12), torch.randn(16, 3), torch.rand(16, 1) + 0.5
    changed = weight + up @ down * (2 / 3)
    expected = F.linear(x.flatten(2).transpose(1, 2), changed * m / changed.norm(dim=1, keepdim=True), bias)
    file = {"lora_down.weight": down, "lora_up.weight": up, "dora_scale": m, "alpha": torch.tensor(2.0)}
    attach_layers(model, {"inner.0": "x"}, {"x": read_layer("x", file)})
    torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-5)


def test_a_kind_that_dora_cannot_go_around_is_refused():
    with pytest.raises(AdapterError, match="DoRA goes around LoRA, LoHa and LoKr, and lora_unet_layer is a BOFT"):
        network(model_with("linear"), LayerSettings(kind="boft", dora=True))


# ---- dropouts


DROPPING = {
    "dropout": [replace(NETWORKS[name], dropout=0.5) for name in ("lora", "lora dora", "lora tucker", "glora")],
    "rank_dropout": [replace(NETWORKS[name], rank_dropout=0.5) for name in ("lora", "lora dora", "loha", "lokr factor 2", "glora")],
    "module_dropout": [replace(settings, module_dropout=0.5) for settings in NETWORKS.values()],
}


@pytest.mark.parametrize(
    "layer", [layer if layer in ("linear", "conv 3x3") else pytest.param(layer, marks=pytest.mark.slow) for layer in LAYERS]
)
@pytest.mark.parametrize("settings", DROPPING["dropout"] + DROPPING["rank_dropout"], ids=lambda s: f"{s.kind}-{s.dropout}-{s.rank_dropout}")
def test_what_is_dropped_depends_on_the_step_alone_and_the_mean_is_the_whole(settings, layer):
    model, x = model_with(layer), picture()
    base = model(x)
    settings = replace(settings, rank=1, own=LokrSettings(factor=4)) if settings.kind == "lokr" else replace(settings, rank=3)
    adapter = shaken(network(model, settings))

    def at(step):
        with adapter.at_step(seed=1, step=step), torch.no_grad():
            return model(x)

    with torch.no_grad():
        whole = model(x)
    assert torch.equal(at(3), at(3))
    draws = torch.stack([at(step) for step in range(120)])
    assert len({draw.sum().item() for draw in draws}) > 1
    mean = draws.mean(0)
    assert (mean - whole).norm() < 0.35 * (whole - base).norm()


def test_rank_dropout_of_a_lora_draws_for_each_sample():
    model = model_with("linear")
    adapter = shaken(network(model, replace(PLAIN, rank=8, rank_dropout=0.5)))
    x = picture()[:1].expand(4, -1, -1, -1)
    with adapter.at_step(seed=1, step=0), torch.no_grad():
        outputs = model(x)
    assert len({output.sum().item() for output in outputs}) > 1


@pytest.mark.parametrize("settings", DROPPING["module_dropout"], ids=NETWORKS.keys())
def test_module_dropout_leaves_whole_layers_to_the_base_but_never_all(settings):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 16), nn.Linear(16, 16)).requires_grad_(False)
    adapter = shaken(attach_network(model, {"0": "lora_a", "1": "lora_b"}, settings, seed=1))
    x = torch.randn(2, 12)
    seen = set()
    for step in range(30):
        with adapter.at_step(seed=2, step=step):
            for parameter in adapter.parameters():
                parameter.grad = None
            model(x).square().sum().backward()
        seen.add(tuple(all(p.grad is None for p in layer.parameters()) for layer in adapter.layers().values()))
    assert (True, True) not in seen
    assert seen >= {(False, False), (False, True)}


def test_training_with_dropout_and_no_step_is_our_mistake_and_says_so():
    model = model_with("linear")
    network(model, replace(PLAIN, dropout=0.1))
    with torch.no_grad():
        model(picture())
    with pytest.raises(AssertionError, match="at_step"):
        model(picture())


# ---- norms and copies


@pytest.mark.parametrize("name", [name for name, s in NETWORKS.items() if KINDS[s.kind].scalable])
@pytest.mark.parametrize("layer", ["linear", "conv 3x3"])
def test_scaling_norms_brings_a_layers_change_to_the_bound_and_leaves_small_ones(name, layer):
    model = model_with(layer)
    adapter = shaken(network(model, replace(NETWORKS[name], dora=False)))
    own, weight = adapter.layers()["lora_unet_layer"], model.inner[0].weight
    before = own.layer.delta_weight(weight).detach().clone()
    small = adapter.scale_weight_norms(2 * before.norm().item())
    assert (small.keys_scaled, small.max_norm) == (0, pytest.approx(before.norm().item(), rel=1e-5))
    bound = before.norm().item() / 2
    scaled = adapter.scale_weight_norms(bound)
    assert (scaled.keys_scaled, scaled.mean_norm) == (1, pytest.approx(bound, rel=1e-5))
    torch.testing.assert_close(own.layer.delta_weight(weight), before / 2, rtol=1e-4, atol=1e-6)


def test_a_deep_copy_is_independent():
    model, x = model_with("linear"), picture()
    adapter = shaken(network(model, NETWORKS["loha dora"]))
    twin, live = copy.deepcopy(model), model(x)
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter.zero_()
    assert torch.equal(twin(x), live)
