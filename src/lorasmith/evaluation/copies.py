"""Which training images a checkpoint holds by heart: those that their own captions bring back.

Nothing is said to be held by heart where the label `memorised` is known not to hold: captions that describe their picture well bring a
similar one from a good LoRA, too. Else a training image counts where the picture of its caption is nearer to it than that of any held-out caption is to its own image, and nearer
than held-out ones are in the mean by `BY_HEART`. Where nothing was held out, each is compared with the base's picture of the same caption;
then it has to be nearer by `AGAINST_BASE`, because a good LoRA draws its subject nearer than a base that does not know it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lorasmith.dataset_folder import pictures_below
from lorasmith.errors import DatasetError
from lorasmith.evaluation.prompts import Prompt, PromptSet
from lorasmith.evaluation.verdict.checkpoint import CheckpointVerdict
from lorasmith.evaluation.verdict.labels import BY_HEART
from lorasmith.images.file_part import PictureSource
from lorasmith.images.read import content_hash
from lorasmith.pages import numbers
from lorasmith.stores import local
from lorasmith.training.settings.tree import Settings

AGAINST_BASE = 0.8
"""In nats; good LoRAs that hold nothing by heart gained 0.70 to 0.75 on the base in the mean."""


@dataclass(frozen=True)
class Copy:
    """A training caption, and by how many nats its picture is nearer to the training image than held-out captions' are in the mean."""

    prompt: Prompt
    nearer: float
    by_heart: bool

    @property
    def image(self) -> str:
        """The training image's file name."""
        return _name_and_content(self.prompt)[0]


def copies_of(checkpoint: CheckpointVerdict, prompts: PromptSet) -> list[Copy]:
    """Every training caption that a checkpoint drew, the nearest to its image first; none where that was not measured."""
    replay = checkpoint.measured.measures.get("replay")
    if replay is None:
        return []
    may_be = checkpoint.judged["memorised"].holds is not False
    trained = [prompt for prompt in prompts.of("trained") if prompt.name in replay.items]
    unseen = [prompt for prompt in prompts.of("held_out") if prompt.name in replay.items]
    count = len(trained) + len(unseen)
    # An item of a difference of two means is its influence on that; see `Measure.difference`.
    own = {prompt: replay.value + (replay.items[prompt.name] - replay.value) / _influence(len(trained), count) for prompt in trained}
    others = [(replay.value - replay.items[prompt.name]) / _influence(len(unseen), count) for prompt in unseen]
    limit = max([BY_HEART, *others]) if unseen else AGAINST_BASE
    return sorted((Copy(prompt, nearer, may_be and nearer > limit) for prompt, nearer in own.items()), key=lambda copy: -copy.nearer)


class Originals:
    """Finds the training images of copies: where the proof read them, in a folder, a manifest or shards, or else in the run's folders.

    Of a manifest or shards no other row is read, however many there are. `read` is what the proof's record says.
    """

    def __init__(self, settings: Settings, read: Mapping[str, PictureSource]):
        self._settings, self._read = settings, read

    def of(self, prompt: Prompt) -> PictureSource | None:
        """The training image whose caption a prompt is; None where it is not there any more, or has been changed."""
        name, content = _name_and_content(prompt)
        read = self._read.get(prompt.picture)
        if read is not None and _begins_with(content, read):
            return read
        return next((path for path in self._files.get(name, ()) if _begins_with(content, path)), None)

    @cached_property
    def _files(self) -> dict[str, list[Path]]:
        """The images of the run's folders by their names, as far as the folders are there."""
        folders = [local(dataset.path) for dataset in self._settings.datasets if not dataset.is_reg]
        found: dict[str, list[Path]] = {}
        for folder in folders:
            for path in pictures_below(folder) if folder.is_dir() else ():
                found.setdefault(path.name, []).append(path)
        return found


def _name_and_content(prompt: Prompt) -> tuple[str, str]:
    """The file name of the training image, and how the hash of its bytes begins: other images may have its name."""
    name, _, content = prompt.picture.rpartition(" ")
    return name, content


def _begins_with(beginning: str, source: PictureSource) -> bool:
    """Whether the hash of an image's bytes begins so; not where it cannot be read."""
    try:
        return content_hash(source).startswith(beginning)
    except DatasetError:
        return False


def _influence(size: int, count: int) -> float:
    """Of an item of a group of `size` among `count`; 1 where the measure is the mean of one group."""
    return 1.0 if size == count else count / math.sqrt(size * max(1, size - 1))


def copies_in_words(copies: list[Copy]) -> str:
    """How many are held by heart, and which."""
    held = [copy.image for copy in copies if copy.by_heart]
    tried = (
        "the training image that was tried" if len(copies) == 1 else f"the {numbers.count(len(copies), 'training image')} that were tried"
    )
    if not held:
        return f"None of {tried} came back." if len(copies) > 1 else "The training image that was tried did not come back."
    return f"It holds {len(held)} of {tried} by heart: {', '.join(held)}."
