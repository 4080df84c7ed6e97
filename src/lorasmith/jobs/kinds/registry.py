"""The kinds of jobs, by the name under which they are added."""

from __future__ import annotations

from lorasmith.jobs.kinds import audit, import_pictures, train
from lorasmith.jobs.kinds.kind import Kind

KINDS: dict[str, Kind] = {
    "import": import_pictures.KIND,
    "audit": audit.KIND,
    "train": train.KIND,
}
