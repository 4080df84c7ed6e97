"""Verbs on jobs, which outlive the terminal: jobs list, add, pause, resume ..., and the process that works through them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_origin

import typer

from lorasmith.cli.options import AsJson
from lorasmith.cli.output import print_json
from lorasmith.jobs.queue import Queue

if TYPE_CHECKING:
    from lorasmith.jobs.job import Job

app = typer.Typer(help="Long work that goes on without the terminal: a queue in each workspace.", no_args_is_help=True)

WorkspaceOption = Annotated[Path, typer.Option("--workspace", help="Folder whose queue it is: where your datasets and runs are.")]
Ids = Annotated[list[int], typer.Argument(metavar="JOB...", help="Numbers of jobs, as the list shows them.")]
JobId = Annotated[int, typer.Argument(metavar="JOB", help="Number of a job, as the list shows it.")]


@app.command("list")
def list_(
    all_: Annotated[bool, typer.Option("--all", help="List every job that has ended, also dismissed ones, not the latest ten.")] = False,
    workspace: WorkspaceOption = Path(),
    as_json: AsJson = False,
) -> None:
    """List what runs, what waits in its order, and what has ended.

    lorasmith jobs list
    """
    from lorasmith.jobs.job import AT_REST, WAITING
    from lorasmith.jobs.room import room_wanted

    with Queue(workspace) as queue:
        jobs = queue.jobs()
        if as_json:
            print_json({"workspace": queue.workspace.root, "jobs": [as_data(queue, job) for job in jobs]})
            return
        at_rest = [job for job in jobs if job.state in AT_REST and not job.dismissed]
        shown = jobs if all_ else [job for job in jobs if job.state not in AT_REST] + at_rest[:MOST_AT_REST]
        for job in shown:
            typer.echo(_line(queue, job))
        if not jobs:
            typer.echo("No jobs yet. Add one, such as: lorasmith train SETTINGS --queue")
        if any(job.state in WAITING for job in jobs) and (wanted := room_wanted(queue.workspace)):
            typer.echo(wanted)
        if len(shown) < len(jobs):
            typer.echo(f"and {len(jobs) - len(shown)} more that have ended; --all lists them")


MOST_AT_REST = 10
"""Jobs that have ended that are listed without --all."""


@app.command()
def add(
    kind: Annotated[str, typer.Argument(help="What to do, such as audit, tag or sample; see lorasmith jobs kinds.")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME=VALUE...", help="Its arguments; what takes several may be given again. Paths start at the workspace."),
    ] = None,
    priority: Annotated[int, typer.Option(help="Jobs of a higher one go first.")] = 0,
    workspace: WorkspaceOption = Path(),
    as_json: AsJson = False,
) -> None:
    """Add a job to the queue. It begins when there is room for it, and goes on when the terminal is closed.

    lorasmith jobs add audit dataset=datasets/anna resolution=512

    lorasmith jobs add import sources=photos.zip sources=more into=datasets/anna
    """
    from lorasmith.jobs.enqueue import enqueue

    with Queue(workspace) as queue:
        job = enqueue(queue, kind, _arguments(kind, arguments or ()), priority=priority)
        _say_added(queue, job, as_json)


def queue_training(settings_file: Path, out: Path | None, as_json: bool, ray: str | None = None) -> None:
    """Queue a training in the current folder, with the settings as they are in the file now; with `ray`, over that cluster."""
    from lorasmith.jobs.enqueue import enqueue
    from lorasmith.training.planning.check import check
    from lorasmith.training.settings.toml import load_settings

    settings = load_settings(settings_file)
    check(settings)
    arguments = {"settings": settings.model_dump(mode="json", exclude_unset=True), "out": None if out is None else str(out), "ray": ray}
    with Queue(Path()) as queue:
        _say_added(queue, enqueue(queue, "train", arguments), as_json, settings_file=settings_file)


def _say_added(queue: Queue, job: Job, as_json: bool, **given: Path) -> None:
    """Print what was queued, with what was `given` for it, and how to follow it."""
    if as_json:
        print_json({**given, "workspace": queue.workspace.root, "job": as_data(queue, job)})
    else:
        typer.echo(f"{job} is queued. Follow it with: lorasmith jobs log {job.id} --follow")


@app.command()
def kinds(as_json: AsJson = False) -> None:
    """List the kinds of jobs and what each is given.

    lorasmith jobs kinds
    """
    from lorasmith.jobs.kinds.registry import KINDS

    if as_json:
        print_json(
            {"kinds": {name: {"words": kind.words, "arguments": kind.arguments.model_json_schema()} for name, kind in KINDS.items()}}
        )
        return
    for name, kind in KINDS.items():
        typer.echo(f"{name}: {kind.words}")
        for argument, field in kind.arguments.model_fields.items():
            typer.echo(f"  {argument + ('' if field.is_required() else ' (optional)'):24} {field.description}")


@app.command()
def stop(jobs: Ids, workspace: WorkspaceOption = Path(), as_json: AsJson = False) -> None:
    """Stop jobs; a training saves first. `resume` puts them at the end of the queue, and they go on where they were.

    lorasmith jobs stop 3
    """
    _request(workspace, jobs, "stop", as_json)


@app.command()
def pause(jobs: Ids, workspace: WorkspaceOption = Path(), as_json: AsJson = False) -> None:
    """Stop jobs that keep their place in the queue; a training saves first.

    lorasmith jobs pause 3 4
    """
    _request(workspace, jobs, "pause", as_json)


@app.command()
def cancel(jobs: Ids, workspace: WorkspaceOption = Path(), as_json: AsJson = False) -> None:
    """End jobs within a second. What they saved before is kept; a training does not save first.

    lorasmith jobs cancel 3
    """
    _request(workspace, jobs, "cancel", as_json)


@app.command()
def resume(jobs: Ids, workspace: WorkspaceOption = Path(), as_json: AsJson = False) -> None:
    """Have jobs go on that were paused or stopped, where they were.

    lorasmith jobs resume 3
    """
    from lorasmith.jobs.supervisor_process import start_supervisor

    with Queue(workspace) as queue:
        _say(queue, [queue.resume(job) for job in jobs], as_json)
        start_supervisor(queue.workspace.root)


@app.command()
def retry(jobs: Ids, workspace: WorkspaceOption = Path(), as_json: AsJson = False) -> None:
    """Try jobs again that failed or were cancelled; they go on where they were.

    lorasmith jobs retry 3
    """
    from lorasmith.jobs.supervisor_process import start_supervisor

    with Queue(workspace) as queue:
        _say(queue, [queue.retry(job) for job in jobs], as_json)
        start_supervisor(queue.workspace.root)


@app.command()
def dismiss(jobs: Ids, workspace: WorkspaceOption = Path(), as_json: AsJson = False) -> None:
    """Take jobs that have ended off the list, here and in the studio, until they go on again. What they made and said is kept.

    lorasmith jobs dismiss 3 4
    """
    with Queue(workspace) as queue:
        _say(queue, [queue.dismiss(job) for job in jobs], as_json)


@app.command()
def move(
    job: JobId,
    position: Annotated[int | None, typer.Argument(min=1, help="Position among the jobs that wait: 1 is the next one.")] = None,
    priority: Annotated[int | None, typer.Option(help="Jobs of a higher one go first.")] = None,
    workspace: WorkspaceOption = Path(),
    as_json: AsJson = False,
) -> None:
    """Put a waiting job elsewhere in the queue.

    lorasmith jobs move 7 1

    lorasmith jobs move 7 --priority 5
    """
    if (position is None) == (priority is None):
        raise typer.BadParameter("Give a position or --priority.", param_hint="position")
    with Queue(workspace) as queue:
        moved = queue.prioritise(job, priority) if priority is not None else queue.move(job, position or 1)
        _say(queue, [moved], as_json)


@app.command()
def log(
    job: JobId,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the job has ended; Ctrl-C leaves the job alone.")] = False,
    workspace: WorkspaceOption = Path(),
) -> None:
    """Print what a job said.

    lorasmith jobs log 3 --follow
    """
    from lorasmith.jobs.job import AT_REST

    with Queue(workspace) as queue:
        place, offset = queue.workspace.job(queue.get(job).id).log, 0
        while True:
            ended = queue.get(job).state in AT_REST  # looked at first, so that its last words are printed
            if place.exists():
                with place.open("rb") as file:
                    file.seek(offset)
                    said = file.read()
                offset += len(said)
                typer.echo(said.decode("utf-8", errors="replace"), nl=False)
            if ended or not follow:
                return
            time.sleep(0.25)


@app.command()
def work(
    idle: Annotated[float, typer.Option(min=0, help="Seconds without work after which it ends.")] = 60.0,
    workspace: WorkspaceOption = Path(),
) -> None:
    """Work through the queue, in this terminal. Other verbs start this by themselves, in the background.

    lorasmith jobs work

    Exit code 1: another process is working through this queue already. Ctrl-C ends this one; jobs that run go on.
    """
    import logging

    from lorasmith.cli.interrupt import stop_on_ctrl_c
    from lorasmith.jobs.supervisor import supervise

    logging.getLogger("lorasmith.jobs").setLevel(logging.INFO)
    with stop_on_ctrl_c("Leaving; jobs that run go on.") as leave:
        if not supervise(workspace, idle=idle, leave=leave):
            typer.echo("Another process is working through this queue already.", err=True)
            raise typer.Exit(1)


def _arguments(kind: str, texts: Iterable[str]) -> dict[str, Any]:
    """The arguments of a job from `NAME=VALUE`; one that takes a list is given once for each item."""
    from lorasmith.jobs.enqueue import kind_named
    from lorasmith.training.settings.changes import parse_changes

    fields, found = kind_named(kind).arguments.model_fields, dict[str, Any]()
    for text in texts:
        for name, value in parse_changes([text]).items():
            takes_several = name in fields and get_origin(fields[name].annotation) is list and not isinstance(value, list)
            found[name] = [*found.get(name, []), value] if takes_several else value
    return found


def _request(workspace: Path, jobs: list[int], wish: Any, as_json: bool) -> None:
    from lorasmith.jobs.enqueue import request

    with Queue(workspace) as queue:
        _say(queue, [request(queue, job, wish) for job in jobs], as_json)


def _say(queue: Queue, jobs: list[Job], as_json: bool) -> None:
    if as_json:
        print_json({"workspace": queue.workspace.root, "jobs": [as_data(queue, job) for job in jobs]})
        return
    for job in jobs:
        typer.echo(_line(queue, job))


def as_data(queue: Queue, job: Job) -> dict[str, Any]:
    """A job with its latest progress, for scripts."""
    from lorasmith.jobs.journal import latest_progress

    progress = latest_progress(queue.workspace.job(job.id).events)
    return {**vars(job), "progress": None if progress is None else vars(progress)}


def _line(queue: Queue, job: Job) -> str:
    """A job in a line: number, state, kind, how far it is or why it ended."""
    from lorasmith.jobs.job import ACTIVE
    from lorasmith.jobs.journal import latest_progress
    from lorasmith.pages.numbers import duration

    note = job.sentence
    if job.state in ACTIVE and (progress := latest_progress(queue.workspace.job(job.id).events)):
        note = progress.place + ("" if progress.eta is None else f", {duration(progress.eta)} left")
    return f"{job.id:>4}  {job.state:<11} {job.kind:<9} {note}".rstrip()
