"""Adding a job: what is wrong with its arguments is said before it waits."""

import signal
import time

import pytest
from pydantic import Field

from lorasmith.errors import InputError
from lorasmith.jobs.enqueue import again, checked, enqueue, request, send
from lorasmith.jobs.kind import Arguments, Kind
from lorasmith.jobs.kinds.registry import KINDS
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.worker import run_job


@pytest.mark.parametrize(
    ("kind", "arguments", "sentence"),
    [
        ("audti", {}, "There is no kind of job called 'audti'; did you mean 'audit'?"),
        (
            "audit",
            {"datset": "anna"},
            "A job of the kind audit needs dataset: Folder of pictures, or its URL in a store; folders in it are looked at, too.",
        ),
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
        (
            "audit",
            {"dataset": "anna", "without": ["dark", "grayscale"]},
            "without.1 of the job (audit): 'grayscale' is not a check of the audit; did you mean 'greyscale'?",
        ),
    ],
)
def test_wrong_arguments_get_a_sentence(kind, arguments, sentence):
    with pytest.raises(InputError) as refused:
        checked(kind, arguments)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("kind", "arguments", "setting"),
    [
        ("audit", {"dataset": "gone"}, "dataset"), ("audit", {"dataset": "owner/name"}, "dataset"), ("import", {"sources": ["a.zip"], "into": "anna"}, "sources"),
        ("tag", {"dataset": "anna", "tagger": "/gone"}, "tagger"), ("sample", {"base": "/gone", "prompts": ["a"], "out": "drawn"}, "base"),
        ("sample", {"base": "anna", "prompts": ["a"], "out": "drawn", "base_files": {"vae": "gone.safetensors"}}, "base_files"),
        ("merge", {"files": [{"file": "gone.safetensors"}], "out": "a.safetensors"}, "files"), ("prove", {"run": "runs/gone"}, "run"),
        ("mend", {"dataset": "anna", "changes": [{"way": "upscale", "parameters": {"pixels": 64, "network": "gone.safetensors"}}]}, "network"),
        ("train", {"settings_file": "gone.toml"}, None), ("train", {"run": "anna"}, "run"),
    ],
)  # fmt: skip
def test_a_job_that_could_not_begin_is_not_added(tmp_path, kind, arguments, setting):
    (tmp_path / "anna").mkdir()
    with Queue(tmp_path) as queue:
        with pytest.raises(InputError) as refused:
            enqueue(queue, kind, arguments, start=print)
        assert queue.jobs() == []
    assert refused.value.values.get("setting") == setting


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        ({"network": {"rank": -1}}, "network.rank"), ({"netwrok": {}}, "netwrok"), ({"base": {"path": "gone"}}, "base.path"),
        ({"datasets": [{"path": "gone"}]}, "datasets"), ({"schedule": {"lr_scheduler": "constant", "lr_warmup_steps": 3}}, "schedule.lr_warmup_steps"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["train", "cache"])
def test_settings_that_could_not_be_trained_with_are_refused_by_name(tmp_path, settings_for, kind, change, setting):
    settings = settings_for().model_dump(mode="json", exclude_unset=True) | change
    with Queue(tmp_path) as queue, pytest.raises(InputError) as refused:
        enqueue(queue, kind, {"settings": settings}, start=print)
    assert refused.value.values["setting"] == setting


def test_relative_paths_of_settings_start_from_the_workspace(tmp_path, settings_for, creatures):
    (tmp_path / "pictures").symlink_to(creatures)
    settings = settings_for().model_dump(mode="json", exclude_unset=True) | {"datasets": [{"path": "pictures"}]}
    with Queue(tmp_path) as queue:
        assert enqueue(queue, "train", {"settings": settings}, start=print).arguments["settings"]["datasets"] == [{"path": "pictures"}]


def test_what_a_job_before_it_makes_need_not_be_there_yet(tmp_path):
    (tmp_path / "a.zip").touch()
    with Queue(tmp_path) as queue:
        first = enqueue(queue, "import", {"sources": ["a.zip"], "into": "anna"}, start=print)
        assert enqueue(queue, "audit", {"dataset": "anna/10_hat"}, start=print).state == "queued"
        request(queue, first.id, "cancel", print)
        with pytest.raises(InputError, match=r"bert \(dataset\) does not exist"):
            enqueue(queue, "audit", {"dataset": "bert"}, start=print)


def test_each_wish_leaves_a_supervisor_at_work(tmp_path):
    (tmp_path / "anna").mkdir()
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


class WaveArguments(Arguments):
    times: int = Field(1, description="How often.")


@pytest.fixture
def sigterm():
    """What SIGTERM does, as it was before a job was worked on in this process."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("sigterm")
def test_a_kind_is_one_file_and_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(KINDS, "wave", Kind("Wave", WaveArguments, lambda arguments, work: {"waved": arguments.times}))
    with Queue(tmp_path) as queue:
        job = enqueue(queue, "wave", {"times": 3}, start=print)
        assert (job.kind, job.arguments) == ("wave", {"times": 3})
        queue.claim(job.needs, "cpu")
        queue.workspace.job(job.id).root.mkdir(parents=True)
        assert run_job(tmp_path, job.id, KINDS) == "done"
        assert queue.get(job.id).outcome == {"waved": 3}


@pytest.mark.usefixtures("sigterm")
def test_what_a_training_is_sent_reaches_it(tmp_path):
    def listen(arguments, work):
        with Queue(tmp_path) as own:
            send(own, 1, "sample")
        while not work.commands.take("sample"):
            time.sleep(0.01)
        return {"heard": True}

    with Queue(tmp_path) as queue:
        queue.add("train", {}, "accelerator")
        queue.claim("accelerator", "cpu")
        queue.workspace.job(1).root.mkdir(parents=True)
        run_job(tmp_path, 1, {"train": Kind("Listen", WaveArguments, listen)})
        assert queue.get(1).outcome == {"heard": True}


@pytest.mark.parametrize(
    ("kind", "arguments", "setting"),
    [
        ("audit", {"dataset": "anna"}, "dataset"), ("train", {"run": "anna"}, "run"),
        ("train", {"settings": {"name": "x", "base": {"path": "base"}, "datasets": [{"path": "anna"}]}}, "datasets"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("rest", ["pause", "stop", "cancel"])
def test_a_job_goes_on_only_where_what_it_reads_is_still_there(tmp_path, kind, arguments, setting, rest):
    with Queue(tmp_path) as queue:
        job = queue.add(kind, arguments, "cpu")
        at_rest = queue.request(job.id, rest).state
        with pytest.raises(InputError, match="anna .* does not exist") as refused:
            again(queue, job.id, start=print)
        assert refused.value.values["setting"] == setting
        assert queue.get(job.id).state == at_rest
        (tmp_path / "anna").mkdir()
        assert again(queue, job.id, start=print).state == "queued"
