"""LoRA files of every dialect, made by the real writers where they are installed: the change of each layer is the source's."""

import functools
import re

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from torch import nn

from lorasmith.adapters.attach import attach_layers
from lorasmith.adapters.base_weights import BaseWeights, empty_base
from lorasmith.adapters.delta import delta
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.family import guess_family
from lorasmith.adapters.files.lora_file import load_tensors
from lorasmith.adapters.kinds import dora
from lorasmith.adapters.layer import file_tensors, read_layer
from lorasmith.errors import AdapterError
from lorasmith.models.architectures.unet_layers import UnetShape, to_ldm
from lorasmith.models.families import FAMILIES
from lorasmith.models.files.weights import load_part
from lorasmith.models.open import describe
from tests.models.toys import pipeline_class, toy_folder

SAVED_BY_DIFFUSERS = [family for family in FAMILIES if family != "anima"]  # diffusers has no pipeline of it that writes LoRA files
TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "proj_mlp", "q_proj", "out_proj", "fc1", "conv1", "ff.net.2", "norm.linear"]


def toy_parts(family):
    """Parts of a toy base that carry LoRAs, fresh ones for each test; T5 aside."""
    description = describe(toy_folder(family))
    wanted = [part for part in FAMILIES[family].lora.parts if not (family == "flux" and part == "text_encoder_2")]
    return {part: load_part(description, part, torch.float32) for part in wanted}


@functools.cache
def toy_shapes(family):
    """Name in the file -> shape of the weight, of all parts of a toy base."""
    base = empty_base(describe(toy_folder(family)))
    parts = {part: module for part, module in base.parts.items() if (family, part) != ("flux", "text_encoder_2")}
    return keys.weight_shapes(family, parts, "convolutions")


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def with_peft(parts, rank=4, alpha=2, **settings):
    """peft LoRAs on the parts with random weights, and the change of each layer as peft has it."""
    from peft import LoraConfig, inject_adapter_in_model
    from peft.tuners.lora import LoraLayer

    changes = {}
    for part, module in parts.items():
        config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=r".*(" + "|".join(map(re.escape, TARGETS)) + ")", **settings)
        inject_adapter_in_model(config, module)
        module.peft_config = {"default": config}
        for index, (path, layer) in enumerate(module.named_modules()):
            if isinstance(layer, LoraLayer):
                with torch.no_grad():
                    for name, weight in layer.named_parameters():
                        if "lora_" in name and "magnitude" not in name:
                            weight.copy_(normal(*weight.shape, seed=index))
                changes[part, path] = layer.get_delta_weight("default").detach()
    return changes


def together(family, changes, shape=None):
    """Name in the file -> the change of the whole of it, fused where the file fuses; layers that were not trained change nothing."""
    found = {}
    for (part, path), value in changes.items():
        where = keys.place(family, part, path, shape)
        found.setdefault(where.name, {})[where.slot] = value
    whole = {}
    for name, slots in found.items():
        count = len(keys.layers_of(family, name, shape)[1])
        width = next(iter(slots.values())).shape[1]
        missing = {slot: torch.zeros(width * (4 if slot == 3 else 1), width) for slot in range(count)}
        whole[name] = torch.cat([slots.get(slot, missing[slot]) for slot in range(count)]) if count > 1 else slots[0]
    return whole


def assert_same_changes(network, wanted):
    assert not network.unread
    assert network.layers.keys() == wanted.keys()
    for name, layer in network.layers.items():
        torch.testing.assert_close(delta(layer).double(), wanted[name].double(), rtol=1e-5, atol=1e-5)


# ---- the writers of others


def save_with_diffusers(family, parts, folder, **metadata):
    from peft.utils import get_peft_model_state_dict

    layers = {f"{part}_lora_layers": get_peft_model_state_dict(module) for part, module in parts.items()}
    pipeline_class(family).save_lora_weights(folder, **layers, **metadata)
    return load_tensors(folder / "pytorch_lora_weights.safetensors")


@pytest.mark.parametrize(
    ("family", "settings"),
    [(family, {}) for family in SAVED_BY_DIFFUSERS]
    + [("flux", {"use_rslora": True}), ("flux", {"alpha_pattern": {"to_k": 7}, "rank_pattern": {"to_v": 3}})],
    ids=[*SAVED_BY_DIFFUSERS, "flux-rslora", "flux-patterns"],
)
def test_files_of_diffusers_with_their_settings_are_read_as_peft_meant_them(family, settings, tmp_path):
    parts = toy_parts(family)
    changes = with_peft(parts, **settings)
    metadata = {f"{part}_lora_adapter_metadata": module.peft_config["default"].to_dict() for part, module in parts.items()}
    for values in metadata.values():  # as diffusers' own training scripts hand them over
        values["target_modules"] = "all"
    file = save_with_diffusers(family, parts, tmp_path, **metadata)
    network = read_network(file.tensors, file.metadata, family)
    assert network.dialects == ("diffusers",)
    assert_same_changes(network, together(family, changes))


@pytest.mark.parametrize("family", ["sd1", "flux"])
def test_files_of_diffusers_without_settings_have_the_strength_of_alpha_equal_to_the_rank(family, tmp_path):
    parts = toy_parts(family)
    changes = {place: 2 * value for place, value in with_peft(parts, rank=4, alpha=2).items()}
    file = save_with_diffusers(family, parts, tmp_path)
    assert_same_changes(read_network(file.tensors, file.metadata, family), together(family, changes))


@pytest.mark.parametrize("family", ["sdxl"])
def test_what_diffusers_converts_to_kohya_is_read(family, tmp_path):
    from diffusers.utils import convert_state_dict_to_kohya

    parts = toy_parts(family)
    changes = with_peft(parts, rank=4, alpha=4)
    file = save_with_diffusers(family, parts, tmp_path)
    network = read_network(convert_state_dict_to_kohya(file.tensors), {}, family)
    assert network.dialects == ("kohya",)
    assert_same_changes(network, together(family, changes))


@pytest.mark.parametrize("algorithm", ["lora", "locon", "loha", "lokr", "glora", "diag-oft", "boft", "full", "tucker", "ia3"])
def test_networks_of_lycoris_change_the_weights_as_lycoris_does(algorithm, tmp_path):
    import lycoris

    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 16), down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), norm_num_groups=4,
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), layers_per_block=1, cross_attention_dim=16, attention_head_dim=8,
    )  # fmt: skip
    options = {"lokr": {"factor": 2}, "tucker": {"algo": "locon", "use_tucker": True}}
    lycoris.LycorisNetwork.apply_preset({"target_module": ["BasicTransformerBlock", "ResnetBlock2D"], "enable_conv": True})
    network = lycoris.create_lycoris(
        unet, 1.0, linear_dim=4, linear_alpha=2, **{"conv_dim": 4, "conv_alpha": 2, "algo": algorithm} | options.get(algorithm, {})
    )
    weights = {f"lora_unet_{x.lora_name.removeprefix('lycoris_')}": x.org_module[0].weight.detach().clone() for x in network.loras}
    network.apply_to()
    wanted = {}
    for index, module in enumerate(network.loras):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.copy_(0.3 * normal(*parameter.shape, seed=index))
            name = f"lora_unet_{module.lora_name.removeprefix('lycoris_')}"
            weight = weights[name]
            # One input number at a time: the middle of a convolution's output is the weight itself.
            probes = torch.eye(weight[0].numel()).view(-1, *weight.shape[1:])
            outputs = module(probes) - module(torch.zeros_like(probes))
            if weight.dim() == 4:
                outputs = outputs[..., outputs.shape[2] // 2, outputs.shape[3] // 2]
            wanted[name] = outputs.T.reshape(weight.shape) - weight
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, tmp_path / "lycoris.safetensors")
    read = read_network(load_tensors(tmp_path / "lycoris.safetensors").tensors, {}, "sd1", UnetShape(1, (False, True)))
    assert read.dialects == ("LyCORIS",)
    assert read.layers.keys() == wanted.keys()
    for name, layer in read.layers.items():
        ours = delta(layer, weights[name])
        torch.testing.assert_close(ours.float(), wanted[name].detach(), rtol=1e-3, atol=1e-4)


# ---- the dialects that are ways of naming


def kohya_file(family, seed=0):
    """A LoRA on a toy base in kohya's layout, its alphas not its ranks."""
    tensors = {}
    for index, (name, (out, *rest)) in enumerate(toy_shapes(family).items()):
        tensors[f"{name}.lora_down.weight"] = normal(3, *rest, seed=seed + index)
        tensors[f"{name}.lora_up.weight"] = normal(out, 3, *(1 for _ in rest[1:]), seed=seed + 1000 + index)
        tensors[f"{name}.alpha"] = torch.tensor(1.5)
    return tensors


def renamed(tensors, family, name_of):
    return {f"{name_of(*keys.layers_of(family, key.partition('.')[0]))}.{key.partition('.')[2]}": value for key, value in tensors.items()}


def original(family, part, path):
    """The dotted name of a layer in the original model."""
    if part != "unet":
        return path
    layers = FAMILIES[family].lora.parts[part].layers
    return layers.dotted(to_ldm(path.replace(".", "_"), layers.usual_shape))


def flat(path):
    return path.replace(".", "_")


TEXT = {"text_encoder": "lora_te1", "text_encoder_2": "lora_te2"}
COMFY = {"text_encoder": "text_encoders.clip_l.transformer.", "text_encoder_2": "text_encoders.clip_g.transformer."}
DIALECTS = {
    "kohya on SDXL with paths of diffusers (OneTrainer)": ("sdxl", lambda part, paths: f"{TEXT.get(part, 'lora_unet')}_{flat(paths[0])}"),
    "kohya on SD 1.5 with original paths": ("sd1", lambda part, paths: f"{TEXT.get(part, 'lora_unet')}_{flat(original('sd1', part, paths[0]))}"),
    "ComfyUI on SD 1.5": ("sd1", lambda part, paths: COMFY.get(part, "diffusion_model.") + original("sd1", part, paths[0])),
    "ComfyUI on SDXL": ("sdxl", lambda part, paths: COMFY.get(part, "diffusion_model.") + original("sdxl", part, paths[0])),
    "a whole checkpoint's names": ("sdxl", lambda part, paths: COMFY.get(part, "model.diffusion_model.") + original("sdxl", part, paths[0])),
    "LyCORIS without a part": ("sd1", lambda part, paths: ("lycoris_" if part == "unet" else "lora_te_") + flat(paths[0])),
}  # fmt: skip


@pytest.mark.parametrize(("family", "name_of"), DIALECTS.values(), ids=DIALECTS)
def test_a_renamed_file_is_the_same_network(family, name_of):
    source = kohya_file(family)
    network = read_network(renamed(source, family, name_of), {}, family)
    assert not network.unread
    again = file_tensors(network.layers.values())
    assert again.keys() == source.keys()
    assert all(torch.equal(value, source[key]) for key, value in again.items())


@pytest.mark.parametrize(
    "ends", [("_lora.down.weight", "_lora.up.weight"), (".lora.down.weight", ".lora.up.weight")], ids=["processor", "layer"]
)
def test_files_of_old_versions_of_diffusers_are_read(ends):
    source = {}
    for index, name in enumerate(name for name in toy_shapes("sd1") if "_attn" in name and "self" not in name):
        path = keys.layers_of("sd1", name)[1][0]
        if ends[0].startswith("_"):
            path = re.sub(r"\.(to_\w+)(\.0)?$", r".processor.\1", path)
        source |= {f"unet.{path}{ends[0]}": normal(4, 8, seed=index), f"unet.{path}{ends[1]}": normal(8, 4, seed=index)}
    network = read_network(source)
    assert (network.family, network.unread, network.dialects) == ("sd1", {}, ("old diffusers",))
    assert len(network.layers) == len(source) / 2
    down = network.layers["lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_out_0"].tensors["lora_down.weight"]
    assert any(torch.equal(down, value) for value in source.values())


@pytest.mark.parametrize("start", ["transformer.", "lora_transformer_", "diffusion_model.", "base_model.model."])
def test_flux_layers_that_were_trained_apart_are_fused_exactly(start):
    """ai-toolkit, OneTrainer, ComfyUI and peft; each layer with a rank and an alpha of its own."""
    parts = {"transformer": toy_parts("flux")["transformer"]}
    source, changes = {}, {}
    for index, (path, layer) in enumerate(parts["transformer"].named_modules()):
        if isinstance(layer, nn.Linear) and path.endswith(("to_q", "to_k", "to_v", "proj_mlp", "add_q_proj")):
            rank, (out, width) = 2 + index % 3, layer.weight.shape
            down, up, alpha = normal(rank, width, seed=index), normal(out, rank, seed=index + 1), float(1 + index % 5)
            name = start + (flat(path) if start.endswith("_") else path)
            source |= {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up, f"{name}.alpha": torch.tensor(alpha)}
            changes["transformer", path] = alpha / rank * up.double() @ down.double()
    network = read_network(source)
    assert network.family == "flux"
    assert "fused" in network.notes[0]
    wanted = together("flux", changes)
    assert_same_changes(network, wanted)
    single = network.layers["lora_unet_single_blocks_0_linear1"]
    assert single.rank == sum(source[key].shape[0] for key in source if "single" in key and re.search(r"blocks[._]0[._].*lora_A", key))


def test_flux_layers_that_share_their_down_are_put_together_again():
    source = {key: value for key, value in kohya_file("flux").items() if key.startswith("lora_unet")}
    apart = {}
    for name in dict.fromkeys(key.partition(".")[0] for key in source):
        _, paths = keys.layers_of("flux", name)
        up = source[f"{name}.lora_up.weight"]
        width = source[f"{name}.lora_down.weight"].shape[1]
        sizes = [up.shape[0]] if len(paths) == 1 else [width] * 3 + [up.shape[0] - 3 * width] * (len(paths) == 4)
        for path, rows in zip(paths, up.split(sizes), strict=True):
            apart |= {f"transformer.{path}.lora_B.weight": rows, f"transformer.{path}.lora_A.weight": source[f"{name}.lora_down.weight"]}
            apart[f"transformer.{path}.alpha"] = source[f"{name}.alpha"]
    again = file_tensors(read_network(apart).layers.values())
    assert again.keys() == source.keys()
    assert all(torch.equal(value, source[key]) for key, value in again.items())


def test_the_last_modulation_of_flux_has_its_halves_in_the_order_of_the_file():
    up = torch.arange(8.0)[:, None]
    tensors = {"transformer.norm_out.linear.lora_A.weight": torch.ones(1, 4), "transformer.norm_out.linear.lora_B.weight": up}
    tensors |= {"transformer.single_transformer_blocks.0.proj_out.lora_A.weight": torch.ones(1, 4),
                "transformer.single_transformer_blocks.0.proj_out.lora_B.weight": torch.ones(4, 1)}  # fmt: skip
    layer = read_network(tensors).layers["lora_unet_final_layer_adaLN_modulation_1"]
    assert layer.tensors["lora_up.weight"].flatten().tolist() == [4, 5, 6, 7, 0, 1, 2, 3]


# ---- magnitudes


@pytest.mark.parametrize("family", ["sd1", "flux"])
def test_magnitudes_of_peft_belong_to_the_outputs_also_where_layers_are_fused(family, tmp_path):
    parts = {name: module for name, module in toy_parts(family).items() if not name.startswith("text")}
    weights = {
        name: {path: layer.weight.clone() for path, layer in module.named_modules() if isinstance(layer, nn.Linear)}
        for name, module in parts.items()
    }
    with_peft(parts, use_dora=True)
    module = next(iter(parts.values()))
    file = save_with_diffusers(family, parts, tmp_path)
    network = read_network(file.tensors, {"lora_adapter_metadata": '{"unet.lora_alpha": 2, "transformer.lora_alpha": 2}'}, family)
    layers = [layer for layer in network.layers.values() if layer.dora_axis]
    assert layers
    assert {layer.dora_axis for layer in layers} == {"output"}
    if family == "flux":  # of the double blocks' text only the query was trained, which is kept as it is
        assert any("img_attn_qkv" in layer.name for layer in layers)
        assert network.layers["lora_unet_double_blocks_0_txt_attn_qkv"].needs_weight
    base = BaseWeights(family, toy_parts(family))
    layer = next(layer for layer in layers if layer.tensors["lora_up.weight"].dim() == 2)
    part, paths = keys.layers_of(family, layer.name)
    ours = delta(layer, base.weight(layer.name).detach())
    theirs = []
    for path in paths:
        trained = module.get_submodule(path)
        old, change = weights[part][path], trained.get_delta_weight("default")
        both = old + change
        theirs.append(trained.lora_magnitude_vector["default"].weight.view(-1, 1) * both / both.norm(dim=1, keepdim=True) - old)
    torch.testing.assert_close(ours, torch.cat(theirs).detach(), rtol=1e-4, atol=1e-4)


# (shape of the weight, shape of the magnitude) -> the axis that it belongs to, and the form that programs see.
MAGNITUDES = {
    ((6, 6), (1, 6)): ("input", dora.ALONG_INPUTS), ((6, 6), (6, 1)): ("output", dora.ALONG_OUTPUTS), ((6, 6), (6,)): ("output", dora.IN_ONE_ROW),
    ((8, 6), (1, 6)): ("input", dora.ALONG_INPUTS), ((8, 6), (6,)): ("input", dora.ALONG_INPUTS), ((8, 6), (6, 1)): ("input", dora.MISPLACED),
    ((8, 6), (8, 1)): ("output", dora.ALONG_OUTPUTS), ((8, 6), (8,)): ("output", dora.MISPLACED), ((8, 6), (1, 8)): ("output", dora.MISPLACED),
    ((6, 6, 3, 3), (1, 6, 1, 1)): ("input", dora.ALONG_INPUTS), ((6, 6, 3, 3), (6, 1, 1, 1)): ("output", dora.ALONG_OUTPUTS),
    ((6, 6, 3, 3), (6,)): ("output", dora.MISPLACED), ((8, 6, 3, 3), (6,)): ("input", dora.MISPLACED),
    ((8, 6, 3, 3), (1, 8, 1, 1)): ("output", dora.MISPLACED), ((8, 6, 1, 1), (1, 6, 1, 1)): ("input", dora.ALONG_INPUTS),
}  # fmt: skip


@pytest.mark.parametrize(("weight", "magnitude"), MAGNITUDES)
def test_a_magnitude_belongs_to_the_axis_with_as_many_numbers_however_it_is_written(weight, magnitude):
    """W' = m (W + delta) / ||W + delta||, with one number for each input or output; what is written has them along that axis."""
    axis, form = MAGNITUDES[weight, magnitude]
    name, scale = "lora_unet_mid_block_attentions_0_proj_in", normal(*magnitude).abs() + 0.5
    lora = {"lora_down.weight": normal(2, *weight[1:]), "lora_up.weight": normal(weight[0], 2, *(1 for _ in weight[2:]))}
    layer = read_layer(name, lora | {"dora_scale": scale})
    assert (layer.dora_axis, layer.form) == (axis, form)
    own = 1 if axis == "input" else 0
    base, across = normal(*weight), [at for at in range(len(weight)) if at != own]
    change = torch.einsum("or,r...->o...", lora["lora_up.weight"].flatten(1), lora["lora_down.weight"])
    placed = scale.reshape([-1 if at == own else 1 for at in range(len(weight))])
    wanted = placed * (base + change) / (base + change).square().sum(across, keepdim=True).sqrt() - base
    torch.testing.assert_close(layer.delta_weight(base), wanted, rtol=1e-4, atol=1e-5)
    written = layer.file_tensors()["dora_scale"]
    assert written.shape == placed.shape
    assert read_layer(name, lora | {"dora_scale": written}).form in (dora.ALONG_INPUTS, dora.ALONG_OUTPUTS)
    module = nn.Sequential(nn.Conv2d(weight[1], weight[0], weight[2:], bias=False) if weight[2:] else nn.Linear(*weight[1::-1], bias=False))
    module[0].weight.data, x = base, normal(2, weight[1], *(5 for _ in weight[2:]))
    attach_layers(module, {"0": name}, {name: layer})
    changed = base + wanted
    expected = nn.functional.conv2d(x, changed) if weight[2:] else nn.functional.linear(x, changed)
    torch.testing.assert_close(module(x), expected, rtol=1e-4, atol=1e-4)


# ---- what is said


def lora_of(width):
    return {"lora_down.weight": torch.zeros(4, width), "lora_up.weight": torch.zeros(6, 4)}


def test_what_is_no_part_of_a_network_is_named_with_its_reason():
    source = kohya_file("sd1")
    odd = {
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q.strange": ("ends so", torch.ones(1)),
        "lora_unet_mid_block_attentions_7_flux_capacitor.lora_down.weight": ("lacks lora_up.weight", torch.ones(1, 1)),
        "lora_te2_text_model_encoder_layers_0_mlp_fc1.diff": ("only one text encoder", torch.ones(2, 2)),
        "lora_unet_joint_transformer_blocks_0_x.diff": ("another model", torch.ones(2, 2)),
        "unet.down_blocks.0.attentions.0.proj_in.diff": ("twice", torch.ones(2, 2)),
    }
    network = read_network(source | {key: value for key, (_, value) in odd.items()}, {}, "sd1")
    assert network.unread.keys() == odd.keys()
    for key, (words, _) in odd.items():
        assert words in network.unread[key]
    with pytest.raises(AdapterError, match=r"and 4 more keys\) cannot be read"):
        network.whole()
    assert len(network.layers) == len(source) / 3


def test_a_lora_on_the_projection_of_a_text_encoder_is_refused_as_what_it_is():
    layer = {"lora_te2_text_projection.lora_down.weight": torch.ones(2, 64), "lora_te2_text_projection.lora_up.weight": torch.ones(64, 2)}
    (reason,) = set(read_network(kohya_file("sdxl") | layer).unread.values())
    assert reason == "Stable Diffusion XL's projection of the second text encoder is left as it is, and LoRAs on it are not read"


def test_embeddings_that_onetrainer_bundles_are_named():
    source = kohya_file("sdxl") | {"bundle_emb.mimi.clip_l": torch.ones(2, 4), "bundle_emb.mimi.clip_g": torch.ones(2, 4)}
    network = read_network(source)
    assert network.notes == ("1 embedding bundled by OneTrainer is not part of the network: mimi.",)
    assert not network.unread


@pytest.mark.parametrize(
    ("layers", "metadata", "family"),
    [
        ({"lora_unet_down_blocks_1_attn2_to_k": 768}, {}, "sd1"),
        ({"lora_unet_down_blocks_1_attn2_to_k": 1024}, {}, "sd2"),
        ({"lora_unet_input_blocks_4_1_attn2_to_v": 2048}, {}, "sdxl"),
        ({"lora_te_text_model_encoder_layers_0_self_attn_q_proj": 1024}, {}, "sd2"),
        ({"text_encoder_2_text_model_x": 1280}, {}, "sdxl"),
        ({"transformer.single_transformer_blocks.0.proj_out": 3072}, {}, "flux"),
        ({"lora_unet_down_blocks_1_x": 8}, {"ss_base_model_version": "sd_v2_v"}, "sd2"),
        ({"lora_unet_down_blocks_1_x": 8}, {"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}, "sdxl"),
        ({"lora_unet_down_blocks_1_x": 8}, {}, "sd1"),
    ],
)
def test_the_family_is_recognised_by_names_widths_and_metadata(layers, metadata, family):
    assert guess_family({name: lora_of(width) for name, width in layers.items()}, metadata) == family


def test_a_file_without_a_network_or_of_another_family_is_refused_in_a_sentence():
    with pytest.raises(AdapterError, match="no LoRA or other network"):
        read_network({"model.diffusion_model.out.2.weight": torch.zeros(2)})
    with pytest.raises(AdapterError, match="made for AuraFlow, which is not supported"):
        read_network(
            {
                "lora_unet_joint_transformer_blocks_0_x.lora_down.weight": torch.zeros(1, 2),
                "lora_unet_joint_transformer_blocks_0_x.lora_up.weight": torch.zeros(2, 1),
            }
        )
    with pytest.raises(AdapterError, match="give it"):
        read_network({"strange.lora_A.weight": torch.zeros(1, 2), "strange.lora_B.weight": torch.zeros(2, 1)})
