"""A folder of LoRA files, in which a prompt's `<lora:name:0.7>` is looked up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lorasmith.adapters.files.header import read_lora_header
from lorasmith.errors import AdapterError
from lorasmith.registry import nearest


@dataclass(frozen=True)
class LoraFolder:
    """LoRA files in a folder and those below it; None has none."""

    root: Path | None

    def find(self, name: str) -> Path:
        """The file that a prompt calls `name`: its name without the ending, with folders before it where two below share one, or else the
        name that its trainer wrote into it (`ss_output_name`), as in A1111.

        Raises AdapterError where there is none, or more than one.
        """
        if self.root is None:
            raise AdapterError(
                f"The prompt calls the LoRA {name!r}, and no folder of LoRAs was given. Name it with --lora-folder.",
                code="lora.no_folder", name=name,
            )  # fmt: skip
        found = [path for path in self._files if self._inside(path) == name]  # which says where it is, so another below does not count
        found = found or [path for path in self._files if path.stem == name] or self._by_output_name(name)
        if len(found) > 1:
            which = " or ".join(self._inside(path) for path in found)
            raise AdapterError(f"{self.root} has more than one LoRA {name!r}. Write {which}.", code="lora.ambiguous", name=name)
        if not found:
            known = [path.stem for path in self._files]
            instead = nearest(name, known) if known else "it has no LoRA file."
            raise AdapterError(f"There is no LoRA {name!r} in {self.root}: {instead}", code="lora.not_in_folder", name=name)
        return found[0]

    @cached_property
    def _files(self) -> list[Path]:
        return [] if self.root is None else sorted(self.root.rglob("*.safetensors"))

    def _inside(self, path: Path) -> str:
        assert self.root is not None
        return path.relative_to(self.root).with_suffix("").as_posix()

    def _by_output_name(self, name: str) -> list[Path]:
        return [path for path in self._files if _output_name(path) == name]


def _output_name(path: Path) -> str | None:
    try:
        return read_lora_header(path).metadata.get("ss_output_name")
    except AdapterError:
        return None  # not a LoRA file, which nobody has called by its own name
