"""The course of a run is the same whether it is read at once or while it grows, and forgets what a resume discarded."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.training import events
from lorasmith.training.records.course import Curve, RunCourse
from lorasmith.training.records.event_log import EventLog, read_history


def step(number, loss=0.5):
    return events.StepDone(number, 1, loss, {"unet": 1e-4}, 0.1, loss_smoothed=loss, eta=3.0)


def written(path, happened):
    log = EventLog(path)
    for event in happened:
        log(event)
    log.close()


RUN = [
    events.Planned(6, 2, 3, 3, 100), *map(step, range(1, 4)), events.CheckpointSaved("a-000001.safetensors", 1, 3), *map(step, range(4, 6)),
    events.SampleReady("samples/x.png", "x", 1, 1, 5), events.Resumed(3), step(4, 0.25), step(5), step(6),
    events.CheckpointSaved("a.safetensors", 2, 6, final=True), events.Finished(6, 1.0, "a.safetensors"),
]  # fmt: skip


def test_the_course_of_a_run_has_its_curves_files_and_end(tmp_path):
    written(tmp_path / "events.jsonl", RUN)
    course = RunCourse(tmp_path / "events.jsonl")
    course.follow()
    assert list(course.curves["loss/step"].steps) == [1, 2, 3, 4, 5, 6]
    assert list(course.curves["loss/step"].values) == [0.5, 0.5, 0.5, 0.25, 0.5, 0.5]
    assert [one.path for one in course.checkpoints] == ["a-000001.safetensors", "a.safetensors"]
    assert course.samples == [], "drawn at a step that was discarded"
    assert isinstance(course.ending, events.Finished)
    assert course.offset == (tmp_path / "events.jsonl").stat().st_size


@given(st.lists(st.integers(0, 4000), max_size=12))
def test_a_run_that_is_followed_while_it_grows_is_the_same(tmp_path_factory, cuts):
    folder = tmp_path_factory.mktemp("run")
    written(folder / "whole.jsonl", RUN)
    raw = (folder / "whole.jsonl").read_bytes()
    course, path = RunCourse(folder / "events.jsonl"), folder / "events.jsonl"
    without_curves = RunCourse(path, curves=False)
    for end in [*sorted(min(cut, len(raw)) for cut in cuts), len(raw)]:
        path.write_bytes(raw[:end])
        course.follow()
        without_curves.follow()
        for fact in ("planned", "last_step", "ending", "last_time", "checkpoints", "samples", "offset"):
            assert getattr(without_curves, fact) == getattr(course, fact), fact
    assert without_curves.curves == {}
    at_once = RunCourse(folder / "whole.jsonl")
    at_once.follow()
    assert {name: (list(c.steps), list(c.values)) for name, c in course.curves.items()} == {
        name: (list(c.steps), list(c.values)) for name, c in at_once.curves.items()
    }
    assert (course.checkpoints, course.ending, course.offset) == (at_once.checkpoints, at_once.ending, at_once.offset)
    assert list(at_once.curves["loss/step"].steps) == [
        e.event.step for e in read_history(folder / "whole.jsonl") if isinstance(e.event, events.StepDone)
    ]


def test_a_run_without_events_is_an_empty_course(tmp_path):
    course = RunCourse(tmp_path / "events.jsonl")
    course.follow()
    assert (course.curves, course.offset, course.last_step) == ({}, 0, None)


def test_another_run_under_the_same_name_is_read_from_its_beginning(tmp_path):
    path = tmp_path / "events.jsonl"
    written(path, RUN)
    course = RunCourse(path)
    course.follow()
    path.unlink()
    written(path, [step(1)])
    course.follow()
    assert list(course.curves["loss/step"].steps) == [1]
    assert course.checkpoints == []


def test_steps_that_are_reported_twice_count_once(tmp_path):
    written(tmp_path / "events.jsonl", [step(1), step(2), step(1, 0.1), step(2, 0.2), step(3, 0.3)])
    course = RunCourse(tmp_path / "events.jsonl")
    course.follow()
    assert (list(course.curves["loss/step"].steps), list(course.curves["loss/step"].values)) == ([1, 2, 3], [0.1, 0.2, 0.3])


@pytest.mark.parametrize("most", [2, 10, 100])
def test_a_thinned_curve_keeps_its_highest_and_lowest(most):
    draw = random.Random(0)
    curve = Curve()
    for number in range(1, 1001):
        curve.add(number, draw.random())
    curve.values[500], curve.values[700] = 9.0, -9.0
    steps, values = curve.thinned(most)
    assert len(steps) <= most
    assert steps == sorted(set(steps))
    assert {9.0, -9.0} <= set(values)
    assert all(curve.values[at - 1] == value for at, value in zip(steps, values, strict=True))


def test_a_curve_that_is_short_enough_stays_as_it_is():
    curve = Curve()
    curve.add(1, 1.0)
    assert curve.thinned(2) == ([1], [1.0])
