"""The guide's commands, typed by somebody with a ZIP of mixed photographs, say what the guide says that they say."""

from __future__ import annotations

import io
import re
import shlex
import zipfile
from pathlib import Path

import pytest
import typer
from PIL import Image, ImageOps
from typer.testing import CliRunner

from lorasmith.cli import audit, dataset, mend
from tests.photographs import photograph

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "images.md"

app = typer.Typer()
for name, verb in {
    "import": dataset.import_, "audit": audit.audit, "mend": mend.mend, "layout": dataset.layout, "export": dataset.export
}.items():  # fmt: skip
    app.command(name)(verb)


def make_photos(file: Path) -> None:
    """A ZIP as people send them: a holiday folder, a film still, a cut-out, a sheet of two views, litter, and a file that breaks off."""
    cat, coffee, rocket, woman = (photograph(name) for name in ("chelsea", "coffee", "rocket", "astronaut"))
    hubble = photograph("hubble_deep_field").crop((0, 0, 768, 640))
    film = ImageOps.expand(coffee, (0, 60), "black")
    space = Image.new("RGB", (1200, 800), "white")
    space.paste(rocket.resize((320, 214)), (700, 450))
    free = Image.new("RGBA", (520, 330))
    free.paste(cat.crop((80, 20, 380, 300)).convert("RGBA"), (110, 20))
    views = Image.new("RGB", (880, 470), "white")
    for place, view in enumerate((woman, rocket)):
        views.paste(ImageOps.fit(view, (410, 410)), (20 + place * 430, 30))
    small_cat = encoded(cat.resize((361, 240)), "JPEG", quality=80)
    whole_cat = encoded(cat, "JPEG", quality=92)
    files = {
        "holiday 2024/cat.jpg": whole_cat,
        "holiday 2024/cat.txt": b"a ginger cat looks up",
        "holiday 2024/cat (copy).jpg": whole_cat,
        "holiday 2024/cat small.jpg": small_cat,
        "holiday 2024/Thumbs.db": b"x",
        "coffee: a film still?.jpg": encoded(film, "JPEG", quality=90),
        "coffee: a film still?.txt": b"a cup of coffee on a wooden table",
        "rocket.png": encoded(space, "PNG"),
        "rocket.txt": b"a rocket stands ready at night",
        "cut-out.png": encoded(free, "PNG"),
        "two views.png": encoded(views, "PNG"),
        "two views.txt": b"an astronaut, a rocket",
        "hubble.jpg": encoded(hubble, "JPEG", quality=92),
        "broken.jpg": whole_cat[:200],
        "note.docx": b"PK not a picture",
    }
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 7, 1, 12, 0, 0)), data)


def encoded(picture: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def spoken(text: str) -> list[tuple[str, str]]:
    """Each command of a page (behind `$ lorasmith`) with what is printed below it, in order."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"^```\n(\$ lorasmith.*?)^```$", text, re.M | re.S):
        for part in re.split(r"^\$ lorasmith ", block, flags=re.M)[1:]:
            command, _, said = part.partition("\n")
            found.append((command, said.rstrip("\n")))
    return found


def answer(command: str) -> str:
    result = CliRunner().invoke(app, shlex.split(command))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output.rstrip("\n")


def test_every_command_of_the_guide_says_what_the_guide_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    make_photos(tmp_path / "photos.zip")
    page = spoken(GUIDE.read_text("utf-8"))
    assert len(page) >= 9
    for command, said in page:
        heard = re.sub(r" in \d+\.\d s", " in 0.1 s", answer(command))
        heard = re.sub(r"\d{4}-\d\d-\d\d", "2024-07-01", heard)
        for line in said.split("\n"):
            assert line == "..." or line in heard.split("\n"), f"`lorasmith {command}` does not say {line!r} but:\n{heard}"
        if "..." not in said.split("\n"):
            assert heard == said
    assert Image.open(tmp_path / "look.png").width > 300
    with zipfile.ZipFile(tmp_path / "photos-sd.zip") as archive:
        assert sum(name.endswith((".jpg", ".png")) for name in archive.namelist()) == 6
