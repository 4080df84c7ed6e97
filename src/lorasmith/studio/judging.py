"""What is wrong with a dataset's pictures, found by a process of its own: the libraries for it and the measures of 10,000 pictures take
200 MB, which the server does without. It ends when nothing was asked of it for a while, and with the server.

    judge = Judge()
    judge(Question(folder, "character", 1024, cache, within=0.5)).findings
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lorasmith.curation.audit.set_signs import LoraKind
from lorasmith.errors import LorasmithError
from lorasmith.findings import Finding

IDLE = 60.0
"""Seconds without a question after which the process ends."""

PROGRAM = (sys.executable, "-P", "-c", "from lorasmith.studio.judging import main; main()")


@dataclass(frozen=True)
class Question:
    """What is to be judged, and for what."""

    root: Path
    kind: LoraKind | None
    resolution: int
    cache: Path
    within: float
    """Seconds to look at pictures that nobody has measured yet."""


@dataclass(frozen=True)
class Judgement:
    """What an audit found, without the measures of the pictures."""

    resolution: int
    pictures: int
    left_out: int
    """Pictures that were not looked at."""
    score: int
    why: tuple[tuple[str, float], ...]
    """Which points of 100 were lost for what, the most first."""
    counts: Mapping[str, int]
    """Code of a finding -> how many, the gravest first."""
    findings: tuple[Finding, ...]
    """The gravest first."""


def judged(question: Question) -> Judgement:
    """The answer, found in this process. Raises DatasetError where there is no such folder, or no picture in it."""
    from lorasmith.curation.audit.dataset import audit_dataset

    audit = audit_dataset(question.root, kind=question.kind, resolution=question.resolution, cache=question.cache, within=question.within)
    pictures = len(audit.pictures)
    return Judgement(audit.resolution, pictures, audit.left_out, audit.score, audit.why, audit.counts, tuple(audit.gravest_first))


class Judge:
    """Has questions answered one after the other, in a process that is started when there is one."""

    def __init__(self, idle: float = IDLE) -> None:
        self.idle = idle
        self._process: subprocess.Popen[bytes] | None = None
        self._end: threading.Timer | None = None
        self._asking = threading.Lock()

    def __call__(self, question: Question) -> Judgement:
        """As `judged`. Raises RuntimeError where the process was killed meanwhile."""
        with self._asking:
            if self._end is not None:
                self._end.cancel()
            answer = self._answer(question)
            self._end = threading.Timer(self.idle, self.end)
            self._end.daemon = True
            self._end.start()
        if isinstance(answer, LorasmithError):
            raise answer
        return answer

    def _answer(self, question: Question) -> Judgement | LorasmithError:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            pickle.dump(question, process.stdin)
            process.stdin.flush()
            answer: Judgement | LorasmithError = pickle.load(process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            self._process = None
            process.kill()
            raise RuntimeError(f"the process that judges pictures ended ({process.wait()})") from error
        return answer

    def end(self) -> None:
        """End the process, if there is one; the next question starts another."""
        with self._asking:
            if self._process is not None:
                self._process.communicate()  # says that there are no more questions
                self._process = None


def main() -> None:
    """Answer each question that comes, until there are no more."""
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # whatever a library prints is no answer
    while True:
        try:
            question: Question = pickle.load(questions)
        except EOFError:
            return
        answer: Judgement | LorasmithError
        try:
            answer = judged(question)
        except LorasmithError as error:
            answer = error
        pickle.dump(answer, answers)
        answers.flush()
