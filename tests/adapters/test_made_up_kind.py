"""A kind of network that the package does not know, with a setting of its own, is added by its two files and one entry of the registry:
set, trained, saved, read, merged, converted, continued from and checked like any other."""

import json
from dataclasses import replace

import pytest
import torch

from lorasmith.adapters.base_weights import empty_base
from lorasmith.adapters.compatibility.check import check_file
from lorasmith.adapters.delta import delta
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.lora_file import load_tensors
from lorasmith.adapters.kinds import KINDS
from lorasmith.adapters.kinds.layer_settings import OwnSettings
from lorasmith.adapters.settings import NetworkSettings, check_network
from lorasmith.adapters.tools.convert import convert_file
from lorasmith.adapters.tools.merge import merge_files
from lorasmith.errors import SettingsError
from lorasmith.evaluation.sampling.loras import with_lora
from lorasmith.models.open import describe, open_base
from lorasmith.training.run import train
from lorasmith.training.settings.toml import load_settings, settings_toml
from lorasmith.training.settings.tree import Settings, setting_names
from tests.adapters.made_up.outer import KIND, LEFT, RIGHT

NETWORK = {"kind": "outer", "rank": 16, "alpha": 2.0, "spread": 3.0, "train_text_encoder": False}


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(KINDS, KIND.name, KIND)


@pytest.fixture
def trained(settings_for, tmp_path):
    return train(settings_for(network=NETWORK, optimizer={"learning_rate": 1e-2}), tmp_path / "run").file


def layers_of(path):
    file = load_tensors(path)
    return read_network(file.tensors, file.metadata).whole().layers


def test_its_settings_are_checked_by_what_it_says():
    check_network(NetworkSettings(**NETWORK))
    assert "outer" in NetworkSettings.model_json_schema()["properties"]["kind"]["enum"]
    with pytest.raises(SettingsError, match="network.dropout has no effect on network.kind 'outer'"):
        check_network(NetworkSettings(kind="outer", dropout=0.1))


def test_its_own_setting_is_one_of_the_network_for_whoever_writes_settings(settings_for, tmp_path):
    path = tmp_path / "outer.toml"
    path.write_text(settings_toml(settings_for(network=NETWORK)), encoding="utf-8")
    assert "# Outer product: standard deviation of the right vector's start.\nspread = 3.0\n" in path.read_text(encoding="utf-8")
    assert load_settings(path) == settings_for(network=NETWORK) != settings_for(network=NETWORK | {"spread": 2.0})
    assert "network.spread" in list(setting_names())
    schema = Settings.model_json_schema()["$defs"]["NetworkSettings"]
    assert schema["properties"]["spread"]["maximum"] == 100
    assert not schema["additionalProperties"]
    for network, message in (
        ({"spraed": 3.0}, r"no setting 'network.spraed'; did you mean 'spread'\?"),
        ({"spread": 101}, "network.spread = 101 should be less than or equal to 100"),
    ):
        with pytest.raises(SettingsError, match=message):
            settings_for(network=NETWORK | network)
    with pytest.raises(SettingsError, match="network.spread has no effect on network.kind 'lora'; remove it or choose outer"):
        check_network(NetworkSettings(spread=3.0))


def test_without_the_kind_there_is_no_such_setting(settings_for, monkeypatch):
    monkeypatch.delitem(KINDS, KIND.name)
    with pytest.raises(SettingsError, match="no setting 'network.spread'"):
        settings_for(network={"spread": 3.0})


def test_a_name_that_is_taken_is_not_declared_again(monkeypatch):
    class Taken(OwnSettings):
        factor: int = 1

    monkeypatch.setitem(KINDS, KIND.name, replace(KIND, own_settings=Taken))
    with pytest.raises(ValueError, match="'factor' is declared by Taken and was there before"):
        NetworkSettings()


def test_a_run_trains_it_and_its_file_is_read_merged_converted_and_checked(trained, toy_base, tmp_path):
    layers = layers_of(trained)
    assert {layer.kind for layer in layers.values()} == {KIND}
    assert {layer.alpha for layer in layers.values()} == {2.0}
    assert any(layer.tensors[LEFT].any() for layer in layers.values())
    spreads = [layer.tensors[RIGHT].float().square().mean().sqrt().item() for layer in layers.values()]
    assert sum(spreads) / len(spreads) == pytest.approx(3.0, rel=0.2)
    assert json.loads(load_tensors(trained).metadata["ss_network_args"]) == {"algo": "outer", "spread": 3.0}

    merge_files([(trained, 0.5), (trained, 0.25)], tmp_path / "merged.safetensors", rank=1, precision="fp32")
    convert_file(trained, tmp_path / "lora.safetensors", "lora", rank=1, precision="fp32")
    merged, converted = layers_of(tmp_path / "merged.safetensors"), layers_of(tmp_path / "lora.safetensors")
    for name, layer in layers.items():
        whole = delta(layer).flatten(1).double()
        torch.testing.assert_close(delta(merged[name]).flatten(1), 0.75 * whole, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(delta(converted[name]).flatten(1), whole, rtol=1e-4, atol=1e-6)

    report = check_file(trained, base=empty_base(describe(toy_base)))
    assert report.kinds == {"outer": len(layers)}
    assert {name: found.verdict for name, found in report.consumers.items()}["diffusers"] == "none"
    assert "check.misfit" not in [finding.code for finding in report.findings]


def test_it_acts_on_a_base_from_its_file_and_fits_no_other_size(trained, toy_base):
    base = open_base(toy_base, torch.float32)
    layer = next(iter(layers_of(trained).values()))
    with with_lora(base, trained):
        pass
    assert layer.misfit((layer.tensors[LEFT].shape[0], layer.tensors[RIGHT].shape[0])) is None
    assert "made for" in layer.misfit((3, 5))


def test_a_second_training_continues_from_it(trained, settings_for, tmp_path):
    network = {**NETWORK, "weights": str(trained)}
    settings = settings_for(network=network, optimizer={"learning_rate": 1e-12}, training={"epochs": 1, "batch_size": 2, "seed": 5})
    second = layers_of(train(settings, tmp_path / "second").file)
    for name, layer in layers_of(trained).items():
        torch.testing.assert_close(second[name].tensors[RIGHT].float(), layer.tensors[RIGHT].float(), rtol=1e-3, atol=1e-3)
