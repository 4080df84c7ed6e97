"""Devices: which one is taken, what is said where one is missing, and that what differs between them is asked in one place."""

import re
from pathlib import Path

import pytest
import torch

import lorasmith
from lorasmith.errors import SettingsError
from lorasmith.models.device import DEVICES, choose_device, device_of, flags_in
from lorasmith.training.settings.sections import TrainingSettings


@pytest.mark.parametrize(("there", "chosen"), [(("xpu",), "xpu"), (("mps",), "mps"), (("cuda", "xpu"), "cuda")])
def test_auto_takes_the_first_that_is_there(monkeypatch, there, chosen):
    for name, kind in DEVICES.items():
        if name != "cpu":
            monkeypatch.setitem(DEVICES, name, fake(kind, name in there))
    assert choose_device("auto") == chosen
    assert all(choose_device(name) == name for name in there)
    assert choose_device("cpu") == "cpu"


def fake(kind, there):
    """The kind as it would be where it is, or is not, there."""
    made = type("Fake", (type(kind),), {"count": lambda self: 2 if there else 0, "free_bytes": lambda self: 6_000_000_000})
    return made(**vars(kind))


def test_without_a_gpu_auto_is_the_cpu_and_what_was_asked_for_is_refused_with_what_to_do(monkeypatch):
    for name, kind in DEVICES.items():
        if name != "cpu":
            monkeypatch.setitem(DEVICES, name, fake(kind, False))
    assert choose_device() == "cpu"
    for name, words in (("cuda", "an NVIDIA or AMD GPU.*Install a GPU build"), ("xpu", "Intel"), ("mps", "Apple.*choose 'cpu'")):
        with pytest.raises(SettingsError, match=words) as refused:
            choose_device(name)
        assert refused.value.code == "settings.no_gpu"
    with pytest.raises(SettingsError, match="no device 'cdua'; did you mean 'cuda'"):
        choose_device("cdua")


def test_settings_take_every_device_of_the_registry_and_no_other():
    assert [TrainingSettings(device=name).device for name in ("auto", *DEVICES)] == ["auto", *DEVICES]
    assert TrainingSettings.model_json_schema()["properties"]["device"]["enum"] == ["auto", *DEVICES]
    with pytest.raises(ValueError, match="'mps'"):
        TrainingSettings(device="tpu")


@pytest.mark.parametrize("kind", DEVICES.values(), ids=DEVICES)
def test_each_has_what_torch_needs_for_what_it_says(kind):
    module = kind.torch
    assert callable(module.is_available)
    assert callable(module.synchronize)
    if kind.name != "cpu":
        assert callable(module.empty_cache)
        assert callable(module.device_count)
    if kind.name == "mps":
        assert callable(module.recommended_max_memory)
        assert callable(module.driver_allocated_memory)
    elif kind.name != "cpu":
        assert all(
            callable(getattr(module, name)) for name in ("mem_get_info", "max_memory_allocated", "is_bf16_supported", "get_device_name")
        )
        assert kind.streams
        assert kind.backend
        assert kind.own_memory
    assert not kind.streams or kind.own_memory


def test_the_cpu_knows_its_memory_and_its_name():
    cpu = device_of(torch.zeros(1))
    assert cpu is DEVICES["cpu"]
    assert cpu.free_bytes() > 0
    assert cpu.peak_bytes() is None
    assert "cores" in cpu.shown()


CPUS = {
    "without": "processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512_vnni\n", "avx512": "processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 amx_tile\n",
    "amx": "processor\t: 0\nflags\t\t: fpu amx_bf16 amx_tile\n\nprocessor\t: 1\nflags\t\t: fpu\n", "arm": "processor\t: 0\nFeatures\t: fp asimd bf16\n",
    "nothing": "",
}  # fmt: skip


@pytest.mark.parametrize(("cpu", "faster"), [("without", False), ("avx512", True), ("amx", True), ("arm", False), ("nothing", False)])
def test_bf16_is_faster_on_a_cpu_with_its_instructions_where_layers_are_wide(cpu, faster):
    kind = with_flags(DEVICES["cpu"], flags_in(CPUS[cpu]))
    assert [kind.is_faster_in_bf16(width) for width in (192, 256, 1280)] == [False, faster, faster]


def with_flags(kind, flags, alone=True):
    """The CPU as one with these instruction sets, and without or with a GPU beside it."""
    return type("Fake", (type(kind),), {"flags": lambda self: frozenset(flags), "is_alone": lambda self: alone})(**vars(kind))


def test_no_code_elsewhere_asks_one_kind_of_device():
    """CUDA graphs are the exception: no other device has them."""
    package = Path(lorasmith.__file__).parent
    found = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if re.search(r"torch\.(cuda|xpu|mps)\b|\.is_cuda\b|\.cuda\(\)", path.read_text(encoding="utf-8"))
    }
    assert found == {"training/learner/cuda_graphs.py"}
