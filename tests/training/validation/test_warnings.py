"""Memorising and getting worse are two sentences, each said once, and neither names a checkpoint to use."""

import pytest

from lorasmith.training.validation.bands import BANDS, band_at
from lorasmith.training.validation.rounds import Round, Sides, compare
from lorasmith.training.validation.warnings import begins


def round_of(epoch, held_out, trained, band="composition"):
    """Three pictures on each side, which differ little in how they changed from 1."""
    spread = (0.98, 1.0, 1.02)
    sides = Sides({f"h{k}": held_out * x for k, x in enumerate(spread)}, {f"t{k}": trained * x for k, x in enumerate(spread)})
    return Round(sides.held_out, sides.trained, epoch, {band: sides})


def warned(*rounds):
    """What is said after each round, the base's first."""
    events, said = [], []
    for number, one in enumerate(rounds):
        event = compare(10 * one.epoch, one, rounds[:number])
        said.append(list(begins(events[-1] if events else None, event)))
        events.append(event)
    return said


BASE = round_of(0, 1.0, 1.0)


def test_weights_that_hold_the_pictures_are_told_once_and_that_this_alone_is_no_fault():
    base, first, second = warned(BASE, round_of(1, 0.9, 0.4), round_of(2, 0.88, 0.3))
    assert base == second == []
    (finding,) = first
    assert finding.code == "validation.memorises"
    assert finding.message.startswith("After epoch 1 the weights hold the training images: their loss is 44% of what it would be")
    assert "no fault" in finding.why


def test_getting_worse_is_told_without_a_word_of_memorising():
    *_, last = warned(BASE, round_of(1, 0.8, 0.8), round_of(2, 0.95, 0.95))
    (finding,) = last
    assert finding.code == "validation.gets_worse"
    assert finding.message.startswith("Since epoch 1 the loss on pictures that the LoRA has not seen rises")
    assert "memoris" not in str(finding)
    assert "epoch 1" not in finding.fix.words


def test_both_can_be_so_at_once_and_are_two_findings():
    *_, last = warned(BASE, round_of(1, 0.8, 0.8), round_of(2, 0.95, 0.3))
    assert [finding.code for finding in last] == ["validation.memorises", "validation.gets_worse"]


def test_a_lora_worse_than_the_base_says_so():
    _, (finding,) = warned(BASE, round_of(1, 1.3, 1.2))
    assert "worse than the base alone on pictures that it has not seen" in finding.message
    assert finding.fix.words == "Lower the learning rate."


def test_a_rise_where_there_is_little_noise_alone_is_not_told():
    def both(epoch, texture, composition):
        rounds = {"texture": round_of(epoch, texture, texture), "composition": round_of(epoch, composition, composition)}
        bands = {name: one.bands["composition"] for name, one in rounds.items()}
        return Round(rounds["texture"].held_out, rounds["texture"].trained, epoch, bands)

    assert warned(both(0, 1.0, 1.0), both(1, 1.5, 0.8), both(2, 2.0, 0.7)) == [[], [], []]


def test_rounds_of_a_run_before_bands_were_told_apart_still_compare():
    old, now = Round({"h0": 1.0}, {"t0": 1.0}, 0), round_of(1, 0.9, 0.4)
    now = Round({"h0": 0.9}, {"t0": 0.4}, 1, now.bands)
    event = compare(10, now, [old])
    assert event.val_loss_delta == pytest.approx(-0.1)
    assert event.bands == {}


@pytest.mark.parametrize(("name", "band"), BANDS.items())
def test_a_bands_own_noise_belongs_to_it(name, band):
    assert {band_at(sigma) for sigma in band.sigmas} == {name}
    assert band_at(0.0) == "texture"
    assert band_at(1e9) == "composition"
