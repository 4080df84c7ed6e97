"""A project with any number of photographs, as an import and an audit leave it, made in seconds.

Sixteen photographs are looked at for real. Every other picture is one of them with other bytes at its end, so that it has a content, a thumbnail
and measures of its own; what was seen of the first is kept for it, too.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import sqlite3
from pathlib import Path

import skimage.data
from PIL import Image

from lorasmith.curation.audit.dataset import audit_dataset
from lorasmith.dataset_folder import pictures_below
from lorasmith.images.picture_cache import PICTURES, PictureCache, content_row, file_state
from lorasmith.images.thumbnails import SIDES, Thumbnails, make_thumbnails
from lorasmith.jobs.workspace import Workspace
from lorasmith.projects.project import Project
from lorasmith.projects.projects import Projects

SIDE, QUALITY = 256, 80
"""Of a photograph, in pixels and as JPEG has it."""
TAGS = 300


def make_gallery(workspace: Path, pictures: int) -> None:
    """The project `big` with that many captioned photographs, imported and audited."""
    cache, thumbnails = workspace / "cache" / PICTURES, Thumbnails(Workspace(workspace).thumbnails)
    seen = _seen(workspace / "seen", cache, thumbnails)
    draw = random.Random(0)
    dataset = Projects(workspace).make(Project(name="Big")).dataset
    contents: dict[Path, str] = {}
    for number in range(pictures):
        photograph, _, small = seen[number % len(seen)]
        file, data = dataset / f"{number:05d}.jpg", photograph + number.to_bytes(4, "big")
        file.write_bytes(data)
        file.with_suffix(".txt").write_text(f"big, tag {draw.randrange(TAGS)}, tag {draw.randrange(TAGS)}", encoding="utf-8")
        contents[file] = hashlib.sha256(data).hexdigest()
        place = thumbnails.place(contents[file], SIDES[0])
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(small)
    with PictureCache(cache) as known:
        for number, (file, content) in enumerate(contents.items()):
            rows = seen[number % len(seen)][1]
            known.put([content_row(file, file_state(file), content), *((kind, content, value) for kind, value in rows.items())])
    audit_dataset(dataset, kind="character", cache=cache)


def _seen(folder: Path, cache: Path, thumbnails: Thumbnails) -> list[tuple[bytes, dict[str, bytes], bytes]]:
    """Of each photograph its bytes, what is kept of it by kind, and its thumbnail."""
    folder.mkdir()
    for number, photograph in enumerate(_photographs()):
        (folder / f"{number:02d}.jpg").write_bytes(photograph)
    files = pictures_below(folder)
    with PictureCache(cache) as known:
        make_thumbnails(files, thumbnails, known, os.cpu_count() or 1, lambda done, of: None)
        path = known.path
    audit_dataset(folder, cache=cache)
    found = []
    with sqlite3.connect(path) as kept:
        for file in files:
            data = file.read_bytes()
            content = hashlib.sha256(data).hexdigest()
            rows = dict(kept.execute("SELECT kind, value FROM kept WHERE key = ?", (content,)).fetchall())
            found.append((data, rows, thumbnails.kept(content, SIDES[0]) or b""))
    return found


def _photographs() -> list[bytes]:
    found = []
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        whole = Image.fromarray(getattr(skimage.data, name)())
        for at in range(4):
            left, top = (at % 2) * (whole.width - SIDE), (at // 2) * (whole.height - SIDE)
            written = io.BytesIO()
            whole.crop((left, top, left + SIDE, top + SIDE)).save(written, "JPEG", quality=QUALITY)
            found.append(written.getvalue())
    return found
