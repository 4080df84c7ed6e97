"""The supervisor: what runs beside what, and what becomes of jobs that are asked to end, fail, or lose their process."""

import os
import signal
import sys
import time

import pytest

from lorasmith.jobs import room
from lorasmith.jobs import supervisor as module
from lorasmith.jobs.journal import Ended, Progressed, Started, read_journal
from lorasmith.jobs.lock import is_held, take_lock
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.supervisor import Supervisor, supervise
from tests.jobs.made_up import KINDS, WORKER, counted

PATIENCE = 300.0


@pytest.fixture
def queue(tmp_path):
    with Queue(tmp_path) as opened:
        yield opened
        for job in opened.jobs(["running", "pausing", "stopping", "cancelling"]):
            if job.worker and is_held(opened.workspace.job(job.id).lock):
                os.kill(job.worker, signal.SIGKILL)


def add(queue, kind="count", **arguments):
    number = len(queue.jobs()) + 1
    return queue.add(kind, {"file": f"{number}.txt", "to": 3, **arguments}, KINDS[kind].needs)


def until(true, look):
    """Have the supervisor look at its jobs until something is true."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "waited in vain"
        look()
        time.sleep(0.02)


def at(queue, id, number):
    """Whether a job has counted that far."""
    return lambda: any(
        isinstance(event, Progressed) and event.done >= number for _, event in read_journal(queue.workspace.job(id).events).events
    )


def test_jobs_are_worked_through_each_with_its_log_and_journal(queue, tmp_path):
    for _ in range(3):
        add(queue)
    assert supervise(tmp_path, WORKER, idle=0.5)
    assert [(job.state, job.attempts, job.worker) for job in queue.jobs()] == [("done", 1, None)] * 3
    assert [(tmp_path / f"{number}.txt").read_bytes() for number in (1, 2, 3)] == [counted(3)] * 3
    events = [event for _, event in read_journal(queue.workspace.job(2).events).events]
    assert events[0] == Started(1, "cpu")
    assert [event.done for event in events if isinstance(event, Progressed)][-1] == 3
    assert events[-1] == Ended("done", "", {"file": "2.txt"})
    assert "Job 2 (count): done." in queue.workspace.job(2).log.read_text()


def test_a_second_supervisor_leaves_at_once(queue, tmp_path):
    add(queue)
    lock = take_lock(queue.workspace.supervisor_lock)
    assert not supervise(tmp_path, WORKER)
    assert queue.get(1).state == "queued"
    lock.release()


def test_one_job_runs_on_each_device_and_two_on_the_cpu(queue, monkeypatch):
    monkeypatch.setattr(module, "accelerators", lambda: ["GPU-a", "GPU-b"])
    started = []
    monkeypatch.setattr(Supervisor, "_start", lambda self, job: started.append((job.id, job.device)))
    for kind in ("draw", "count") * 4:
        add(queue, kind)
    ended = set()
    supervisor = Supervisor(queue, WORKER)
    monkeypatch.setattr(supervisor, "_has_ended", lambda job: job.id in ended)
    supervisor.look(), supervisor.look()
    assert started == [(1, "GPU-a"), (3, "GPU-b"), (2, "cpu"), (4, "cpu")]
    queue.end(1, "done")
    supervisor.look()
    assert len(started) == 4, "its process still has the device"
    ended.add(1)
    supervisor.look()
    assert started[4:] == [(5, "GPU-a")]


@pytest.mark.parametrize("request_", ["pause", "stop"])
def test_a_running_job_ends_when_asked_and_goes_on_where_it_was(queue, tmp_path, request_):
    add(queue, to=10_000)
    supervisor = Supervisor(queue, WORKER)
    until(at(queue, 1, 3), supervisor.look)
    queue.request(1, request_)
    until(lambda: queue.get(1).state in ("paused", "stopped"), supervisor.look)
    counted_before = (tmp_path / "1.txt").read_bytes()
    queue.resume(1)
    until(lambda: (tmp_path / "1.txt").read_bytes() != counted_before, supervisor.look)
    assert (tmp_path / "1.txt").read_bytes().startswith(counted_before)
    assert queue.get(1).attempts == 2


def test_a_job_that_is_resumed_while_its_last_process_is_still_leaving_waits_for_it(queue):
    add(queue)
    leaving = take_lock(queue.workspace.job(1).lock)
    supervisor = Supervisor(queue, WORKER)
    for _ in range(2):
        supervisor.look()
        assert (queue.get(1).state, queue.get(1).interrupted_at) == ("interrupted", "")
    leaving.release()
    until(lambda: queue.get(1).state == "done", supervisor.look)


@pytest.mark.parametrize("deaf", [False, True])
def test_a_cancelled_job_ends_even_where_it_does_not_listen(queue, deaf):
    add(queue, to=10_000, deaf=deaf)
    supervisor = Supervisor(queue, WORKER)
    until(at(queue, 1, 2), supervisor.look)
    queue.request(1, "cancel")
    until(lambda: queue.get(1).state == "cancelled" and not is_held(queue.workspace.job(1).lock), supervisor.look)


def test_a_job_is_cancelled_while_its_process_starts(queue, monkeypatch):
    monkeypatch.setattr(module, "GRACE", 0.0)
    add(queue)
    supervisor = Supervisor(queue, [sys.executable, "-c", "import time; time.sleep(600)"])
    supervisor.look()
    queue.request(1, "cancel")
    until(lambda: queue.get(1).state == "cancelled", supervisor.look)


def test_a_device_that_an_earlier_supervisor_named_otherwise_is_not_taken_twice(queue, monkeypatch):
    add(queue, "draw"), add(queue, "draw")
    queue.claim("accelerator", "GPU-a")
    lock = take_lock(queue.workspace.job(1).lock)
    monkeypatch.setattr(module, "accelerators", lambda: ["machine"])
    Supervisor(queue, WORKER).look()
    assert [job.state for job in queue.jobs()] == ["running", "queued"]
    lock.release()


def test_on_a_disk_without_room_jobs_wait(queue, monkeypatch):
    add(queue)
    monkeypatch.setattr(room, "LEAST", 10**18)
    Supervisor(queue, WORKER).look()
    assert queue.get(1).state == "queued"
    assert room.room_wanted(queue.workspace).startswith(f"The disk of {queue.workspace.root} has ")


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        ("no such layer", "Lorasmith made a mistake (RuntimeError: no such layer). The log has more: lorasmith jobs log 1"),
        (
            "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8 GiB.",
            "It ran out of memory (CUDA out of memory.) End what else uses the memory, or make the job smaller",
        ),
    ],
)
def test_what_our_own_code_runs_into_is_told_in_a_sentence(queue, tmp_path, mistake, sentence):
    add(queue, mistake=mistake)
    supervise(tmp_path, WORKER, idle=0.3)
    assert queue.get(1).sentence.startswith(sentence)


def test_a_job_that_fails_says_why_and_can_be_retried(queue, tmp_path):
    add(queue, fails_at=1)
    supervise(tmp_path, WORKER, idle=0.3)
    assert queue.get(1).state == "failed"
    assert queue.get(1).sentence == "anna could not be used (No such file or directory). Fix that and retry the job."
    assert "FileNotFoundError" in queue.workspace.job(1).log.read_text()


def test_a_job_of_an_unknown_kind_fails_in_a_sentence(queue, tmp_path):
    queue.add("paint", {}, "cpu")
    supervise(tmp_path, WORKER, idle=0.3)
    assert queue.get(1).sentence == "Another version of Lorasmith added this job, and this one cannot read it. Add it again."


def test_a_killed_job_goes_on_and_one_that_is_killed_twice_at_the_same_place_fails(queue, tmp_path):
    add(queue, to=3, seconds=600)
    supervisor = Supervisor(queue, WORKER)
    until(at(queue, 1, 0), supervisor.look)
    os.kill(queue.get(1).worker, signal.SIGKILL)
    until(lambda: queue.get(1).attempts == 2, supervisor.look)
    until(
        lambda: len([1 for _, event in read_journal(queue.workspace.job(1).events).events if isinstance(event, Progressed)]) == 2,
        supervisor.look,
    )
    sentences = [event.sentence for _, event in read_journal(queue.workspace.job(1).events).events if isinstance(event, Ended)]
    assert sentences == ["It was ended by signal 9 (Killed). It was at counting, number 0 of 3, and is continued."]
    os.kill(queue.get(1).worker, signal.SIGKILL)
    until(lambda: queue.get(1).state == "failed", supervisor.look)
    assert queue.get(1).sentence == (
        "It was ended by signal 9 (Killed). That was the second time at the same place (counting, number 0 of 3). "
        "To try once more: lorasmith jobs retry 1"
    )
