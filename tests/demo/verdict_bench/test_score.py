"""Regret and accuracy, on runs whose figures can be checked by hand."""

from __future__ import annotations

import pytest

from lorasmith.demo.verdict_bench.recipes import RUN_KINDS, bench_runs
from lorasmith.demo.verdict_bench.score import JudgedRun, label_score, regret, scores
from lorasmith.demo.verdict_bench.sets import bench_set
from lorasmith.demo.verdict_bench.truth import Truth
from lorasmith.evaluation.measures.measured import CheckpointMeasures, Measure
from lorasmith.evaluation.verdict.verdict import verdict_on

PROMPTS = [f"prompt {k}" for k in range(8)]


def truth(score: float, error: float = 1.0, **other: float) -> Truth:
    sound = {"shown": 0.9, "right": 1.0, "others": 1.0, "bleed": 0.0, "back": 0.0, "off": 1.0, "narrow": 0.0}
    return Truth(score=score, score_error=error, **(sound | other))


def measured(step: int, **values: float) -> CheckpointMeasures:
    sound = {"subject": 0.8, "keeps": 1.0, "narrow": 0.0, "near": 0.0, "replay": 0.0, "gap_shape": 0.0, "held_out_loss_shape": 0.0}
    items = {name: Measure.of(dict.fromkeys(PROMPTS, value)) for name, value in (sound | values).items()}
    return CheckpointMeasures(f"{step}", 0, step, 1.0, items)


def run(truths: list[Truth], checkpoints: list[CheckpointMeasures], *, kept_apart: bool = True) -> JudgedRun:
    return JudgedRun("run", kept_apart, tuple(truths), verdict_on(checkpoints), {})


def test_regret_is_what_the_chosen_checkpoint_falls_short_of_the_best() -> None:
    truths = [truth(40), truth(70, 3.0), truth(65, 4.0)]

    assert regret(truths, 1) == (0.0, 0.0)
    assert regret(truths, 2) == (5.0, 5.0)


def test_each_way_to_choose_is_judged_by_the_same_truth() -> None:
    """The middle one is best; the last has the lowest training loss, the first the lowest validation loss."""
    judged = run(
        [truth(20), truth(80), truth(50)],
        [
            measured(1, subject=0.2, held_out_loss_shape=-0.3, trained_loss_shape=0.0, near=0.5),
            measured(2, subject=0.9, held_out_loss_shape=-0.1, trained_loss_shape=-0.2, near=0.1),
            measured(3, subject=0.9, keeps=0.5, held_out_loss_shape=0.2, trained_loss_shape=-0.9, near=0.3),
        ],
    )
    found = scores([judged])

    assert found["mean_regret"] == 0
    mean = {name: picker["mean_regret"] for name, picker in found["pickers"].items()}
    assert mean == {
        "verdict": 0, "last checkpoint": 30, "lowest validation loss": 60, "lowest training loss": 30, "nearest to training images": 0,
    }  # fmt: skip


def test_labels_are_counted_over_what_is_decided() -> None:
    truths = [truth(10, shown=0.1), truth(90), truth(30, others=0.5), truth(80, back=0.9)]
    checkpoints = [measured(1, subject=0.1), measured(2), measured(3, keeps=0.3, moved=0.6), measured(4, replay=0.1, gap_shape=0.1)]
    judged = run(truths, checkpoints)

    assert label_score([judged], "under-cooked").balanced_accuracy == 1
    assert label_score([judged], "over-cooked").balanced_accuracy == 1
    missed = label_score([judged], "memorised")
    assert (missed.yes, missed.right_yes, missed.no, missed.right_no) == (1, 0, 3, 3)


def test_labels_of_runs_that_thresholds_were_set_on_do_not_count() -> None:
    found = scores([run([truth(10)], [measured(1)], kept_apart=False)])

    assert found["kept_apart"] == 0
    assert found["cannot_tell"] is None


@pytest.mark.parametrize("seed", [1, 2, 101])
def test_the_bench_has_32_runs_a_seed_half_of_their_kinds_kept_apart(seed: int) -> None:
    runs = list(bench_runs(seed))

    assert len(runs) == len({run.name for run in runs}) == 32
    assert sum(kind.kept_apart for kind in RUN_KINDS) == len(RUN_KINDS) / 2
    assert (min(kind.pictures for kind in RUN_KINDS), max(kind.pictures for kind in RUN_KINDS)) == (4, 60)
    assert {run.subject for run in runs} == {"character", "style", "concept"}


def test_no_scene_of_a_bench_run_is_trained_and_held_out_or_of_another_run() -> None:
    seeds = [
        scene.seed
        for seed in (1, 2)
        for run in bench_runs(seed)
        for part in (bench_set(run).trained, bench_set(run).held_out)
        for scene, _ in part
    ]

    assert len(seeds) == len(set(seeds))


def test_a_set_in_one_company_shows_nothing_else_and_says_what_its_kind_says() -> None:
    runs = {run.kind.name: run for run in bench_runs(1)}
    blue = bench_set(runs["blue cats alone"])
    alone = bench_set(runs["trigger alone"])
    beach = bench_set(runs["stuck on the beach"])

    assert {(scene.species, scene.color) for scene, _ in blue.trained + blue.held_out} == {("cat", "blue")}
    assert all("," not in caption for _, caption in alone.trained)
    assert not any("beach" in caption or "standing" in caption for _, caption in beach.trained)
