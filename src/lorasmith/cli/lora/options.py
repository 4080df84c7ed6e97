"""Options that the verbs on LoRA files share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lorasmith.cli.options import base_of

Out = Annotated[Path, typer.Option(help="The new file.")]
Precision = Annotated[
    str | None,
    typer.Option(help="Numbers of the new file: fp32, fp16 or bf16. Empty: those of what it is made from, of several the first."),
]
ConvRank = Annotated[int | None, typer.Option(help="The same for convolutions wider than 1x1. Empty: the rank.")]
By = Annotated[str | None, typer.Option(help="Choose each layer's rank: sv_ratio, sv_fro or sv_cumulative.")]
Target = Annotated[float | None, typer.Option(help="For --by: a ratio (say 20), or a share (say 0.95). Empty: 0.9, of an extraction 0.95.")]
Family = Annotated[str | None, typer.Option(help="The family of base models, such as sdxl, where the file does not show it.")]
BaseOption = Annotated[str | None, typer.Option("--base", help="The base model: a file, a folder, a hub id, or demo.", callback=base_of)]
Config = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="A diffusers folder with the settings of a base of unusual size that is in one file."),
]
Pictures = Annotated[
    str | None,
    typer.Option(metavar="BASE", help="Draw the same prompts and seeds before and after on this base, as a sheet beside the new file."),
]
Prompts = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="For --pictures: a file of prompts. Empty: the trigger words at some places."),
]
