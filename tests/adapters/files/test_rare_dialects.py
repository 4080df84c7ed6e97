"""Ways of writing LoRA files that few programs have: each is read as it is meant, or called by its name."""

import json

import pytest
import torch
from safetensors.torch import save_file

from lorasmith.adapters.compatibility.check import check_file
from lorasmith.adapters.delta import delta
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.lora_file import LoraFile, load_tensors
from lorasmith.adapters.files.peft_alphas import ADAPTER_CONFIG
from lorasmith.adapters.kinds import KINDS
from lorasmith.adapters.layer import file_tensors, read_layer
from lorasmith.adapters.tools.convert import as_lora, convert_file
from lorasmith.adapters.tools.merge import merge_files
from lorasmith.adapters.tools.resize import resize, resize_file
from lorasmith.errors import AdapterError

BLOCK = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"
SD1 = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
WIDTH = 3072


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


DOWN, UP = normal(2, 768), normal(640, 2, seed=1)


def test_xlabs_processors_are_layers_of_fluxs_blocks():
    """1 is the picture's side and 2 the text's; a single block's query, key and value are the first rows of its linear1."""
    rows = {
        "double_blocks.0.processor.qkv_lora1": ("lora_unet_double_blocks_0_img_attn_qkv", 3 * WIDTH, WIDTH),
        "double_blocks.0.processor.qkv_lora2": ("lora_unet_double_blocks_0_txt_attn_qkv", 3 * WIDTH, WIDTH),
        "double_blocks.0.processor.proj_lora1": ("lora_unet_double_blocks_0_img_attn_proj", WIDTH, WIDTH),
        "double_blocks.0.processor.proj_lora2": ("lora_unet_double_blocks_0_txt_attn_proj", WIDTH, WIDTH),
        "single_blocks.3.processor.qkv_lora": ("lora_unet_single_blocks_3_linear1", 3 * WIDTH, WIDTH),
        "single_blocks.3.processor.proj_lora": ("lora_unet_single_blocks_3_linear2", WIDTH, 5 * WIDTH),
    }
    tensors = {}
    for seed, (head, (_, out, width)) in enumerate(rows.items()):
        tensors |= {f"{head}.down.weight": normal(1, width, seed=seed), f"{head}.up.weight": normal(out, 1, seed=seed + 9)}
    network = read_network(tensors).whole()
    assert (network.family, network.dialects) == ("flux", ("XLabs",))
    for head, (name, out, _) in rows.items():
        found = network.layers[name].tensors
        assert torch.equal(found["lora_down.weight"], tensors[f"{head}.down.weight"])
        assert torch.equal(found["lora_up.weight"][:out], tensors[f"{head}.up.weight"])
        assert not found["lora_up.weight"][out:].any()
    assert network.layers["lora_unet_single_blocks_3_linear1"].tensors["lora_up.weight"].shape == (7 * WIDTH, 1)


@pytest.mark.parametrize(
    "keys",
    [
        (f"unet.base_model.model.{BLOCK}.lora_A.weight", f"unet.base_model.model.{BLOCK}.lora_B.weight"),
        (f"unet.{BLOCK}.lora_A.mimi.weight", f"unet.{BLOCK}.lora_B.mimi.weight"),
        (f"base_model.model.{BLOCK}.lora_A.default_0.weight", f"base_model.model.{BLOCK}.lora_B.default_0.weight"),
    ],
)
def test_pefts_own_names_are_read_wherever_they_are(keys):
    network = read_network(dict(zip(keys, (DOWN, UP), strict=True))).whole()
    torch.testing.assert_close(delta(network.layers[SD1]), (UP.double() @ DOWN.double()))


def test_two_adapters_in_one_file_are_not_mixed():
    tensors = {f"unet.{BLOCK}.lora_{end}.{name}.weight": tensor for name in ("a", "b") for end, tensor in (("A", DOWN), ("B", UP))}
    network = read_network(tensors)
    assert all("twice" in reason for reason in network.unread.values())
    assert len(network.unread) == 2


def test_a_scale_stands_for_alpha_over_rank_as_automatic1111_has_it():
    network = read_network({f"{SD1}.lora_down.weight": DOWN, f"{SD1}.lora_up.weight": UP, f"{SD1}.scale": torch.tensor(0.25)}).whole()
    layer = network.layers[SD1]
    torch.testing.assert_close(delta(layer), 0.25 * (UP.double() @ DOWN.double()))
    written = {key.removeprefix(f"{SD1}."): tensor for key, tensor in file_tensors([layer]).items()}
    torch.testing.assert_close(delta(read_layer(SD1, written)), delta(layer))


# ---- rotations


def test_kohyas_own_oft_is_read_by_its_prefix_and_called_unknown_to_others(tmp_path):
    name = "input_blocks_4_1_transformer_blocks_0_attn1_to_q"
    tensors = {f"oft_unet_{name}.oft_blocks": 0.1 * normal(4, 160, 160), f"oft_unet_{name}.alpha": torch.tensor(1e-3)}
    network = read_network(tensors).whole()
    assert (network.family, network.dialects) == ("sdxl", ("kohya's OFT",))
    assert network.layers[f"lora_unet_{name}"].kind is KINDS["diag-oft"]
    report = check_file(LoraFile(tensors, {}))
    assert {program: found.verdict for program, found in report.consumers.items()} == {
        "AUTOMATIC1111": "all", "Forge": "none", "ComfyUI": "none", "diffusers": "none"
    }  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_rotations_that_are_written_as_matrices_are_those_of_the_blocks_they_were_made_of(dtype):
    """LyCORIS before 2.0: R = (I + Q) (I - Q)^-1 instead of the numbers of Q."""
    blocks, weight = 0.1 * normal(80, 8, 8), normal(640, 768, seed=3)
    q, eye = blocks - blocks.transpose(1, 2), torch.eye(8)
    rotations = ((eye + q) @ torch.linalg.inv(eye - q)).to(dtype)
    network = read_network({f"{SD1}.oft_diag": rotations, f"{SD1}.alpha": torch.tensor(4.0)}).whole()
    wanted = torch.einsum("knm,knp->kmp", rotations.float(), weight.view(80, 8, 768)).view(640, 768) - weight
    atol = 1e-4 if dtype is torch.float32 else 8 * 2**-10 * float(weight.abs().max())
    torch.testing.assert_close(delta(network.layers[SD1], weight), wanted, atol=atol, rtol=1e-3)
    report = check_file(LoraFile({f"{SD1}.oft_diag": rotations}, {}))
    assert (report.consumers["AUTOMATIC1111"].verdict, report.consumers["ComfyUI"].verdict) == ("all", "none")


PEFT_OFT = {"blocks": {"oft_block_size": 8}, "one block for all": {"oft_block_size": 8, "block_share": True}, "number of blocks": {"r": 3, "oft_block_size": 0}}  # fmt: skip


@pytest.mark.parametrize("settings", PEFT_OFT.values(), ids=PEFT_OFT)
def test_oft_v2_turns_the_inputs_as_peft_does(settings):
    peft = pytest.importorskip("peft")
    model = torch.nn.Sequential(torch.nn.Linear(24, 16))
    weight = model[0].weight.detach().clone()
    peft.inject_adapter_in_model(peft.OFTConfig(target_modules=["0"], init_weights=False, **settings), model)
    layer, rotation = model[0], model[0].oft_R["default"]
    with torch.no_grad():
        rotation.weight.copy_(0.1 * normal(*rotation.weight.shape))
    layer.merge()
    found = delta(read_layer("x", {"oft_R.weight": rotation.weight.detach()}), weight)
    torch.testing.assert_close(found, layer.base_layer.weight.detach() - weight, rtol=1e-5, atol=1e-5)


def test_oft_v2_of_onetrainer_is_read_and_converted_with_the_base(tmp_path):
    weight = normal(640, 768, seed=3)
    tensors = {f"{SD1}.oft_R.weight": normal(24, 496), f"{SD1}.oft_R.scaled_oft": torch.tensor(1)}
    layer = read_network(tensors).whole().layers[SD1]
    scaled = read_layer("x", {"oft_R.weight": normal(24, 496) / 496**0.5})
    torch.testing.assert_close(delta(layer, weight), delta(scaled, weight))
    with pytest.raises(AdapterError, match="depends on the base"):
        as_lora(layer, 4)
    plain, report = as_lora(layer, 640, weight)
    torch.testing.assert_close(delta(plain).float(), delta(layer, weight), rtol=1e-3, atol=1e-3)
    assert report.error < 1e-5
    assert {found.verdict for found in check_file(LoraFile(tensors, {})).consumers.values()} == {"none"}


def test_an_oft_v2_without_neumanns_series_is_another_rotation_and_not_read():
    settings = {ADAPTER_CONFIG: json.dumps({"peft_type": "OFT", "use_cayley_neumann": False})}
    unread = read_network({f"{SD1}.oft_R.weight": normal(24, 496)}, settings, "sd1").unread
    assert all("Neumann" in reason for reason in unread.values())
    assert unread


# ---- changes of biases and normalisations beside LoRAs


NORM = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_norm1"
BESIDE = {
    f"{SD1}.lora_down.weight": DOWN, f"{SD1}.lora_up.weight": UP, f"{SD1}.diff_b": normal(640, seed=5),
    f"{NORM}.diff": normal(640, seed=6), f"{NORM}.diff_b": normal(640, seed=7),
}  # fmt: skip


def test_a_change_of_the_bias_beside_a_lora_survives_everything_that_is_done_with_it(tmp_path):
    source, out = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_file(BESIDE, source)
    convert_file(source, out)
    assert torch.equal(load_tensors(out).tensors[f"{SD1}.diff_b"], BESIDE[f"{SD1}.diff_b"])
    merge_files([(source, 0.5), (source, 0.25)], out, overwrite=True)
    merged = load_tensors(out).tensors
    torch.testing.assert_close(merged[f"{SD1}.diff_b"], 0.75 * BESIDE[f"{SD1}.diff_b"])
    torch.testing.assert_close(merged[f"{NORM}.w_norm"], 0.75 * BESIDE[f"{NORM}.diff"])
    torch.testing.assert_close(merged[f"{NORM}.b_norm"], 0.75 * BESIDE[f"{NORM}.diff_b"])
    convert_file(source, out, "diff", overwrite=True)
    torch.testing.assert_close(load_tensors(out).tensors[f"{SD1}.diff_b"], BESIDE[f"{SD1}.diff_b"])
    for to in ("lora", "diffusers"):
        with pytest.raises(AdapterError, match="which a LoRA cannot hold"):
            convert_file(source, out, to, overwrite=True)
    layers, _ = resize({SD1: read_network(BESIDE).layers[SD1]}, 1)
    assert torch.equal(layers[SD1].bias, BESIDE[f"{SD1}.diff_b"])


def test_check_says_which_programs_drop_a_change_of_the_bias_beside_a_lora():
    report = check_file(LoraFile(BESIDE, {"ss_base_model_version": "sd_v1"}))
    assert {program: found.verdict for program, found in report.consumers.items()} == {
        "AUTOMATIC1111": "wrong", "Forge": "all", "ComfyUI": "all", "diffusers": "none"
    }  # fmt: skip
    assert not [finding for finding in report.findings if finding.severity == "error"]


def test_biases_of_layers_that_were_trained_apart_are_one_below_the_other():
    tensors = {}
    for seed, q in enumerate(("to_q", "to_v")):
        name = f"transformer.transformer_blocks.0.attn.{q}"
        tensors |= {f"{name}.lora_A.weight": normal(1, 32), f"{name}.lora_B.weight": normal(32, 1), f"{name}.diff_b": normal(32, seed=seed)}
    layer = read_network(tensors, family="flux").whole().layers["lora_unet_double_blocks_0_img_attn_qkv"]
    torch.testing.assert_close(layer.delta_bias(), torch.cat([normal(32), torch.zeros(32), normal(32, seed=1)]))


# ---- what is not read


NOT_READ = {
    "BOFT of peft": ("boft_R", torch.zeros(1, 4, 8, 8)),
    "VeRA": ("vera_lambda_b", torch.zeros(8)),
    "OFT of LyCORIS before": ("oft_diag", torch.zeros(4, 8, 8)),
}


@pytest.mark.parametrize(("what", "suffix", "tensor"), [(what, *rest) for what, rest in NOT_READ.items()], ids=NOT_READ)
def test_networks_that_are_not_read_are_called_by_their_names(what, suffix, tensor):
    with pytest.raises(AdapterError, match=what) as refusal:
        read_network({f"lora_unet_double_blocks_0_img_attn_proj.{suffix}": tensor})
    assert refusal.value.code == "lora.other_kind"


def test_what_a_control_lora_of_flux_has_besides_is_named(tmp_path):
    name = "double_blocks.0.img_attn"
    tensors = {
        f"{name}.proj.lora_A.weight": normal(1, WIDTH), f"{name}.proj.lora_B.weight": normal(WIDTH, 1),
        f"{name}.proj.lora_B.bias": torch.zeros(WIDTH), f"{name}.norm.key_norm.scale": torch.ones(128),
    }  # fmt: skip
    unread = read_network(tensors).unread
    assert set(unread) == {f"{name}.proj.lora_B.bias", f"{name}.norm.key_norm.scale"}
    assert all("control LoRAs" in reason for reason in unread.values())
    save_file(tensors, tmp_path / "canny.safetensors")
    for work in (
        lambda out: convert_file(tmp_path / "canny.safetensors", out),
        lambda out: resize_file(tmp_path / "canny.safetensors", out, 1),
    ):
        with pytest.raises(AdapterError, match="control LoRA of Black Forest Labs .* use it as it is, in ComfyUI or diffusers"):
            work(tmp_path / "out.safetensors")
    report = check_file(LoraFile(tensors, {}))
    assert (report.consumers["ComfyUI"].verdict, report.consumers["diffusers"].verdict) == ("all", "all")
    assert any(finding.code == "check.unreadable" for finding in report.findings)


@pytest.mark.parametrize(("blocks", "verdict"), [(38, "all"), (4, "none")])
def test_comfyui_reads_xlabs_and_uso_where_all_blocks_are_in_the_file(blocks, verdict):
    """It knows them by the last blocks of both kinds; a file without these is read without an effect or a word."""
    tensors = {}
    for i in range(blocks):
        for head, out, width in (
            (f"single_blocks.{i}.processor.qkv_lora", 3 * WIDTH, WIDTH),
            (f"double_blocks.{i // 2}.processor.qkv_lora2", 3 * WIDTH, WIDTH),
        ):
            tensors |= {f"{head}.down.weight": torch.ones(1, width), f"{head}.up.weight": torch.ones(out, 1)}
    report = check_file(LoraFile(tensors, {}))
    assert report.consumers["ComfyUI"].verdict == verdict
