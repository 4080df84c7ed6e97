"""The one way from a name in a call to a file on the disk: below a folder that is ours, whatever the name tries.

Links are followed first and compared then, so a link that leads out of the folder is outside too.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from lorasmith.curation.names import DEVICES
from lorasmith.errors import InputError

_DRIVE = re.compile(r"[A-Za-z]:")


def confined(folder: Path, name: str) -> Path:
    """The file or folder `name` (with `/` between its parts) below `folder`, with all links followed; it need not exist.

    Raises:
        InputError: the name leads out of the folder, or is none that every system can hold (`path.outside`, `path.name`).
    """
    parts = name.split("/")
    if not name or any(not part or part in (".", "..") for part in parts) or _DRIVE.match(name) or "\\" in name:
        raise _outside(name)
    if any(ord(letter) < 32 or letter == "\x7f" or "\ud800" <= letter <= "\udfff" for letter in name) or any(map(_is_device, parts)):
        raise InputError(f"{name!r} is not the name of a file. Give its path below the folder.", code="path.name", name=name)
    return within(folder, folder.joinpath(*parts))


def within(folder: Path, place: Path) -> Path:
    """`place` with all links followed, if it is `folder` or below it.

    Raises:
        InputError: it is somewhere else (`path.outside`).
    """
    root, real = os.path.realpath(folder), os.path.realpath(place)
    if os.path.commonpath((root, real)) != root:
        raise _outside(str(place.relative_to(folder) if place.is_relative_to(folder) else place))
    return Path(real)


def _is_device(part: str) -> bool:
    """Whether Windows would open a device, or a stream of a file, under this name."""
    return part.partition(".")[0].rstrip(" ").casefold() in DEVICES or ":" in part or part.endswith((" ", "."))


def _outside(name: str) -> InputError:
    return InputError(f"{name!r} leads out of the folder. Give a path below it, with / between its parts.", code="path.outside", name=name)
