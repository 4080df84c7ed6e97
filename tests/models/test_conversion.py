"""A single file made from a pipeline is that pipeline: every part bit for bit, the same predictions, texts and picture."""

import copy
from functools import cache
from pathlib import Path

import pytest
import torch

from lorasmith.models.architectures.unet_names import ldm_modules
from lorasmith.models.files.weights import load_part
from lorasmith.models.open import describe
from lorasmith.models.tokenizers import load_tokenizer
from tests.bounds import assert_within_rounding
from tests.models.single_files import write_single_file
from tests.models.toys import TOYS, family_of, module_of, pipeline_of, quick_and_slow, toy_folder, with_all_layers
from tests.reference import reference_json

QUICK = {
    ("sd1", "original"),
    ("sd2", "original"),
    ("sdxl", "original"),
    ("sdxl", "comfyui"),
    ("flux", "original"),
    ("flux", "diffusers"),
    ("chroma", "original"),
    ("zimage", "original"),
    ("krea2", "original"),
    ("lumina2", "original"),
    ("zimage", "diffusers"),
    ("qwen_image", "original"),
    ("klein", "original"),
    ("sd3", "original"),
}
LAYOUTS = [(toy, layout) for toy in TOYS for layout in ("original", "diffusers")] + [("sdxl", "comfyui")]


@cache
def pipeline(toy):
    """The toy as diffusers' own; not to be changed."""
    return pipeline_of(toy)


@pytest.fixture(scope="module")
def single_file(tmp_path_factory):
    made: dict[tuple[str, str], Path] = {}

    def make(toy: str, layout: str = "original") -> Path:
        if (toy, layout) not in made:
            made[toy, layout] = write_single_file(toy_folder(toy), tmp_path_factory.mktemp("single") / f"{toy}.safetensors", layout)
        return made[toy, layout]

    return make


class WithoutProjection:
    """A CLIP text encoder of a folder as files have it."""

    def __init__(self, module):
        self.module = module

    def state_dict(self):
        return {key.removeprefix("text_model."): value for key, value in self.module.state_dict().items() if "projection" not in key}


def _same_state(ours, theirs):
    theirs = getattr(theirs, "model", theirs).state_dict()  # a language model without its head
    ours = ours.state_dict()
    assert ours.keys() == theirs.keys()
    assert [key for key in theirs if not torch.equal(ours[key], theirs[key])] == []


@pytest.mark.parametrize(("toy", "layout"), [each if each in QUICK else pytest.param(*each, marks=pytest.mark.slow) for each in LAYOUTS])
def test_every_part_of_a_single_file_is_the_folders(single_file, toy, layout):
    description = with_all_layers(describe(single_file(toy, layout), config=toy_folder(toy)))
    assert (description.family, description.layout) == (family_of(toy), "single file")
    for part, place in description.parts.items():
        theirs = module_of(pipeline(toy), part)
        if place.config.architecture.in_folder:
            theirs = WithoutProjection(theirs)
        _same_state(load_part(description, part, torch.float32), theirs)


@pytest.mark.parametrize("toy", quick_and_slow())
def test_a_folder_opens_as_the_pipeline(toy):
    description = with_all_layers(describe(toy_folder(toy)))
    assert set(description.parts) >= {description.denoiser, "text_encoder", "vae"}
    for part in description.parts:
        _same_state(load_part(description, part, torch.float32), module_of(pipeline(toy), part))


@pytest.mark.parametrize("toy", quick_and_slow())
def test_a_single_file_draws_the_pipelines_picture(single_file, toy):
    theirs = pipeline(toy)
    description = with_all_layers(describe(single_file(toy), config=toy_folder(toy)))
    ours = copy.copy(theirs)
    for part, place in description.parts.items():
        if not place.config.architecture.in_folder:  # the pipeline needs its projection
            setattr(ours, part, load_part(description, part, torch.float32))
    for name in description.tokenizers:
        setattr(ours, name, load_tokenizer(description, name))
    prompt, options = "a happy red cat", {"num_inference_steps": 2, "height": 32, "width": 32, "output_type": "np"}
    pictures = [p(prompt=prompt, generator=torch.Generator().manual_seed(3), **options).images for p in (ours, theirs)]
    alone = (
        {} if description.denoiser == "transformer" else {"device": "cpu", "num_images_per_prompt": 1, "do_classifier_free_guidance": False}
    )
    if hasattr(theirs, "tokenizer_3"):
        alone = {"prompt_2": None, "prompt_3": None}
    with torch.no_grad():
        states = [p.encode_prompt(prompt, **alone) for p in (ours, theirs)]
    if isinstance(states[0][0], list):  # a caption each, and none for a negative prompt
        states = [each[0] for each in states]
    for one, other in zip(*states, strict=True):
        if other is not None and other.dtype == torch.bool:
            assert torch.equal(one, other)
        elif other is not None:
            assert_within_rounding(one, other, roundings=256, terms=other.abs().max())  # a few layers of sums of 32 numbers
    assert abs(pictures[0] - pictures[1]).max() < 1 / 255 / 4, "a small part of a grey level"
    assert pictures[1].std() > 0.01, "an empty picture would prove nothing"


def test_the_state_of_a_single_file_shows_a_wrong_tensor(single_file, tmp_path):
    """The comparison above can fail: one number of one fused matrix changed is seen in the right part of it."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(single_file("sd2"))
    key = "cond_stage_model.model.transformer.resblocks.1.attn.in_proj_weight"
    tensors[key][32, 0] += 1
    save_file(tensors, tmp_path / "other.safetensors")
    encoder = load_part(describe(tmp_path / "other.safetensors", config=toy_folder("sd2")), "text_encoder", torch.float32).state_dict()
    theirs = pipeline("sd2").text_encoder.state_dict()
    assert [name for name in theirs if not torch.equal(encoder[name], theirs[name])] == ["encoder.layers.1.self_attn.k_proj.weight"]


@pytest.mark.parametrize("arch", ["sd15", "sd21", "sdxl"])
def test_the_original_names_of_a_full_size_unet_agree_with_the_reference(arch):
    modules = reference_json(f"keys/unet_module_map_{arch}.json")["map"]
    assert ldm_modules(modules) == {path: record["ldm"] for path, record in modules.items()}


@pytest.mark.parametrize("variant", ["dev", "schnell"])
def test_a_full_size_flux_takes_every_tensor_of_the_original_once(variant):
    """By names and shapes alone: the rows that are taken cover each original tensor exactly."""
    from lorasmith.models.architectures.double_stream_names import from_bfl
    from lorasmith.models.families import FAMILIES
    from lorasmith.models.files.weights import empty_module

    module = empty_module(FAMILIES["flux"].variant(variant).parts["transformer"])
    shapes = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    takes = from_bfl(shapes, ())
    assert takes.keys() == shapes.keys()
    rows: dict[str, list[tuple[int, int]]] = {}
    for name, take in takes.items():
        rows.setdefault(take.key, []).append(take.rows or (0, shapes[name][0]))
    for spans in rows.values():
        spans.sort()
        assert [begin for begin, _ in spans] == [0, *(end for _, end in spans[:-1])]
    assert rows["double_blocks.18.txt_attn.qkv.weight"][-1] == (6144, 9216)
    assert rows["single_blocks.37.linear1.weight"][-1] == (9216, 21504)
    modulation = takes["norm_out.linear.weight"]
    assert (modulation.key, modulation.halves_swapped) == ("final_layer.adaLN_modulation.1.weight", True)
    assert len(rows) == {"dev": 780, "schnell": 776}[variant], "as many tensors as the published files have"


def test_the_original_names_of_a_full_size_video_autoencoder_are_those_that_diffusers_reads():
    """Its converter for AutoencoderKLWan, which is the same model, gives each tensor the name that it was taken for."""
    from diffusers.loaders.single_file_utils import convert_wan_vae_to_diffusers

    from lorasmith.models.architectures.full_size import VIDEO_VAE
    from lorasmith.models.architectures.parts import VIDEO_AUTOENCODER
    from lorasmith.models.architectures.video_autoencoder_names import from_wan
    from lorasmith.models.files.weights import empty_module
    from lorasmith.models.parts import Part

    shapes = {name: tuple(tensor.shape) for name, tensor in empty_module(Part(VIDEO_AUTOENCODER, VIDEO_VAE)).state_dict().items()}
    original = {take.key: name for name, take in from_wan(shapes, ()).items()}
    assert len(original) == len(shapes) == 194
    assert convert_wan_vae_to_diffusers(dict(original)) == {name: name for name in shapes}
    assert "decoder.middle.0.residual.0.gamma" in original
