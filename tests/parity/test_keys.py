"""Names and shapes of full-size networks against the lists that the peers' trainers make: what we write, and what we read.

For the families whose files are written with dots, the lists of the mode "everywhere" say what is written, and those of the trainers what is
read. Every list in the reference's folder `keys/` is taken, whatever its name; a list of the same schema put there is tested too.
"""

import functools
import json
import math

import pytest
import torch

from lorasmith.adapters.attach import adapter_tensors, attach_network
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.key_style import in_kohyas_names, in_style_of
from lorasmith.adapters.kinds.formulas import lora
from lorasmith.adapters.kinds.layer_settings import LayerSettings
from lorasmith.models.families import FAMILIES
from lorasmith.models.parts import build
from lorasmith.models.take import Take
from tests.reference import FOLDER, reference_json

ARCHITECTURES = {
    "sd15": "sd1",
    "sd1": "sd1",
    "sd21": "sd2",
    "sd20": "sd2",
    "sd2": "sd2",
    "sdxl": "sdxl",
    "flux": "flux",
    "zimage": "zimage",
    "lumina2": "lumina2",
    "qwen_image": "qwen_image",
    "anima": "anima",
    "flux2_klein4b": "klein",
    "sd35_medium": "sd3",
}
"""The reference's name of an architecture -> our family. Without one a list is skipped."""
NOT_TRAINED = {"kohya_keys_lumina2.json": "lora_unet_final_layer_"}
"""List -> what it has and we do not train: diffusers reads no file with it."""
DIALECTS = {"lora_unet": "kohya", "diffusion_model": "ComfyUI", "transformer": "diffusers"}
"""How the names of a family's own files begin -> whose they are."""
PRESETS = {"default": "default", "locon": "convolutions", "everywhere": "default"}


def lists(schema):
    """Files of the folder that have these entries at their top; those of families that are not here yet are skipped by name."""
    found = []
    for path in sorted((FOLDER / "keys").glob("*.json")):
        reference = json.loads(path.read_text())
        if schema <= reference.keys():
            known = reference["meta"]["arch"] in ARCHITECTURES
            skip = pytest.mark.skip(reason=f"the family {reference['meta']['arch']} of {path.name} is not supported yet")
            found.append(pytest.param(path.name, marks=() if known else skip, id=path.stem))
    return found or [pytest.param("keys", marks=pytest.mark.skip(reason="the reference lists of keys are not on this machine"))]


@functools.cache
def full_size(family):
    """The parts of a family at full size, without memory."""
    record = FAMILIES[family]
    return {part: full_size_part(record.usual.parts[part]) for part in record.lora.parts}


def full_size_part(part):
    """One part, without memory."""
    with torch.device("meta"):
        return build(part)


def trained_parts(family, names):
    """The parts that a list speaks of, the denoiser under kohya's prefix or the family's own: T5 is trained on request only."""
    prefixes = {part: [naming.prefix] for part, naming in FAMILIES[family].lora.parts.items()}
    prefixes[FAMILIES[family].denoiser].append("lora_unet")
    begins = {part: tuple(prefix + joint for prefix in known for joint in "_.") for part, known in prefixes.items()}
    return {part: module for part, module in full_size(family).items() if any(name.startswith(begins[part]) for name in names)}


def rank_for(shape, rank, conv_rank):
    """Convolutions wider than 1x1 have a rank of their own."""
    return conv_rank if conv_rank and shape[2:] not in ((), (1, 1)) else rank


def written(family, parts, preset, rank, conv_rank, everywhere):
    """Key -> shape of the file that a LoRA attached to these parts gives, in the family's names or in those of kohya's trainers."""
    file = {}
    for part, module in parts.items():
        shapes = keys.weight_shapes(family, {part: module}, preset)
        settings = {name: LayerSettings(rank=rank_for(shape, rank, conv_rank), alpha=1) for name, shape in shapes.items()}
        adapter = attach_network(module, keys.targets(family, part, module, preset), settings, seed=0)
        file |= adapter_tensors(adapter)
        adapter.detach()
    named = in_style_of(family, file, {})[0] if everywhere else in_kohyas_names(family, file)
    return {key: list(tensor.shape) for key, tensor in named.items()}


@pytest.mark.parametrize("name", lists({"meta", "modules", "keys"}))
def test_a_network_at_full_size_has_the_keys_and_shapes_of_the_reference(name):
    reference = reference_json(f"keys/{name}")
    meta = reference["meta"]
    family, preset = ARCHITECTURES[meta["arch"]], PRESETS[meta["mode"]]
    if meta["mode"] != "everywhere" and FAMILIES[family].lora.parts[FAMILIES[family].denoiser].kohya_prefix is None:
        pytest.skip("a peer's own layers, which are read and not written")
    parts = trained_parts(family, reference["modules"])
    ours = written(family, parts, preset, meta["rank"], meta["conv_dim"], meta["mode"] == "everywhere")
    theirs = {key: shape for key, shape in reference["keys"].items() if not key.startswith(NOT_TRAINED.get(name, "-"))}
    assert ours.keys() == theirs.keys()
    assert ours == theirs


@pytest.mark.parametrize("name", lists({"meta", "modules", "keys"}))
def test_a_file_with_the_peers_keys_is_read_whole_and_each_layer_is_found_in_the_model(name):
    reference = reference_json(f"keys/{name}")
    family = ARCHITECTURES[reference["meta"]["arch"]]
    file = {key: torch.zeros(()) if shape == [] else torch.empty(shape, device="meta") for key, shape in reference["keys"].items()}
    network = read_network(file)
    assert network.family == family
    assert not network.unread
    own = FAMILIES[family].lora.parts[FAMILIES[family].denoiser].prefix
    assert network.dialects == (DIALECTS[own] if reference["meta"]["mode"] == "everywhere" else "kohya",)
    again = {f"{layer}.{end}": list(tensor.shape) for layer, it in network.layers.items() for end, tensor in it.tensors.items()}
    again |= {f"{layer}.alpha": [] for layer, it in network.layers.items() if it.alpha is not None}
    parts = full_size(family)
    theirs = {key.replace(".lora_A.", ".lora_down.").replace(".lora_B.", ".lora_up.") for key in reference["keys"]}
    if any("joint_blocks" in key for key in theirs):  # names that are not the family's own, of layers that it has apart
        assert numbers_above(again) == numbers_above(reference["keys"])
    else:
        assert sorted(flat(key, own) for key in again) == sorted(flat(key, own) for key in theirs)
        assert sorted(map(str, again.values())) == sorted(map(str, reference["keys"].values()))
    for layer in network.layers:
        part, paths = keys.layers_of(family, layer)
        rows = [parts[part].get_submodule(in_this_version(parts[part], path)).weight.shape[0] for path in paths]
        assert sum(rows) == network.layers[layer].tensors["lora_up.weight"].shape[0]


def numbers_above(shapes):
    """How many numbers the upper matrices have."""
    return sum(math.prod(shape) for key, shape in shapes.items() if key.endswith("lora_up.weight"))


def flat(key, own):
    """A key without dots, and without the prefix of the denoiser: kohya's, or the family's own."""
    return key.replace(".", "_").removeprefix("lora_unet_").removeprefix(f"{own}_")


def in_this_version(module, path):
    """A CLIP path without `text_model` where transformers has dropped it."""
    return path if dict(module.named_children()).keys() & {path.partition(".")[0]} else path.removeprefix("text_model.")


@pytest.mark.parametrize("name", [each for each in lists({"meta", "map"}) if not each.id or "unet_" in each.id])
def test_every_layer_of_a_unet_is_found_by_both_its_names(name):
    reference = reference_json(f"keys/{name}")
    family = ARCHITECTURES[reference["meta"]["arch"]]
    for ours, entry in reference["map"].items():
        names = {"diffusers": ours, "original": entry["ldm"]}
        kohya = "lora_unet_" + names["original" if family == "sdxl" else "diffusers"].replace(".", "_")
        assert {keys.place(family, "unet", path).name for path in names.values()} == {kohya}
        assert keys.place(family, "unet", entry["ldm"].replace(".", "_")).name == kohya
        assert keys.layers_of(family, kohya) == ("unet", (ours,))
        assert list(full_size(family)["unet"].get_submodule(ours).weight.shape) == entry["weight_shape"]


@pytest.mark.parametrize("name", [each for each in lists({"meta", "map"}) if not each.id or "dit_" in each.id])
def test_every_layer_of_a_transformer_is_taken_from_its_place_in_a_single_file(name):
    reference = reference_json(f"keys/{name}")
    part = FAMILIES[ARCHITECTURES[reference["meta"]["arch"]]].usual.parts["transformer"]
    shapes = {name: tuple(tensor.shape) for name, tensor in full_size_part(part).state_dict().items()}
    tables = [table for names, table in part.architecture.tables.items() if names != part.architecture.folder_names]
    takes = tables[0](shapes, ()) if tables else {name: Take(name) for name in shapes}
    for ours, entry in reference["map"].items():
        if ":" in ours:  # another part's, which has its own names in a file
            continue
        take, rows = takes[f"{ours}.weight"], entry["rows"]
        assert list(shapes[f"{ours}.weight"]) == entry["weight_shape"]
        assert take.key == f"{entry['native']}.weight"
        assert take.rows == (None if rows is None else (rows[0], sum(rows)))
        assert take.halves_swapped == entry.get("halves_swapped", False)


ROWS = {
    "sd15_dim4": ("sd1", "default", 4, None),
    "sd15_dim4_conv2_additional": ("sd1", "convolutions", 4, 2),
    "sdxl_dim4": ("sdxl", "default", 4, None),
    "flux_dim4": ("flux", "default", 4, None),
}


@pytest.mark.parametrize("entry", ROWS)
def test_ranks_of_linear_layers_and_of_convolutions_give_kohyas_shapes(entry):
    reference = reference_json("12_lora_keys.json")
    family, preset, rank, conv_rank = ROWS[entry]
    rows = {
        f"{name}.{end}": shape
        for name, *both in reference[entry]
        for end, shape in zip(("lora_down.weight", "lora_up.weight"), both, strict=True)
    }
    shapes = keys.weight_shapes(family, trained_parts(family, rows), preset)
    if entry.endswith("additional"):
        shapes = {name: shape for name, shape in shapes.items() if name not in keys.weight_shapes(family, full_size(family))}
    if family == "sdxl":  # the list gives the first and last layers of the text encoders
        shapes = {n: s for n, s in shapes.items() if n.startswith("lora_unet_") or "_layers_0_" in n or "_layers_31_" in n}
        assert {p: sum(n.startswith(p) for n in keys.weight_shapes(family, full_size(family))) for p in reference["sdxl_counts"]} == (
            reference["sdxl_counts"]
        )
    ours = {}
    for name, shape in shapes.items():
        r = rank_for(shape, rank, conv_rank)
        ours |= {f"{name}.lora_down.weight": list(lora.down_shape(shape, r)), f"{name}.lora_up.weight": list(lora.up_shape(shape, r))}
    assert ours == rows
