"""Generation parameters as AUTOMATIC1111's web UI writes them into PNGs, and as it and others read them back.

    zorvex, beach <lora:zorvex:0.7>
    Negative prompt: blurry
    Steps: 28, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 1, Size: 512x768, Model hash: 6ce0161689, Model: base, Version: lorasmith 0.1

What the form cannot hold (a line that begins like the second one, space at the ends of lines) is repeated as a quoted entry, which those
who do not know it skip, so that any request comes back as it was.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from lorasmith.errors import InputError, SettingsError
from lorasmith.models.prompts.request import PictureRequest
from lorasmith.models.samplers import SAMPLERS, sampler_key

ENTRY = "parameters"
"""The text of a PNG that holds them."""
NEGATIVE = "Negative prompt:"
EXACT = {"prompt": "Exact prompt", "negative_prompt": "Exact negative prompt"}
_HASH = re.compile(r"(.+?):\s*(\w+)\s*(?:,|$)")
_PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')


@dataclass(frozen=True)
class Parameters:
    """How a picture was generated: the request, complete; the model; the LoRAs' hashes; and whatever else was written."""

    request: PictureRequest
    model: str = ""
    """The base's name."""
    model_hash: str = ""
    """Its first ten digits (AutoV2)."""
    lora_hashes: Mapping[str, str] = field(default_factory=dict)
    """Name in the prompt -> the first twelve digits of the LoRA's hash (AutoV3)."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """Other entries by their names; `Sampler` among them where that one is not offered here."""
    version: str = ""
    """The program that wrote it."""


def this_version() -> str:
    """What this program calls itself in a picture."""
    return f"lorasmith {version('lorasmith')}"


# -- writing ------------------------------------------------------------------------------------------------------------------


def parameters_text(parameters: Parameters) -> str:
    """The text that goes into a PNG."""
    request = parameters.request
    shown = {name: getattr(request, name).encode("utf-8", "replace").decode() for name in EXACT}
    head = shown["prompt"] + (f"\n{NEGATIVE} {shown['negative_prompt']}" if shown["negative_prompt"] else "")
    entries = _entries(parameters)
    plain = f"{head}\n{entries}"
    back = _prompts(plain)
    exact = {title: json.dumps(getattr(request, name)) for name, title in EXACT.items() if back[name] != getattr(request, name)}
    return ", ".join([plain, *(f"{title}: {text}" for title, text in exact.items())])


def _entries(parameters: Parameters) -> str:
    request = parameters.request
    hashes = ", ".join(f"{name}: {digits}" for name, digits in parameters.lora_hashes.items())
    entries: dict[str, Any] = {
        "Steps": request.steps,
        "Sampler": None if request.sampler is None else SAMPLERS[request.sampler].title,
        "CFG scale": _number(request.cfg_scale),
        "Distilled CFG Scale": _number(request.guidance),
        "Seed": request.seed,
        "Size": f"{request.width}x{request.height}" if request.width and request.height else None,
        "Model hash": parameters.model_hash,
        "Model": parameters.model,
        "Clip skip": request.clip_skip if request.clip_skip > 1 else None,
        "Lora hashes": hashes,
        **parameters.extra,
        "Version": parameters.version or this_version(),
    }
    return ", ".join(f"{name}: {_quoted(str(value))}" for name, value in entries.items() if value not in (None, ""))


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:g}" if float(f"{value:g}") == value else repr(value)


def _quoted(value: str) -> str:
    """As A1111 quotes values."""
    return json.dumps(value) if any(c in value for c in ',:"') or not value.isprintable() or value != value.strip() else value


def png_bytes(picture: Image.Image, parameters: Parameters) -> bytes:
    """The picture as a PNG file with its parameters."""
    info = PngInfo()
    info.add_text(ENTRY, parameters_text(parameters))
    file = io.BytesIO()
    picture.save(file, "PNG", pnginfo=info)
    return file.getvalue()


# -- reading ------------------------------------------------------------------------------------------------------------------


def read_png(path: str | Path) -> Parameters:
    """How the picture in a PNG file was generated, whichever program wrote it down in A1111's form.

    Raises
    ------
    InputError
        It is not a picture, has no parameters, or a value in them cannot be read.

    Examples
    --------
    >>> parameters = ls.read_png("generated.png")
    >>> parameters.request.prompt, parameters.request.steps
    ('zorvex, beach', 1)
    """
    try:
        with Image.open(path) as picture:
            picture.load()
            text = picture.info.get(ENTRY)
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{path} is not a picture that can be read ({error}). Give a PNG.", code="parameters.not_a_picture") from None
    if not isinstance(text, str):
        raise InputError(
            f"{path} has no generation parameters: it was not generated, or lost them on the way. Give the prompt by hand.",
            code="parameters.missing", path=str(path),
        )  # fmt: skip
    return read_parameters(text)


def read_parameters(text: str) -> Parameters:
    """What a text of parameters says. Raises SettingsError where a value cannot be read."""
    _, last = _split(text)
    entries = {name: _unquoted(value) for name, value in _PAIR.findall(last)}
    prompts = _prompts(text)
    for name, title in EXACT.items():
        prompts[name] = entries.pop(title, prompts[name])
    take = entries.pop
    sampler = _sampler(take("Sampler", ""), take("Schedule type", ""))
    if isinstance(sampler, UnknownSampler):
        entries["Sampler"] = sampler
    try:
        width, _, height = take("Size", "").partition("x")
        request = PictureRequest(
            prompts["prompt"],
            prompts["negative_prompt"],
            seed=int(take("Seed", "1")),
            width=int(width) if width else None,
            height=int(height) if height else None,
            sampler=None if isinstance(sampler, UnknownSampler) else sampler,
            steps=_or_none(int, take("Steps", "")),
            cfg_scale=_or_none(float, take("CFG scale", "")),
            guidance=_or_none(float, take("Distilled CFG Scale", "")),
            clip_skip=int(take("Clip skip", "1")),
        )
    except ValueError as error:
        raise SettingsError(
            f"The generation parameters cannot be read ({error}). Give the prompt by hand.", code="parameters.value"
        ) from None
    hashes = {name.strip(): digits for name, digits in _HASH.findall(take("Lora hashes", ""))}
    return Parameters(request, take("Model", ""), take("Model hash", ""), hashes, version=take("Version", ""), extra=entries)


def _split(text: str) -> tuple[list[str], str]:
    """The lines of the prompts, and the last line with its entries; "" where there are none."""
    *lines, last = text.strip("\n").split("\n")
    return (lines, last) if len(_PAIR.findall(last)) >= 3 else ([*lines, last], "")


def _prompts(text: str) -> dict[str, str]:
    """Both prompts as every reader of the form finds them."""
    found: dict[str, list[str]] = {"prompt": [], "negative_prompt": []}
    place = "prompt"
    for line in (each.strip() for each in _split(text)[0]):
        if line.startswith(NEGATIVE):
            place, line = "negative_prompt", line.removeprefix(NEGATIVE).strip()
        found[place].append(line)
    return {name: "\n".join(lines) for name, lines in found.items()}


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value.strip()
    try:
        return str(json.loads(value))
    except ValueError:
        return value


def _or_none(kind: Any, value: str) -> Any:
    return kind(value) if value else None


class UnknownSampler(str):
    """The label of a sampler that is not offered here."""

    __slots__ = ()


def _sampler(label: str, schedule: str) -> str | UnknownSampler | None:
    """A sampler by its label; newer versions of A1111 write the schedule apart, and leave the usual one of a sampler unsaid."""
    if not label:
        return None
    usual = {"DPM++ 2M": "Karras", "DPM++ SDE": "Karras"}.get(label, "")
    apart = usual if schedule == "Automatic" else schedule
    called = f"{label} {apart}".strip()
    try:
        return sampler_key(called)
    except SettingsError:
        return UnknownSampler(called)
