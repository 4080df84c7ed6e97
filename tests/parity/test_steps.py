"""Whole runs' steps agree with the engine of reference, case by case: folders of real pictures become a plan.

What differs on purpose is in docs/parity.md; there the test asserts our own value.
"""

import itertools
import math
import shutil
from collections import Counter

import pytest
from PIL import Image

from lorasmith.datasets.settings import BucketSettings
from lorasmith.datasets.training_set import open_training_set
from lorasmith.training import events
from lorasmith.training.planning.plan import make_plan
from lorasmith.training.run import train
from lorasmith.training.settings.sections import CheckpointSettings
from lorasmith.training.settings.tree import settings_from
from tests.reference import reference_cases

CASES = reference_cases("02_steps.json")
SEED, RATE = 42, 1e-3

RESUMING = ("initial_step", "initial_epoch", "skip_until_initial_step")
"""A run goes on by `lorasmith resume`, exactly; starting in the middle of a plan is not offered."""
HOLDING_OUT = ("validation_split", "validation_seed")
"""Pictures are held out of a folder before the run (`lorasmith holdout`); within a run all that are given are trained on."""
SAVING = ("save_every_n_epochs", "save_every_n_steps", "save_n_epoch_ratio", "save_last_n_epochs", "save_last_n_steps")
SCHEDULING = ("lr_scheduler", "lr_warmup_steps", "lr_scheduler_num_cycles", "lr_scheduler_power")
KNOWN = (*RESUMING, *HOLDING_OUT, *SAVING, *SCHEDULING, "prior_loss_weight")


def options_of(case):
    """The command line options of a case, by name."""
    found, name = {}, None
    for word in case["input"]["extra_args"]:
        if word.startswith("--"):
            name = word[2:]
            found[name] = True
        else:
            found[name] = float(word) if word.replace(".", "", 1).isdigit() else word
    unknown = sorted(set(found) - set(KNOWN))
    if unknown:
        pytest.skip(f"the case has options that are not offered: {', '.join(unknown)}")
    return found


@pytest.fixture(scope="session")
def picture_of(tmp_path_factory):
    """A PNG of a size, made once."""
    folder = tmp_path_factory.mktemp("sizes")

    def make(size):
        file = folder / f"{size[0]}x{size[1]}.png"
        if not file.exists():
            Image.new("L", tuple(size)).save(file)
        return file

    return make


def datasets_of(case):
    """[(resolution, batch size, folders)] as the case declares them; one without its own has the run's."""
    given = case["input"]
    if given.get("datasets"):
        return [(square(one["resolution"]), one["batch_size"], one["dirs"]) for one in given["datasets"]]
    return [(square(given["resolution"]), given["batch_size"], given["dirs"])]


def square(resolution):
    return tuple(resolution) if isinstance(resolution, list) else (resolution, resolution)


def settings_of(case, root, picture_of):
    """The settings of a case over folders that are made under `root`."""
    given, options = case["input"], options_of(case)
    datasets, numbers = [], itertools.count()
    for number, (resolution, batch_size, folders) in enumerate(datasets_of(case)):
        for is_reg in (False, True):
            parent = root / f"{number}-{'reg' if is_reg else 'train'}"
            for folder in folders:
                if folder["reg"] != is_reg:
                    continue
                place = parent / f"{folder['repeats']}_img{next(numbers)}"
                place.mkdir(parents=True)
                sizes = [size for size, count in folder["groups"] for _ in range(count)]
                for k, size in enumerate(sizes):
                    shutil.copyfile(picture_of(size), place / f"{k:04}.png")
            if parent.exists():
                datasets.append({"path": str(parent), "is_reg": is_reg, "resolution": list(resolution), "batch_size": batch_size})
                if is_reg:
                    datasets[-1]["loss_weight"] = options.get("prior_loss_weight", 1.0)
    length = {"epochs": given["max_train_epochs"]} if given["max_train_epochs"] else {"max_train_steps": given["max_train_steps"]}
    schedule = {name: options[name] for name in SCHEDULING if name in options}
    return settings_from({
        "name": "m",
        "base": {"path": "none"},
        "datasets": datasets,
        "buckets": {"resolution": 1024, "enable_bucket": given["enable_bucket"], **(given.get("bucket_options") or {})},
        "training": {
            **length, "batch_size": given["batch_size"], "gradient_accumulation_steps": given["gradient_accumulation_steps"],
            "num_processes": given["num_processes"], "seed": SEED,
        },
        "optimizer": {"learning_rate": RATE},
        "schedule": {"lr_scheduler": "constant", **schedule},
    })  # fmt: skip


@pytest.fixture
def opened(case, tmp_path, picture_of):
    """(settings, training set, plan) of a case."""
    settings = settings_of(case, tmp_path, picture_of)
    training = settings.training
    found = open_training_set(settings.datasets, settings.buckets, batch_size=training.batch_size, balance_reg=training.balance_reg)
    return settings, found, make_plan(settings, found)


def share_batches(case):
    """Whether two datasets of a case have one resolution and batch size: then their pictures share batches here, not there."""
    kinds = [(resolution, batch_size) for resolution, batch_size, _ in datasets_of(case)]
    return len(set(kinds)) < len(kinds)


def epoch_by_hand(case):
    """(pictures shown an epoch without and with regularisation, batches) as the rules in the file say it, none held out, datasets merged."""
    found = {}
    for one, (resolution, batch_size, folders) in zip(case["expected"]["datasets"], datasets_of(case), strict=True):
        if one["num_reg_images"] and share_batches(case):
            pytest.skip("regularisation in datasets that share batches here is balanced over both; there is nothing to compare with")
        train = sum(f["repeats"] * sum(count for _, count in f["groups"]) for f in folders if not f["reg"])
        counts = found.setdefault((resolution, batch_size), {})
        held_out = train - one["num_train_images"]
        for bucket in one["buckets"]:
            place = tuple(bucket["resolution"])
            counts[place] = counts.get(place, 0) + bucket["count"]
        if held_out:
            assert len(one["buckets"]) == 1, "which bucket was held out of is not recorded"
            counts[place] += held_out
    return sum(
        f["repeats"] * sum(count for _, count in f["groups"]) for _, _, folders in datasets_of(case) for f in folders if not f["reg"]
    ), found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_pictures_buckets_and_batches_of_an_epoch_agree(case, opened):
    settings, training_set, plan = opened
    expected = case["expected"]
    train, groups = epoch_by_hand(case)
    batches = sum(math.ceil(count / size) for (_, size), counts in groups.items() for count in counts.values())
    if not set(options_of(case)) & set(HOLDING_OUT):
        assert train == expected["num_train_images_with_repeats"]
        if not share_batches(case):
            assert batches == expected["batches_per_epoch_before_sharding"]
    assert training_set.training_samples_per_epoch == train
    assert training_set.declared_regularisation == expected["num_reg_images_with_repeats_declared"]
    assert str(training_set.declared_regularisation) == expected["metadata"]["ss_num_reg_images"]
    assert plan.batches_per_epoch == batches
    ours = {}
    for item in training_set.pictures:
        place = (item.resolution, item.batch_size), item.fit.bucket
        ours[place] = ours.get(place, 0) + item.repeats
    assert ours == {(key, bucket): count for key, counts in groups.items() for bucket, count in counts.items()}
    assert [item.repeats for item in training_set.pictures if item.picture.is_reg] == expected["reg_repeats_after_balancing"]
    weights = {settings.datasets[item.dataset].loss_weight for item in training_set.pictures}
    assert sorted(weights) == expected["loss_weights_seen"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_steps_and_epochs_agree(case, opened):
    """Also with several processes. Where a start in the middle or a hold-out makes theirs another, ours is that of the whole run."""
    settings, _, plan = opened
    expected, options = case["expected"], options_of(case)
    training = settings.training
    together = training.gradient_accumulation_steps * training.num_processes
    per_epoch = math.ceil(plan.batches_per_epoch / together)
    steps = training.max_train_steps or training.epochs * per_epoch
    as_theirs = not share_batches(case) and not set(options) & set(HOLDING_OUT)
    if as_theirs:
        assert steps == expected["max_train_steps"]
        assert math.ceil(steps / per_epoch) == expected["num_epochs"]
    assert (plan.steps, plan.steps_per_epoch, plan.epochs) == (steps, per_epoch, math.ceil(steps / per_epoch))
    ours = [min(per_epoch, plan.steps - done) for done in range(0, plan.steps, per_epoch)]
    if as_theirs and not set(options) & set(RESUMING):
        assert ours == expected["optimizer_steps_per_epoch"]
        assert sum(ours) == expected["optimizer_steps_total"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_batches_of_an_epoch_agree_and_every_picture_is_shown_exactly_as_often_as_it_should_be(case, opened):
    """Theirs repeats and misses some pictures, as an epoch's first batch is taken from the order before; and with several processes it
    fills up the last round with batches from the beginning."""
    settings, training_set, plan = opened
    expected, options = case["expected"], options_of(case)
    epoch = training_set.epoch(1, settings.training.batch_size, SEED)
    shown = {}
    dealt = [[] for _ in range(plan.processes)]
    for place, process in itertools.product(range(plan.steps_per_epoch), range(plan.processes)):
        dealt[process] += [batch for _, batch in plan.batches_of(place, epoch, process, plan.processes)]
    for batch in itertools.chain(*dealt):
        for sample in batch.samples:
            shown[sample.picture] = shown.get(sample.picture, 0) + 1
    assert shown == {index: item.repeats for index, item in enumerate(training_set.pictures)}
    ours = Counter(len(batch.samples) for batch in epoch)
    _, groups = epoch_by_hand(case)
    by_hand = Counter()
    for (_, size), counts in groups.items():
        for count in counts.values():
            by_hand += Counter({size: count // size, count % size: bool(count % size)})
    assert ours == by_hand
    if plan.steps >= plan.steps_per_epoch and not (share_batches(case) or set(options) & {*RESUMING, *HOLDING_OUT}):
        assert len(dealt[0]) == expected["micro_batches_run_per_epoch_rank0"][0] == expected["batches_per_epoch_per_process"]
        if plan.processes == 1:
            theirs = Counter(expected["batch_sizes_epoch1_rank0"])
            assert (ours - theirs).total() <= 1, "but for their first batch, which belongs to another order"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_the_learning_rate_of_every_step_agrees(case, opened):
    """An absolute warm-up lasts as many steps as it says, on any number of processes; theirs ends sooner on several."""
    settings, _, plan = opened
    options, theirs = options_of(case), case["expected"]["lr_per_optimizer_step"]
    ours = [RATE * settings.schedule.lr_factor(step, plan.steps) for step in range(plan.steps)]
    warmup = options.get("lr_warmup_steps", 0)
    if plan.processes > 1 and warmup >= 1:
        assert ours[: int(warmup)] == pytest.approx([RATE * step / warmup for step in range(int(warmup))], rel=1e-9)
    elif set(options) & {*RESUMING, *HOLDING_OUT}:
        assert settings.schedule.lr_scheduler == "constant", "with a schedule their shorter run has other rates"
        assert set(ours) == set(theirs) == {RATE}
    else:
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-15)


SAVED = [case for case in CASES if isinstance(case, dict) and set(case["input"]["extra_args"]) & {f"--{name}" for name in SAVING}]


@pytest.mark.parametrize("case", SAVED, ids=lambda case: case["id"])
def test_the_files_that_are_written_agree(case, tmp_path, picture_of, toy_base):
    """A real run of the case, on a base of toys."""
    options = {name: int(value) for name, value in options_of(case).items() if name in SAVING}
    missing = sorted(set(options) - set(CheckpointSettings.model_fields))
    if missing:
        pytest.skip(f"checkpoints are kept by epochs, and all of them: {', '.join(missing)} is not offered")
    planned = settings_of(case, tmp_path / "pictures", picture_of)
    settings = planned.model_copy(
        update={
            "base": planned.base.model_copy(update={"path": toy_base}),
            "captions": planned.captions.model_copy(update={"trigger": "zorvex"}),
            "network": planned.network.model_copy(update={"rank": 1, "train_text_encoder": False}),
            "checkpoints": planned.checkpoints.model_copy(update={"save_every_n_epochs": 0, **options}),
            "cache": tmp_path / "cache",
        }
    )
    seen = []
    train(settings, tmp_path / "run", [seen.append])
    assert sorted(file.name for file in (tmp_path / "run" / "checkpoints").iterdir()) == sorted(case["expected"]["output_files"])
    assert sum(isinstance(event, events.StepDone) for event in seen) == case["expected"]["optimizer_steps_total"]


@pytest.mark.parametrize("case", CASES[:1], ids=["buckets"])
def test_the_options_of_buckets_are_ours(case):
    assert set(case["input"]["bucket_options"] or {}) <= set(BucketSettings.model_fields)
