"""A run under way: what its phases hand to each other."""

from __future__ import annotations

from dataclasses import dataclass

from lorasmith.training.commands import Commands
from lorasmith.training.data import TrainingData
from lorasmith.training.events import Emitter
from lorasmith.training.learner.learner import Learner
from lorasmith.training.planning.plan import Plan
from lorasmith.training.records.metrics import Metrics
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.settings.tree import Settings
from lorasmith.training.validation.validation import Validator


@dataclass
class Run:
    """Everything that the loop works with; what changes in it is in the `TrainState`."""

    settings: Settings
    folder: RunFolder
    plan: Plan
    learner: Learner
    data: TrainingData
    validator: Validator | None
    metrics: Metrics
    emit: Emitter
    commands: Commands

    def __repr__(self) -> str:
        return f"Run({self.folder.root}, {self.plan.steps} steps, {self.learner})"

    @property
    def is_main(self) -> bool:
        """Whether this is the main process, which alone writes files."""
        return self.learner.process_group.is_main
