"""What to change in the next run. Each rule is tied to its evidence, and gives the change of settings where it can name one.

A rule sees the whole case and gives a finding or nothing. To add one: write it, and add it to `RULES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lorasmith.evaluation.verdict.checkpoint import CheckpointVerdict
from lorasmith.evaluation.verdict.evidence import TIE
from lorasmith.evaluation.verdict.labels import BY_HEART, LEAKS, LEARNT, NARROW, NOT_DRAWN, STUCK
from lorasmith.evaluation.verdict.picking import shortfall
from lorasmith.findings import Evidence, Finding, Fix, SettingChange
from lorasmith.training.optim.optimizers import OPTIMIZERS
from lorasmith.training.settings.tree import Settings


@dataclass(frozen=True)
class Case:
    """What advice is given on: checkpoints in the order of training, the recommended one, and the settings where they are known."""

    checkpoints: Sequence[CheckpointVerdict]
    best: int | None
    settings: Settings | None

    @property
    def drawn(self) -> list[CheckpointVerdict]:
        return [one for one in self.checkpoints if one.headline != NOT_DRAWN]

    @property
    def last(self) -> CheckpointVerdict:
        return self.drawn[-1]

    @property
    def chosen(self) -> CheckpointVerdict:
        """The recommended checkpoint, the last one where there is none."""
        return self.last if self.best is None else self.checkpoints[self.best]

    @property
    def has_regularisation(self) -> bool | None:
        return None if self.settings is None else any(dataset.is_reg for dataset in self.settings.datasets)

    def still_rising(self) -> bool:
        """Whether the last checkpoint shows the subject more clearly than the one before, beyond the noise."""
        if len(self.drawn) < 2 or not all(math.isfinite(one.score.value) for one in self.drawn[-2:]):
            return False
        gain, error = shortfall(self.last.measured, self.drawn[-2].measured)
        return gain > TIE * error

    def over_cooked_from(self) -> CheckpointVerdict | None:
        """The first checkpoint from which on all are over-cooked."""
        found = None
        for one in reversed(self.drawn):
            if one.headline != "over-cooked":
                break
            found = one
        return found


def advice(case: Case) -> Iterator[Finding]:
    """What every rule has to say, in the order of `RULES`."""
    if not case.drawn:
        return
    for rule in RULES:
        finding = rule(case)
        if finding is not None:
            yield finding


# -- rules ------------------------------------------------------------------------------------------------------------


def _too_little(case: Case) -> Finding | None:
    subject = case.last.value("subject") or 0.0
    if case.last.headline != "under-cooked" or subject >= LEARNT:  # behind an earlier one, which is no want of steps or rate
        return None
    if _shows_with_own_captions(case.last) and _narrow(case) is not None:
        return None
    evidence = Evidence(subject, "of the way", f"The subject has come {subject:.0%} of the way; {LEARNT:.0%} is little.")
    if case.still_rising():
        return _finding(
            "more_steps", case.last, "The run ended while the subject was still coming.", evidence,
            Fix("Train twice as long.", _longer(case.settings, 2)),
        )  # fmt: skip
    return _finding(
        "rate_too_low", case.last, "The subject does not come at this learning rate.", evidence,
        Fix("Train with three times the learning rate.", _rate_times(case.settings, 3.0)),
    )  # fmt: skip


def _shows_with_own_captions(checkpoint: CheckpointVerdict) -> bool:
    """Whether it has learnt the subject, but shows it only with captions of the dataset's: what is missing is company, no steps and no rate."""
    subject, narrow = checkpoint.value("subject"), checkpoint.value("narrow")
    if subject is None or narrow is None:
        return False
    return checkpoint.judged["narrow"].holds is True and subject + narrow >= LEARNT


def _too_much(case: Case) -> Finding | None:
    first = case.over_cooked_from()
    if first is None:
        return None
    keeps = first.value("keeps")
    if keeps is None:
        return None
    evidence = Evidence(keeps, "of the base's own", f"Other prompts are recognised {keeps:.0%} as well as in the base's own pictures.")
    if first is case.drawn[0]:
        return _finding(
            "rate_too_high", first, "Other prompts suffer" + (" from the first checkpoint on." if len(case.drawn) > 1 else "."), evidence,
            Fix("Train with a third of the learning rate.", _rate_times(case.settings, 1 / 3)),
        )  # fmt: skip
    words = "Stop there, or train with half of the learning rate."
    if case.has_regularisation is False:
        words = "Stop there, add regularisation pictures, or train with half of the learning rate."
    return _finding(
        "fewer_steps", first, f"Other prompts suffer from {first.name} on.", evidence, Fix(words, _rate_times(case.settings, 0.5))
    )


def _text_encoder(case: Case) -> Finding | None:
    settings = case.settings
    rate = 0.0 if settings is None else settings.lr_of("text_encoder")
    if settings is None or case.over_cooked_from() is None or not rate:
        return None
    return _finding(
        "text_encoder_rate", case.last, "The text encoder was trained, and other prompts suffer.",
        Evidence(rate, "text encoder learning rate"),
        Fix("Train it with half of its rate, or not at all.", (_half_or_none(settings, rate),)),
    )  # fmt: skip


def _leaks(case: Case) -> Finding | None:
    leaks = case.chosen.value("leaks")
    if leaks is None or leaks <= LEAKS or case.chosen.judged["leaking"].holds is not True:
        return None
    words = (
        "Let captions of the regularisation pictures name what the subject is not, or add pictures of the same kind without it."
        if case.has_regularisation
        else "Add regularisation pictures: of the same kind of thing, without the trigger."
    )
    return _finding(
        "leaks", case.chosen, "The subject shows in prompts that do not ask for it.",
        Evidence(leaks, "of the way", f"Pictures without the trigger have come {leaks:.0%} of the way to the subject."), Fix(words),
    )  # fmt: skip


def _narrow(case: Case) -> Finding | None:
    narrow = case.chosen.value("narrow")
    if narrow is None or narrow <= NARROW or case.chosen.judged["narrow"].holds is not True:
        return None
    return _finding(
        "narrow", case.chosen, "It shows the subject with the dataset's own captions, but less in new combinations.",
        Evidence(narrow, "of the way", f"With the dataset's captions the subject shows {narrow:.0%} more."),
        Fix("Add pictures of the subject in other company: places, clothes, poses that the captions do not have yet."),
    )  # fmt: skip


def _stuck(case: Case) -> Finding | None:
    stuck = case.chosen.value("stuck")
    if stuck is None or stuck >= STUCK or case.chosen.judged["stuck"].holds is not True:
        return None
    return _finding(
        "stuck", case.chosen, "Pictures of the bare trigger all look alike: one pose or place came with the subject.",
        Evidence(stuck, "nats of distance", f"They vary {math.exp(stuck):.0%} as much as the base's do."),
        Fix("Say place and pose in the captions, and add pictures with other ones."),
    )  # fmt: skip


def _by_heart(case: Case) -> Finding | None:
    replay, gap = case.chosen.value("replay"), case.chosen.value("gap_shape")
    if gap is None or case.chosen.judged["memorised"].holds is not True:
        return None
    if replay is not None and replay > BY_HEART:
        evidence = Evidence(
            replay, "nats of distance", "Training captions bring their own pictures back more nearly than held-out captions do."
        )
    else:
        evidence = Evidence(
            gap, "nats of loss", f"Its error on training images is {math.exp(-gap):.0%} of that on held-out ones, each against the base's."
        )
    changes = () if case.settings is None else (SettingChange("captions.caption_tag_dropout_rate", 0.1),)
    return _finding(
        "by_heart", case.chosen, "It holds training images by heart: their captions bring them back.", evidence,
        Fix("Where that is unwelcome: more pictures, fewer repeats of each, or tag dropout of 0.1.", changes),
    )  # fmt: skip


RULES: tuple[Callable[[Case], Finding | None], ...] = (_too_little, _too_much, _text_encoder, _leaks, _narrow, _stuck, _by_heart)


# -- changes of settings ----------------------------------------------------------------------------------------------


def _finding(code: str, checkpoint: CheckpointVerdict, message: str, evidence: Evidence, fix: Fix) -> Finding:
    return Finding(
        code=f"verdict.{code}", severity="warning", about="run", subjects=(checkpoint.name,), message=message, evidence=evidence, fix=fix
    )


def _longer(settings: Settings | None, times: int) -> tuple[SettingChange, ...]:
    if settings is None:
        return ()
    if settings.training.max_train_steps is not None:
        return (SettingChange("training.max_train_steps", settings.training.max_train_steps * times),)
    return (SettingChange("training.epochs", (settings.training.epochs or 1) * times),)


def _half_or_none(settings: Settings, rate: float) -> SettingChange:
    """Half of the text encoder's rate; an optimizer that finds one rate for all parts takes no other one for it."""
    entry = OPTIMIZERS.get(settings.optimizer.type)
    if entry is not None and entry.learning_rate_free:
        return SettingChange("network.train_text_encoder", False)
    return SettingChange("optimizer.text_encoder_lr", rate / 2)


def _rate_times(settings: Settings | None, factor: float) -> tuple[SettingChange, ...]:
    """The change of the denoiser's rate; none for an optimizer that finds its own rate."""
    entry = None if settings is None else OPTIMIZERS.get(settings.optimizer.type)
    if settings is None or (entry is not None and entry.learning_rate_free):
        return ()
    own = settings.optimizer.unet_lr
    name = "learning_rate" if own is None else "unet_lr"
    rate = settings.optimizer.learning_rate if own is None else own
    return (SettingChange(f"optimizer.{name}", float(f"{rate * factor:.2g}")),)
