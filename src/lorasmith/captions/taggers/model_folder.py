"""A model's files, from the user's folder or from the hub, from where they are downloaded once into the hub's own cache."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from lorasmith.errors import InputError

HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*(/\w[\w.-]*)*")
"""`owner/name`, or `owner/name/folder` where the model is in a folder of its repository."""


def model_folder(source: Path | str, patterns: Sequence[str]) -> Path:
    """The folder with a model's files: `source` itself where it is a folder, else the hub repository of that id.

    Only files of a repository that match one of `patterns` are downloaded. The hub's cache, `HF_TOKEN`, `HF_HOME`, `HF_ENDPOINT` and
    `HF_HUB_OFFLINE` work as usual.

    Raises:
        InputError: neither a folder nor an id, or the repository does not exist, is not open to this user, or cannot be reached.
    """
    folder = Path(os.path.expanduser(source))
    if folder.is_dir():
        return folder
    name = str(source)
    if folder.exists():
        raise InputError(
            f"{source} is a file: give the folder of the model, or the id of a hub repository (owner/name).", code="hub.not_a_folder"
        )
    if not HUB_ID.fullmatch(name):
        raise InputError(
            f"{source} is neither a folder nor the id of a hub repository (owner/name): check the spelling.", code="hub.not_found"
        )
    owner, repository, *inside = name.split("/")
    return _downloaded(f"{owner}/{repository}", "/".join(inside), patterns)


def model_fingerprint(folder: Path) -> str:
    """A hash of the configuration's bytes and the weights' names, sizes and times, which changes with the model."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.json")):
        digest.update(file.read_bytes())
    for file in sorted(folder.glob("*.safetensors")):
        state = file.stat()
        digest.update(f"{file.name} {state.st_size} {state.st_mtime_ns}".encode())
    return digest.hexdigest()


def _downloaded(repository: str, inside: str, patterns: Sequence[str]) -> Path:
    import huggingface_hub
    from huggingface_hub import errors

    inside_patterns = [f"{inside}/{pattern}" if inside else pattern for pattern in patterns]
    try:
        snapshot = Path(huggingface_hub.snapshot_download(repository, allow_patterns=inside_patterns))
    except errors.GatedRepoError as error:
        raise InputError(
            f"{repository} requires its users to accept terms: accept them on its page, and set HF_TOKEN to a token of that account.",
            code="hub.gated",
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise InputError(
            f"There is no folder and no public hub repository {repository}: check the name, or set HF_TOKEN if it is private.",
            code="hub.not_found",
        ) from error
    except errors.LocalEntryNotFoundError as error:
        raise InputError(
            f"{repository} is neither a folder nor in the hub's cache, and the hub cannot be reached (no network, or HF_HUB_OFFLINE is "
            "set): download it where there is a network, or give a folder with the model.",
            code="hub.offline",
        ) from error
    except (errors.HfHubHTTPError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise InputError(
            f"{repository} could not be downloaded from the hub ({reason}): try again, or give a folder with the model.",
            code="hub.failed",
        ) from error
    folder = snapshot / inside if inside else snapshot
    if not folder.is_dir():
        raise InputError(f"The hub repository {repository} has no folder {inside!r}: look up the folder's name on its page.")
    return folder
