"""The ready sweep for people who do not know which rate: three rates by two ranks on a short budget, then the winner in full.

Rates are a third of the settings' own, that one, and three times it, all parts' in proportion; of optimizers that find the rate themselves,
half and twice their factor. Ranks are the settings' own and a quarter of it (from 4: four times it), with alpha in the same proportion.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lorasmith.adapters.settings import kinds_taking
from lorasmith.jobs.sweep.sweep_file import Sweep, sweep_from
from lorasmith.jobs.sweep.vary import TOGETHER
from lorasmith.training.optim.optimizers import optimizer_of
from lorasmith.training.settings.stand_ins import stand_ins
from lorasmith.training.settings.toml import load_settings
from lorasmith.training.settings.tree import Settings

SHARE = 0.3
"""Of the settings' length, that each trial trains."""
RATES = ("learning_rate", "unet_lr", "text_encoder_lr", "text_encoder_2_lr")
STEP, STEP_OF_FACTORS = 3.0, 2.0
"""Between two rates."""


def ladder(settings_file: str | Path, workspace: Path = Path()) -> Sweep:
    """The ladder of a settings file.

    Raises:
        SettingsError: the settings cannot be used.
    """
    return ladder_of(load_settings(workspace / settings_file), str(settings_file))


def ladder_of(settings: Settings, source: str = "The ladder") -> Sweep:
    """The ladder of settings; `source` names it in errors. Raises as `ladder` does."""
    tree = settings.model_dump(mode="json", exclude_none=True)
    return sweep_from(
        {"name": f"{settings.name}-ladder", "settings": tree, "vary": {**_rates(settings), **_ranks(settings)}, "share": SHARE},
        source,
    )


def _rates(settings: Settings) -> dict[str, Any]:
    """All rates that are used, in the proportion that they have."""
    optimizer = settings.optimizer
    used = [name for name in RATES if getattr(optimizer, name) and not stand_ins(settings, f"optimizer.{name}")]
    step = STEP_OF_FACTORS if optimizer_of(optimizer.type).learning_rate_free else STEP
    rates = [[float(f"{getattr(optimizer, name) * factor:.3g}") for name in used] for factor in (1 / step, 1.0, step)]
    return {TOGETHER.join(f"optimizer.{name}" for name in used): rates if len(used) > 1 else [rate for (rate,) in rates]}


def _ranks(settings: Settings) -> dict[str, Any]:
    """None where a kind of the network has no rank."""
    network = settings.network
    if not network.kinds <= kinds_taking("rank"):
        return {}
    ranks = sorted((network.rank, network.rank // 4 if network.rank > 4 else network.rank * 4))
    if network.alpha is None:
        return {"network.rank": ranks}
    return {f"network.rank{TOGETHER}network.alpha": [[rank, network.alpha * rank / network.rank] for rank in ranks]}
