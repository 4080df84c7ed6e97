"""Krea 2: what it reads, what it says, how it is recognised, and its LoRA files."""

import json
import math
import shutil

import pytest
import torch

from lorasmith.adapters.compatibility.check import check_file
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.lora_file import LoraFile
from lorasmith.errors import BaseModelError
from lorasmith.models.families import FAMILIES
from lorasmith.models.files.weights import empty_module
from lorasmith.models.krea2.conversion import from_original
from lorasmith.models.open import describe, open_base
from lorasmith.models.patches import pack, unpack
from lorasmith.models.sampling import initial_latents
from lorasmith.models.texts import TextOptions
from tests.models import toys
from tests.models.test_detection import header_file

CAPTIONS = ["a happy red cat", "", "the big dog " * 300]  # the last is longer than what is read
DENOISER = {"model.diffusion_model.txtfusion.projector.weight": (1, 12), "model.diffusion_model.blocks.0.attn.wq.weight": (6144, 6144)}


@pytest.fixture(scope="module")
def base():
    return open_base(toys.toy_folder("krea2"), torch.float32)


@pytest.fixture(scope="module")
def pipeline():
    return toys.pipeline_of("krea2")


@pytest.fixture(scope="module")
def transformer():
    """At full size, without weights."""
    return empty_module(FAMILIES["krea2"].usual.parts["transformer"])


def test_captions_have_the_states_of_diffusers_pipeline_each_at_its_own_length(base, pipeline):
    """It pads between caption and template; without padding the states are the same."""
    with torch.no_grad():
        theirs, mask = pipeline.encode_prompt(list(CAPTIONS))
        ours = base.encode_texts(CAPTIONS, TextOptions())
    assert ours.lengths() == mask.sum(1).tolist()
    assert ours.lengths()[1:] == [base.language_model.around, 512]
    for k, length in enumerate(ours.lengths()):
        torch.testing.assert_close(ours.states[k, :length], theirs[k][mask[k]], atol=1e-5, rtol=1e-5)
        assert not ours.states[k, length:].any()


def test_one_step_predicts_what_diffusers_pipeline_does(base, pipeline):
    latents = initial_latents(base, [1, 2], toys.PICTURE, toys.PICTURE)
    told = {"num_inference_steps": 1, "guidance_scale": 0.0, "output_type": "latent", "width": toys.PICTURE, "height": toys.PICTURE}
    with torch.no_grad():
        drawn = unpack(pipeline(CAPTIONS[:2], latents=pack(latents), **told).images, *latents.shape[-2:])
        ours = base.predict(latents, torch.tensor([1000.0, 1000.0]), base.encode_texts(CAPTIONS[:2], TextOptions()))
    torch.testing.assert_close(ours, latents - drawn, atol=1e-5, rtol=1e-5)


def test_its_norms_stay_in_float32_beside_weights_in_half_precision():
    half = open_base(toys.toy_folder("krea2"), torch.bfloat16)
    dtypes = {name: parameter.dtype for name, parameter in half.parts["transformer"].named_parameters()}
    assert dtypes["transformer_blocks.0.norm1.weight"] == dtypes["txt_in.norm.weight"] == torch.float32
    assert dtypes["transformer_blocks.0.attn.to_q.weight"] == torch.bfloat16


def test_raw_and_turbo_are_told_apart_by_their_index_and_by_name(tmp_path):
    assert describe(toys.toy_folder("krea2")).variant == "raw"
    turbo = open_base(toys.toy_folder("krea2-turbo"), torch.float32)
    assert turbo.diffusion.shift.mu(1024) == turbo.defaults.shift.mu(4096) == pytest.approx(1.15)
    assert (turbo.defaults.steps, turbo.defaults.cfg_scale) == (8, 1.0)
    assert describe(header_file(tmp_path / "krea2_turbo_fp8.safetensors", DENOISER)).variant == "turbo"
    raw = describe(header_file(tmp_path / "krea2_raw.safetensors", DENOISER))
    assert (raw.family, raw.variant) == ("krea2", "raw")
    assert any("distilled to few steps" in note for note in raw.notes)


def test_a_folder_that_reads_other_layers_is_refused(tmp_path):
    folder = shutil.copytree(toys.toy_folder("krea2"), tmp_path / "other")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"text_encoder_select_layers": [0, 1]}))
    with pytest.raises(BaseModelError, match="reads the layers"):
        describe(folder)


# -- at full size ---------------------------------------------------------------------------------------------------------------


def test_the_published_size_and_the_layers_that_are_trained(transformer):
    assert sum(parameter.numel() for parameter in transformer.parameters()) == 12_820_073_036
    shapes = keys.weight_shapes("krea2", {"transformer": transformer})
    assert (len(shapes), sum(rows + width for rows, width in shapes.values())) == (264, 3_665_805)
    assert len(keys.targets("krea2", "transformer", transformer, "attention")) == 140
    assert FAMILIES["krea2"].defaults.shift.mu(4096) == pytest.approx(0.90625)
    assert math.log(FAMILIES["krea2"].variant("turbo").defaults.shift.factor) == pytest.approx(1.15)


def test_diffusers_own_converters_agree_on_every_name(transformer):
    from diffusers.loaders.lora_conversion_utils import _convert_non_diffusers_krea2_lora_to_diffusers
    from diffusers.loaders.single_file_utils import convert_krea2_transformer_checkpoint_to_diffusers

    shapes = {name: tuple(tensor.shape) for name, tensor in transformer.state_dict().items()}
    takes = from_original(shapes, ())
    file = {
        take.key: torch.empty(math.prod(shapes[name]) if "blocks" in name and take.any_shape else shapes[name], device="meta")
        for name, take in takes.items()
    }
    assert len(file) == len(shapes)
    assert {name: tuple(tensor.shape) for name, tensor in convert_krea2_transformer_checkpoint_to_diffusers(file).items()} == shapes
    ours = {name: paths[0] for name, paths in keys.targets("krea2", "transformer", transformer).items()}
    theirs = _convert_non_diffusers_krea2_lora_to_diffusers({f"{keys.file_name('krea2', name)}.lora_A.weight": 0 for name in ours})
    assert sorted(theirs) == sorted(f"transformer.{path}.lora_A.weight" for path in ours.values())


# -- LoRA files -----------------------------------------------------------------------------------------------------------------


def lora(prefix, *layers, joint=".", down="lora_A.weight", up="lora_B.weight", alpha=False):
    tensors = {}
    for layer in layers:
        name = prefix + layer.replace(".", joint)
        tensors |= {f"{name}.{down}": torch.ones(4, 6144), f"{name}.{up}": torch.ones(6144, 4)}
        tensors |= {f"{name}.alpha": torch.tensor(4.0)} if alpha else {}
    return tensors


KOHYA = {"joint": "_", "down": "lora_down.weight", "up": "lora_up.weight", "alpha": True}
NATIVE, OWN = ("blocks.0.attn.wq", "blocks.27.attn.gate"), ("transformer_blocks.0.attn.to_q", "transformer_blocks.27.attn.to_gate")


@pytest.mark.parametrize(
    ("tensors", "verdicts"),
    [
        (lora("diffusion_model.", *NATIVE), ("all", "all", "all")),
        (lora("diffusion_model.", *NATIVE, alpha=True), ("all", "all", "none")),
        (lora("lora_unet_", *NATIVE, **KOHYA), ("all", "all", "none")),
        (lora("transformer.", *OWN), ("all", "all", "all")),
    ],
    ids=["ai-toolkit's", "with alpha", "musubi-tuner's", "diffusers'"],
)
def test_each_way_of_naming_is_read_and_what_each_program_does_with_it_is_known(tensors, verdicts):
    network = read_network(tensors)
    assert (network.family, list(network.layers)) == ("krea2", [f"diffusion_model_{name.replace('.', '_')}" for name in NATIVE])
    report = check_file(LoraFile(tensors, {}), fit=False)
    assert tuple(report.consumers[program].verdict for program in ("Forge", "ComfyUI", "diffusers")) == verdicts
