"""Checkpoints on the demo's base, drawn and measured for real, with few pictures and steps."""

import shutil
from dataclasses import replace

import pytest
import torch
from PIL import Image

from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.scenes import balanced_scenes, fixed_attributes, trained_caption
from lorasmith.demo.weights import BASE, TAGGER
from lorasmith.evaluation.measures.measured import MEASURES
from lorasmith.evaluation.proof import measuring
from lorasmith.evaluation.proof.checkpoints import Checkpoint, checkpoints_of, likeliest
from lorasmith.evaluation.proof.image_encoder import open_image_encoder
from lorasmith.evaluation.proof.measuring import measure_checkpoints
from lorasmith.evaluation.proof.plan import cost
from lorasmith.evaluation.proof.plan_making import plan_for_pictures, plan_for_run
from lorasmith.evaluation.proof.record import read_record
from lorasmith.evaluation.proof.store import ProofStore
from lorasmith.evaluation.run_record import read_run
from lorasmith.models.open import open_base
from lorasmith.models.prompts.parameters import read_png
from lorasmith.models.settings import BaseModelSettings
from lorasmith.training.run import train
from lorasmith.training.settings.sections import SampleSettings
from lorasmith.training.settings.tree import settings_from

pytestmark = pytest.mark.usefixtures("tiny_effort")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Five pictures of a character to train on, three held out."""
    root = tmp_path_factory.mktemp("plonth") / "set"
    for k, scene in enumerate(balanced_scenes(8, 800_000, **fixed_attributes("character", "plonth"))):
        folder = root if k < 5 else root / "holdout" / "1_plonth"
        folder.mkdir(parents=True, exist_ok=True)
        draw_scene(scene).save(folder / f"{k}.png")
        (folder / f"{k}.txt").write_text(trained_caption("character", scene), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    """A run of three short epochs, a checkpoint each."""
    root = tmp_path_factory.mktemp("run")
    settings = settings_from({
        "name": "plonth", "base": {"path": str(BASE)}, "datasets": [{"path": str(dataset), "repeats": 5}],
        "buckets": {"resolution": 64, "min_bucket_reso": 32, "max_bucket_reso": 128, "bucket_reso_steps": 16},
        "captions": {"trigger": "plonth"}, "network": {"rank": 16, "alpha": 16.0, "train_text_encoder": False},
        "training": {"epochs": 3, "batch_size": 5}, "optimizer": {"unet_lr": 4e-3}, "schedule": {"lr_scheduler": "constant"},
        "validation": {"every_n_epochs": 0}, "cache": str(root / "cache"),
    })  # fmt: skip
    train(settings, root / "run")
    return root / "run"


@pytest.fixture(scope="module")
def base():
    return open_base(BASE, torch.float32)


@pytest.fixture(scope="module")
def proof(run, base, tiny_effort):
    """The run's plan, and what was measured."""
    plan = plan_for_run(run, "tiny")
    ticks = []
    measured = measure_checkpoints(
        plan, base, checkpoints_of(read_run(run)), run / "proof", progress=lambda done, total: ticks.append((done, total))
    )
    return plan, measured, ticks


def test_a_run_is_measured_by_every_measure_on_the_checkpoints_that_are_drawn(proof, tiny_effort):
    _, measured, _ = proof
    assert [one.epoch for one in measured] == [1, 2, 3]
    drawn = [one for one in measured if "subject" in one.measures]
    assert len(drawn) == tiny_effort.most_drawn
    assert measured[-1] in drawn
    assert set(drawn[-1].measures) == set(MEASURES)
    assert all(
        name.startswith(("gap_", "held_out_loss_", "trained_loss_")) for one in measured if one not in drawn for name in one.measures
    )


def test_a_lora_that_trains_lowers_the_training_loss_and_gains_more_there_than_on_held_out_pictures(proof):
    _, measured, _ = proof
    assert measured[-1].measures["trained_loss_shape"].value < -0.1
    assert measured[-1].measures["gap_shape"].value > 0


def test_what_it_costs_is_known_beforehand_and_progress_counts_to_it(proof):
    plan, _, ticks = proof
    expected = cost(plan, checkpoints=3)
    assert expected.pictures == 3 * 12  # the base and two checkpoints
    assert ticks[-1] == (expected.predictions, expected.predictions)
    assert [done for done, _ in ticks] == sorted(done for done, _ in ticks)


def test_a_second_proof_computes_nothing(proof, run, base, monkeypatch):
    plan, measured, _ = proof

    def predict(*args, **more):
        raise AssertionError("something was computed")

    monkeypatch.setattr(base, "predict", predict)
    assert measure_checkpoints(plan, base, checkpoints_of(read_run(run)), run / "proof") == measured


def test_a_proof_that_was_stopped_goes_on_where_it_was_and_ends_in_the_same_numbers(proof, run, base, tmp_path):
    plan, measured, _ = proof
    checkpoints = checkpoints_of(read_run(run))[-1:]
    folder = shutil.copytree(run / "proof", tmp_path / "proof")
    own = ProofStore(folder, plan, base.fingerprints).place_of(checkpoints[0])
    shutil.rmtree(own)
    some = measure_checkpoints(plan, base, checkpoints, folder, cancelled=lambda: any(own.glob("*.png")), batch_size=4)
    assert len(list(own.glob("*.png"))) == 4
    assert not any("subject" in one.measures for one in some)
    again = measure_checkpoints(plan, base, checkpoints, folder)
    for one, other in zip(again, measured[-1:], strict=True):
        assert one.measures.keys() == other.measures.keys()
        for name in one.measures:
            assert one.measures[name].value == pytest.approx(other.measures[name].value, abs=0.02), name


def test_pictures_are_found_by_their_prompts_and_say_how_they_were_generated(proof, run):
    plan, measured, _ = proof
    record = read_record(run / "proof")
    assert record.measured == tuple(measured)
    assert record.prompts == plan.prompts
    assert (record.trained, record.held_out) == (5, 3)
    prompt = plan.prompts.of("new")[0]
    path = run / "proof" / record.pictures[-1][prompt.name]
    assert Image.open(path).size == (64, 64)
    assert read_png(path).request.seed == prompt.seed
    assert (run / "proof" / record.base_pictures[prompt.name]).is_file()


def test_a_weight_of_zero_is_the_base(proof, run, base):
    plan, _, _ = proof
    last = checkpoints_of(read_run(run))[-1]
    (nothing,) = measure_checkpoints(plan, base, [replace(last, weight=0.0)], run / "proof")
    for name in ("subject", "moved", "leaks", "gap_shape", "held_out_loss_shape", "stuck", "saturation"):
        assert nothing.measures[name].value == pytest.approx(MEASURES[name].as_base, abs=1e-5), name
    assert nothing.measures["keeps"].value == pytest.approx(1.0)


def test_any_lora_with_a_folder_of_pictures_is_measured_with_wider_margins_where_nothing_is_held_out(proof, run, dataset, base, tmp_path):
    _, _measured, _ = proof
    shutil.copytree(dataset, tmp_path / "set", ignore=shutil.ignore_patterns("holdout", ".lorasmith"))
    samples = SampleSettings(cfg_scale=3.0)
    plan = plan_for_pictures(BaseModelSettings(path=BASE), tmp_path / "set", trigger="plonth", effort="tiny", samples=samples)
    assert plan.held_out == ()
    file = checkpoints_of(read_run(run))[-1].path
    (alone,) = measure_checkpoints(plan, base, [Checkpoint(file, file.name)], tmp_path / "proof")
    assert {"subject", "keeps", "replay", "near", "leaks"} <= set(alone.measures)
    assert not any(name.startswith(("gap_", "held_out_loss_")) for name in alone.measures)
    subject = alone.measures["subject"]
    assert subject.error == pytest.approx(measuring.Measure.of(subject.items).error)


def test_the_hold_out_inside_a_folder_of_pictures_is_used(dataset):
    plan = plan_for_pictures(BaseModelSettings(path=BASE), dataset, trigger="plonth", effort="tiny")
    assert [len(plan.trained), len(plan.held_out)] == [5, 3]


def test_losses_choose_the_last_checkpoint_and_those_of_the_lowest_loss_at_high_noise():
    checkpoints = [Checkpoint(f"{k}", f"{k}") for k in range(5)]
    losses = [{"held_out_loss_composition": measuring.Measure(value, None, {})} for value in (-0.1, -0.5, -0.2, -0.4, 0.3)]
    assert [one.name for one in likeliest(checkpoints, losses, 3)] == ["1", "3", "4"]
    assert likeliest(checkpoints, losses, None) == checkpoints


def test_a_named_encoder_is_one_more_space_and_its_numbers_are_kept_apart(proof, run, base):
    plan, measured, _ = proof
    last = checkpoints_of(read_run(run))[-1:]
    (with_encoder,) = measure_checkpoints(plan, base, last, run / "proof", encoder=open_image_encoder(TAGGER))
    before, after = measured[-1].measures, with_encoder.measures
    assert after["replay"].value != before["replay"].value
    for name in ("moved", "keeps", "gap_shape"):
        assert after[name] == before[name]
    assert after["subject"].value <= before["subject"].value, "the least convinced space counts, and there is one more"
    assert measure_checkpoints(plan, base, last, run / "proof") == measured[-1:]
