"""Edit what a LoRA file says of itself. Its tensors are copied as bytes, whatever family or program they are for.

    edit_lora("mimi.safetensors", {"modelspec.title": "Mimi"}, out="mimi-named.safetensors")
    edit_lora("mimi.safetensors", private=True, in_place=True)
    undo_edits("mimi.safetensors")

The file is read and written in pieces, so that one of many gigabytes takes no more memory than a small one, and appears whole or not at
all. A file that is edited in place leaves its first header beside itself, from which the former file can be made again byte by byte; see
decision 0034. Hashes in the metadata that programs know the file by (`sshs_*`) are computed again where the file has them.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from lorasmith.adapters.files.hashes import auto_v1_under, sshs_legacy_hash
from lorasmith.adapters.files.header import read_lora_header
from lorasmith.atomic import open_atomically, write_atomically
from lorasmith.errors import AdapterError, InputError, SettingsError
from lorasmith.library.privacy import without_private
from lorasmith.registry import nearest
from lorasmith.safetensors_header import LONGEST, header_bytes, rows_of
from lorasmith.secrets import without_secrets

if TYPE_CHECKING:
    from PIL import Image

THUMBNAIL = "modelspec.thumbnail"
THUMBNAIL_SIDE = 256
"""Pixels; what ModelSpec recommends."""

_COMPUTED = ("sshs_model_hash", "sshs_legacy_hash")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Change:
    """One entry of metadata; None where it is not there."""

    key: str
    before: str | None
    after: str | None

    @property
    def without_secrets(self) -> Change:
        """As it can be shown."""
        return Change(self.key, without_secrets(self.before, self.key), without_secrets(self.after, self.key))


@dataclass(frozen=True)
class Hashes:
    """What sites and UIs know a file by."""

    sha256: str
    """Of the whole file; AutoV2 is its first ten digits."""
    auto_v1: str
    """The old hash of A1111: of 64 KiB at 1 MiB."""
    auto_v3: str
    """Of the tensors: no edit changes it."""


@dataclass(frozen=True)
class Edit:
    """What an edit changed, or would change."""

    file: Path
    out: Path | None
    """The file that was written; None where nothing was."""
    changes: tuple[Change, ...]
    before: Hashes
    after: Hashes
    kept: Path | None = None
    """Where the former header is kept, from which `undo_edits` makes the former file."""

    @property
    def as_data(self) -> dict[str, Any]:
        """For --json."""
        hashes = {"before": asdict(self.before), "after": asdict(self.after)}
        changes = [asdict(each.without_secrets) for each in self.changes]
        return {"file": self.file, "out": self.out, "changes": changes, "hashes": hashes, "kept": self.kept}


def edit_lora(
    file: str | Path, entries: Mapping[str, str] | None = None, *, remove: Iterable[str] = (), rename: Mapping[str, str] | None = None,
    private: bool = False, thumbnail: str | Path | None = None, out: str | Path | None = None, in_place: bool = False,
    overwrite: bool = False, dry_run: bool = False,
) -> Edit:  # fmt: skip
    """Change the metadata of a safetensors file, of any family and any program; its tensors stay as they are, byte by byte.

    Parameters
    ----------
    file
        The file; it is changed only with `in_place`.
    entries
        Values by key; what UIs show are modelspec.title, .author, .license, .description, .trigger_phrase and .usage_hint.
    remove, rename
        Keys to remove, and new names by old ones. First private entries go, then others are removed, renamed, and set.
    private
        Take out paths, folder names, tag lists, comments and access keys; see `privacy`.
    thumbnail
        A picture, of which the middle is shown in UIs (256 x 256 pixels).
    out
        The new file.
    in_place
        Replace `file`; its former header is kept beside it for `undo_edits`.
    overwrite
        `out` may exist.
    dry_run
        Write nothing.

    Raises
    ------
    SettingsError
        A value is not text, a key is not there, or nothing is asked for.
    AdapterError
        The file is not a safetensors file, or damaged.

    Examples
    --------
    >>> edit = ls.edit_lora("my-lora.safetensors", {"modelspec.title": "My first"}, dry_run=True)
    >>> [(change.key, change.before, change.after) for change in edit.changes]
    [('modelspec.title', 'my-lora', 'My first')]
    """
    file = Path(file)
    given = dict(entries or {})
    if thumbnail is not None:
        given[THUMBNAIL] = thumbnail_url(thumbnail)
    if not (given or remove or rename or private):
        raise SettingsError("Nothing was asked for: give entries to set, remove or rename.", code="edit.nothing")
    target = _target(file, out, in_place, overwrite, dry_run)
    metadata = edited(read_lora_header(file).metadata, given, remove, rename or {}, private)
    return _rewrite(file, metadata, target, dry_run)


def undo_edits(file: str | Path) -> Edit:
    """Make the file again that was there before it was edited in place, byte by byte.

    Raises
    ------
    InputError
        No former header is kept beside it.

    Examples
    --------
    >>> edit = ls.edit_lora("my-lora.safetensors", {"modelspec.title": "My first"}, in_place=True)
    >>> ls.undo_edits("my-lora.safetensors").after == edit.before
    True
    """
    file = Path(file).resolve()
    now = read_lora_header(file).metadata
    start = _data_start(file)
    with _reading(file) as opened:
        before = _hashes(opened, start, _head(opened, start))
        kept = _kept_beside(file, before)
        if not kept.is_file():
            raise InputError(
                f"No former header of {file.name} is kept beside it ({kept.name}), so there is nothing to undo: it was not edited in place.",
                code="edit.not_kept", path=str(file),
            )  # fmt: skip
        header = kept.read_bytes()
        if _rows_of(header) != _rows_of(_head(opened, start)):
            raise InputError(f"{kept} is damaged, or of another file: it is not put back.", code="edit.not_kept", path=str(kept))
        after = _hashes(opened, start, header)
        _write(opened, start, header, file)
    kept.unlink()
    return Edit(file, file, _changes(now, read_lora_header(file).metadata), before, after)


def edited(
    metadata: Mapping[str, str], entries: Mapping[str, str], remove: Iterable[str] = (), rename: Mapping[str, str] | None = None,
    private: bool = False,
) -> dict[str, str]:  # fmt: skip
    """The metadata after an edit: without what is private, then with entries removed, renamed and set.

    Raises:
        SettingsError: a value is not text, a key is not there or is taken, or a hash is given, which is computed.
    """
    for key, value in entries.items():
        _check_text(key, value)
    new = dict(metadata)
    if private:
        clean = without_private(new)
        remove = [key for key in remove if key not in new or key in clean]  # what went already is gone as asked
        new = clean
    for key in remove:
        _check_there(key, new)
        del new[key]
    for old, name in (rename or {}).items():
        _check_there(old, new)
        _check_text(name, new[old])
        if name in new and name != old:
            raise SettingsError(f"There is an entry {name} already: remove it first, or give another name.", code="edit.taken", key=name)
        new[name] = new.pop(old)
    return new | dict(entries)


def thumbnail_url(picture: str | Path) -> str:
    """A picture as ModelSpec has it: the square in its middle, at most 256 x 256 pixels, as a data URL.

    Raises:
        DatasetError: the file is no picture, or damaged.
    """
    from lorasmith.images.read import read_picture

    return thumbnail_of(read_picture(picture))


def thumbnail_of(image: Image.Image) -> str:
    """The same of a picture that is open."""
    from PIL import Image, ImageOps

    side = min(*image.size, THUMBNAIL_SIDE)
    small = ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    small.convert("RGB").save(stream, "JPEG", quality=85, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()


def _check_there(key: str, metadata: Mapping[str, str]) -> None:
    if key not in metadata:
        hint = nearest(key, sorted(metadata)) if metadata else "the file has no metadata."
        raise SettingsError(f"There is no entry {key} in the file's metadata; {hint}", code="edit.no_entry", key=key)


def _check_text(key: Any, value: Any) -> None:
    """What a program can read back: texts alone."""
    for each, what in ((key, "name"), (value, "value")):
        if not isinstance(each, str):
            raise SettingsError(
                f"The {what} of {key} is {type(each).__name__}, but metadata are text alone: give {str(each)!r}.",
                code="edit.not_text", key=str(key),
            )  # fmt: skip
        try:
            each.encode()
        except UnicodeEncodeError:
            raise SettingsError(
                f"The {what} of {key!r} has bytes that are not UTF-8 text: write it again.", code="edit.not_text", key=repr(key)
            ) from None
    if not key or key == "__metadata__":
        raise SettingsError(f"An entry cannot be called {key!r}: give another name.", code="edit.name")
    if key in _COMPUTED:
        raise SettingsError(f"{key} is computed from the file and cannot be given: leave it out.", code="edit.computed", key=key)


# ---- the file


def _target(file: Path, out: str | Path | None, in_place: bool, overwrite: bool, dry_run: bool) -> Path:
    """Where the edited file goes.

    Raises:
        SettingsError: that was not said, or twice.
        InputError: it exists.
    """
    if in_place and out is not None:
        raise SettingsError("Both a new file and in place were asked for: give one of them.", code="edit.where")
    if out is None:
        if not (in_place or dry_run):
            raise SettingsError(
                f"It was not said where the edited file goes: give a new file (--out), or --in-place to replace {file}.", code="edit.where"
            )
        return file.resolve()
    out = Path(out)
    if out.exists() and out.samefile(file):
        raise SettingsError(f"{out} is the file itself: to replace it, ask for that (--in-place).", code="edit.where", path=str(out))
    if out.suffix != ".safetensors":
        raise InputError(f"{out} does not end in .safetensors, which the programs look for: name it so.", code="lora.suffix", path=str(out))
    if out.exists() and not (overwrite or dry_run):
        raise InputError(f"{out} exists already: give another name, or --overwrite.", code="lora.exists", path=str(out))
    return out


def _rewrite(file: Path, metadata: dict[str, str], target: Path, dry_run: bool) -> Edit:
    """Write the file's tensors under a new header, and compute the hashes of both."""
    old = read_lora_header(file)
    start = _data_start(file)
    with _reading(file) as opened:
        old_header = _head(opened, start)
        before = _hashes(opened, start, old_header)
        if "sshs_model_hash" in metadata:
            metadata["sshs_model_hash"] = before.auto_v3
        if "sshs_legacy_hash" in metadata:
            metadata["sshs_legacy_hash"] = sshs_legacy_hash(opened, old.tensors, metadata)
        changes = _changes(old.metadata, metadata)
        header = header_bytes(metadata, rows_of(old.tensors)) if changes else old_header
        if len(header) > LONGEST:
            raise SettingsError(
                f"The metadata would have {len(header) / 1e6:.1f} MB, and programs read at most {LONGEST // 1_000_000}: shorten it.",
                code="edit.too_long",
            )
        after = _hashes(opened, start, header)
        in_place = target == file.resolve()
        if dry_run or (in_place and not changes):
            return Edit(file, None, changes, before, after)
        kept = _kept_beside(target, before) if in_place else None
        if kept is not None and not kept.exists():
            write_atomically(kept, old_header)
        _write(opened, start, header, target)
    return Edit(file, target, changes, before, after, kept)


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    changed = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    return tuple(Change(key, before.get(key), after.get(key)) for key in changed)


def _kept_beside(file: Path, hashes: Hashes) -> Path:
    """Where the first header of a file is kept; by its tensors, so that it is never put before those of another training."""
    return file.with_name(f"{file.stem}.{hashes.auto_v3[:12]}.header")


@contextmanager
def _reading(file: Path) -> Iterator[BinaryIO]:
    try:
        opened = file.open("rb")
    except OSError as error:
        raise AdapterError(f"{file} cannot be read ({error.strerror}): check its permissions.", code="lora.unreadable") from error
    with opened:
        yield opened


def _data_start(file: Path) -> int:
    """Where the numbers begin, in a file whose header was checked."""
    with _reading(file) as opened:
        return 8 + int.from_bytes(opened.read(8), "little")


def _head(opened: BinaryIO, start: int) -> bytes:
    opened.seek(0)
    return opened.read(start)


def _numbers(opened: BinaryIO, start: int) -> Iterator[bytes]:
    """The bytes of all tensors, in pieces."""
    opened.seek(start)
    while block := opened.read(_BLOCK):
        yield block


def _rows_of(header: bytes) -> Any:
    """What a header says of the tensors; None where it is damaged."""
    try:
        tree = json.loads(header[8:]) if int.from_bytes(header[:8], "little") == len(header) - 8 else {}
    except ValueError:
        return None
    return {key: value for key, value in tree.items() if key != "__metadata__"}


def _write(opened: BinaryIO, start: int, header: bytes, target: Path) -> None:
    with open_atomically(target, len(header) + opened.seek(0, io.SEEK_END) - start) as new:
        new.write(header)
        for block in _numbers(opened, start):
            new.write(block)
        opened.close()  # it may be the file that is replaced now, and Windows replaces none that is open


def _hashes(opened: BinaryIO, start: int, header: bytes) -> Hashes:
    """The hashes of the file that has this header before the numbers of `opened`."""
    whole, tensors = hashlib.sha256(header), hashlib.sha256()
    for block in _numbers(opened, start):
        whole.update(block)
        tensors.update(block)
    return Hashes(whole.hexdigest(), auto_v1_under(header, opened, start), tensors.hexdigest())
