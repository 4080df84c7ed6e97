"""Curves of a run as inline SVG: the loss, and the learning rates.

Lines are drawn in a box that stretches to the width of the page, while texts and strokes keep their size, so a curve reads
as well on a phone as on a desk. Colours are CSS variables with a fallback, so a page may bring its own, and a dark mode.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

Point = tuple[int, float]
Measure = tuple[int, float, float | None]
"""Step, value, and half of its 95 % interval where that is known."""

MOST_BINS = 150  # of each, the lowest and the highest point are drawn
MOST_EPOCH_MARKS = 10
STRONG = "var(--curve, #4f46e5)"
FAINT = "var(--curve-faint, #b9b5f2)"


def loss_curve(losses: Sequence[Point], epoch_ends: Sequence[tuple[int, int]] = ()) -> str:
    """An SVG of the loss over the steps: every step as a faint line, the smoothed loss as a strong one.

    `losses` are (step, loss) in rising order of steps, `epoch_ends` (epoch, its last step). Losses that are no finite number
    are left out, and the description counts them.
    """
    steps, values = _finite(losses)
    if not len(steps):
        return ""
    smooth = smoothed(values, smoothing_window(len(values)))
    low, high = _loss_limits(values, smooth)
    frame = _Frame((int(steps[0]), int(steps[-1])), (low, high), height=240)
    parts = [frame.grid("loss"), frame.epoch_marks(epoch_ends)]
    if len(steps) == 1:
        parts.append(frame.dot(steps[0], values[0]))
    else:
        if smoothing_window(len(values)) > 1:
            parts.append(frame.line(steps, values, FAINT, 1))
        parts.append(frame.line(steps, smooth, STRONG, 2.5))
    return frame.svg("loss-curve", "Loss over the steps", describe_losses(losses), parts)


def learning_rate_curve(rates: Mapping[str, Sequence[Point]]) -> str:
    """A small SVG of the learning rates over the steps, one line for each name; names with the same rates share a line."""
    lines: dict[tuple[Point, ...], list[str]] = {}
    for name, points in rates.items():
        if points:
            lines.setdefault(tuple(points), []).append(name)
    if not lines:
        return ""
    steps = [step for points in lines for step, _ in points]
    highest = max(rate for points in lines for _, rate in points)
    frame = _Frame((min(steps), max(steps)), (0.0, highest * 1.05 or 1.0), height=110, most_ticks=4)
    parts, sentences = [frame.grid("")], []
    for index, (points, names) in enumerate(lines.items()):
        dash = "" if index == 0 else f"{4 + 2 * index} {3 + index}"
        xs, ys = np.array([p[0] for p in points]), np.array([p[1] for p in points])
        label = " and ".join(names)
        parts.append(frame.dot(xs[0], ys[0]) if len(points) == 1 else frame.line(xs, ys, STRONG, 2, dash))
        parts.append(frame.legend(index, label, dash))
        sentences.append(f"{label}: {spoken_rate(ys[0])} at first, {spoken_rate(ys.max())} at most, {spoken_rate(ys[-1])} at the end.")
    return frame.svg("rate-curve", "Learning rate over the steps", " ".join(sentences), parts)


def change_curve(held_out: Sequence[Measure], trained: Sequence[Measure]) -> str:
    """An SVG of how the loss changed against the base, on held-out and on trained pictures, with their margins as upright strokes."""
    both = [measure for measure in (*held_out, *trained) if math.isfinite(measure[1])]
    if not both:
        return ""
    ends = [0.0] + [value + sign * (margin or 0.0) for _, value, margin in both for sign in (-1, 1)]
    room = 0.06 * (max(ends) - min(ends)) or 0.001
    steps = [step for step, _, _ in both]
    frame = _Frame((min(0, *steps), max(steps)), (min(ends) - room, max(ends) + room), height=180)
    parts = [frame.grid("")]
    for index, (label, measures, colour, dash) in enumerate((("held out", held_out, STRONG, ""), ("trained", trained, FAINT, "6 4"))):
        drawn = [measure for measure in measures if math.isfinite(measure[1])]
        xs, ys = np.array([m[0] for m in drawn]), np.array([m[1] for m in drawn])
        parts.append(frame.dot(xs[0], ys[0]) if len(drawn) == 1 else frame.line(xs, ys, colour, 2.5, dash))
        parts += [frame.margin(step, value, margin, colour) for step, value, margin in drawn if margin]
        parts.append(frame.legend(index, label, dash, colour))
    return frame.svg(
        "change-curve", "Loss against the base, on held-out and on trained pictures", describe_changes(held_out, trained), parts
    )


def describe_changes(held_out: Sequence[Measure], trained: Sequence[Measure]) -> str:
    """What the curve of changes shows, in a sentence."""
    (_, now, margin), (_, known, known_margin) = held_out[-1], trained[-1]
    return (
        f"Against the base, the loss at the end is {_signed(now, margin)} on pictures that were held out and {_signed(known, known_margin)} on "
        "trained ones; below 0 is learnt, and what trained pictures gained beyond the others is memorised."
    )


def _signed(value: float, margin: float | None) -> str:
    return f"{value:+.4f}" + ("" if margin is None else f" ± {margin:.4f}")


def describe_losses(losses: Sequence[Point]) -> str:
    """What the loss curve shows, in a sentence or two."""
    steps, values = _finite(losses)
    if not len(steps):
        return "No step has a loss that is a number."
    window = smoothing_window(len(values))
    smooth = smoothed(values, window)
    low, high = _loss_limits(values, smooth)
    outside = int(((values < low) | (values > high)).sum())
    if len(steps) == 1:
        text = f"One step, with a loss of {values[0]:.4g}."
    elif window == 1:
        text = f"Loss of each step, from {values[0]:.4g} at first to {values[-1]:.4g} at the end."
    else:
        text = (
            f"Faint: the loss of each step. Strong: the mean over the {window} steps around each, "
            f"from {smooth[0]:.4g} at first to {smooth[-1]:.4g} at the end."
        )
    if outside:
        text += f" {outside} of {len(values):,} steps lie outside the picture and are drawn at its edge."
    if missing := len(losses) - len(values):
        text += f" {missing:,} {'step has' if missing == 1 else 'steps have'} a loss that is no finite number."
    return text


def spoken_rate(rate: float) -> str:
    """A learning rate as people write it: 0.0001 is 1e-4."""
    if rate == 0 or rate >= 0.01:
        return f"{rate:.3g}"
    digits, _, exponent = f"{rate:.2e}".partition("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(exponent)}"


# -- the mathematics --------------------------------------------------------------------------------------------------


def smoothing_window(count: int) -> int:
    """How many neighbouring steps are averaged: about a fifteenth of all, odd; 1, which is no smoothing, under ten steps."""
    return 1 if count < 10 else max(3, count // 15) | 1


def smoothed(values: np.ndarray, window: int) -> np.ndarray:
    """The centred moving average over `window` (odd) values; at both ends over those that there are."""
    count, half = len(values), window // 2
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    places = np.arange(count)
    first, behind = np.maximum(places - half, 0), np.minimum(places + half + 1, count)
    return (sums[behind] - sums[first]) / (behind - first)


def thinned(xs: np.ndarray, ys: np.ndarray, bins: int = MOST_BINS) -> tuple[np.ndarray, np.ndarray]:
    """At most two points for each of `bins` stretches, the lowest and the highest, and both ends: no peak is lost."""
    if len(xs) <= 2 * bins:
        return xs, ys
    keep = {0, len(xs) - 1}
    for places in np.array_split(np.arange(len(xs)), bins):
        keep |= {int(places[ys[places].argmin()]), int(places[ys[places].argmax()])}
    chosen = sorted(keep)
    return xs[chosen], ys[chosen]


def ticks(low: float, high: float, most: int, whole: bool = False) -> list[float]:
    """At most `most` round numbers from `low` to `high`, evenly spaced; `whole` ones for steps."""
    rough = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    spacing = next(m * power for m in (1, 2, 5, 10, 20) if m * power >= rough * 0.999)
    if whole:
        spacing = max(1.0, spacing)
    first, last = math.ceil(low / spacing - 1e-9), math.floor(high / spacing + 1e-9)
    return [round(k * spacing, 12) for k in range(first, last + 1)]


def _finite(losses: Sequence[Point]) -> tuple[np.ndarray, np.ndarray]:
    points = [(step, loss) for step, loss in losses if math.isfinite(loss)]
    return np.array([p[0] for p in points], dtype=int), np.array([p[1] for p in points], dtype=float)


def _loss_limits(values: np.ndarray, smooth: np.ndarray) -> tuple[float, float]:
    """Lowest and highest loss that the picture shows. In a long run a few wild steps may fall outside."""
    if len(values) < 200:
        low, high = float(values.min()), float(values.max())
    else:
        low = float(min(np.quantile(values, 0.002), smooth.min()))
        high = float(max(np.quantile(values, 0.998), smooth.max()))
    if high - low < 1e-9 * max(abs(high), 1e-6):
        room = abs(high) * 0.1 or 0.1
        return low - room, high + room
    room = (high - low) * 0.04
    return (0.0 if low >= 0 > low - room else low - room), high + room


# -- the drawing ------------------------------------------------------------------------------------------------------


class _Frame:
    """The box that lines are drawn in. Places are shares of it in percent; texts stand around it, in pixels."""

    def __init__(self, steps: tuple[int, int], limits: tuple[float, float], height: int, most_ticks: int = 6):
        self.first, self.last = steps if steps[0] < steps[1] else (steps[0] - 1, steps[1] + 1)
        self.low, self.high = limits
        self.height, self.most_ticks = height, most_ticks

    def x(self, step: float) -> float:
        return 100 * (step - self.first) / (self.last - self.first)

    def y(self, value: float) -> float:
        return 100 * (self.high - min(max(value, self.low), self.high)) / (self.high - self.low)

    def grid(self, name: str) -> str:
        """Axes with labelled ticks."""
        parts = []
        for value in ticks(self.low, self.high, self.most_ticks):
            label = spoken_rate(value) if 0 < abs(value) < 0.001 else f"{value:g}"
            parts.append(
                f'<line x1="0" x2="100%" y1="{self.y(value):.2f}%" y2="{self.y(value):.2f}%" stroke="currentColor" stroke-opacity=".13"/>'
            )
            parts.append(f'<text x="-8" y="{self.y(value):.2f}%" dy="4" text-anchor="end" fill="currentColor">{label}</text>')
        for step in ticks(self.first, self.last, 7, whole=True):
            place = f"{self.x(step):.2f}%"
            parts.append(f'<line x1="{place}" x2="{place}" y1="100%" y2="100%" transform="translate(0 5)" stroke="currentColor"/>')
            parts.append(f'<text x="{place}" y="100%" dy="19" text-anchor="middle" fill="currentColor">{int(step):,}</text>')
        parts.append('<line x1="0" x2="100%" y1="100%" y2="100%" stroke="currentColor" stroke-opacity=".5"/>')
        parts.append('<text x="100%" y="100%" dy="36" text-anchor="end" fill="currentColor">steps</text>')
        if name:
            parts.append(f'<text x="-50" y="-9" fill="currentColor">{escape(name)}</text>')
        return "".join(parts)

    def epoch_marks(self, ends: Sequence[tuple[int, int]]) -> str:
        """A dotted line with the epoch's number where an epoch ends."""
        stride = math.ceil(len(ends) / MOST_EPOCH_MARKS) or 1
        parts = []
        for index, (epoch, step) in enumerate(ends[stride - 1 :: stride]):
            place = f"{self.x(step):.2f}%"
            label = f"epoch {epoch}" if index == 0 else str(epoch)
            parts.append(
                f'<line x1="{place}" x2="{place}" y1="0" y2="100%" stroke="currentColor" stroke-opacity=".3" stroke-dasharray="2 3"/>'
            )
            # The first label reaches to the left, so that it does not cover the next one where marks are narrow.
            anchor = 'text-anchor="end" dx="4"' if index == 0 else 'text-anchor="middle"'
            parts.append(f'<text x="{place}" y="-9" {anchor} fill="currentColor">{label}</text>')
        return "".join(parts)

    def line(self, xs: np.ndarray, ys: np.ndarray, colour: str, width: float, dash: str = "") -> str:
        places = " ".join(f"{10 * self.x(x):.1f},{10 * self.y(y):.1f}" for x, y in zip(*thinned(xs, ys), strict=True))
        return (
            f'<svg width="100%" height="100%" viewBox="0 0 1000 1000" preserveAspectRatio="none" overflow="visible">'
            f'<polyline points="{places}" fill="none" style="stroke: {colour}" stroke-width="{width}" stroke-dasharray="{dash or "none"}" '
            f'stroke-linejoin="round" stroke-linecap="round" vector-effect="non-scaling-stroke"/></svg>'
        )

    def dot(self, x: float, y: float) -> str:
        return f'<circle cx="{self.x(x):.2f}%" cy="{self.y(y):.2f}%" r="4" style="fill: {STRONG}"/>'

    def margin(self, x: float, value: float, margin: float, colour: str) -> str:
        """An upright stroke from below to above a value."""
        place, top, bottom = self.x(x), self.y(value + margin), self.y(value - margin)
        return f'<line x1="{place:.2f}%" x2="{place:.2f}%" y1="{top:.2f}%" y2="{bottom:.2f}%" style="stroke: {colour}" stroke-width="1.5"/>'

    def legend(self, index: int, label: str, dash: str, colour: str = STRONG) -> str:
        left, dashes = 104 * index, dash or "none"
        return (
            f'<line x1="{left}" x2="{left + 20}" y1="-13" y2="-13" style="stroke: {colour}" stroke-width="2" stroke-dasharray="{dashes}"/>'
            f'<text x="{left + 26}" y="-9" fill="currentColor">{escape(label)}</text>'
        )

    def svg(self, name: str, title: str, description: str, parts: list[str]) -> str:
        style = "display: block; overflow: visible; width: calc(100% - 72px); margin: 30px 20px 44px 52px; font-size: 12px"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="curve" role="img" aria-labelledby="{name}-title {name}-desc" '
            f'height="{self.height}" style="{style}"><title id="{name}-title">{escape(title)}</title>'
            f'<desc id="{name}-desc">{escape(description)}</desc>{"".join(parts)}</svg>'
        )
