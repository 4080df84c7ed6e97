"""A checkpoint with LoRAs merged in predicts what the base predicts with them attached, and is the base's file in everything else."""

from contextlib import ExitStack
from functools import cache

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from lorasmith.adapters.attach import attach_layers
from lorasmith.adapters.base_weights import BaseWeights
from lorasmith.adapters.changed_norms import changed_norms
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.kinds import trainable_kinds
from lorasmith.adapters.tools.extract import extract_file
from lorasmith.adapters.tools.merge_into_base import merge_into_base
from lorasmith.adapters.tools.opened import open_lora
from lorasmith.cli.main import app
from lorasmith.errors import AdapterError, InputError
from lorasmith.models.files.weights import PartReader
from lorasmith.models.open import describe
from tests.adapters.test_kinds_on_families import outputs
from tests.adapters.tools.merged_bases import PARTS, loaded, toy_parts, write_lora
from tests.models.files.test_eight_bits import by_rows, newer, older, stored
from tests.models.single_files import write_single_file
from tests.models.toys import toy_folder

TEXT = "lora_te_text_model_encoder_layers_0_mlp_fc1"


def attached(family, file, strength):
    """What the toy's parts predict with a file on them."""
    layers, parts = open_lora(file, family).layers, toy_parts(family)
    with ExitStack() as stack, torch.no_grad():
        for part, module in parts.items():
            adapter = attach_layers(module, keys.targets(family, part, module, "full"), layers)
            if adapter is not None:
                stack.callback(adapter.detach)
                stack.enter_context(adapter.strength(strength))
        return outputs(parts)


def predicted(source, family, **open_options):
    with torch.no_grad():
        return outputs(loaded(source, PARTS[family], **open_options))


@cache
def predicted_by_the_toy(family):
    return predicted(toy_folder(family), family)


def assert_same(found, expected):
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", trainable_kinds())
def test_a_base_with_a_network_of_any_kind_merged_in_predicts_as_with_it_attached(kind, tmp_path):
    file = write_lora(tmp_path / "lora.safetensors", "sd1", kind, size=0.05)
    changed = merge_into_base([(file, 0.7)], toy_folder("sd1"), tmp_path / "merged")
    assert max(each.rounding for each in changed) < 1e-4
    found, base = predicted(tmp_path / "merged", "sd1"), predicted_by_the_toy("sd1")
    assert_same(found, attached("sd1", file, 0.7))
    assert all((a - b).abs().max() > 1e-3 for a, b in zip(found, base, strict=True))


@pytest.mark.parametrize("layout", ["original", "comfyui", pytest.param("diffusers", marks=pytest.mark.slow)])
@pytest.mark.parametrize("family", PARTS)
def test_single_files_of_every_family_and_layout_stay_what_they_are(family, layout, tmp_path):
    base = write_single_file(toy_folder(family), tmp_path / "base.safetensors", layout)
    file = write_lora(tmp_path / "lora.safetensors", family, "lora", size=0.05)
    merge_into_base([(file, 0.7)], base, tmp_path / "merged.safetensors", config=toy_folder(family))
    assert_same(predicted(tmp_path / "merged.safetensors", family, config=toy_folder(family)), attached(family, file, 0.7))
    old, new = load_file(base), load_file(tmp_path / "merged.safetensors")
    assert old.keys() == new.keys()
    assert {key: (value.shape, value.dtype) for key, value in old.items()} == {
        key: (value.shape, value.dtype) for key, value in new.items()
    }
    same = {key for key in old if torch.equal(old[key], new[key])}
    assert same  # autoencoder, embeddings, normalisations
    assert all(torch.equal(old[key], new[key]) for key in old if key.startswith(("first_stage_model", "vae.")))


def test_ratios_add_up_and_a_network_and_its_opposite_are_nothing(tmp_path):
    a = write_lora(tmp_path / "a.safetensors", "sd1", "lora", size=0.05)
    b = write_lora(tmp_path / "b.safetensors", "sd1", "lokr", size=0.05, seed=5)
    merge_into_base([(a, 0.7), (b, 0.5), (a, -0.7), (b, -0.5)], toy_folder("sd1"), tmp_path / "same")
    assert_same(predicted(tmp_path / "same", "sd1"), predicted_by_the_toy("sd1"))
    merge_into_base([(a, 0.7)], toy_folder("sd1"), tmp_path / "one")
    merge_into_base([(b, 0.5)], tmp_path / "one", tmp_path / "after")
    merge_into_base([(a, 0.7), (b, 0.5)], toy_folder("sd1"), tmp_path / "together")
    assert_same(predicted(tmp_path / "after", "sd1"), predicted(tmp_path / "together", "sd1"))


def test_a_base_in_half_precision_stays_so_and_what_rounding_loses_is_said(tmp_path):
    base = write_single_file(toy_folder("sd1"), tmp_path / "base.safetensors", dtype=torch.float16)
    file = write_lora(tmp_path / "lora.safetensors", "sd1", "lora", size=0.05)
    changed = merge_into_base([(file, 1.0)], base, tmp_path / "merged.safetensors", config=toy_folder("sd1"))
    assert all(tensor.dtype in (torch.float16, torch.int64) for tensor in load_file(tmp_path / "merged.safetensors").values())
    assert 1e-5 < max(each.rounding for each in changed) < 0.5
    assert changed[0].name.startswith(("unet.", "text_encoder."))


@pytest.mark.parametrize("way", [older, newer, by_rows])
def test_a_lora_merged_into_scaled_eight_bits_is_the_one_in_the_numbers_that_they_stand_for(way, tmp_path):
    """Also where weights grow far beyond what their factors reached."""
    whole = load_file(write_single_file(toy_folder("flux"), tmp_path / "whole.safetensors"))
    packed, meant = stored(whole, [way])
    save_file(packed | {"model.diffusion_model.scaled_fp8": torch.zeros(2, dtype=torch.float8_e4m3fn)}, tmp_path / "packed.safetensors")
    save_file({key: value.contiguous() for key, value in meant.items()}, tmp_path / "meant.safetensors")
    file = write_lora(tmp_path / "lora.safetensors", "flux", "lora", size=0.5, parts=["transformer"])
    readers, config = {}, toy_folder("flux")
    for name in ("packed", "meant"):
        changed = merge_into_base([(file, 1.0)], tmp_path / f"{name}.safetensors", tmp_path / f"{name}-merged.safetensors", config=config)
        readers[name] = PartReader(describe(tmp_path / f"{name}-merged.safetensors", config=config), "transformer")
    before, after = load_file(tmp_path / "packed.safetensors"), load_file(tmp_path / "packed-merged.safetensors")
    assert {key: value.dtype for key, value in before.items()} == {key: value.dtype for key, value in after.items()}
    names = [each.name.removeprefix("transformer.") for each in changed]
    for name in (*names, "proj_out.weight"):  # of which the second was not changed
        ours, theirs = (readers[which].read(name, torch.float32) for which in ("packed", "meant"))
        scale = readers["packed"].scale_of(name)
        # e4m3 has three bits after the point: a number is off by at most 1/16 of itself, and near zero by half of its smallest, 2^-9.
        off = 0.0 if scale is None else scale * 2**-10
        assert ((ours - theirs).abs() <= theirs.abs() / 16 + off + 1e-6).all(), name


def test_what_plain_eight_bits_cannot_hold_is_refused(tmp_path):
    base = write_single_file(toy_folder("flux"), tmp_path / "base.safetensors", dtype=torch.float8_e4m3fn)
    change = {"lora_unet_img_in.diff": torch.full(toy_parts("flux")["transformer"].x_embedder.weight.shape, 1000.0)}
    save_file(change, tmp_path / "large.safetensors", {"ss_base_model_version": "flux1"})
    with pytest.raises(AdapterError, match="too large for the base's precision"):
        merge_into_base([(tmp_path / "large.safetensors", 1.0)], base, tmp_path / "merged.safetensors", config=toy_folder("flux"))


def test_the_metadata_of_the_base_stay_as_far_as_they_are_true(tmp_path):
    said = {"modelspec.title": "My base", "modelspec.license": "CC0", "modelspec.hash_sha256": "0xab", "modelspec.date": "2024-01-01"}
    base = write_single_file(toy_folder("sd1"), tmp_path / "base.safetensors", metadata=said)
    file = write_lora(tmp_path / "mimi.safetensors", "sd1", "lora")
    merge_into_base([(file, 0.8), (file, -0.5)], base, tmp_path / "merged.safetensors", config=toy_folder("sd1"))
    with safe_open(tmp_path / "merged.safetensors", "pt") as opened:
        assert opened.metadata() == {
            "modelspec.title": "merged",
            "modelspec.license": "CC0",
            "modelspec.merged_from": "My base, mimi:0.8, mimi:-0.5",
        }


def test_biases_and_normalisations_are_merged_too(tmp_path):
    folder, norm = toy_folder("sd1"), "lora_unet_down_blocks_0_resnets_0_norm1"
    change = {f"{norm}.w_norm": torch.full((8,), 0.25), f"{norm}.b_norm": torch.full((8,), -0.5)}
    change |= {"lora_unet_conv_in.diff": torch.zeros(8, 4, 3, 3), "lora_unet_conv_in.diff_b": torch.ones(8)}
    save_file(change, tmp_path / "norm.safetensors", {"ss_base_model_version": "sd_v1"})
    merge_into_base([(tmp_path / "norm.safetensors", 2.0)], folder, tmp_path / "merged")
    old, new = (loaded(each, ["unet"])["unet"].state_dict() for each in (folder, tmp_path / "merged"))
    differ = {key: (new[key] - old[key]).unique().tolist() for key in old if not torch.equal(old[key], new[key])}
    assert differ == {
        "conv_in.bias": pytest.approx([2.0], abs=1e-6),
        "down_blocks.0.resnets.0.norm1.weight": pytest.approx([0.5]),
        "down_blocks.0.resnets.0.norm1.bias": pytest.approx([-1.0]),
    }


@pytest.mark.parametrize(
    ("part", "path", "name"),
    [
        ("text_encoder_2", "encoder.block.0.layer.0.layer_norm", "lora_te2_encoder_block_0_layer_0_layer_norm"),
        ("transformer", "transformer_blocks.0.attn.norm_q", "diffusion_model.double_blocks.0.img_attn.norm.query_norm.scale"),
    ],
)
def test_a_normalisation_without_a_shift_changes_its_scale_merged_and_attached(part, path, name, tmp_path):
    """T5's, and those of query and key, of which other trainers write `diff` alone."""
    folder, module = toy_folder("flux"), toy_parts("flux")[part]
    own = module.get_submodule(path).weight
    save_file({f"{name}.diff": torch.full_like(own, 0.25)}, tmp_path / "norm.safetensors", {"ss_base_model_version": "flux1"})
    merge_into_base([(tmp_path / "norm.safetensors", 2.0)], folder, tmp_path / "merged")
    new = loaded(tmp_path / "merged", [part])[part].get_submodule(path).weight
    torch.testing.assert_close(new, own + 0.5)
    found = extract_file(tmp_path / "merged", folder, tmp_path / "back.safetensors", "full", parts=[part])
    assert not found.left_out
    assert [layer.error for layer in found.layers] == [pytest.approx(0, abs=1e-6)]
    base, before = BaseWeights("flux", {part: module}), own.clone()
    with changed_norms(base, open_lora(tmp_path / "norm.safetensors", "flux").layers, 2.0):
        torch.testing.assert_close(own, before + 0.5)
    assert torch.equal(own, before)
    shifted = {f"{name}.w_norm": torch.ones_like(own), f"{name}.b_norm": torch.ones_like(own)}
    save_file(shifted, tmp_path / "shifted.safetensors", {"ss_base_model_version": "flux1"})
    with (
        pytest.raises(AdapterError, match="made for another base model"),
        changed_norms(base, open_lora(tmp_path / "shifted.safetensors", "flux").layers, 1.0),
    ):
        pass
    assert torch.equal(own, before)


def test_what_cannot_be_merged_is_refused_and_nothing_is_written(tmp_path):
    file = write_lora(tmp_path / "lora.safetensors", "sd1", "lora")
    unet = write_single_file(toy_folder("sd1"), tmp_path / "unet.safetensors", drop=("cond_stage_model",), dtype=torch.float16)
    (tmp_path / "there").mkdir()
    config = toy_folder("sd1")
    out = tmp_path / "out.safetensors"
    with pytest.raises(AdapterError, match=r"no text_encoder, which .*lora.safetensors changes"):
        merge_into_base([(file, 1.0)], unet, out, config=config)
    with pytest.raises(InputError, match="exists already"):
        merge_into_base([(file, 1.0)], toy_folder("sd1"), tmp_path / "there")
    with pytest.raises(InputError, match="does not end in .safetensors"):
        merge_into_base([(file, 1.0)], unet, tmp_path / "merged.ckpt", config=config)
    for number, reason in ((float("nan"), "not finite"), (1e6, "too large for the base's precision")):
        save_file(
            {"lora_unet_conv_in.diff": torch.full((8, 4, 3, 3), number)}, tmp_path / "odd.safetensors", {"ss_base_model_version": "sd_v1"}
        )
        with pytest.raises(AdapterError, match=reason):
            merge_into_base([(tmp_path / "odd.safetensors", 1.0)], unet, out, config=config)
    assert not out.exists()
    assert not list(tmp_path.glob(".*"))


def test_other_precisions_of_a_part_are_not_copied_beside_the_new_one(tmp_path):
    import shutil

    base = shutil.copytree(toy_folder("sd1"), tmp_path / "base")
    weights = base / "unet" / "diffusion_pytorch_model.safetensors"
    half = {key: value.half() for key, value in load_file(weights).items()}
    save_file(half, base / "unet" / "diffusion_pytorch_model.fp16.safetensors", {"format": "pt"})
    merge_into_base([(write_lora(tmp_path / "lora.safetensors", "sd1", "lora", parts=["unet"]), 1.0)], base, tmp_path / "merged")
    assert [file.name for file in (tmp_path / "merged" / "unet").glob("*.safetensors")] == ["diffusion_pytorch_model.fp16.safetensors"]
    assert describe(tmp_path / "merged").parts["unet"].dtype == "fp16"


def test_a_pickled_lora_is_merged_where_pickles_are_allowed_by_the_verb_too(tmp_path):
    file = write_lora(tmp_path / "lora.safetensors", "sd1", "lora", size=0.05)
    torch.save(load_file(file), tmp_path / "old.pt")
    verb = ["lora", "merge", str(tmp_path / "old.pt"), "--into", str(toy_folder("sd1")), "--out", str(tmp_path / "merged")]
    with pytest.raises(AdapterError, match="--allow-pickle"):
        CliRunner().invoke(app, verb, catch_exceptions=False)
    assert CliRunner().invoke(app, [*verb, "--allow-pickle"], catch_exceptions=False).exit_code == 0
    assert_same(predicted(tmp_path / "merged", "sd1"), attached("sd1", file, 1.0))
