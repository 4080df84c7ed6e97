"""What the check says of a file: each program's rule is seen, damage and misfits are named, and a sound file has no problem."""

import functools
import json
import re

import pytest
import torch

from lorasmith.adapters.base_weights import empty_base
from lorasmith.adapters.compatibility.check import check_file
from lorasmith.adapters.compatibility.consumers import naming, ui_type
from lorasmith.adapters.compatibility.idle import size_of
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.lora_file import LoraFile
from lorasmith.adapters.kinds import KINDS, dora
from lorasmith.adapters.kinds.programs import CONSUMERS
from lorasmith.adapters.layer import read_layer
from lorasmith.models.families import FAMILIES
from lorasmith.models.open import describe
from tests.models.toys import toy_folder

METADATA = {"ss_base_model_version": "sd_v1", "ss_v2": "False"}
Q = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"


@functools.cache
def base(family):
    return empty_base(describe(toy_folder(family)))


def lora_file(family="sd1", preset="default", parts=None, **metadata):
    """A sound LoRA on a toy base."""
    generator = torch.Generator().manual_seed(1)
    tensors = {}
    for name, (out, *rest) in base(family).shapes().items() if preset == "full" else targets(family, preset):
        if parts is None or name.startswith(parts):
            tensors[f"{name}.lora_down.weight"] = torch.randn(2, *rest, generator=generator)
            tensors[f"{name}.lora_up.weight"] = torch.randn(out, 2, *(1 for _ in rest[1:]), generator=generator)
            tensors[f"{name}.alpha"] = torch.tensor(1.0)
    return LoraFile(tensors, METADATA | metadata)


def targets(family, preset):
    return keys.weight_shapes(family, base(family).parts, preset).items()


def check(file, family="sd1"):
    return check_file(file, base=base(family), base_name="toy")


def codes(findings):
    return [finding.code for finding in findings]


def verdicts(report):
    return {name: found.verdict for name, found in report.consumers.items()}


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_a_lora_with_convolutions_loads_everywhere_and_has_no_problem(family):
    version = {"sd1": {}, "sd2": {"ss_v2": "True"}, "sdxl": {"ss_base_model_version": "sdxl_base_v1-0"}}[family]
    report = check(lora_file(family, "convolutions", **version), family)
    assert set(verdicts(report).values()) == {"all"}
    assert report.problems() == []
    assert report.notes() == []
    assert report.ranks == {"2": report.layers}
    assert report.ui_type == {"sd1": "SD1", "sd2": "SD2", "sdxl": "SDXL"}[family]


def test_a_lora_for_flux_loads_but_for_its_t5_in_diffusers_and_is_none_of_automatic1111s_business():
    report = check(lora_file("flux", ss_base_model_version="flux1"), "flux")
    assert verdicts(report) == {"AUTOMATIC1111": "family", "Forge": "all", "ComfyUI": "all", "diffusers": "part"}
    assert [problem for problem in report.problems() if "T5" in problem.message and problem.message.startswith("diffusers drops")]
    without = check(lora_file("flux", parts=("lora_unet", "lora_te1"), ss_base_model_version="flux1"), "flux")
    assert without.problems() == []


# Made of -> tensors of a layer [8, 8], and what the programs do in the order of CONSUMERS.
R = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
ALPHA = {"alpha": torch.tensor(1.0)}
LORA = {"lora_down.weight": R[:2], "lora_up.weight": R[:, :2]} | ALPHA
MADE = {
    "lora": (LORA, "all all all all"),
    "DoRA along the inputs": (LORA | {"dora_scale": R[:1]}, "all all all wrong"),
    "DoRA along the outputs": (LORA | {"dora_scale": R[:, :1]}, "wrong wrong wrong wrong"),
    "DoRA along the outputs, in one row": (LORA | {"dora_scale": R[0]}, "wrong wrong wrong wrong"),
    "loha": ({"hada_w1_a": R[:, :2], "hada_w1_b": R[:2], "hada_w2_a": R[:, :2], "hada_w2_b": R[:2]} | ALPHA, "all all all none"),
    "lokr": ({"lokr_w1": R[:2, :2], "lokr_w2": R[:4, :4]} | ALPHA, "all all all none"),
    "glora": ({"a1.weight": R[:, :2], "a2.weight": R[:2], "b1.weight": R[:, :2], "b2.weight": R[:2]} | ALPHA, "none all all none"),
    "diag-oft": ({"oft_blocks": R[:2, :8].reshape(2, 2, 4)[:, :, :2].repeat(2, 1, 1), "alpha": torch.tensor(0.0)}, "all none wrong none"),
    "diag-oft with a constraint": ({"oft_blocks": R[:4, :4].reshape(4, 2, 2)} | ALPHA, "all none wrong none"),
    "boft": ({"oft_blocks": R[:6, :4].reshape(2, 3, 2, 2)[:, :2].repeat(1, 2, 1, 1), "alpha": torch.tensor(0.0)}, "all none wrong none"),
    "boft without alpha": ({"oft_blocks": R[:4, :8].reshape(2, 4, 2, 2)}, "all none none none"),
    "rotation with rescale": (
        {"oft_blocks": R[:4, :4].reshape(4, 2, 2), "rescale": R[:, :1], "alpha": torch.tensor(0.0)}, "all none wrong none"
    ),
    "ia3": ({"weight": R[0], "on_input": torch.tensor(0)}, "all none none none"),
    "full": ({"diff": R}, "all all all none"),
}  # fmt: skip


@pytest.mark.parametrize("made_of", MADE)
def test_each_kind_of_layer_is_judged_by_what_each_program_was_seen_to_do(made_of):
    tensors, expected = MADE[made_of]
    report = check_file(LoraFile({f"{Q}.{end}": value for end, value in tensors.items()}, METADATA), "sd1", base("sd1"), "toy")
    assert report.kinds == {made_of: 1}
    assert dict(zip(CONSUMERS, expected.split(), strict=True)) == verdicts(report)
    assert bool(report.problems()) == bool({"none", "wrong"} & set(expected.split()))


def test_a_magnitude_in_one_row_stops_or_is_skipped_where_a_layer_has_other_inputs_than_outputs():
    name, (out, inputs) = next((name, shape) for name, shape in base("sd1").shapes().items() if len(shape) == 2 and shape[0] != shape[1])
    lora = {"lora_down.weight": torch.ones(2, inputs), "lora_up.weight": torch.ones(out, 2), "dora_scale": torch.ones(out)}
    report = check_file(LoraFile({f"{name}.{end}": value for end, value in lora.items()}, METADATA), "sd1", base("sd1"), "toy")
    assert verdicts(report) == {"AUTOMATIC1111": "none", "Forge": "none", "ComfyUI": "none", "diffusers": "wrong"}


@pytest.mark.parametrize(("dtype", "named"), [(torch.float32, None), (torch.float16, "fp16"), (torch.bfloat16, "bf16")])
def test_what_automatic1111_computes_in_half_precision_is_noted(dtype, named):
    for made_of in ("lora", "loha", "lokr", "full"):
        tensors = {f"{Q}.{end}": value.to(dtype) for end, value in MADE[made_of][0].items()}
        report = check_file(LoraFile(tensors, METADATA), "sd1", base("sd1"), "toy")
        notes = [note.message for note in report.notes() if note.code == "check.precision"]
        expected = f"AUTOMATIC1111 computes 1 of 1 layers in {named}"
        assert [note[: len(expected)] for note in notes] == ([] if named is None or made_of == "lora" else [expected])
        assert not [note for note in report.notes(("ComfyUI",)) if note.code == "check.precision"]
        assert report.consumers["AUTOMATIC1111"].verdict == "all"


def test_every_rule_that_is_no_success_has_a_reason():
    by_naming = [rules for family in FAMILIES.values() for rules in family.lora.consumers.by_naming.values()]
    forms = [*dora.FORMS, *(form for kind in KINDS.values() for form in kind.forms)]
    for rules in [*(form.programs for form in forms), *by_naming]:
        assert list(rules) == list(CONSUMERS)
        for rule in rules.values():
            assert rule.effect == "loads" or rule.reason


@pytest.mark.parametrize(
    ("written", "way"),
    [
        ("lora_unet_down_blocks_0_x", "kohya, diffusers path"),
        ("lora_unet_input_blocks_4_1_x", "kohya, original path"),
        ("lora_unet_double_blocks_0_x", "kohya, original path"),
        ("lora_te_text_model_encoder_x", "kohya, CLIP"),
        ("lora_te1_encoder_layers_0", "kohya, CLIP without text_model"),
        ("lora_te3_encoder_block_0", "kohya, T5"),
        ("unet.down_blocks.0.x", "diffusers"),
        ("down_blocks.0.x", "diffusers, without unet."),
        ("down_blocks.0.attn1.processor.to_q", "diffusers, oldest processors"),
        ("oft_unet_input_blocks_4_1_x", "kohya's OFT, original path"),
        ("unet.down_blocks.0.attn1.processor.to_q", "diffusers, old processors"),
        ("base_model.model.down_blocks.0.attn1.to_q", "peft"),
        ("text_encoders.clip_l.transformer.text_model.x", "ComfyUI, text encoders"),
        ("lycoris_down_blocks_0", "lycoris_"),
        ("diffusion_model.double_blocks.0.x", "diffusion_model., original path"),
    ],
)
def test_ways_of_naming_are_distinguished(written, way):
    assert naming(written, "flux" if "double_blocks" in written or "te3" in written else "sdxl") == way


def test_a_text_encoder_without_text_model_in_its_names_is_dropped():
    file = lora_file("sd1")
    short = LoraFile({key.replace("lora_te_text_model_", "lora_te_"): value for key, value in file.tensors.items()}, METADATA)
    report = check(short)
    assert verdicts(report)["ComfyUI"] == "part"
    assert verdicts(report)["Forge"] == "none"  # too many keys that it does not know
    assert any("text_model_" in problem.message for problem in report.problems())


def test_an_openclip_attention_with_a_part_missing_is_dropped_by_automatic1111_alone():
    file = lora_file("sd2", ss_v2="True")
    tensors = {key: value for key, value in file.tensors.items() if "layers_0_self_attn_out_proj" not in key}
    report = check(LoraFile(tensors, file.metadata), "sd2")
    assert verdicts(report) == {"AUTOMATIC1111": "part", "Forge": "all", "ComfyUI": "all", "diffusers": "all"}
    assert report.consumers["AUTOMATIC1111"].findings[0].evidence.number == 3


def test_original_names_beside_names_of_diffusers_are_deleted_by_diffusers():
    file = lora_file("sdxl", ss_base_model_version="sdxl_base_v1-0")
    name = next(key for key in file.tensors if "middle_block_1_proj_in" in key).partition(".")[0]
    renamed = {key.replace(name, "lora_unet_mid_block_attentions_0_proj_in"): value for key, value in file.tensors.items()}
    report = check(LoraFile(renamed, file.metadata), "sdxl")
    assert verdicts(report) == {"AUTOMATIC1111": "all", "Forge": "all", "ComfyUI": "all", "diffusers": "part"}


# ---- damage and fit

DAMAGE = {
    "not a number": (lambda t: t[f"{Q}.lora_up.weight"].__setitem__((0, 0), float("nan")), "not_finite", "not finite"),
    "a layer of zeros": (lambda t: t[f"{Q}.lora_up.weight"].zero_(), "idle", "1 of .* are zero"),
    "everything zero": (lambda t: [v.zero_() for key, v in t.items() if "lora_up" in key], "changes_nothing", "changes nothing"),
    "alpha zero": (lambda t: t[f"{Q}.alpha"].zero_(), "alpha_zero", "alphas are 0"),
    "alpha a list": (lambda t: t.update({f"{Q}.alpha": torch.ones(1)}), "alpha_shape", "lists of one number"),
    "alpha of two numbers": (lambda t: t.update({f"{Q}.alpha": torch.ones(2)}), "unreadable", "not a single number"),
    "a tensor missing": (lambda t: t.pop(f"{Q}.lora_up.weight"), "unreadable", "lacks lora_up.weight"),
}


@pytest.mark.parametrize(("damage", "rule", "words"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_named(damage, rule, words):
    file = lora_file()
    damage(file.tensors)
    (problem,) = check(file).problems(("ComfyUI",))
    assert problem.code == f"check.{rule}"
    assert re.search(words, problem.message)
    assert problem.subjects[0].startswith(Q) or rule == "changes_nothing"


IA3 = {"weight": torch.ones(1, 8, 1, 1)}
ATTENTION = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
FEED_FORWARD = "down_blocks.1.attentions.0.transformer_blocks.0.ff.net.2"


def peft(name, **tensors):
    return {f"{name}.lora_A.weight": R[:2], f"{name}.lora_B.weight": R[:, :2]} | tensors


def kohya(name):
    return {f"{name}.{end}": tensor for end, tensor in LORA.items()}


TEXT = "text_model_encoder_layers_0_self_attn"
# What a file has -> its family, its tensors, and what the programs do, tried with their own code.
TRIED = {
    "diffusers' names of an attention": ("sd1", peft(f"unet.{ATTENTION}"), "none none none all"),
    "diffusers' names of a feed-forward": ("sdxl", peft(f"unet.{FEED_FORWARD}"), "none none all all"),
    "diffusers' names of both": ("sd1", peft(f"unet.{ATTENTION}") | peft(f"unet.{FEED_FORWARD}"), "none none part all"),
    "alphas beside diffusers' names": (
        "sd1", peft(f"unet.{FEED_FORWARD}") | {f"unet.{FEED_FORWARD}.alpha": torch.tensor(1.0)}, "none none all none"
    ),
    "alphas beside Flux' names in diffusers": (
        "flux", peft("transformer.transformer_blocks.0.ff.net.2") | {"transformer.transformer_blocks.0.ff.net.2.alpha": torch.tensor(1.0)},
        "family all all all",
    ),
    "peft's names": ("sd1", peft(f"base_model.model.{FEED_FORWARD}"), "none none none none"),
    "an adapter's name": (
        "flux", {f"transformer.transformer_blocks.0.ff.net.2.lora_{end}.default.weight": R[:2] if end == "A" else R[:, :2] for end in "AB"},
        "family none all wrong",
    ),
    "original names of Stable Diffusion 1": ("sd1", kohya("lora_unet_input_blocks_1_1_proj_in"), "all all all none"),
    "lora_te_ of SDXL": ("sdxl", {k: v for q in "qkv" for k, v in kohya(f"lora_te_{TEXT}_{q}_proj").items()} | kohya(f"lora_te_{TEXT}_out_proj"), "none all all all"),
    "layers of Flux outside the blocks": ("flux", kohya("lora_unet_img_in") | kohya("lora_unet_double_blocks_0_img_mlp_0"), "family all all part"),
    "OneTrainer's names of Flux": ("flux", kohya("lora_transformer_transformer_blocks_0_ff_net_2"), "family all all none"),
    "XLabs' names": (
        "flux", {f"double_blocks.0.processor.proj_lora1.{end}.weight": value for end, value in (("down", R[:2]), ("up", R[:, :2]))},
        "family none none all",
    ),
    "no prefix in Flux": ("flux", peft("transformer_blocks.0.ff.net.2"), "family none none none"),
    "BOFT": ("sd1", {f"{Q}.oft_blocks": torch.zeros(2, 2, 2, 2), f"{Q}.alpha": torch.tensor(0.0)}, "all none wrong none"),
    "(IA)^3 on the outputs of a convolution": ("sd1", {f"{Q}.{k}": v for k, v in (IA3 | {"on_input": torch.tensor(0)}).items()}, "none none none none"),
    "(IA)^3 of LyCORIS on a linear layer": (
        "sd1", {f"{Q}.weight": R[:, :1], f"{Q}.on_input": torch.tensor(0)}, "all none none none"
    ),
    "(IA)^3 on the inputs of a convolution": ("sd1", {f"{Q}.{k}": v for k, v in (IA3 | {"on_input": torch.tensor(1)}).items()}, "all none none none"),
    "DoRA around a LoHa": (
        "sd1", {f"{Q}.hada_w{i}_{s}": R[:, :2] if s == "a" else R[:2] for i in (1, 2) for s in "ab"} | {f"{Q}.dora_scale": R[:1]},
        "all all all none",
    ),
    "DoRA around a LoKr": (
        "sd1", {f"{Q}.lokr_w1": R[:2, :2], f"{Q}.lokr_w2": R[:4, :4], f"{Q}.dora_scale": R[:1]}, "all all all none"
    ),
    "biases of OpenCLIP in kind full": (
        "sd2", {f"lora_te_{TEXT}_{q}_proj.{k}": v for q in ("q", "k", "v", "out") for k, v in (("diff", R), ("diff_b", R[0]))},
        "wrong all all none",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("family", "tensors", "expected"), TRIED.values(), ids=TRIED)
def test_check_says_what_the_programs_did_when_they_were_tried(family, tensors, expected):
    report = check_file(LoraFile(tensors, METADATA), family, base(family), "toy")
    assert verdicts(report) == dict(zip(CONSUMERS, expected.split(), strict=True))


def test_a_file_of_which_something_is_unread_is_not_all_loaded():
    unread = {"lora_unet_foo_bar.lora_down.weight": R[:2], "lora_unet_foo_bar.lora_up.weight": R[:, :2]}
    assert set(verdicts(check(LoraFile(kohya(Q) | unread, METADATA))).values()) == {"unknown"}
    report = check(LoraFile(unread, METADATA))
    assert set(verdicts(report).values()) == {"none"}
    assert report.problems()


def test_alphas_that_differ_are_wrong_in_diffusers_where_it_replaces_them():
    """It takes the most common alpha of the U-Net for all attention layers; the feed-forward keeps its own (diffusers 0.42.1)."""
    file = lora_file(parts="lora_unet_")
    feed_forward = next(key for key in file.tensors if "_ff_net_2.alpha" in key)
    for key in (f"{Q}.alpha", feed_forward):
        file.tensors[key].fill_(2.0)
    report = check(file)
    assert verdicts(report) == {"AUTOMATIC1111": "all", "Forge": "all", "ComfyUI": "all", "diffusers": "wrong"}
    (problem,) = report.problems()
    assert problem.subjects == (Q,)


def test_diffusers_stops_at_a_text_encoder_without_out_proj():
    file = lora_file(parts="lora_te_")
    assert verdicts(check(file))["diffusers"] == "all"
    for key in [key for key in file.tensors if "out_proj" in key]:
        del file.tensors[key]
    (problem,) = check(file).problems()
    assert (problem.code, "out_proj" in problem.message) == ("check.refused", True)


def test_an_alpha_in_the_metadata_is_weighed_for_each_program():
    """diffusers reads `lora_adapter_metadata`; the others take alpha / rank as 1."""
    layer, shape = "transformer.transformer_blocks.0.ff.net.2", base("flux").shapes()["lora_unet_double_blocks_0_img_mlp_2"]
    tensors = {f"{layer}.lora_A.weight": torch.ones(2, shape[1]), f"{layer}.lora_B.weight": torch.ones(shape[0], 2)}
    for alpha, comfyui in ((2, "all"), (8, "wrong")):
        settings = {"transformer.r": 2, "transformer.lora_alpha": alpha}
        report = check(LoraFile(tensors, {"lora_adapter_metadata": json.dumps(settings)}), "flux")
        assert (report.consumers["diffusers"].verdict, report.consumers["ComfyUI"].verdict) == ("all", comfyui)


@pytest.mark.parametrize(("share", "idle"), [(0.0, True), (1e-9, True), (1e-4, False)])
def test_a_layer_is_idle_beside_its_neighbours_not_only_at_exact_zero(share, idle):
    """What rounding left of a gradient that is zero in exact arithmetic counts as nothing; a layer that learned little does not."""
    file = lora_file()
    file.tensors[f"{Q}.lora_up.weight"] *= share
    assert codes(check(file).problems()) == (["check.idle"] if idle else [])


def test_the_size_of_a_layer_does_not_depend_on_its_dtype_or_its_shape():
    up, down = torch.full((8, 2), 0.5), torch.full((2, 6), 0.25)
    layer = read_layer("x", {"lora_up.weight": up, "lora_down.weight": down})
    for same in (layer, layer.mapped(lambda tensor: tensor.half())):
        assert size_of(same) == pytest.approx(0.125, rel=1e-6)  # a root of a sum of 48 products in fp32 or finer


def test_findings_travel_as_data_with_their_code_subjects_and_fix():
    file = lora_file()
    file.tensors[f"{Q}.lora_down.weight"] = torch.ones(2, 99)
    data = check(file).as_data()
    (problem,) = data["problems"]
    assert (problem["code"], problem["severity"], problem["about"]) == ("check.misfit", "error", "layer")
    assert problem["subjects"] == [Q]
    assert problem["evidence"]["unit"] == "layers"
    assert problem["fix"]["words"]
    assert data["findings"] == [problem]
    assert data["consumers"]["ComfyUI"]["findings"] == []


@pytest.mark.parametrize(("blocks", "damaged"), [((2,), False), ((1, 2), False), ((1,), True), ((0, 1, 2), True)])
def test_the_last_blocks_of_a_text_encoder_may_be_zero_where_they_were_not_read(blocks, damaged):
    """A run on SDXL, or with clip skip, never trains them."""
    file = lora_file("sdxl", ss_base_model_version="sdxl_base_v1-0")
    for key, tensor in file.tensors.items():
        if key.startswith(tuple(f"lora_te1_text_model_encoder_layers_{block}_" for block in blocks)) and "lora_up" in key:
            tensor.zero_()
    report = check(file, "sdxl")
    assert ("check.idle" in codes(report.problems())) == damaged
    assert ("check.beyond_clip_skip" in codes(report.notes())) == (2 in blocks)


def test_a_missing_alpha_is_no_damage_but_said():
    file = lora_file()
    del file.tensors[f"{Q}.alpha"]
    report = check(file)
    assert report.problems() == []
    assert [note.message for note in report.notes()] == ["1 layer has no alpha: every program takes alpha / rank as 1."]


def test_layers_that_do_not_fit_the_base_are_counted():
    file = lora_file()
    file.tensors[f"{Q}.lora_down.weight"] = torch.ones(2, 99)
    report = check(file)
    (problem,) = report.problems()
    assert problem.code == "check.misfit"
    assert Q in problem.message
    assert "99" in problem.message
    other = check_file(lora_file("sd2"), base=base("sd1"))
    assert any("do not fit the base" in problem.message for problem in other.problems())


def test_a_file_for_a_small_base_is_not_blamed_for_being_small():
    report = check_file(lora_file(), "sd1")
    assert report.problems() == []
    assert any("--base" in note.fix.words for note in report.notes() if note.fix)


def test_the_type_that_the_uis_show_is_reported_and_a_wrong_one_noted():
    assert [ui_type({}), ui_type({"ss_base_model_version": "sdxl_base_v1-0"}), ui_type({"ss_v2": "True"}), ui_type({"a": "b"})] == [
        None, "SDXL", "SD2", "SD1",
    ]  # fmt: skip
    report = check(lora_file("sdxl"), "sdxl")
    assert any("takes the file for SD1" in note.message for note in report.notes())
