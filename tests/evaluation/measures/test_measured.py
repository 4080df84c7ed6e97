"""Numbers of a checkpoint, with their uncertainty, to a file and back."""

import json

import pytest

from lorasmith.evaluation.measures.measured import MEASURES, CheckpointMeasures, Measure


def test_a_measure_is_the_mean_of_its_items_with_the_standard_error_of_that():
    measure = Measure.of({"beach": 0.2, "snow": 0.4, "street": 0.6})
    assert measure.value == pytest.approx(0.4)
    assert measure.error == pytest.approx(0.2 / 3**0.5)


def test_one_item_has_no_error():
    assert Measure.of({"beach": 0.2}).error is None


def test_measures_come_back_from_json():
    measured = CheckpointMeasures("checkpoints/a.safetensors", 3, 120, 0.8, {"subject": Measure.of({"beach": 0.2, "snow": 0.4})})
    assert CheckpointMeasures.from_json(json.loads(json.dumps(measured.json()))) == measured


@pytest.mark.parametrize("name", MEASURES)
def test_each_measure_says_in_a_sentence_what_it_means(name):
    meaning = MEASURES[name].meaning
    assert meaning[0].isupper()
    assert meaning.endswith(".")
    assert ". " not in meaning
