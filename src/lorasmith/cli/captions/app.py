"""`lorasmith captions`: the verbs on captions, one file for each kind, and a verb for each edit of the registry."""

from __future__ import annotations

from typing import Any

import typer

from lorasmith.cli.captions import check, describe, edit, history, look, tag, triggers
from lorasmith.cli.help import HelpGroup, make_readable


class CaptionsGroup(HelpGroup):
    """A group whose commands are those below and the edits, which are imported when help is shown or an edit is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        from lorasmith.captions.edits.registry import EDITS

        return [*super().list_commands(ctx), *EDITS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        from lorasmith.captions.edits.registry import EDITS

        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in EDITS:
            return own
        command = edit.edit_command(cmd_name)
        make_readable(command)
        return command


app = typer.Typer(
    cls=CaptionsGroup, no_args_is_help=True, rich_markup_mode=None, help="Captions: tag, edit, check; every change can be undone."
)
# In the order in which captions are made; the edits follow.
app.command("tag")(tag.tag)
app.command("describe")(describe.describe)
app.command("triggers")(triggers.triggers)
app.command("list")(look.list_captions)
app.command("show")(look.show)
app.command("tags")(look.tags)
app.command("autocomplete")(look.autocomplete)
app.command("check")(check.check)
app.command("report")(check.report)
app.command("convert")(edit.convert)
app.command("undo")(history.undo)
app.command("redo")(history.redo)
app.command("history")(history.history)
