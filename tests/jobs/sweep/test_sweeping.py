"""A sweep under way, over a runner that trains nothing: what is begun, ruled out, trained in full, left for the next time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lorasmith.jobs.sweep import sweeping
from lorasmith.jobs.sweep.ladder import ladder
from lorasmith.jobs.sweep.outcome import outcome_of
from lorasmith.jobs.sweep.runner import TrialStatus
from lorasmith.jobs.sweep.sweep_file import sweep_from
from lorasmith.jobs.sweep.sweep_folder import SweepFolder
from lorasmith.jobs.sweep.sweeping import Sweeping
from lorasmith.training.settings.toml import settings_toml
from tests.jobs.sweep.made_up_runner import SETTINGS, MadeUpRunner


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch, tmp_path):
    monkeypatch.setattr(sweeping, "LOOK_EVERY", 0.0)
    monkeypatch.chdir(tmp_path)


def work(sweep, runner, cancelled=lambda: False, root="runs/rates"):
    """Work through a sweep; its folder, and whether it is complete."""
    folder = SweepFolder.of(sweep, Path(root))
    folder.root.mkdir(parents=True, exist_ok=True)
    return folder, Sweeping(sweep, folder, runner, None, lambda words: None).work(cancelled)


def best_rate(settings):
    return {1e-5: 0.3, 1e-4: 0.8, 1e-3: 0.5}[settings.optimizer.learning_rate]


RATES = {"name": "rates", "settings": SETTINGS, "vary": {"optimizer.learning_rate": [1e-4, 1e-5, 1e-3]}}


def test_the_best_trial_is_recommended_with_what_the_setting_did():
    sweep = sweep_from(RATES)
    folder, complete = work(sweep, runner := MadeUpRunner(best_rate))
    swept = outcome_of(sweep, folder, runner.look(), complete)
    assert swept.recommended.number == 1
    assert swept.sentences[0].startswith("Trial 1 (optimizer.learning_rate 0.0001) is recommended.")
    assert swept.sentences[-1].startswith("optimizer.learning_rate: 0.0001 is best; 1e-05 scores less by 0.50")


def test_a_trial_whose_held_out_pictures_get_worse_is_stopped_and_the_verdict_picks_among_the_others():
    sweep = sweep_from(RATES)
    runner = MadeUpRunner(best_rate, lambda settings, epoch: 1.0 + epoch if settings.optimizer.learning_rate == 1e-3 else 0.9)
    folder, complete = work(sweep, runner)
    assert complete
    assert list(folder.record.ruled_out) == [3]
    swept = outcome_of(sweep, folder, runner.look(), complete)
    assert [one.state for one in swept.trials] == ["done", "done", "ruled out"]
    assert swept.trials[2].reason.startswith("Ruled out after epoch 1: held-out pictures are worse than in trial")
    assert runner.done[folder.trial(3)] < runner.epochs
    assert work(sweep, runner)[1], "it stays stopped"
    assert runner.states[folder.trial(3)] == "paused"


def test_a_trial_that_was_ruled_out_by_a_process_that_then_died_is_stopped_by_the_next():
    sweep, runner = sweep_from(RATES), MadeUpRunner(best_rate)
    folder = SweepFolder.of(sweep, Path("runs/rates"))
    folder.record.trials, folder.record.ruled_out = [{"optimizer.learning_rate": 1e-4}], {1: "Ruled out."}
    folder.root.mkdir(parents=True)
    folder.save()
    runner.submit(folder.trial(1), sweep.settings, "quick")
    runner.look()
    work(sweep, runner)
    assert runner.states[folder.trial(1)] == "paused"


def test_nothing_is_stopped_early_where_that_is_off():
    sweep = sweep_from({**RATES, "stop_early": False})
    runner = MadeUpRunner(best_rate, lambda settings, epoch: 1.0 + epoch if settings.optimizer.learning_rate == 1e-3 else 0.9)
    folder, _ = work(sweep, runner)
    assert folder.record.ruled_out == {}


def test_cancelled_it_pauses_what_runs_and_goes_on_with_each_trial_once():
    sweep, looks = sweep_from(RATES), []
    runner = MadeUpRunner(best_rate, devices=1)

    def cancelled():
        looks.append(1)
        return len(looks) > 3

    folder, complete = work(sweep, runner, cancelled)
    assert not complete
    assert set(runner.states.values()) == {"paused"}
    assert work(sweep, runner)[1]
    assert runner.submitted == ["trial-1", "trial-2", "trial-3"]
    assert folder.trial(1).is_dir()


def test_trials_that_an_earlier_process_asked_to_end_are_waited_for_and_go_on():
    class Ending(MadeUpRunner):
        """One trial is asked to end, and does at the third look."""

        looks = 0

        def look(self):
            self.looks += 1
            if self.looks == 3:
                self.states = dict.fromkeys(self.states, "paused")
            if self.looks >= 3:
                return super().look()
            return {folder: TrialStatus("running", ending=True) for folder in self.states}

    sweep = sweep_from(RATES)
    runner = Ending(best_rate)
    folder = SweepFolder.of(sweep, Path("runs/rates"))
    folder.record.trials = [{"optimizer.learning_rate": 1e-4}]
    folder.root.mkdir(parents=True)
    folder.save()
    runner.submit(folder.trial(1), sweep.settings, "quick")
    assert work(sweep, runner)[1]
    assert runner.states[folder.trial(1)] == "done"


def test_the_winner_of_short_trials_is_trained_in_full():
    sweep = sweep_from({**RATES, "share": 0.3})
    folder, _ = work(sweep, runner := MadeUpRunner(best_rate))
    assert runner.submitted == ["trial-1", "trial-2", "trial-3", "in-full"]
    lengths = {path.name: settings.training.epochs for path, settings in runner.settings.items()}
    assert lengths == {"trial-1": 3, "trial-2": 3, "trial-3": 3, "in-full": 10}
    full = runner.settings[folder.in_full]
    assert (full.name, full.optimizer.learning_rate) == ("toy", 1e-4)


def test_a_ladder_ends_with_its_winner_in_full(tmp_path):
    (tmp_path / "toy.toml").write_text(settings_toml(sweep_from(RATES).settings), encoding="utf-8")
    runner = MadeUpRunner(lambda settings: 0.5 + settings.network.rank / 100)
    work(ladder("toy.toml"), runner, root="runs/ladder")
    assert len(runner.submitted) == 7
    assert runner.settings[Path("runs/ladder/in-full")].network.rank == 16


def test_out_of_time_no_trial_begins_and_what_was_tried_is_judged():
    sweep = sweep_from({**RATES, "hours": 1e-9})
    folder, complete = work(sweep, runner := MadeUpRunner(best_rate))
    assert complete
    assert runner.submitted == ["trial-1"]
    assert outcome_of(sweep, folder, runner.look(), complete).recommended.number == 1


def test_a_guided_search_goes_where_the_verdicts_are_good():
    pytest.importorskip("optuna", reason="optuna is not installed (the extra sweep)")
    vary = {"network.rank": {"from": 1, "to": 64}}
    sweep = sweep_from({**RATES, "vary": vary, "search": "tpe", "trials": 16})
    runner = MadeUpRunner(lambda settings: 0.9 - abs(settings.network.rank - 50) / 60, devices=1)
    folder, _ = work(sweep, runner)
    ranks = [values["network.rank"] for values in folder.record.trials]
    early, late = ranks[:6], ranks[10:]
    assert sum(abs(rank - 50) for rank in late) < sum(abs(rank - 50) for rank in early)


def test_a_guided_search_that_goes_on_asks_the_same(tmp_path):
    pytest.importorskip("optuna", reason="optuna is not installed (the extra sweep)")
    vary = {"network.rank": {"from": 1, "to": 64}, "network.kind": ["lora", "lokr"]}
    sweep = sweep_from({**RATES, "vary": vary, "search": "tpe", "trials": 4})
    asked = []
    for root in ("runs/a", "runs/b"):
        runner = MadeUpRunner(lambda settings: settings.network.rank / 64, devices=1)
        looks = iter(range(1000))
        if root == "runs/b":
            work(sweep, runner, lambda looks=looks: next(looks) > 6, root)
        work(sweep, runner, root=root)
        asked.append(json.loads((Path(root) / "sweep.json").read_text())["trials"][:2])
    assert asked[0] == asked[1]
