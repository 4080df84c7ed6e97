"""A picture that is a part of a larger file, such as a member of a tar: where its bytes are."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from lorasmith.errors import DatasetError


@dataclass(frozen=True)
class FilePart:
    """`length` bytes of `file` from `offset` on, called `name` there."""

    file: Path
    name: str
    offset: int
    length: int

    def __str__(self) -> str:
        return f"{self.file}/{self.name}"

    def open(self) -> io.BufferedReader:
        """Its bytes, as of a file of its own. Raises DatasetError where they cannot be read, or the file has become shorter."""
        try:
            with open(self.file, "rb") as stream:
                stream.seek(self.offset)
                content = stream.read(self.length)
        except OSError as error:
            raise DatasetError(
                f"{self.file} cannot be opened ({error.strerror}): check its name and that you may read it.",
                code="file.cannot_open", file=str(self.file),
            ) from error  # fmt: skip
        if len(content) < self.length:
            raise DatasetError(f"{self.file} breaks off within {self.name}: get it again from its source.", file=str(self.file))
        return io.BufferedReader(io.BytesIO(content))


PictureSource = Path | str | FilePart
"""What a picture is read from."""
