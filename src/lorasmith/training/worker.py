"""Another process of a run that trains in several: `python -m lorasmith.training.worker RUN_FOLDER DEVICE`, started by the main one.

It does the same phases as the main process, without writing a file or reporting anything, and ends when that one ends.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lorasmith.errors import LorasmithError
from lorasmith.training.distributed.workers import end_with_the_main_process, joined_run
from lorasmith.training.run import run_worker

if __name__ == "__main__":
    end_with_the_main_process()
    try:
        with joined_run(sys.argv[2]) as process_group:
            run_worker(Path(sys.argv[1]), process_group)
    except LorasmithError as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(1)
