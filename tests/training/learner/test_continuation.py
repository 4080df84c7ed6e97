"""Continuing from a finished LoRA: it starts where the file ended, and what does not fit is said in a sentence."""

import hashlib
import json

import pytest
import torch
from safetensors.torch import save_file

from lorasmith.adapters.attach import adapter_tensors, attach_network
from lorasmith.adapters.files.lora_file import load_tensors, save_lora
from lorasmith.adapters.files.names import denoiser_shape
from lorasmith.adapters.layer import read_layers
from lorasmith.adapters.selection import select_network
from lorasmith.adapters.tools.convert import diffusers_tensors
from lorasmith.datasets.training_set import open_training_set
from lorasmith.errors import AdapterError
from lorasmith.models.open import open_base
from lorasmith.models.texts import TextOptions
from lorasmith.training import events
from lorasmith.training.commands import Commands
from lorasmith.training.learner.continuation import KEPT_AS, check_weights, open_parent, start_from
from lorasmith.training.learner.learner import Learner
from lorasmith.training.learner.text_states import TextStates
from lorasmith.training.objective.batch_loss import PreparedBatch
from lorasmith.training.optim.optimizers import make_optimizer
from lorasmith.training.optim.parameter_groups import PartRates, make_groups
from lorasmith.training.planning.plan import make_plan
from lorasmith.training.records.lora_metadata import TrainedBase, lora_metadata, ranks_and_alphas
from lorasmith.training.run import resume, train
from lorasmith.training.step import step
from tests.models.toys import toy_folder


@pytest.fixture(scope="module")
def base(toy_base):
    return open_base(toy_base, torch.float32, "cpu")


@pytest.fixture
def attached():
    """Attach adapters as a run does; all are taken off in the end."""
    alive = []

    def attach(base, settings):
        take_off()
        parts = {part: module for part, module in base.parts.items() if settings.lr_of(part, base.family) > 0}
        chosen = select_network(base.family, parts, settings.network)
        adapters = {part: attach_network(parts[part], one.targets, one.settings, settings.training.seed) for part, one in chosen.items()}
        alive.extend(adapters.values())
        return adapters

    def take_off():
        while alive:
            alive.pop().detach()

    attach.alive, attach.take_off = alive, take_off
    yield attach
    take_off()


@pytest.fixture
def finished(attached, settings_for, tmp_path):
    """A finished LoRA of these network settings: a file of numbers that are not where a training starts."""

    def make(base, name="first.safetensors", dtype=torch.float32, **network):
        adapters = attached(base, settings_for(network={"rank": 2, **network}))
        generator = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for adapter in adapters.values():
                for parameter in adapter.parameters():
                    parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
        version = {"sd1": "sd_v1", "sdxl": "sdxl_base_v1-0", "flux": "flux1"}[base.family]
        path = tmp_path / name
        save_lora(path, adapter_tensors(*adapters.values()), {"ss_base_model_version": version, "ss_output_name": "first"}, dtype)
        attached.take_off()
        return path

    return make


@pytest.fixture
def start(attached, settings_for, tmp_path):
    """Start from a file as a run does: (settings, adapters, findings, parent)."""

    def begin(base, path, run="run", **network):
        settings = settings_for(network={"rank": 2, "weights": str(path), **network})
        (tmp_path / run).mkdir(exist_ok=True)
        if base.family == "sd1":  # that of the settings' base
            check_weights(settings, base.family)
        parent = open_parent(settings, tmp_path / run, base)
        adapters, findings = start_from(attached(base, settings), parent, settings, base)
        attached.alive.extend(adapters.values())
        return settings, adapters, findings, parent

    return begin


def says_the_same(adapters, path):
    """Whether the adapters would be written as the file is, in float32."""
    found, wanted = adapter_tensors(*adapters.values()), load_tensors(path).tensors
    return found.keys() == wanted.keys() and all(torch.equal(found[key].float(), wanted[key].float()) for key in wanted)


KINDS = {
    "lora": {}, "lora with convolutions": {"conv_rank": 3, "alpha": 1.0}, "dora": {"dora": True}, "rs_lora": {"rs_lora": True},
    "tucker": {"conv_rank": 2, "use_tucker": True}, "loha": {"kind": "loha"}, "lokr": {"kind": "lokr", "factor": 4},
    "lokr, whole": {"kind": "lokr", "rank": 16, "full_matrix": True}, "dylora": {"kind": "dylora"}, "glora": {"kind": "glora"},
    "ia3": {"kind": "ia3", "rank": 16}, "diag-oft": {"kind": "diag-oft", "rank": 16}, "boft": {"kind": "boft", "rank": 16},
    "full": {"kind": "full", "rank": 16},
}  # fmt: skip


@pytest.mark.parametrize("network", KINDS.values(), ids=KINDS.keys())
def test_before_the_first_step_it_is_the_file(base, finished, start, network):
    path = finished(base, **network)
    _, adapters, findings, _ = start(base, path, **network)
    assert says_the_same(adapters, path)
    assert findings == []


@pytest.mark.parametrize("network", [
    {"rank": 5, "alpha": 2.0, "conv_rank": 3}, {"kind": "lokr", "rank": 3, "factor": 4}, {"kind": "loha", "rank": 3},
    {"dora": True, "rank": 3}, {"kind": "boft", "rank": 16, "block_size": 4}, {"kind": "dylora", "rank": 4},
], ids=["ranks of convolutions too", "lokr of another factor", "loha", "dora", "blocks", "dylora"])  # fmt: skip
def test_sizes_can_be_taken_from_the_file(base, finished, start, network):
    path = finished(base, **network)
    plain = {key: value for key, value in network.items() if key in ("kind", "dora")}
    rank = 16 if network.get("kind") == "boft" else 2
    with pytest.raises(AdapterError, match="network.dim_from_weights"):
        start(base, path, run="refused", **plain, rank=rank, preset="convolutions" if "conv_rank" in network else "default")
    _, adapters, findings, _ = start(
        base, path, **plain, rank=rank, preset="convolutions" if "conv_rank" in network else "default", dim_from_weights=True
    )
    assert says_the_same(adapters, path)
    assert findings == []


def test_a_file_in_half_precision_becomes_weights_in_single_precision(base, finished, start):
    path = finished(base, dtype=torch.float16)
    for more in ({}, {"dim_from_weights": True}):
        _, adapters, _, _ = start(base, path, **more)
        assert says_the_same(adapters, path)
        assert {p.dtype for adapter in adapters.values() for p in adapter.parameters()} == {torch.float32}


@pytest.mark.parametrize("toy", ["sdxl", "flux"])
def test_other_families_continue_too(toy, finished, start):
    other = open_base(toy_folder(toy), torch.float32, "cpu")
    path = finished(other)
    for more in ({}, {"dim_from_weights": True}):
        _, adapters, findings, _ = start(other, path, **more)
        assert says_the_same(adapters, path)
        assert findings == []


def test_a_second_training_goes_on_where_the_first_ended(base, finished, start, attached, settings_for):
    """The loss of its first step is that of the file, and it moves on from there at a rate of its own."""
    path = finished(base, train_text_encoder=False)
    latents = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    batch = PreparedBatch(latents, ("zorvex, happy", "zorvex"), ("a", "b"))

    def first_loss(settings, adapters):
        groups = make_groups({part: PartRates(adapter, settings.lr_of(part)) for part, adapter in adapters.items()})
        optimizer = make_optimizer("AdamW", [group.for_optimizer() for group in groups], {})
        learner = Learner(base, adapters, optimizer, TextStates(base, TextOptions(), trained=False), settings)
        return step(learner, [batch], 0).loss

    fresh = settings_for(network={"rank": 2, "train_text_encoder": False})
    from_nothing = first_loss(fresh, attached(base, fresh))
    settings, adapters, _, _ = start(base, path, train_text_encoder=False)
    before = {name: p.detach().clone() for name, p in adapters["unet"].named_parameters()}
    loss = first_loss(settings, adapters)
    settings, again, _, _ = start(base, path, run="again", train_text_encoder=False, dim_from_weights=True)
    assert loss == first_loss(settings, again) != from_nothing
    moved = max((p.detach() - before[name]).abs().max().item() for name, p in adapters["unet"].named_parameters())
    assert moved == pytest.approx(settings.optimizer.learning_rate, rel=0.05)  # Adam's first step


def test_files_of_other_programs_are_read(base, finished, start, tmp_path):
    path, other = finished(base), tmp_path / "diffusers.safetensors"
    save_file(diffusers_tensors("sd1", read_layers(load_tensors(path).tensors), denoiser_shape("sd1", base.parts)), other)
    assert any(key.startswith("unet.") for key in load_tensors(other).tensors)
    _, adapters, findings, _ = start(base, other)
    assert says_the_same(adapters, path)
    assert findings == []


# ---- layers that only one side has


def test_layers_of_the_file_alone_and_of_the_settings_alone_are_reported(base, finished, start):
    path = finished(base)
    _, adapters, findings, _ = start(base, path, train_text_encoder=False)
    assert set(adapters) == {"unet"}
    assert len(findings) == 1
    assert "12 of its" in str(findings[0])
    assert "missing from the new LoRA (such as lora_te_" in str(findings[0])

    partial = finished(base, name="partial.safetensors", train_text_encoder=False)
    for run, more in (("b", {}), ("c", {"dim_from_weights": True})):
        _, adapters, findings, _ = start(base, partial, run=run, **more)
        assert len(findings) == 1
        assert "lacks 12 of the" in str(findings[0])
        assert all(torch.count_nonzero(layer.tensors()["lora_up.weight"]) == 0 for layer in adapters["text_encoder"].layers().values())
        assert says_the_same({"unet": adapters["unet"]}, partial)


def test_tensors_that_cannot_be_read_are_reported(base, finished, start):
    path = finished(base)
    tensors = load_tensors(path).tensors | {"lora_unet_nowhere_at_all.lora_down.weight": torch.zeros(2, 4)}
    save_lora(path, tensors, {"ss_base_model_version": "sd_v1"}, torch.float32)
    _, _, findings, _ = start(base, path)
    assert len(findings) == 1
    assert "1 of its tensors cannot be read and are left behind (lora_unet_nowhere_at_all.lora_down.weight" in str(findings[0])


# ---- what does not fit

MISFITS = {
    "another rank": ({"rank": 4}, {}, r"lora_\w+ has rank 4 there and 2 in the settings. Set network.dim_from_weights .* lorasmith lora resize"),
    "another alpha": ({"alpha": 1.0}, {}, r"has alpha 1 there and 2 in the settings"),
    "another kind": ({"kind": "lokr"}, {}, r"is of the kind 'lokr' there and 'lora' in the settings. Set network.kind .* to 'lokr'"),
    "another kind, sizes from the file": ({"kind": "lokr"}, {"dim_from_weights": True}, "Set network.kind .* to 'lokr'"),
    "a magnitude in the file alone": ({"dora": True}, {}, r"has a magnitude \(DoRA\) there. Switch network.dora on"),
    "a magnitude in the settings alone": ({}, {"dora": True}, r"has no magnitude \(DoRA\) there. Switch network.dora off"),
    "another factor": ({"kind": "lokr", "factor": 4}, {"kind": "lokr", "factor": 2}, r"\.lokr_\w+ is \[.*\] there and \[.*\] in the settings"),
    "other inputs": ({"kind": "ia3", "rank": 16, "on_input": True}, {"kind": "ia3", "rank": 16}, "scales its inputs there. Set network.on_input"),
}  # fmt: skip


@pytest.mark.parametrize(("theirs", "ours", "words"), MISFITS.values(), ids=MISFITS.keys())
def test_what_does_not_fit_is_said_with_the_layer_both_sides_and_a_way_out(base, finished, start, theirs, ours, words):
    path = finished(base, **theirs)
    with pytest.raises(AdapterError, match=words) as caught:
        start(base, path, **ours)
    assert str(path) in str(caught.value)


def test_a_file_of_another_family_is_refused_at_once(base, finished, settings_for):
    path = finished(open_base(toy_folder("sdxl"), torch.float32, "cpu"))
    settings = settings_for(network={"rank": 2, "weights": str(path)})
    with pytest.raises(AdapterError, match="was made for sdxl, and the base is sd1. Give a LoRA for sd1"):
        check_weights(settings, base.family)


def test_a_file_for_a_base_of_other_widths_is_refused(base, finished, start):
    path = finished(open_base(toy_folder("sd1"), torch.float32, "cpu"), train_text_encoder=False)
    for run, more in (("a", {}), ("b", {"dim_from_weights": True})):
        with pytest.raises(AdapterError, match="another base|this base"):
            start(base, path, run=run, train_text_encoder=False, **more)


def test_files_that_are_no_lora_are_refused(settings_for, tmp_path, toy_base):
    for name, words in (("gone.safetensors", "There is no LoRA file"), ("old.ckpt", "pickle")):
        if name == "old.ckpt":
            (tmp_path / name).write_bytes(b"x")
        with pytest.raises(AdapterError, match=words):
            check_weights(settings_for(network={"weights": str(tmp_path / name)}), "sd1")
    with pytest.raises(AdapterError, match="no LoRA or other network"):
        check_weights(settings_for(network={"weights": str(toy_base / "unet" / "diffusion_pytorch_model.safetensors")}), "sd1")


def test_numbers_that_are_not_finite_do_not_start_a_training(base, finished, start):
    path = finished(base)
    tensors = load_tensors(path).tensors
    next(tensor for key, tensor in tensors.items() if key.endswith("up.weight"))[0, 0] = float("nan")
    save_lora(path, tensors, {"ss_base_model_version": "sd_v1"}, torch.float32)
    with pytest.raises(AdapterError, match="not finite"):
        start(base, path)


# ---- afterwards


def test_resuming_needs_the_file_no_more_and_does_not_see_that_it_changed(base, finished, start, attached, settings_for, tmp_path):
    path = finished(base, rank=5)
    bytes_then = path.read_bytes()
    settings, adapters, _, parent = start(base, path, dim_from_weights=True)
    state = {part: adapter.state_dict() for part, adapter in adapters.items()}
    path.unlink()
    again = open_parent(settings, tmp_path / "run", base)
    assert (again.sha256, again.metadata) == (parent.sha256, parent.metadata)
    assert (tmp_path / "run" / KEPT_AS).read_bytes() == bytes_then
    resumed, _ = start_from(attached(base, settings), again, settings, base)
    attached.alive.extend(resumed.values())
    for part, adapter in resumed.items():
        adapter.load_state_dict(state[part])
        assert {name: layer.alpha for name, layer in adapter.layers().items()} == {
            name: layer.alpha for name, layer in adapters[part].layers().items()
        }


def test_the_new_file_names_its_parent_without_folders_and_has_its_rank(base, finished, start, tmp_path):
    path = finished(base, rank=5, alpha=2.0)
    settings, adapters, _, parent = start(base, path, dim_from_weights=True)
    training_set = open_training_set(settings.datasets, settings.buckets)
    metadata = lora_metadata(
        settings, make_plan(settings, training_set), training_set, TrainedBase.of(base), 1, 1, ranks_and_alphas(adapters), parent
    )
    assert json.loads(metadata["lorasmith_parent"]) == {
        "name": "first.safetensors", "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "title": "first",
        "model_hash": load_tensors(path).metadata["sshs_model_hash"],
    }  # fmt: skip
    assert (metadata["ss_network_dim"], metadata["ss_network_alpha"]) == ("5", "2.0")
    assert json.loads(metadata["lorasmith_settings"])["network"]["weights"] == "first.safetensors"
    assert str(tmp_path) not in json.dumps(metadata)


def test_a_run_goes_on_from_the_lora_of_another_and_resumes_without_it(settings_for, tmp_path):
    """At a learning rate of almost nothing the second LoRA is the first; stopped, it goes on although the first is gone."""
    first = train(settings_for(network={"rank": 3, "kind": "lokr", "factor": 4}), tmp_path / "first").file
    network = {"rank": 2, "kind": "lokr", "weights": str(first), "dim_from_weights": True}
    sections = {"network": network, "optimizer": {"learning_rate": 1e-12}, "training": {"epochs": 1, "batch_size": 2, "seed": 5}}
    whole = train(settings_for(**sections), tmp_path / "whole").file
    tensors, before = load_tensors(whole), load_tensors(first)
    assert tensors.tensors.keys() == before.tensors.keys()
    assert all(torch.allclose(tensors.tensors[key].float(), before.tensors[key].float(), atol=1e-6) for key in before.tensors)
    assert str(tmp_path) not in json.dumps(tensors.metadata)
    commands = Commands()
    train(settings_for(**sections), tmp_path / "part", [lambda event: commands.stop() if isinstance(event, events.StepDone) else None],
          commands)  # fmt: skip
    first.unlink()
    assert resume(tmp_path / "part").file.read_bytes() == whole.read_bytes()


def test_a_run_from_a_lora_that_is_not_there_leaves_no_folder(settings_for, tmp_path):
    with pytest.raises(AdapterError, match="There is no LoRA file"):
        train(settings_for(network={"rank": 2, "weights": "gone.safetensors"}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_ranks_that_differ_are_dynamic_in_the_metadata(base, attached, settings_for):
    adapters = attached(base, settings_for(network={"rank": 2, "layers": [{"pattern": "IN01", "rank": 4, "alpha": 2.0}]}))
    assert ranks_and_alphas(adapters) == ("Dynamic", 2.0)


def test_without_a_file_there_is_no_parent(base, settings_for, tmp_path):
    check_weights(settings_for(), "sd1")
    assert open_parent(settings_for(), tmp_path, base) is None
    assert list(tmp_path.iterdir()) == []
