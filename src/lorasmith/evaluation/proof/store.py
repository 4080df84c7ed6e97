"""The folder of a proof, which keeps what was drawn and measured under what it depends on.

proof/
  proof.json                      the newest results; see `record`
  <drawing>/                      by the base and how pictures are drawn
    base/<prompt>.png             the base's own pictures
    <lora>-<weight>/<prompt>.png  those of a checkpoint, by the hash of its tensors
    <lora>-<weight>/measures-<key>.json, losses-<key>.json

So a second proof computes nothing, one that was killed goes on where it was, and another plan uses the pictures that it shares with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image

from lorasmith.atomic import write_atomically
from lorasmith.evaluation.prompts import Prompt
from lorasmith.evaluation.proof.checkpoints import Checkpoint
from lorasmith.evaluation.proof.plan import ProofPlan
from lorasmith.evaluation.sampling.session import Generated, lora_hash

VERSION = 1
"""Of the measures' formulas: numbers of another version are measured again."""


class ProofStore:
    """Where the pictures and numbers of one plan on one base are; `fingerprints` are the base's, and
    `encoder` is the identity of the image encoder that is looked with."""

    def __init__(self, root: Path, plan: ProofPlan, fingerprints: Mapping[str, str], encoder: str | None = None) -> None:
        self.root = root
        reads = plan.base.model_dump(include={"clip_skip", "max_token_length", "weighted_captions", "t5_attention_mask"})
        self._drawings = root / _key("drawing", dict(fingerprints), asdict(plan.drawing), reads)
        compared = [[picture.name, picture.request.content, picture.caption] for picture in (*plan.trained, *plan.held_out)]
        looked_with = [] if encoder is None else [encoder]
        prompts = [prompt.name for prompt in plan.prompts.prompts]
        self._plan_key = _key(VERSION, len(plan.trained), compared, prompts, plan.effort, *looked_with)

    def __repr__(self) -> str:
        return f"ProofStore({self._drawings})"

    def place_of(self, checkpoint: Checkpoint | None) -> Path:
        """The folder of a checkpoint's pictures and numbers; None is the base."""
        if checkpoint is None:
            return self._drawings / "base"
        return self._drawings / f"{lora_hash(checkpoint.path)}-{checkpoint.weight:g}"

    def picture_path(self, checkpoint: Checkpoint | None, prompt: Prompt) -> Path:
        return self.place_of(checkpoint) / f"{prompt.group}-{_key(prompt.text, prompt.seed)}.png"

    def picture(self, checkpoint: Checkpoint | None, prompt: Prompt) -> Image.Image | None:
        """The picture, or None where it is absent or its file is damaged."""
        try:
            with Image.open(self.picture_path(checkpoint, prompt)) as picture:
                return picture.convert("RGB")
        except (OSError, SyntaxError):
            return None

    def keep_picture(self, checkpoint: Checkpoint | None, prompt: Prompt, made: Generated) -> None:
        """As a PNG that says how it was generated, as those of A1111 do."""
        path = self.picture_path(checkpoint, prompt)
        path.parent.mkdir(parents=True, exist_ok=True)
        made.save(path)

    def numbers(self, checkpoint: Checkpoint | None, what: str) -> Any:
        """What `keep_numbers` kept, or None where it is absent or damaged."""
        try:
            return json.loads(self._numbers_path(checkpoint, what).read_bytes())
        except (OSError, ValueError):
            return None

    def keep_numbers(self, checkpoint: Checkpoint | None, what: str, numbers: Any) -> None:
        path = self._numbers_path(checkpoint, what)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(numbers).encode())

    def _numbers_path(self, checkpoint: Checkpoint | None, what: str) -> Path:
        return self.place_of(checkpoint) / f"{what}-{self._plan_key}.json"


def _key(*said: object) -> str:
    """Twelve hex digits that say all this."""
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]
