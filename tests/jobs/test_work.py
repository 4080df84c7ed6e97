"""What a job's function reports, and what it remembers over its processes."""

import pytest

from lorasmith.jobs.journal import Journal, Progressed, Said, latest_progress, read_journal
from lorasmith.jobs.work import StoppedEarly, Work
from lorasmith.jobs.workspace import JobFolder


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def work(tmp_path, clock):
    return Work(JobFolder(tmp_path), clock)


def progress_of(work):
    return [event for _, event in read_journal(work.folder.events).events if isinstance(event, Progressed)]


def test_progress_has_rate_and_time_left_and_is_not_reported_more_often_than_anybody_looks(work, clock):
    progress = work.progress("tagging", "picture")
    for done in range(101):
        progress(done, 100)
        clock.now += 0.0625
    reported = progress_of(work)
    assert [event.done for event in (reported[0], reported[-1])] == [0, 100]
    assert len(reported) == 1 + 100 // 4
    halfway = next(event for event in reported if event.done == 52)
    assert (halfway.rate, halfway.eta, halfway.place) == (16.0, 3.0, "tagging, picture 52 of 100")


def test_a_job_that_goes_on_counts_its_rate_from_where_it_was(work, clock):
    progress = work.progress("tagging", "picture")
    progress(60, 100)
    clock.now += 2
    progress(80, 100)
    assert progress_of(work)[-1] == Progressed(80, 100, "picture", "tagging", 10.0, 2.0)


def test_work_that_cannot_ask_is_stopped_between_two_pieces_but_not_after_the_last(work):
    progress = work.progress_or_stop("mending", "picture")
    progress(1, 3)
    work.stop()
    with pytest.raises(StoppedEarly):
        progress(2, 3)
    progress(3, 3)


def test_what_the_first_process_found_is_what_later_ones_get(work, tmp_path):
    assert work.once("pictures", lambda: {"cat.png": "1"}) == {"cat.png": "1"}
    assert Work(JobFolder(tmp_path)).once("pictures", dict) == {"cat.png": "1"}


def test_a_job_owns_what_it_made_itself(work, tmp_path):
    mine, yours, empty = tmp_path / "mine.safetensors", tmp_path / "yours.safetensors", tmp_path / "empty"
    yours.touch()
    empty.mkdir()
    assert (work.owns(mine), work.owns(yours), work.owns(empty)) == (True, False, True)
    mine.touch()
    (empty / "picture.png").touch()
    later = Work(JobFolder(tmp_path))
    assert (later.owns(mine), later.owns(yours), later.owns(empty)) == (True, False, True)


def test_a_line_that_a_kill_cut_short_costs_that_line_alone(tmp_path):
    file = tmp_path / "events.jsonl"
    Journal(file)(Said("one"))
    file.write_bytes(file.read_bytes() + b'{"event": "Said", "ti')
    Journal(file)(Said("two"))
    assert [event.words for _, event in read_journal(file).events] == ["one", "two"]


def test_a_journal_is_read_on_from_where_it_was(tmp_path):
    file = tmp_path / "events.jsonl"
    assert read_journal(file) == ([], 0)
    Journal(file)(Said("one"))
    _, offset = read_journal(file)
    file.write_bytes(file.read_bytes() + b'{"event": "Said"')
    assert read_journal(file, offset) == ([], offset)
    Journal(file)(Said("three"))
    assert [event.words for _, event in read_journal(file, offset).events] == ["three"]


def test_the_latest_progress_is_found_behind_many_words(tmp_path):
    file = tmp_path / "events.jsonl"
    assert latest_progress(file) is None
    Journal(file)(Progressed(1, 2, "step", "training"))
    for _ in range(300):
        Journal(file)(Said("words " * 20))
    assert latest_progress(file).done == 1
