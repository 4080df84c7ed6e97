"""Held-out pictures tell learning from memorising, and change nothing of what is learnt."""

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lorasmith.curation.holdout import hold_out, plan_holdout
from lorasmith.datasets.latent_source import LatentSource
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.weights import BASE
from lorasmith.demo.world import random_scene, tag_caption
from lorasmith.errors import DatasetError, SettingsError
from lorasmith.models.open import open_base
from lorasmith.training import run
from lorasmith.training.commands import Commands
from lorasmith.training.data import TrainingData
from lorasmith.training.distributed.process_group import ProcessGroup
from lorasmith.training.due import due_after_epoch
from lorasmith.training.events import Emitter, Finished, ValidationDone, Warned
from lorasmith.training.learner.learner import make_learner
from lorasmith.training.planning.check import check
from lorasmith.training.records.event_log import EventLog, read_history
from lorasmith.training.settings.tree import settings_from
from lorasmith.training.step import step
from lorasmith.training.validation import validation
from lorasmith.training.validation.rounds import Round, compare
from lorasmith.training.validation.validation import validation_timesteps
from lorasmith.training.validation.validation_set import choose


def draw(folder, seeds):
    folder.mkdir(parents=True)
    for seed in seeds:
        scene = random_scene(seed)
        draw_scene(scene).save(folder / f"{seed}.png")
        (folder / f"{seed}.txt").write_text("zorvex, " + tag_caption(scene, random.Random(seed)), encoding="utf-8")


@pytest.fixture(scope="module")
def four_and_six(tmp_path_factory):
    """Four pictures to train on, six of the same world held out."""
    root = tmp_path_factory.mktemp("set")
    draw(root / "set", range(900, 904))
    draw(root / "set" / "holdout" / "1_zorvex", range(904, 910))
    return root / "set"


def settings_over(dataset, cache, base, **sections):
    tree = {
        "base": {"path": str(base)},
        "datasets": [{"path": str(dataset)}],
        "buckets": {"resolution": 64, "min_bucket_reso": 32, "max_bucket_reso": 128, "bucket_reso_steps": 16},
        "captions": {"trigger": "zorvex", "shuffle_caption": True, "caption_dropout_rate": 0.5},
        "network": {"rank": 16, "alpha": 16.0, "train_text_encoder": False},
        "training": {"max_train_steps": 24, "batch_size": 4},
        "optimizer": {"unet_lr": 3e-3},
        "schedule": {"lr_scheduler": "constant"},
        "cache": str(cache),
    }
    return settings_from({**tree, **{name: {**tree.get(name, {}), **values} for name, values in sections.items()}})


class Training:
    """A run that is driven by hand, step by step."""

    def __init__(self, settings):
        checked = check(settings)
        self.training_set, self.plan = checked.training_set, checked.plan
        self.settings = settings
        self.base = open_base(settings.base.path, torch.float32)
        self.learner, _ = make_learner(settings, self.base)
        latents = LatentSource(
            self.training_set.pictures, settings.datasets, self.base.encode_pixels, self.base.fingerprints["vae"], torch.float32,
            settings.cache / "latents", settings.training.seed,
        )  # fmt: skip
        assert list(latents.prepare())
        self.data = TrainingData(settings, self.training_set, self.plan, latents)
        self.done = 0

    def steps(self, count):
        for _ in range(count):
            epoch, step_in_epoch = self.plan.epoch_and_step_of(self.done)
            step(self.learner, [self.data.prepare(self.data.epoch(epoch)[step_in_epoch], epoch, self.done)], self.done)
            self.done += 1

    def validator(self, settings=None):
        return run.make_validator(check(settings or self.settings), self.learner, Emitter(), Commands())

    def ask(self, validator, epoch, **more):
        return validator.validate(self.learner.adapters, self.learner.texts, epoch, self.done, **more)


@pytest.fixture(scope="module")
def memorised(four_and_six, tmp_path_factory):
    """The events of a run on the demo's base that has seen its four pictures 24 times each."""
    training = Training(settings_over(four_and_six, tmp_path_factory.mktemp("cache"), BASE))
    validator, reported = training.validator(), []
    for epoch in (12, 24):
        training.steps(12)
        reported += training.ask(validator, epoch)
    return training, reported


def test_a_run_that_memorises_is_seen_through(memorised):
    _, reported = memorised
    base, _, last = (event for event in reported if isinstance(event, ValidationDone))
    assert (base.epoch, last.epoch, last.step) == (0, 24, 24)
    assert last.train_loss < 0.8 * base.train_loss
    assert last.val_loss >= base.val_loss
    assert last.gap - last.gap_margin > 0


def test_noise_is_told_apart_from_texture_to_composition(memorised):
    _, reported = memorised
    last = [event for event in reported if isinstance(event, ValidationDone)][-1]
    assert list(last.bands) == ["texture", "detail", "shape", "composition"]
    assert last.bands["texture"]["val_losses"].keys() == last.val_losses.keys()
    assert last.bands["texture"]["gap"] > last.bands["texture"]["gap_margin"]
    for name, loss in last.val_losses.items():
        assert loss == pytest.approx(sum(band["val_losses"][name] for band in last.bands.values()) / 4)


def test_the_same_weights_are_measured_the_same_by_one_process_and_by_two(memorised):
    training, reported = memorised
    last = reported[-1] if isinstance(reported[-1], ValidationDone) else reported[-2]

    class Half(ProcessGroup):
        """The first of two processes, which hears the other's share."""

        def gather(self, mine):
            bands = [band["val_losses"] | band["train_losses"] for band in last.bands.values()]  # a timestep each
            return [mine, {name: [band[name] for band in bands] for name in bands[0] if name not in mine}]

    validator = training.validator()
    validator.restore(reported)
    *_, again = training.ask(validator, 24, process_group=Half(0, 2))
    assert (again.val_losses, again.train_losses) == (last.val_losses, last.train_losses)


def test_a_resumed_run_remembers_the_base_and_the_best(memorised, tmp_path):
    training, reported = memorised
    log = EventLog(tmp_path / "events.jsonl")
    for event in reported[:2]:
        log(event)
    log.close()
    validator = training.validator()
    validator.restore(event for _, event in read_history(tmp_path / "events.jsonl"))
    assert training.ask(validator, 24) == [event for event in reported[2:] if isinstance(event, ValidationDone)]


def test_a_resume_with_other_held_out_pictures_says_so_and_begins_anew(memorised, four_and_six, tmp_path):
    training, reported = memorised
    shutil.copytree(four_and_six, tmp_path / "set")
    (tmp_path / "set" / "holdout" / "1_zorvex" / "904.png").unlink()
    (tmp_path / "set" / "holdout" / "1_zorvex" / "904.txt").unlink()
    other = settings_over(tmp_path / "set", tmp_path / "cache", BASE)
    validator = training.validator(other)
    validator.restore(reported)
    warning, base, now, *_ = training.ask(validator, 41)
    assert "have changed since the run began" in warning.message
    assert (base.epoch, now.best_epoch, len(now.val_losses)) == (0, 0, 5)


def test_the_base_is_measured_without_the_lora_also_when_that_has_learnt(memorised):
    training, reported = memorised
    (base,) = training.validator().validate_base(training.learner.adapters, training.learner.texts)
    assert base == reported[0]
    assert (base.val_loss_delta, base.gap) == (0, 0)


# -- on a toy base ----------------------------------------------------------------------------------------------------


@pytest.fixture
def toy_settings(settings_for, creatures, tmp_path):
    """Settings whose dataset has two of its five pictures held out, by `lorasmith layout`'s own function."""
    root = tmp_path / "set"
    shutil.copytree(creatures, root)
    hold_out(root, plan_holdout(root, 0.4))

    def make(**sections):
        return settings_for(datasets=[{"path": str(root)}], **sections)

    return make


@pytest.mark.parametrize("text_encoder", [True, False], ids=["text encoder trained", "text encoder frozen"])
def test_a_whole_run_ends_in_the_same_weights_with_and_without_validation(toy_settings, tmp_path, text_encoder):
    network = {"rank": 2, "train_text_encoder": text_encoder}
    files, rounds = [], []
    for name, every in (("without", 0), ("with", 1)):
        reported = []
        settings = toy_settings(network=network, validation={"every_n_epochs": every})
        files.append(run.train(settings, tmp_path / name, [reported.append]).file)
        rounds.append([event.epoch for event in reported if isinstance(event, ValidationDone)])
    assert rounds == [[], [0, 1, 2]]
    without, with_it = (load_file(file) for file in files)
    assert all(torch.equal(without[key], with_it[key]) for key in without | with_it)


def test_a_run_that_learns_its_pictures_alone_is_finished_early_says_why_and_goes_on_when_asked(toy_settings, tmp_path, monkeypatch):
    """With made-up losses; which real ones say it, `test_a_run_that_memorises_is_seen_through` shows, and test_over.py what is decided."""
    settings = toy_settings(training={"epochs": None, "max_train_steps": 20, "batch_size": 2}, validation={"stop_when_over": 2})
    held_out = {item.picture.path.stem for item in check(settings).validation_set.held_out}
    rounds = Counter()

    def memorised_more_each_time(base, texts, picture, timesteps, *_):
        change = 0.1 * rounds[picture.name] * (1 if Path(picture.name).stem in held_out else -1)
        rounds[picture.name] += 1
        return [1.0 + change] * len(timesteps)

    monkeypatch.setattr(validation, "picture_losses", memorised_more_each_time)
    result = run.train(settings, tmp_path / "run")
    finished = read_history(tmp_path / "run" / "events.jsonl")[-1].event
    assert isinstance(finished, Finished)
    assert result.finished
    assert result.step == finished.step == 4
    assert result.file == tmp_path / "run" / finished.file
    assert result.file.is_file()
    assert "After epochs 1 and 2 the LoRA learns its training images alone" in finished.early
    assert "--set validation.stop_when_over=" in finished.early

    assert run.resume(tmp_path / "run").step == 4, "what was seen is remembered"
    changes = {"validation.stop_when_over": None, "training.max_train_steps": 6}
    assert run.resume(tmp_path / "run", changes=changes).step == 6


def test_what_layout_held_out_is_measured_on_beside_as_many_trained_pictures(toy_settings):
    training = Training(toy_settings())
    found = check(training.settings).validation_set
    assert len(found.held_out) == len(found.trained) == 2
    assert {item.picture.path.parent.name for item in found.held_out} == {"1_set"}
    assert {item.picture.content for item in found.trained} <= {item.picture.content for item in training.training_set.pictures}


def test_captions_are_asked_with_the_trigger_whole_and_in_their_order(toy_settings):
    settings = toy_settings(captions={"shuffle_caption": True, "caption_dropout_rate": 0.9, "caption_tag_dropout_rate": 0.9})
    training = Training(settings)
    found = check(settings).validation_set
    assert training.validator().captions == [item.picture.caption.strip() for item in found.pictures]
    assert all(caption.startswith("zorvex, ") for caption in training.validator().captions)


def test_captions_are_asked_by_the_rules_of_the_folder_that_they_are_from(settings_for, creatures, tmp_path):
    roots = [tmp_path / "a", tmp_path / "b"]
    for root in roots:
        shutil.copytree(creatures, root)
        for text in root.rglob("*.txt"):
            text.write_text(f"one of {root.name}; 1,000 hats,coat.\nsecond line of {root.name}")
    for number, picture in enumerate(sorted(roots[1].rglob("*.png"))):  # so that no picture is in both
        draw_scene(random_scene(900 + number), 32).save(picture)
    for root in roots:
        hold_out(root, plan_holdout(root, 0.4))
    own = {"caption_separator": ";", "caption_lines": "all", "caption_prefix": "by b"}
    settings = settings_for(datasets=[{"path": str(roots[0])}, {"path": str(roots[1]), **own}], captions={"trigger": None})
    assert set(Training(settings).validator().captions) == {
        "one of a; 1,000 hats,coat.", "by b one of b; 1,000 hats,coat.\nsecond line of b",
    }  # fmt: skip


def test_a_loss_does_not_depend_on_the_pictures_beside_it_or_on_what_was_measured_before(toy_settings):
    training = Training(toy_settings())
    (whole,) = training.validator().validate_base(training.learner.adapters, training.learner.texts)
    few = training.settings.model_copy(update={"training": training.settings.training.model_copy(update={"batch_size": 3})})
    (again,) = training.validator(few).validate_base(training.learner.adapters, training.learner.texts)
    assert again.val_losses == pytest.approx(whole.val_losses, rel=1e-5)


def test_a_picture_on_both_sides_is_refused_by_name(toy_settings):
    settings = toy_settings()
    root = settings.datasets[0].path
    shutil.copy(next(root.glob("*.png")), root / "holdout" / "1_set" / "copy.png")
    with pytest.raises(DatasetError, match=r"copy\.png is held out for validation and trained on as .*\.png\. Delete one"):
        check(settings)


def test_without_held_out_pictures_there_is_no_validation_and_settings_for_it_are_refused(settings_for):
    settings = settings_for()
    assert check(settings).validation_set is None
    with pytest.raises(SettingsError, match="validation.timesteps has no effect, because no picture is held out"):
        check(settings_for(validation={"timesteps": 8}))


def test_an_early_end_that_cannot_come_is_refused(settings_for, tmp_path):
    with pytest.raises(SettingsError, match="validation.stop_when_over has no effect, because no picture is held out"):
        check(settings_for(validation={"stop_when_over": 2}))
    with pytest.raises(SettingsError, match="validation.stop_when_over has no effect while validation.every_n_epochs is 0"):
        check(settings_for(validation={"stop_when_over": 2, "every_n_epochs": 0}))
    draw(tmp_path / "one", [950])
    with pytest.raises(SettingsError, match="validation.stop_when_over has no effect with one held-out picture"):
        check(settings_for(validation={"stop_when_over": 2, "path": str(tmp_path / "one")}))
    with pytest.raises(SettingsError, match="stop_when_over"):
        settings_for(validation={"stop_when_over": 1})


def test_an_early_end_needs_noise_that_decides_shapes_or_composition(toy_settings):
    said = []
    training = Training(toy_settings(validation={"stop_when_over": 2, "timesteps": [50, 300]}))
    run.make_validator(check(training.settings), training.learner, Emitter([said.append]), Commands())
    assert any(getattr(event, "finding", None) and event.finding["code"] == "validation.never_over" for event in said)


def test_a_run_whose_dataset_has_masks_is_validated_without(toy_settings, creatures, tmp_path):
    masked = toy_settings().datasets[0].model_copy(update={"alpha_mask": True, "resolution": 48})
    settings = toy_settings().model_copy(update={"datasets": [masked]})
    found = check(settings).validation_set
    assert {max(item.fit.bucket) for item in found.held_out} <= {48, 56}
    assert all(item.masks == () for item in found.held_out)


def test_a_folder_of_its_own_can_judge(settings_for, tmp_path):
    draw(tmp_path / "others", range(950, 953))
    settings = settings_for(validation={"path": str(tmp_path / "others"), "max_images": 2})
    found = check(settings).validation_set
    assert len(found.held_out) == 2
    off = settings_for(validation={"path": str(tmp_path / "others"), "every_n_epochs": 0})
    assert check(off).validation_set is None
    with pytest.raises(DatasetError, match="does not exist"):
        check(settings_for(validation={"path": str(tmp_path / "nowhere")}))


def test_a_loss_that_is_no_number_is_told_and_left_out(toy_settings):
    training = Training(toy_settings())
    validator = training.validator()
    training.steps(1)
    validator.validate_base(training.learner.adapters, training.learner.texts)
    with torch.no_grad():
        for parameter in training.learner.parameters:
            parameter.fill_(torch.inf)
    (warning,) = training.ask(validator, 1)
    assert isinstance(warning, Warned)
    assert "gives no finite loss on" in warning.message


# -- the mathematics --------------------------------------------------------------------------------------------------


def test_a_round_is_compared_picture_by_picture():
    base = Round({"a": 1.0, "b": 2.0, "c": 3.0}, {"x": 1.0, "y": 2.0, "z": 3.0}, 0)
    best = Round({"a": 0.8, "b": 1.7, "c": 2.9}, {"x": 0.5, "y": 1.6, "z": 2.4}, 2)
    now = Round({"a": 0.9, "b": 1.8, "c": 3.0}, {"x": 0.4, "y": 1.4, "z": 2.4}, 4)
    event = compare(40, now, [base, best])
    assert (event.val_loss, event.train_loss) == pytest.approx((1.9, 1.4))
    assert (event.val_loss_delta, event.train_loss_delta) == pytest.approx((-0.1, -0.6))
    assert event.gap == pytest.approx(0.5)
    assert (event.best_epoch, event.above_best, event.above_best_margin) == pytest.approx((2, 0.1, 0.0), abs=1e-9)


def test_where_nothing_is_memorised_the_gap_is_beyond_its_margin_in_one_case_of_twenty():
    rng, alarms = random.Random(0), 0
    for _ in range(600):
        base = Round({str(k): rng.uniform(0.1, 0.9) for k in range(6)}, {str(k): rng.uniform(0.1, 0.9) for k in range(6)}, 0)
        now = Round(
            {k: v - rng.gauss(0.05, 0.02) for k, v in base.held_out.items()},
            {k: v - rng.gauss(0.05, 0.02) for k, v in base.trained.items()},
            1,
        )
        event = compare(1, now, [base])
        alarms += abs(event.gap) > event.gap_margin
    assert 0.03 < alarms / 600 < 0.07


def test_timesteps_are_the_middles_of_equal_parts_of_what_is_trained_or_those_of_the_list():
    assert validation_timesteps(4) == (125, 375, 625, 875)
    assert validation_timesteps(2, (200, 600)) == (300, 500)
    assert validation_timesteps(4, (998, 1000)) == (998, 999)
    assert validation_timesteps(1) == (500,)
    assert len(set(validation_timesteps(1000))) == 1000
    assert validation_timesteps([700, 20]) == (20, 700)


def test_pictures_are_chosen_by_content_whatever_stands_beside_them(toy_settings):
    training_set = check(toy_settings()).training_set
    everything = choose(training_set.pictures, 3)
    assert choose(list(reversed(training_set.pictures)) * 2, 3) == everything
    assert choose(training_set.pictures, 2) == everything[:2]


@pytest.mark.parametrize(
    ("sections", "epochs"),
    [({}, [3, 6, 7]), ({"validation": {"every_n_epochs": 2}}, [2, 4, 6, 7]), ({"validation": {"every_n_epochs": 0}}, [])],
    ids=["with each checkpoint", "every other epoch", "never"],
)
def test_validation_comes_with_each_checkpoint_or_as_often_as_asked(settings_for, sections, epochs):
    settings = settings_for(training={"epochs": 7}, checkpoints={"save_every_n_epochs": 3}, **sections)
    assert [epoch for epoch in range(1, 8) if due_after_epoch(settings, epoch, epoch == 7, 3).validation] == epochs


@pytest.mark.parametrize(
    ("checkpoints", "epochs"),
    [
        ({"save_every_n_epochs": 0, "save_every_n_steps": 7}, [3, 5, 7]), ({"save_every_n_epochs": 0, "save_every_n_steps": 2}, [1, 2, 3, 4, 5, 6, 7]),
        ({"save_every_n_epochs": 4, "save_every_n_steps": 7}, [3, 4, 5, 7]), ({"save_every_n_epochs": 0}, [7]),
    ],
)  # fmt: skip
def test_checkpoints_by_steps_are_validated_at_the_end_of_their_epochs(settings_for, checkpoints, epochs):
    settings = settings_for(training={"epochs": 7}, checkpoints=checkpoints)
    assert [epoch for epoch in range(1, 8) if due_after_epoch(settings, epoch, epoch == 7, 3).validation] == epochs
