"""Lints about augmentation and noise."""

from __future__ import annotations

from lorasmith.findings import Evidence
from lorasmith.guides import BOOTCAMP, COLAB, CRASH_COURSE, guides
from lorasmith.training.planning.lints.registry import Findings, lint, set_to, warning
from lorasmith.training.planning.lints.run_facts import RunFacts


@lint
def flipped_subject(run: RunFacts) -> Findings:
    folders = run.folders_with("flip_aug")
    if folders and run.looks_like != "style":
        setting = f"{folders[0]}.flip_aug"
        yield warning(
            f"{setting} shows half of the pictures mirrored.",
            why="A parting, a scar, one earring, letters or a logo come out on both sides.",
            fix=set_to(setting, False, f"Set {setting} to false, unless nothing about the subject has a left and a right."),
            source=guides(CRASH_COURSE, COLAB, BOOTCAMP),
        )  # fmt: skip


@lint
def changed_colours(run: RunFacts) -> Findings:
    folders = run.folders_with("color_aug")
    if folders:
        setting = f"{folders[0]}.color_aug"
        yield warning(
            f"{setting} shifts hue and brightness.", why="Eyes, hair and palettes are learnt less exactly.", fix=set_to(setting, False),
            source=guides(BOOTCAMP),
        )  # fmt: skip


@lint
def strong_noise_offset(run: RunFacts) -> Findings:
    offset, most = run.settings.noise.noise_offset, 0.1 if run.looks_like == "style" else 0.05
    if offset > most:
        yield warning(
            f"noise.noise_offset {offset:g} is over {most:g}.", evidence=Evidence(offset, "noise offset"),
            why="Pictures turn out too dark or too bright, and contrast is burnt in.",
            fix=set_to("noise.noise_offset", most, f"Set noise.noise_offset to {most:g} or less."), source=guides(BOOTCAMP),
        )  # fmt: skip


@lint
def multires_noise_for_subject(run: RunFacts) -> Findings:
    iterations = run.settings.noise.multires_noise_iterations
    if iterations and run.looks_like == "subject":
        yield warning(
            f"noise.multires_noise_iterations {iterations} is for styles.", evidence=Evidence(iterations, "iterations"),
            why="It moves light and composition, which a subject should leave alone.",
            fix=set_to("noise.multires_noise_iterations", 0), source=guides(BOOTCAMP),
        )  # fmt: skip
    elif iterations > 10:
        yield warning(
            f"noise.multires_noise_iterations is {iterations}, and 6 to 10 is usual.", evidence=Evidence(iterations, "iterations"),
            why="Very coarse noise covers the pictures.", fix=set_to("noise.multires_noise_iterations", 8), source=guides(BOOTCAMP),
        )  # fmt: skip
