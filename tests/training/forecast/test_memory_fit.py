"""`training.memory`: the cheapest settings with which a run fits, for cards of several sizes, and nothing that the user set."""

from dataclasses import replace
from functools import cache

import pytest
from PIL import Image

from lorasmith.errors import SettingsError
from lorasmith.models.device import DEVICES
from lorasmith.training import events
from lorasmith.training.forecast import memory_fit
from lorasmith.training.forecast.memory_fit import fit_to, fit_to_memory
from lorasmith.training.forecast.memory_means import Means, choose, means_of
from lorasmith.training.forecast.report import as_text, make_report
from lorasmith.training.planning.check import check
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.run import resume, train
from lorasmith.training.settings.changes import changes_between, with_changes
from lorasmith.training.settings.tree import settings_from
from tests.models.toys import toy_folder
from tests.training.forecast.test_estimate import SLOW_MACHINE, described

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
    assert not {"base.quantize", "training.blocks_to_swap"} & set(left(settings(training={"epochs": 1, "torch_compile": True})))


# ---- whole bases


@pytest.fixture
def card(monkeypatch):
    """A made-up GPU: it is there, and computes in bf16; without bitsandbytes."""
    kind = DEVICES["cuda"]
    made = type("Card", (type(kind),), {"count": lambda self: 1, "has_bf16": lambda self: True})
    monkeypatch.setitem(DEVICES, "cuda", made(**vars(kind)))
    monkeypatch.setattr(memory_fit, "find_spec", lambda name: None)
    return "cuda"


def full_size(family, side, folder, **sections):
    """A checked run over one picture on a family's full-size base, without weights; rank 16, text encoders frozen."""
    Image.new("RGB", (1024, 1024), "teal").save(folder / "a.png")
    (folder / "a.txt").write_text("zorvex", encoding="utf-8")
    made = settings_from({
        "base": {"path": str(toy_folder(family))}, "datasets": [{"path": str(folder)}], "buckets": {"resolution": side},
        "network": {"rank": 16, "train_text_encoder": False}, "training": {"epochs": 1, "memory": "auto"}, "cache": str(folder / "cache"),
        **sections,
    })  # fmt: skip
    return replace(check(made), description=described(family))


def by_card(checked, device, monkeypatch):
    """What is chosen for each of five cards, by gigabytes; where it is said to fit, its forecast does."""
    rehearsal_of, others = memory_fit.rehearsal_of, (checked.description, checked.training_set)
    rehearse = cache(lambda family, half, kept: rehearsal_of(with_changes(checked.settings, {HALF: half, KEPT: kept}), *others))
    monkeypatch.setattr(
        memory_fit, "rehearsal_of",
        lambda made, *_: rehearse(checked.description.family, made.training.mixed_precision, made.training.gradient_checkpointing),
    )  # fmt: skip
    found = {}
    for size in (6, 8, 12, 16, 24):
        fitted = fit_to(checked, device, size * GB)
        finding = fitted.of_settings[-1]
        assert finding.code == "plan.memory"
        assert (finding.severity == "note") == (finding.evidence.number <= size)
        found[size] = {change.setting: change.after for change in changes_between(checked.settings, fitted.settings)}
        assert set(finding.subjects) == {"training.memory", *found[size]}
        found[size]["fits"] = finding.severity == "note"
    return found


HALF, KEPT, TEXTS = "training.mixed_precision", "training.gradient_checkpointing", "captions.cached_variants"
OFFLOAD, QUANTIZE, SWAP = "training.offload_while_caching", "base.quantize", "training.blocks_to_swap"


@pytest.mark.slow
def test_sd1_needs_half_precision_on_the_smallest_card_and_nothing_on_the_others(card, monkeypatch, tmp_path):
    assert by_card(full_size("sd1", 512, tmp_path), card, monkeypatch) == {
        6: {HALF: "bf16", "fits": True}, **{size: {"fits": True} for size in (8, 12, 16, 24)},
    }  # fmt: skip


@pytest.mark.slow
def test_sdxl_trains_in_6_gigabytes(card, monkeypatch, tmp_path):
    saved = {HALF: "bf16", TEXTS: 1, OFFLOAD: True, KEPT: True}
    assert by_card(full_size("sdxl", 1024, tmp_path), card, monkeypatch) == {
        6: {**saved, QUANTIZE: "int8", "fits": True},
        8: {**saved, "fits": True},
        12: {HALF: "bf16", KEPT: True, "fits": True},
        16: {HALF: "bf16", TEXTS: 1, "fits": True},
        24: {HALF: "bf16", "fits": True},
    }


@pytest.mark.slow
def test_flux_trains_in_12_gigabytes_and_with_swapped_blocks_in_6(card, monkeypatch, tmp_path):
    found = by_card(full_size("flux", 1024, tmp_path), card, monkeypatch)
    assert all(chosen["fits"] for chosen in found.values())
    assert [found[size].get(QUANTIZE) for size in (6, 8, 12, 16, 24)] == ["nf4", "nf4", "nf4", "nf4", "int8"]
    assert found[6][SWAP] > found[8][SWAP] > 0
    assert all(SWAP not in found[size] for size in (12, 16, 24))
    assert all(found[size][KEPT] for size in found)


@pytest.mark.slow
def test_chroma_trains_in_16_gigabytes_in_eight_bits_and_in_12_in_four(card, monkeypatch, tmp_path):
    found = by_card(full_size("chroma", 1024, tmp_path), card, monkeypatch)
    assert all(chosen["fits"] and chosen[KEPT] for chosen in found.values())
    assert [found[size][QUANTIZE] for size in (6, 8, 12, 16, 24)] == ["nf4", "nf4", "nf4", "int8", "int8"]
    assert found[6][SWAP] > found[8][SWAP] > 0
    assert all(SWAP not in found[size] for size in (12, 16, 24))


@pytest.mark.slow
def test_zimage_trains_in_12_gigabytes_in_eight_bits_and_in_8_in_four(card, monkeypatch, tmp_path):
    found = by_card(full_size("zimage", 1024, tmp_path), card, monkeypatch)
    assert all(chosen["fits"] and chosen[KEPT] for chosen in found.values())
    assert [found[size].get(QUANTIZE) for size in (6, 8, 12, 16, 24)] == ["nf4", "nf4", "int8", "int8", None]
    assert [size for size in found if SWAP in found[size]] == [6]


@pytest.mark.slow
def test_lumina2_trains_in_12_gigabytes_unpacked_and_in_8_in_eight_bits(card, monkeypatch, tmp_path):
    found = by_card(full_size("lumina2", 1024, tmp_path), card, monkeypatch)
    assert all(chosen["fits"] and chosen[KEPT] for chosen in found.values())
    assert [found[size].get(QUANTIZE) for size in (6, 8, 12, 16, 24)] == ["nf4", "int8", None, None, None]
    assert [size for size in found if SWAP in found[size]] == [6]


@pytest.mark.slow
def test_klein_trains_in_6_gigabytes_with_a_few_swapped_blocks_and_unpacked_in_24(card, monkeypatch, tmp_path):
    found = by_card(full_size("klein", 1024, tmp_path), card, monkeypatch)
    assert all(chosen["fits"] and chosen[KEPT] for chosen in found.values())
    assert [found[size].get(QUANTIZE) for size in (6, 8, 12, 16, 24)] == ["nf4", "nf4", "int8", "int8", None]
    assert [size for size in found if SWAP in found[size]] == [6]


@pytest.mark.slow
def test_anima_trains_in_8_gigabytes_unpacked(card, monkeypatch, tmp_path):
    found = by_card(full_size("anima", 1024, tmp_path), card, monkeypatch)
    assert [chosen["fits"] for chosen in found.values()] == [False, True, True, True, True]
    assert all(QUANTIZE not in found[size] and SWAP not in found[size] for size in (8, 12, 16, 24))


@pytest.mark.slow
def test_qwen_image_trains_in_24_gigabytes_in_four_bits_and_with_swapped_blocks_in_8(card, monkeypatch, tmp_path):
    found = by_card(full_size("qwen_image", 1024, tmp_path), card, monkeypatch)
    assert [chosen["fits"] for chosen in found.values()] == [False, True, True, True, True]
    assert all(chosen[QUANTIZE] == "nf4" and chosen[KEPT] for chosen in found.values())
    assert found[8][SWAP] > found[12][SWAP] > found[16][SWAP] > 0
    assert SWAP not in found[24]


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
