"""The progress bar of every verb that works through a list.

    with progress_bar("exporting") as progress:
        export(dataset, progress=progress)        # calls progress(done, total)

It is drawn on standard error, so that standard output stays clean for scripts, and only where that is a terminal. The bar of a training
run, which shows more, is `terminal.Terminal`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(doing: str) -> Iterator[Callable[[int, int], None]]:
    """A bar for the time of the block; `doing` is what stands in front of it, such as `exporting`."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
