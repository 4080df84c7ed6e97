"""A training as a job of Slurm, from Python by submitit (`pip install submitit`): near the end of its time it saves, and is queued again.

python deploy/slurm/submit.py zorvex.toml runs/zorvex --partition gpu --hours 4
"""

from __future__ import annotations

import argparse
from threading import Thread
from typing import Any

import submitit
from submitit.helpers import Checkpointable, DelayedSubmission


class Training(Checkpointable):
    """What a job does: begin the run, or continue it. It is pickled, so it holds names alone."""

    def __init__(self, settings: str, run: str):
        self.settings, self.run = settings, run
        self._commands: Any = None
        self._thread: Thread | None = None

    def __call__(self) -> bool:
        """Train; returns whether the run has finished."""
        import lorasmith as ls
        from lorasmith.training.records.mirror import is_run

        self._commands, outcome = ls.Commands(), {}

        def train() -> None:
            try:
                if is_run(self.run):
                    outcome["result"] = ls.resume(self.run, commands=self._commands)
                else:
                    outcome["result"] = ls.train(ls.load_settings(self.settings), self.run, commands=self._commands)
            except BaseException as error:
                outcome["error"] = error

        # In a thread, since Slurm's signal comes to the main one, which then waits for the run to save.
        self._thread = Thread(target=train)
        self._thread.start()
        self._thread.join()
        if "error" in outcome:
            raise outcome["error"]
        return outcome["result"].finished

    def checkpoint(self) -> DelayedSubmission:
        """submitit calls this when the job is about to end: the run saves, and the same job is queued again."""
        assert self._thread is not None
        self._commands.stop()
        self._thread.join()
        return DelayedSubmission(Training(self.settings, self.run))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a LoRA as a job of Slurm.")
    parser.add_argument("settings", help="settings file")
    parser.add_argument("run", help="run folder that all nodes see, or its URL in a store")
    parser.add_argument("--partition", help="of the cluster")
    parser.add_argument("--hours", type=float, default=4.0, help="of one job")
    parser.add_argument("--cluster", help="slurm, or local to try it here; default: what is there")
    given = parser.parse_args()
    executor = submitit.AutoExecutor("slurm-logs", cluster=given.cluster, slurm_max_num_timeout=100)
    executor.update_parameters(
        name="lorasmith", timeout_min=round(given.hours * 60), gpus_per_node=0 if given.cluster == "local" else 1, cpus_per_task=8, mem_gb=48,
        slurm_partition=given.partition, slurm_signal_delay_s=300,
    )  # fmt: skip
    job = executor.submit(Training(given.settings, given.run))
    print(f"Job {job.job_id}; its log is {job.paths.stdout}")


if __name__ == "__main__":
    main()
