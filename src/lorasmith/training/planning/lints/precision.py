"""Lints about the loss's weights, and about dtypes in memory and in files."""

from __future__ import annotations

from lorasmith.findings import Evidence
from lorasmith.guides import BOOTCAMP, CRASH_COURSE, guides
from lorasmith.training.planning.lints.registry import Findings, lint, set_to, warning
from lorasmith.training.planning.lints.run_facts import RunFacts

ON_PRECISION = guides(CRASH_COURSE, BOOTCAMP)


@lint
def min_snr_gamma_unusual(run: RunFacts) -> Findings:
    gamma = run.settings.loss.min_snr_gamma
    if run.base.prediction_type != "flow" and gamma and not 1 <= gamma <= 20:
        yield warning(
            f"loss.min_snr_gamma {gamma:g} is outside of what anyone uses.", evidence=Evidence(gamma, "gamma"),
            why="5 is usual, 3 is stronger, 7 to 10 is for photographs, up to 20 for soft styles.", fix=set_to("loss.min_snr_gamma", 5.0),
            source=guides(),
        )  # fmt: skip


@lint
def zero_weight_of_last_step(run: RunFacts) -> Findings:
    zero = run.settings.noise.zero_terminal_snr or run.settings.base.zero_terminal_snr
    if zero and run.base.prediction_type == "v_prediction" and run.settings.loss.min_snr_gamma:
        yield warning(
            "With zero terminal SNR loss.min_snr_gamma gives the last timestep the weight 0.", evidence=Evidence(0, "weight"),
            why="That is the very one that teaches dark and bright.", fix=set_to("loss.min_snr_gamma", 0.0),
            source="the formula of Hang et al. 2023 at SNR 0",
        )  # fmt: skip


@lint
def file_in_fp32(run: RunFacts) -> Findings:
    if run.settings.checkpoints.save_precision == "fp32":
        usual = run.base.defaults.save_precision
        yield warning(
            "checkpoints.save_precision fp32 makes files twice as large.", why="No picture that is generated with them shows it.",
            fix=set_to("checkpoints.save_precision", usual), source=ON_PRECISION,
        )  # fmt: skip


@lint
def large_base_in_fp32(run: RunFacts) -> Findings:
    if run.base.defaults.memory_per_image is not None and run.settings.training.mixed_precision == "no":
        yield warning(
            f"training.mixed_precision 'no' holds {run.base.family.title} in float32.", why="It takes twice the memory, and is slower.",
            fix=set_to("training.mixed_precision", "bf16"), source=ON_PRECISION,
        )  # fmt: skip


@lint
def half_weights(run: RunFacts) -> Findings:
    if run.settings.training.weight_dtype == "bf16":
        yield warning(
            "training.weight_dtype 'bf16' holds the trained weights with three digits.",
            why="It saves some MB, and small steps arrive on average only.", fix=set_to("training.weight_dtype", "fp32"), source=ON_PRECISION,
        )  # fmt: skip


@lint
def fp16_base(run: RunFacts) -> Findings:
    if run.settings.training.mixed_precision == "fp16":
        yield warning(
            "training.mixed_precision 'fp16' can overflow.", why="bf16 cannot, and cards from the RTX 30 series on compute it as fast.",
            fix=set_to("training.mixed_precision", "bf16", "Set training.mixed_precision to 'bf16', unless the card is older."),
            source=ON_PRECISION,
        )  # fmt: skip
