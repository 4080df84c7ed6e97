"""Base models from the Hugging Face hub: fetched once, kept in the hub's own cache, and found there without a network.

`HF_TOKEN`, `HF_HOME`, `HF_ENDPOINT` and `HF_HUB_OFFLINE` count as everywhere. Of a repository only what a base needs is fetched: the
small configs and tokenizers, and the weights of its parts once (half precision where it is offered), never the pickles.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from lorasmith.errors import BaseModelError
from lorasmith.models.files.fetch import check_hash, fetch
from lorasmith.models.files.part_files import INDEXES
from lorasmith.progress import Progress
from lorasmith.stores import here, url_of

_HUB_ID = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@[\w./-]+?)?(/[\w./ -]+\.(safetensors|ckpt))?")
_REVISION = re.compile(r"(.+?)(?:/([\w./ -]+\.\w{2,11}))?")
"""What is after the @: a revision, which may have slashes, and perhaps a file."""
_SMALL = (".json", ".txt", ".model")
_LEFT_OUT = ("safety_checker", "feature_extractor", "image_encoder")  # folders of a pipeline that a base does not need


def is_hub_id(source: Path | str) -> bool:
    """Whether `source` is written as a hub id, and nothing here has that name."""
    return bool(_HUB_ID.fullmatch(str(source))) and not Path(os.path.expanduser(source)).exists()


def source_of(source: Path | str) -> Path:
    """The file or folder that `source` names: itself, or a copy in a cache of the hub's model or of what is in a store, fetched first.

    A place in a store is a URL (`stores`). A hub id is `owner/name`, `owner/name@revision`, or `owner/name/file.safetensors` for one file of a repository.
    """
    if url_of(source) is not None:
        return here(source, needed_of_store)
    if not is_hub_id(source):
        return Path(os.path.expanduser(source))
    repository, revision, file = hub_parts(str(source))
    return fetch_file(repository, file, revision) if file else fetch_folder(repository, revision)


def is_elsewhere(source: Path | str) -> bool:
    """Whether `source` has to be fetched to be looked at: the id of a hub repository, or a place in a store."""
    return is_hub_id(source) or url_of(source) is not None


def needed_of_store(files: list[str]) -> list[str]:
    """What is needed of a folder in a store: of a base what `needed_files` says, of anything else all but hidden files."""
    return needed_files(files) if set(INDEXES) & set(files) else [file for file in files if not PurePosixPath(file).name.startswith(".")]


def hub_parts(source: str) -> tuple[str, str, str]:
    """Repository, revision and what is named inside it ("" for nothing) of a hub id."""
    repository, at, rest = source.partition("@")
    owner, name, *inside = repository.split("/")
    if not at:
        return f"{owner}/{name}", "main", "/".join(inside)
    match = _REVISION.fullmatch(rest)
    return f"{owner}/{name}", match[1] if match else rest, (match and match[2]) or ""


def fetch_folder(repository: str, revision: str = "main") -> Path:
    """The folder of a repository in the cache, with what a base model needs."""
    import huggingface_hub
    from huggingface_hub import constants

    def cached() -> str:
        # Of a folder that was fetched in part the hub's library hands out only what is asked for by name.
        return huggingface_hub.snapshot_download(repository, revision=revision, allow_patterns=list(INDEXES), local_files_only=True)

    def fetch() -> str:
        if constants.HF_HUB_OFFLINE:
            return cached()
        try:
            info = huggingface_hub.HfApi().model_info(repository, revision=revision)
        except (huggingface_hub.errors.HfHubHTTPError, ValueError):
            raise
        except Exception:  # no network, in the words of whichever HTTP library the hub's uses: what the cache has
            return cached()
        needed = needed_files([sibling.rfilename for sibling in info.siblings or []])
        if not set(INDEXES) & set(needed):
            raise BaseModelError(
                f"{repository} on the hub is not a diffusers folder (no model_index.json); give one of its files, as {repository}/model.safetensors."
            )
        return huggingface_hub.snapshot_download(repository, revision=revision, allow_patterns=needed)

    return Path(_in_words(repository, fetch))


@dataclass(frozen=True)
class Downloaded:
    """What was brought into the hub's cache."""

    folder: Path
    """The snapshot, in which the files have their own names."""
    licence: str
    """As the model's page says it; "" where it does not."""


def download(
    repository: str, revision: str, wanted: Callable[[list[str]], list[str]], progress: Progress | None = None
) -> Downloaded:  # fmt: skip
    """Bring those files of a repository into the cache that `wanted` chooses of all; a large one goes on where it broke off.

    `progress` is called with bytes, and ends the download by raising.

    Raises:
        BaseModelError: it is not there, not for everybody, or the hub cannot be reached.
        InputError, RunError: see `fetch`; also a file that is not the one that the hub promised (`download.wrong_hash`).
    """
    import huggingface_hub

    info = _in_words(repository, lambda: huggingface_hub.HfApi().model_info(repository, revision=revision, files_metadata=True))
    siblings = {sibling.rfilename: sibling for sibling in info.siblings or []}
    chosen = wanted(list(siblings))
    if not chosen:
        raise BaseModelError(
            f"{repository} on the hub has no files of this kind; look on its page what it is.", code="hub.nothing", repository=repository
        )
    whole, before = sum(siblings[name].size or 0 for name in chosen), 0
    for name in chosen:
        if siblings[name].lfs is not None:
            _fetch_large(repository, name, info.sha, siblings[name].lfs.sha256, _from(progress, before, whole))
        _in_words(repository, partial(huggingface_hub.hf_hub_download, repository, name, revision=info.sha))
        before += siblings[name].size or 0
        if progress:
            progress(before, max(before, whole))
    _in_words(repository, lambda: huggingface_hub.hf_hub_download(repository, chosen[0], revision=revision))  # notes which commit that is
    folder = Path(huggingface_hub.hf_hub_download(repository, chosen[0], revision=info.sha, local_files_only=True))
    for _ in PurePosixPath(chosen[0]).parts:
        folder = folder.parent
    return Downloaded(folder, str((info.card_data or {}).get("license") or ""))


def _fetch_large(repository: str, name: str, commit: str, sha256: str, progress: Progress | None) -> None:
    """Put a file's content into the cache, as the hub's own library does, which begins again where it was killed."""
    import huggingface_hub
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name
    from huggingface_hub.utils import build_hf_headers

    known = huggingface_hub.try_to_load_from_cache(repository, name, revision=commit)
    if isinstance(known, str):
        return
    address = huggingface_hub.hf_hub_url(repository, name, revision=commit, endpoint=constants.ENDPOINT)
    said = _in_words(repository, lambda: huggingface_hub.get_hf_file_metadata(address))
    headers = build_hf_headers()
    if urlsplit(said.location).netloc != urlsplit(address).netloc:  # the store's own address has its own key
        headers.pop("authorization", None)
    blobs = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repository, repo_type="model") / "blobs"
    if (blobs / said.etag).exists():
        return
    part = blobs / f"{said.etag}.part"
    fetch(said.location, part, f"{repository}/{name}", headers=headers, version=said.etag, progress=progress)
    check_hash(part, f"{repository}/{name}", sha256)
    part.replace(blobs / said.etag)


def _from(progress: Progress | None, before: int, whole: int) -> Progress | None:
    """The progress of one of several files, as that of all."""
    return None if progress is None else lambda done, of: progress(before + done, max(before + of, whole))


def in_cache(source: Path | str) -> Path | None:
    """Where a hub id is in the cache, without asking the hub; None where it is not there."""
    import huggingface_hub

    repository, revision, file = hub_parts(str(source))
    for name in (file,) if file else INDEXES:
        found = huggingface_hub.try_to_load_from_cache(repository, name, revision=revision)
        if isinstance(found, str):
            return Path(found) if file else Path(found).parent
    return None


def fetch_file(repository: str, file: str, revision: str = "main") -> Path:
    """One file of a repository, in the cache."""
    import huggingface_hub

    return Path(_in_words(repository, lambda: huggingface_hub.hf_hub_download(repository, file, revision=revision)))


def needed_files(files: Iterable[str]) -> list[str]:
    """What a base needs of a repository's files: configs, tokenizers, and the weights of each part once."""
    files = list(files)
    needed = [f for f in files if f in INDEXES or (_part(f) and f.endswith(_SMALL))]
    for part in dict.fromkeys(part for f in files if (part := _part(f))):
        weights = [
            f
            for f in files
            if _part(f) == part and f.endswith(".safetensors") and PurePosixPath(f).name.startswith(("diffusion_", "model"))
        ]
        half = [f for f in weights if ".fp16" in f]
        needed += half or [f for f in weights if re.fullmatch(r"\w+(-\d+-of-\d+)?\.safetensors", PurePosixPath(f).name)]
    return needed


def _part(file: str) -> str | None:
    """The part's folder that a file is directly in; None for what belongs to no part of a base."""
    folder, _, name = file.partition("/")
    return folder if name and "/" not in name and folder not in _LEFT_OUT else None


def _in_words(repository: str, fetch: Callable[[], Any]) -> Any:
    """What `fetch` gives; what can go wrong with the hub said in one sentence."""
    from huggingface_hub import errors

    try:
        return fetch()
    except BaseModelError:
        raise
    except errors.GatedRepoError as error:
        raise BaseModelError(
            f"{repository} asks its users to accept terms first; accept them on its page, and set HF_TOKEN to a token of that account.",
            code="hub.gated",
            repository=repository,
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise BaseModelError(
            f"There is no file or folder {repository} here, and no public model of that name on the hub. Check the name, or set HF_TOKEN if it is private.",
            code="hub.not_found",
            repository=repository,
        ) from error
    except (errors.RevisionNotFoundError, errors.RemoteEntryNotFoundError) as error:
        raise BaseModelError(
            f"{repository} on the hub has no such revision or file; look on its page how it is called.",
            code="hub.not_found",
            repository=repository,
        ) from error
    except errors.LocalEntryNotFoundError as error:
        raise BaseModelError(
            f"{repository} is neither a file or folder here nor in the hub's cache, and the hub cannot be reached (offline, or HF_HUB_OFFLINE is "
            "set); fetch it where there is a network, or give a local path.",
            code="hub.offline",
            repository=repository,
        ) from error
    except Exception as error:  # the connection's errors are those of whichever HTTP library the hub's uses
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:150]
        raise BaseModelError(
            f"{repository} could not be fetched from the hub ({reason}); try again, or give a local path.",
            code="hub.failed",
            repository=repository,
        ) from error
