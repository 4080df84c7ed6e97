"""What a proof will do: which prompts are drawn, how, which real pictures they are compared with, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from lorasmith.datasets.latent_request import LatentRequest
from lorasmith.evaluation.measures import keeps
from lorasmith.evaluation.prompts import Counts, Group, Prompt, PromptSet
from lorasmith.images.file_part import FilePart, PictureSource
from lorasmith.models.prompts.request import PictureRequest
from lorasmith.models.settings import BaseModelSettings
from lorasmith.training.validation.bands import BANDS


@dataclass(frozen=True)
class Effort:
    """How much is drawn and measured."""

    words: str
    counts: Counts
    """Pictures of each checkpoint."""
    most_steps: int | None
    """Denoising steps of a picture at most; None: as many as the run's samples or the base usually have."""
    most_drawn: int | None
    """Checkpoints that are drawn, the losses having said which; None: all."""
    loss_pictures: int
    """Training images, and held-out ones, that losses are measured on."""


EFFORTS: dict[str, Effort] = {
    "quick": Effort("a look at the three likeliest checkpoints", Counts(8, 4, 4, 4, 6), 10, 3, 6),
    "standard": Effort("about 50 pictures of each of the six likeliest checkpoints", Counts(14, 8, 8, 8, 12), 12, 6, 12),
    "thorough": Effort("about 100 pictures of every checkpoint", Counts(36, 12, 16, 16, 20), None, None, 24),
}


WEIGHTS = (0.6, 0.8, 1.0)
"""At which the recommended checkpoint is tried."""


@dataclass(frozen=True)
class DrawingSettings:
    """How every picture of a proof is drawn; the same for the base and all checkpoints, or they could not be compared.

    `sampler` None and `guidance` None are as usual for the base. Sides are in pixels.
    """

    sampler: str | None
    steps: int
    cfg_scale: float
    width: int
    height: int
    negative_prompt: str = ""
    guidance: float | None = None

    @property
    def predictions(self) -> int:
        """Of one picture."""
        return self.steps * (1 if self.cfg_scale == 1 else 2)

    def request(self, prompt: Prompt, clip_skip: int) -> PictureRequest:
        """The picture of a prompt."""
        return PictureRequest(
            prompt.text, self.negative_prompt, prompt.seed, self.width, self.height, self.sampler, self.steps, self.cfg_scale, self.guidance,
            clip_skip,
        )  # fmt: skip


@dataclass(frozen=True)
class RealPicture:
    """A picture of the dataset. `name` is unique, `caption` as it is trained, `request` the way into its bucket."""

    name: str
    caption: str
    request: LatentRequest


@dataclass(frozen=True)
class ProofPlan:
    """What is drawn and compared. Real pictures that prompts are captions of come first."""

    prompts: PromptSet
    drawing: DrawingSettings
    trained: tuple[RealPicture, ...]
    held_out: tuple[RealPicture, ...]
    """Empty where nothing is held out: then each training picture is judged by the others, and margins are wider."""
    base: BaseModelSettings
    """The base, and how it reads prompts."""
    effort: str
    """A key of `EFFORTS`."""

    def __repr__(self) -> str:
        return f"ProofPlan({self.effort}, {self.prompts!r}, {len(self.trained)} trained and {len(self.held_out)} held-out pictures)"

    @property
    def loss_pictures(self) -> tuple[tuple[RealPicture, ...], tuple[RealPicture, ...]]:
        """The training and the held-out pictures that losses are measured on."""
        most = EFFORTS[self.effort].loss_pictures
        return self.trained[:most], self.held_out[:most]

    @property
    def originals(self) -> dict[str, PictureSource]:
        """`Prompt.picture` -> where that image is."""
        prompted = {prompt.picture for prompt in self.prompts.prompts}
        return {real.name: _absolute(real.request.path) for real in (*self.trained, *self.held_out) if real.name in prompted}

    @property
    def most_drawn(self) -> int | None:
        return EFFORTS[self.effort].most_drawn

    def of_groups(self, *groups: Group) -> ProofPlan:
        """The same with the prompts of some groups alone, such as "new" and "other" to compare weights; what is drawn already is used."""
        return replace(self, prompts=replace(self.prompts, prompts=self.prompts.of(*groups)))


def _absolute(source: Path | FilePart) -> Path | FilePart:
    return replace(source, file=source.file.absolute()) if isinstance(source, FilePart) else source.absolute()


@dataclass(frozen=True)
class Cost:
    """What a proof takes: pictures that are generated, and predictions of the denoiser, for the pictures and beside them."""

    pictures: int
    predictions: int


def cost(plan: ProofPlan, checkpoints: int) -> Cost:
    """The cost of measuring this many checkpoints, with nothing kept from before."""
    drawn = 1 + (checkpoints if plan.most_drawn is None else min(checkpoints, plan.most_drawn))  # the base is drawn too
    pictures = drawn * len(plan.prompts.prompts)
    others = len(plan.prompts.of("other"))
    losses = (1 + checkpoints) * loss_predictions(plan)
    ruler = drawn * ruler_predictions(others)
    features = pictures + len(plan.trained) + len(plan.held_out)
    return Cost(pictures, pictures * plan.drawing.predictions + losses + ruler + features)


def cost_of_weights(plan: ProofPlan, others: int) -> Cost:
    """The cost of measuring one checkpoint at this many weights besides 1, where it has been measured already."""
    of_weights = plan.of_groups("new", "other")
    with_others, alone = cost(of_weights, 1 + others), cost(of_weights, 1)
    return Cost(with_others.pictures - alone.pictures, with_others.predictions - alone.predictions)


def loss_predictions(plan: ProofPlan) -> int:
    """Of one checkpoint's losses."""
    return sum(map(len, plan.loss_pictures)) * sum(len(band.sigmas) for band in BANDS.values())


def ruler_predictions(others: int) -> int:
    """Predictions that the base takes to read one checkpoint's pictures of this many other prompts."""
    return others * (1 + min(keeps.OTHERS, max(0, others - 1))) * len(keeps.SIGMAS)
