"""Another process of a run that trains in several: `python -m lorasmith.training.worker RUN_FOLDER DEVICE`, started by the main one.

It does the same phases as the main process, without writing a file or reporting anything, and ends when that one ends.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lorasmith.errors import LorasmithError
from lorasmith.training.distributed.workers import end_with_the_main_process, joined_run


def main(folder: Path, device: str) -> None:
    """Work on the run in `folder` until its main process ends."""
    end_with_the_main_process()
    from lorasmith.training.run import run_worker  # only now: it imports torch, and the main process may end meanwhile

    try:
        with joined_run(device) as process_group:
            run_worker(folder, process_group)
    except LorasmithError as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
