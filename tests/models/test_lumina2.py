"""Lumina 2: what it reads, what it says, how it is recognised, and its LoRA files."""

import pytest
import torch

from lorasmith.adapters.compatibility.check import check_file
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.lora_file import LoraFile
from lorasmith.adapters.tools.convert import diffusers_tensors
from lorasmith.errors import BaseModelError
from lorasmith.models.families import FAMILIES
from lorasmith.models.files.weights import empty_module
from lorasmith.models.lumina2 import tokenizer
from lorasmith.models.lumina2.conversion import from_original
from lorasmith.models.open import describe, open_base
from lorasmith.models.sampling import initial_latents
from lorasmith.models.texts import TextOptions
from lorasmith.models.tokenizers import load_tokenizer
from tests.models import toys
from tests.models.newer_toys import SYSTEM, gemma_model, gemma_tokenizer
from tests.models.single_files import write_single_file
from tests.models.test_detection import header_file

CAPTIONS = ["a happy red cat", "", "the big dog " * 30]  # the last is longer than what is read
DENOISER = {
    "model.diffusion_model.layers.0.attention.qkv.weight": (3840, 2304), "model.diffusion_model.cap_embedder.1.weight": (2304, 2304),
    "model.diffusion_model.layers.0.adaLN_modulation.1.weight": (9216, 1024),
}  # fmt: skip
GEMMA = {"embed_tokens.weight": (8, 2304), "layers.0.pre_feedforward_layernorm.weight": (2304,)}


@pytest.fixture(scope="module")
def base():
    return open_base(toys.toy_folder("lumina2"), torch.float32)


@pytest.fixture(scope="module")
def pipeline():
    return toys.pipeline_of("lumina2")


@pytest.fixture(scope="module")
def transformer():
    """At full size, without weights."""
    return empty_module(FAMILIES["lumina2"].usual.parts["transformer"])


def assert_states(ours, theirs, mask):
    assert ours.lengths() == mask.sum(1).tolist()
    for k, length in enumerate(ours.lengths()):
        torch.testing.assert_close(ours.states[k, :length], theirs[k, :length], atol=1e-5, rtol=1e-5)
        assert not ours.states[k, length:].any()


def test_captions_and_negative_prompts_have_the_states_of_diffusers_pipeline_each_at_its_own_length(base, pipeline):
    with torch.no_grad():
        theirs, mask, negative, negative_mask = pipeline.encode_prompt(list(CAPTIONS), negative_prompt=["blue", "", "sad"])
        assert_states(base.encode_texts(CAPTIONS, TextOptions()), theirs, mask)
        asked = [base.as_negative(text) for text in ("blue", "", "sad")]
        assert_states(base.encode_texts(asked, TextOptions()), negative, negative_mask)
    assert base.encode_texts([CAPTIONS[2]], TextOptions()).lengths() == [256]


def test_a_caption_with_a_beginning_of_its_own_is_read_with_that(base, pipeline):
    own = "You paint anime. <Prompt Start> a red cat"
    with torch.no_grad():
        theirs, mask, *_ = pipeline.encode_prompt("a red cat", False, system_prompt="You paint anime.")
        assert_states(base.encode_texts([own], TextOptions()), theirs, mask)
        assert_states(base.encode_texts([base.as_negative(own)], TextOptions()), theirs, mask)


def test_a_captions_tokens_are_counted_with_the_space_before_it(base):
    assert [base.count_tokens(caption) for caption in ("", " cat", "a happy cat")] == [1, 2, 4]
    assert base.max_tokens(TextOptions()) == 256 - 4  # <bos>, the sentence, a space, <Prompt Start>


def test_one_step_predicts_what_diffusers_pipeline_does(base, pipeline):
    latents = initial_latents(base, [1, 2], toys.PICTURE, toys.PICTURE)
    told = {"num_inference_steps": 1, "guidance_scale": 0.0, "output_type": "latent", "width": toys.PICTURE, "height": toys.PICTURE}
    with torch.no_grad():
        drawn = pipeline(CAPTIONS[:2], latents=latents, **told).images
        ours = base.predict(latents, torch.tensor([1000.0, 1000.0]), base.encode_texts(CAPTIONS[:2], TextOptions()))
    torch.testing.assert_close(ours, latents - drawn, atol=1e-5, rtol=1e-5)


# -- its tokenizer --------------------------------------------------------------------------------------------------------------

TEXTS = ["a happy red cat", "", f"{SYSTEM} <Prompt Start> a sad dog, é", "<bos>red  red"]


def test_the_tokenizer_in_the_text_encoders_file_is_read_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setattr(tokenizer, "load", lambda: pytest.fail("the hub was asked"))
    whole = write_single_file(toys.toy_folder("lumina2"), tmp_path / "all_in_one.safetensors")
    found, toy = load_tokenizer(describe(whole), "tokenizer"), gemma_tokenizer()
    assert found(TEXTS).input_ids == toy(TEXTS).input_ids
    assert found(TEXTS, add_special_tokens=False).input_ids == toy(TEXTS, add_special_tokens=False).input_ids
    assert (len(found), found.pad_token_id, found.bos_token_id) == (len(toy), 0, 2)


@pytest.mark.parametrize("damage", [b"", b"no model of words", gemma_model()[:40]], ids=["empty", "text", "cut off"])
def test_a_damaged_one_is_named(damage):
    with pytest.raises(BaseModelError, match=r"spiece_model\) cannot be read"):
        tokenizer.from_model(damage)


# -- how it is recognised -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["model.diffusion_model.", ""])
def test_a_single_file_is_told_from_z_image_by_its_modulation(tmp_path, prefix):
    names = {name.replace("model.diffusion_model.", prefix): shape for name, shape in DENOISER.items()}
    described = describe(header_file(tmp_path / "netayume.safetensors", names))
    assert (described.family, described.form.licence, described.form.scheduler[1]["shift"]) == ("lumina2", "Apache-2.0", 6.0)


def test_newbie_is_refused_by_its_name(tmp_path):
    file = header_file(tmp_path / "newbie.safetensors", DENOISER | {"model.diffusion_model.clip_text_pooled_proj.1.weight": (1024, 1024)})
    with pytest.raises(BaseModelError, match="is NewBie"):
        describe(file)


def test_a_lone_language_model_is_named_and_opened_as_a_part(tmp_path):
    transformer = header_file(tmp_path / "lumina_2.safetensors", DENOISER)
    for prefix in ("model.", ""):
        file = header_file(tmp_path / "gemma_2_2b.safetensors", {prefix + name: shape for name, shape in GEMMA.items()})
        with pytest.raises(
            BaseModelError, match=r"a Gemma 2 language model, Gemma 2 2B \(2,304 wide\), alone; give it as base.text_encoder"
        ):
            describe(file)
        assert describe(transformer, text_encoder=file).parts["text_encoder"].prefix == prefix
    larger = header_file(tmp_path / "gemma_2_9b.safetensors", GEMMA | {"embed_tokens.weight": (8, 3584)})
    with pytest.raises(BaseModelError, match=r"Gemma 2 9B \(3,584 wide\); this base reads a Gemma 2 language model, Gemma 2 2B"):
        describe(transformer, text_encoder=larger)


# -- at full size ---------------------------------------------------------------------------------------------------------------


def test_the_published_size_and_the_layers_that_are_trained(transformer):
    assert sum(parameter.numel() for parameter in transformer.parameters()) == 2_609_769_152
    shapes = keys.weight_shapes("lumina2", {"transformer": transformer})
    outside = {"diffusion_model_final_layer_linear": (64, 2304), "diffusion_model_final_layer_adaLN_modulation_1": (2304, 1024)}
    assert (len(shapes), sum(map(sum, (shapes | outside).values()))) == (178, 1_651_776)  # sd-scripts has two layers more


def test_diffusers_own_converters_agree_on_every_name(transformer):
    from diffusers.loaders.lora_conversion_utils import _convert_non_diffusers_lumina2_lora_to_diffusers
    from diffusers.loaders.single_file_utils import convert_lumina2_to_diffusers

    shapes = {name: tuple(tensor.shape) for name, tensor in transformer.state_dict().items()}
    file: dict[str, int] = {}
    for name, take in from_original(shapes, ()).items():
        file[take.key] = file.get(take.key, 0) + shapes[name][0]
    widths = {take.key: shapes[name][1:] for name, take in from_original(shapes, ()).items()}
    made = convert_lumina2_to_diffusers({key: torch.empty(rows, *widths[key], device="meta") for key, rows in file.items()})
    assert {name: tuple(tensor.shape) for name, tensor in made.items()} == shapes
    ours = keys.targets("lumina2", "transformer", transformer)
    lora = {f"{keys.file_name('lumina2', name)}.lora_{end}.weight": torch.empty(3840, 1, device="meta") for name in ours for end in "AB"}
    theirs = _convert_non_diffusers_lumina2_lora_to_diffusers(lora)
    assert sorted(theirs) == sorted(f"transformer.{path}.lora_{end}.weight" for paths in ours.values() for path in paths for end in "AB")


# -- LoRA files -----------------------------------------------------------------------------------------------------------------


ROWS = {"attention.qkv": 3840, "attn.to_k": 768, "attn.to_v": 768}
BLOCK = ("attention.qkv", "attention.out", "feed_forward.w1", "feed_forward.w2", "feed_forward.w3", "adaLN_modulation.1")
NATIVE, OWN = tuple(f"layers.0.{name}" for name in BLOCK), ("layers.0.attn.to_q", "layers.0.attn.to_k", "layers.0.attn.to_v")
KOHYA = {"joint": "_", "down": "lora_down.weight", "up": "lora_up.weight", "alpha": True}


def lora(prefix, *layers, joint=".", down="lora_A.weight", up="lora_B.weight", alpha=False):
    """A LoRA of rank 4 on layers by their names."""
    tensors = {}
    for layer in layers:
        name, rows = prefix + layer.replace(".", joint), ROWS.get(layer.partition(".0.")[2], 2304)
        tensors |= {f"{name}.{down}": torch.ones(4, 2304), f"{name}.{up}": torch.ones(rows, 4)}
        tensors |= {f"{name}.alpha": torch.tensor(4.0)} if alpha else {}
    return tensors


@pytest.mark.parametrize(
    ("tensors", "verdicts"),
    [
        (lora("diffusion_model.", *NATIVE), ("all", "all", "all")),
        (lora("diffusion_model.", *NATIVE, alpha=True), ("all", "all", "none")),
        (lora("diffusion_model.", *NATIVE[:2]), ("all", "all", "none")),
        (lora("diffusion_model.", *(name.replace("layers.0", "layers.1") for name in NATIVE)), ("all", "all", "none")),
        (lora("diffusion_model.", *NATIVE, "final_layer.linear"), ("all", "all", "none")),
        (lora("lora_unet_", *NATIVE, **KOHYA), ("all", "all", "none")),
        (lora("transformer.", *OWN), ("none", "none", "all")),
    ],
    ids=["ours", "with alpha", "attention alone", "without the first block", "with the final layer", "sd-scripts'", "diffusers'"],
)
def test_what_each_program_does_with_each_way_of_naming(tensors, verdicts):
    report = check_file(LoraFile(tensors, {}), fit=False)
    assert report.family == "lumina2"
    assert tuple(report.consumers[program].verdict for program in ("Forge", "ComfyUI", "diffusers")) == verdicts


def test_query_key_and_value_are_one_layer_with_more_rows_for_queries():
    network = read_network(lora("transformer.", *OWN))
    (layer,) = network.layers.values()
    assert layer.name == "diffusion_model_layers_0_attention_qkv"
    assert layer.shape == (3840, 2304)
    apart = diffusers_tensors("lumina2", network.layers)
    assert [tensor.shape[0] for key, tensor in apart.items() if "lora_B" in key] == [2304, 768, 768]


@pytest.mark.parametrize(("present", "rows"), [(OWN[:1], slice(0, 2304)), (OWN[1:2], slice(2304, 3072)), (OWN[2:], slice(3072, 3840))])
def test_a_file_with_one_of_the_three_alone_changes_its_own_rows(present, rows):
    (layer,) = read_network(lora("transformer.", *present)).layers.values()
    change = layer.tensors["lora_up.weight"]
    assert change.shape[0] == 3840
    assert change[rows].all()
    assert change.count_nonzero() == 4 * len(range(*rows.indices(3840)))


def test_a_file_of_some_blocks_alone_could_be_for_newbie_which_has_more_of_them():
    attention = [lora("diffusion_model.", *(f"layers.{number}.attention.out" for number in range(count))) for count in (1, 26)]
    assert [read_network(tensors).alike for tensors in attention] == [("NewBie",), ()]
    assert read_network(attention[0], {"modelspec.architecture": "lumina-2/lora"}).alike == ()


@pytest.mark.parametrize("words", [{"ss_base_model_version": "lumina2"}, {"modelspec.architecture": "lumina-2/lora"}, {}])
def test_a_file_of_sd_scripts_is_known_by_its_layers_whatever_its_words(words):
    assert read_network(lora("lora_unet_", "layers.3.feed_forward.w1", **KOHYA), words).family == "lumina2"
