"""Lints about the network: its rank, its alpha, its layers, its dropout."""

from __future__ import annotations

import math
from collections.abc import Mapping

from lorasmith.adapters.kinds import KINDS
from lorasmith.findings import Evidence, Fix, SettingChange
from lorasmith.training.planning.lints.registry import Findings, lint, set_to, warning
from lorasmith.training.planning.lints.run_facts import DENOISER, RunFacts
from lorasmith.training.recipes.guides import BOOTCAMP, COLAB, CRASH_COURSE, SEAART, guides

MOST_RANK: Mapping[str, tuple[int, int, str]] = {
    "lora": (64, 32, f"{guides(CRASH_COURSE, BOOTCAMP)}: over 64 rarely helps, 128 bloats"),
    "loha": (32, 32, guides(CRASH_COURSE)),
    "glora": (64, 64, guides(CRASH_COURSE)),
    "dylora": (128, 128, guides(CRASH_COURSE)),
}
"""Kind -> the highest rank that helps, the one to go back to, and who says so."""
MOST_CONVOLUTION_RANK = 16
IA3_LEAST_RATE, IA3_RATE = 1e-3, 5e-3


@lint
def rank_over_kind(run: RunFacts) -> Findings:
    network = run.settings.network
    most, usual, source = MOST_RANK.get(network.kind, (math.inf, 0, ""))
    if network.rank > most:
        yield warning(
            f"network.rank {network.rank} is high for the kind {network.kind}.", evidence=Evidence(network.rank, "rank"),
            why="The file grows, and it learns the pictures by heart.",
            fix=Fix(
                f"Set network.rank to {usual} and network.alpha to half of it.",
                (SettingChange("network.rank", usual), SettingChange("network.alpha", usual / 2)),
            ),
            source=source,
        )  # fmt: skip


@lint
def convolutions_over_rank(run: RunFacts) -> Findings:
    network = run.settings.network
    rank = network.conv_rank if network.conv_rank is not None else network.rank
    if network.effective_preset in ("convolutions", "full") and network.kind in ("lora", "loha") and rank > MOST_CONVOLUTION_RANK:
        yield warning(
            f"The 3x3 convolutions are trained with rank {rank}.", evidence=Evidence(rank, "rank"),
            why="They carry texture and burn in first.",
            fix=Fix(
                f"Set network.conv_rank to {MOST_CONVOLUTION_RANK} or less, and network.conv_alpha to 1.",
                (SettingChange("network.conv_rank", MOST_CONVOLUTION_RANK), SettingChange("network.conv_alpha", 1.0)),
            ),
            source=guides(CRASH_COURSE, COLAB),
        )  # fmt: skip


@lint
def low_rank_for_several(run: RunFacts) -> Findings:
    network, concepts = run.settings.network, len(run.concepts)
    if concepts > 1 and network.kind == "lora" and network.rank < 16:
        yield warning(
            f"network.rank {network.rank} has little room for {concepts} concepts.", evidence=Evidence(network.rank, "rank"),
            why="They run into each other.", fix=set_to("network.rank", 32), source=guides(CRASH_COURSE),
        )  # fmt: skip


@lint
def alpha_over_rank(run: RunFacts) -> Findings:
    network = run.settings.network
    if "alpha" in KINDS[network.kind].settings and network.alpha_value > network.rank:
        half = network.rank / 2
        yield warning(
            f"network.alpha {network.alpha_value:g} is over network.rank {network.rank}.",
            evidence=Evidence(network.alpha_value / network.rank, "alpha / rank"),
            why=f"It multiplies the learning rate by {network.alpha_value / network.rank:g}.",
            fix=set_to(
                "network.alpha", half, f"Set network.alpha to {half:g}, half of the rank, and raise the learning rate if that is what you want."
            ),
            source=guides(SEAART, CRASH_COURSE, BOOTCAMP),
        )  # fmt: skip


@lint
def alpha_far_under_rank(run: RunFacts) -> Findings:
    network = run.settings.network
    takes = "alpha" in KINDS[network.kind].settings and not network.rs_lora
    if takes and not run.optimizer.learning_rate_free and network.alpha_value < network.rank / 16:
        yield warning(
            f"network.alpha {network.alpha_value:g} is 1/{network.rank / network.alpha_value:.0f} of network.rank {network.rank}.",
            evidence=Evidence(network.alpha_value / network.rank, "alpha / rank"),
            why=f"Learning is slowed down as much, and {run.settings.optimizer.type} does not make up for it.",
            fix=set_to("network.alpha", network.rank / 2), source=f"{guides(CRASH_COURSE)}: half of the rank without an adaptive optimizer",
        )  # fmt: skip


@lint
def dylora_in_batches(run: RunFacts) -> Findings:
    batch_size = run.settings.training.batch_size
    if run.settings.network.kind == "dylora" and batch_size > 1:
        yield warning(
            f"training.batch_size is {batch_size}, and DyLoRA trains one rank for a whole batch.", evidence=Evidence(batch_size, "pictures"),
            why="It learns each rank more slowly.",
            fix=Fix(
                f"Set training.batch_size to 1 and training.gradient_accumulation_steps to {batch_size}.",
                (SettingChange("training.batch_size", 1), SettingChange("training.gradient_accumulation_steps", batch_size)),
            ),
            source=guides(CRASH_COURSE),
        )  # fmt: skip


@lint
def dylora_small(run: RunFacts) -> Findings:
    network = run.settings.network
    if network.kind == "dylora" and network.rank < 64:
        yield warning(
            f"network.rank {network.rank} leaves DyLoRA little to choose from.",
            evidence=Evidence(network.rank, "rank"),
            why="It finds the best rank below its own.",
            fix=Fix(
                "Set network.rank to 128 and network.alpha to 64.",
                (SettingChange("network.rank", 128), SettingChange("network.alpha", 64.0)),
            ),
            source=guides(CRASH_COURSE),
        )


@lint
def ia3_rate(run: RunFacts) -> Findings:
    rate, setting = run.rate(DENOISER), run.rate_setting(DENOISER)
    if run.settings.network.kind == "ia3" and not run.optimizer.learning_rate_free and 0 < rate < IA3_LEAST_RATE:
        yield warning(
            f"{setting} {rate:g} is too low for (IA)^3.", evidence=Evidence(rate, "learning rate"),
            why="It has few parameters, and they must move far.", fix=set_to(setting, IA3_RATE),
            source=f"{guides(CRASH_COURSE)}: 5e-3 to 1e-2",
        )  # fmt: skip


@lint
def strong_dropout(run: RunFacts) -> Findings:
    network, most = run.settings.network, 0.1 if run.looks_like == "style" else 0.05
    for field, limit, source in (
        ("dropout", most, guides(BOOTCAMP)), ("rank_dropout", 0.3, "sd-scripts"), ("module_dropout", 0.3, "sd-scripts")
    ):  # fmt: skip
        if (value := getattr(network, field)) > limit:
            yield warning(
                f"network.{field} {value:g} is strong.", evidence=Evidence(value, "dropout"), why="Details are not learnt.",
                fix=set_to(f"network.{field}", limit, f"Set network.{field} to {limit:g} or less."), source=source,
            )  # fmt: skip


@lint
def small_set_high_rank(run: RunFacts) -> Findings:
    network = run.settings.network
    if len(run.pictures) < 15 and network.kind == "lora" and network.rank >= 64 and not (network.dropout or network.rank_dropout):
        yield warning(
            f"There are {len(run.pictures)} pictures, and network.rank is {network.rank} without dropout.",
            evidence=Evidence(network.rank, "rank"), why="The network has room to learn each picture by heart.",
            fix=set_to("network.rank", 16, "Set network.rank to 16, or network.dropout to 0.05."), source=guides(CRASH_COURSE, BOOTCAMP),
        )  # fmt: skip
