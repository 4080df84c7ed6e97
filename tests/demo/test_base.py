"""The demo's weights are what they are said to be; the full measures are in docs/demo-world.md."""

import csv

import numpy as np
import pytest
import torch

from lorasmith.captions.taggers.tagger import WdTagger
from lorasmith.demo.build.measure import FRESH, measure_tagger, measure_vae
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.truth import TAGS, attribute_accuracy
from lorasmith.demo.weights import BASE, TAGGER
from lorasmith.demo.world import CHARACTERS, random_scene, tag_caption
from lorasmith.models.open import open_base
from lorasmith.models.sampling import sample


@pytest.fixture(scope="module")
def tagger():
    return WdTagger(TAGGER)


def test_the_base_is_a_folder_that_the_diffusers_pipeline_opens():
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(BASE, safety_checker=None, requires_safety_checker=False, local_files_only=True)
    assert type(pipeline.unet).__name__ == "UNet2DConditionModel"
    assert pipeline.tokenizer.tokenize("happy blue cat") == ["happy</w>", "blue</w>", "cat</w>"]
    assert len(pipeline.tokenizer.tokenize("zorvex")) > 1


def test_the_autoencoder_keeps_the_picture():
    assert measure_vae(32) >= 28


def test_the_tagger_has_the_form_of_the_wd_taggers(tagger):
    assert tagger.tags == TAGS
    with (TAGGER / "selected_tags.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["tag_id", "name", "category", "count"]
    assert {row["name"] for row in rows if row["category"] == "4"} == set(CHARACTERS)
    assert all(" " not in row["name"] for row in rows)


def test_the_tagger_sees_the_truth_of_fresh_pictures(tagger):
    scenes = [random_scene(FRESH + k) for k in range(150)]
    accuracy = attribute_accuracy(tagger.probabilities([draw_scene(s) for s in scenes]), scenes)
    assert min(accuracy.values()) >= 0.95, accuracy
    assert min(measure_tagger(tagger, 150).values()) >= 0.9


def test_the_base_draws_what_it_is_asked_for(tagger):
    base = open_base(BASE, torch.float32)
    scenes = [random_scene(FRESH + 1000 + k) for k in range(10)]
    pictures = sample(base, [tag_caption(s) for s in scenes], range(10), steps=12, cfg_scale=5.0)
    accuracy = attribute_accuracy(tagger.probabilities(pictures), scenes)
    assert np.mean([share for name, share in accuracy.items() if name not in ("concept", "character")]) >= 0.85, accuracy
