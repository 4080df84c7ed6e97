"""What the plan says is what the run does: real runs of drawn settings, counted."""

from collections import Counter

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lorasmith.errors import InputError
from lorasmith.images import looks
from lorasmith.training import events
from lorasmith.training.data import TrainingData
from lorasmith.training.forecast.report import make_report
from lorasmith.training.planning.check import check
from lorasmith.training.run import train


@pytest.fixture
def shown(monkeypatch):
    """(epoch, picture) of every sample that a run prepares, in order."""
    seen = []
    prepare = TrainingData.prepare

    def spy(data, batch, epoch, step, first_sample):
        seen.extend((epoch, sample.picture) for sample in batch.samples)
        return prepare(data, batch, epoch, step, first_sample)

    monkeypatch.setattr(TrainingData, "prepare", spy)
    return seen


@settings(max_examples=7, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    repeats=st.integers(1, 3), batch_size=st.integers(1, 4), own_batch_size=st.none() | st.integers(1, 3), accumulation=st.integers(1, 3),
    length=st.tuples(st.just("epochs"), st.integers(1, 3)) | st.tuples(st.just("max_train_steps"), st.integers(1, 9)),
    regularisation=st.booleans(), balance=st.booleans(),
)  # fmt: skip
def test_a_run_does_the_steps_of_its_plan_and_shows_every_picture_as_often_as_it_says(
    settings_for, creatures, tmp_path_factory, shown, repeats, batch_size, own_batch_size, accumulation, length, regularisation, balance
):
    shown.clear()
    datasets = [{"path": str(creatures), "repeats": repeats}]
    if regularisation:
        own = {} if balance else {"batch_size": own_batch_size}
        datasets.append({"path": str(creatures), "is_reg": True, **{k: v for k, v in own.items() if v is not None}})
    training = {"batch_size": batch_size, "gradient_accumulation_steps": accumulation, "balance_reg": balance, length[0]: length[1]}
    made = settings_for(
        datasets=datasets, training={"epochs": None, **training}, network={"rank": 1, "train_text_encoder": False},
        checkpoints={"save_every_n_epochs": 0}, logging={"tensorboard": False},
    )  # fmt: skip
    checked, told = check(made), []
    train(made, tmp_path_factory.mktemp("run") / "run", [told.append])
    plan = checked.plan
    steps = [event for event in told if isinstance(event, events.StepDone)]
    assert [event.step for event in steps] == list(range(1, plan.steps + 1))
    assert steps[-1].epoch == plan.epochs
    of_epochs = Counter(event.epoch for event in steps)
    whole = [epoch for epoch in of_epochs if epoch * plan.steps_per_epoch <= plan.steps]
    assert all(of_epochs[epoch] == plan.steps_per_epoch for epoch in whole)
    wanted = {number: item.repeats for number, item in enumerate(checked.training_set.pictures)}
    for epoch in whole:
        assert Counter(picture for at, picture in shown if at == epoch) == wanted


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        ({"buckets": {"resolution": 36, "min_bucket_reso": 12, "max_bucket_reso": 60, "bucket_reso_steps": 12}}, "a multiple of 8"),
        ({"samples": {"prompts": ["zorvex"], "width": 36}}, "samples.width is 36"),
        ({"samples": {"prompts": ["zorvex"], "height": 60}}, "samples.height is 60"),
        ({"samples": {"prompts": ["zorvex"], "sampler": "flow_euler"}}, "does not fit this base"),
        ({"optimizer": {"args": {"beats": [0.9, 0.99]}}}, "no argument 'beats'"),
        ({"optimizer": {"type": "torch.optim.Nonesuch"}}, "no optimizer Nonesuch"),
        ({"network": {"weights": "nonesuch.safetensors"}}, "nonesuch.safetensors"),
        ({"training": {"device": "cuda"}}, "torch sees no GPU"),
        ({"optimizer": {"type": "AdamW8bit"}}, "torch sees none"),
    ],
    ids=["bucket steps", "width", "height", "sampler", "optimizer's arguments", "optimizer", "weights", "no GPU", "8 bits without a GPU"],
)  # fmt: skip
def test_the_plan_refuses_what_the_run_refuses_before_a_weight_is_read(settings_for, tmp_path, monkeypatch, sections, sentence):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("lorasmith.training.run.load_base", lambda *args: pytest.fail("the base was loaded"))
    made = settings_for(**sections)
    with pytest.raises(InputError, match=sentence) as by_plan:
        make_report(made)
    with pytest.raises(InputError) as by_run:
        train(made, tmp_path / "run")
    assert str(by_plan.value) == str(by_run.value)
    assert not (tmp_path / "run").exists()


def test_pictures_that_a_plan_decoded_are_known_to_the_start_of_the_run(settings_for, monkeypatch):
    checked = check(settings_for())
    monkeypatch.setattr(looks, "read_picture", lambda path: pytest.fail(f"{path} is decoded again"))
    assert check(settings_for()).training_set == checked.training_set
