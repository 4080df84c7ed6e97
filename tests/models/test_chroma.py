"""Chroma: one token of padding is read and no more, the approximator is left alone, and its relatives are told apart."""

import pytest
import torch
from diffusers import ChromaPipeline

from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.dialects import read_network
from lorasmith.errors import AdapterError, BaseModelError
from lorasmith.models.chroma.config import PARTS
from lorasmith.models.files.weights import empty_module
from lorasmith.models.open import describe, missing_parts, open_base
from lorasmith.models.patches import pack
from lorasmith.models.sampling import initial_latents
from lorasmith.models.texts import TextOptions
from tests.adapters.files.test_family import ALIKE, DOUBLE, kohya
from tests.models import toys
from tests.models.test_detection import FLUX, header_file
from tests.reference import reference_json

CAPTIONS = ["a red cat", "the big sad dog, beach"]
APPROXIMATOR = "distilled_guidance_layer.in_proj.weight"
HEADER = {name: shape for name, shape in FLUX.items() if "guidance" not in name} | {APPROXIMATOR: (5120, 64)}


@pytest.fixture(scope="module")
def base():
    return open_base(toys.toy_folder("chroma"), torch.float32)


@pytest.fixture(scope="module")
def full_size():
    return empty_module(PARTS["transformer"])


@torch.no_grad()
def predicted(base, captions, options=None):
    texts = base.encode_texts(captions, options or TextOptions())
    noisy, timesteps = initial_latents(base, [1, 2], toys.PICTURE, toys.PICTURE), torch.tensor([500.0, 700.0])
    return base.predict(noisy[: len(captions)], timesteps[: len(captions)], texts)


def test_the_states_are_those_of_diffusers_pipeline_with_one_token_of_padding(base):
    pipeline = toys.pipeline_of("chroma")
    with torch.no_grad():
        ours = base.encode_texts(CAPTIONS, TextOptions())
        theirs, _, mask, *_ = pipeline.encode_prompt(CAPTIONS, do_classifier_free_guidance=False, max_sequence_length=toys.T5_TOKENS)
    words = [len(pipeline.tokenizer(caption).input_ids) for caption in CAPTIONS]
    assert ours.mask.sum(1).tolist() == mask.sum(1).tolist() == [count + 1 for count in words]
    for one, other, count in zip(ours.states, theirs, words, strict=True):
        torch.testing.assert_close(one[: count + 1], other[: count + 1], atol=1e-5, rtol=1e-5)


def test_one_prediction_is_that_of_the_pipelines_own_call(base):
    """Without steps between, so that nothing adds up: the transformer as diffusers' pipeline calls it, with the mask as it should be."""
    seen = []
    pipeline = toys.pipeline_of("chroma")
    pipeline.transformer.register_forward_hook(lambda module, given, answer: seen.append(answer[0]))
    latents = initial_latents(base, [1, 2], toys.PICTURE, toys.PICTURE)
    size = {"width": toys.PICTURE, "height": toys.PICTURE, "output_type": "latent", "num_inference_steps": 1}
    pipeline(CAPTIONS, latents=pack(latents), guidance_scale=2.0, max_sequence_length=toys.T5_TOKENS, **size)
    with torch.no_grad():
        texts = base.encode_texts(CAPTIONS, TextOptions())
        ours = base.predict(latents, torch.tensor([1000.0, 1000.0]), texts)
    torch.testing.assert_close(pack(ours), seen[0], atol=1e-5, rtol=1e-5)


def test_diffusers_pipeline_lets_padding_through_by_its_mask_of_numbers(base):
    """Its caption has another picture alone and in a batch; ours has the same."""
    whole = predicted(base, CAPTIONS)
    torch.testing.assert_close(whole[:1], predicted(base, CAPTIONS[:1]), atol=1e-5, rtol=1e-5)
    pipeline = ChromaPipeline.from_pretrained(toys.toy_folder("chroma"), local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    options = {"num_inference_steps": 1, "guidance_scale": 1.0, "width": toys.PICTURE, "height": toys.PICTURE, "output_type": "latent"}
    drawn = [
        pipeline(CAPTIONS[0], generator=torch.Generator().manual_seed(1), max_sequence_length=length, **options).images
        for length in (12, 24)
    ]
    assert (drawn[0] - drawn[1]).abs().max() > 1e-4


def test_the_length_that_is_read_does_not_matter_to_shorter_captions(base):
    apart = [predicted(base, CAPTIONS, TextOptions(max_token_length=n, mask_t5=n == 24)) for n in (12, 24)]
    torch.testing.assert_close(*apart, atol=1e-5, rtol=1e-5)


def test_a_lora_trains_what_its_peers_train_and_never_the_approximator(full_size):
    targets = keys.targets("chroma", "transformer", full_size)
    assert len(targets) == 228
    shapes = keys.weight_shapes("chroma", {"transformer": full_size})
    assert sum(rows + columns for rows, columns in shapes.values()) == 3_502_080, "parameters for each unit of rank"
    flux = reference_json("keys/kohya_keys_flux.json")["modules"]
    assert set(targets) == {name for name in flux if name.startswith("lora_unet_") and not name.endswith(("mod_lin", "modulation_lin"))}
    assert not any("distilled" in name for name in keys.targets("chroma", "transformer", full_size, "full"))


def test_a_full_size_chroma_is_the_published_one(full_size):
    assert sum(parameter.numel() for parameter in full_size.parameters()) == 8_899_983_424
    shapes = {name: tuple(tensor.shape) for name, tensor in full_size.state_dict().items()}
    takes = PARTS["transformer"].architecture.tables["bfl"](shapes, ())
    assert takes.keys() == shapes.keys()
    rows: dict[str, list[tuple[int, int]]] = {}
    for name, take in takes.items():
        rows.setdefault(take.key, []).append(take.rows or (0, shapes[name][0]))
    for spans in rows.values():
        spans.sort()
        assert [begin for begin, _ in spans] == [0, *(end for _, end in spans[:-1])], "each row is taken once"
    assert {APPROXIMATOR, "distilled_guidance_layer.layers.4.out_layer.bias", "distilled_guidance_layer.norms.4.scale"} <= rows.keys()
    assert not any("mod" in name or "time_in" in name for name in rows)


def test_it_is_told_from_flux_by_its_header_and_radiance_is_refused(tmp_path):
    described = describe(header_file(tmp_path / "chroma.safetensors", HEADER))
    assert (described.family, missing_parts(described)) == ("chroma", ["text_encoder", "vae"])
    assert any("a Chroma transformer in the original layout" in reason for reason in described.reasons)
    assert any("Apache-2.0" in note for note in described.notes)
    assert any("Chroma1-Flash" in note for note in described.notes)
    with pytest.raises(BaseModelError, match="Radiance"):
        describe(header_file(tmp_path / "radiance.safetensors", HEADER | {"nerf_blocks.0.param_generator.weight": (4, 4)}))


@pytest.mark.parametrize(
    ("layers", "metadata", "family"),
    [
        (ALIKE["attention and MLP, as Chroma trains them"], {"ss_base_model_version": "chroma"}, "chroma"),
        (ALIKE["attention and MLP, as Chroma trains them"], {"modelspec.architecture": "chroma/lora"}, "chroma"),
        (ALIKE["attention and MLP, as Chroma trains them"], {}, "flux"),
        (ALIKE["a modulation"], {"ss_base_model_version": "chroma"}, "flux"),
        ((("lora_unet_distilled_guidance_layer_in_proj", 5120, 64), (f"{DOUBLE}0_img_attn_qkv", 9216, 3072)), {}, "chroma"),
    ],
)
def test_a_lora_file_is_of_chroma_by_the_approximator_or_by_words(layers, metadata, family):
    assert read_network(kohya(*layers), metadata).family == family


def test_a_layer_that_only_flux_has_is_none_of_chromas():
    with pytest.raises(AdapterError):
        keys.layers_of("chroma", "lora_unet_time_in_what")
    network = read_network(kohya((f"{DOUBLE}0_img_mod_lin", 18432, 3072), (f"{DOUBLE}0_img_attn_qkv", 9216, 3072)), {}, "chroma")
    assert list(network.layers) == [f"{DOUBLE}0_img_attn_qkv"]
    assert len(network.unread) == 2
