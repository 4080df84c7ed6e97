"""Pages that are made when the documentation is built, so that nothing is said twice: the settings from their tree, the tables from
the registries, the commands from the command line, the library from its public names, the start page from README."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from typer.testing import CliRunner

import lorasmith
from lorasmith.handbook.pages import REFERENCES
from lorasmith.handbook.tables import table

ROOT = Path(__file__).resolve().parents[2]

REGISTRIES = {
    "Base families": "lorasmith.models.families:FAMILIES",
    "Network kinds": "lorasmith.adapters.kinds:KINDS",
    "Optimizers": "lorasmith.training.optim.optimizers:OPTIMIZERS",
    "Learning rate schedules": "lorasmith.training.optim.schedules:SCHEDULES",
    "Losses": "lorasmith.training.objective.losses:LOSSES",
    "Weights by timestep": "lorasmith.training.objective.weighting:WEIGHTINGS",
    "Kinds of noise": "lorasmith.training.objective.noise_kinds:NOISE_KINDS",
    "Timestep samplings of flow models": "lorasmith.training.objective.timestep_samplings:TIMESTEP_SAMPLINGS",
    "Samplers": "lorasmith.models.samplers:SAMPLERS",
    "Ways to mend": "lorasmith.curation.mend.ways:WAYS",
    "Importers of settings": "lorasmith.training.importers.import_settings:IMPORTERS",
    "Caption edits": "lorasmith.captions.edits.registry:EDITS",
}


def said_of(name: str, entry: Any) -> str:
    """What an entry of a registry says about itself: its words, its docstring, what is true of it, or its name read aloud."""
    for attribute in ("words", "title", "message"):
        if isinstance(found := getattr(entry, attribute, None), str) and found:
            return found
    if (inspect.isclass(entry) or inspect.isroutine(entry)) and (found := inspect.getdoc(entry)):
        return found.partition("\n\n")[0]
    if dataclasses.is_dataclass(entry):
        fields = {field.name: getattr(entry, field.name) for field in dataclasses.fields(entry)}
        if true := [key.replace("_", " ") for key, value in fields.items() if value is True]:
            return ", ".join(true)
    return name.replace("_", " ")


def tables_page() -> str:
    """What can be chosen, and what is looked for."""
    parts = ["# What there is to choose", "The names are those that settings, commands and findings use."]
    for title, place in REGISTRIES.items():
        module, _, name = place.partition(":")
        registry: Mapping[str, Any] = getattr(importlib.import_module(module), name)
        parts += [f"## {title}", table(("name", "what it is"), ((f"`{key}`", said_of(key, registry[key])) for key in registry))]
    return "\n\n".join(parts)


def verbs_of(command: Any, names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command that does something, from typer's tree of groups."""
    if not hasattr(command, "list_commands"):
        if not command.hidden:
            yield names
        return
    context = typer.Context(command)
    for name in command.list_commands(context):
        yield from verbs_of(command.get_command(context, name), (*names, name))


def commands_page() -> str:
    from lorasmith.cli.main import app

    parts = ["# Commands", "What `--help` says of each."]
    for verbs in verbs_of(typer.main.get_command(app)):
        told = CliRunner(env={"COLUMNS": "110", "NO_COLOR": "1"}).invoke(app, [*verbs, "--help"], prog_name="lorasmith").output
        parts += [f"## {' '.join(verbs)}", f"```text\n{told.strip()}\n```"]
    return "\n\n".join(parts)


def library_page() -> str:
    parts = ["# The library", "`import lorasmith as ls` gives these names; each is imported when it is first used."]
    for name, (module, attribute) in sorted(lorasmith._public().items()):
        parts += [f"## ls.{name}", f"::: {module}.{attribute}"]
    return "\n\n".join(parts)


def start_page() -> str:
    """README; links into the source stay as the file's name."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"\[([^\]]+)\]\((?:src/[^)]+|requirements\.lock|LICENSE)\)", r"`\1`", text)
    text = text.replace("](docs/decisions)", "](decisions/index.md)").replace("](CHANGELOG.md)", "](changelog.md)")
    text = text.replace("](CONTRIBUTING.md)", "](contributing.md)")
    return re.sub(r"\]\(docs/", "](", text)


def beside(name: str) -> str:
    """A page that lies at the repository's root; its links into docs/ become links between pages, other files keep their name."""
    text = (ROOT / name).read_text(encoding="utf-8")
    text = re.sub(r"\[([^\]]+)\]\((?!docs/|https?:|#)[^)]+\)", r"`\1`", text)
    return re.sub(r"\]\(docs/", "](", text)


def decisions_page() -> str:
    decisions = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    titles = [(path, path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")) for path in decisions]
    return "\n".join(["# Decisions", "", "What was chosen, why, and what was turned down.", "", *(f"- [{title}]({path.name})" for path, title in titles)])


PAGES: dict[str, Callable[[], str]] = {
    "index.md": start_page,
    "changelog.md": lambda: beside("CHANGELOG.md"),
    "contributing.md": lambda: beside("CONTRIBUTING.md"),
    "decisions/index.md": decisions_page,
    "reference/library.md": library_page,
    **REFERENCES,
    "reference/commands.md": commands_page,
    "reference/tables.md": tables_page,
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Called by mkdocs when it knows the files of `docs/`; adds the made pages."""
    for place, make in PAGES.items():
        files.append(File.generated(config, place, content=make()))
    return files
