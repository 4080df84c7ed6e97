"""The verb that starts the studio."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from lorasmith.errors import InputError
from lorasmith.imports import postpone, without_collection

PASSWORD = "LORASMITH_PASSWORD"
"""The environment variable with the password."""


def studio(
    workspace: Annotated[Path, typer.Option(help="Folder of your projects and runs.")] = Path(),
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on. Empty: 8611, or a free one.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for other machines too.")] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A name under which the studio is reached; may be given several times.")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the studio in the browser.")] = True,
    token: Annotated[bool, typer.Option("--token/--no-token", help="Let in only who knows the token.")] = True,
    password: Annotated[
        bool, typer.Option("--password", help=f"Let browsers log in with a password, too: it is asked for, or taken from {PASSWORD}.")
    ] = False,
) -> None:
    """Start the studio for a workspace, and print the address to open.

    lorasmith studio

    lorasmith studio --workspace lora --port 9000 --no-browser

    lorasmith studio --host 0.0.0.0 --allow-host studio.lan --password
    """
    try:
        with without_collection():
            postpone("numpy", "cv2")  # what looks at pixels is done by jobs, and by processes of its own
            from lorasmith.studio.server import serve
    except ModuleNotFoundError as error:
        if error.name not in ("fastapi", "starlette", "uvicorn"):
            raise
        raise InputError('The studio needs an extra: pip install "lorasmith[studio]"', code="extra.missing", extra="studio") from error
    if not token and host not in ("127.0.0.1", "localhost", "::1"):
        raise InputError(
            f"Without a token the studio listens on this machine alone. Remove --no-token, or --host {host}.", code="studio.open"
        )

    if password and not token:
        raise InputError("Without a token everybody is let in, so a password has no effect. Remove one of the two.", code="studio.open")
    word = (os.environ.get(PASSWORD) or typer.prompt("Password", hide_input=True)) if password else None

    def ready(address: str) -> None:
        typer.echo(f"The studio is at {address}")
        if browser and sys.stdout.isatty():
            webbrowser.open(address)

    serve(workspace, host, port, tuple(allow_host or ()), token, word, ready)
