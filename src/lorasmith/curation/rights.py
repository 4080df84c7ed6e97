"""Whether somebody has confirmed that a dataset's pictures may be trained on.

Nobody can tell from a picture who may use it. So the person who trains confirms it once, in words of their own (`my own photographs`,
`CC0, from the museum`), and that is kept with the dataset: when, and of how many pictures. It does not cover what came in later.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from lorasmith.atomic import write_atomically
from lorasmith.curation.chosen_pictures import dataset_pictures
from lorasmith.dataset_folder import RIGHTS, make_state_folder
from lorasmith.errors import DatasetError, InputError
from lorasmith.pages.numbers import count


@dataclass(frozen=True)
class Rights:
    """What was confirmed."""

    words: str
    pictures: int
    """How many the dataset had then."""
    when: str
    """Date and time in UTC, as ISO 8601."""

    def sentence(self, root: str | Path) -> str:
        """For a person, with how many pictures came since."""
        more = len(dataset_pictures(root)) - self.pictures
        later = f"; {count(more, 'more picture')} came in since: confirm again if it covers them" if more > 0 else ""
        return f"rights confirmed: {self.words} ({count(self.pictures, 'picture')}, {self.when[:10]}){later}"


def confirm(root: str | Path, words: str) -> Rights:
    """Keep that somebody may train on all pictures that the dataset holds now, and why. Raises InputError where there are no words."""
    if not words.strip():
        raise InputError("Say where the rights come from, in words such as 'my own photographs'.")
    rights = Rights(" ".join(words.split()), len(dataset_pictures(root)), datetime.now(UTC).isoformat(timespec="seconds"))
    make_state_folder(Path(root))
    write_atomically(Path(root) / RIGHTS, json.dumps(asdict(rights), ensure_ascii=False, indent=1).encode())
    return rights


def confirmed(root: str | Path) -> Rights | None:
    """What was confirmed of the dataset; None where nothing was. Raises DatasetError where the file is damaged."""
    file = Path(root) / RIGHTS
    if not file.exists():
        return None
    try:
        return Rights(**json.loads(file.read_text("utf-8")))
    except (ValueError, TypeError) as error:
        raise DatasetError(f"{file} is damaged: delete it and confirm the rights again.", code="rights.damaged", file=str(file)) from error
