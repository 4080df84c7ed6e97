"""Let a tagger write the tags of a dataset. Its probabilities are stored, so it goes on where it was."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from lorasmith.captions.taggers.tag_choice import Mode, TagChoice
from lorasmith.jobs.kind import Kind
from lorasmith.jobs.kinds.options import OverRay
from lorasmith.jobs.work import StoppedEarly, Work


class TagArguments(OverRay):
    """What `lorasmith captions tag` is given."""

    reads: ClassVar[tuple[str, ...]] = ("dataset", "tagger", "vocabulary")

    dataset: Path = Field(description="Folder of pictures with captions beside them.")
    tagger: str = Field(description="A tagger's folder or hub id, such as SmilingWolf/wd-swinv2-tagger-v3.")
    choice: TagChoice = Field(TagChoice(), description="Which tags are used; thresholds that are not given are the tagger's own.")
    mode: Mode = Field("ignore", description="What to do with existing captions: ignore, append or overwrite.")
    where: str | None = Field(None, description='Only captions that this filter finds, such as "tag:hat AND tags:<5".')
    only: list[str] = Field(default_factory=list, description="Only these pictures, captions or folders below the dataset.")
    vocabulary: list[Path] = Field(default_factory=list, description="Tag lists that know which tags imply others.")
    batch_size: int = Field(8, ge=1, description="Pictures per batch of the tagger.")
    again: bool = Field(False, description="Run the tagger also on pictures whose probabilities are stored.")


def run(arguments: TagArguments, work: Work) -> dict[str, Any]:
    """Run the tagger, then write the captions as one operation that can be undone."""
    from lorasmith.captions.collection import open_captions
    from lorasmith.captions.plan import CaptionPlan
    from lorasmith.captions.scope import Scope, select
    from lorasmith.captions.taggers.probabilities import ProbabilityStore
    from lorasmith.captions.taggers.tagger import open_tagger
    from lorasmith.captions.taggers.tagging import tagged_captions
    from lorasmith.captions.vocabulary import open_vocabulary
    from lorasmith.jobs.captioning import tag

    vocabulary = open_vocabulary(arguments.vocabulary) if arguments.vocabulary else None
    collection = open_captions(arguments.dataset, unreadable_too=True)
    entries = select(collection, Scope(arguments.where, tuple(arguments.only)))
    pictures = {entry.key: collection.folder / entry.pictures[0] for entry in entries}
    tagger = open_tagger(arguments.tagger)
    with ProbabilityStore(arguments.dataset) as store:
        tagged = tag(
            store, tagger, list(pictures.values()), open_there=partial(open_tagger, arguments.tagger, threads=1), ray=arguments.ray,
            batch_size=arguments.batch_size, again=arguments.again, progress=work.progress("tagging", "picture"), cancelled=work.cancelled,
        )  # fmt: skip
        if tagged.stopped:
            raise StoppedEarly
        choice = arguments.choice.with_thresholds_of(store.thresholds(tagger.identity))
        contents = {key: tagged.contents[path] for key, path in pictures.items() if path in tagged.contents}
        changes = tagged_captions(store, tagger.identity, entries, contents, choice, arguments.mode, vocabulary)
    for message in tagged.failures.values():
        work.say(message)
    CaptionPlan(collection, f"tag by {tagger.folder.name} ({arguments.mode})", len(entries), changes).save()
    return {"tagged": tagged.tagged, "tagged_before": tagged.known, "changed": len(changes), "failures": len(tagged.failures)}


KIND = Kind("Tag a dataset", TagArguments, run)
