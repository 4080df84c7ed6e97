"""What README names exists: verbs with their options, make targets, files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.command_line import lorasmith

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = "\n".join([*FENCED.findall(README), *re.findall(r"`[^`]+`", FENCED.sub("", README))])

# `lorasmith demo run`, `lorasmith new my-lora.toml --dataset DIR`: the verbs are the plain words after the name.
COMMAND = re.compile(r"(?<!import )\blorasmith((?: [a-z][a-z-]*(?=[\s`]|$))+)([^`\n]*)")
COMMANDS = sorted({(verbs.strip(), *re.findall(r"--[a-z-]+", rest)) for verbs, rest in COMMAND.findall(CODE)})
TARGETS = sorted(set(re.findall(r"\bmake ([a-z-]+)", CODE)))
LINKS = sorted({link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)", README) if not re.match(r"[a-z]+:|#", link)})


def test_the_readme_names_the_commands_that_matter():
    assert {command[0] for command in COMMANDS} >= {"import", "new", "train", "resume"}
    assert {"demo", "test"} <= set(TARGETS)
    assert LINKS


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_verb_that_the_readme_names_exists_with_its_options(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    verbs, *options = command
    result = lorasmith(*verbs.split(), "--help")
    assert result.returncode == 0, result.stderr
    assert [option for option in options if option not in result.stdout] == []


@pytest.mark.parametrize("target", TARGETS)
def test_a_make_target_that_the_readme_names_exists(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("link", LINKS)
def test_a_link_in_the_readme_leads_somewhere(link):
    if link.startswith("docs/images/") and not (ROOT / "docs" / "images").exists():
        pytest.skip("the pictures are not made yet (docs/images)")
    assert (ROOT / link).exists()
