"""Every way of naming that a LoRA can be converted to, for every family: it is read back as the same weights, and again what it was."""

from types import SimpleNamespace

import pytest
import torch

from lorasmith.adapters.base_weights import empty_base
from lorasmith.adapters.compatibility.check import check_file
from lorasmith.adapters.delta import delta
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.key_style import in_kohyas_names
from lorasmith.adapters.files.layout import layout_of
from lorasmith.adapters.files.lora_file import LoraFile, load_tensors
from lorasmith.adapters.files.network import save_network
from lorasmith.adapters.kinds import KINDS
from lorasmith.adapters.layer import Layer, file_tensors
from lorasmith.adapters.tools.convert import FORMS, convert_file, diffusers_tensors
from lorasmith.adapters.tools.opened import open_lora
from lorasmith.errors import AdapterError
from lorasmith.models.families import FAMILIES
from lorasmith.models.files.weights import empty_module
from lorasmith.models.open import describe
from tests.models.toys import carrying, toy_folder


@pytest.fixture(scope="module", params=list(FAMILIES))
def written(request, tmp_path_factory):
    """A family's LoRA file on its toy, on every layer that one may train; the toy without its weights; and what each layer does."""
    base = empty_base(describe(toy_folder(request.param)))
    generator, layers = torch.Generator().manual_seed(1), []
    for name, (rows, *rest) in keys.weight_shapes(request.param, carrying(base), "full").items():
        down, up = torch.randn(2, *rest, generator=generator), torch.randn(rows, 2, *(1 for _ in rest[1:]), generator=generator)
        layers.append(Layer(name, KINDS["lora"], {"lora_down.weight": down, "lora_up.weight": up}, 1.0))
    path = tmp_path_factory.mktemp("lora") / "lora.safetensors"
    save_network(path, layers, request.param, {}, torch.float32)
    return base, path, {layer.name: delta(layer) for layer in layers}


NOT_WRITTEN = {("sd3", "kohya")}
"""Names that a family's layers do not have: kohya's, where they are fused there."""


def changes_of(path, base):
    return {name: delta(layer) for name, layer in open_lora(path, base=base).layers.items()}


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_was_converted_and_back_is_the_same_network(form, written, tmp_path):
    base, path, wanted = written
    if (base.family, form) in NOT_WRITTEN:
        with pytest.raises(AdapterError, match="convert to everywhere"):
            convert_file(path, tmp_path / "there.safetensors", form, base=base)
        return
    there, back = tmp_path / ("there" if form == "peft" else "there.safetensors"), tmp_path / "back.safetensors"
    convert_file(path, there, form, base=base)
    if form != "peft":
        assert_same(changes_of(there, base), wanted)
    convert_file(there, back, base=base)
    assert_same(changes_of(back, base), wanted)


def assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    for name, change in wanted.items():
        torch.testing.assert_close(found[name].double(), change.double(), rtol=1e-5, atol=1e-5)


def test_kohyas_names_have_their_alphas_and_their_beginning(written, tmp_path):
    base, path, wanted = written
    if (base.family, "kohya") in NOT_WRITTEN:
        pytest.skip("it is refused")
    convert_file(path, tmp_path / "kohya.safetensors", "kohya", base=base)
    found = load_tensors(tmp_path / "kohya.safetensors").tensors
    assert len([key for key in found if key.endswith(".alpha")]) == len(wanted)
    assert all(key.startswith(("lora_unet_", "lora_te")) and key.count(".") <= 2 for key in found)
    assert not any("lora_A" in key for key in found)


def at_full_size(family, preset="default"):
    """Layers of a LoRA on the denoiser at full size, without memory."""
    denoiser = FAMILIES[family].denoiser
    module = empty_module(FAMILIES[family].usual.parts[denoiser])
    for name, (rows, *rest) in keys.weight_shapes(family, {denoiser: module}, preset).items():
        down, up = (torch.empty(shape, device="meta") for shape in ((1, *rest), (rows, 1, *(1 for _ in rest[1:]))))
        yield Layer(name, KINDS["lora"], {"lora_down.weight": down, "lora_up.weight": up}, 1.0)


ALIKE = {"chroma": "flux", "sd2": "sd1"}
"""Families whose files may be taken for another's without a word in the metadata."""


@pytest.mark.parametrize("family", FAMILIES)
def test_a_file_in_diffusers_or_kohyas_names_shows_its_family_at_full_size(family):
    layers = {layer.name: layer for layer in at_full_size(family)}
    ways = [diffusers_tensors(family, layers)]
    if (family, "kohya") not in NOT_WRITTEN:
        ways.append(in_kohyas_names(family, file_tensors(layers.values())))
    for tensors in ways:
        found = layout_of(tensors, {}, SimpleNamespace(number=lambda key: 1.0, is_rotation=lambda key: False)).outline()
        assert found.family in (family, ALIKE.get(family))
        assert not found.unread
        assert found.layers.keys() == layers.keys()


@pytest.mark.parametrize(
    ("layers", "family"),
    [
        ({"transformer_blocks.0.attn2.to_k": (2048, 1024), "transformer_blocks.0.attn1.to_q": (2048, 2048)}, "anima"),
        ({"transformer_blocks.27.norm1.linear_1": (256, 2048)}, "anima"),
        ({"transformer_blocks.0.attn2.to_k": (2048, 2048), "transformer_blocks.0.attn1.to_q": (2048, 2048)}, "LTX-Video, which"),
        ({"transformer_blocks.0.attn1.to_q": (2048, 2048), "transformer_blocks.0.ff.net.2": (2048, 8192)}, "LTX-Video or Anima"),
    ],
    ids=["both attentions", "a modulation", "LTX-Video", "attention to itself alone"],
)
def test_anima_is_told_from_ltx_video_by_what_its_text_attention_reads(layers, family):
    tensors = {}
    for path, (rows, width) in layers.items():
        tensors |= {f"transformer.{path}.lora_A.weight": torch.zeros(1, width), f"transformer.{path}.lora_B.weight": torch.zeros(rows, 1)}
    if family in FAMILIES:
        assert read_network(tensors).family == family
        return
    with pytest.raises(AdapterError, match=f"made for {family}"):
        read_network(tensors)
    if " or " in family:
        assert read_network(tensors, family="anima").unread == {}


NOT_READ = {
    "sd-scripts' adapter": ("anima", "lora_unet_llm_adapter_blocks_0_self_attn_q_proj", "Anima's text conditioner is left as it is"),
    "an adapter with dots": (
        "anima",
        "diffusion_model.llm_adapter.blocks.0.cross_attn.k_proj",
        "Anima's text conditioner is left as it is",
    ),
    "sd-scripts' Qwen3": ("anima", "lora_te_layers_0_self_attn_q_proj", "Anima's text encoder is left as it is"),
    "a text encoder of Z-Image": ("zimage", "text_encoder.layers.0.self_attn.q_proj", "Z-Image's text encoder is left as it is"),
}


@pytest.mark.parametrize("what", NOT_READ)
def test_what_a_family_leaves_alone_is_named_once_and_the_rest_is_read(what):
    family, left_out, words = NOT_READ[what]
    own = {"anima": "diffusion_model.blocks.0.self_attn.q_proj", "zimage": "diffusion_model.layers.0.attention.to_q"}[family]
    tensors = {}
    for layer in (own, left_out, left_out.replace("0", "1", 1)):
        tensors |= {f"{layer}.lora_A.weight": torch.ones(1, 8), f"{layer}.lora_B.weight": torch.ones(8, 1)}
    network = read_network(tensors, family=family)
    assert len(network.layers) == 1
    assert {reason for reason in network.unread.values() if reason.startswith(words)} == set(network.unread.values())
    findings = [
        finding for finding in check_file(LoraFile(tensors, {}), fit=False, family=family).findings if finding.code == "check.unreadable"
    ]
    assert len(findings) == 1
    assert words in findings[0].message
