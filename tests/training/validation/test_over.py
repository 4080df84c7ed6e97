"""A run is over where several validations in a row say so, and on no number alone."""

import pytest

from lorasmith.training.validation.over import over
from lorasmith.training.validation.rounds import Round, Sides


def sides(held_out, trained, spread=0.02):
    """Three pictures on each side, which differ little in how they changed from 1."""
    around = (1 - spread, 1.0, 1 + spread)
    return Sides({f"h{k}": held_out * x for k, x in enumerate(around)}, {f"t{k}": trained * x for k, x in enumerate(around)})


def rounds_of(*losses, bands=("shape", "composition"), spread=0.0):
    """Rounds of (held out, trained) losses, the base's first; `spread` makes the later ones unlike each other by picture."""
    found = []
    for epoch, (held_out, trained) in enumerate(losses):
        one = sides(held_out, trained, 0.02 + spread * epoch)
        found.append(Round(one.held_out, one.trained, epoch, dict.fromkeys(bands, one)))
    return found


WORSE = [(1.0, 1.0), (0.8, 0.8), (0.9, 0.6), (1.0, 0.4)]


def test_two_validations_in_a_row_that_say_both_end_the_run_and_say_why():
    assert str(over(rounds_of(*WORSE), 2)) == (
        "After epochs 2 and 3 the LoRA learns its training images alone: pictures that it has not seen are "
        "0.22 ± 0.00 nats worse, and the training images 0.69 ± 0.00 nats better, than after epoch 1 in the noise that decides shapes; "
        "0.22 ± 0.00 nats worse, and the training images 0.69 ± 0.00 nats better, than after epoch 1 in the noise that decides composition."
    )


@pytest.mark.parametrize(
    ("losses", "why_not"),
    [
        (WORSE[:3], "one validation alone"),
        ([*WORSE[:2], (0.75, 0.6), (1.0, 0.4)], "one in a row, the one before was the best"),
        ([*WORSE[:3], (1.0, 0.8)], "training images are as they were when held-out ones were best"),
        ([*WORSE[:3], (1.0, 0.9)], "training images got worse too"),
        ([(1.0, 1.0), (0.9, 0.8), (0.8, 0.6), (0.7, 0.4)], "held-out pictures gain"),
        ([(1.0, 1.0)], "the base alone"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_less_than_that_ends_nothing(losses, why_not):
    assert over(rounds_of(*losses), 2) is None


def test_three_are_waited_for_where_three_are_set():
    assert over(rounds_of(*WORSE), 3) is None
    assert over(rounds_of(*WORSE, (1.1, 0.3)), 3).epochs == (2, 3, 4)


def test_what_is_within_the_margin_ends_nothing():
    assert over(rounds_of(*WORSE, spread=0.15), 2) is None


def test_both_shapes_and_composition_must_say_so():
    calm = rounds_of((1.0, 1.0), (0.8, 0.8), (0.7, 0.6), (0.6, 0.4), bands=("shape",))
    mixed = [
        Round(one.held_out, one.trained, one.epoch, {**one.bands, **other.bands})
        for one, other in zip(rounds_of(*WORSE, bands=("composition",)), calm, strict=True)
    ]
    assert over(mixed, 2) is None


def test_a_rise_of_texture_and_details_ends_nothing():
    assert over(rounds_of(*WORSE, bands=("texture", "detail")), 2) is None


def test_a_lora_that_is_worse_than_the_base_from_the_start_is_over_too():
    assert "than with the base alone" in str(over(rounds_of((1.0, 1.0), (1.2, 0.8), (1.4, 0.6)), 2))


def test_a_single_held_out_picture_ends_nothing():
    rounds = [Round({"h": h}, {"t": t}, epoch, {"composition": Sides({"h": h}, {"t": t})}) for epoch, (h, t) in enumerate(WORSE)]
    assert over(rounds, 2) is None
