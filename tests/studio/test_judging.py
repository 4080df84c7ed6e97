"""Pictures are judged by a process of its own, which comes when it is asked and goes when it is not."""

import sys
import time

import pytest
from PIL import Image

from lorasmith.curation.audit.dataset import audit_dataset
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene
from lorasmith.errors import DatasetError
from lorasmith.studio.judging import Question, judge_beside, judged, judgement_of


@pytest.fixture
def question(tmp_path):
    (tmp_path / "dataset").mkdir()
    for number in range(3):
        draw_scene(random_scene(number)).save(tmp_path / "dataset" / f"{number}.png")
    return Question(tmp_path / "dataset", "character", 1024, tmp_path / "cache", within=600.0)


@pytest.fixture
def judge():
    judge = judge_beside()
    yield judge
    judge.end()


def test_its_answer_is_that_of_an_audit_and_one_process_gives_all(judge, question, tmp_path):
    answer = judge(question)
    assert answer == judged(question)
    assert answer.pictures == 3
    assert answer.counts["audit.too_small"] == 3
    process = judge._process
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError) as refused:
        judge(Question(tmp_path / "empty", None, 1024, tmp_path / "cache", within=600.0))
    assert refused.value.code == "dataset.no_pictures"
    assert judge(question) == answer
    assert judge._process is process


def test_what_is_switched_off_later_is_as_if_nobody_had_looked_for_it(question):
    Image.new("RGBA", (300, 300), (200, 30, 30, 90)).save(question.root / "clear.png")
    draw_scene(random_scene(3)).convert("L").save(question.root / "grey.png")
    off = {"audit.too_small", "audit.greyscale", "audit.set_too_small"}
    everything = judged(question)
    assert off < set(everything.counts)
    audit = audit_dataset(question.root, kind="character", resolution=1024, without=off)
    found, wanted = everything.without(off), judgement_of(audit)
    assert (found.score, found.counts, found.codes, found.need_a_look) == (wanted.score, wanted.counts, wanted.codes, wanted.need_a_look)
    assert dict(found.why) == dict(wanted.why)
    assert found.safe == wanted.safe != everything.without({"audit.transparent"}).safe == ()
    assert list(found.findings.unpacked(range(len(found.findings)))) == audit.gravest_first
    assert everything.without(()) == everything


def test_one_that_was_killed_is_replaced_by_another(judge, question):
    judge(question)
    judge._process.kill()
    judge._process.wait()
    assert judge(question).pictures == 3


def test_one_that_ends_without_an_answer_says_so(judge, question, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(judge, "program", (sys.executable, "-c", "exit(7)"))
        with pytest.raises(RuntimeError, match="7"):
            judge(question)
    assert judge(question).pictures == 3


def test_it_ends_when_nothing_is_asked_of_it(question):
    judge = judge_beside(idle=0.0)
    judge(question)
    deadline = time.monotonic() + 300
    while judge._process is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert judge._process is None
    assert judge(question).pictures == 3, "the next question starts another"
    judge.end()
