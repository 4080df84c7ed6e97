"""Layers of a language model above the last whose state is read are neither loaded nor counted, and the states are the same."""

from pathlib import Path

import pytest
import torch

from lorasmith.models.description import Description, PartPlace
from lorasmith.models.families import FAMILIES
from lorasmith.models.files.weights import empty_module
from lorasmith.models.open import _without_unread_layers, describe, load_base
from lorasmith.models.texts import TextOptions
from tests.models.toys import TOYS, toy_folder, with_all_layers

LAYERS = {"zimage": (2, 3), "lumina2": (2, 3), "klein": (27, 28), "krea2": (3, 4), "qwen_image": (2, 2), "anima": (2, 2)}
"""Toy -> layers that are read, and those of its file."""
PUBLISHED = {
    ("klein", "4B"): (27, 36),
    ("klein", "9B"): (27, 36),
    ("zimage", "base"): (35, 36),
    ("lumina2", ""): (25, 26),
    ("krea2", "raw"): (35, 36),
}


@torch.no_grad()
@pytest.mark.parametrize("toy", [toy for toy in TOYS if toy in LAYERS])
def test_unread_layers_are_not_loaded_and_the_states_are_those_of_the_whole_model(toy):
    description = describe(toy_folder(toy))
    bases = load_base(description, torch.float32), load_base(with_all_layers(description), torch.float32)
    assert tuple(len(base.parts["text_encoder"].layers) for base in bases) == LAYERS[toy]
    ours, theirs = (base.encode_texts(["a happy red cat", "a dog"], TextOptions()) for base in bases)
    assert torch.equal(ours.states, theirs.states)


def test_every_family_with_a_language_model_says_which_states_are_read():
    encoders = {name: family.usual.parts["text_encoder"] for name, family in FAMILIES.items()}
    language_models = {name for name, part in encoders.items() if "num_key_value_heads" in part.settings}
    assert language_models == {name for name, family in FAMILIES.items() if family.states_read}


@pytest.mark.parametrize(("family", "variant"), PUBLISHED)
def test_what_is_not_loaded_is_not_counted_at_full_size(family, variant):
    read, all_of_them = PUBLISHED[family, variant]
    record = FAMILIES[family]
    places = {name: PartPlace((), "", "", part, "", {}) for name, part in record.variants[variant].parts.items()}
    whole = places["text_encoder"].config
    cut = (
        _without_unread_layers(Description(Path(), "folder", record, variant, "flow", False, places, ("", {}), {}, (), ()))
        .parts["text_encoder"]
        .config
    )
    of_layer = sum(p.numel() for p in empty_module(whole).layers[0].parameters())
    counts = [sum(p.numel() for p in empty_module(part).parameters()) for part in (whole, cut)]
    assert counts[0] - counts[1] == (all_of_them - read) * of_layer + whole.settings["hidden_size"]
