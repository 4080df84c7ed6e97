"""Prompts from captions: new combinations, what must be left alone, and what there is where captions say nothing."""

import random

import pytest

from lorasmith.captions.caption import split_tags
from lorasmith.demo.scenes import prompts_for
from lorasmith.demo.truth import GROUPS
from lorasmith.evaluation.prompts import NAMED_SUBJECTS, Counts, make_prompts

COUNTS = Counts(new=12, bare=4, trained=5, held_out=5, other=9)
SENTENCES = (
    "zorvex, a photo of a woman sitting on a bench in a park, wearing a red hat",
    "zorvex, a woman smiles at the camera. She is wearing a blue coat, in the snow",
    "zorvex, portrait of a woman on the stairs with a dog",
    "zorvex, a woman running in a field, under a cloudy sky",
    "zorvex, close-up of a woman holding a cup by the window",
)


def captions_of(kind: str, name: str, count: int) -> dict[str, str]:
    return {f"{k}.png": caption for k, (caption, _) in enumerate(prompts_for(kind, name, count))}


def texts(prompts, *groups):
    return [prompt.text for prompt in prompts.of(*groups)]


def contradictions(tags: list[str]) -> list[str]:
    """Attributes of which the demo's world allows one value and a prompt says two."""
    return [attribute for attribute, (values, _) in GROUPS.items() if len(set(values) & set(tags)) > 1]


@pytest.mark.parametrize(("kind", "name", "count"), [("character", "zorvex", 40), ("concept", "umbrella", 5), ("style", "chalk", 15)])
def test_new_prompts_combine_tags_of_several_captions_without_contradicting_themselves(kind, name, count):
    captions = captions_of(kind, name, count)
    prompts = make_prompts(captions, {}, COUNTS)
    said = [set(split_tags(caption)) for caption in captions.values()]
    new = [split_tags(text) for text in texts(prompts, "new")]
    assert len({frozenset(tags) for tags in new}) == COUNTS.new
    assert all(tags[0] == prompts.trigger for tags in new)
    assert all(set(tags) <= set.union(*said) for tags in new)
    assert not any(set(tags) <= caption for tags in new for caption in said)
    assert [found for tags in new if (found := contradictions(tags))] == []


def test_tags_in_any_order_are_combined_too():
    rng = random.Random(0)
    captions = {}
    for name, caption in captions_of("concept", "umbrella", 40).items():
        trigger, *tags = split_tags(caption)
        rng.shuffle(tags)
        captions[name] = ", ".join((trigger, *tags))
    new = texts(make_prompts(captions, {}, COUNTS), "new")
    assert len(set(new)) == COUNTS.new
    assert not set(new) & set(captions.values())


def test_what_all_captions_say_stays_in_new_prompts_and_out_of_other_ones():
    captions = {f"{k}": f"anna, 1girl, {place}, {look}" for k, (place, look) in enumerate(
        [("beach", "smile"), ("forest", "angry"), ("city", "smile"), ("snow", "crying"), ("room", "angry"), ("beach", "crying")]
    )}  # fmt: skip
    prompts = make_prompts(captions, {}, Counts(4, 1, 2, 0, 8), trigger="anna")
    assert all(text.startswith("anna, 1girl, ") for text in texts(prompts, "new"))
    assert not any("anna" in text or "1girl" in text for text in texts(prompts, "other"))


@pytest.mark.parametrize(("kind", "name"), [("character", "zorvex"), ("concept", "umbrella"), ("style", "chalk")])
def test_every_other_prompt_names_one_subject_whether_captions_do_or_not(kind, name):
    for text in texts(make_prompts(captions_of(kind, name, 20), {}, COUNTS), "other"):
        assert sum(bool(NAMED_SUBJECTS & set(tag.split())) for tag in split_tags(text)) == 1


def test_sentences_are_taken_apart_before_words_such_as_in_and_wearing():
    prompts = make_prompts(dict(enumerate(SENTENCES)), {}, Counts(6, 1, 1, 0, 6))
    new = texts(prompts, "new")
    assert prompts.captions_say == "sentences"
    assert len(set(new)) == 6
    assert not set(new) & set(SENTENCES)
    assert all(text.startswith("zorvex, ") for text in new)
    assert not any("zorvex" in text for text in texts(prompts, "other"))


def test_captions_of_the_trigger_alone_get_made_up_prompts_and_say_so():
    prompts = make_prompts({str(k): "zorvex" for k in range(5)}, {}, COUNTS)
    assert prompts.captions_say == "nothing"
    assert texts(prompts, "new")[:2] == ["zorvex, beach, standing", "zorvex, snow, happy"]
    assert texts(prompts, "bare") == ["zorvex"] * COUNTS.bare


def test_captions_of_regularisation_images_are_a_third_of_the_other_prompts():
    regularisation = [f"cat, {place}" for place in ("beach", "snow", "night", "city")]
    others = texts(make_prompts(captions_of("character", "zorvex", 20), {}, COUNTS, regularisation=regularisation), "other")
    assert len(others) == len(set(others)) == COUNTS.other
    assert len(set(others) & set(regularisation)) == 3


def test_captions_of_pictures_name_their_picture_and_every_prompt_has_its_own_seed():
    captions = captions_of("character", "zorvex", 20)
    trained, held_out = dict(list(captions.items())[:15]), dict(list(captions.items())[15:])
    prompts = make_prompts(trained, held_out, COUNTS)
    assert all(trained[prompt.picture] == prompt.text for prompt in prompts.of("trained"))
    assert all(held_out[prompt.picture] == prompt.text for prompt in prompts.of("held_out"))
    assert len({prompt.seed for prompt in prompts.prompts}) == len({prompt.name for prompt in prompts.prompts}) == len(prompts.prompts)
    assert make_prompts(trained, held_out, COUNTS) == prompts
    assert make_prompts(trained, held_out, COUNTS, seed=1) != prompts
