"""Judging a run as a job: killed where nobody expects it, it goes on and finds what it finds undisturbed."""

import os
import shutil
import signal

import pytest
import torch

from lorasmith.evaluation.proof.record import PROOF
from lorasmith.jobs.kinds.prove import KIND, ProveArguments
from lorasmith.jobs.training import start_training
from lorasmith.jobs.work import Work
from lorasmith.jobs.workspace import JobFolder

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.fixture(scope="module")
def run(settings_with_cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("judged")
    start_training(settings_with_cache(folder / "cache", training={"epochs": 1}), folder / "run")
    return folder / "run"


def judged(folder, job, after=None):
    """Judge a run in a process of its own, which kills itself at its `after`-th report; how that ended."""
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)  # a fork has none of its parent's threads
        try:
            work, reports = Work(JobFolder(job)), []

            def report(*arguments):
                reports.append(arguments)
                if len(reports) == after:
                    os.kill(os.getpid(), signal.SIGKILL)

            work.report = report
            KIND.run(ProveArguments(run=folder, effort="quick", weights=[]), work)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def found(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted((folder / PROOF).rglob("*")) if path.is_file()}


def test_a_killed_proof_goes_on_and_finds_the_same(run, tmp_path):
    undisturbed, killed = (shutil.copytree(run, tmp_path / name / "run") for name in ("undisturbed", "killed"))
    (tmp_path / "job").mkdir()
    assert judged(undisturbed, tmp_path / "job") == 0
    assert [judged(killed, tmp_path / "job", after) for after in (1, 3)] == [-signal.SIGKILL] * 2
    assert judged(killed, tmp_path / "job") == 0
    assert found(killed) == found(undisturbed)
    assert not list(killed.rglob(".*.part"))
