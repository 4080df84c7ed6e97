"""The program itself: its version, its completion, its verbs."""

from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from lorasmith.cli.main import app


def lorasmith(*arguments):
    return CliRunner().invoke(app, arguments)


def test_it_says_its_version():
    assert lorasmith("--version").output == f"lorasmith {version('lorasmith')}\n"


def test_a_shell_can_complete_its_verbs():
    assert "--install-completion" in lorasmith("--help").output


@pytest.mark.parametrize("verb", ["new", "plan", "train", "resume", "signal", "report", "sample"])
def test_a_verb_shows_how_it_is_called(verb):
    shown = lorasmith(verb, "--help")
    assert shown.exit_code == 0
    assert f"lorasmith {verb} " in shown.output


def test_lora_strengths_are_given_once_or_for_each():
    refused = lorasmith("sample", "--base", "b", "--prompt", "p", "--lora", "a", "--lora", "b", *("--strength", "0.5") * 3)
    assert refused.exit_code == 2
    assert "once for each --lora" in refused.output
