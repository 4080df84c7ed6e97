"""Pictures before and after a LoRA was rewritten, for the verbs that rewrite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from lorasmith.pages.numbers import count

Loras = Sequence[tuple[Path, float]]
"""LoRA files with their strengths."""


def check_pictures(base: str | None, prompts: Path | None, of_folder: bool = False) -> None:
    """Raises SettingsError where prompts are given that nothing is drawn of, or pictures of a folder are asked for."""
    from lorasmith.errors import SettingsError

    if base is not None and of_folder:
        raise SettingsError(
            "Pictures are not drawn with a folder of peft: convert to diffusers with --pictures, whose numbers are the same.",
            code="pictures.folder",
        )
    if prompts is not None and base is None:
        raise SettingsError("--prompts has no effect without --pictures: give the base to draw on.", code="pictures.no_effect")


def draw_before_after(before: tuple[str, Loras], after: tuple[str, Loras], prompts: Path | None, out: Path) -> None:
    """Draw a base with LoRAs before and after, write the sheet beside the new file, and say how much the pictures differ."""
    from lorasmith.library.before_after import Drawn, before_after, usual_prompts
    from lorasmith.models.prompts.lines import read_prompt_file

    lines = usual_prompts([path for path, _ in (*before[1], *after[1])]) if prompts is None else read_prompt_file(prompts)
    sheet = out.with_name(f"{out.stem}-pictures.png")
    found = before_after(Drawn(before[0], tuple(before[1])), Drawn(after[0], tuple(after[1])), lines, sheet)
    mean = sum(each.mean for each in found) / len(found)
    worst = max(found, key=lambda each: each.mean)
    typer.echo(
        f"{count(len(found), 'picture')} before and after: they differ by {mean:.2f} of 255 levels on average, "
        f"by {worst.mean:.2f} at most ({worst.prompt}, seed {worst.seed})"
    )
    typer.echo(f"{sheet}")
