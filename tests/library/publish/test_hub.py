"""A folder goes to a hub, and what the hub refuses is said."""

import os
import subprocess
import sys

import pytest

from lorasmith.errors import InputError
from lorasmith.library.publish.hub import check_repository
from tests.library.publish.small_hub import TOKEN, small_hub

PUSH = """
import sys
from pathlib import Path
from lorasmith.errors import LorasmithError
from lorasmith.library.publish.hub import push_folder
try:
    print(push_folder(Path(sys.argv[1]), sys.argv[2], private=len(sys.argv) > 3))
except LorasmithError as error:
    print("error:", error)
"""


def push(folder, repository, address, token=TOKEN, *more):
    """In a process of its own: the hub's library reads its settings when it is imported."""
    settings = {
        "HF_ENDPOINT": address,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HOME": str(folder.parent / "hf"),
        "HF_HUB_DISABLE_XET": "1",
    }
    settings |= {"HF_TOKEN": token} if token else {}
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_") and "proxy" not in key.lower()} | settings
    done = subprocess.run(
        [sys.executable, "-c", PUSH, folder, repository, *more], capture_output=True, text=True, env=environment, check=True
    )
    return done.stdout, done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "made"
    (made / "images").mkdir(parents=True)
    (made / "zorvex.safetensors").write_bytes(b"numbers")
    (made / "images" / "1.png").write_bytes(b"a picture")
    (made / "README.md").write_text("---\nlicense: mit\n---\n\n# Zorvex\n", encoding="utf-8")
    return made


def test_all_of_a_folder_arrives_and_the_token_is_never_shown(folder):
    with small_hub() as hub:
        said, everything = push(folder, "anna/zorvex", hub.address)
    assert said.strip() == f"{hub.address}/anna/zorvex"
    assert hub.files["anna/zorvex"] == {
        "zorvex.safetensors": b"numbers", "images/1.png": b"a picture", "README.md": b"---\nlicense: mit\n---\n\n# Zorvex\n"
    }  # fmt: skip
    assert TOKEN not in everything


def test_a_private_repository_can_be_asked_for(folder):
    with small_hub() as hub:
        push(folder, "anna/zorvex", hub.address, TOKEN, "private")
    assert hub.private == {"anna/zorvex": "private"}


@pytest.mark.parametrize(
    ("token", "owner", "reason"),
    [
        ("", "anna", "you are not logged in"),
        ("hf_" + "b" * 34, "anna", "you are not logged in, or the token is not valid"),
        (TOKEN, "somebody", "your token may not write there"),
    ],
)
def test_what_the_hub_refuses_is_said_with_what_to_do(folder, token, owner, reason):
    with small_hub() as hub:
        said, everything = push(folder, f"{owner}/zorvex", hub.address, token)
    assert said.startswith(f"error: {owner}/zorvex could not be pushed to the hub: {reason}")
    assert "hf auth login" in said
    assert not token or token not in everything


def test_a_hub_that_cannot_be_reached_is_said(folder):
    said, _ = push(folder, "anna/zorvex", "http://127.0.0.1:9")
    assert said.startswith("error: anna/zorvex could not be pushed to the hub: ")
    assert said.endswith("Push again once it can be reached.\n")


@pytest.mark.parametrize("name", ["zorvex", "anna/", "a b/c", "https://huggingface.co/anna/zorvex", "anna/zorvex/x"])
def test_a_name_that_is_no_repository_is_refused(name):
    with pytest.raises(InputError, match="give OWNER/NAME"):
        check_repository(name)
