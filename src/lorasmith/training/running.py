"""A run under way: what its phases hand to each other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

from lorasmith.models.base import Base
from lorasmith.models.prompts.states import PromptStates
from lorasmith.training.commands import Commands
from lorasmith.training.data import TrainingData
from lorasmith.training.events import Emitter
from lorasmith.training.learner.learner import Learner
from lorasmith.training.objective.batch_loss import PreparedBatch
from lorasmith.training.planning.plan import Plan
from lorasmith.training.records.metrics import Metrics
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.settings.tree import Settings
from lorasmith.training.validation.over import Over
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
    ahead: dict[int, list[PreparedBatch]] = field(default_factory=dict)
    """The batches of the next step, prepared while this one is computed."""

    def __repr__(self) -> str:
        return f"Run({self.folder.root}, {self.plan.steps} steps, {self.learner})"

    @cached_property
    def prompts(self) -> PromptStates:
        """The states of the samples' prompts, where no text encoder trains."""
        return prompt_states(self.settings, self.learner.base)

    @property
    def over(self) -> Over | None:
        """Why the run ends here, before its last step; None where it goes on."""
        return self.validator.over if self.validator is not None else None

    @property
    def is_main(self) -> bool:
        """Whether this is the main process, which alone writes files."""
        return self.learner.process_group.is_main


def prompt_states(settings: Settings, base: Base) -> PromptStates:
    """The states of prompts as the text encoders are now, read as web UIs read prompts."""
    return PromptStates(base, replace(settings.base.text_options, prompt=True))
