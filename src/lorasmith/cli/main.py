"""The command line: verbs on the nouns people have. Each verb's file imports what it needs when it is called."""

from __future__ import annotations

import importlib.metadata
import io
import logging
import os
import sys
import warnings
from typing import Annotated

import typer

from lorasmith.cli import (
    audit,
    base,
    check,
    dataset,
    demo,
    grid,
    import_settings,
    install,
    jobs,
    library,
    mend,
    picture,
    prove,
    publish,
    recipe,
    retrain,
    run,
    runs,
    studio,
    sweep,
    undo,
)
from lorasmith.cli.captions.app import app as captions_app
from lorasmith.cli.help import HelpGroup
from lorasmith.cli.lora.app import app as lora_app
from lorasmith.cli.output import shown
from lorasmith.errors import InputError, LorasmithError
from lorasmith.secrets import without_secrets
from lorasmith.stores import named_by_urls


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"lorasmith {importlib.metadata.version('lorasmith')}")
        raise typer.Exit


app = typer.Typer(
    name="lorasmith", cls=HelpGroup, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False,
    help="Turn a folder of images into a LoRA that is proven to be good.",
)  # fmt: skip


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.", callback=_print_version, is_eager=True)] = False,
) -> None:
    """Turn a folder of images into a LoRA that is proven to be good."""


# In the order in which a LoRA is made.
app.command("import")(dataset.import_)
app.command("audit")(audit.audit)
app.command("mend")(mend.mend)
app.add_typer(captions_app, name="captions")
app.command("layout")(dataset.layout)
app.command("undo")(undo.undo)
app.command("export")(dataset.export)
app.add_typer(base.app, name="base")
app.add_typer(recipe.app, name="recipe")
app.command("new")(run.new)
app.command("import-settings")(import_settings.import_settings)
app.command("plan")(run.plan)
app.command("cache")(run.cache)
app.command("train")(run.train)
app.command("resume")(run.resume)
app.command("retrain")(retrain.retrain)
app.command("signal")(run.signal)
app.command("sweep")(sweep.sweep)
app.command("prove")(prove.prove)
app.command("compare")(prove.compare)
app.command("report")(run.report)
app.command("sample")(picture.sample)
app.command("grid")(grid.grid)
app.command("check")(check.check)
app.add_typer(lora_app, name="lora")
app.add_typer(library.app, name="library")
app.command("publish")(publish.publish)
app.command("install")(install.install)
app.command("studio")(studio.studio)
app.add_typer(jobs.app, name="jobs")
app.command("runs")(runs.runs)
app.add_typer(demo.app, name="demo")
app.add_typer(audit.bench, name="bench")


def main() -> None:
    """Run a command. Exit code 0: done; 1: a run that could not continue; 2: bad input; 130: stopped by the user."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be text
    warnings.filterwarnings("ignore", module="PIL")  # Lorasmith itself says what is wrong with a picture
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")
    try:
        app()
    except LorasmithError as error:
        print(f"error: {shown(without_secrets(named_by_urls(str(error))))}", file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)
    except OSError as error:  # a full disk, a folder without permission
        print(
            f"error: {error.filename or 'A file'} could not be used ({error.strerror or error}). Fix that and run the command again.",
            file=sys.stderr,
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
