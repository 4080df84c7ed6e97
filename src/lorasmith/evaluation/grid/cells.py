"""The cells of a grid, each with what determines its picture, and the pictures that are there already.

A cell's picture is a PNG that is named by a hash of everything it depends on: the bytes of the base and of the LoRAs, the strengths, the
complete request, the precision, and the version of the program. Whatever did not change is never generated again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lorasmith.errors import BaseModelError
from lorasmith.evaluation.grid.subject import Cell, Subject
from lorasmith.evaluation.sampling.lora_folder import LoraFolder
from lorasmith.evaluation.sampling.session import Drawing, resolve
from lorasmith.models.description import Description
from lorasmith.models.family import FamilyDefaults, PredictionType
from lorasmith.models.files.hashes import fingerprints, sha256
from lorasmith.models.open import describe, missing_parts
from lorasmith.models.prompts.parameters import this_version
from lorasmith.models.settings import Quantize


@dataclass(frozen=True)
class DescribedBase:
    """A base as its files describe it, before a weight is read: enough to complete requests and to name pictures."""

    description: Description
    identity: Mapping[str, Any]
    """What its pictures depend on: the hashes of its parts, and its scheduler."""

    @classmethod
    def of(cls, description: Description, quantize: Quantize) -> DescribedBase:
        """The base of this description; its files are hashed where their hashes are not known yet."""
        return cls(description, {"parts": fingerprints(description, quantize), "scheduler": description.scheduler})

    @property
    def defaults(self) -> FamilyDefaults:
        return self.description.form.defaults

    @property
    def native_resolution(self) -> int:
        return self.description.sizes.native

    @property
    def pixel_step(self) -> int:
        return self.description.sizes.pixel_step

    @property
    def prediction_type(self) -> PredictionType:
        return self.description.prediction_type

    @property
    def diffusion(self) -> DescribedBase:
        """What predicts."""
        return self


@dataclass(frozen=True)
class PlannedCell:
    """A cell that can be generated: what is drawn, on which base, and where its picture is kept."""

    base: str
    drawing: Drawing
    file: Path

    @property
    def is_there(self) -> bool:
        """Whether its picture was generated before."""
        return self.file.is_file()


class CellPlanner:
    """Plans cells; bases are described and hashed once."""

    def __init__(self, subject: Subject, folder: Path, precision: str) -> None:
        self._subject, self._folder, self._precision = subject, folder, precision
        self._loras = LoraFolder(subject.lora_folder)
        self._bases: dict[str, DescribedBase] = {}

    def plan(self, cell: Cell) -> PlannedCell:
        """Raises InputError where the cell cannot be generated."""
        base = self.base(cell.base)
        drawing = resolve(cell.request, base, self._loras, cell.loras)
        return PlannedCell(cell.base, drawing, self._folder / f"{cell_key(drawing, base.identity, self._precision)}.png")

    def base(self, source: str) -> DescribedBase:
        """A base by its name; another one than the subject's is opened without its options."""
        if source not in self._bases:
            options = self._subject.open_options if source == self._subject.start.base else {}
            description = describe(source, **options)
            if absent := missing_parts(description):
                raise BaseModelError(
                    f"The base {source} has no {' and no '.join(absent)}. Give a complete one.", code="base.part_missing", parts=absent
                )
            self._bases[source] = DescribedBase.of(description, options.get("quantize", "none"))
        return self._bases[source]


def cell_key(drawing: Drawing, base: Mapping[str, Any], precision: str) -> str:
    """The name of a cell's picture: everything that it depends on, hashed. LoRAs without strength do not count."""
    depends_on = {
        "program": this_version(),
        "base": base,
        "request": asdict(drawing.request),
        "loras": [(sha256(use.path), use.text_encoder, use.denoiser) for use in drawing.loras if use.text_encoder or use.denoiser],
        "written": drawing.written,
        "precision": precision,
    }
    return hashlib.sha256(json.dumps(depends_on, sort_keys=True, default=list).encode()).hexdigest()[:24]
