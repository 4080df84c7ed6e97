"""The commands of guides that are walked through from top to bottom, run as they are written."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.command_line import lorasmith

GUIDES = Path(__file__).parents[2] / "docs" / "guide"
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
"""Blocks of `bash` need a cluster, a store or a network, and are not run here."""
FILE = re.compile(r"`([\w-]+\.toml)`[^\n]*\n\n```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)
"""A file that the guide has its reader write: its name at the end of the paragraph above it."""
SHORT = {"epochs = 10": "epochs = 1", "repeats = 10": "repeats = 1"}
"""What is changed in settings that a guide's `new` writes, so that its training takes seconds."""
FEWER = {"count = 3": "count = 2", "network.rank = [8, 16]\n": ""}
"""The same in what a guide's reader writes: two trials instead of six."""


def commands_of(guide):
    lines = [line for block in BLOCK.findall((GUIDES / guide).read_text(encoding="utf-8")) for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line]


def replaced(text, others):
    for long, short in others.items():
        text = text.replace(long, short)
    return text


@pytest.mark.slow
@pytest.mark.parametrize(("guide", "least"), [("first-lora.md", 8), ("how-to.md", 8), ("scale.md", 5)])
def test_a_guide_can_be_followed_word_by_word(guide, least, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    commands = commands_of(guide)
    for name, text in FILE.findall((GUIDES / guide).read_text(encoding="utf-8")):
        (tmp_path / name).write_text(replaced(text, FEWER), encoding="utf-8")

    for program, verb, *rest in commands:
        said = lorasmith(verb, *rest)
        assert (program, said.returncode) == ("lorasmith", 0), f"{verb} {shlex.join(rest)}\n{said.stderr}"
        if verb == "new":
            settings = tmp_path / rest[0]
            settings.write_text(replaced(settings.read_text(), SHORT))
        if verb == "plan":
            assert "steps: 1 epoch" in said.stdout

    assert len(commands) >= least
