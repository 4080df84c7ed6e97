"""Hashes of a base model's files, remembered while a file stays as it is.

Hashing seven gigabytes takes a while, and every start of a run needs the same hashes. So a hash is kept in the user's cache folder
under what the system says about the file: its path, size, time of change in nanoseconds and inode. A file that is written again
has another time or inode, and is hashed again.

The names that others have for a file come from the same bytes:

    sha256     over the whole file: what sites show, and `ss_new_sd_model_hash` in a LoRA's metadata
    AutoV2     its first ten digits
    AutoV1     the first eight of a sha256 over 64 KiB at 1 MiB: `ss_sd_model_hash`
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from lorasmith.atomic import write_atomically
from lorasmith.cache_folder import users_cache
from lorasmith.errors import BaseModelError
from lorasmith.models.description import Description, PartPlace
from lorasmith.models.settings import Quantize

_MOST = 5_000  # hashes that are kept; the oldest go


def sha256(path: Path, read: Callable[[Path], str] | None = None) -> str:
    """The sha256 of a file, as hexadecimal digits; read from the file only where it is not known yet."""
    found = path.resolve()
    try:
        state = found.stat()
        key = f"{found}|{state.st_size}|{state.st_mtime_ns}|{state.st_ino}"
        known = _remembered()
        if key not in known:
            digest = (read or _digest)(found)
            after = found.stat()
            if (after.st_size, after.st_mtime_ns) != (state.st_size, state.st_mtime_ns):
                raise BaseModelError(f"{path} is being written while it is read; wait until it is whole.")
            _remember(key, digest)
            return digest
        return known[key]
    except OSError as error:
        raise BaseModelError(f"{path} cannot be read ({error.strerror or error}); give a file that can.") from error


def auto_v1(path: Path) -> str:
    """The eight digits by which the first UIs called a file; two files may share them."""
    with path.open("rb") as file:
        file.seek(0x100000)
        return hashlib.sha256(file.read(0x10000)).hexdigest()[:8]


def short_hash(source: Path, fingerprint: str) -> str:
    """The ten digits that UIs show of a model: AutoV2 of a single file, those of its denoiser's fingerprint where it is a folder."""
    return (sha256(source) if source.is_file() else fingerprint)[:10]


def fingerprints(description: Description, quantize: Quantize = "none") -> dict[str, str]:
    """Part -> sha256 over its settings, its place and the hashes of its files: what a cache of its results depends on.

    A text encoder's tokenizer counts with it, where one is beside the weights. Quantised weights are other numbers than the file's.
    """
    found = {name: fingerprint(place) for name, place in description.parts.items()}
    for name, folder in description.tokenizers.items():
        encoder = name.replace("tokenizer", "text_encoder")
        if encoder in found:
            files = {file.name: sha256(file) for file in sorted(folder.iterdir()) if file.is_file()}
            found[encoder] = hashlib.sha256(f"{found[encoder]} {json.dumps(files, sort_keys=True)}".encode()).hexdigest()
    if description.changes is not None:
        changed = {name: f"{own} {description.changes.mark}" for name, own in found.items() if description.changes.of(name)}
        found |= {name: hashlib.sha256(words.encode()).hexdigest() for name, words in changed.items()}
    quantized = {name for name, place in description.parts.items() if quantize != "none" and place.config.architecture.quantizable}
    return {name: hashlib.sha256(f"{own} {quantize}".encode()).hexdigest() if name in quantized else own for name, own in found.items()}


def fingerprint(place: PartPlace) -> str:
    """One part's; the same for the same bytes and settings wherever the files are."""
    depends_on = {
        "config": [place.config.class_name, place.config.settings],
        "prefix": place.prefix,
        "names": place.names,
        "files": [sha256(file) for file in place.files],
    }
    return hashlib.sha256(json.dumps(depends_on, sort_keys=True, default=list).encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _store() -> Path:
    return users_cache() / "hashes.json"


def _remembered() -> dict[str, str]:
    """Key -> digest; nothing where the store is absent or damaged, for it can be made again."""
    store = _store()
    try:
        state = store.stat()
        return _read(store, state.st_mtime_ns, state.st_size, state.st_ino)
    except (OSError, ValueError):
        return {}


@lru_cache(maxsize=1)
def _read(store: Path, *_state: int) -> dict[str, str]:
    """What the store holds while it is in this state: a full one takes milliseconds to read, and a base asks for each of its files."""
    tree = json.loads(store.read_text(encoding="utf-8"))
    return {str(k): v for k, v in tree.items() if isinstance(v, str) and len(v) == 64} if isinstance(tree, dict) else {}


def _remember(key: str, digest: str) -> None:
    """Add a hash; a cache folder that cannot be written costs time, not the run."""
    from filelock import FileLock

    store = _store()
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{store}.lock", timeout=30):
            known = _remembered() | {key: digest}
            write_atomically(store, json.dumps(dict(list(known.items())[-_MOST:]), indent=0).encode())
    except OSError as error:
        import logging

        logging.getLogger(__name__).warning("the hash of a file could not be remembered in %s (%s)", store, error.strerror or error)
