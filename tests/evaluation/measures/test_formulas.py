"""Each measure on pictures and numbers whose answer is known beforehand."""

import math

import numpy as np
import pytest
from PIL import Image

from lorasmith.evaluation.measures import keeps as ruler
from lorasmith.evaluation.measures.leaks import leaks
from lorasmith.evaluation.measures.looks import looks
from lorasmith.evaluation.measures.losses import loss_measures
from lorasmith.evaluation.measures.measured import Measure
from lorasmith.evaluation.measures.moved import moved
from lorasmith.evaluation.measures.near import log_nearest, near
from lorasmith.evaluation.measures.probe import fit_probe
from lorasmith.evaluation.measures.replay import nearness, replay
from lorasmith.evaluation.measures.spaces import distances, layout, scaled
from lorasmith.evaluation.measures.stuck import stuck
from lorasmith.evaluation.measures.subject import subject, subject_scores, subject_share

RNG = np.random.default_rng(3)
SIDE = np.eye(20)[0]
"""The direction in which the subject differs from the base."""


def cloud(count, way=0.0):
    """Pictures in 20 dimensions, `way` of the way from the base's (0) to real ones (1)."""
    return 0.1 * RNG.normal(size=(count, 20)) + way * SIDE


def views(points):
    return {"features": points, "latents": 2 * points, "layout": points + 1}


def names(count):
    return [f"prompt {k}" for k in range(count)]


def probes_of(training, base, held_out):
    of_held_out = dict.fromkeys(views(base)) if held_out is None else views(held_out)
    return {name: fit_probe(views(training)[name], views(base)[name], views(base)[name], of_held_out[name]) for name in views(base)}


@pytest.fixture(scope="module")
def probes():
    return probes_of(cloud(20, 1.0), cloud(30), cloud(12, 1.0))


# -- measures as numbers ------------------------------------------------------------------------------------------------


def test_a_ratio_is_that_of_the_means_and_its_items_have_it_as_their_mean():
    measure = Measure.ratio({"a": 1.0, "b": 3.0}, {"a": 2.0, "b": 2.0})
    assert measure.value == pytest.approx(1.0)
    assert measure.items == pytest.approx({"a": 0.5, "b": 1.5})


def test_a_difference_has_the_error_of_both_groups():
    a, b = {f"a{k}": float(x) for k, x in enumerate(RNG.normal(size=50))}, {f"b{k}": float(x) for k, x in enumerate(RNG.normal(size=80))}
    measure = Measure.difference(a, b)
    welch = math.sqrt(np.var(list(a.values()), ddof=1) / 50 + np.var(list(b.values()), ddof=1) / 80)
    assert measure.value == pytest.approx(np.mean(list(a.values())) - np.mean(list(b.values())))
    assert np.mean(list(measure.items.values())) == pytest.approx(measure.value)
    assert measure.error == pytest.approx(welch * math.sqrt(130 / 129))


def test_a_difference_from_a_single_item_has_no_error():
    assert Measure.difference({"a": 1.0}, {"b": 0.0, "c": 0.5}) == Measure(
        0.75, None, Measure.difference({"a": 1.0}, {"b": 0.0, "c": 0.5}).items
    )


def test_what_is_cut_off_is_the_value_and_its_items_move_along():
    cut = Measure.of({"a": 1.0, "b": 1.4}).at_most(1.0)
    assert cut.value == 1.0
    assert cut.items == pytest.approx({"a": 0.8, "b": 1.2})


# -- the subject --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [0.0, 0.5, 1.0])
def test_pictures_part_of_the_way_to_real_ones_score_that_part(probes, way):
    measure = subject(names(60), subject_scores(views(cloud(60, way)), probes))
    assert measure.value == pytest.approx(way, abs=0.15)


def test_the_share_counts_pictures_past_half_way(probes):
    points = np.concatenate([cloud(6, 1.0), cloud(2, 0.1)])
    assert subject_share(names(8), subject_scores(views(points), probes)).value == 0.75


def test_the_least_convinced_space_counts(probes):
    seen = {**views(cloud(10, 5.0)), "layout": views(cloud(10))["layout"]}
    assert subject(names(10), subject_scores(seen, probes)).value < 0.2


def test_without_held_out_pictures_the_training_pictures_stand_in_each_scored_by_the_others():
    training, base = cloud(12, 1.0), cloud(30)
    assert subject(names(40), subject_scores(views(cloud(40, 1.0)), probes_of(training, base, None))).value > 0.8
    left_out, known = fit_probe(training, base, base, None), fit_probe(training, base, base, training)
    assert left_out.real < known.real


def test_leaving_one_out_in_one_step_is_the_same_as_fitting_without_it():
    training, base = cloud(6, 1.0), cloud(9)
    points = np.concatenate([training, base]) - (training.mean(0) + base.mean(0)) / 2
    sides = np.repeat([1.0, -1.0], [6, 9])
    matrix = points @ points.T + 0.1 * np.trace(points @ points.T) / 15 * np.diag(np.repeat([2 * 6 / 15, 2 * 9 / 15], [6, 9]))
    by_hand = []
    for k in range(6):
        kept = [i for i in range(15) if i != k]
        dual = np.linalg.solve(matrix[np.ix_(kept, kept)], sides[kept])
        by_hand.append(points[k] @ points[kept].T @ dual)
    assert fit_probe(training, base, base, None).real == pytest.approx(np.mean(by_hand))


def test_where_held_out_pictures_are_on_the_base_side_there_is_no_probe():
    assert fit_probe(cloud(10, 1.0), cloud(10), cloud(10), cloud(10, -1.0)) is None


# -- other prompts ------------------------------------------------------------------------------------------------------


def test_a_leak_is_how_far_other_pictures_move_towards_the_subject(probes):
    base = cloud(12)
    assert leaks(names(12), views(base), views(base), probes).value == pytest.approx(0.0, abs=1e-9)
    assert leaks(names(12), views(base + SIDE / 2), views(base), probes).value == pytest.approx(0.5, abs=0.1)


def test_pictures_that_change_as_much_as_another_prompt_would_have_moved_by_one():
    base = cloud(40)
    assert moved(names(40), base, base).value == 0
    assert moved(names(40), cloud(40), base).value == pytest.approx(1.0, abs=0.15)


def test_a_picture_that_its_own_words_fit_has_a_margin_and_keeps_is_that_against_the_base():
    own, others = np.array([0.5, 0.8]), np.array([[1.0, 1.0], [1.0, 1.0]])
    assert ruler.margin(own, others) == pytest.approx((0.5 + 0.2) / 2)
    measure = ruler.keeps(["a", "b"], {"a": 0.1, "b": 0.2}, {"a": 0.3, "b": 0.3})
    assert measure.value == pytest.approx(0.5)
    assert ruler.keeps(["a"], {"a": 0.4}, {"a": 0.3}).value == 1.0
    assert ruler.keeps(["a"], {"a": 0.4}, {"a": -0.3}) is None


@pytest.mark.parametrize("count", [2, 3, 5, 12])
def test_a_prompt_is_compared_with_different_other_prompts(count):
    for index in range(count):
        compared = ruler.other_prompts(index, count)
        assert len(set(compared)) == len(compared) == min(3, count - 1)
        assert index not in compared


# -- copies -------------------------------------------------------------------------------------------------------------


def test_training_pictures_that_come_back_more_nearly_than_held_out_ones_are_replayed():
    real, unseen = cloud(8, 1.0), cloud(8, 1.0)
    both = np.concatenate([real, unseen])
    by_heart = nearness(views(real + 0.01 * RNG.normal(size=real.shape)), views(real), views(both))
    as_new = nearness(views(cloud(8, 1.0)), views(unseen), views(both))
    held_out = {f"h{k}": x for k, x in enumerate(as_new)}
    assert replay({f"t{k}": x for k, x in enumerate(by_heart)}, held_out).value > 1
    fresh = nearness(views(cloud(8, 1.0)), views(real), views(both))
    assert abs(replay({f"t{k}": x for k, x in enumerate(fresh)}, held_out).value) < 0.2


def test_copies_are_nearer_to_training_pictures_than_new_real_ones_and_what_is_not_there_yet_is_farther():
    training, held_out = cloud(20, 1.0), cloud(20, 1.0)
    real = log_nearest(views(held_out), views(training))
    assert near(names(20), log_nearest(views(training + 0.01), views(training)), real).value < -1
    assert near(names(20), log_nearest(views(cloud(20)), views(training)), real).value > 0.3
    left_out = log_nearest(views(training), views(training), leave_self_out=True)
    assert left_out.mean() == pytest.approx(real.mean(), abs=0.2)


def test_seeds_that_all_give_one_picture_are_stuck_and_the_items_have_the_value_as_their_mean():
    base = cloud(8)
    assert stuck(names(8), views(base), views(base)).value == pytest.approx(0.0)
    measure = stuck(names(8), views(base / 4), views(base))
    assert measure.value == pytest.approx(math.log(1 / 4), abs=1e-6)
    assert np.mean(list(measure.items.values())) == pytest.approx(measure.value)


def test_losses_are_told_apart_by_band_and_the_gap_is_what_training_pictures_gained_beyond():
    base = {"texture": {"a": (1.0, 2.0), "b": (4.0, 1.0)}}
    held_base = {"texture": {"c": (1.0, 1.0), "d": (3.0, 3.0)}}
    halved = {"texture": {name: tuple(x / 2 for x in errors) for name, errors in base["texture"].items()}}
    found = loss_measures(halved, base, held_base, held_base)
    assert found["trained_loss_texture"].value == pytest.approx(-math.log(2))
    assert found["held_out_loss_texture"].value == 0
    assert found["gap_texture"].value == pytest.approx(math.log(2))
    assert loss_measures(halved, base, {"texture": {}}, {"texture": {}}).keys() == {"trained_loss_texture"}


# -- spaces and looks ---------------------------------------------------------------------------------------------------


def test_a_layout_is_where_which_colour_is():
    red, half = Image.new("RGB", (64, 64), (255, 0, 0)), Image.new("RGB", (64, 64), (255, 0, 0))
    half.paste((0, 0, 255), (0, 0, 32, 64))
    points = layout([red, half])
    assert points.shape == (2, 192)
    assert distances(points, points)[0, 1] == pytest.approx(math.sqrt(32 * 2 / 192))


def test_features_that_never_vary_count_for_nothing():
    reference = np.array([[1.0, 0.0], [1.0, 2.0]])
    assert scaled(np.array([[5.0, 1.0], [9.0, 3.0]]), reference) == pytest.approx(np.array([[0, 0], [0, 2]]) / math.sqrt(2))


def test_what_a_picture_looks_like_is_said_against_the_base():
    grey, red = Image.new("RGB", (16, 16), (128, 128, 128)), Image.new("RGB", (16, 16), (255, 0, 0))
    found = {name: measure.value for name, measure in looks(["a", "b"], [red, red], [grey, grey]).items()}
    assert found == pytest.approx({"saturation": 1.0, "contrast": 0.0, "sharpness": 0.0, "clipping": 1.0})
