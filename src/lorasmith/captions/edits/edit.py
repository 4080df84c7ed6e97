"""The contract of an edit: a model of its settings, which turns what is known of a folder's captions into a function from caption to caption.

To add an edit, write a class beside similar edits and a line in `registry.EDITS`. Everything else follows from the class: its fields are
the options of its command, its docstring is the command's help, and a page can make a form of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict

from lorasmith.captions.caption import Caption, check_tag, tag_key
from lorasmith.captions.filters import wildcard
from lorasmith.captions.token_limit import TokenCounter
from lorasmith.captions.vocabulary import Vocabulary
from lorasmith.errors import InputError

EditFunction = Callable[[str, Caption], Caption]
"""From a caption's key and the caption to the new caption; the same one where nothing changes."""


@dataclass(frozen=True)
class EditContext:
    """What an edit may know beyond the caption that it changes."""

    captions: Sequence[Caption] = ()
    """All captions that frequencies are counted over."""
    count_tokens: TokenCounter | None = None
    load_probabilities: Callable[[], Mapping[str, Mapping[str, float]]] = dict
    """Reads the tagger's probabilities that are stored for the folder, when an edit asks for them."""
    vocabulary: Vocabulary | None = None
    folder_name: str = ""
    """Name of the folder as a whole, for captions that are not in a folder below it."""

    @cached_property
    def counts(self) -> Counter[str]:
        """Tag (its key) -> number of captions that have it. Sentences behind tags are not counted."""
        counts: Counter[str] = Counter()
        for caption in self.captions:
            counts.update({tag_key(tag) for tag in caption.parts[0]})
        return counts

    @cached_property
    def probabilities(self) -> Mapping[str, Mapping[str, float]]:
        """Key of a caption -> tag, with spaces -> the tagger's probability that the picture shows it, 0-1."""
        return self.load_probabilities()

    def required_vocabulary(self) -> Vocabulary:
        """The list of tags. Raises InputError where none was given."""
        if self.vocabulary is None:
            raise InputError(
                "Aliases and implications need a list of tags: give one with --vocabulary FILE.", code="captions.no_vocabulary"
            )
        return self.vocabulary


class Edit(BaseModel, ABC):
    """The settings of an edit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    positional: ClassVar[tuple[str, ...]] = ()
    """Fields that the command takes as arguments, in this order; the others are options."""
    counts_tags: ClassVar[bool] = False
    """Whether frequencies matter, so that the user may choose what they are counted over."""
    uses_vocabulary: ClassVar[bool] = False
    """Whether it needs a list of tags."""
    listed: ClassVar[bool] = True
    """Whether the command line lists its verb; False where another verb offers it."""

    @property
    def token_limit(self) -> int | None:
        """The tokens that an encoder is taken to read; None: as many as the base reads at once."""
        return None

    @abstractmethod
    def prepare(self, context: EditContext) -> EditFunction:
        """The function that edits one caption, given what is known of all of them.

        Raises:
            InputError: something that the edit needs is not in the context.
        """

    @abstractmethod
    def summary(self) -> str:
        """What the edit does, for the history."""


def _one_tag(tag: str) -> str:
    tag = tag.strip()
    check_tag(tag)
    return tag


Tag = Annotated[str, AfterValidator(_one_tag)]
"""One tag, without spaces around it."""


def keys_of(tags: Iterable[str]) -> set[str]:
    """What the tags are compared by."""
    return {tag_key(tag) for tag in tags}


def matcher(tags: Collection[str], wildcards: bool) -> Callable[[str], bool]:
    """Whether a tag is one of `tags`, or with `wildcards` fits one of them, where * is anything and ? any one character."""
    if not wildcards:
        keys = keys_of(tags)
        return lambda tag: tag_key(tag) in keys
    patterns = [wildcard(tag_key(tag)) for tag in tags]
    return lambda tag: any(pattern.match(tag_key(tag)) for pattern in patterns)
