"""Several edits as one: each is done to what the ones before it left, and the history has a single operation."""

from __future__ import annotations

from lorasmith.captions.caption import Caption
from lorasmith.captions.edits.edit import Edit, EditContext, EditFunction


class InTurn(Edit):
    """Edits that are done one after the other. Each knows of the other captions what they were before the first."""

    edits: tuple[Edit, ...]

    def prepare(self, context: EditContext) -> EditFunction:
        functions = [edit.prepare(context) for edit in self.edits]

        def edited(key: str, caption: Caption) -> Caption:
            for function in functions:
                caption = function(key, caption)
            return caption

        return edited

    def summary(self) -> str:
        return ", ".join(edit.summary() for edit in self.edits)
