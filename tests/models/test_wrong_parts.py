"""Parts given as files of their own: each family's from each other's file opens rightly, or is refused in a sentence that names both."""

import json
import re
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from lorasmith.errors import BaseModelError
from lorasmith.models.description import Description, PartPlace
from lorasmith.models.families import FAMILIES
from lorasmith.models.files.weights import PartReader, empty_module
from lorasmith.models.open import SEPARATE_PARTS, _with_separate_parts, describe
from tests.models.test_detection import header_file
from tests.models.toys import PLAIN, toy_folder

BOTH = r"base\.\w+ is .*, which is (an?|no|Anima's) .*; this base reads an? .*: give the file of that"


@pytest.fixture(scope="module")
def toy_parts(tmp_path_factory):
    """The parts of all toys in files of their own, those of the same shapes once: (toy, part) -> file."""
    files, shapes = {}, {}
    for toy in PLAIN:
        for part in (name for name in SEPARATE_PARTS if (toy_folder(toy) / name).is_dir()):
            (whole,) = (toy_folder(toy) / part).glob("*.safetensors")
            tensors = load_file(whole)
            key = frozenset((name, tuple(tensor.shape)) for name, tensor in tensors.items())
            if key not in shapes:
                shapes[key] = tmp_path_factory.mktemp("parts") / f"{toy}_{part}.safetensors"
                save_file(tensors, shapes[key])
            files[toy, part] = shapes[key]
    return files


@pytest.mark.parametrize("toy", PLAIN)
def test_a_part_of_another_toy_opens_or_is_refused_at_once(toy, toy_parts):
    for part in (name for of, name in toy_parts if of == toy):
        for file in dict.fromkeys(toy_parts.values()):
            said = refusal(toy_folder(toy), part, file)
            assert said == "" or (re.search(BOTH, said) and file != toy_parts[toy, part]), said


def refusal(base, part, file):
    """Why a base does not take the file as that part, before a weight is read; empty where it takes it, and each of its tensors fits."""
    try:
        description = describe(base, **{part: file})
    except BaseModelError as error:
        return str(error)
    PartReader(description, part)  # raises where a tensor is missing, unknown or of another shape
    return ""


# -- at full size, by headers -----------------------------------------------------------------------------------------------


SEEING = {"Qwen3VLTextModel": "visual.blocks.0.mlp.linear_fc1.weight", "Qwen2_5_VLTextModel": "visual.blocks.0.mlp.gate_proj.weight"}
"""What files of models that see have beside the language model."""


def header_of(part):
    """Names and shapes of a part's file as it is published."""
    shapes = {name: tuple(tensor.shape) for name, tensor in empty_module(part).state_dict().items()}
    if "layers.0.mlp.gate_proj.weight" not in shapes:
        return shapes
    seeing = {SEEING[part.class_name]: (8, 8)} if part.class_name in SEEING else {}
    return {f"model.{name}": shape for name, shape in shapes.items()} | seeing


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The parts of all families at full size, those with the same tensors once: a file's header, and the parts that it is of, as written."""
    files, folder = {}, tmp_path_factory.mktemp("published")
    for family in FAMILIES.values():
        for form in family.variants.values():
            for name, part in form.parts.items():
                if name in SEPARATE_PARTS:
                    files.setdefault(written(part), part)
    headers = {words: header_of(part) for words, part in files.items()}
    found = []
    for words, header in headers.items():
        same = next((parts for other, parts in found if other == header), None)
        if same is None:
            found.append((header, {words}))
        else:
            same.add(words)
    return [(header_file(folder / f"{k}.safetensors", header), parts) for k, (header, parts) in enumerate(found)]


def written(part):
    """A part in words, the same for parts with the same settings."""
    return f"{part.class_name} {json.dumps(part.settings, sort_keys=True)}"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_published_part_of_another_family_is_refused_by_its_header(family, published):
    record = FAMILIES[family]
    different = {id(form.parts): (variant, form.parts) for variant, form in record.variants.items()}
    for variant, form_parts in different.values():
        for name, wanted in form_parts.items():
            for file, parts in published if name in SEPARATE_PARTS else ():
                if written(wanted) in parts:
                    assert described(record, {name: file}, variant).parts[name].files == (file,)
                else:
                    with pytest.raises(BaseModelError, match=BOTH):
                        described(record, {name: file}, variant)


Q, VISUAL = "model.layers.0.", "visual.blocks.0.mlp.linear_fc1.weight"
QWEN3_4B = {"model.embed_tokens.weight": (9, 2560), f"{Q}self_attn.q_norm.weight": (128,), f"{Q}mlp.gate_proj.weight": (9728, 2560)}
GEMMA3 = QWEN3_4B | {f"{Q}pre_feedforward_layernorm.weight": (2560,)}
QWEN2_5_7B = {"model.embed_tokens.weight": (9, 3584), f"{Q}self_attn.q_proj.bias": (3584,), f"{Q}mlp.gate_proj.weight": (18944, 3584)}
T5 = {
    "encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096),
    "encoder.block.0.layer.1.DenseReluDense.wi_0.weight": (10240, 4096),
}
LOOKALIKES = {
    "Qwen3 for Qwen3-VL": ("krea2", "qwen_3_4b.safetensors", QWEN3_4B, "a Qwen3 language model, Qwen3 4B .*Qwen3-VL 4B .*tower that sees"),
    "Qwen3-VL for Qwen3": ("zimage", "text.safetensors", QWEN3_4B | {VISUAL: (4, 4)}, "Qwen3-VL 4B .* reads .*Qwen3 4B"),
    "Qwen3-VL without its tower for Qwen3": ("zimage", "qwen3_vl_4b.safetensors", QWEN3_4B, "Qwen3-VL 4B .* reads .*Qwen3 4B"),
    "Qwen3 0.6B for 4B": ("zimage", "a.safetensors", QWEN3_4B | {"model.embed_tokens.weight": (9, 1024)}, r"0\.6B \(1,024 wide\).*4B \(2,560 wide\)"),
    "Qwen2.5 for Qwen2.5-VL": ("qwen_image", "qwen2.5_7b.safetensors", QWEN2_5_7B, "a Qwen2.5 language model, Qwen2.5 7B .*Qwen2.5-VL 7B"),
    "Qwen2-VL for Qwen2.5-VL": ("qwen_image", "qwen2_vl.safetensors", QWEN2_5_7B | {"visual.blocks.0.mlp.fc1.weight": (4, 4)}, "a Qwen2-VL language model"),
    "Gemma 3 for Gemma 2": ("lumina2", "gemma.safetensors", GEMMA3, "a Gemma 3 language model, Gemma 3 4B .*Gemma 2 2B"),
    "Gemma 3 for Qwen3": ("zimage", "gemma.safetensors", GEMMA3, "a Gemma 3 language model, Gemma 3 4B .*Qwen3 4B"),
    "UMT5 for T5": ("chroma", "a.safetensors", T5 | {"encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight": (32, 64)}, "a UMT5 text encoder, .*T5 text encoder, T5 XXL"),
    "T5 XL for XXL": ("chroma", "a.safetensors", T5 | {"encoder.block.0.layer.0.SelfAttention.q.weight": (2048, 2048)}, "T5 XL .*T5 XXL"),
    "Wan 2.2's autoencoder": ("qwen_image", "vae", {"decoder.middle.0.residual.0.gamma": (1024, 1, 1, 1), "conv2.weight": (48, 48, 1, 1, 1)}, "48 channels of latents; .*16 channels"),
}  # fmt: skip


@pytest.mark.parametrize("case", LOOKALIKES)
def test_what_only_looks_like_a_part_is_called_by_its_name(case, tmp_path):
    family, name, header, words = LOOKALIKES[case]
    part = "vae" if name == "vae" else "text_encoder"
    with pytest.raises(BaseModelError, match=words):
        described(FAMILIES[family], {part: header_file(tmp_path / name, header)})


def test_a_lone_language_model_that_nothing_reads_is_no_part(tmp_path):
    with pytest.raises(BaseModelError, match=r"a Gemma 3 language model, Gemma 3 4B \(2,560 wide\), which no base model .* reads"):
        describe(header_file(tmp_path / "gemma_3_4b.safetensors", GEMMA3))


def test_the_language_side_of_a_model_that_sees_is_known_by_its_tower_or_by_name(tmp_path):
    for family, name, header in (
        ("krea2", "text.safetensors", QWEN3_4B | {VISUAL: (4, 4)}),
        ("krea2", "qwen3vl_4b_fp8.safetensors", QWEN3_4B),
        ("krea2", "a.safetensors", {key.replace("model.", "model.language_model."): shape for key, shape in QWEN3_4B.items()}),
        ("qwen_image", "Qwen2.5-VL-7B.safetensors", QWEN2_5_7B),
    ):
        file = header_file(tmp_path / name, header)
        assert described(FAMILIES[family], {"text_encoder": file}).parts["text_encoder"].files == (file,)


def described(record, parts, variant=""):
    """What a base at full size is with these files as parts."""
    place = PartPlace((), "", "diffusers", record.variant(variant).parts[record.denoiser], "", {})
    predicts = record.prediction.types[0]
    base = Description(
        Path(), "single file", record, variant, predicts, False, {record.denoiser: place}, record.usual.scheduler, {}, (), ()
    )
    return _with_separate_parts(base, parts)
