"""The studio beside a notebook: started as a process of its own, and a link to it, through the notebook's proxy where there is one."""

from __future__ import annotations

import atexit
import importlib.util
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lorasmith.errors import RunError
from lorasmith.pages.markup import Html, element

SAYS = "The studio is at "
"""What `lorasmith studio` prints in front of its address."""


@dataclass
class Studio:
    """A studio that runs until it is closed or the notebook's session ends."""

    address: str
    process: subprocess.Popen[str]

    def close(self) -> None:
        """End it; its jobs go on."""
        self.process.terminate()
        self.process.wait()

    def _repr_html_(self) -> Html:
        return element("a", "Open the studio", href=self.address, target="_blank", rel="noopener")


def open_studio(workspace: str | Path) -> Studio:
    """Start the studio over a folder. In Colab the link goes through its proxy, whose name the studio then answers to.

    Raises RunError where it does not start; what it said is on the notebook's standard error.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    proxy = _colab_proxy(port)
    command = [sys.executable, "-m", "lorasmith", "studio", "--workspace", str(workspace), "--port", str(port), "--no-browser"]
    if proxy is not None:
        command += ["--allow-host", urlsplit(proxy).netloc]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith(SAYS):
        process.wait()
        raise RunError("The studio did not start; what it said is above.", code="notebook.studio")
    atexit.register(process.terminate)
    own = line.removeprefix(SAYS).strip()
    address = own if proxy is None else f"{proxy.rstrip('/')}/?{urlsplit(own).query}"
    return Studio(address, process)


def _colab_proxy(port: int) -> str | None:
    """Where Colab shows what listens on a port of its machine; None elsewhere."""
    if importlib.util.find_spec("google") is None or importlib.util.find_spec("google.colab") is None:
        return None
    from google.colab.output import eval_js

    return str(eval_js(f"google.colab.kernel.proxyPort({port})"))
