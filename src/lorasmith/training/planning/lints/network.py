"""Lints about the network: its rank, its alpha, its layers, its dropout."""

from __future__ import annotations

from lorasmith.adapters.kinds import KINDS
from lorasmith.adapters.kinds.advice import Ranks
from lorasmith.findings import Evidence, Fix, SettingChange
from lorasmith.guides import BOOTCAMP, COLAB, CRASH_COURSE, SEAART, guides
from lorasmith.pages.numbers import count
from lorasmith.training.planning.lints.registry import Findings, lint, set_to, warning
from lorasmith.training.planning.lints.run_facts import DENOISER, RunFacts

FEW_PICTURES = 15


def ranks_of(run: RunFacts) -> Ranks | None:
    """What is advised about the rank of the run's kind of network."""
    return KINDS[run.settings.network.kind].advice.ranks


@lint
def rank_over_kind(run: RunFacts) -> Findings:
    network, ranks = run.settings.network, ranks_of(run)
    if ranks is not None and network.rank > ranks.most:
        yield warning(
            f"network.rank {network.rank} is high for the kind {network.kind}.", evidence=Evidence(network.rank, "rank"),
            why="The file grows, and it learns the pictures by heart.",
            fix=Fix(
                f"Set network.rank to {ranks.usual} and network.alpha to half of it.",
                (SettingChange("network.rank", ranks.usual), SettingChange("network.alpha", ranks.usual / 2)),
            ),
            source=ranks.source,
        )  # fmt: skip


@lint
def convolutions_over_rank(run: RunFacts) -> Findings:
    network, ranks = run.settings.network, ranks_of(run)
    rank = network.conv_rank if network.conv_rank is not None else network.rank
    most = ranks.most_of_convolutions if ranks is not None else None
    if network.effective_preset in ("convolutions", "full") and most is not None and rank > most:
        yield warning(
            f"The 3x3 convolutions are trained with rank {rank}.", evidence=Evidence(rank, "rank"),
            why="They carry texture and burn in first.",
            fix=Fix(
                f"Set network.conv_rank to {most} or less, and network.conv_alpha to 1.",
                (SettingChange("network.conv_rank", most), SettingChange("network.conv_alpha", 1.0)),
            ),
            source=guides(CRASH_COURSE, COLAB),
        )  # fmt: skip


@lint
def low_rank_for_several(run: RunFacts) -> Findings:
    network, ranks, concepts = run.settings.network, ranks_of(run), len(run.concepts)
    if ranks is not None and concepts > 1 and network.rank < ranks.least_for_several:
        yield warning(
            f"network.rank {network.rank} has little room for {concepts} concepts.", evidence=Evidence(network.rank, "rank"),
            why="They run into each other.", fix=set_to("network.rank", ranks.usual), source=guides(CRASH_COURSE),
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
def one_rank_in_large_batches(run: RunFacts) -> Findings:
    batch_size = run.settings.training.batch_size
    kind = KINDS[run.settings.network.kind]
    if kind.advice.one_rank_a_batch and batch_size > 1:
        yield warning(
            f"training.batch_size is {batch_size}, and {kind.title} trains one rank for a whole batch.", evidence=Evidence(batch_size, "pictures"),
            why="It learns each rank more slowly.",
            fix=Fix(
                f"Set training.batch_size to 1 and training.gradient_accumulation_steps to {batch_size}.",
                (SettingChange("training.batch_size", 1), SettingChange("training.gradient_accumulation_steps", batch_size)),
            ),
            source=guides(CRASH_COURSE),
        )  # fmt: skip


@lint
def rank_under_kind(run: RunFacts) -> Findings:
    network, ranks, title = run.settings.network, ranks_of(run), KINDS[run.settings.network.kind].title
    if ranks is not None and network.rank < ranks.least:
        yield warning(
            f"network.rank {network.rank} leaves {title} little to choose from.",
            evidence=Evidence(network.rank, "rank"),
            why="It finds the best rank below its own.",
            fix=Fix(
                f"Set network.rank to {ranks.usual} and network.alpha to {ranks.usual // 2}.",
                (SettingChange("network.rank", ranks.usual), SettingChange("network.alpha", ranks.usual / 2)),
            ),
            source=ranks.source,
        )


@lint
def rate_under_kind(run: RunFacts) -> Findings:
    rate, setting, kind = run.rate(DENOISER), run.rate_setting(DENOISER), KINDS[run.settings.network.kind]
    rates = kind.advice.rates
    if rates is not None and not run.optimizer.learning_rate_free and 0 < rate < rates.least:
        yield warning(
            f"{setting} {rate:g} is too low for {kind.title}.", evidence=Evidence(rate, "learning rate"),
            why="It has few parameters, and they must move far.", fix=set_to(setting, rates.usual), source=rates.source,
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
    network, ranks = run.settings.network, ranks_of(run)
    learns_by_heart = ranks is not None and ranks.most_for_few is not None and network.rank >= ranks.most_for_few
    if len(run.pictures) < FEW_PICTURES and learns_by_heart and not (network.dropout or network.rank_dropout):
        yield warning(
            f"There {'is' if len(run.pictures) == 1 else 'are'} {count(len(run.pictures), 'picture')}, and network.rank is {network.rank} without dropout.",
            evidence=Evidence(network.rank, "rank"), why="The network has room to learn each picture by heart.",
            fix=set_to("network.rank", 16, "Set network.rank to 16, or network.dropout to 0.05."), source=guides(CRASH_COURSE, BOOTCAMP),
        )  # fmt: skip
