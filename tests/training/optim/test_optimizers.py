"""Every optimizer by its name: it learns, its state can be saved and goes on bit for bit, bad arguments are named."""

import io

import pytest
import torch
import torch.distributed as dist
from torch.testing._internal.distributed.fake_pg import FakeStore

from lorasmith.errors import SettingsError
from lorasmith.training.optim.muon import Muon
from lorasmith.training.optim.optimizers import OPTIMIZERS, make_optimizer, optimizer_of, weights_for_use

CAN_RUN_HERE = [name for name, kind in OPTIMIZERS.items() if not kind.needs_gpu]


def _problem():
    """Two factors of a LoRA, one of a convolution, and their distance from wanted products."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(4, 12), (10, 4), (4, 6, 3, 3)]
    weights = [torch.nn.Parameter(torch.randn(shape, generator=generator) * 0.3) for shape in shapes]
    x, y = torch.randn(64, 12, generator=generator), torch.randn(64, 10, generator=generator)
    image = torch.randn(2, 6, 5, 5, generator=generator)

    def loss():
        down, up, conv = weights
        return (x @ down.T @ up.T - y).square().mean() + torch.nn.functional.conv2d(image, conv).square().mean()

    return weights, loss


def _start(name):
    weights, loss = _problem()
    rate = 1.0 if optimizer_of(name).learning_rate_free else 3e-3
    optimizer = make_optimizer(
        name, [{"params": weights[:2], "lr": rate, "name": "unet"}, {"params": weights[2:], "lr": rate, "name": "te"}], {}
    )
    if optimizer_of(name).schedule_free:
        optimizer.train()
    return weights, loss, optimizer


@pytest.mark.parametrize("name", CAN_RUN_HERE)
def test_nothing_is_printed_on_standard_output(name, capsys):
    _, loss, optimizer = _start(name)
    _steps(1, loss, optimizer)
    with weights_for_use(name, optimizer):
        pass
    assert capsys.readouterr().out == ""


def _steps(count, loss, optimizer):
    for _ in range(count):
        optimizer.zero_grad(set_to_none=True)
        value = loss()
        value.backward()
        optimizer.step()
    return value.item()


@pytest.mark.parametrize("name", CAN_RUN_HERE)
def test_an_optimizer_lowers_the_loss(name):
    _, loss, optimizer = _start(name)
    before = loss().item()
    _steps(150, loss, optimizer)
    with weights_for_use(name, optimizer):
        assert loss().item() < 0.97 * before


@pytest.mark.parametrize("name", CAN_RUN_HERE)
def test_an_optimizer_goes_on_bit_for_bit_from_its_saved_state(name):
    straight, loss, optimizer = _start(name)
    _steps(7, loss, optimizer)
    saved = io.BytesIO()
    torch.save({"optimizer": optimizer.state_dict(), "weights": [w.detach() for w in straight]}, saved)
    with weights_for_use(name, optimizer):
        pass
    _steps(5, loss, optimizer)

    again, loss, optimizer = _start(name)
    state = torch.load(io.BytesIO(saved.getvalue()), weights_only=True)
    with torch.no_grad():
        for weight, kept in zip(again, state["weights"], strict=True):
            weight.copy_(kept)
    optimizer.load_state_dict(state["optimizer"])
    _steps(5, loss, optimizer)
    assert all(torch.equal(a, b) for a, b in zip(straight, again, strict=True))


@pytest.mark.parametrize("name", [name for name, kind in OPTIMIZERS.items() if kind.needs_gpu])
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_an_8_bit_optimizer_says_what_it_needs(name):
    with pytest.raises(SettingsError, match="NVIDIA GPU, and torch sees none. Use '(AdamW|Lion)'"):
        make_optimizer(name, [{"params": _problem()[0], "lr": 1e-3}], {})


def test_any_optimizer_can_be_given_by_its_path():
    weights, _ = _problem()
    assert isinstance(make_optimizer("torch.optim.RAdam", [{"params": weights, "lr": 1e-3}], {"weight_decay": 0.1}), torch.optim.RAdam)
    with pytest.raises(SettingsError, match=r"torch\.optim has no optimizer Adamm"):
        make_optimizer("torch.optim.Adamm", [{"params": weights, "lr": 1e-3}], {})
    with pytest.raises(SettingsError, match="needs the package not_there"):
        make_optimizer("not_there.Fancy", [{"params": weights, "lr": 1e-3}], {})


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("adamw8bits", {}, "did you mean 'AdamW8bit'"),
        ("AdamW", {"weight_decoy": 0.1}, "did you mean 'weight_decay'"),
        ("Lion", {"beats": [0.9, 0.99]}, "did you mean 'betas'"),
        ("AdamW", {"betas": 0.9}, "must be of the type of"),
        ("AdamW", {"betas": [0.9, 1.5]}, "refuses them"),
        ("Prodigy", {"decouple": 1}, "must be of the type of True"),
        ("Adafactor", {"relative_step": True}, "overrides the learning rate of the settings"),
    ],
)  # fmt: skip
def test_a_wrong_name_or_argument_is_named(name, args, words):
    with pytest.raises(SettingsError, match=words):
        make_optimizer(name, [{"params": _problem()[0], "lr": 1e-3}], args)


def test_looking_at_averaged_weights_changes_no_bit_of_the_trained_ones():
    weights, loss, optimizer = _start("AdamWScheduleFree")
    _steps(6, loss, optimizer)
    before = [w.detach().clone() for w in weights]
    with weights_for_use("AdamWScheduleFree", optimizer):
        assert not torch.equal(weights[0], before[0])
    assert all(torch.equal(a, b) for a, b in zip(weights, before, strict=True))


def test_muon_shares_its_matrices_out_on_the_device_where_they_are():
    """Rank 0 of two processes whose other one answers nothing; the matrix that is the other's is gathered on the same device."""
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    try:
        matrices = [torch.nn.Parameter(torch.zeros(8, 8, device="meta")) for _ in range(2)]
        for matrix in matrices:
            matrix.grad = torch.zeros_like(matrix)
        Muon(matrices).step()
    finally:
        dist.destroy_process_group()
