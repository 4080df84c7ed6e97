"""`lorasmith base inspect`: what a base is, in words and for scripts."""

import json

import pytest
import typer
from typer.testing import CliRunner

from lorasmith.cli.base import app
from lorasmith.errors import BaseModelError
from lorasmith.models.files.hashes import sha256
from tests.models.test_detection import FLUX, SDXL, header_file


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("LORASMITH_CACHE", str(tmp_path / "cache"))
    whole = typer.Typer()
    whole.add_typer(app, name="base")

    def call(*arguments):
        result = CliRunner().invoke(whole, ["base", "inspect", *map(str, arguments)])
        if result.exception:
            raise result.exception
        return result.output

    return call


def test_a_base_is_described_in_words(run, tmp_path):
    words = run(header_file(tmp_path / "noob.safetensors", SDXL | {"v_pred": (), "ztsnr": ()}))
    assert "Stable Diffusion XL, a single file" in words
    assert "the file carries the mark v_pred" in words
    assert "zero terminal SNR: the file carries the mark ztsnr" in words
    assert "under conditioner.embedders.1.model" in words
    assert "lora_te1_ and lora_te2_" in words
    assert "1024 x 1024" in words
    assert "licence of Stable Diffusion XL: CreativeML Open RAIL++-M; a fine-tuned base may have another" in words


def test_a_base_is_described_for_scripts(run, tmp_path):
    path = header_file(tmp_path / "flux.safetensors", FLUX)
    data = json.loads(run(path, "--json", "--hashes"))
    assert (data["family"], data["variant"], data["prediction_type"]) == ("flux", "dev", "flow")
    assert data["missing"] == ["text_encoder", "text_encoder_2", "vae"]
    assert data["sha256"] == {str(path): sha256(path)}
    assert data["parts"]["transformer"]["dtype"] == "fp16"


def test_separate_files_complete_a_base(run, tmp_path):
    flux = header_file(tmp_path / "flux.safetensors", FLUX)
    clip = header_file(tmp_path / "clip_l.safetensors", {"text_model.embeddings.token_embedding.weight": (9, 768)})
    t5 = header_file(tmp_path / "t5xxl.safetensors", {"encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096)})
    ae = header_file(tmp_path / "ae.safetensors", {"encoder.down.0.block.0.norm1.weight": (8,)})
    words = run(flux, "--text-encoder", clip, "--text-encoder-2", t5, "--vae", ae)
    assert "separate files" in words
    assert "is not there" not in words
    with pytest.raises(
        BaseModelError, match="base.vae is .*clip_l.safetensors, which is a CLIP text encoder, .*; this base reads an autoencoder"
    ):
        run(flux, "--vae", clip)
