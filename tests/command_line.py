"""The program as a user calls it, without a new process: its words on both streams and its exit code.

Each start of Python with torch takes seconds. What only a process of its own shows has tests that start one: signals, what is imported,
the README's commands.
"""

import io
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest import mock

from lorasmith.cli.main import main


@dataclass(frozen=True)
class Outcome:
    """What the program said and how it ended."""

    returncode: int
    stdout: str
    stderr: str


def lorasmith(*arguments):
    """Run the program's own `main` with these arguments."""
    said, said_of_errors = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["lorasmith", *map(str, arguments)]), mock.patch.dict(os.environ),
        redirect_stdout(said), redirect_stderr(said_of_errors),
    ):  # fmt: skip
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
    return Outcome(code, said.getvalue(), said_of_errors.getvalue())
