"""The commands of guides that are walked through from top to bottom, run as they are written."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.command_line import lorasmith

GUIDES = Path(__file__).parents[2] / "docs" / "guide"
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHORT = {"epochs = 10": "epochs = 1", "repeats = 10": "repeats = 1"}
"""What is changed in settings that a guide's `new` writes, so that its training takes seconds."""


def commands_of(guide):
    lines = [line for block in BLOCK.findall((GUIDES / guide).read_text(encoding="utf-8")) for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line]


@pytest.mark.slow
@pytest.mark.parametrize("guide", ["first-lora.md", "how-to.md"])
def test_a_guide_can_be_followed_word_by_word(guide, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    commands = commands_of(guide)

    for program, verb, *rest in commands:
        said = lorasmith(verb, *rest)
        assert (program, said.returncode) == ("lorasmith", 0), f"{verb} {shlex.join(rest)}\n{said.stderr}"
        if verb == "new":
            settings = tmp_path / rest[0]
            text = settings.read_text()
            for long, short in SHORT.items():
                text = text.replace(long, short)
            settings.write_text(text)
        if verb == "plan":
            assert "steps: 1 epoch" in said.stdout

    assert len(commands) >= 8
