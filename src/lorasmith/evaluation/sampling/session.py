"""A base that is open for many pictures: LoRAs are switched on it, and prompts are encoded once for each state of the text encoders.

session = SamplingSession(open_base("base"), LoraFolder(Path("loras")))
for place, made in session.generate([session.drawing(PictureRequest("zorvex <lora:zorvex:0.7>"))]):
    made.save(Path("zorvex.png"))
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from PIL import Image

from lorasmith.adapters.files.hashes import model_hash
from lorasmith.atomic import write_atomically
from lorasmith.errors import SettingsError
from lorasmith.evaluation.sampling.lora_folder import LoraFolder
from lorasmith.evaluation.sampling.loras import LoraShelf, LoraUse, TextChange
from lorasmith.models.base import Base
from lorasmith.models.files.hashes import short_hash
from lorasmith.models.prompts.lora_tags import LoraTag, read_lora_tags, refuse_in_negative, with_tags
from lorasmith.models.prompts.parameters import Parameters, png_bytes
from lorasmith.models.prompts.request import DrawnWith, PictureRequest
from lorasmith.models.prompts.states import PromptStates
from lorasmith.models.sampling import generate
from lorasmith.models.texts import TextOptions


@dataclass(frozen=True)
class Drawing:
    """A picture to generate: a complete request without LoRA tags, and the LoRAs that act on it."""

    request: PictureRequest
    loras: tuple[LoraUse, ...]
    written: str
    """The prompt with its tags, and with one for each LoRA that was given beside it."""


@dataclass(frozen=True, eq=False)
class Generated:
    """A picture with how it was generated."""

    picture: Image.Image
    parameters: Parameters

    def save(self, path: str | Path) -> None:
        """Write a PNG with A1111's generation parameters."""
        write_atomically(Path(path), png_bytes(self.picture, self.parameters))


def resolve(request: PictureRequest, base: DrawnWith, folder: LoraFolder, given: Sequence[LoraUse] = ()) -> Drawing:
    """What a request asks for on a base: complete, with the LoRAs of its tags found in a folder, after those that are given.

    Raises InputError where the base cannot draw it, or a tag cannot be read or found.
    """
    refuse_in_negative(request.negative_prompt)
    text, tags = read_lora_tags(request.prompt)
    if request.strengths and len(request.strengths) != len(given):
        raise SettingsError(
            f"The prompt gives {len(request.strengths)} strengths (--am), and {len(given)} LoRAs are given. Give one for each.",
            code="prompt.strengths", prompt=request.prompt,
        )  # fmt: skip
    if request.strengths:
        given = [LoraUse.of(use.path, strength) for use, strength in zip(given, request.strengths, strict=True)]
    of_tags = [LoraUse(folder.find(tag.name), tag.text_encoder, tag.denoiser) for tag in tags]
    written = with_tags(request.prompt, [LoraTag(use.path.stem, use.text_encoder, use.denoiser) for use in given])
    return Drawing(replace(request, prompt=text, strengths=()).completed(base), (*given, *of_tags), written)


@dataclass
class SamplingSession:
    """An opened base with the LoRAs that are used on it. `source` is where it was opened from, None where nobody said."""

    base: Base
    folder: LoraFolder = field(default_factory=lambda: LoraFolder(None))
    source: Path | None = None
    shelf: LoraShelf = field(init=False, repr=False)
    _states: dict[tuple[TextChange, int], PromptStates] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.shelf = LoraShelf(self.base)

    def drawing(self, request: PictureRequest, given: Sequence[LoraUse] = ()) -> Drawing:
        """What a request asks for on this base; see `resolve`."""
        return resolve(request, self.base, self.folder, given)

    def generate(self, drawings: Sequence[Drawing], batch_size: int = 16) -> Iterator[tuple[int, Generated]]:
        """The pictures as they are done, each with its place; those with the same LoRAs one after the other."""
        alike: dict[tuple[LoraUse, ...], list[int]] = defaultdict(list)
        for place, drawing in enumerate(drawings):
            alike[drawing.loras].append(place)
        for loras, places in sorted(alike.items(), key=lambda pair: [str(use.path) for use in pair[0]]):
            requests = [drawings[place].request for place in places]
            with self.shelf.on_base(loras):
                states = {one.clip_skip: self._prompt_states(loras, one.clip_skip) for one in requests}
                for k, picture in generate(self.base, requests, states, batch_size):
                    yield places[k], Generated(picture, self.parameters(drawings[places[k]]))

    def parameters(self, drawing: Drawing) -> Parameters:
        """What is written into the picture."""
        fingerprint = self.base.fingerprints[self.base.denoiser]
        hashes = {use.path.stem: lora_hash(use.path) for use in drawing.loras}
        return Parameters(
            replace(drawing.request, prompt=drawing.written),
            model=self.source.stem if self.source else "",
            model_hash=short_hash(self.source, fingerprint) if self.source else fingerprint[:10],
            lora_hashes=hashes,
        )

    def _prompt_states(self, loras: Sequence[LoraUse], clip_skip: int) -> PromptStates:
        """The states of prompts while these LoRAs are on the base: the same where their text encoders are."""
        key = (self.shelf.text_change(loras), clip_skip)
        if key not in self._states:
            self._states[key] = PromptStates(self.base, TextOptions(clip_skip=clip_skip, prompt=True))
        return self._states[key]


@cache
def _hash_of(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return model_hash(file)[:12]


def lora_hash(path: Path) -> str:
    """The twelve digits by which Civitai and A1111 know a LoRA file (AutoV3)."""
    state = path.stat()
    return _hash_of(path.resolve(), state.st_size, state.st_mtime_ns)
