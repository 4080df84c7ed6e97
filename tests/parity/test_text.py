"""Captions become the tokens and states that sd-scripts makes of them, in every layout."""

from functools import cache

import pytest
import torch
from safetensors.torch import load_file

from lorasmith.models.architectures.clip import Clip, Marks, chunk_count, lay_out
from lorasmith.models.architectures.parts import AUTOENCODER_KL, UNET
from lorasmith.models.base import SizeConditioning
from lorasmith.models.diffusion import Ddpm
from lorasmith.models.parts import Part, build
from lorasmith.models.sd1.base import StableDiffusion1
from lorasmith.models.sdxl.base import StableDiffusionXL, time_ids
from lorasmith.models.texts import TextOptions
from tests.bounds import FUNCTION, assert_within_rounding
from tests.reference import FOLDER, reference_cases, reference_json

NAME = "09_text.json"
CASES = reference_cases(NAME)


def cases_of(kind: str) -> list:
    return [case for case in CASES if not isinstance(case, dict) or case["kind"] == kind]


@cache
def reference() -> dict:
    return reference_json(NAME)


@cache
def tensors() -> dict[str, torch.Tensor]:
    return load_file(FOLDER / reference()["tensor_file"])


@cache
def encoder(number: int) -> Clip:
    """The reference's text encoder 1 or 2 with its tokenizer."""
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    folder = FOLDER / reference()["model_dir"].split("/")[0]
    kind = CLIPTextModel if number == 1 else CLIPTextModelWithProjection
    module = kind.from_pretrained(folder / f"text_encoder_{number}", local_files_only=True).eval()
    tokenizer = CLIPTokenizer.from_pretrained(folder / ("tokenizer" if number == 1 else "tokenizer_2"), local_files_only=True)
    return Clip(module, tokenizer)


@cache
def base(family: str):
    """A base with the reference's text encoders; its U-Net and autoencoder are of no account."""
    unet = {
        "block_out_channels": (4,),
        "down_block_types": ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",),
        "norm_num_groups": 2,
        "sample_size": 8,
        "attention_head_dim": 2,
    }
    vae = {"block_out_channels": (4,), "norm_num_groups": 2}
    modules = {"unet": build(Part(UNET, unet)), "vae": build(Part(AUTOENCODER_KL, vae)), "text_encoder": encoder(1).encoder}
    tokenizers = {"tokenizer": encoder(1).tokenizer}
    diffusion = Ddpm("epsilon", torch.linspace(1, 0, 1000), {})
    if family == "sd1":
        return StableDiffusion1(modules, tokenizers, diffusion, {})
    modules["text_encoder_2"], tokenizers["tokenizer_2"] = encoder(2).encoder, encoder(2).tokenizer
    return StableDiffusionXL(modules, tokenizers, diffusion, {})


def assert_like(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    allowed = reference()["tolerance"]["hidden"]
    torch.testing.assert_close(ours, theirs, rtol=allowed["rtol"], atol=allowed["atol"])


def content_of(case: dict) -> list[int]:
    """The caption's tokens; for the real vocabulary, which is not here, those that the longest layout of it shows."""
    if case["tokenizer"] == "made":
        return encoder(1).content(case["prompt"])
    special = reference()["special_ids"]["real"]
    longest = max(
        (c for c in cases_of("token_layout") if (c["tokenizer"], c["content_tokens"]) == ("real", case["content_tokens"])),
        key=lambda c: len(c["sd15_ids"]),
    )
    seen = [token for chunk in longest["sd15_ids"] for token in chunk[1:-1] if token != special["eos"]]
    assert len(seen) == min(case["content_tokens"], 75 * len(longest["sd15_ids"])), "the content is read whole"
    return seen


@pytest.mark.parametrize("case", cases_of("token_layout"))
def test_tokens_are_laid_out_in_chunks_as_there(case):
    special = reference()["special_ids"][case["tokenizer"]]
    content, chunks = content_of(case), chunk_count(case["max_token_length"])
    assert len(content) == case["content_tokens"] or case["tokenizer"] == "real"
    first = lay_out(content, Marks(special["bos"], special["eos"], special["pad_sd15_and_sdxl1"]), chunks)
    second = lay_out(content, Marks(special["bos"], special["eos"], special["pad_sdxl2"]), chunks)
    assert first == case["sd15_ids"]
    assert second == case["sdxl_ids_2"]
    assert [1, *torch.tensor(first).shape] == case["shape"] or list(torch.tensor(first).shape) == case["shape"][-2:]


@pytest.mark.parametrize("number", [1, 2])
def test_the_tokenizers_marks_are_those_of_the_reference(number):
    marks, special = encoder(number).marks, reference()["special_ids"]["made"]
    assert (marks.begin, marks.end) == (special["bos"], special["eos"])
    assert marks.fill == special["pad_sd15_and_sdxl1" if number == 1 else "pad_sdxl2"]


@torch.no_grad()
@pytest.mark.parametrize("case", cases_of("sd15_encode"))
def test_sd1_reads_captions_as_there(case):
    options = TextOptions(case["clip_skip"] or 1, case["max_token_length"])
    assert torch.equal(base("sd1").clip.tokenize(case["prompts"], options).ids.int(), tensors()[case["input_ids"]])
    encoded = base("sd1").encode_texts(case["prompts"], options)
    assert list(encoded.states.shape) == case["output_shape"]
    assert_like(encoded.states, tensors()[case["output"]])


@torch.no_grad()
@pytest.mark.parametrize("clip_skip", [1, 2])
@pytest.mark.parametrize("case", cases_of("sdxl_encode"))
def test_sdxl_reads_captions_as_there(case, clip_skip):
    options = TextOptions(clip_skip, case["max_token_length"])
    xl = base("sdxl")
    assert torch.equal(xl.clip.tokenize(case["prompts"], options).ids.int(), tensors()[case["input_ids_1"]])
    assert torch.equal(xl.clip_2.tokenize(case["prompts"], options).ids.int(), tensors()[case["input_ids_2"]])
    encoded = xl.encode_texts(case["prompts"], options)
    hidden_1, hidden_2, pooled = (tensors()[name] for name in case["outputs"])
    assert_like(encoded.states, torch.cat([hidden_1, hidden_2], dim=-1))
    assert_like(encoded.pooled, pooled)


@torch.no_grad()
@pytest.mark.parametrize("case", cases_of("sd15_weighted"))
def test_weighted_captions_multiply_the_states_as_there(case):
    options = TextOptions(max_token_length=case["max_token_length"], weighted=True)
    texts = base("sd1").clip.tokenize([case["prompt"]], options)
    assert torch.equal(texts.ids.int(), tensors()[case["ids"]])
    torch.testing.assert_close(texts.weights, tensors()[case["weights"]])
    assert_like(base("sd1").encode_texts([case["prompt"]], options).states, tensors()[case["output"]])


@pytest.mark.parametrize("case", cases_of("sdxl_size_embeddings"))
def test_sdxl_is_told_sizes_as_there(case):
    from diffusers.models.embeddings import Timesteps

    sizes = [
        SizeConditioning(tuple(original[::-1]), tuple(crop[::-1]), tuple(target[::-1]))
        for original, crop, target in zip(case["original_size_hw"], case["crop_top_left"], case["target_size_hw"], strict=True)
    ]
    ids = time_ids(sizes)
    embedded = Timesteps(case["shape"][1] // ids.shape[1], flip_sin_to_cos=True, downscale_freq_shift=0)(ids.flatten())
    # Sine and cosine of a size times a frequency: angles of a thousand, whose rounding counts as much as that of a thousand.
    angles = ids.abs().clamp(min=1).repeat_interleave(case["shape"][1] // ids.shape[1], dim=1)
    assert_within_rounding(embedded.view(case["shape"]), tensors()[case["output"]], roundings=2 * FUNCTION + 3, terms=angles)
