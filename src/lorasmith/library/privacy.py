"""What a LoRA file says of its maker's machine and pictures: found in the metadata of any trainer, and taken out.

Private are paths (absolute or relative) and names of folders and pictures, lists of tags, comments, session numbers, names of users and
machines, and access keys. The file names of weights stay, since they say what the LoRA is for: `/home/anna/models/base.safetensors`
becomes `base.safetensors`, and any other place becomes `PRIVATE`. Hashes stay as well: they tell nothing to who does not have the file.

Values that are JSON (settings of a trainer, a workflow of ComfyUI) are cleaned entry by entry. A thumbnail is a whole picture file, which
may have the place where it was taken, or a workflow in it: then it is saved again without.
"""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Mapping
from pathlib import PureWindowsPath
from typing import Any

from lorasmith.secrets import publishable

PRIVATE = "(private)"
"""What is left of a private place or name."""

_WEIGHTS = ("safetensors", "ckpt", "pt", "pth", "bin", "gguf", "onnx")
_OTHER_FILES = ("png", "jpg", "jpeg", "webp", "avif", "jxl", "bmp", "gif", "tif", "tiff", "heic", "txt", "caption", "json", "jsonl",
                "toml", "yaml", "yml", "npz", "csv", "zip", "py", "sh", "bat", "ps1", "log")  # fmt: skip

_DROPPED = re.compile(
    r"(?:^|[._])(?:tag_frequency|dataset_dirs|session_id|training_comment|host_?name|host|machine(?:_name)?|computer(?:_name)?|node"
    r"|user(?:_?name)?|e-?mail|ip(?:_address)?|cwd|argv|command_?line)$",
    re.IGNORECASE,
)
"""Names of entries that are private whatever they hold."""
_PLACE = re.compile(
    r"(?:^|[._])(?:paths?|dirs?|folders?|director(?:y|ies)|files?|file_?names?|locations?|roots?|workspace|outputs?|class_tokens)$",
    re.IGNORECASE,
)
"""Names of entries that hold a place, or are made of a folder's name."""
_MODEL = re.compile(r"model|base|vae|repo", re.IGNORECASE)

_PART = r"""[^\\/:*?"'<>|\s,;()\[\]{}=]"""
_LONG_PART = r"""[^\\/:*?"'<>|\r\n\t,;()\[\]{}=]"""  # with spaces, where a separator follows
_ABSOLUTE = (
    r"(?<![\w.])(?:[A-Za-z]:[\\/]+|\\\\(?=\w)|%\w+%[\\/])|(?<![\w.:/\\~$%-])(?:~[\w.-]*[\\/]|\$\{?\w+\}?[\\/]|/(?=[^/\s]+/))|file:/+"
)
_RELATIVE = r"(?<![\w./\\])\.{1,2}[\\/]+"
_IN_TEXT = re.compile(
    rf"(?:{_ABSOLUTE}|{_RELATIVE})(?:{_LONG_PART}{{1,255}}[\\/]{{1,9}}){{0,64}}{_PART}{{0,255}}"
    rf"|(?<![\w:/\\.-])(?:{_PART}{{1,255}}[\\/]{{1,9}}){{1,64}}{_PART}{{0,255}}\.(?:{'|'.join((*_WEIGHTS, *_OTHER_FILES))})\b",
    re.IGNORECASE,
)
"""A path within other text; `a/b.png` by its suffix. Counts have bounds, so that long texts take no longer than they are long."""
_WHOLE = re.compile(rf"(?:{_ABSOLUTE}|{_RELATIVE}|/(?=\S)).*|[^/\\\n]*\.(?:{'|'.join(_OTHER_FILES)})", re.IGNORECASE | re.DOTALL)
"""A text that is a path, or the name of a picture or of settings."""
_ADDRESS = re.compile(r"(?!file:)[a-z][a-z0-9+.-]+://\S*|data:[^\n]*", re.IGNORECASE)
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.IGNORECASE)


_OF_PIXELS = frozenset((
    "jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "gamma", "srgb", "chromaticity", "transparency", "background", "loop", "duration",
    "progressive", "progression", "icc_profile", "interlace", "adobe", "adobe_transform", "blend", "disposal", "default_image", "timestamp",
))  # fmt: skip
"""What a picture file says of its pixels alone, by Pillow's names."""


def without_private(metadata: Mapping[str, str]) -> dict[str, str]:
    """The metadata without what is private; entries that are private as a whole are left out."""
    return {key: _clean_text(value, key) for key, value in publishable(metadata).items() if not _DROPPED.search(key)}


def private_entries(metadata: Mapping[str, str]) -> list[str]:
    """The names, sorted, of the entries that `without_private` leaves out or changes."""
    clean = without_private(metadata)
    return sorted(key for key, value in metadata.items() if clean.get(key) != value)


def _clean(value: Any, name: str) -> Any:
    """A value of JSON without what is private; `name` is what it is called."""
    if isinstance(value, Mapping):
        return {_clean_text(str(key), ""): _clean(each, str(key)) for key, each in value.items() if not _DROPPED.search(str(key))}
    if isinstance(value, list):
        return [_clean(each, name) for each in value]
    return _clean_text(value, name) if isinstance(value, str) else value


def _clean_text(text: str, name: str) -> str:
    """A text without what is private; one that is JSON stays JSON."""
    if text[:1] in ("{", "[", '"'):
        try:
            known = json.loads(text)
            clean = _clean(known, name)
        except ValueError:
            pass  # it only begins alike
        except RecursionError:
            return PRIVATE
        else:
            return text if clean == known else json.dumps(clean)
    if text.startswith("data:image/"):
        return _bare_picture(text)
    if not text.strip() or text == PRIVATE or _ADDRESS.fullmatch(text) or _is_hub_id(text, name):
        return text
    if _PLACE.search(name) or ("\n" not in text and _WHOLE.fullmatch(text)):
        return _last_part(text)
    return _IN_TEXT.sub(lambda found: _last_part(found[0]), text)


def _bare_picture(url: str) -> str:
    """A picture in an address (`data:image/png;base64,...`) without what is beside its pixels; the same where there is nothing, or it is not one."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as picture:
            if not {*picture.info} - _OF_PIXELS:
                return url
            kind = "PNG" if picture.format == "PNG" else "JPEG"
            bare = picture.convert("RGBA" if kind == "PNG" and picture.has_transparency_data else "RGB")
    except (ValueError, OSError, SyntaxError, Image.DecompressionBombError):
        return url
    file = io.BytesIO()
    Image.frombytes(bare.mode, bare.size, bare.tobytes()).save(file, kind, **({} if kind == "PNG" else {"quality": 90}))
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def _is_hub_id(text: str, name: str) -> bool:
    """Whether an entry about a model names one of the hub: owner/name."""
    return bool(_MODEL.search(name) and _HUB_ID.fullmatch(text)) and text.rpartition(".")[2].lower() not in _WEIGHTS


def _last_part(path: str) -> str:
    """The file name of weights; of anything else nothing."""
    last = PureWindowsPath(path.strip().replace("\\", "/"))
    return last.name if last.suffix[1:].lower() in _WEIGHTS else PRIVATE
