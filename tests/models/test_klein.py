"""FLUX.2 klein: three states of a language model, 16 pixels a token, an empirical shift, and LoRA files that load everywhere."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from lorasmith.adapters.attach import adapter_tensors, attach
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.key_style import in_style_of
from lorasmith.errors import BaseModelError
from lorasmith.models.families import FAMILIES
from lorasmith.models.files.weights import empty_module
from lorasmith.models.klein.base import latent_ids, text_ids
from lorasmith.models.open import describe, missing_parts, open_base
from lorasmith.models.sampling import initial_latents
from lorasmith.models.texts import TextOptions
from tests.adapters.files.test_family import DOUBLE, kohya
from tests.adapters.files.test_family import lora as lora_layers
from tests.models import toys
from tests.models.single_files import write_single_file
from tests.models.test_detection import header_file
from tests.reference import FOLDER, reference_json

CAPTIONS = ["a red cat", "the big sad dog, beach"]
KLEIN = FAMILIES["klein"]
MODULATION = "double_stream_modulation_img.lin.weight"


def header(width):
    return {
        "double_blocks.0.img_attn.qkv.weight": (3 * width, width), "img_in.weight": (width, 128), MODULATION: (6 * width, width),
        "single_stream_modulation.lin.weight": (3 * width, width),
    }  # fmt: skip


@pytest.fixture(scope="module")
def base():
    return open_base(toys.toy_folder("klein"), torch.float32)


@pytest.fixture(scope="module")
def full_size():
    return empty_module(KLEIN.usual.parts["transformer"])


@pytest.fixture(scope="module")
def pipeline():
    return toys.pipeline_of("klein")


@torch.no_grad()
def test_the_states_are_those_of_diffusers_pipeline(base, pipeline):
    ours = base.encode_texts(CAPTIONS, TextOptions(max_token_length=64))
    theirs, ids = pipeline.encode_prompt(CAPTIONS, max_sequence_length=64)
    assert ours.mask is None, "what fills a caption is read"
    torch.testing.assert_close(ours.states, theirs, atol=1e-5, rtol=1e-5)
    assert torch.equal(text_ids(64), ids[0].float())
    assert torch.equal(latent_ids(4, 6), pipeline._prepare_latent_ids(torch.zeros(1, 1, 4, 6))[0].float())


@torch.no_grad()
def test_one_prediction_is_that_of_the_pipelines_own_call(base, pipeline):
    seen = []
    hook = pipeline.transformer.register_forward_hook(lambda module, given, answer: seen.append(answer[0]))
    latents = initial_latents(base, [1, 2], toys.PICTURE, toys.PICTURE)
    size = {"width": toys.PICTURE, "height": toys.PICTURE, "output_type": "latent", "num_inference_steps": 1}
    pipeline(prompt=CAPTIONS, latents=latents, guidance_scale=1.0, max_sequence_length=64, **size)
    hook.remove()
    texts = base.encode_texts(CAPTIONS, TextOptions(max_token_length=64))
    ours = base.predict(latents, torch.tensor([1000.0, 1000.0]), texts)
    torch.testing.assert_close(ours.flatten(2).transpose(1, 2), seen[0], atol=1e-5, rtol=1e-5)


def test_it_is_drawn_further_in_the_noise_in_few_steps_and_trained_on_fluxs_line(base):
    reference = {4: 2.291179894115571, 50: 2.0233511571292637}
    assert {steps: KLEIN.defaults.shift.mu(4096, steps) for steps in reference} == pytest.approx(reference)
    assert KLEIN.defaults.shift.mu(4096) == pytest.approx(1.15)
    assert base.tokens(64, 64) == 4096
    noise = [sigma / (1 + sigma) for sigma in base.diffusion.sigmas(4, 4096)]
    assert noise == pytest.approx([1.0, 0.9673840403556824, 0.908143937587738, 0.7671999335289001], abs=1e-5)


@pytest.mark.parametrize(("size", "parameters"), [("4B", 3_875_544_576), ("9B", 9_078_581_248)])
def test_a_full_size_klein_is_the_published_one(size, parameters):
    parts = KLEIN.variants[size].parts
    module = empty_module(parts["transformer"])
    assert sum(parameter.numel() for parameter in module.parameters()) == parameters
    shapes = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    takes = parts["transformer"].architecture.tables["bfl"](shapes, ())
    assert takes.keys() == shapes.keys()
    rows: dict[str, list[tuple[int, int]]] = {}
    for name, take in takes.items():
        rows.setdefault(take.key, []).append(take.rows or (0, shapes[name][0]))
    for spans in rows.values():
        spans.sort()
        assert [begin for begin, _ in spans] == [0, *(end for _, end in spans[:-1])], "each row is taken once"
    assert parts["transformer"].settings["joint_attention_dim"] == 3 * parts["text_encoder"].settings["hidden_size"]


def test_each_layer_is_where_the_peers_have_it(full_size):
    for path, there in reference_json("keys/dit_module_map_flux2_klein4b.json")["map"].items():
        place = keys.place("klein", "transformer", path)
        assert place.name == f"diffusion_model_{there['native'].replace('.', '_')}"
        assert place.halves_swapped == there.get("halves_swapped", False)
        rows = full_size.get_submodule(path).weight.shape[0]
        assert there["rows"] in (None, [place.slot * rows, rows])
        assert path in keys.layers_of("klein", place.name)[1]


def test_a_lora_has_the_keys_that_load_everywhere(full_size):
    targets = keys.targets("klein", "transformer", full_size)
    with torch.device("meta"):
        adapter = attach(full_size, targets, 4, 1.0, seed=1)
        tensors = adapter_tensors(adapter)
    adapter.detach()
    tensors = {key: torch.ones(()) if key.endswith(".alpha") else tensor for key, tensor in tensors.items()}
    written, metadata = in_style_of("klein", tensors, {})
    expected = reference_json("keys/everywhere_keys_flux2_klein4b.json")["keys"]
    assert {key: list(tensor.shape) for key, tensor in written.items()} == expected
    assert json.loads(metadata["lorasmith_alphas"]) == 1.0
    shapes = keys.weight_shapes("klein", {"transformer": full_size})
    assert sum(rows + columns for rows, columns in shapes.values()) == 1_443_840, "parameters for each unit of rank"
    large = empty_module(KLEIN.variants["9B"].parts["transformer"])
    shapes = keys.weight_shapes("klein", {"transformer": large})
    assert (len(shapes), sum(rows + columns for rows, columns in shapes.values())) == (112, 2_588_672)


@pytest.mark.skipif(not (FOLDER / "keys").is_dir(), reason="needs the lists of trainers' keys")
@pytest.mark.parametrize("written_by", ["kohya", "everywhere"])
def test_the_files_of_the_peers_are_read(written_by):
    shapes = reference_json(f"keys/{written_by}_keys_flux2_klein4b.json")["keys"]
    network = read_network({key: torch.zeros(shape) if shape else torch.tensor(1.0) for key, shape in shapes.items()})
    assert (network.family, len(network.layers), network.unread) == ("klein", 80, {})


@pytest.mark.parametrize(
    ("tensors", "metadata", "family"),
    [
        (lora_layers(("diffusion_model.double_blocks.0.img_attn.qkv", 12288, 4096)), {}, "klein"),
        (lora_layers(("diffusion_model.single_blocks.0.linear2", 3072, 12288)), {}, "klein"),
        (lora_layers(("transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj", 27648, 3072)), {}, "klein"),
        (kohya((f"{DOUBLE}0_img_attn_qkv", 9216, 3072)), {"ss_base_model_version": "flux2_klein_4b"}, "klein"),
        (kohya((f"{DOUBLE}0_img_attn_qkv", 9216, 3072)), {}, "flux"),
        (kohya((f"{DOUBLE}0_img_mlp_0", 12288, 3072)), {}, "flux"),
    ],
)
def test_a_lora_file_is_kleins_by_its_shapes_or_by_words(tensors, metadata, family):
    assert read_network(tensors, metadata).family == family


def test_sizes_are_told_by_the_header_and_dev_is_refused_by_name(tmp_path):
    for width, size, licence in ((3072, "4B", "Apache-2.0"), (4096, "9B", "Non-Commercial")):
        described = describe(header_file(tmp_path / f"{width}.safetensors", header(width)))
        assert (described.family, described.variant, missing_parts(described)) == ("klein", size, ["text_encoder", "vae"])
        assert any(licence in note for note in described.notes)
        assert any("do not say whether it was distilled" in note for note in described.notes)
        assert any(f"train on FLUX.2 klein base {size}" in note for note in described.notes)
    for tensors in (header(6144), header(3072) | {"guidance_in.in_layer.weight": (3072, 256)}):
        with pytest.raises(BaseModelError, match="FLUX.2 dev"):
            describe(header_file(tmp_path / "dev.safetensors", tensors))


def test_a_folder_says_whether_it_was_distilled(tmp_path):
    assert describe(toys.toy_folder("klein")).variant == "base 4B"
    folder = tmp_path / "distilled"
    folder.mkdir()
    for each in toys.toy_folder("klein").iterdir():
        if each.name != "model_index.json":
            (folder / each.name).symlink_to(each)
    index = json.loads((toys.toy_folder("klein") / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"is_distilled": True}))
    described = describe(folder)
    assert (described.form.distilled, described.form.defaults.steps, described.form.defaults.cfg_scale) == (True, 4, 1.0)
    assert any("train on FLUX.2 klein base 4B" in note for note in described.notes)


def test_parts_come_from_files_of_their_own(base, tmp_path):
    folder = toys.toy_folder("klein")
    whole = load_file(write_single_file(folder, tmp_path / "whole.safetensors"))
    begins = {"model": "model.diffusion_model.", "vae": "vae.", "qwen": "text_encoders.qwen3_4b.transformer."}
    for name, begin in begins.items():
        save_file(
            {key.removeprefix(begin): value for key, value in whole.items() if key.startswith(begin)}, tmp_path / f"{name}.safetensors"
        )
    apart = open_base(
        tmp_path / "model.safetensors",
        torch.float32,
        config=folder,
        vae=tmp_path / "vae.safetensors",
        text_encoder=tmp_path / "qwen.safetensors",
    )
    latents = initial_latents(base, [1], toys.PICTURE, toys.PICTURE)
    with torch.no_grad():
        answers = [
            one.predict(latents, torch.tensor([500.0]), one.encode_texts(CAPTIONS[:1], TextOptions(max_token_length=64)))
            for one in (base, apart)
        ]
    torch.testing.assert_close(*answers)
    torch.testing.assert_close(apart.decode_latents(latents), base.decode_latents(latents))
