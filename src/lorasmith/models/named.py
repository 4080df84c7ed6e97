"""What a model's file or folder is called, where nothing in it says what its name does."""

from __future__ import annotations

import re
from pathlib import Path

from lorasmith.models.files.hub import hub_parts, is_hub_id

TURBO = r"(?<!de)(?<!de[-_. ])turbo"
"""Bases that were distilled to few steps, and not those that were made from them to undo it."""


def is_called(source: Path, pattern: str) -> bool:
    """Whether the name of a file or folder has this pattern in it, in small letters; of a snapshot in the hub's cache the repository's name."""
    repositories = [parent.name for parent in source.parents if parent.name.startswith("models--")]
    return any(re.search(pattern, name.lower()) for name in (source.name, *repositories))


def name_of(source: Path | str) -> str:
    """What people on this machine call a model: the name of its file or folder, or its id at the hub.

    Where the last part says nothing (`model.safetensors`, `unet`, a snapshot's hash), it is called after the folder that does: `anime-xl` of
    `anime-xl/model.safetensors`, `owner/name` of a snapshot in the hub's cache. A plain word goes with what is above it: `sdxl base`. The
    name of a home folder is somebody's, and is never taken.
    """
    source = Path(source)
    if is_hub_id(source):
        repository, _, inside = hub_parts(source.as_posix())
        return repository if not inside or _says_nothing(Path(inside).name) else Path(inside).name
    parts = source.expanduser().absolute().parts
    for above, part in enumerate(reversed(parts[_first_own(parts) :])):
        if part.startswith(_CACHED):
            return part.removeprefix(_CACHED).replace("--", "/", 1)
        if not _says_nothing(part) and part.lower() not in _WORDS:
            word = source.name if above and source.name.lower() in _WORDS else ""
            return f"{part} {word}".strip()
    return source.name


def public_name_of(source: Path | str) -> str:
    """What a file that is given away calls a model: as `name_of`, without the folders that it is in, which may be private.

    That is what sd-scripts writes (the last part of a path, or the hub's id), save where the last part says nothing and a folder of the model
    itself does: its diffusers folder, its repository in the hub's cache.
    """
    path = Path(source).expanduser().absolute()
    if is_hub_id(source) or path.is_relative_to(_OURS) or any(part.startswith(_CACHED) for part in path.parts):
        return name_of(source)
    if not _says_nothing(path.name):
        return path.name
    return next((folder.name for folder in path.parents if (folder / "model_index.json").is_file()), path.name)


_OURS = Path(__file__).parents[1]
"""The package, in which the demo's base is."""
_CACHED = "models--"
"""How folders of repositories begin in the hub's cache."""
_WORDS = frozenset(("base", "final", "last", "latest", "best", "main", "fp16", "bf16", "fp32"))
"""Words for one of several, which do not say of what."""
_NOTHING = re.compile(
    r"(model|models|pytorch_model|diffusion_pytorch_model|unet|transformer|denoiser|snapshots?|weights|checkpoints?|diffusers|bases"
    r"|[0-9a-f]{7,64})([-_.](fp16|bf16|fp32))?(\.(safetensors|ckpt|pt|bin|gguf))?"
)
"""Names of files and folders that are the same in every model."""


def _says_nothing(name: str) -> bool:
    return _NOTHING.fullmatch(name.lower()) is not None and not name.isdecimal()


def _first_own(parts: tuple[str, ...]) -> int:
    """Where the part of a path begins that is not somebody's name: behind `/`, the home folder, and other people's."""
    home = Path.home().parts
    if parts[: len(home)] == home:
        return len(home)
    return 3 if len(parts) > 2 and parts[1].lower() in ("home", "users") else 1
