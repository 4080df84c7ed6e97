"""What the command line and the studio call to add a job and to ask something of one: checked first, then seen to.

Each of these leaves a supervisor at work on the queue; see `supervisor_process.start_supervisor`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lorasmith.errors import InputError
from lorasmith.jobs.job import ACTIVE, AT_REST, WAITING, Command, Job, Request
from lorasmith.jobs.kind import Arguments, Kind
from lorasmith.jobs.kinds.registry import KINDS
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.supervisor_process import start_supervisor
from lorasmith.registry import nearest

MADE = ("out", "into", "dataset")
"""Arguments of jobs that name what is made or changed."""

Start = Callable[[str | Path], object]


def kind_named(name: str) -> Kind:
    """A kind of job.

    Raises:
        InputError: there is none of this name (`jobs.unknown_kind`).
    """
    if name not in KINDS:
        raise InputError(f"There is no kind of job called {name!r}; {nearest(name, KINDS)}", code="jobs.unknown_kind", kind=name)
    return KINDS[name]


def checked(name: str, arguments: Mapping[str, Any]) -> Arguments:
    """The arguments of a job of a kind, complete and of the right types.

    Raises:
        InputError: there is no such kind, or an argument is unknown, missing or wrong (`jobs.arguments`); the message names the first one.
    """
    wanted = kind_named(name).arguments
    try:
        return wanted.model_validate(arguments)
    except ValidationError as error:
        raise InputError(_sentence(name, wanted, error), code="jobs.arguments", kind=name, problems=_problems(error)) from error


def enqueue(
    queue: Queue, kind: str, arguments: Mapping[str, Any], project: str = "", priority: int = 0, start: Start = start_supervisor
) -> Job:
    """Add a job to the queue, and see to it that it is worked on.

    Raises:
        InputError: see `checked`, or the job could not begin (`Arguments.check_can_begin`); nothing was added.
    """
    complete = checked(kind, arguments)
    if not _waits_for_another(queue, complete):
        complete.check_can_begin(queue.workspace.root)
    job = queue.add(kind, complete.model_dump(mode="json", exclude_unset=True), KINDS[kind].needs, project, priority)
    start(queue.workspace.root)
    return job


def _waits_for_another(queue: Queue, arguments: Arguments) -> bool:
    """Whether a job that has not ended makes or changes what this one reads, so that it cannot be looked at yet."""
    root = queue.workspace.root
    made = {root / str(job.arguments[name]) for job in queue.jobs((*WAITING, *ACTIVE)) for name in MADE if name in job.arguments}
    return any({root / path, *(root / path).parents} & made for _, path in arguments.read_paths())


def continue_jobs(queue: Queue, start: Start = start_supervisor) -> None:
    """See to it that jobs are worked on that wait, or that ran when the machine went down."""
    if queue.jobs((*WAITING, *ACTIVE)):
        start(queue.workspace.root)


def request(queue: Queue, id: int, wish: Request, start: Start = start_supervisor) -> Job:
    """Pause, stop or cancel a job; see `Queue.request`."""
    job = queue.request(id, wish)
    start(queue.workspace.root)  # which ends it where it does not listen
    return job


def again(queue: Queue, id: int, start: Start = start_supervisor) -> Job:
    """Have a job go on that was paused, stopped or cancelled, or that failed.

    Raises:
        InputError: it does none of that (`jobs.state`), or a file or folder that it needs is not there any more (`jobs.not_there`).
    """
    _check_still_there(queue, queue.get(id))
    job = queue.retry(id) if queue.get(id).state in ("failed", "cancelled") else queue.resume(id)
    start(queue.workspace.root)
    return job


def _check_still_there(queue: Queue, job: Job) -> None:
    """Whether what a job reads is where it was, as far as this version can read its arguments; its process says so otherwise."""
    if job.state not in AT_REST or job.kind not in KINDS:
        return
    try:
        complete = checked(job.kind, job.arguments)
    except InputError:
        return
    if not _waits_for_another(queue, complete):
        complete.check_there(queue.workspace.root)


def send(queue: Queue, id: int, command: Command) -> None:
    """Ask a running job to save or sample now.

    Raises:
        InputError: it does not run, or its kind cannot do so (`jobs.takes_no_commands`).
    """
    job = queue.get(id)
    if not kind_named(job.kind).takes_commands:
        raise InputError(f"{job} cannot {command}: only trainings can.", code="jobs.takes_no_commands", id=id, kind=job.kind)
    queue.send(id, command)


def _reason(fault: ErrorDetails) -> str:
    return fault["msg"].removeprefix("Value error, ")


def _problems(error: ValidationError) -> list[dict[str, str]]:
    return [{"place": ".".join(map(str, each["loc"])), "problem": _reason(each)} for each in error.errors()]


def _sentence(kind: str, wanted: type[Arguments], error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    match first["type"]:
        case "extra_forbidden":
            return f"A job of the kind {kind} has no argument {place!r}; {nearest(place, wanted.model_fields)}"
        case "missing":
            return f"A job of the kind {kind} needs {place}: {wanted.model_fields[str(first['loc'][0])].description}"
        case "value_error":
            reason = _reason(first).rstrip(".")
            return f"{place} of the job ({kind}): {first['input']!r} {reason}{'' if reason.endswith('?') else '.'}"
        case _:
            return f"{place} of the job ({kind}) cannot be {first['input']!r}: {first['msg'].lower()}."
