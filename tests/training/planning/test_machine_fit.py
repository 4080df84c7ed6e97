"""A run that this machine cannot do is refused before a weight is read."""

import pytest

from lorasmith.errors import SettingsError
from lorasmith.training.planning import machine_fit


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
