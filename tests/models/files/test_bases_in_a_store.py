"""Bases at a URL are described and opened from a copy."""

import pytest

from lorasmith.demo.weights import BASE
from lorasmith.errors import InputError
from lorasmith.models.files.hub import is_elsewhere, source_of
from lorasmith.models.open import describe
from lorasmith.stores import Place


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("LORASMITH_CACHE", str(tmp_path / "cache"))
    return Place.at(f"memory://bucket/{tmp_path.name}")


def test_a_diffusers_folder_is_described_without_what_no_base_needs(store, toy_base):
    for path in toy_base.rglob("*"):
        if path.is_file():
            store.send(f"base/{path.relative_to(toy_base).as_posix()}", path)
    store.send("base/unet/diffusion_pytorch_model.bin", b"a pickle, which nobody reads")
    store.send("base/README.md", b"words")
    url = f"{store.url}/base"
    described, wanted = describe(url), describe(toy_base)
    assert (described.family, described.parts.keys()) == (wanted.family, wanted.parts.keys())
    assert not list(described.source.rglob("*.bin"))
    assert not list(described.source.glob("README.md"))
    assert source_of(url) == described.source


def test_a_single_file_is_described(store, toy_base):
    weights = next((toy_base / "vae").glob("*.safetensors"))
    store.send("vae.safetensors", weights)
    assert source_of(f"{store.url}/vae.safetensors").read_bytes() == weights.read_bytes()
    assert describe(toy_base, vae=f"{store.url}/vae.safetensors").family == describe(toy_base).family


def test_a_base_that_is_not_there_is_said(store):
    with pytest.raises(InputError, match=f"There is nothing at {store.url}/base. Check the bucket and the path."):
        describe(f"{store.url}/base")


def test_what_has_to_be_fetched_is_told_from_what_is_here():
    assert is_elsewhere("s3:/bucket/base")
    assert is_elsewhere("owner/name")
    assert not is_elsewhere(BASE)
