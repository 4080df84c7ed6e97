"""Base models from the Hugging Face hub: fetched once, kept in the hub's own cache, and found there without a network.

`HF_TOKEN`, `HF_HOME`, `HF_ENDPOINT` and `HF_HUB_OFFLINE` count as everywhere. Of a repository only what a base needs is fetched: the
small configs and tokenizers, and the weights of its parts once (half precision where it is offered), never the pickles.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from lorasmith.errors import BaseModelError

_HUB_ID = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@[\w./-]+?)?(/[\w./ -]+\.(safetensors|ckpt))?")
_SMALL = (".json", ".txt", ".model")
_LEFT_OUT = ("safety_checker", "feature_extractor", "image_encoder")  # folders of a pipeline that a base does not need


def is_hub_id(source: Path | str) -> bool:
    """Whether `source` is written as a hub id, and nothing here has that name."""
    return bool(_HUB_ID.fullmatch(str(source))) and not Path(source).expanduser().exists()


def source_of(source: Path | str) -> Path:
    """The file or folder that `source` names: itself, or the hub's model in the cache, fetched first where it is missing.

    A hub id is `owner/name`, `owner/name@revision`, or `owner/name/file.safetensors` for one file of a repository.
    """
    if not is_hub_id(source):
        return Path(source).expanduser()
    match = _HUB_ID.fullmatch(str(source))
    assert match is not None
    repository, revision, file = match[1], (match[2] or "@main")[1:], match[3]
    return fetch_file(repository, file[1:], revision) if file else fetch_folder(repository, revision)


def fetch_folder(repository: str, revision: str = "main") -> Path:
    """The folder of a repository in the cache, with what a base model needs."""
    import huggingface_hub
    from huggingface_hub import constants

    def cached() -> str:
        # Of a folder that was fetched in part the hub's library hands out only what is asked for by name.
        return huggingface_hub.snapshot_download(repository, revision=revision, allow_patterns=["model_index.json"], local_files_only=True)

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
        if "model_index.json" not in needed:
            raise BaseModelError(
                f"{repository} on the hub is not a diffusers folder (no model_index.json); give one of its files, as {repository}/model.safetensors."
            )
        return huggingface_hub.snapshot_download(repository, revision=revision, allow_patterns=needed)

    return Path(_in_words(repository, fetch))


def fetch_file(repository: str, file: str, revision: str = "main") -> Path:
    """One file of a repository, in the cache."""
    import huggingface_hub

    return Path(_in_words(repository, lambda: huggingface_hub.hf_hub_download(repository, file, revision=revision)))


def needed_files(files: Iterable[str]) -> list[str]:
    """What a base needs of a repository's files: configs, tokenizers, and the weights of each part once."""
    files = list(files)
    needed = [f for f in files if f == "model_index.json" or (_part(f) and f.endswith(_SMALL))]
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
            f"{repository} asks its users to accept terms first; accept them on its page, and set HF_TOKEN to a token of that account."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise BaseModelError(
            f"There is no file or folder {repository} here and no such open model on the hub; check the name, or set HF_TOKEN where it is private."
        ) from error
    except (errors.RevisionNotFoundError, errors.RemoteEntryNotFoundError) as error:
        raise BaseModelError(f"{repository} on the hub has no such revision or file; look on its page how it is called.") from error
    except errors.LocalEntryNotFoundError as error:
        raise BaseModelError(
            f"{repository} is neither a file or folder here nor in the hub's cache, and the hub cannot be reached (offline, or HF_HUB_OFFLINE is "
            "set); fetch it where there is a network, or give a local path."
        ) from error
    except Exception as error:  # the connection's errors are those of whichever HTTP library the hub's uses
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:150]
        raise BaseModelError(f"{repository} could not be fetched from the hub ({reason}); try again, or give a local path.") from error
