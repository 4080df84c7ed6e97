"""The code of the error where a process of a run has ended, and the others cannot go on."""

LOST = "run.worker_ended"
