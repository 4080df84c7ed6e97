"""Generation parameters in PNGs, as A1111 writes and reads them."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lorasmith.errors import InputError
from lorasmith.models.prompts.parameters import Parameters, parameters_text, png_bytes, read_parameters, read_png
from lorasmith.models.prompts.request import PictureRequest
from lorasmith.models.samplers import SAMPLERS

REQUEST = PictureRequest("zorvex, beach", "blurry", 7, 512, 768, "dpmpp_2m_karras", 28, 6.5, clip_skip=2)


def as_a1111_reads(text):
    """A reader of the form, written from its description: the last line's pairs, and the prompts above."""
    *lines, last = text.strip().split("\n")
    pairs = re.findall(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)', last)
    prompt, _, negative = "\n".join(lines).partition("Negative prompt: ")
    return prompt.strip(), negative.strip(), {name: json.loads(value) if value.startswith('"') else value for name, value in pairs}


def test_the_text_is_what_a1111_reads():
    text = parameters_text(Parameters(REQUEST, "my, base", "6ce0161689", {"zorvex": "0123456789ab", "b": "ba9876543210"}))
    prompt, negative, entries = as_a1111_reads(text)
    assert (prompt, negative) == ("zorvex, beach", "blurry")
    version = entries.pop("Version")
    assert version.startswith("lorasmith ")
    assert entries == {
        "Steps": "28", "Sampler": "DPM++ 2M Karras", "CFG scale": "6.5", "Seed": "7", "Size": "512x768", "Model hash": "6ce0161689",
        "Model": "my, base", "Clip skip": "2", "Lora hashes": "zorvex: 0123456789ab, b: ba9876543210",
    }  # fmt: skip


def test_what_a1111_wrote_is_read():
    text = (
        "masterpiece, (zorvex:1.2) <lora:zorvex:0.7>,\nbeach\nNegative prompt: worst quality,\nblurry\nSteps: 20, Sampler: DPM++ 2M, "
        "Schedule type: Karras, CFG scale: 7, Seed: 123, Size: 512x768, Model hash: 6ce0161689, Model: v1-5, Clip skip: 2, "
        'Lora hashes: "zorvex: 0123456789ab", Hires upscale: 2, Version: v1.10.1'
    )
    found = read_parameters(text)
    assert found.request == PictureRequest(
        "masterpiece, (zorvex:1.2) <lora:zorvex:0.7>,\nbeach", "worst quality,\nblurry", 123, 512, 768, "dpmpp_2m_karras", 20, 7.0,
        clip_skip=2,
    )  # fmt: skip
    assert (found.model, found.model_hash, found.version) == ("v1-5", "6ce0161689", "v1.10.1")
    assert (found.lora_hashes, found.extra) == ({"zorvex": "0123456789ab"}, {"Hires upscale": "2"})


def test_names_of_loras_may_have_commas_and_colons():
    hashes = {"red, white": "0123456789ab", "b: c": "ba9876543210", "zorvex": "0a0a0a0a0a0a"}
    assert read_parameters(parameters_text(Parameters(REQUEST, lora_hashes=hashes))).lora_hashes == hashes


def test_a_sampler_that_is_not_offered_is_kept_by_its_name():
    found = read_parameters("a\nSteps: 20, Sampler: DPM++ 3M SDE, Schedule type: Exponential, CFG scale: 7, Seed: 1")
    assert (found.request.sampler, found.extra) == (None, {"Sampler": "DPM++ 3M SDE Exponential"})


ODD = st.one_of(
    st.text(),
    st.text(alphabet="ab \n,:\"\\<>()\r\t"),
    st.lists(st.sampled_from(["Negative prompt: x", "Steps: 1, Sampler: y, Seed: 3", "", " ", "\n", "é", "猫", "\udce9", "\x00"])).map(
        "\n".join
    ),
)  # fmt: skip


@given(ODD, ODD, st.sampled_from(sorted(SAMPLERS)), st.integers(0, 2**63), st.floats(1, 1e6), st.integers(1, 12))
def test_any_request_comes_back(prompt, negative, sampler, seed, cfg_scale, clip_skip):
    request = PictureRequest(prompt, negative, seed, 512, 768, sampler, 20, cfg_scale, None, clip_skip)
    written = Parameters(request, "base", "0123456789", {"a b": "0123456789ab"}, {"Run": "toy, 3"}, "lorasmith 1")
    assert read_parameters(parameters_text(written)) == written


@given(ODD, ODD)
def test_any_prompt_comes_back_from_a_png(tmp_path_factory, prompt, negative):
    path = tmp_path_factory.mktemp("png") / "picture.png"
    written = Parameters(PictureRequest(prompt, negative, 1, 8, 8, "euler", 4, 7.0), "base \udce9", "0123456789", version="lorasmith 1")
    path.write_bytes(png_bytes(Image.new("RGB", (8, 8)), written))
    assert read_png(path) == written


def test_a_picture_without_parameters_says_so(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    (tmp_path / "text.png").write_text("no picture")
    for name, code in (
        ("plain.png", "parameters.missing"),
        ("text.png", "parameters.not_a_picture"),
        ("none.png", "parameters.not_a_picture"),
    ):
        with pytest.raises(InputError) as caught:
            read_png(tmp_path / name)
        assert caught.value.code == code
