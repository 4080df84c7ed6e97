"""Lints about resolution and buckets."""

from __future__ import annotations

import math

from lorasmith.datasets.buckets import bucket_sizes
from lorasmith.findings import Evidence
from lorasmith.guides import BOOTCAMP, COLAB, CRASH_COURSE, FUNDAMENTALS, guides
from lorasmith.pages.numbers import count
from lorasmith.training.planning.lints.registry import Findings, lint, set_to, warning
from lorasmith.training.planning.lints.run_facts import RunFacts

ON_SIZES = guides(CRASH_COURSE, COLAB, BOOTCAMP, FUNDAMENTALS)


@lint
def resolution_over_native(run: RunFacts) -> Findings:
    name, side = run.largest_side
    base, native = run.base, run.base.native_resolution
    most = base.defaults.largest_resolution if base.full_size and base.defaults.largest_resolution else native
    if side > 1.01 * most:
        later = base.defaults.fine_tuned_resolution
        yield warning(
            f"{name} {side:.0f} is over the base's native {native}.", evidence=Evidence(side, "pixels"),
            why="It renders doubled or stretched figures there" + (f"; {later[1]}." if later is not None and side <= later[0] else "."),
            fix=set_to(name, native), source=ON_SIZES,
        )  # fmt: skip


@lint
def resolution_far_under_native(run: RunFacts) -> Findings:
    native, side = run.base.native_resolution, math.sqrt(math.prod(run.settings.buckets.size))
    if side <= 0.5 * native:
        yield warning(
            f"buckets.resolution {side:.0f} is half of the base's native {native} or less.", evidence=Evidence(side, "pixels"),
            why="Details are lost, and the base is worse at that size.",
            fix=set_to("buckets.resolution", native, f"Set buckets.resolution to {native}, or {3 * native // 4} to save time."),
            source=ON_SIZES,
        )  # fmt: skip


@lint
def bucket_area_lost(run: RunFacts) -> Findings:
    buckets = run.settings.buckets
    if not buckets.enable_bucket or buckets.bucket_no_upscale or buckets.max_bucket_reso > max(buckets.size):
        return
    shrunk = [item for item in run.pictures if math.prod(item.fit.bucket) < 0.9 * math.prod(buckets.size)]
    if shrunk:
        worst = min((item.fit.bucket for item in shrunk), key=math.prod)
        area = math.prod(worst) / math.prod(buckets.size)
        yield warning(
            f"buckets.max_bucket_reso {buckets.max_bucket_reso} is no longer than the resolution: {len(shrunk):,} of {count(len(run.pictures), 'picture')} "
            f"{'trains smaller than it' if len(shrunk) == 1 else 'train smaller than they'} could, the worst at {worst[0]} x {worst[1]}, {area:.0%} of the area.",
            evidence=Evidence(area, "of the area"),
            why="Wide and tall pictures lose detail.",
            fix=set_to("buckets.max_bucket_reso", 2 * max(buckets.size)),
            source="sd-scripts' own buckets, measured",
        )


@lint
def square_bucket_alone(run: RunFacts) -> Findings:
    buckets = run.settings.buckets
    if not buckets.enable_bucket or buckets.bucket_no_upscale or len(bucket_sizes(buckets)) > 1:
        return
    cropped = [item for item in run.pictures if item.fit.lost > 0.1]
    if cropped:
        half = max(buckets.bucket_reso_steps, min(buckets.size) // 2 // buckets.bucket_reso_steps * buckets.bucket_reso_steps)
        yield warning(
            f"buckets.min_bucket_reso {buckets.min_bucket_reso} leaves the square bucket alone: {len(cropped):,} of {count(len(run.pictures), 'picture')} "
            f"{'loses' if len(cropped) == 1 else 'lose'} more than a tenth at their edges.",
            evidence=Evidence(len(cropped), "pictures"), why="Heads and feet are cut off.", fix=set_to("buckets.min_bucket_reso", half),
            source="sd-scripts' own buckets, measured",
        )  # fmt: skip


@lint
def no_buckets(run: RunFacts) -> Findings:
    cropped = [item for item in run.pictures if item.fit.lost > 0.1]
    if not run.settings.buckets.enable_bucket and cropped:
        yield warning(
            f"Without buckets {len(cropped):,} of {count(len(run.pictures), 'picture')} {'loses' if len(cropped) == 1 else 'lose'} more than a tenth at their edges.",
            evidence=Evidence(len(cropped), "pictures"), why="Heads and feet are cut off.", fix=set_to("buckets.enable_bucket", True),
            source=guides(CRASH_COURSE, BOOTCAMP),
        )  # fmt: skip
