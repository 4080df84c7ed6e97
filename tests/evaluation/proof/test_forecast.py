"""What `plan` says of the proof is what the proof takes."""

import json

import pytest

from lorasmith.evaluation.proof.forecast import forecast_proof
from lorasmith.evaluation.proof.plan import EFFORTS
from lorasmith.training.forecast.machine import Machine
from lorasmith.training.forecast.report import make_report
from lorasmith.training.settings.toml import settings_toml
from tests.command_line import lorasmith

SAMPLES = {"prompts": ["zorvex"], "steps": 2}


def test_every_checkpoint_and_the_base_are_drawn_and_two_more_weights(settings_for):
    report = make_report(settings_for(training={"epochs": 3}, samples=SAMPLES), Machine(1e9, 1e9, 1e-5))
    found = forecast_proof(report)
    prompts = sum(vars(EFFORTS["standard"].counts).values())
    assert found.checkpoints == 3
    assert found.pictures <= (1 + 3 + 2) * prompts
    assert found.predictions > found.pictures
    assert found.seconds == pytest.approx(
        found.predictions * report.forecast.duration.prediction + found.pictures * report.forecast.duration.decoding
    )


@pytest.mark.parametrize("sections", [{}, {"samples": SAMPLES, "training": {"mixed_precision": "bf16"}}], ids=["no samples", "bf16"])
def test_no_time_is_named_where_the_speed_of_predictions_is_not_known(settings_for, sections):
    found = forecast_proof(make_report(settings_for(**sections), Machine(1e9, 1e9, 1e-5)))
    assert found.seconds is None
    assert str(found).endswith("of the denoiser")


def test_plan_says_it_in_words_and_in_json(settings_for, tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(settings_toml(settings_for(samples=SAMPLES)), encoding="utf-8")
    *_, last = lorasmith("plan", str(path)).stdout.strip().splitlines()
    assert last.startswith("proof   standard effort, about 50 pictures of each of the six likeliest checkpoints: ")
    proof = json.loads(lorasmith("plan", str(path), "--json").stdout)["proof"]
    assert (proof["effort"], proof["checkpoints"]) == ("standard", 2)
    assert proof["seconds"] > 0
