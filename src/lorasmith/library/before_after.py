"""What rewriting LoRAs changes in pictures: the same prompts and seeds before and after, side by side with their difference.

before = Drawn("base", ((Path("mimi.safetensors"), 1.0),))
after = Drawn("base", ((Path("mimi-8.safetensors"), 1.0),))
before_after(before, after, usual_prompts([Path("mimi.safetensors")]), Path("mimi-8-pictures.png"))
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from lorasmith.adapters.files.header import read_lora_header
from lorasmith.atomic import write_atomically
from lorasmith.errors import InputError
from lorasmith.evaluation.grid.sheet import Block, labelled_sheet
from lorasmith.evaluation.prompts import PLACES, SUBJECTS
from lorasmith.evaluation.sampling.loras import LoraUse
from lorasmith.evaluation.sampling.sample import open_session
from lorasmith.models.base import Base
from lorasmith.models.prompts.lines import PromptLine, read_line, requests_of
from lorasmith.models.prompts.request import PictureRequest

AMPLIFIED = 4
"""How much the difference is amplified on the sheet, so that one sees where it is."""


@dataclass(frozen=True)
class Drawn:
    """What pictures are drawn with: a base and the LoRAs on it, each with its strength."""

    base: Base | str | Path
    """An opened base, or what `open_base` opens."""
    loras: tuple[tuple[Path, float], ...] = ()

    @property
    def words(self) -> str:
        """For people: "mimi.safetensors:0.8", or the base where there is no LoRA."""
        loras = ", ".join(f"{path.name}:{strength:g}" for path, strength in self.loras)
        return loras or (Path(self.base).name if isinstance(self.base, str | Path) else "the base")


@dataclass(frozen=True)
class PictureDifference:
    """How two pictures of one prompt and seed differ, in levels of 255."""

    prompt: str
    seed: int
    largest: int
    mean: float


def before_after(before: Drawn, after: Drawn, prompts: Sequence[PromptLine], out: str | Path, seed: int = 1) -> list[PictureDifference]:
    """Draw prompts with two sets of LoRAs or bases, and write a sheet (PNG) of before, after and their difference.

    Prompts without a seed of their own have `seed` and the next ones, and all else that they do not say is as usual for the base.

    Raises:
        InputError: there is no prompt, a base or LoRA cannot be opened, or they do not fit each other.
    """
    requests = requests_of(prompts, PictureRequest(seed=seed))
    if not requests:
        raise InputError("There is no prompt to draw: give some.", code="pictures.no_prompt")
    pairs = list(zip(_pictures(before, requests), _pictures(after, requests), strict=True))
    found = [_difference(request, *pair) for request, pair in zip(requests, pairs, strict=True)]
    cells = {(column, row): cell for row, pair in enumerate(pairs) for column, cell in enumerate((*pair, amplified(*pair)))}
    columns = (f"before: {before.words}", f"after: {after.words}", f"difference x {AMPLIFIED}")
    rows = [f"{each.prompt} (seed {each.seed}): largest {each.largest}, mean {each.mean:.2f} of 255" for each in found]
    sheet, _ = labelled_sheet([Block("", columns, rows, cells)])
    file = io.BytesIO()
    sheet.save(file, "PNG")
    write_atomically(Path(out), file.getvalue())
    return found


def usual_prompts(files: Sequence[Path]) -> list[PromptLine]:
    """Prompts for LoRA files: each one's trigger word at some places, and subjects that are none of its business."""
    said = [read_lora_header(file).metadata.get("modelspec.trigger_phrase", "") for file in files if file.is_file()]
    triggers = list(dict.fromkeys(filter(None, said)))
    own = [f"{trigger}, {place}" for trigger in triggers for place in PLACES[:3]]
    return [read_line(prompt) for prompt in (*own, *SUBJECTS[: 1 if own else 4])]


def amplified(before: Image.Image, after: Image.Image) -> Image.Image:
    """The difference of two pictures, black where they are equal."""
    return Image.fromarray(np.clip(_levels(before, after) * AMPLIFIED, 0, 255).astype(np.uint8))


def _pictures(drawn: Drawn, requests: Sequence[PictureRequest]) -> list[Image.Image]:
    session = open_session(drawn.base, None, None, "auto", {})
    uses = [LoraUse.of(path, strength) for path, strength in drawn.loras]
    made = dict(session.generate([session.drawing(request, uses) for request in requests]))
    return [made[place].picture for place in range(len(requests))]


def _difference(request: PictureRequest, before: Image.Image, after: Image.Image) -> PictureDifference:
    levels = _levels(before, after)
    return PictureDifference(request.prompt, request.seed, int(levels.max()), float(levels.mean()))


def _levels(before: Image.Image, after: Image.Image) -> np.ndarray:
    """|before - after| for each channel of each pixel."""
    first, second = (np.asarray(picture.convert("RGB"), dtype=np.int16) for picture in (before, after))
    return np.abs(first - second)
