"""A training as a job: stopped, it goes on and ends in the same LoRA; another run in its place is left alone."""

import pytest

from lorasmith.errors import InputError, SettingsError
from lorasmith.evaluation.run_list import listed_run
from lorasmith.jobs.enqueue import checked
from lorasmith.jobs.journal import Progressed, read_journal
from lorasmith.jobs.kinds.train import KIND, TrainArguments
from lorasmith.jobs.training import start_training
from lorasmith.jobs.work import StoppedEarly, Work
from lorasmith.jobs.workspace import JobFolder


@pytest.fixture
def work_on(tmp_path, monkeypatch):
    """A function that makes the work of one more process on the same job, in the workspace."""
    monkeypatch.chdir(tmp_path)
    folder = JobFolder(tmp_path / "job")
    folder.root.mkdir()
    return lambda: Work(folder)


def stopped_after(work, step):
    """Have the work be asked to stop after a step of the training."""
    report = work.report

    def and_stop(done, of, doing, *more):
        report(done, of, doing, *more)
        if doing == "training" and done == step:
            work.stop()

    work.report = and_stop
    return work


def test_a_training_that_was_stopped_ends_in_the_same_bytes_as_one_that_was_not(settings_for, work_on, tmp_path):
    settings = settings_for()
    arguments = TrainArguments(settings=settings.model_dump(mode="json"), out="runs/queued")
    with pytest.raises(StoppedEarly):
        KIND.run(arguments, stopped_after(work_on(), 2))
    outcome = KIND.run(arguments, work_on())
    assert outcome == {"run": "runs/queued", "file": "runs/queued/checkpoints/toy.safetensors"}
    in_one_go = start_training(settings, tmp_path / "runs/in-one-go")
    assert (tmp_path / outcome["file"]).read_bytes() == in_one_go.file.read_bytes()
    steps = [
        event.done for _, event in read_journal(work_on().folder.events).events if isinstance(event, Progressed) and event.unit == "step"
    ]
    assert steps[-1] == in_one_go.step
    assert KIND.run(arguments, work_on()) == outcome, "a finished run is left as it is"


def test_another_run_in_the_same_place_is_refused_and_left_alone(settings_for, work_on, tmp_path):
    other = tmp_path / "runs/toy"
    other.mkdir(parents=True)
    (other / "settings.toml").write_text("mine", encoding="utf-8")
    arguments = TrainArguments(settings=settings_for().model_dump(mode="json"))
    for _ in range(2):
        with pytest.raises(SettingsError, match=r"The run folder runs/toy is not empty"):
            KIND.run(arguments, work_on())
    assert [file.name for file in other.iterdir()] == ["settings.toml"]


@pytest.mark.parametrize("arguments", [{}, {"settings_file": "a.toml", "run": "runs/a"}])
def test_a_training_has_one_source(arguments):
    with pytest.raises(InputError, match="one of settings, settings_file, run must be given"):
        checked("train", arguments)


def test_a_training_can_judge_itself_at_its_end(settings_for, work_on, tmp_path):
    work = work_on()
    done, states = [], []

    def report(count, of, doing, *more):
        done.append(doing)
        states.append(listed_run("runs/judged").state)

    work.report = report
    arguments = TrainArguments(settings=settings_for().model_dump(mode="json"), out="runs/judged", prove="quick")
    outcome = KIND.run(arguments, work)
    assert outcome["file"] == "runs/judged/checkpoints/toy.safetensors"
    assert outcome["verdict"]
    assert (tmp_path / outcome["proof"] / "verdict.json").is_file()
    assert [doing for doing in dict.fromkeys(done) if doing in ("training", "proving")] == ["training", "proving"]
    assert {state for doing, state in zip(done, states, strict=True) if doing == "proving"} == {"judging"}
    assert listed_run("runs/judged").state == "finished"
