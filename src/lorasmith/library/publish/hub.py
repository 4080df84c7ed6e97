"""To Hugging Face's hub: a folder becomes a model repository. `HF_TOKEN` and `HF_ENDPOINT` count as everywhere."""

from __future__ import annotations

import re
from pathlib import Path

from lorasmith.errors import InputError, RunError
from lorasmith.secrets import without_secrets

REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def check_repository(repository: str) -> None:
    """Whether a text is an id on the hub. Raises InputError (`publish.repository`) where it is not."""
    if not REPOSITORY.fullmatch(repository):
        raise InputError(f"{repository!r} is not the name of a repository: give OWNER/NAME.", code="publish.repository", name=repository)


def push_folder(folder: Path, repository: str, *, private: bool = False) -> str:
    """Upload all of a folder, and return the address of the page. The repository is made where it is not there.

    Raises RunError (`publish.push`) where the hub refuses, or cannot be reached.
    """
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    try:
        api = huggingface_hub.HfApi()
        address = api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message=f"Publish {repository.partition('/')[2]}")
        return str(address)
    except LocalTokenNotFoundError:
        raise _refused(repository, "you are not logged in", "Log in with: hf auth login, or set HF_TOKEN.") from None
    except HfHubHTTPError as error:
        status = None if error.response is None else error.response.status_code
        if status in (401, 403):
            reason = "your token may not write there" if status == 403 else "you are not logged in, or the token is not valid"
            raise _refused(repository, reason, "Log in with a token that may write: hf auth login, or set HF_TOKEN.") from None
        raise _refused(repository, str(error).splitlines()[0], "Try again later; what was made stays where it is.") from None
    except Exception as error:  # no network, in the words of whichever HTTP library the hub's uses
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise _refused(repository, reason, "Push again once it can be reached.") from None


def _refused(repository: str, reason: str, what_to_do: str) -> RunError:
    reason = without_secrets(reason).rstrip(".")
    return RunError(f"{repository} could not be pushed to the hub: {reason}. {what_to_do}", code="publish.push", repository=repository)
