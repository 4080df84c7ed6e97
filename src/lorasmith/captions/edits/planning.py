"""Trying an edit before it is saved.

    edit = edit_of("add", tags=["zorvex"], front=True)
    plan = plan_edit(collection, edit, Scope(where="NOT tag:zorvex"))
    plan.changes        # what would be written; nothing is yet
    plan.save()

Tags are the same if they are letter for letter, apart from `\\(` written for `(`. Where a caption has a sentence behind its tags, edits
that order or drop tags by number leave the sentence whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from lorasmith.captions.collection import CaptionCollection
from lorasmith.captions.edits.edit import Edit, EditContext
from lorasmith.captions.plan import CaptionPlan
from lorasmith.captions.scope import EVERYTHING, Scope, select
from lorasmith.captions.token_limit import TokenCounter
from lorasmith.captions.vocabulary import Vocabulary


def plan_edit(
    collection: CaptionCollection,
    edit: Edit,
    scope: Scope = EVERYTHING,
    *,
    count_in: Literal["folder", "scope"] = "folder",
    count_tokens: TokenCounter | None = None,
    vocabulary: Vocabulary | None = None,
) -> CaptionPlan:
    """What an edit would do to the selected captions. Frequencies of tags are counted over the whole folder or the scope.

    Raises:
        InputError: the filter or an expression cannot be read, or something that the edit needs is not given.
        DatasetError: a path of the scope is not in the collection.
    """
    entries = select(collection, scope, count_tokens)

    def stored_probabilities() -> Mapping[str, Mapping[str, float]]:
        from lorasmith.captions.taggers.probabilities import stored_tags

        return stored_tags(collection.folder, {entry.key: collection.folder / entry.pictures[0] for entry in collection})

    context = EditContext(
        captions=[entry.caption for entry in (select(collection) if count_in == "folder" else entries) if entry.exists],
        count_tokens=count_tokens, load_probabilities=stored_probabilities, vocabulary=vocabulary,
        folder_name=collection.folder.resolve().name,
    )  # fmt: skip
    function = edit.prepare(context)
    changes = {}
    for entry in entries:
        new = function(entry.key, entry.caption)
        if new.raw != entry.caption.raw:
            changes[entry.key] = new
    return CaptionPlan(collection, f"{edit.summary()}{scope}", len(entries), changes)
