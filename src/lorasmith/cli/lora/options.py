"""Options that the verbs on LoRA files share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path, typer.Option(help="The new file.")]
Precision = Annotated[str | None, typer.Option(help="Numbers of the new file: fp32, fp16 or bf16. Empty: those of the (first) file.")]
Family = Annotated[str | None, typer.Option(help="The family of base models, such as sdxl, where the file does not show it.")]
BaseOption = Annotated[str | None, typer.Option("--base", help="The base model: a file, a folder or a hub id.")]
