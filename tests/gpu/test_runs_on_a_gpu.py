"""Whole runs on a GPU: they end, a stopped one goes on to the same bytes with deterministic kernels, and every verb after them works."""

import json

import pytest
import torch
from safetensors.torch import load_file

from lorasmith.adapters.tools.low_rank import matrix_svd
from lorasmith.demo.weights import BASE
from lorasmith.evaluation.prove import prove
from lorasmith.models.families import FAMILIES
from lorasmith.training import events
from lorasmith.training.commands import Commands
from lorasmith.training.run import resume, train
from tests.models.toys import PLAIN, toy_folder

CUDA = {"device": "cuda", "deterministic": True}


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"training": {"mixed_precision": "bf16"}},
        {"training": {"mixed_precision": "fp16", "gradient_checkpointing": True}},
        {"training": {"mixed_precision": "bf16", "weight_dtype": "bf16", "ema_decay": 0.9}},
        {"base": {"quantize": "int8"}, "captions": {"cached_variants": 3}, "network": {"rank": 2, "train_text_encoder": False}},
        {"base": {"quantize": "fp8"}, "training": {"blocks_to_swap": 2, "gradient_checkpointing": True}},
        {"base": {"quantize": "nf4"}, "training": {"mixed_precision": "bf16"}, "optimizer": {"type": "Prodigy", "learning_rate": 1.0}},
        {"noise": {"noise_offset": 0.1, "multires_noise_iterations": 3, "ip_noise_gamma": 0.1}, "loss": {"prior_preservation": 0.5}},
    ],
    ids=[
        "plain",
        "bf16",
        "fp16, checkpointed",
        "bf16 weights, EMA",
        "int8, cached texts",
        "fp8, swapped",
        "nf4, Prodigy",
        "noise, prior preservation",
    ],
)
@pytest.mark.parametrize("family", PLAIN)
def test_a_stopped_run_goes_on_to_the_same_bytes(settings_for, tmp_path, sections, family):
    if FAMILIES[family].is_flow and "noise" in sections:
        pytest.skip("a flow model takes no noise offset")
    training = {"epochs": 2, "batch_size": 2, **CUDA, **sections.get("training", {})}
    base = {"path": str(toy_folder(family)), **sections.get("base", {})}
    settings = settings_for(
        **{**sections, "training": training, "base": base},
        buckets={"resolution": 64, "min_bucket_reso": 32, "max_bucket_reso": 128, "bucket_reso_steps": 16},
    )
    whole = train(settings, tmp_path / "whole").file
    commands = Commands()

    def stop(event):
        if isinstance(event, events.StepDone) and event.step == 4:
            commands.stop()

    assert not train(settings, tmp_path / "part", [stop], commands).finished
    assert resume(tmp_path / "part").file.read_bytes() == whole.read_bytes()
    assert all(torch.isfinite(value).all() for value in load_file(whole).values())


def test_the_memory_that_a_run_took_is_written_down(settings_for, tmp_path):
    seen = []
    train(settings_for(training={"epochs": 1, "batch_size": 2, "device": "cuda"}), tmp_path / "run", [seen.append])
    peaks = [event.gpu_memory_bytes for event in seen if isinstance(event, events.StepDone)]
    assert peaks
    assert all(0 < peak < 1 << 30 for peak in peaks)


def test_a_run_on_the_demo_base_is_sampled_validated_and_proven(settings_for, tmp_path):
    settings = settings_for(
        base={"path": str(BASE)}, training={"epochs": 2, "batch_size": 2, "device": "cuda"}, validation={"every_n_epochs": 1},
        buckets={"resolution": 64, "min_bucket_reso": 32, "max_bucket_reso": 128, "bucket_reso_steps": 16},
        samples={"prompts": ["{trigger}, happy"], "steps": 4},
    )  # fmt: skip
    result = train(settings, tmp_path / "run")
    assert result.finished
    assert len(list(result.folder.glob("samples/*.png"))) == 3
    proven = prove(result.folder, effort="quick", weights=())
    assert proven.complete
    assert len(proven.verdict.checkpoints) == 2
    json.dumps(proven.as_data())


@pytest.mark.parametrize(("shape", "most"), [((64, 48), None), ((1280, 2048), 16)], ids=["exact", "randomised"])
def test_a_matrix_is_decomposed_as_on_the_cpu(shape, most):
    generator = torch.Generator().manual_seed(0)
    thin = (
        torch.randn(shape[0], 8, generator=generator, dtype=torch.float64),
        torch.randn(8, shape[1], generator=generator, dtype=torch.float64),
    )
    matrix = thin[0] @ thin[1] + 0.01 * torch.randn(shape, generator=generator, dtype=torch.float64)
    found = matrix_svd(matrix, most)  # on the GPU, because there is one
    values = torch.linalg.svdvals(matrix)
    assert torch.allclose(found.s[:8], values[:8], rtol=1e-9)
    cut = (found.u[:, :8] * found.s[:8]) @ found.vh[:8]
    assert (matrix - cut).norm().item() == pytest.approx(values[8:].norm().item(), rel=1e-6)
