"""Let a captioner describe the pictures of a dataset in sentences. Descriptions are stored, so it goes on where it was."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from lorasmith.captions.taggers.vision_endpoint import EndpointSettings
from lorasmith.jobs.kind import Kind
from lorasmith.jobs.kinds.options import OverRay
from lorasmith.jobs.work import StoppedEarly, Work

if TYPE_CHECKING:
    from lorasmith.captions.taggers.captioner import Captioner


class DescribeArguments(OverRay):
    """What `lorasmith captions describe` is given: a model, or a server."""

    reads: ClassVar[tuple[str, ...]] = ("dataset", "model")

    dataset: Path = Field(description="Folder of pictures with captions beside them.")
    model: str | None = Field(None, description="BLIP or Florence-2: a folder or a hub id.")
    endpoint: EndpointSettings | None = Field(None, description="An OpenAI-compatible server and its model.")
    prompt: str | None = Field(None, description="Prompt; {tags}, {name}, {folder} and {trigger} are filled in.")
    trigger: str = Field("", description="Trigger word to put before each description (not with second-line).")
    place: Literal["instead", "second-line", "only-new"] = Field(
        "second-line", description="instead (of the caption), second-line (below the tags), or only-new."
    )
    max_tokens: int = Field(100, ge=1, description="Longest description of a model, in tokens.")
    beams: int = Field(3, ge=1, description="Beams of a model; more is slower and a little better.")
    where: str | None = Field(None, description='Only captions that this filter finds, such as "tag:hat AND tags:<5".')
    only: list[str] = Field(default_factory=list, description="Only these pictures, captions or folders below the dataset.")
    again: bool = Field(False, description="Describe also pictures whose descriptions are stored.")

    @model_validator(mode="after")
    def _one_captioner(self) -> Self:
        if (self.model is None) == (self.endpoint is None):
            raise ValueError("one of model and endpoint must be given")
        if self.ray is not None and self.endpoint is not None:
            raise ValueError("ray is for a model that the nodes run, and endpoint is a server: one of the two must be left out")
        return self

    def open_captioner(self) -> Captioner:
        """The model or the server."""
        from lorasmith.captions.taggers.captioner import open_captioner
        from lorasmith.captions.taggers.vision_endpoint import VisionEndpoint

        if self.endpoint is not None:
            return VisionEndpoint(self.endpoint)
        return open_captioner(str(self.model), max_new_tokens=self.max_tokens, num_beams=self.beams)


def run(arguments: DescribeArguments, work: Work) -> dict[str, Any]:
    """Describe, then write the captions as one operation that can be undone."""
    from lorasmith.captions.collection import open_captions
    from lorasmith.captions.plan import CaptionPlan
    from lorasmith.captions.scope import Scope, select
    from lorasmith.captions.taggers.descriptions import described_captions, prompts_for
    from lorasmith.jobs.captioning import describe

    collection = open_captions(arguments.dataset, unreadable_too=True)
    entries = select(collection, Scope(arguments.where, tuple(arguments.only)))
    if arguments.place == "only-new":
        entries = [entry for entry in entries if not entry.caption.text.strip()]
    captioner = arguments.open_captioner()
    tags_of = {picture: entry.caption.parts[0] for entry in collection for picture in entry.pictures}
    prompt = captioner.default_prompt if arguments.prompt is None else arguments.prompt
    prompts = prompts_for(collection, entries, prompt, tags_of, arguments.trigger)
    pictures = {entry.key: collection.folder / entry.pictures[0] for entry in entries}
    described = describe(
        arguments.dataset, captioner, {pictures[key]: text for key, text in prompts.items()}, open_there=arguments.open_captioner,
        ray=arguments.ray, again=arguments.again, progress=work.progress("describing", "picture"), cancelled=work.cancelled,
    )  # fmt: skip
    if described.stopped:
        raise StoppedEarly
    for message in described.failures.values():
        work.say(message)
    texts = {key: described.texts[path] for key, path in pictures.items() if path in described.texts}
    changes = described_captions(entries, texts, arguments.place, arguments.trigger)
    source = arguments.model or f"{arguments.endpoint.model} at {arguments.endpoint.base_url}"  # type: ignore[union-attr]
    CaptionPlan(collection, f"describe by {source} ({arguments.place})", len(entries), changes).save()
    return {
        "described": described.described, "described_before": described.known, "changed": len(changes), "failures": len(described.failures)
    }  # fmt: skip


KIND = Kind("Describe pictures", DescribeArguments, run, needs="accelerator")
