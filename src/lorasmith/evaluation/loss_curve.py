"""The curves of a run: its loss, its learning rates, and how held-out images changed against the base."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from lorasmith.pages import numbers
from lorasmith.pages.content import Curve, Series
from lorasmith.pages.numbers import count

Point = tuple[int, float]
Measure = tuple[int, float, float | None]
"""Step, value, and half of its 95 % interval where that is known."""


def loss_curve(losses: Sequence[Point], epoch_ends: Sequence[tuple[int, int]] = ()) -> Curve:
    """The loss over the steps: every step as a faint line, the smoothed loss as a strong one.

    `losses` are (step, loss) in rising order of steps, `epoch_ends` (epoch, its last step). Losses that are not finite are left out,
    and the caption counts them.
    """
    title, caption = "Loss over the steps", describe_losses(losses)
    steps, values = _finite(losses)
    if not len(steps):
        return Curve(title, (), caption)
    window = smoothing_window(len(values))
    smooth = smoothed(values, window)
    each, mean = (tuple(zip(steps.tolist(), ys.tolist(), strict=True)) for ys in (values, smooth))
    series = (
        (Series("each step", each, faint=True), Series(f"mean of {window} steps", mean)) if window > 1 else (Series("each step", each),)
    )
    marks = tuple((step, f"epoch {epoch}") for epoch, step in epoch_ends)
    return Curve(title, series, caption, y_label="loss", marks=marks, limits=_loss_limits(values, smooth))


def learning_rate_curve(rates: Mapping[str, Sequence[Point]]) -> Curve | None:
    """The learning rates over the steps, one line for each name; names with the same rates share a line. None without any."""
    lines: dict[tuple[Point, ...], list[str]] = {}
    for name, points in rates.items():
        if points:
            lines.setdefault(tuple(points), []).append(name)
    if not lines:
        return None
    series = tuple(Series(" and ".join(names), points) for points, names in lines.items())
    highest = max(rate for points in lines for _, rate in points)
    sentences = []
    for line in series:
        ys = [rate for _, rate in line.points]
        first, most, last = (numbers.learning_rate(rate) for rate in (ys[0], max(ys), ys[-1]))
        sentences.append(f"{line.name}: {first} at first, {most} at most, {last} at the end.")
    return Curve(
        "Learning rate over the steps", series, " ".join(sentences), y_label="rate", limits=(0.0, highest * 1.05 or 1.0), height=110
    )


def change_curve(held_out: Sequence[Measure], trained: Sequence[Measure]) -> Curve:
    """How the loss changed against the base, on held-out and on trained images, with the margins of both."""
    series = tuple(
        Series(name, tuple((step, value) for step, value, _ in measures), margins=tuple(margin for _, _, margin in measures))
        for name, measures in (("held-out images", held_out), ("trained images", trained))
    )
    title = "Loss against the base, on held-out and on trained images"
    return Curve(title, series, describe_changes(held_out, trained), y_label="change", height=180)


def describe_changes(held_out: Sequence[Measure], trained: Sequence[Measure]) -> str:
    """What the curve of changes shows, in a sentence."""
    (_, unseen, unseen_margin), (_, known, known_margin) = held_out[-1], trained[-1]
    return (
        f"Against the base, the loss at the end is {_signed(unseen, unseen_margin)} on held-out images and {_signed(known, known_margin)} on "
        "trained ones. Below 0 is learnt; what trained images gained beyond held-out ones is memorised."
    )


def _signed(value: float, margin: float | None) -> str:
    return f"{value:+.4f}" + ("" if margin is None else f" ± {margin:.4f}")


def describe_losses(losses: Sequence[Point]) -> str:
    """What the loss curve shows, in a sentence or two."""
    if not losses:
        return "No step has been trained yet."
    steps, values = _finite(losses)
    if not len(steps):
        return "The loss of every step is non-finite."
    window = smoothing_window(len(values))
    smooth = smoothed(values, window)
    low, high = _loss_limits(values, smooth)
    if len(steps) == 1:
        text = f"One step, with a loss of {values[0]:.4g}."
    elif window == 1:
        text = f"Loss of each step, from {values[0]:.4g} at first to {values[-1]:.4g} at the end."
    else:
        text = (
            f"Faint: the loss of each step. Strong: the mean over the {window} steps around each, "
            f"from {smooth[0]:.4g} at first to {smooth[-1]:.4g} at the end."
        )
    if outside := int(((values < low) | (values > high)).sum()):
        text += f" {outside:,} of {count(len(values), 'step')} {'is' if outside == 1 else 'are'} outside the picture and drawn at its edge."
    if missing := len(losses) - len(values):
        text += f" {missing:,} {'step has' if missing == 1 else 'steps have'} a non-finite loss."
    return text


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
