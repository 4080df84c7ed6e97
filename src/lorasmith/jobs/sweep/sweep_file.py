"""A sweep's file: the settings that it begins with, what varies, and how it is searched.

settings = "my-lora.toml"
search = "random"
trials = 12

[vary]
optimizer.learning_rate = { from = 1e-5, to = 1e-3, scale = "log" }
network.rank = [8, 16, 32]
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lorasmith.errors import SettingsError
from lorasmith.jobs.sweep.vary import Choices, Varied, by_names, combinations, read_vary
from lorasmith.registry import nearest
from lorasmith.training.settings.toml import load_settings
from lorasmith.training.settings.tree import Settings, settings_from

Effort = Literal["quick", "standard", "thorough"]
MOST_TRIALS = 1000


class SweepFile(BaseModel):
    """What the file may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("", description="Its folder is runs/NAME. Empty: the file's name.")
    settings: Path | dict[str, Any] = Field(description="The settings that trials begin with: a file, or the table [settings] here.")
    vary: dict[str, Any] = Field(description="Settings by their names, each with a list, a range or a distribution.")
    search: Literal["grid", "random", "tpe"] = Field(
        "grid", description="grid: every combination; random: drawn; tpe: guided by the verdicts on earlier trials, by Optuna."
    )
    trials: int | None = Field(None, ge=1, le=MOST_TRIALS, description="How many trials; a grid takes every combination.")
    seed: int = Field(0, ge=0, description="Other draws of random and tpe.")
    hours: float | None = Field(
        None, gt=0, description="No trial starts once the sweep has worked this many hours. Empty: all are trained."
    )
    share: float = Field(
        1.0, gt=0, le=1, description="Trials train this share of the settings' length; below 1 the winner is then trained in full."
    )
    effort: Effort = Field("quick", description="How many pictures are generated to judge a trial.")
    stop_early: bool = Field(True, description="Stop trials that held-out pictures rule out (ASHA).")
    min_epochs: int = Field(1, ge=1, description="A trial is first compared with the others after this many epochs.")
    reduction_factor: int = Field(
        3, ge=2, description="After that, trials are compared at this multiple each time; the best one in this many is never stopped there."
    )


@dataclass(frozen=True)
class Sweep:
    """A sweep that can be planned: what its file says, with its settings read."""

    name: str
    file: SweepFile
    settings: Settings
    vary: dict[str, Varied]

    def __repr__(self) -> str:
        return f"Sweep({self.name}: {self.file.search} over {', '.join(self.vary)})"

    @property
    def trials(self) -> int:
        """How many."""
        return self.file.trials or int(combinations(self.vary))


def load_sweep(path: str | Path, workspace: Path = Path()) -> Sweep:
    """Read a sweep's file; relative paths, its own too, start from the workspace, else from where the command runs.

    Raises:
        SettingsError: it cannot be used; one sentence names the setting and what to do.
    """
    path = Path(path)
    try:
        tree = tomllib.loads((workspace / path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(
            f"The sweep {path} cannot be opened ({error.strerror}). Check its name.", code="sweep.file_missing", path=str(path)
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The sweep {path} is not valid TOML ({error}). Fix that line.", code="sweep.not_toml", path=str(path)
        ) from error
    return sweep_from({"name": path.stem, **tree}, str(path), workspace)


def sweep_from(tree: Mapping[str, Any], source: str = "The sweep", workspace: Path = Path()) -> Sweep:
    """A sweep from nested dicts, as its file has them; `source` names it in errors. Raises as `load_sweep` does."""
    try:
        file = SweepFile.model_validate(tree)
    except ValidationError as error:
        raise _refusal(error, source) from None
    if isinstance(file.settings, Path):
        settings = load_settings(workspace / file.settings)
    else:
        settings = settings_from(file.settings, f"{source}, [settings]")
    file = file.model_copy(update={"vary": by_names(file.vary, settings)})
    vary = read_vary(file.vary, settings, source)
    _check_search(file, vary, source)
    return Sweep(file.name or settings.name, file, settings, vary)


def _check_search(file: SweepFile, vary: Mapping[str, Varied], source: str) -> None:
    """Raises SettingsError where the trials cannot be counted."""
    endless = [name for name, one in vary.items() if not isinstance(one, Choices)]
    most = combinations(vary)
    if file.search != "grid":
        if file.trials is None:
            raise SettingsError(f"{source}: trials is missing. Say how many {file.search} is to try.", code="sweep.trials")
        if file.search == "random" and file.trials > most:
            raise SettingsError(
                f"{source}: trials = {file.trials}, and there are {int(most)} combinations. Lower it, or set search to 'grid'.",
                code="sweep.trials", combinations=int(most),
            )  # fmt: skip
        return
    if endless:
        raise SettingsError(
            f"{source}: {endless[0]} has no end of values, which a grid cannot take. Give it a count, or set search to 'random'.",
            code="sweep.endless", setting=endless[0],
        )  # fmt: skip
    if file.trials is not None:
        raise SettingsError(
            f"{source}: trials has no effect on a grid, which takes all {int(most)} combinations. Remove it, or set search to 'random'.",
            code="sweep.trials",
        )  # fmt: skip
    if most > MOST_TRIALS:
        raise SettingsError(
            f"{source}: the grid has {int(most):,} combinations, and {MOST_TRIALS:,} are the most. Vary less, or set search to 'random'.",
            code="sweep.trials", combinations=int(most),
        )  # fmt: skip


def _refusal(error: ValidationError, source: str) -> SettingsError:
    """The first fault as one sentence."""
    fault = error.errors(include_url=False)[0]
    name = str(fault["loc"][0])
    match fault["type"]:
        case "extra_forbidden":
            sentence = f"there is no {name!r} in a sweep; {nearest(name, SweepFile.model_fields)}"
        case "missing":
            sentence = f"{name} is missing. {SweepFile.model_fields[name].description}"
        case _:
            sentence = f"{name} = {fault['input']!r} cannot be used: {fault['msg'].removeprefix('Input ').lower()}."
    return SettingsError(f"{source}: {sentence}", code="sweep.file", setting=name)
