"""Converting: what is exact stays exact, what is not tells its error, and diffusers loads what was written for it."""

import pytest
import torch

from lorasmith.adapters.base_weights import BaseWeights
from lorasmith.adapters.delta import delta
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.network import file_metadata
from lorasmith.adapters.kinds import KINDS
from lorasmith.adapters.layer import Layer, file_tensors
from lorasmith.adapters.tools.convert import as_difference, as_lora, convert, diffusers_tensors, rounding
from lorasmith.errors import AdapterError
from lorasmith.models.families import FAMILIES
from tests.models.toys import pipeline_of

NAME = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


W = normal(8, 6, seed=99)
LORA = {"lora_down.weight": normal(2, 6), "lora_up.weight": normal(8, 2)}
GLORA = {"a1.weight": normal(6, 2), "a2.weight": normal(2, 6), "b1.weight": normal(8, 2), "b2.weight": normal(2, 6)}
EXACT = {
    "lora": Layer(NAME, KINDS["lora"], LORA, 1.0),
    "glora": Layer(NAME, KINDS["glora"], GLORA, 1.0),
}
LOSSY = {
    "loha": Layer(
        NAME, KINDS["loha"], {f"hada_w{i}_{s}": normal(*((8, 2) if s == "a" else (2, 6)), seed=i) for i in (1, 2) for s in "ab"}, 1.0
    ),
    "lokr": Layer(NAME, KINDS["lokr"], {"lokr_w1": normal(2, 2), "lokr_w2": normal(4, 3)}, None),
    "dora": Layer(NAME, KINDS["lora"], LORA, 1.0, normal(1, 6).abs()),
    "dora along the outputs": Layer(NAME, KINDS["lora"], LORA, 1.0, normal(8, 1).abs()),
    "ia3": Layer(NAME, KINDS["ia3"], {"weight": normal(8), "on_input": torch.tensor(0)}),
    "diag-oft": Layer(NAME, KINDS["diag-oft"], {"oft_blocks": 0.1 * normal(2, 4, 4)}, 0.0),
    "full": Layer(NAME, KINDS["full"], {"diff": normal(8, 6)}),
}


@pytest.mark.parametrize("layer", EXACT.values(), ids=EXACT)
def test_what_is_a_lora_becomes_one_exactly(layer):
    lora, report = as_lora(layer, None, W)
    assert report.error == 0
    assert lora.rank == (4 if layer.kind.name == "glora" else 2)
    torch.testing.assert_close(delta(lora).double(), delta(layer, W).double(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("layer", LOSSY.values(), ids=LOSSY)
def test_everything_else_becomes_a_lora_whose_error_is_reported_and_falls_with_the_rank(layer):
    whole = delta(layer, W).double()
    for rank in (1, 3):
        lora, report = as_lora(layer, rank, W)
        assert (lora.kind.name, lora.rank) == ("lora", rank)
        assert report.error == pytest.approx(((delta(lora) - whole).norm() / whole.norm()).item(), abs=1e-5)
    full, report = as_lora(layer, 99, W)
    assert report.error == pytest.approx(0, abs=1e-6)
    torch.testing.assert_close(delta(full), whole, rtol=1e-5, atol=1e-5)
    with pytest.raises(AdapterError, match="give the rank"):
        as_lora(layer, None, W)


@pytest.mark.parametrize("layer", [*EXACT.values(), *LOSSY.values()], ids=[*EXACT, *LOSSY])
def test_everything_is_exact_as_a_difference(layer):
    difference, report = as_difference(layer, W)
    assert (difference.kind.name, report.error) == ("full", 0)
    torch.testing.assert_close(difference.tensors["diff"], delta(layer, W).float())


def test_the_difference_of_an_ia3_is_the_weight_times_its_numbers():
    difference, _ = as_difference(LOSSY["ia3"], W)
    torch.testing.assert_close(difference.tensors["diff"], W * normal(8)[:, None])


def test_without_the_base_what_depends_on_it_is_refused():
    for kind in ("dora", "ia3", "diag-oft"):
        with pytest.raises(AdapterError, match="give the base too"):
            as_lora(LOSSY[kind], 2)
    lora, _ = as_lora(LOSSY["loha"], 2)
    assert lora.rank == 2
    conv = Layer("lora_unet_down_blocks_0_resnets_0_conv1", KINDS["loha"], LOSSY["loha"].tensors, 1.0)
    with pytest.raises(AdapterError, match="kernel"):
        as_lora(conv, 2)
    with pytest.raises(AdapterError, match="a bias"):
        as_lora(Layer(NAME, KINDS["full"], {"diff": W, "diff_b": W[:, 0]}), 2)


@pytest.mark.parametrize("family", ["sd1", "flux"])
def test_diffusers_loads_what_is_written_for_it_and_changes_the_weights_so(family, tmp_path):
    pipeline = pipeline_of(family)
    parts = {part: getattr(pipeline, part) for part in FAMILIES[family].lora.parts}
    main = next(iter(parts))
    shapes = keys.weight_shapes(family, {main: parts[main]}, "convolutions")
    layers = {
        name: Layer(
            name,
            KINDS["lora"],
            {"lora_down.weight": normal(3, *rest, seed=i), "lora_up.weight": normal(out, 3, *(1 for _ in rest[1:]))},
            1.5,
        )
        for i, (name, (out, *rest)) in enumerate(shapes.items())
    }
    base = BaseWeights(family, {main: parts[main]})
    before = {name: base.weight(name).detach().clone() for name in layers}
    tensors = diffusers_tensors(family, layers)
    again = read_network(tensors, {}, family)
    assert again.dialects == ("diffusers",)
    for name, layer in again.layers.items():
        torch.testing.assert_close(delta(layer), delta(layers[name]), rtol=1e-5, atol=1e-5)
    pipeline.load_lora_weights(tensors)
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()
    for name, layer in layers.items():
        torch.testing.assert_close(base.weight(name).detach() - before[name], delta(layer).float(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("change", ["up", "down", "both", "alpha", "nothing left"])
def test_what_rounding_lost_is_the_norm_of_the_difference_of_the_changes(change):
    up, down = normal(40, 4), normal(4, 30, seed=1)
    before = Layer(NAME, KINDS["lora"], {"lora_up.weight": up, "lora_down.weight": down}, 2.0)
    factor = 0.0 if change == "nothing left" else 1.0
    new = {
        "lora_up.weight": factor * (up if change == "down" else up.bfloat16().float()),
        "lora_down.weight": factor * (down if change == "up" else down.bfloat16().float()),
    }
    after = Layer(NAME, KINDS["lora"], new, 2.01 if change == "alpha" else 2.0)
    wanted = (delta(after) - delta(before)).norm() / delta(before).norm()
    assert rounding(before, after) == pytest.approx(float(wanted), rel=1e-3)


def test_only_plain_loras_are_written_for_diffusers():
    with pytest.raises(AdapterError, match="convert the file to LoRA first"):
        diffusers_tensors("sd1", {NAME: LOSSY["dora"]})


def test_the_metadata_of_a_new_file_says_what_it_is_now():
    old = {"ss_network_module": "lycoris.kohya", "ss_network_args": "{}", "ss_seed": "1", "lora_adapter_metadata": "{}"}
    layers, reports = convert({NAME: LOSSY["loha"]}, "lora", 2)
    assert [report.kind.name for report in reports] == ["loha"]
    metadata = file_metadata(layers, "sd1", old)
    assert metadata == {
        "ss_network_module": "networks.lora", "ss_network_dim": "2", "ss_network_alpha": "2.0", "ss_seed": "1",
        "ss_base_model_version": "sd_v1", "ss_v2": "False",
    }  # fmt: skip
    assert file_metadata({NAME: LOSSY["loha"]}, "flux", {})["ss_network_args"] == '{"algo": "loha"}'
    assert file_tensors(layers.values())[f"{NAME}.alpha"].shape == ()
