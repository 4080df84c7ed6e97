"""The kinds of jobs, by the name under which they are added."""

from __future__ import annotations

from lorasmith.jobs.kind import Kind
from lorasmith.jobs.kinds import (
    audit,
    cache,
    describe,
    download,
    grid,
    import_pictures,
    lora_files,
    lora_looks,
    mend,
    prove,
    publish,
    sample,
    sweep,
    tag,
    train,
)

KINDS: dict[str, Kind] = {
    "import": import_pictures.KIND,
    "audit": audit.KIND,
    "mend": mend.KIND,
    "tag": tag.KIND,
    "describe": describe.KIND,
    "cache": cache.KIND,
    "train": train.KIND,
    "sweep": sweep.KIND,
    "sample": sample.KIND,
    "grid": grid.KIND,
    "prove": prove.KIND,
    "merge": lora_files.MERGE,
    "resize": lora_files.RESIZE,
    "convert": lora_files.CONVERT,
    "extract": lora_files.EXTRACT,
    "check": lora_looks.CHECK,
    "compare": lora_looks.COMPARE,
    "install": lora_looks.INSTALL,
    "publish": publish.KIND,
    "download": download.KIND,
}
