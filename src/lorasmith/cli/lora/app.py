"""`lorasmith lora`: the verbs on LoRA files, one file for each kind of verb."""

from __future__ import annotations

import typer

from lorasmith.cli.lora import compare, edit, rewrite, show

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="LoRA files: look into them, compare, edit, resize, merge, extract and convert them."
)
app.command("show")(show.show)
app.command("compare")(compare.compare)
app.command("edit")(edit.edit)
app.command("resize")(rewrite.resize)
app.command("merge")(rewrite.merge)
app.command("extract")(rewrite.extract)
app.command("convert")(rewrite.convert)
