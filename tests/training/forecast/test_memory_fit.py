"""`training.memory`: the cheapest settings with which a run fits, for cards of several sizes, and nothing that the user set."""

import pytest

from lorasmith.errors import SettingsError
from lorasmith.models.device import DEVICES
from lorasmith.training import events
from lorasmith.training.forecast import memory_fit
from lorasmith.training.forecast.memory_fit import fit_to_memory
from lorasmith.training.forecast.memory_means import Means, choose, means_of
from lorasmith.training.forecast.report import as_text, make_report
from lorasmith.training.planning.check import check
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.run import resume, train
from lorasmith.training.settings.tree import settings_from
from tests.training.forecast.test_estimate import SLOW_MACHINE

GB = 10**9


# ---- the choice


def needs(costs):
    """What a run needs with some changes: 100, less what each value saves."""
    return lambda changes: 100 - sum(costs[name][value] for name, value in changes.items())


MEANS = [Means("a", (1,), "first"), Means("b", (1, 2), "second"), Means("c", range(1, 11), "third")]
SAVES = needs({"a": {1: 10}, "b": {1: 20, 2: 40}, "c": {k: 5 * k for k in range(1, 11)}})


@pytest.mark.parametrize(
    ("free", "chosen"),
    [
        (100, {}),
        (95, {"a": 1}),
        (72, {"a": 1, "b": 1}),
        (80, {"b": 1}),  # with b a is not needed any more
        (61, {"b": 2}),
        (55, {"a": 1, "b": 2}),
        (38, {"a": 1, "b": 2, "c": 3}),  # no stronger than needed
        (0, {"a": 1, "b": 2, "c": 10}),
        (-1, {"a": 1, "b": 2, "c": 10}),  # nothing fits: the strongest of all
    ],
)
def test_the_cheapest_means_that_fit_are_chosen(free, chosen):
    assert choose(SAVES, MEANS, free) == chosen


def settings(**sections):
    return settings_from({"base": {"path": "base"}, "datasets": [{"path": "."}], "training": {"epochs": 1}, **sections})


def left(made, *, trains_texts=False, bf16=True, eight_bit=True, fp8_file=False, graphs=True, blocks=57):
    means = means_of(made, trains_texts=trains_texts, bf16=bf16, eight_bit=eight_bit, fp8_file=fp8_file, graphs=graphs, blocks=blocks)
    return {one.setting: list(one.values) for one in means}


def test_what_the_user_set_is_no_means():
    everything = left(settings())
    assert list(everything) == [
        "training.mixed_precision", "captions.cached_variants", "training.offload_while_caching", "training.gradient_checkpointing",
        "optimizer.type", "training.cuda_graphs", "base.quantize", "training.blocks_to_swap",
    ]  # fmt: skip
    by_hand = settings(
        base={"path": "base", "quantize": "int8"}, training={"epochs": 1, "mixed_precision": "fp16", "blocks_to_swap": 3},
        optimizer={"type": "Prodigy", "learning_rate": 1.0},
    )  # fmt: skip
    assert list(left(by_hand)) == [
        "captions.cached_variants",
        "training.offload_while_caching",
        "training.gradient_checkpointing",
        "training.cuda_graphs",
    ]


def test_means_that_cannot_be_are_left_out():
    assert left(settings(), bf16=False)["training.mixed_precision"] == ["fp16"]
    assert left(settings(), fp8_file=True)["base.quantize"] == ["fp8", "nf4"]
    assert "captions.cached_variants" not in left(settings(), trains_texts=True)
    assert "optimizer.type" not in left(settings(), eight_bit=False)
    assert "training.blocks_to_swap" not in left(settings(), blocks=0)
    assert "training.cuda_graphs" not in left(settings(), graphs=False)
    assert left(settings(captions={"shuffle_caption": True}))["captions.cached_variants"] == [10]
    assert left(settings(datasets=[{"path": "."}, {"path": ".", "shuffle_caption": True}]))["captions.cached_variants"] == [10]
    assert not {"base.quantize", "training.blocks_to_swap"} & set(left(settings(training={"epochs": 1, "torch_compile": True})))


# ---- a run


def test_a_run_with_room_is_left_as_it_is_and_says_so(settings_for):
    report = make_report(settings_for(training={"memory": 100}), SLOW_MACHINE)
    (finding,) = [finding for finding in report.findings if finding.code == "plan.memory"]
    assert "training.memory has 100.0 GB" in finding.message
    assert finding.message.endswith("nothing is needed to save memory.")
    assert finding.message in as_text(report)


def test_what_is_chosen_is_in_the_runs_settings_and_resuming_keeps_it(settings_for, tmp_path):
    made = settings_for(training={"memory": 0.001, "gradient_checkpointing": True}, network={"train_text_encoder": False})
    warned = []
    result = train(made, tmp_path / "run", [warned.append])
    assert result.finished
    used = RunFolder(tmp_path / "run").read_settings()
    assert (used.training.mixed_precision, used.base.quantize, used.captions.cached_variants) == ("bf16", "nf4", 10)
    assert used.training.gradient_checkpointing
    assert used.training.blocks_to_swap == 0, "a CPU has no other memory to wait in"
    said = [event.message for event in warned if isinstance(event, events.Warned) and "training.memory has 0.0 GB" in event.message]
    assert len(said) == 1
    assert "Lower buckets.resolution" in said[0]
    assert resume(tmp_path / "run", changes={"training.epochs": 3}).finished


@pytest.mark.parametrize("value", ["much", 0, -3])
def test_another_value_is_refused(settings_for, value):
    with pytest.raises(SettingsError, match='must be "off", "auto" or a number of GB'):
        settings_for(training={"memory": value})


def test_auto_asks_the_device_for_its_free_memory(settings_for, monkeypatch):
    kind = DEVICES["cpu"]
    monkeypatch.setitem(DEVICES, "cpu", type("Small", (type(kind),), {"free_bytes": lambda self: 5 * GB})(**vars(kind)))
    fitted = fit_to_memory(check(settings_for(training={"memory": "auto", "device": "cpu"})))
    assert "training.memory has 5.0 GB" in fitted.of_settings[-1].message


def test_samples_need_memory_beside_that_of_recorded_steps(settings_for):
    found = {}
    for graphs in (True, False):
        checked = check(settings_for(training={"cuda_graphs": graphs}, samples={"prompts": ["zorvex"], "steps": 1}))
        rehearsal = memory_fit.rehearsal_of(checked.settings, checked.description, checked.training_set)
        found[graphs] = memory_fit.memory_of(checked, rehearsal, "cuda").phases
    assert found[True]["sampling"].pop("recorded steps") == found[True]["training"]["activations"]
    assert found[True] == found[False]
