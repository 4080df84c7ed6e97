"""What fits which card: the table of docs/guide/memory.md is in step with the forecast, and the forecast with arithmetic by hand."""

import pytest
import torch

from lorasmith.models.families import FAMILIES
from lorasmith.training.forecast import memory_fit
from lorasmith.training.forecast.memory import weight_bytes
from lorasmith.training.forecast.memory_fit import fit_to
from lorasmith.training.forecast.report import as_text, make_report
from lorasmith.training.planning.check import check
from lorasmith.training.settings.tree import settings_from
from tests.models.toys import toy_folder
from tests.training.forecast import memory_by_card
from tests.training.forecast.memory_by_card import GB, PAGE, card, described, full_size, sizes
from tests.training.forecast.test_estimate import SLOW_MACHINE, step_of

SIDES = dict.fromkeys(("resolution", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps"), 64)


def test_the_page_has_a_row_for_every_size_that_a_family_is_published_in():
    table = PAGE.read_text("utf-8").split(memory_by_card.HEAD, 1)[1].split("\n\n", 1)[0]
    assert [line.split("|")[1].strip() for line in table.splitlines()] == [title for title, _, _ in sizes()]


@pytest.mark.slow
@pytest.mark.parametrize(("title", "family", "variant"), sizes(), ids=[title for title, _, _ in sizes()])
def test_the_page_says_what_fits_each_card(title, family, variant):
    assert memory_by_card.row(title, family, variant) in PAGE.read_text("utf-8"), "python -m tests.training.forecast.memory_by_card"


@pytest.mark.slow
@pytest.mark.parametrize(("title", "family", "variant"), sizes(), ids=[title for title, _, _ in sizes()])
def test_the_page_says_what_weights_take(title, family, variant):
    assert memory_by_card.weights_row(title, family, variant) in PAGE.read_text("utf-8"), "python -m tests.training.forecast.memory_by_card"


@pytest.mark.slow
@pytest.mark.parametrize(("title", "family", "variant"), sizes(), ids=[title for title, _, _ in sizes()])
def test_what_a_record_says_is_kept_for_a_picture_is(title, family, variant):
    description = described(family, variant)
    defaults = description.form.defaults
    settings = settings_from({
        "base": {"path": "base"}, "datasets": [{"path": "."}], "network": {"rank": 16, "train_text_encoder": False},
        "training": {"epochs": 1},
    })  # fmt: skip
    kept = step_of(settings, description, defaults.resolution, 1, torch.bfloat16).kept
    assert defaults.memory_per_image == (f"{kept / 1e9:.0f} GB" if kept > 3 * GB else None)


# By hand: family, variant, parameters of the denoiser, bytes of a parameter as it is kept, blocks, tokens of a picture of 1024 pixels and of
# an empty caption, width, trained parameters for each rank (the last two of families' own papers and configs).
BY_HAND = [
    ("zimage", "base", 6_154_908_736, 2.0, 34, 4096 + 32, 3840, 2_188_800),
    ("klein", "9B", 9_078_581_248, 1.04, 32, 4096 + 512, 4096, 2_588_672),
    ("qwen_image", "", 20_430_401_088, 0.539, 60, 4096 + 5, 3072, 9_216_000),
]


@pytest.mark.slow
@pytest.mark.parametrize(("family", "variant", "parameters", "each", "blocks", "tokens", "width", "of_rank"), BY_HAND)
def test_the_forecast_is_what_one_computes_by_hand(family, variant, parameters, each, blocks, tokens, width, of_rank, tmp_path):
    quantize = {2.0: "none", 1.04: "int8", 0.539: "nf4"}[each]
    checked = full_size(
        family, variant, tmp_path, base={"path": str(toy_folder(family)), "quantize": quantize}, captions={"cached_variants": 1},
        training={"epochs": 1, "mixed_precision": "bf16", "gradient_checkpointing": True, "offload_while_caching": True},
    )  # fmt: skip
    with card() as device:
        rehearsal = memory_fit.rehearsal_of(checked.settings, checked.description, checked.training_set)
        training = memory_fit.memory_of(checked, rehearsal, device).phases["training"]
    assert len(rehearsal.parts["transformer"].blocks) == blocks
    assert training["base"] == pytest.approx(parameters * each, rel=0.03)
    trained = 16 * of_rank
    assert training["network"] == pytest.approx(4 * trained, rel=0.01)
    assert training["optimizer"] == pytest.approx(8 * trained, rel=0.01), "two moments"
    # A block's input is kept, in bf16; beside it what is computed again of one block, the trained weights' gradients and the two ends.
    assert blocks * tokens * width * 2 < rehearsal.step.kept < 1.6 * blocks * tokens * width * 2
    assert training["activations"] > rehearsal.step.kept + 4 * trained


# ---- on toys


@pytest.mark.parametrize("family", FAMILIES)
def test_a_plan_tells_time_memory_and_what_to_switch_on_for_every_family(family, settings_for):
    settings = settings_for(
        base={"path": str(toy_folder(family))}, buckets=SIDES, network={"train_text_encoder": False},
        training={"mixed_precision": "bf16", "gradient_checkpointing": True},
    )  # fmt: skip
    said = as_text(make_report(settings, SLOW_MACHINE))
    assert all(words in said for words in ("memory  about", "time    about", "trained parameters"))
    checked = check(settings)
    rehearsal = memory_fit.rehearsal_of(settings, checked.description, checked.training_set)
    parts, denoiser = rehearsal.parts, checked.description.denoiser
    with card() as device:
        fitted = fit_to(checked, device, 1)  # a byte
        phases = memory_fit.memory_of(fitted, rehearsal, device).phases
    chosen, blocks = fitted.settings, len(parts[denoiser].blocks)
    assert (chosen.base.quantize, chosen.captions.cached_variants > 0, chosen.training.offload_while_caching) == ("nf4", True, True)
    assert chosen.training.blocks_to_swap == blocks > 1, "all of all kinds"
    assert "A card of 4 GB is the smallest that has room for it." in fitted.of_settings[-1].message
    of_denoiser = weight_bytes(parts[denoiser], "nf4", blocks).on_device
    assert phases["training"]["base"] == of_denoiser, "encoders and autoencoder are freed"
    large = [name for name in parts if checked.description.parts[name].config.class_name.startswith(("Qwen", "T5"))]
    assert all(parts[name].whole["nf4"] < parts[name].whole["none"] for name in large)


@pytest.mark.slow
def test_a_smaller_variant_that_fits_is_named(tmp_path):
    """klein 9B takes 7.2 GB whatever is switched on, 4B fits 6."""
    checked = full_size("klein", "9B", tmp_path)
    with card() as device:
        finding = fit_to(checked, device, 6 * GB).of_settings[-1]
    assert "A card of 8 GB is the smallest that has room for it. FLUX.2 klein 4B fits this one." in finding.message
