"""The files beside a LoRA file under its name: a picture, and what UIs and sites say about it.

    zorvex.safetensors
    zorvex.png, zorvex.preview.png     its picture (also .jpg, .jpeg, .webp)
    zorvex.json                        what its user typed into AUTOMATIC1111 or Forge: description, activation text, notes
    zorvex.civitai.info                what Civitai says about it, as its helpers save it
    zorvex.txt                         its description, as AUTOMATIC1111 reads it

They are data of others: read as far as they can be, and never a reason for the file itself to be left out.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorasmith.json_text import whole_text

PICTURE_SUFFIXES = (".png", ".preview.png", ".jpg", ".preview.jpg", ".jpeg", ".preview.jpeg", ".webp", ".preview.webp")
"""What is put behind a LoRA's name to find its picture, the first that is there."""
MOVING_SUFFIXES = (".gif", ".preview.gif", ".mp4", ".preview.mp4", ".webm", ".preview.webm")
"""The same of pictures that move, which some UIs show."""
USER, SITE, TEXT = ".json", ".civitai.info", ".txt"
SIDES = (USER, SITE, TEXT)
OF_UIS = (".description.txt", ".metadata.json", ".cm-info.json", ".swarm.json", ".api_info.json", ".safetensors.rgthree-info.json")
"""Ends of further files that UIs and their managers keep beside a LoRA: AUTOMATIC1111, ComfyUI's LoRA Manager, Stability Matrix, SwarmUI, Civitai
Browser+ and rgthree's nodes. They are not read here."""
LARGEST = 4 * 2**20
"""Bytes of a sidecar above which it is not read."""


@dataclass(frozen=True)
class Sidecars:
    """What the files beside a LoRA say; empty where they say nothing."""

    title: str = ""
    description: str = ""
    triggers: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    base: str = ""
    """The base model's name as Civitai has it, such as `SDXL 1.0`."""
    notes: tuple[str, ...] = ()
    """Which of them could not be read, and why."""


def preview_of(path: Path) -> Path | None:
    """The picture of a LoRA file."""
    return next((beside for suffix in PICTURE_SUFFIXES if (beside := path.with_name(path.stem + suffix)).is_file()), None)


def beside(path: Path) -> list[Path]:
    """All files beside a LoRA file that belong to it: its pictures, and what UIs and their managers keep there."""
    ends = (*PICTURE_SUFFIXES, *MOVING_SUFFIXES, *SIDES, *OF_UIS)
    return [found for end in ends if (found := path.with_name(path.stem + end)).is_file()]


NOTHING = Sidecars()


def read_sidecars(path: Path, there: Collection[str] = SIDES) -> Sidecars:
    """What the files beside a LoRA file say; `there` are the ends of those that are there."""
    if not there:
        return NOTHING
    notes: list[str] = []
    user, site = _read_json(path.with_name(path.stem + USER), notes), _read_json(path.with_name(path.stem + SITE), notes)
    model = site.get("model") if isinstance(site.get("model"), dict) else {}
    assert isinstance(model, dict)
    descriptions = (
        _text(user, "description"),
        _text(user, "notes"),
        _plain(_text(site, "description")),
        _plain(_text(model, "description")),
    )
    return Sidecars(
        title=_text(model, "name"),
        description="\n".join(filter(None, (*descriptions, _read_text(path.with_name(path.stem + TEXT), notes)))),
        triggers=words_in(_text(user, "activation text")) + tuple(word for text in _texts(site, "trainedWords") for word in words_in(text)),
        tags=_texts(model, "tags") or _texts(site, "tags"),
        base=_text(site, "baseModel") or _text(user, "sd version"),
        notes=tuple(notes),
    )


def words_in(text: str) -> tuple[str, ...]:
    """The triggers or tags in a text that lists them with commas."""
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _read_json(path: Path, notes: list[str]) -> dict[str, Any]:
    text = _read_text(path, notes)
    if not text:
        return {}
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict):
        notes.append(f"{path.name} is not a JSON object, and was left out.")
        return {}
    return tree


def _read_text(path: Path, notes: list[str]) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        return ""
    except OSError as error:
        notes.append(f"{path.name} cannot be read ({error.strerror or error}).")
        return ""
    if len(data) > LARGEST:
        notes.append(f"{path.name} is larger than {LARGEST // 2**20} MB, and was left out.")
        return ""
    return data.decode("utf-8-sig", errors="replace").strip()


def _text(tree: dict[str, Any], key: str) -> str:
    value = tree.get(key)
    return whole_text(value).strip() if isinstance(value, str) else ""


def _texts(tree: dict[str, Any], key: str) -> tuple[str, ...]:
    value = tree.get(key)
    return tuple(whole_text(each).strip() for each in value if isinstance(each, str) and each.strip()) if isinstance(value, list) else ()


def _plain(text: str) -> str:
    """The words of a page."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())
