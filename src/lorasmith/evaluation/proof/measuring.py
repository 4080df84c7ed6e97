"""Draw and measure the checkpoints of a LoRA.

    plan = plan_for_run("runs/zorvex", "standard")
    measured = measure_checkpoints(plan, open_base(...), checkpoints_of(read_run("runs/zorvex")), "runs/zorvex/proof")

Losses come first, of all checkpoints, and say which are worth drawing. Then the base draws the plan's prompts once, each of those
checkpoints draws them from the same seeds, and the base looks at all of them. Everything is kept (see `store`): what was drawn or measured
before, also by a proof that was stopped or killed, is not done again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from PIL import Image

from lorasmith.evaluation.measures.measured import CheckpointMeasures, Measure
from lorasmith.evaluation.proof.checkpoints import Checkpoint, likeliest
from lorasmith.evaluation.proof.denoising import Question
from lorasmith.evaluation.proof.drawn import drawn_measures
from lorasmith.evaluation.proof.image_encoder import ImageEncoder
from lorasmith.evaluation.proof.losses import Sides, measures_of_losses, questions_of, side_errors
from lorasmith.evaluation.proof.plan import ProofPlan, cost, loss_predictions, ruler_predictions
from lorasmith.evaluation.proof.record import RECORD, ProofRecord, write_record
from lorasmith.evaluation.proof.ruler import Ruler, make_ruler, margins_of
from lorasmith.evaluation.proof.store import ProofStore
from lorasmith.evaluation.proof.views import look_at
from lorasmith.evaluation.proof.work import ProofCancelled, Work
from lorasmith.evaluation.sampling.loras import LoraUse
from lorasmith.evaluation.sampling.session import SamplingSession
from lorasmith.models.base import Base
from lorasmith.progress import Cancelled, Progress

PIXELS_AT_ONCE = 4 * 1024 * 1024
"""Of all pictures of a batch."""
LARGEST_BATCH = 32


def measure_checkpoints(
    plan: ProofPlan, base: Base, checkpoints: Sequence[Checkpoint], folder: str | Path, *,
    progress: Progress | None = None, cancelled: Cancelled = lambda: False, batch_size: int | None = None,
    record: str = RECORD, encoder: ImageEncoder | None = None, left_out: Mapping[str, str] | None = None,
) -> list[CheckpointMeasures]:  # fmt: skip
    """Measure checkpoints and keep pictures and results in `folder`; see `record` for how to read them again.

    `progress` counts predictions of the denoiser. Where `cancelled` says so, what is measured by then is returned and kept. `batch_size`
    None: as many pictures as a usual card holds. `record` is the results' file; `encoder` is one more
    eye beside the base's, see `image_encoder`. `left_out`: the checkpoints that cannot be measured, see `left_out`, for the record.
    """
    size = batch_size or max(1, min(LARGEST_BATCH, PIXELS_AT_ONCE // (plan.drawing.width * plan.drawing.height)))
    store = ProofStore(Path(folder), plan, base.fingerprints, None if encoder is None else encoder.identity)
    prover = _Prover(plan, base, encoder, store, size, Work(cost(plan, len(checkpoints)).predictions, progress, cancelled))
    found: dict[Checkpoint, dict[str, Measure]] = {}
    drawn: list[Checkpoint] = []
    try:
        for checkpoint in checkpoints:
            found[checkpoint] = prover.loss_measures(checkpoint)
        for checkpoint in likeliest(checkpoints, list(found.values()), plan.most_drawn):
            found[checkpoint] |= prover.drawn_measures(checkpoint)
            drawn.append(checkpoint)
    except ProofCancelled:
        pass
    measured = [CheckpointMeasures(one.name, one.epoch, one.step, one.weight, measures) for one, measures in found.items()]
    pictures = tuple(_paths(store, plan, checkpoint) if checkpoint in drawn else {} for checkpoint in found)
    base_pictures = _paths(store, plan, None) if drawn else {}
    write_record(
        store.root,
        ProofRecord(
            plan.effort,
            plan.prompts,
            len(plan.trained),
            len(plan.held_out),
            base_pictures,
            tuple(measured),
            pictures,
            plan.originals,
            left_out or {},
        ),
        record,
    )
    return measured


def _paths(store: ProofStore, plan: ProofPlan, checkpoint: Checkpoint | None) -> dict[str, str]:
    """Prompt -> its picture's path in the proof's folder."""
    return {prompt.name: store.picture_path(checkpoint, prompt).relative_to(store.root).as_posix() for prompt in plan.prompts.prompts}


def _uses(checkpoint: Checkpoint | None) -> list[LoraUse]:
    """The checkpoint on the base; None is the base as it is."""
    return [LoraUse.of(checkpoint.path, checkpoint.weight)] if checkpoint else []


class _Prover:
    """Draws and measures on one opened base; what all checkpoints share is made when it is first needed."""

    def __init__(self, plan: ProofPlan, base: Base, encoder: ImageEncoder | None, store: ProofStore, batch_size: int, work: Work) -> None:
        self._plan, self._base, self._encoder, self._store, self._batch_size, self._work = plan, base, encoder, store, batch_size, work
        self._session = SamplingSession(base, source=plan.base.path)

    def loss_measures(self, checkpoint: Checkpoint) -> dict[str, Measure]:
        return measures_of_losses(self._losses(checkpoint), self._losses_of_base)

    def drawn_measures(self, checkpoint: Checkpoint) -> dict[str, Measure]:
        """From before, or else by drawing and looking."""
        kept = self._store.numbers(checkpoint, "measures")
        if kept is not None:
            self._work.did(self._drawing_predictions)
            return {name: Measure.from_json(tree) for name, tree in kept.items()}
        ruler, plan = self._ruler, self._plan
        pictures = self._pictures(checkpoint)
        seen = look_at(self._base, pictures, plan.base.text_options, self._batch_size, self._work, self._encoder)
        margins = margins_of(self._base, plan, seen, self._batch_size, self._work)
        found = drawn_measures(plan, ruler, pictures, seen.views(ruler.reference), margins)
        self._store.keep_numbers(checkpoint, "measures", {name: measure.json() for name, measure in found.items()})
        return found

    @property
    def _drawing_predictions(self) -> int:
        prompts = self._plan.prompts
        return len(prompts.prompts) * (1 + self._plan.drawing.predictions) + ruler_predictions(len(prompts.of("other")))

    def _losses(self, checkpoint: Checkpoint | None) -> Sides:
        """The errors of real pictures with a checkpoint; None is the base."""
        kept: Sides | None = self._store.numbers(checkpoint, "losses")
        if kept is not None:
            self._work.did(loss_predictions(self._plan))
            return kept
        questions = self._questions
        with self._session.shelf.on_base(_uses(checkpoint)):
            sides = side_errors(
                self._base, questions, *self._plan.loss_pictures, self._plan.base.text_options, self._batch_size, self._work
            )
        self._store.keep_numbers(checkpoint, "losses", sides)
        return sides

    @cached_property
    def _losses_of_base(self) -> Sides:
        return self._losses(None)

    @cached_property
    def _questions(self) -> list[Question]:
        trained, held_out = self._plan.loss_pictures
        return questions_of(self._base, (*trained, *held_out))

    @cached_property
    def _ruler(self) -> Ruler:
        return make_ruler(self._base, self._plan, self._pictures(None), self._batch_size, self._work, self._encoder)

    def _pictures(self, checkpoint: Checkpoint | None) -> list[Image.Image]:
        """The pictures of the plan's prompts, of which those that are not kept are drawn; None is the base."""
        prompts, drawing = self._plan.prompts.prompts, self._plan.drawing
        kept = {prompt: picture for prompt in prompts if (picture := self._store.picture(checkpoint, prompt)) is not None}
        missing = [prompt for prompt in prompts if prompt not in kept]
        self._work.did(len(kept) * drawing.predictions)
        drawings = [self._session.drawing(drawing.request(prompt, self._plan.base.clip_skip), _uses(checkpoint)) for prompt in missing]
        for first in range(0, len(missing), self._batch_size):
            self._work.check()
            for place, made in self._session.generate(drawings[first : first + self._batch_size]):
                prompt = missing[first + place]
                self._store.keep_picture(checkpoint, prompt, made)
                kept[prompt] = made.picture
                self._work.did(drawing.predictions)
        return [kept[prompt] for prompt in prompts]
