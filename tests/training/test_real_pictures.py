"""Real photographs in every form that people have train; what cannot be used is named before the first step."""

import pytest

from lorasmith.datasets.buckets import bucket_sizes
from lorasmith.training import events
from lorasmith.training.planning.check import check
from lorasmith.training.run import train
from tests.photographs import TOO_SMALL, UNREADABLE, make_pile


@pytest.fixture(scope="module")
def pile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pile")
    return folder, make_pile(folder)


@pytest.mark.parametrize("resolution", [32, 48, 64])
def test_a_pile_of_photographs_trains_at_several_resolutions(settings_for, tmp_path, pile, resolution):
    folder, files = pile
    seen = []
    settings = settings_for(
        datasets=[{"path": str(folder)}], training={"epochs": 2, "batch_size": 2},
        buckets={"resolution": resolution, "min_bucket_reso": 16, "max_bucket_reso": 2 * resolution, "bucket_reso_steps": 8},
    )  # fmt: skip
    result = train(settings, tmp_path / "run", [seen.append])
    assert result.finished
    kinds = [type(e) for e in seen]
    warned_before_training = " ".join(e.message for e in seen[: kinds.index(events.StepDone)] if isinstance(e, events.Warned))
    for name in (*UNREADABLE, *TOO_SMALL):
        assert files[name].name in warned_before_training, name
    planned = next(e for e in seen if isinstance(e, events.Planned))
    assert planned.images == len(files) - len(UNREADABLE) - len(TOO_SMALL)
    shown = sum(e.batches_per_epoch for e in seen if isinstance(e, events.Planned)) * 2
    assert sum(isinstance(e, events.StepDone) for e in seen) == shown


def test_plan_counts_what_the_run_will_do(settings_for, pile):
    folder, _ = pile
    settings = settings_for(datasets=[{"path": str(folder), "repeats": 3}], training={"epochs": 4, "batch_size": 3})
    checked = check(settings)
    training_set, plan = checked.training_set, checked.plan
    assert plan.samples_per_epoch == 3 * plan.pictures
    assert plan.steps == 4 * plan.batches_per_epoch
    assert set(training_set.buckets) <= set(bucket_sizes(settings.buckets))
    assert len(training_set.epoch(1, 3, seed=42)) == plan.batches_per_epoch
