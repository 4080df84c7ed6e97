"""Questions that a process of its own answers: what takes much memory is there while it is needed, and the server does without.

    judge = Beside("lorasmith.studio.judging")
    judge(question)

A module that answers has a function `main`, which gives `answer_questions` what answers one.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from lorasmith.errors import LorasmithError
from lorasmith.processes import APART

Question = TypeVar("Question")
Answer = TypeVar("Answer")

IDLE = 60.0
"""Seconds without a question after which the process ends."""


class Beside(Generic[Question, Answer]):
    """Has questions answered one after the other, in a process that is started when there is one, and ends with the server."""

    def __init__(self, module: str, idle: float = IDLE) -> None:
        self.program = (sys.executable, "-P", "-c", f"from {module} import main; main()")
        self.idle = idle
        self._process: subprocess.Popen[bytes] | None = None
        self._end: threading.Timer | None = None
        self._asking = threading.Lock()

    def __call__(self, question: Question) -> Answer:
        """The answer. Raises what the other process refused it with, or RuntimeError where that was killed meanwhile."""
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

    def _answer(self, question: Question) -> Answer | LorasmithError:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(self.program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **APART)
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            pickle.dump(question, process.stdin)
            process.stdin.flush()
            answer: Answer | LorasmithError = pickle.load(process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            self._process = None
            process.kill()
            raise RuntimeError(f"the process of {self.program[-1]!r} ended ({process.wait()})") from error
        return answer

    def end(self) -> None:
        """End the process, if there is one; the next question starts another."""
        with self._asking:
            if self._process is not None:
                self._process.communicate()  # says that there are no more questions
                self._process = None


def answer_questions(answer_to: Callable[[Question], Answer]) -> None:
    """In the other process: answer each question that comes, until there are no more."""
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # whatever a library prints is no answer
    while True:
        try:
            question: Question = pickle.load(questions)
        except EOFError:
            return
        answer: Answer | LorasmithError
        try:
            answer = answer_to(question)
        except LorasmithError as error:
            answer = error
        pickle.dump(answer, answers)
        answers.flush()
