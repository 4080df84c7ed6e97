"""A run that this machine cannot do is refused before a weight is read."""

import pytest

from lorasmith import cluster
from lorasmith.errors import InputError, SettingsError
from lorasmith.training.planning import machine_fit
from lorasmith.training.settings.tree import settings_from


@pytest.mark.parametrize(
    ("device", "triton", "compiler", "word"),
    [("cuda", False, True, "triton"), ("cuda", True, False, "C compiler"), ("cpu", False, False, "C compiler")],
)
def test_torch_compile_without_what_it_compiles_with_is_refused(monkeypatch, device, triton, compiler, word):
    monkeypatch.setattr(machine_fit, "find_spec", lambda name: object() if triton else None)
    monkeypatch.setattr(machine_fit.shutil, "which", lambda name: f"/bin/{name}" if compiler else None)
    with pytest.raises(SettingsError, match=word) as raised:
        machine_fit.check_compiler(device)
    assert "torch_compile" in str(raised.value)


@pytest.mark.parametrize(("device", "triton"), [("cuda", True), ("cpu", False)])
def test_torch_compile_is_taken_where_there_is_a_compiler(monkeypatch, device, triton):
    monkeypatch.setattr(machine_fit, "find_spec", lambda name: object() if triton else None)
    monkeypatch.setattr(machine_fit.shutil, "which", lambda name: "/bin/gcc" if name == "gcc" else None)
    machine_fit.check_compiler(device)


@pytest.mark.parametrize(
    ("installed", "training", "sentence"),
    [
        (False, {}, r"Ray is missing. .*lorasmith\[scale\]"), (True, {"memory": "auto"}, "training.memory fits a run to the GPU"),
        (True, {"device": "mps"}, "training.device is mps"),
    ],
)  # fmt: skip
def test_a_run_over_ray_that_could_not_be_one_is_refused(monkeypatch, installed, training, sentence):
    monkeypatch.setattr(cluster, "find_spec", lambda name: object() if installed else None)
    settings = settings_from({"base": {"path": "base"}, "datasets": [{"path": "pictures"}], "training": {"epochs": 1, **training}})
    with pytest.raises(InputError, match=sentence):
        machine_fit.check_can_use_ray(settings)
