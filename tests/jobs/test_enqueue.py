"""Adding a job: what is wrong with its arguments is said before it waits."""

import pytest

from lorasmith.errors import InputError
from lorasmith.jobs.enqueue import again, checked, enqueue, request, send
from lorasmith.jobs.queue import Queue


@pytest.mark.parametrize(
    ("kind", "arguments", "sentence"),
    [
        ("audti", {}, "There is no kind of job called 'audti'; did you mean 'audit'?"),
        ("audit", {"datset": "anna"}, "A job of the kind audit needs dataset: Folder of pictures; folders in it are looked at, too."),
        (
            "audit",
            {"dataset": "anna", "resolutoin": 512},
            "A job of the kind audit has no argument 'resolutoin'; did you mean 'resolution'?",
        ),
        (
            "audit",
            {"dataset": "anna", "resolution": 3},
            "resolution of the job (audit) cannot be 3: input should be greater than or equal to 64.",
        ),
    ],
)
def test_wrong_arguments_get_a_sentence(kind, arguments, sentence):
    with pytest.raises(InputError) as refused:
        checked(kind, arguments)
    assert str(refused.value) == sentence


def test_each_wish_leaves_a_supervisor_at_work(tmp_path):
    started = []
    with Queue(tmp_path) as queue:
        job = enqueue(queue, "audit", {"dataset": "anna"}, start=started.append)
        assert (job.kind, job.arguments, job.needs) == ("audit", {"dataset": "anna"}, "cpu")
        assert request(queue, job.id, "pause", started.append).state == "paused"
        assert again(queue, job.id, started.append).state == "queued"
        request(queue, job.id, "cancel", started.append)
        assert again(queue, job.id, started.append).state == "queued"
        assert started == [tmp_path] * 5
        with pytest.raises(InputError, match=r"Job 1 \(audit\) cannot save: only trainings can"):
            send(queue, job.id, "save")
