"""A curve as inline SVG.

Lines are drawn in a box that stretches to the width of the page, while text and strokes keep their size, so a curve reads as well on a
phone as on a desk. Colours come from the page's style by class, so that they follow its dark and light.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from lorasmith.pages import numbers
from lorasmith.pages.content import Curve, Series
from lorasmith.pages.markup import Html, element, joined

MOST_BINS = 150  # of each, the lowest and the highest point are drawn
MOST_MARKS = 10
DASHES = ("", "6 4", "2 4", "10 4 2 4")

Point = tuple[float, float]


def curve_svg(curve: Curve) -> Html:
    """The picture of a curve; empty where it has no finite point."""
    drawn = [(series, finite(series.points)) for series in curve.series]
    points = [point for _, own in drawn for point in own]
    if not points:
        return Html("")
    box = _Box.around([x for x, _ in points], curve.limits or _limits(curve.series))
    parts = [_y_axis(box, curve), _x_axis(box, curve), _marks(box, curve.marks)]
    for (series, own), dash in zip(drawn, dashes(curve.series), strict=True):
        if own:
            parts.append(_line(box, own, series.faint, dash))
            parts += [_margin(box, point, margin) for point, margin in zip(series.points, series.margins, strict=False) if margin]
    return element(
        "svg", *parts, xmlns="http://www.w3.org/2000/svg", class_="curve", role="img", aria_label=curve.title, height=curve.height
    )


def dashes(series: Sequence[Series]) -> list[str]:
    """How each line is dashed: strong lines differ, faint ones are whole."""
    strong = 0
    patterns = []
    for each in series:
        patterns.append("" if each.faint else DASHES[strong % len(DASHES)])
        strong += not each.faint
    return patterns


# -- the mathematics --------------------------------------------------------------------------------------------------


def finite(points: Sequence[Point]) -> list[Point]:
    """The points whose value is a finite number."""
    return [(x, y) for x, y in points if math.isfinite(y)]


def thinned(points: Sequence[Point], bins: int = MOST_BINS) -> list[Point]:
    """At most two points of each of `bins` stretches, the lowest and the highest, and both ends: no peak is lost."""
    if len(points) <= 2 * bins:
        return list(points)
    keep = {0, len(points) - 1}
    edges = [k * len(points) // bins for k in range(bins + 1)]
    for first, behind in pairwise(edges):
        places = range(first, behind)
        keep |= {min(places, key=lambda k: points[k][1]), max(places, key=lambda k: points[k][1])}
    return [points[k] for k in sorted(keep)]


def ticks(low: float, high: float, most: int, whole: bool = False) -> list[float]:
    """At most `most` round numbers from `low` to `high`, evenly spaced; `whole` ones for steps."""
    rough = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    spacing = next(m * power for m in (1, 2, 5, 10, 20) if m * power >= rough * 0.999)
    if whole:
        spacing = max(1.0, spacing)
    first, last = math.ceil(low / spacing - 1e-9), math.floor(high / spacing + 1e-9)
    return [round(k * spacing, 12) for k in range(first, last + 1)]


def _limits(series: Sequence[Series]) -> tuple[float, float]:
    """From the lowest to the highest point with its margin, and a little room."""
    ends = [y for each in series for _, y in finite(each.points)]
    for each in series:
        ends += [
            y + sign * (m or 0.0) for (_, y), m in zip(each.points, each.margins, strict=False) if math.isfinite(y) for sign in (-1, 1)
        ]
    room = 0.06 * (max(ends) - min(ends)) or 0.1 * abs(max(ends)) or 0.001
    return min(ends) - room, max(ends) + room


# -- the drawing ------------------------------------------------------------------------------------------------------


class _Box:
    """The box that lines are drawn in; places are shares of it, in percent."""

    def __init__(self, first: float, last: float, low: float, high: float):
        self.first, self.last = (first, last) if first < last else (first - 1, last + 1)
        self.low, self.high = low, high

    @classmethod
    def around(cls, xs: Sequence[float], limits: tuple[float, float]) -> _Box:
        return cls(min(xs), max(xs), *limits)

    def x(self, value: float) -> float:
        return 100 * (value - self.first) / (self.last - self.first)

    def y(self, value: float) -> float:
        return 100 * (self.high - min(max(value, self.low), self.high)) / (self.high - self.low)


def _y_axis(box: _Box, curve: Curve) -> Html:
    parts = []
    for value in ticks(box.low, box.high, 6 if curve.height >= 160 else 4):
        place = f"{box.y(value):.2f}%"
        label = numbers.learning_rate(value) if 0 < value < 0.001 else f"{value:g}"
        parts.append(element("line", class_="grid", x1="0", x2="100%", y1=place, y2=place))
        parts.append(element("text", label, x="-8", y=place, dy="4", text_anchor="end"))
    if curve.y_label:
        parts.append(element("text", curve.y_label, x="-50", y="-9"))
    return joined(*parts)


def _x_axis(box: _Box, curve: Curve) -> Html:
    parts = []
    for value in ticks(box.first, box.last, 6, whole=True):
        place = f"{box.x(value):.2f}%"
        parts.append(element("line", class_="axis", x1=place, x2=place, y1="100%", y2="100%", transform="translate(0 5)"))
        parts.append(element("text", f"{int(value):,}", x=place, y="100%", dy="19", text_anchor="middle"))
    parts.append(element("line", class_="axis", x1="0", x2="100%", y1="100%", y2="100%"))
    parts.append(element("text", curve.x_label, x="100%", y="100%", dy="36", text_anchor="end"))
    return joined(*parts)


def _marks(box: _Box, marks: Sequence[tuple[float, str]]) -> Html:
    """A dotted line with a label at each mark, or at each second, third ... where there are many."""
    stride = math.ceil(len(marks) / MOST_MARKS) or 1
    parts = []
    for index, (value, label) in enumerate(marks[stride - 1 :: stride]):
        place = f"{box.x(value):.2f}%"
        parts.append(element("line", class_="mark", x1=place, x2=place, y1="0", y2="100%"))
        # The first label reaches to the left, so that it does not cover the next one where marks are close.
        anchor, shift = ("end", "4") if index == 0 else ("middle", "0")
        parts.append(element("text", label if index == 0 else label.rpartition(" ")[2], x=place, y="-9", text_anchor=anchor, dx=shift))
    return joined(*parts)


def _line(box: _Box, points: Sequence[Point], faint: bool, dash: str) -> Html:
    """A line through the points, or a dot where there is one alone."""
    kind = "line faint" if faint else "line"
    if len(points) == 1:
        [(x, y)] = points
        return element("circle", class_=kind, cx=f"{box.x(x):.2f}%", cy=f"{box.y(y):.2f}%", r="4")
    places = " ".join(f"{10 * box.x(x):.1f},{10 * box.y(y):.1f}" for x, y in thinned(points))
    line = element("polyline", class_=kind, points=places, stroke_dasharray=dash, vector_effect="non-scaling-stroke")
    return element("svg", line, width="100%", height="100%", viewBox="0 0 1000 1000", preserveAspectRatio="none", overflow="visible")


def _margin(box: _Box, point: Point, margin: float) -> Html:
    """An upright stroke from below to above a value."""
    (x, y) = point
    place, top, bottom = f"{box.x(x):.2f}%", f"{box.y(y + margin):.2f}%", f"{box.y(y - margin):.2f}%"
    return element("line", class_="margin", x1=place, x2=place, y1=top, y2=bottom)
