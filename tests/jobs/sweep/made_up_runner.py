"""Trials that train nothing and leave what trainings do: runs with their events, held-out losses and proofs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lorasmith.evaluation.measures.measured import CheckpointMeasures, Measure
from lorasmith.evaluation.prompts import Prompt, PromptSet
from lorasmith.evaluation.proof.record import PROOF, ProofRecord, write_record
from lorasmith.jobs.sweep import sweeping
from lorasmith.jobs.sweep.runner import TrialStatus
from lorasmith.jobs.sweep.sweep_file import sweep_from
from lorasmith.jobs.sweep.sweep_folder import SweepFolder
from lorasmith.jobs.sweep.sweeping import Sweeping
from lorasmith.training.events import CheckpointSaved, Finished, Planned, StepDone, ValidationDone
from lorasmith.training.records.event_log import EventLog
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.settings.toml import settings_toml

PROMPTS = PromptSet(tuple(Prompt("new", f"zorvex, place {k}", k) for k in range(8)), "zorvex", "tags")
SETTINGS = {"name": "toy", "base": {"path": "base"}, "datasets": [{"path": "my-set"}], "training": {"epochs": 10}}


class MadeUpRunner:
    """Trials that take a few looks each, two at once. `score` says how good a trial comes out, `loss` what its held-out pictures lose."""

    def __init__(self, score, loss=lambda settings, epoch: 1.0, epochs=3, devices=2):
        self.score, self.loss, self.epochs, self.devices = score, loss, epochs, devices
        self.settings, self.states, self.done, self.submitted = {}, {}, {}, []

    def submit(self, folder, settings, effort):
        assert folder not in self.states, "each trial is begun once"
        run = RunFolder(folder)
        run.create(settings)
        run.settings.write_text(settings_toml(settings), encoding="utf-8")
        self.settings[folder], self.states[folder], self.done[folder] = settings, "waiting", 0
        self.submitted.append(folder.name)
        self._emit(folder, Planned(30, self.epochs, 10, 10, 1), self._validation(folder, 0))

    def look(self):
        running = [folder for folder, state in self.states.items() if state == "running"]
        for folder in running:
            self.done[folder] += 1
            self._emit(folder, StepDone(10 * self.done[folder], self.done[folder], 0.5, {"unet": 1e-4}, 0.1))
            self._emit(folder, self._validation(folder, self.done[folder]))
            if self.done[folder] == self.epochs:
                self._finish(folder)
        for folder, state in self.states.items():
            if state == "waiting" and sum(each == "running" for each in self.states.values()) < self.devices:
                self.states[folder] = "running"
        return {folder: TrialStatus(state) for folder, state in self.states.items()}

    def pause(self, folder):
        self.states[folder] = "paused"

    def resume(self, folder):
        self.states[folder] = "waiting"

    def _validation(self, folder, epoch):
        loss = self.loss(self.settings[folder], epoch) if epoch else 1.0
        losses = {f"{k}.png": loss * (1 + k / 10) for k in range(4)}
        unsaid = dict.fromkeys(("val_change_margin", "gap_margin", "best_epoch", "above_best", "above_best_margin"))
        band = {"val_losses": losses, "train_losses": losses, "val_change": 0.0, "gap": 0.0, **unsaid}
        bands = dict.fromkeys(("shape", "composition"), band)
        return ValidationDone(epoch, epoch, loss, loss, 0.0, None, 0.0, None, 0.0, None, losses, losses, bands=bands)

    def _finish(self, folder):
        self.states[folder] = "done"
        self._emit(
            folder, CheckpointSaved("checkpoints/toy.safetensors", self.epochs, 30, True), Finished(30, 1.0, "checkpoints/toy.safetensors")
        )
        score = self.score(self.settings[folder])
        subject = Measure.of({prompt.name: score + 0.02 * k for k, prompt in enumerate(PROMPTS.prompts)})
        measures = {"subject": subject, "keeps": Measure.of({"a": 0.99, "b": 1.0, "c": 1.01})}
        measured = CheckpointMeasures("checkpoints/toy.safetensors", self.epochs, 30, 1.0, measures)
        write_record(folder / PROOF, ProofRecord("quick", PROMPTS, 5, 0, {}, (measured,), ({PROMPTS.prompts[0].name: "a.png"},)))
        Image.new("RGB", (8, 8), "teal").save(folder / PROOF / "a.png")

    def _emit(self, folder, *events):
        log = EventLog(RunFolder(folder).events)
        for event in events:
            log(event)
        log.close()


def made_up_sweep(
    root: Path,
    vary: Mapping[str, Any],
    score: Callable[..., float],
    loss: Callable[..., float] = lambda settings, epoch: 1.0,
    looks: int | None = None,
    settings: Mapping[str, Any] = SETTINGS,
    **said: Any,
) -> SweepFolder:
    """A sweep in a folder, worked through; or until it was looked at so many times, and then stopped."""
    sweep = sweep_from({"name": root.name, "settings": settings, "vary": vary, **said})
    folder = SweepFolder.of(sweep, root)
    with folder.in_use(), pytest.MonkeyPatch.context() as patched:
        patched.setattr(sweeping, "LOOK_EVERY", 0.0)
        counted = iter(range(10**6))
        work = Sweeping(sweep, folder, MadeUpRunner(score, loss), None, lambda words: None).work
        folder.record.complete = work(lambda: looks is not None and next(counted) > looks)
        folder.save()
    return folder
