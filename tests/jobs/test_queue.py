"""The queue: the order of jobs, what may be asked of them, and a file that cannot be used."""

import itertools
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from lorasmith.errors import InputError, LorasmithError
from lorasmith.jobs import database
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.workspace import Workspace


@pytest.fixture
def queue(tmp_path):
    with Queue(tmp_path) as opened:
        yield opened


def add(queue, kind="audit", needs="cpu", **more):
    return queue.add(kind, {"dataset": "anna"}, needs, **more)


def claimed(queue, needs="cpu"):
    return [job.id for job in iter(lambda: queue.claim(needs, "cpu"), None)]


def test_jobs_are_taken_by_priority_then_in_the_order_in_which_they_came(queue):
    for priority in (0, 0, 5, 0):
        add(queue, priority=priority)
    assert claimed(queue) == [3, 1, 2, 4]


def test_a_job_waits_for_what_it_needs(queue):
    add(queue, "train", "accelerator")
    assert queue.claim("cpu", "cpu") is None
    job = queue.claim("accelerator", "cuda:0")
    assert (job.state, job.device, job.attempts, job.arguments) == ("running", "cuda:0", 1, {"dataset": "anna"})


def test_processes_that_claim_at_once_take_each_job_once(tmp_path):
    with Queue(tmp_path) as queue:
        for _ in range(60):
            add(queue)

    def take_all(_):
        with Queue(tmp_path) as own:
            return claimed(own)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(itertools.chain(*pool.map(take_all, range(4)))) == list(range(1, 61))


@pytest.mark.parametrize(
    ("request_", "asked", "answered"),
    [("pause", "pausing", "paused"), ("stop", "stopping", "stopped"), ("cancel", "cancelling", "cancelled")],
)
def test_what_waits_obeys_at_once_and_what_runs_is_asked(queue, request_, asked, answered):
    add(queue), add(queue)
    assert queue.request(2, request_).state == answered
    queue.claim("cpu", "cpu")
    assert queue.request(1, request_).state == asked
    assert queue.claim("cpu", "cpu") is None


def test_a_paused_job_keeps_its_place_and_a_stopped_one_goes_to_the_end(queue):
    for _ in range(3):
        add(queue)
    queue.request(1, "pause"), queue.request(2, "stop")
    assert queue.resume(1).state == queue.resume(2).state == "queued"
    assert claimed(queue) == [1, 3, 2]


def test_jobs_that_are_paused_one_by_one_stay_in_their_order_when_they_rest_and_when_they_go_on(queue):
    for _ in range(5):
        add(queue)
    for id in (2, 3, 4):
        queue.request(id, "pause")
    assert [job.id for job in queue.jobs()] == [1, 2, 3, 4, 5]
    for id in (4, 3, 2):
        queue.resume(id)
    assert [job.id for job in queue.jobs()] == claimed(queue) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("id", "position", "order"), [(5, 1, [5, 1, 2, 3, 4]), (5, 2, [1, 2, 5, 3, 4]), (1, 9, [2, 3, 4, 5, 1])])
def test_a_paused_job_stays_between_the_same_two_when_another_one_is_moved(queue, id, position, order):
    for _ in range(5):
        add(queue)
    queue.request(2, "pause"), queue.request(4, "pause")
    queue.move(id, position)
    queue.resume(2), queue.resume(4)
    assert claimed(queue) == order


@pytest.mark.parametrize(
    ("request_", "asked", "answered"), [("pause", "pausing", "paused"), ("stop", "stopping", "stopped"), ("cancel", "stopping", "stopped")]
)
def test_what_is_asked_of_a_job_is_asked_of_those_that_it_has_begun_and_a_cancelled_one_leaves_them_to_go_on(
    queue, request_, asked, answered
):
    add(queue, "sweep")
    queue.claim("cpu", "cpu")
    for _ in range(3):
        add(queue, "train", "accelerator", begun_by=1)
    add(queue, "train", "accelerator")
    queue.claim("accelerator", "machine"), queue.claim("accelerator", "machine")
    queue.end(3, "failed")
    queue.request(1, request_)
    assert [queue.get(id).state for id in (2, 3, 4, 5)] == [asked, "failed", answered, "queued"]
    assert queue.end(2, answered).state == answered
    assert queue.resume(4).state == "queued"


def test_what_a_job_begins_while_it_is_cancelled_is_stopped_when_it_has_ended(queue):
    add(queue, "sweep")
    queue.claim("cpu", "cpu")
    queue.request(1, "cancel")
    add(queue, "train", "accelerator", begun_by=1)
    queue.end(1, "cancelled")
    assert queue.get(2).state == "stopped"


def test_a_failed_or_cancelled_job_can_be_tried_again(queue):
    add(queue)
    queue.claim("cpu", "cpu")
    assert queue.end(1, "failed", "The folder anna is not there.").sentence == "The folder anna is not there."
    assert queue.retry(1).sentence == ""
    assert queue.claim("cpu", "cpu").attempts == 2


def test_what_was_dismissed_stays_so_until_it_is_tried_again(tmp_path):
    with Queue(tmp_path) as queue:
        add(queue)
        with pytest.raises(InputError, match="is queued, so nobody can dismiss it"):
            queue.dismiss(1)
        queue.claim("cpu", "cpu")
        assert not queue.end(1, "failed", "The folder anna is not there.").dismissed
        assert queue.dismiss(1).dismissed
    with Queue(tmp_path) as queue:
        assert (queue.get(1).state, queue.get(1).dismissed) == ("failed", True)
        assert not queue.retry(1).dismissed


def test_a_queue_of_an_earlier_version_is_taken_over(tmp_path, monkeypatch):
    place = Workspace.at(tmp_path)
    place.jobs.mkdir(parents=True)
    monkeypatch.setattr(database, "VERSIONS", database.VERSIONS[:1])
    db, _ = database.open_database(place.database, place.jobs)
    db.execute(
        "INSERT INTO jobs (kind, arguments, needs, state, project, priority, place, created) VALUES ('audit', '{}', 'cpu', 'failed', '', 0, 1, 0)"
    )
    db.close()
    monkeypatch.undo()
    with Queue(tmp_path) as queue:
        assert queue.note == ""
        assert queue.dismiss(1).dismissed
        assert add(queue).id == 2


@pytest.mark.parametrize("wish", ["pause", "resume", "retry", "move", "save"])
def test_what_a_job_in_its_state_cannot_do_is_refused_in_a_sentence(queue, wish):
    add(queue)
    queue.claim("cpu", "cpu")
    queue.end(1, "done")
    wishes = {"pause": lambda: queue.request(1, "pause"), "move": lambda: queue.move(1, 1), "save": lambda: queue.send(1, "save")}
    with pytest.raises(InputError, match=rf"^Job 1 \(audit\) is done, so nobody can {wish}") as refused:
        wishes.get(wish, lambda: getattr(queue, wish)(1))()
    assert refused.value.code == "jobs.state"


def test_an_unknown_job_is_refused(queue):
    with pytest.raises(InputError, match="There is no job 7"):
        queue.get(7)


@pytest.mark.parametrize(
    ("id", "position", "order"),
    [(4, 1, [4, 3, 1, 2]), (3, 9, [1, 2, 4, 3]), (4, 2, [3, 4, 1, 2]), (1, 3, [3, 2, 1, 4]), (2, 4, [3, 1, 4, 2])],
)
def test_a_job_is_moved_whatever_its_priority(queue, id, position, order):
    for priority in (0, 0, 5, 0):
        add(queue, priority=priority)
    queue.move(id, position)
    assert [job.id for job in queue.jobs(["queued"])] == claimed(queue) == order


def test_the_list_has_what_runs_then_what_waits_then_what_has_ended_lately(queue):
    for _ in range(4):
        add(queue)
    queue.claim("cpu", "cpu"), queue.claim("cpu", "cpu")
    queue.end(1, "done")
    queue.request(4, "cancel")
    assert [(job.id, job.state) for job in queue.jobs()] == [(2, "running"), (3, "queued"), (4, "cancelled"), (1, "done")]


def test_what_a_running_job_is_sent_is_taken_once_and_not_by_a_later_process(queue):
    add(queue, "train", "accelerator")
    queue.claim("accelerator", "cpu")
    queue.send(1, "save"), queue.send(1, "sample")
    assert queue.commands(1) == ["save", "sample"]
    queue.send(1, "save")
    queue.end(1, "interrupted")
    queue.claim("accelerator", "cpu")
    assert queue.commands(1) == []


def test_a_process_that_ends_late_does_not_overwrite_what_was_decided_meanwhile(queue):
    add(queue)
    queue.claim("cpu", "cpu")
    queue.end(1, "interrupted", interrupted_at="3")
    assert queue.end(1, "done").state == "interrupted"


def test_numbers_of_a_lost_queue_are_not_given_again(tmp_path):
    (tmp_path / ".lorasmith/jobs/41").mkdir(parents=True)
    with Queue(tmp_path) as queue:
        assert add(queue).id == 42


def newer(path):
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()


def garbage(path):
    path.write_bytes(b"no database at all, " * 400)


def torn(path):
    data = bytearray(path.read_bytes())
    data[4096:8192] = b"\xff" * 4096
    path.write_bytes(data)


@pytest.mark.parametrize(("harm", "reason"), [(newer, "was written by a newer Lorasmith"), (garbage, "is damaged"), (torn, "is damaged")])
def test_a_queue_that_cannot_be_read_is_set_aside_and_begins_empty(tmp_path, harm, reason):
    with Queue(tmp_path) as queue:
        add(queue)
        path = queue.workspace.database
    harm(path)
    harmed = path.read_bytes()
    with Queue(tmp_path) as queue:
        assert reason in queue.note
        assert queue.jobs() == []
        add(queue)
    (aside,) = path.parent.glob("jobs-aside-*.db")
    assert aside.name in queue.note
    assert aside.read_bytes() == harmed
    with Queue(tmp_path) as queue:
        assert queue.note == ""
        assert len(queue.jobs()) == 1


def test_a_workspace_that_cannot_be_written_to_gets_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="give a workspace that can be written to") as refused:
        Queue(tmp_path / "file")
    assert refused.value.code == "jobs.workspace"


def test_a_full_disk_gets_a_sentence_and_loses_nothing(queue):
    add(queue)
    pages = queue._db.execute("PRAGMA page_count").fetchone()[0]
    queue._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(LorasmithError, match="make room on the disk") as refused:
        queue.add("audit", {"dataset": "a" * 100_000}, "cpu")
    assert refused.value.code == "jobs.disk_full"
    assert [job.id for job in queue.jobs()] == [1]


def test_on_a_network_file_system_the_journal_is_a_file(tmp_path, monkeypatch):
    with Queue(tmp_path / "local") as queue:
        assert queue._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    monkeypatch.setattr(database, "NETWORK_FILE_SYSTEMS", {mount.fstype for mount in database.psutil.disk_partitions(all=True)})
    with Queue(tmp_path / "far") as queue:
        assert queue._db.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
        add(queue)
        assert claimed(queue) == [1]
