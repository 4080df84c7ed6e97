"""Which training images come back by heart, from the nearness of each caption's picture to its own image."""

from __future__ import annotations

from lorasmith.evaluation.copies import copies_in_words, copies_of
from lorasmith.evaluation.measures.measured import CheckpointMeasures, Measure
from lorasmith.evaluation.prompts import Prompt, PromptSet
from lorasmith.evaluation.verdict.checkpoint import CheckpointVerdict
from lorasmith.evaluation.verdict.picking import Score

TRAINED = [Prompt("trained", f"trained {k}", k, f"{k:02}.png 0a1b2c3d") for k in range(6)]
HELD_OUT = [Prompt("held_out", f"held out {k}", 10 + k, f"new {k}.png 4e5f") for k in range(4)]


def copies(trained: list[float], held_out: list[float], gap: float = 1.0):
    near = dict(zip((p.name for p in TRAINED), trained, strict=False))
    others = dict(zip((p.name for p in HELD_OUT), held_out, strict=False))
    measure = Measure.difference(near, others) if others else Measure.of(near)
    measures = {"replay": measure, "gap_shape": Measure(gap, 0.1, {})} if others else {"replay": measure}
    checkpoint = CheckpointVerdict.of("epoch 1", CheckpointMeasures("a", 1, 1, 1.0, measures), Score(0.5, 0.1))
    return copies_of(checkpoint, PromptSet((*TRAINED, *HELD_OUT), "zorvex", "tags"))


def test_the_images_that_come_back_are_counted_and_named_the_nearest_first():
    found = copies([0.1, 2.0, 0.2, 1.5, 0.0, 0.1], [0.1, 0.3, 0.0, 0.2])

    assert copies_in_words(found) == "It holds 2 of the 6 training images that were tried by heart: 01.png, 03.png."
    assert [round(copy.nearer, 6) for copy in found[:2]] == [1.85, 1.35]  # less 0.15, the mean of held-out captions


def test_one_that_is_no_nearer_than_a_held_out_caption_is_to_its_own_image_is_not_by_heart():
    found = copies([0.9, 0.2, 0.2, 0.2, 0.2, 0.2], [1.0, 0.0, 0.0, 0.0])

    assert copies_in_words(found) == "It holds none of the 6 training images that were tried by heart."


def test_nothing_is_by_heart_where_training_images_gained_no_more_than_held_out_ones():
    found = copies([0.1, 2.0, 0.2, 1.5, 0.0, 0.1], [0.1, 0.3, 0.0, 0.2], gap=0.1)

    assert not any(copy.by_heart for copy in found)


def test_without_a_hold_out_each_is_compared_by_itself():
    """Against the base, which knows no subject, also good LoRAs gain much: it takes more than that."""
    found = copies([0.9, 0.7, 0.3, 0.1, 0.1, 0.1], [])

    assert [copy.image for copy in found if copy.by_heart] == ["00.png"]
