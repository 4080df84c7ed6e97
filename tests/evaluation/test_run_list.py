"""The list of runs: what their folders say, whoever began them."""

import pytest

from lorasmith.evaluation.run_list import TAIL, ListedRun, list_runs, listed_run
from lorasmith.training import events
from lorasmith.training.records.event_log import EventLog
from lorasmith.training.records.run_folder import RunFolder


def step(number):
    return events.StepDone(number, 1, 0.5, {}, 0.1, eta=float(100 - number))


@pytest.fixture
def begun(settings_for, tmp_path):
    """A function that makes a run with events."""

    def make(place, *happened):
        run = RunFolder(tmp_path / place)
        run.create(settings_for())
        log = EventLog(run.events)
        for event in (events.Planned(100, 4, 5, 25, 1000), *happened):
            log(event)
        log.close()
        return run

    return make


@pytest.mark.parametrize(
    ("happened", "state", "done", "note"),
    [
        ([step(1), events.Finished(100, 9.0, "a.safetensors")], "finished", 100, ""),
        ([step(7), events.Stopped(7, "Stopped after step 7.")], "stopped", 7, "Stopped after step 7."),
        ([step(7), events.Stopped(7, "Stopped."), events.Resumed(7), step(9)], "killed", 9, ""),
        ([], "killed", 0, ""),
    ],
)
def test_a_run_is_known_by_its_last_events(begun, happened, state, done, note):
    run = listed_run(begun("runs/anna", *happened).root)
    assert (run.state, run.step, run.steps, run.eta, run.note) == (state, done, 100, None, note)


def test_a_run_that_a_process_works_on_is_running_and_has_a_time_left(begun):
    run = begun("runs/anna", step(40))
    with run.in_use():
        listed = listed_run(run.root)
    assert (listed.state, listed.step, listed.eta) == ("running", 40, 60.0)


def test_a_finished_run_is_being_judged_while_a_process_is_at_it(begun):
    run = begun("runs/anna", step(99), events.Finished(100, 9.0, "a.safetensors"))
    with run.being_judged(), run.being_judged():  # a training that judges itself, and the judging
        assert listed_run(run.root).state == "judging"
    assert listed_run(run.root).state == "finished"


def test_of_a_long_run_the_end_is_read(begun):
    run = begun("runs/anna", *map(step, range(1, 3000)))
    assert run.events.stat().st_size > 500_000
    listed = listed_run(run.root)
    assert (listed.step, listed.steps) == (2999, 100)


def test_runs_are_found_in_projects_the_latest_first_and_one_that_cannot_be_read_is_listed(begun, tmp_path):
    begun("projects/anna/runs/anna-1", step(1))
    begun("runs/bert", step(2))
    newer = begun("runs/carl")
    newer.events.write_text('{"event": "StepDone", "version": 99}\n', encoding="utf-8")
    (tmp_path / ".lorasmith/hidden").mkdir(parents=True)
    found = {str(run.folder.relative_to(tmp_path)): run.state for run in list_runs(tmp_path)}
    assert found == {"runs/bert": "killed", "projects/anna/runs/anna-1": "killed", "runs/carl": "unreadable"}
    assert list(found)[-1] == "runs/carl"
    assert [run.folder for run in list_runs(tmp_path / "runs/bert")] == [tmp_path / "runs/bert"]
    assert isinstance(list_runs(tmp_path)[0], ListedRun)


def test_a_run_whose_last_event_is_longer_than_what_is_read_first_has_its_step(begun):
    of_pictures = {f"anna/picture {number}.png": 0.5 for number in range(3000)}
    validation = events.ValidationDone(2, 40, 0.5, 0.5, 0.0, None, 0.0, None, 0.0, None, of_pictures, of_pictures)
    run = begun("runs/anna", *map(step, range(1, 41)), validation)
    assert run.events.stat().st_size > TAIL
    with run.in_use():
        listed = listed_run(run.root)
    assert (listed.state, listed.step, listed.eta) == ("running", 40, 60.0)
    assert listed.last_event > 0
