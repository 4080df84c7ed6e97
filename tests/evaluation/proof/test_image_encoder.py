"""An image encoder that the user names: vision models as transformers saves them, and taggers."""

import numpy as np
import pytest
import torch
from PIL import Image

from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.weights import TAGGER
from lorasmith.demo.world import random_scene
from lorasmith.errors import InputError
from lorasmith.evaluation.proof.image_encoder import open_image_encoder


def clip(folder):
    from transformers import CLIPConfig, CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    text = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 9}
    vision = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32, "patch_size": 8}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)).save_pretrained(folder)
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return 12


def dino(folder):
    from transformers import Dinov2Config, Dinov2Model
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

    Dinov2Model(
        Dinov2Config(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14)
    ).save_pretrained(folder)  # fmt: skip
    BitImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}).save_pretrained(folder)
    return 16


@pytest.mark.parametrize("save", [clip, dino])
def test_a_vision_model_of_transformers_turns_pictures_of_any_size_into_vectors_of_length_one(save, tmp_path):
    torch.manual_seed(0)
    dimensions = save(tmp_path)
    encoder = open_image_encoder(tmp_path)
    pictures = [Image.new("RGB", size, colour) for size, colour in (((64, 48), "red"), ((40, 90), "blue"), ((64, 48), "red"))]
    found = encoder.encode(pictures)
    assert found.shape == (3, dimensions)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
    assert np.linalg.norm(found[0] - found[2]) < np.linalg.norm(found[0] - found[1])


def test_another_model_has_another_identity(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        clip(tmp_path / name)
    assert open_image_encoder(tmp_path / "a").identity == open_image_encoder(tmp_path / "a").identity
    assert open_image_encoder(tmp_path / "a").identity != open_image_encoder(tmp_path / "b").identity


def test_a_tagger_sees_what_a_scene_is_of():
    encoder = open_image_encoder(TAGGER)
    drawn = [draw_scene(random_scene(seed)) for seed in range(4)]
    found = encoder.encode([*drawn, drawn[0].resize((128, 128))])
    apart = np.linalg.norm(found[:4] - found[4], axis=1)
    assert apart.argmin() == 0


def test_what_is_no_encoder_is_said_in_a_sentence(tmp_path):
    with pytest.raises(InputError, match=r"config\.json|model\.onnx"):
        open_image_encoder(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "clip"}', encoding="utf-8")
    with pytest.raises(InputError, match="cannot be opened"):
        open_image_encoder(tmp_path)
    with pytest.raises(InputError, match="neither a folder nor"):
        open_image_encoder(tmp_path / "missing")
