"""A curve as its reader sees it."""

import math
import random
from xml.etree import ElementTree

import pytest

from lorasmith.pages.content import Curve, Series
from lorasmith.pages.curve import curve_svg, thinned, ticks

SVG = "{http://www.w3.org/2000/svg}"


def svg_of(curve):
    return ElementTree.fromstring(curve_svg(curve))


def lines_of(svg):
    return [[tuple(map(float, pair.split(","))) for pair in line.get("points").split()] for line in svg.iter(f"{SVG}polyline")]


def texts_of(svg):
    return [text.text for text in svg.iter(f"{SVG}text")]


def of(*points, **fields):
    return Curve("Loss", (Series("each step", points),), **fields)


def test_a_falling_value_goes_down_from_edge_to_edge():
    [line] = lines_of(svg_of(of((1, 4.0), (2, 2.0), (3, 1.0))))
    assert (line[0][0], line[-1][0]) == (0, 1000)
    assert line[0][1] < line[1][1] < line[2][1]


def test_axes_and_marks_are_labelled():
    marks = ((10, "epoch 1"), (20, "epoch 2"), (30, "epoch 3"))
    svg = svg_of(of(*((k, 1 / k) for k in range(1, 31)), y_label="loss", marks=marks))
    assert {"loss", "steps", "epoch 1", "2", "3", "30"} <= set(texts_of(svg))
    assert svg.get("aria-label") == "Loss"


def test_of_many_marks_ten_are_shown():
    marks = tuple((k, f"epoch {k}") for k in range(1, 101))
    svg = svg_of(of(*((k, 1.0) for k in range(1, 101)), marks=marks))
    assert sum(line.get("class") == "mark" for line in svg.iter(f"{SVG}line")) == 10


def test_one_point_is_a_dot():
    svg = svg_of(of((1, 0.25)))
    assert lines_of(svg) == []
    assert len(list(svg.iter(f"{SVG}circle"))) == 1


@pytest.mark.parametrize("value", [0.0, 0.5, 1e-12, 1e9, -3.0])
def test_equal_values_are_a_level_line(value):
    [line] = lines_of(svg_of(of(*((k, value) for k in range(50)))))
    assert len({y for _, y in line}) == 1
    assert 100 < line[0][1] < 900


def test_values_that_are_not_finite_are_left_out():
    [line] = lines_of(svg_of(of((1, 0.5), (2, math.nan), (3, math.inf), (4, 0.25))))
    assert len(line) == 2
    assert curve_svg(of((1, math.nan))) == ""
    assert curve_svg(Curve("Loss", ())) == ""


def test_values_outside_the_limits_are_drawn_at_the_edge():
    [line] = lines_of(svg_of(of((1, 0.5), (2, 9.0), limits=(0.0, 1.0))))
    assert line[1][1] == 0


def test_margins_are_strokes_inside_the_picture():
    svg = svg_of(Curve("Change", (Series("held out", ((0, 0.0), (1, -1.0), (2, -2.0)), margins=(None, 0.5, 0.5)),)))
    strokes = [line for line in svg.iter(f"{SVG}line") if line.get("class") == "margin"]
    assert len(strokes) == 2
    assert all(0 < float(line.get(end).rstrip("%")) < 100 for line in strokes for end in ("y1", "y2"))


def test_lines_of_one_curve_can_be_told_apart():
    faint, first, second = (Series(str(k), ((1, k), (2, k)), faint=k == 0) for k in range(3))
    lines = list(svg_of(Curve("Rates", (faint, first, second))).iter(f"{SVG}polyline"))
    assert [line.get("class") for line in lines] == ["line faint", "line", "line"]
    assert [bool(line.get("stroke-dasharray")) for line in lines] == [False, False, True]


def test_thousands_of_points_become_a_few_hundred_and_keep_their_peaks():
    rng = random.Random(0)
    points = [(k, rng.random() * 0.1) for k in range(20_000)]
    points[12_345] = (12_345, 9.0)
    [line] = lines_of(svg_of(of(*points, limits=(0.0, 9.0))))
    assert 200 <= len(line) <= 302
    assert min(y for _, y in line) == 0


def test_thinning_keeps_both_ends_and_the_extremes():
    points = [(k, math.sin(k / 7)) for k in range(1000)]
    points[333], points[666] = (333, 5.0), (666, -5.0)
    kept = thinned(points, 20)
    assert len(kept) <= 42
    assert {0, 333, 666, 999} <= {x for x, _ in kept}


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.0031, 0.0032), (-5, 5000), (1, 2), (0.9, 1.1), (0, 1e-9)])
def test_ticks_are_few_and_round_and_inside(low, high):
    marks = ticks(low, high, 5)
    assert 1 <= len(marks) <= 5
    assert all(low - 1e-9 <= mark <= high + 1e-9 for mark in marks)
