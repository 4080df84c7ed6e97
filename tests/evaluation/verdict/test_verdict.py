"""The verdict from measures, on cases whose answer anyone can see."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from lorasmith.evaluation.measures.measured import CheckpointMeasures, Measure
from lorasmith.evaluation.signs.signs import signs_of
from lorasmith.evaluation.verdict import labels
from lorasmith.evaluation.verdict.evidence import above, both, either
from lorasmith.evaluation.verdict.labels import LABELS, Label
from lorasmith.evaluation.verdict.verdict import verdict_on
from lorasmith.training.settings.tree import Settings, settings_from

PROMPTS = [f"prompt {k}" for k in range(12)]


def measure(value: float, spread: float = 0.05) -> Measure:
    """Twelve items around `value`, in the same order of difficulty each time."""
    return Measure.of({name: value + spread * math.cos(k) for k, name in enumerate(PROMPTS)})


def checkpoint(epoch: int, *, weight: float = 1.0, **values: float) -> CheckpointMeasures:
    moved = 1.25 * (1 - values.get("keeps", 1.0))
    sound = {
        "subject": 0.8,
        "keeps": 1.0,
        "moved": moved,
        "leaks": 0.0,
        "narrow": 0.0,
        "stuck": 0.0,
        "near": 0.0,
        "replay": 0.0,
        "gap_shape": 0.0,
    }
    return CheckpointMeasures(f"lora-{epoch}", epoch, 10 * epoch, weight, {name: measure(v) for name, v in (sound | values).items()})


def settings(**sections: dict[str, Any]) -> Settings:
    return settings_from({"base": {"path": "base"}, "datasets": [{"path": "pictures"}], "training": {"epochs": 4}} | sections)


def test_the_best_is_recommended_and_what_is_wrong_with_the_others_is_said() -> None:
    verdict = verdict_on([checkpoint(1, subject=0.1), checkpoint(2), checkpoint(3, subject=0.9, keeps=0.4)])

    assert verdict.recommended == 1
    assert verdict.as_good == ()
    assert [one.headline for one in verdict.checkpoints] == ["under-cooked", "good", "over-cooked"]
    assert verdict.sentences == (
        "Use epoch 2.",
        "From epoch 3 on other prompts suffer.",
        "Up to epoch 1 pictures show too little of the subject.",
    )
    assert [one.as_data for one in verdict.said] == [
        {"code": "verdict.use", "values": {"checkpoint": {"epoch": 2}}},
        {"code": "verdict.over_from", "values": {"checkpoint": {"epoch": 3}}},
        {"code": "verdict.under_until", "values": {"checkpoint": {"epoch": 1}}},
    ]


def noisy(*losses: float | None) -> list[CheckpointMeasures]:
    """Checkpoints whose pictures cannot be told apart, with these losses on the training images."""
    return [
        CheckpointMeasures(
            f"lora-{epoch}", epoch, epoch, 1.0,
            {
                "subject": Measure.of({p: 0.8 + 0.2 * math.sin(epoch + 5 * k) for k, p in enumerate(PROMPTS)}), "keeps": measure(1.0),
                **({} if loss is None else {"trained_loss_shape": measure(loss - 0.1), "trained_loss_detail": measure(loss + 0.1)}),
            },
        )
        for epoch, loss in enumerate(losses, 6)
    ]  # fmt: skip


def test_of_what_cannot_be_told_apart_the_one_that_learnt_its_images_best_is_recommended() -> None:
    verdict = verdict_on(noisy(-0.2, -0.5, -0.4))

    assert verdict.recommended == 1
    assert verdict.as_good == (0, 2)
    assert "as good" in verdict.sentences[1]


def test_without_losses_the_latest_of_ties_is_recommended() -> None:
    """What noise put ahead decides nothing."""
    assert verdict_on(noisy(None, None, None)).recommended == 2


@pytest.mark.parametrize(("errors", "as_good"), [(1.9, (1,)), (2.1, ())])
def test_what_lies_within_two_standard_errors_of_the_best_is_as_good(errors: float, as_good: tuple[int, ...]) -> None:
    """The errors of the difference, which is paired over prompts: both are measured on the same ones."""
    wobble = {p: 0.05 * math.cos(3 * k) for k, p in enumerate(PROMPTS)}
    ahead = errors * float(Measure.of(wobble).error or 0) - Measure.of(wobble).value
    one, other = (dict.fromkeys(PROMPTS, 0.8), {p: 0.8 - ahead - wobble[p] for p in PROMPTS})
    checkpoints = [
        CheckpointMeasures(f"lora-{k}", k, k, 1.0, {"subject": Measure.of(v), "keeps": measure(1.0)}) for k, v in ((2, one), (1, other))
    ]

    assert (verdict_on(checkpoints).recommended, verdict_on(checkpoints).as_good) == (0, as_good)


def test_a_lower_loss_does_not_make_up_for_what_one_sees() -> None:
    burnt = checkpoint(3, subject=0.6, keeps=0.4)
    burnt = CheckpointMeasures("burnt", 3, 30, 1.0, {**burnt.measures, "trained_loss_shape": measure(-2.0)})
    sound = CheckpointMeasures("sound", 2, 20, 1.0, {**checkpoint(2).measures, "trained_loss_shape": measure(-0.5)})

    assert verdict_on([sound, burnt]).recommended == 0


def test_what_is_half_way_there_is_under_cooked_only_where_later_pictures_come_nearer() -> None:
    alone = verdict_on([checkpoint(1, subject=0.6)])
    behind = verdict_on([checkpoint(1, subject=0.6), checkpoint(2, subject=0.9)])
    burnt = verdict_on([checkpoint(1, subject=0.6), checkpoint(2, subject=0.9, keeps=0.4)])

    assert [one.headline for one in alone.checkpoints] == ["good"]
    assert [one.headline for one in behind.checkpoints] == ["under-cooked", "good"]
    assert [one.headline for one in burnt.checkpoints] == ["good", "over-cooked"], "what harms others is no measure of what could be shown"


def test_of_captions_that_say_the_trigger_alone_it_cannot_be_told_that_pictures_show_enough() -> None:
    """All that the images share is learnt with the trigger then, and scores as the subject."""
    checkpoints = [checkpoint(1, subject=0.1), checkpoint(2), checkpoint(3, keeps=0.4)]
    said, silent = verdict_on(checkpoints), verdict_on(checkpoints, captioned=False)

    assert [one.headline for one in said.checkpoints] == ["under-cooked", "good", "over-cooked"]
    assert [one.headline for one in silent.checkpoints] == ["under-cooked", "cannot tell", "over-cooked"]
    assert (silent.recommended, silent.sentences[1]) == (
        1,
        "The captions say nothing but the trigger: to the base all that the images share is the subject then.",
    )


def test_a_run_that_falls_back_is_not_told_to_train_longer() -> None:
    fallen = [checkpoint(1, subject=0.9), checkpoint(2, subject=0.6)]

    assert verdict_on(fallen).checkpoints[1].headline == "under-cooked"
    assert codes(fallen) == {}


def test_a_burnt_lora_without_its_subject_is_over_cooked_and_said_not_to_show_it() -> None:
    verdict = verdict_on([checkpoint(1, subject=0.3, keeps=0.3)])

    assert verdict.checkpoints[0].headline == "over-cooked"
    assert "Epoch 1 shows too little of the subject, too." in verdict.sentences


def test_a_style_that_moves_little_is_not_over_cooked_by_what_the_base_reads_alone() -> None:
    assert verdict_on([checkpoint(1, keeps=0.77, moved=0.2)]).checkpoints[0].headline == "good"
    assert verdict_on([checkpoint(1, keeps=0.95, moved=0.6)]).checkpoints[0].headline == "good"


def test_nothing_is_recommended_where_nothing_was_learnt() -> None:
    verdict = verdict_on([checkpoint(1, subject=0.0), checkpoint(2, subject=0.01)])

    assert verdict.recommended is None
    assert verdict.sentences[0].startswith("None of these checkpoints")


def test_memorising_is_said_beside_and_takes_nothing() -> None:
    verdict = verdict_on([checkpoint(1, subject=0.7), checkpoint(2, subject=0.9, replay=0.9, gap_shape=1.2)])

    assert verdict.recommended == 1
    assert verdict.checkpoints[1].headline == "good"
    assert "by heart" in " ".join(verdict.sentences)


def test_a_wide_gap_is_memorising_also_where_held_out_captions_bring_pictures_as_near() -> None:
    verdict = verdict_on([checkpoint(1, replay=0.05, gap_shape=1.6), checkpoint(2, replay=0.05, gap_shape=0.7)])

    assert [one.judged["memorised"].holds for one in verdict.checkpoints] == [True, False]
    advice = {finding.code: finding for finding in verdict_on([checkpoint(1, replay=0.05, gap_shape=1.6)]).advice}
    assert advice["verdict.by_heart"].evidence.unit == "nats of loss"


def test_a_number_within_its_error_of_the_limit_decides_nothing() -> None:
    assert above(Measure(0.49, 0.10, {}), 0.45) is None
    assert above(Measure(0.60, 0.10, {}), 0.45) is True
    assert above(Measure(0.30, 0.10, {}), 0.45) is False
    assert above(None, 0.45) is None
    assert above(Measure(math.nan, None, {}), 0.45) is None
    unclear = checkpoint(1)
    unclear = CheckpointMeasures(
        "a", 1, 1, 1.0, {**unclear.measures, "keeps": Measure(0.86, 0.1, dict.fromkeys(PROMPTS, 0.86)), "moved": measure(0.5)}
    )
    assert verdict_on([unclear]).checkpoints[0].headline == "cannot tell"


@pytest.mark.parametrize(
    ("values", "of_both", "of_either"),
    [((True, None), None, True), ((False, None), False, None), ((True, True), True, True), ((False, False), False, False)],
)
def test_an_open_question_counts_only_where_it_would_decide(
    values: tuple[bool | None, bool | None], of_both: bool | None, of_either: bool | None
) -> None:
    assert both(*values) is of_both
    assert either(*values) is of_either


def test_the_weight_as_trained_is_kept_where_others_are_no_better() -> None:
    weights = [checkpoint(2, weight=weight, subject=subject) for weight, subject in ((0.6, 0.3), (0.8, 0.8), (1.0, 0.8))]
    verdict = verdict_on([checkpoint(2)], weights)

    assert verdict.weight == 1.0
    assert verdict.weights_as_good == (0.8,)
    assert verdict.sentences[0] == "Use epoch 2 at weight 1."

    harmed = [checkpoint(2, weight=w, keeps=keeps) for w, keeps in ((0.6, 0.99), (0.8, 0.7), (1.0, 0.4))]
    assert verdict_on([checkpoint(2)], harmed).weight == 0.6


# -- advice -----------------------------------------------------------------------------------------------------------


def codes(checkpoints: list[CheckpointMeasures], **sections: dict[str, Any]) -> dict[str, dict[str, object]]:
    """Code of each piece of advice -> the changes of settings that it offers."""
    given = verdict_on(checkpoints, settings=settings(**sections)).advice
    return {one.code: {c.setting: c.value for c in one.fix.changes} if one.fix else {} for one in given}  # type: ignore[union-attr]


def test_a_run_that_ended_too_early_should_be_longer_and_one_that_stands_still_faster() -> None:
    rising = [checkpoint(1, subject=0.05), checkpoint(2, subject=0.3)]
    flat = [checkpoint(1, subject=0.1), checkpoint(2, subject=0.1)]

    assert codes(rising) == {"verdict.more_steps": {"training.epochs": 8}}
    assert codes(flat, optimizer={"unet_lr": 1e-4}) == {"verdict.rate_too_low": {"optimizer.unet_lr": 3e-4}}


def test_what_is_learnt_and_shows_with_its_own_captions_alone_needs_other_pictures_and_no_other_rate() -> None:
    """As of photographs on a base of drawings: faces whose captions bring them, where new combinations stay drawings."""
    learnt = [checkpoint(1, subject=0.2, narrow=0.5), checkpoint(2, subject=0.2, narrow=0.6)]
    barely = [checkpoint(1, subject=0.02, narrow=0.35), checkpoint(2, subject=0.02, narrow=0.35)]

    assert set(codes(learnt)) == {"verdict.narrow"}
    assert set(codes(barely)) == {"verdict.rate_too_low", "verdict.narrow"}


def test_an_optimizer_that_finds_its_own_rate_is_given_no_other() -> None:
    flat = [checkpoint(1, subject=0.1), checkpoint(2, subject=0.1)]

    assert codes(flat, optimizer={"type": "Prodigy", "learning_rate": 1.0}) == {"verdict.rate_too_low": {}}


def test_harm_asks_for_a_lower_rate_and_a_trained_text_encoder_is_named() -> None:
    late = [checkpoint(1), checkpoint(2, keeps=0.4)]
    early = [checkpoint(1, keeps=0.5), checkpoint(2, keeps=0.4)]

    still = {"network": {"train_text_encoder": False}}
    assert codes(late, optimizer={"unet_lr": 1e-3}, **still) == {"verdict.fewer_steps": {"optimizer.unet_lr": 5e-4}}
    assert codes(early, optimizer={"unet_lr": 9e-4}, **still) == {"verdict.rate_too_high": {"optimizer.unet_lr": 3e-4}}
    both_ways = codes(late, optimizer={"text_encoder_lr": 1e-4}, network={"train_text_encoder": True})
    assert both_ways["verdict.text_encoder_rate"] == {"optimizer.text_encoder_lr": 5e-5}
    assert "verdict.text_encoder_rate" not in codes(late, optimizer={"text_encoder_lr": 0.0})  # which does not train it
    of_prodigy = codes(late, optimizer={"type": "Prodigy", "learning_rate": 1.0})
    assert of_prodigy["verdict.text_encoder_rate"] == {"network.train_text_encoder": False}  # one rate is found for all


def test_each_sign_of_the_recommended_checkpoint_has_its_advice() -> None:
    found = codes([checkpoint(1, leaks=0.6, narrow=0.6, stuck=-1.5, replay=0.9, gap_shape=1.0)])

    assert {"verdict.leaks", "verdict.narrow", "verdict.stuck", "verdict.by_heart"} <= set(found)


def test_one_sign_is_not_said_twice() -> None:
    verdict = verdict_on([checkpoint(1, stuck=-1.5)])

    assert [finding.code for finding in verdict.advice] == ["verdict.stuck"]
    assert signs_of(verdict, None) == ()


def test_a_single_file_has_no_first_checkpoint() -> None:
    (finding,) = verdict_on([checkpoint(0, keeps=0.4)]).advice

    assert finding.message == "Other prompts suffer."


def test_a_sound_run_gets_no_advice() -> None:
    assert codes([checkpoint(1, subject=0.6), checkpoint(2)]) == {}


def test_a_verdict_is_plain_data() -> None:
    import json

    data = json.loads(json.dumps(verdict_on([checkpoint(1), checkpoint(2, keeps=0.3)]).as_data()))

    assert data["recommended"] == "lora-1"
    assert data["checkpoints"][1]["verdict"] == "over-cooked"
    assert Path(data["checkpoints"][0]["file"]).name == "lora-1"


def test_a_label_is_a_rule_and_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    loud = Label(
        "loud", "Pictures have far more colour than the base's.", lambda found, _: above(found.get("saturation"), 0.3), ("saturation",)
    )
    monkeypatch.setitem(LABELS, "loud", loud)

    assert verdict_on([checkpoint(1)]).sentences == ("Use epoch 1.",)
    assert verdict_on([checkpoint(1, saturation=0.8)]).sentences == (
        "Use epoch 1.", "Epoch 1 is loud, too: pictures have far more colour than the base's.",
    )  # fmt: skip


def test_the_guide_has_every_label_with_its_meaning_and_its_limit() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "guide" / "proof.md").read_text(encoding="utf-8")
    rows = {
        cells[1]: cells[2:]
        for line in guide.splitlines()
        if (cells := [cell.strip() for cell in line.split("|")])[0] == "" and len(cells) > 3
    }
    limits = {
        "under-cooked": (labels.LEARNT, labels.REACHED), "over-cooked": (labels.HARMED, labels.MOVED), "memorised": (labels.GAP_ALONE, labels.GAP, labels.BY_HEART),
        "narrow": (labels.NARROW,), "leaking": (labels.LEAKS,), "stuck": (labels.STUCK,),
    }  # fmt: skip

    assert limits.keys() == LABELS.keys()
    for key, label in LABELS.items():
        meaning, when, *_ = rows[key]
        assert meaning == label.meaning
        assert all(f"{limit:.2f}" in when for limit in limits[key])


def test_the_name_of_a_file_stays_as_it_is_and_one_file_has_no_first_checkpoint() -> None:
    values = {
        name: measure(value)
        for name, value in {"subject": 0.8, "keeps": 0.6, "moved": 0.5, "leaks": 0.9, "narrow": 0.0, "stuck": 0.0}.items()
    }

    assert verdict_on([CheckpointMeasures("myLoRA-v2.safetensors", 0, 0, 1.0, values)]).sentences == (
        "Use myLoRA-v2.safetensors if any: it is the best of them, but over-cooked. Pictures of other prompts suffer.",
        "myLoRA-v2.safetensors is leaking, too: the subject shows in prompts that do not ask for it.",
    )
