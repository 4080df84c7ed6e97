"""Which programs read which of our files: docs/compatibility.md, made here and checked to be in step.

    python -m tests.adapters.compatibility.test_compatibility     writes the page again

What diffusers does is found out by running it on a toy Stable Diffusion; the other programs' columns are facts measured once
with the versions on the page, stated by each kind in its own file (`adapters.kinds`).
"""

import copy
from functools import cache
from pathlib import Path

import pytest
import torch

from lorasmith.adapters.attach import adapter_tensors, attach_network
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.lora_file import save_lora
from lorasmith.adapters.kinds import KINDS, dora, ia3, trainable_kinds
from lorasmith.adapters.kinds.layer_settings import LayerSettings
from lorasmith.adapters.kinds.programs import CONSUMERS, VERSIONS
from lorasmith.adapters.layer import read_layer
from lorasmith.models.families import FAMILIES
from tests.models.toys import pipeline_of

PAGE = Path(__file__).resolve().parents[3] / "docs" / "compatibility.md"

SMALL = {"rank": 2, "alpha": 1.0}
NETWORKS = {
    "LoRA": ("lora", LayerSettings(**SMALL)),
    "LoRA, rs-scaling": ("lora", LayerSettings(**SMALL, rs_lora=True)),
    "LoRA with a Tucker core": ("lora in Tucker form", LayerSettings(**SMALL, use_tucker=True)),
    "LoRA with DoRA": ("DoRA along the inputs", LayerSettings(**SMALL, dora=True)),
    "LoRA with DoRA along the outputs": ("DoRA along the outputs", LayerSettings(**SMALL, dora=True)),
    "LoRA with DoRA along the outputs, in one row": ("DoRA along the outputs, in one row", LayerSettings(**SMALL, dora=True)),
    "DyLoRA": ("lora", LayerSettings(kind="dylora", **SMALL)),
    "LoHa": ("loha", LayerSettings(kind="loha", **SMALL)),
    "LoKr": ("lokr", LayerSettings(kind="lokr", **SMALL)),
    "GLoRA": ("glora", LayerSettings(kind="glora", **SMALL)),
    "(IA)^3": ("ia3", LayerSettings(kind="ia3")),
    "Diag-OFT": ("diag-oft", KINDS["diag-oft"].layer_settings(block_size=4)),
    "BOFT": ("boft", KINDS["boft"].layer_settings(block_size=4)),
    "Full (diff)": ("full", LayerSettings(kind="full")),
}
OTHERS = {
    "DoRA along the outputs": lambda magnitude: magnitude.transpose(0, 1),
    "DoRA along the outputs, in one row": lambda magnitude: magnitude.flatten(),
}
"""How other trainers' files have a magnitude that is written here along the inputs, [1, in, ...]."""
FORMS = {form.name: form for form in (*dora.FORMS, *(form for kind in KINDS.values() for form in kind.forms))}
WORDS = {"loads": "yes", "wrong": "**wrong**", "dropped": "no", "refused": "no", "untried": "not tried"}
FEW = ("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", "down_blocks.0.attentions.0.proj_in", "down_blocks.0.resnets.1.conv1")


def as_written(made_of, tensors):
    """A file's tensors in the form that is asked for."""
    rewrite = OTHERS.get(made_of, lambda magnitude: magnitude)
    return {key: rewrite(value).contiguous() if key.endswith("dora_scale") else value for key, value in tensors.items()}


@cache
def toy():
    return pipeline_of("sd1")


@torch.no_grad()
def prediction(unet):
    generator = torch.Generator().manual_seed(1)
    latents, states = torch.randn(1, 4, 8, 8, generator=generator), torch.randn(1, 7, 24, generator=generator)
    return unet(latents, torch.tensor([500]), states).sample


@cache
def in_diffusers(name, folder):
    """What diffusers does with a file of this network: loads, wrong (other images than trained) or refused."""
    pipeline, (made_of, settings) = toy(), NETWORKS[name]
    unet = copy.deepcopy(pipeline.unet)
    named = {paths[0]: own for own, paths in keys.targets("sd1", "unet", unet, "convolutions").items()}
    adapter = attach_network(unet, {path: named[path] for path in FEW}, settings, seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    trained, base = prediction(unet), prediction(pipeline.unet)
    assert (trained - base).abs().max() > 1e-3, "the network must matter here"
    path = Path(folder) / f"{name}.safetensors"
    save_lora(path, as_written(made_of, adapter_tensors(adapter)), {}, torch.float32)
    try:
        pipeline.load_lora_weights(path)
    except ValueError:
        return "refused"
    try:
        found = prediction(pipeline.unet)
    finally:
        pipeline.unload_lora_weights()
    if torch.allclose(found, trained, atol=1e-5):
        return "loads"
    return "dropped" if torch.allclose(found, base, atol=1e-6) else "wrong"


def page(folder):
    """The page, from what diffusers does here and what is known of the others."""
    programs = [program for program in CONSUMERS if program != "diffusers"]
    versions = ", ".join(f"{program} {VERSIONS[program]}" for program in programs)
    lines = [
        "# Which programs read which networks",
        "",
        "Made by `python -m tests.adapters.compatibility.test_compatibility`, and checked by the tests. They find the column of diffusers, on a toy",
        f"Stable Diffusion 1.x with linear layers, 1x1 and 3x3 convolutions. The others were measured with {versions}, on Stable",
        "Diffusion 1.5 and SDXL; AUTOMATIC1111 has none of the families with a transformer.",
        "",
        f"| network | suffixes of its tensors | {' | '.join(programs)} | diffusers |",
        "| --- | --- |" + " --- |" * (len(programs) + 1),
    ]
    reasons: list[str] = []
    for name, (made_of, settings) in NETWORKS.items():
        cells = []
        for program in programs:
            rule = FORMS[made_of].programs[program]
            cells.append(WORDS[rule.effect])
            if rule.reason and rule.effect != "loads":
                reasons.append(f"- {name}, {program}: {rule.reason}.")
        if made_of == "ia3":
            reasons.append(f"- {name}, AUTOMATIC1111: {ia3.CONVOLUTION.programs['AUTOMATIC1111'].reason}.")
        effect = in_diffusers(name, folder)
        cells.append(WORDS[effect])
        if effect != "loads":
            reasons.append(f"- {name}, diffusers: {FORMS[made_of].programs['diffusers'].reason}.")
        lines.append(f"| {name} | `{suffixes(settings)}` | {' | '.join(cells)} |")
    reasons += [f"- {dora.MISPLACED.name}, {program}: {dora.MISPLACED.programs[program].reason}." for program in CONSUMERS]
    lines += ["", "Yes: the same image as in training. Why not, and what is wrong:", "", *reasons, ""]
    lines += [
        "A DoRA magnitude of the outputs in one row (`[out]`, or `[1, out, 1, 1]`) can be multiplied where a linear layer has as many inputs as",
        "outputs; elsewhere it is misplaced. What the other three do with one follows from their formulas, computed for square and other layers.",
        "Here it is read by how many numbers it has, and written along its axis.",
    ]
    lines += ["", "## Which names they read", "", *names_table()]
    lines += [
        "",
        "What is not read can be converted: `lorasmith lora convert` writes a GLoRA on linear layers exactly as a LoRA of twice the rank, and any",
        "network as its whole change (`diff`). A constraint of Diag-OFT and BOFT is worked into the blocks on saving, since programs disagree about it.",
        "Strength means W + s (W' - W) here; AUTOMATIC1111, Forge and ComfyUI mean the same, for Diag-OFT and BOFT at strength 1 only.",
        "",
        "## Half precision",
        "",
        "LoRAs in fp16 and bf16 act as trained in all four (to 5e-6 of the change). AUTOMATIC1111 multiplies LoHa, LoKr and differences in the",
        "numbers of the file: measured 0.2 % off for a LoHa in fp16, 1 % at strength 1 and 3 % at 0.5 for a LoKr in bf16, 0.1 % and 1 % for a",
        "difference in fp16. `lorasmith check` says so, and `--precision fp32` avoids it. A base in half precision loses small changes in every",
        "program that adds them to its weights: of one of 9e-4 (rms) 0.5 % in fp16 and 4 % in bf16, of one of 9e-5 5 % and 40 %.",
        "An alpha is read as it is in the file; what is written here keeps it exact, in fp32 where the file's numbers would round it.",
        "",
        "Networks of other trainers are read too and can be converted: OFTv2 (peft, OneTrainer), rotations of LyCORIS before 2.0 (`oft_diag`),",
        "sd-scripts' OFT (`oft_unet_`), changes of biases beside a LoRA (`diff_b`, which AUTOMATIC1111 drops and diffusers refuses). ComfyUI reads",
        "XLabs' and USO's names only in files with all blocks. Control LoRAs of Black Forest Labs are called by their name and left as they are.",
        "",
    ]
    return "\n".join(lines)


def names_table():
    """Ways of naming layers, by family, with what each program does with a LoRA in them."""
    rows = [f"| family | names | {' | '.join(CONSUMERS)} |", "| --- | --- |" + " --- |" * len(CONSUMERS)]
    for family in FAMILIES.values():
        consumers = family.lora.consumers
        for way, rules in consumers.by_naming.items():
            cells = ["no" if program in consumers.without else WORDS[rules[program].effect] for program in CONSUMERS]
            rows.append(f"| {family.title} | {way} | {' | '.join(cells)} |")
    return [
        *rows, "",
        "Of diffusers' names ComfyUI does not find the attention of U-Nets (`to_q`, `to_k`, `to_v`, `to_out`), unless they have `.processor` as they",
        "once had. AUTOMATIC1111 loses the first encoder of SDXL where it is called `lora_te_`, diffusers nine layers of Flux outside its blocks.",
        "diffusers reads kohya's alphas that differ from layer to layer wrongly, and stops at a text encoder without `out_proj`; what is written here",
        "has one alpha. `lorasmith check` says which of this concerns a file.",
    ]  # fmt: skip


def suffixes(settings):
    adapter = attach_network(torch.nn.Sequential(torch.nn.Conv2d(8, 8, 3)), {"0": "x"}, settings, seed=0)
    return " ".join(key.removeprefix("x.") for key in adapter_tensors(adapter))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(tmp_path_factory.mktemp("networks"))


@pytest.mark.parametrize("name", NETWORKS)
def test_diffusers_does_with_a_file_what_is_known_of_it(name, folder):
    assert in_diffusers(name, folder) == FORMS[NETWORKS[name][0]].programs["diffusers"].effect


def test_the_page_is_in_step(folder):
    assert PAGE.read_text(encoding="utf-8") == page(folder), "write it again: python -m tests.adapters.compatibility.test_compatibility"


def test_the_page_has_every_kind_and_each_file_is_read_back_as_what_the_page_calls_it():
    assert {settings.kind for _, settings in NETWORKS.values()} == trainable_kinds().keys()
    for made_of, settings in NETWORKS.values():
        adapter = attach_network(torch.nn.Sequential(torch.nn.Linear(8, 8)), {"0": "x"}, settings, seed=0)
        layer = read_layer("x", {key.removeprefix("x."): value for key, value in as_written(made_of, adapter_tensors(adapter)).items()})
        assert layer.form is FORMS[made_of] or (settings.use_tucker and layer.form.name == settings.kind)


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as made:
        PAGE.write_text(page(made), encoding="utf-8")
