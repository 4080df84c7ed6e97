"""What a proof leaves for those who read it: `proof.json` in its folder, with the numbers and where the pictures are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lorasmith.atomic import write_atomically
from lorasmith.evaluation.measures.measured import CheckpointMeasures
from lorasmith.evaluation.prompts import Prompt, PromptSet
from lorasmith.images.file_part import FilePart, PictureSource

PROOF = "proof"
"""The folder of a proof in that of its run."""
RECORD, WEIGHTS_PROOF = "proof.json", "weights.json"
"""The results of its checkpoints, and of the recommended one at several weights."""
VERDICT = "verdict.json"
"""What was concluded from them, for `--json` and lists."""


@dataclass(frozen=True)
class ProofRecord:
    """The results of a proof. Paths of pictures are relative to the proof's folder."""

    effort: str
    prompts: PromptSet
    trained: int
    """Training pictures that were compared with."""
    held_out: int
    """Held-out pictures; 0 where nothing is held out, and each training picture was judged by the others."""
    base_pictures: Mapping[str, str]
    """Prompt -> the base's picture."""
    measured: tuple[CheckpointMeasures, ...]
    pictures: tuple[Mapping[str, str], ...]
    """Of each in `measured`: prompt -> its picture; empty where its losses alone were measured."""
    originals: Mapping[str, PictureSource] = field(default_factory=dict)
    """`Prompt.picture` -> where the image was whose caption it is: its file, or its part of a shard. Proofs of earlier versions have none."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """A checkpoint that was not judged -> its first tensor with a number that is not finite."""


def write_record(folder: Path, record: ProofRecord, name: str = RECORD) -> None:
    """Put the results into a proof's folder, as the file `name`."""
    tree = {
        "effort": record.effort, "trigger": record.prompts.trigger, "captions_say": record.prompts.captions_say,
        "prompts": [asdict(prompt) for prompt in record.prompts.prompts], "trained": record.trained, "held_out": record.held_out,
        "base_pictures": dict(record.base_pictures),
        "checkpoints": [{**own.json(), "pictures": dict(pictures)} for own, pictures in zip(record.measured, record.pictures, strict=True)],
        "originals": {name: _written(source) for name, source in record.originals.items()},
        "left_out": dict(record.left_out),
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / name, json.dumps(tree, indent=1).encode())


def read_record(folder: str | Path, name: str = RECORD) -> ProofRecord | None:
    """The results in a proof's folder; None where there are none, or they are damaged."""
    try:
        tree: dict[str, Any] = json.loads((Path(folder) / name).read_bytes())
        prompts = PromptSet(tuple(Prompt(**prompt) for prompt in tree["prompts"]), tree["trigger"], tree["captions_say"])
        checkpoints: Sequence[dict[str, Any]] = tree["checkpoints"]
        return ProofRecord(
            tree["effort"], prompts, tree["trained"], tree["held_out"], tree["base_pictures"],
            tuple(CheckpointMeasures.from_json(one) for one in checkpoints), tuple(one["pictures"] for one in checkpoints),
            {name: _read(source) for name, source in tree.get("originals", {}).items()}, tree.get("left_out", {}),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _written(source: PictureSource) -> str | dict[str, Any]:
    return {**asdict(source), "file": str(source.file)} if isinstance(source, FilePart) else str(source)


def _read(tree: str | dict[str, Any]) -> PictureSource:
    return Path(tree) if isinstance(tree, str) else FilePart(Path(tree["file"]), tree["name"], tree["offset"], tree["length"])
