"""What a workspace's folder is: where a user's projects and runs are, with what Lorasmith keeps about their jobs.

    lora/
      .lorasmith/
        jobs.db              the queue; see `queue`
        supervisor.lock      held by the one process that works through the queue
        supervisor.log       what that process had to say
        jobs/3/
          lock               held by job 3 while it runs; the system lets it go when the process dies
          log.txt            what the job printed
          events.jsonl       what it reported; see `journal`
        thumbs/              small pictures for pages; see `images.thumbnails`

Deleting `.lorasmith` loses the queue and nothing else: runs, pictures and LoRA files explain themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

STATE = ".lorasmith"


@dataclass(frozen=True)
class JobFolder:
    """Paths inside the folder of one job."""

    root: Path

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def log(self) -> Path:
        return self.root / "log.txt"

    @property
    def events(self) -> Path:
        return self.root / "events.jsonl"


@dataclass(frozen=True)
class Workspace:
    """Paths inside a workspace."""

    root: Path

    @classmethod
    def at(cls, folder: str | Path) -> Workspace:
        """The workspace in a folder, by its full path."""
        return cls(Path(folder).absolute())

    @property
    def state(self) -> Path:
        return self.root / STATE

    @property
    def database(self) -> Path:
        return self.state / "jobs.db"

    @property
    def jobs(self) -> Path:
        return self.state / "jobs"

    @property
    def thumbnails(self) -> Path:
        return self.state / "thumbs"

    @property
    def handed(self) -> Path:
        """What is handed to jobs and not kept; see `handing`."""
        return self.state / "handed"

    @property
    def supervisor_lock(self) -> Path:
        return self.state / "supervisor.lock"

    @property
    def supervisor_log(self) -> Path:
        return self.state / "supervisor.log"

    def job(self, id: int) -> JobFolder:
        """The folder of one job."""
        return JobFolder(self.jobs / str(id))
