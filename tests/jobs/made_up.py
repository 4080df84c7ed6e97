"""A kind of job that is made up: it counts slowly into a file and goes on where it was. Run as a program it supervises or works with it.

python made_up.py supervise WORKSPACE
python made_up.py all WORKSPACE JOB ATTEMPT LOCK      # with the real kinds beside it
"""

import sys
import time
from pathlib import Path

from lorasmith.jobs import worker
from lorasmith.jobs.kind import Arguments, Kind
from lorasmith.jobs.supervisor import supervise
from lorasmith.jobs.work import StoppedEarly

WORKER = (sys.executable, __file__)
ALL = (*WORKER, "all")
SECOND = 3
"""The exit code of a supervisor that found another one."""


class CountArguments(Arguments):
    file: Path
    to: int
    seconds: float = 0.01
    fails_at: int | None = None
    deaf: bool = False
    mistake: str = ""


def count(arguments, work):
    if arguments.mistake:
        raise RuntimeError(arguments.mistake)
    file = arguments.file
    done = len(file.read_bytes().split()) if file.exists() else 0
    work.report(done, arguments.to, "counting", "number")
    for number in range(done, arguments.to):
        if work.cancelled() and not arguments.deaf:
            raise StoppedEarly
        if number == arguments.fails_at:
            raise FileNotFoundError(2, "No such file or directory", "anna")
        time.sleep(arguments.seconds)
        with file.open("ab") as out:
            out.write(b"%d\n" % number)
        work.report(number + 1, arguments.to, "counting", "number")
    return {"file": str(file)}


KINDS = {"count": Kind("Count", CountArguments, count), "draw": Kind("Count on a device", CountArguments, count, needs="accelerator")}


def counted(to):
    """What the file of a finished job holds."""
    return b"".join(b"%d\n" % number for number in range(to))


def main(arguments):
    if arguments[0] == "supervise":
        sys.exit(0 if supervise(arguments[1], ALL, idle=600) else SECOND)
    elif arguments[0] == "all":
        from lorasmith.jobs.kinds.registry import KINDS as REAL

        worker.main(arguments[1:], REAL | KINDS)
    else:
        worker.main(arguments, KINDS)


if __name__ == "__main__":
    main(sys.argv[1:])
