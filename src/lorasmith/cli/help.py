"""How help reads: each example is on a line of its own, to be copied, and a list of commands says what each does in a whole sentence.

And how a value is refused that is none of an option's: with the nearest one that is.
"""

from __future__ import annotations

import re
from typing import Any

import typer
from typer.core import TyperGroup

KEEP_LINES = "\b\n"
"""In front of a paragraph: its lines are not wrapped."""


class HelpGroup(TyperGroup):
    """A group whose commands, and those below them, have readable help."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            make_readable(command)
        return command

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = with_the_nearest(error.message)
            raise


def make_readable(command: Any) -> None:
    """Keep the lines of a command's examples, and give it a short help that is not cut; doing it twice changes nothing."""
    text = command.help or ""
    command.help = with_examples_kept(text)
    command.short_help = first_sentence(text)
    if isinstance(command, TyperGroup):
        for below in command.commands.values():
            make_readable(below)


def with_examples_kept(text: str) -> str:
    """Help in which paragraphs that are commands keep their lines."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(KEEP_LINES + part if part.lstrip().startswith("lorasmith ") else part for part in paragraphs)


def with_the_nearest(refusal: str) -> str:
    """`'charcter' is not one of 'character', 'style'.` with what was meant; other refusals as they are."""
    from lorasmith.registry import nearest

    said = refusal.removeprefix("Value error, ")
    value, is_none_of, choices = said.partition(" is not one of ")
    names = re.findall(r"'([^']+)'", choices)
    if not is_none_of or not names:
        return said
    near = nearest(value.strip("'"), names)
    return f"{said} {near[0].upper()}{near[1:]}" if near.startswith("did") else said


def first_sentence(text: str) -> str:
    """The first sentence of a help text, on one line."""
    paragraph = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=\.)\s", paragraph)[0]
