"""Pictures before and after: the same prompts and seeds, and how far they are apart."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from lorasmith.adapters.tools.extract import extract_file
from lorasmith.adapters.tools.merge_into_base import merge_into_base
from lorasmith.adapters.tools.resize import resize_file
from lorasmith.cli.main import app
from lorasmith.errors import InputError, SettingsError
from lorasmith.evaluation.sampling.sample import sample
from lorasmith.library.before_after import Drawn, before_after, usual_prompts
from lorasmith.models.open import open_base
from lorasmith.models.prompts.lines import read_line, requests_of
from lorasmith.models.prompts.request import PictureRequest
from tests.adapters.tools.merged_bases import write_lora
from tests.models.toys import toy_folder

PROMPTS = [read_line("zorvex, beach --s 2"), read_line("red cat --s 2 --d 9")]


@pytest.fixture(scope="module")
def lora(tmp_path_factory):
    return write_lora(tmp_path_factory.mktemp("loras") / "zorvex.safetensors", "sd1", "lora", size=0.3)


def test_the_numbers_are_those_of_the_pictures(lora, tmp_path):
    base = toy_folder("sd1")
    found = before_after(Drawn(base), Drawn(base, ((lora, 0.8),)), PROMPTS, tmp_path / "sheet.png")
    assert [(each.prompt, each.seed) for each in found] == [("zorvex, beach", 1), ("red cat", 9)]
    first = [np.asarray(sample(base, "zorvex, beach", lora=loras, seed=1, steps=2)[0], dtype=int) for loras in ([], [(lora, 0.8)])]
    levels = np.abs(first[0] - first[1])
    # Pictures of another batch may round to the next level.
    assert found[0].largest == pytest.approx(levels.max(), abs=2)
    assert found[0].mean == pytest.approx(levels.mean(), abs=0.1)
    assert found[0].largest > 0
    sheet = Image.open(tmp_path / "sheet.png")
    assert sheet.width > 3 * 64
    assert sheet.height > 2 * 64


def test_a_base_with_a_lora_merged_in_draws_as_with_it_attached(lora, tmp_path):
    merge_into_base([(lora, 0.8)], toy_folder("sd1"), tmp_path / "merged")
    found = before_after(Drawn(toy_folder("sd1"), ((lora, 0.8),)), Drawn(tmp_path / "merged"), PROMPTS, tmp_path / "sheet.png")
    # A level is rounded, so that the smallest difference of two pictures can show as one.
    assert max(each.largest for each in found) <= 1


def test_a_fine_tune_extracted_in_full_draws_the_same_on_its_base(tmp_path):
    """Biases and normalisations with it."""
    tuned = shutil.copytree(toy_folder("sd1"), tmp_path / "tuned")
    path = tuned / "unet" / "diffusion_pytorch_model.safetensors"
    generator = torch.Generator().manual_seed(1)
    save_file({name: tensor + 0.02 * torch.randn(tensor.shape, generator=generator) for name, tensor in load_file(path).items()}, path)
    extract_file(tuned, toy_folder("sd1"), tmp_path / "full.safetensors", "full")
    base = open_base(toy_folder("sd1"))
    norms = {name: tensor.clone() for name, tensor in base.parts["unet"].state_dict().items() if "norm" in name}
    found = before_after(Drawn(tuned), Drawn(base, ((tmp_path / "full.safetensors", 1.0),)), PROMPTS, tmp_path / "sheet.png")
    assert max(each.largest for each in found) <= 1
    assert all(torch.equal(base.parts["unet"].state_dict()[name], tensor) for name, tensor in norms.items())
    found = before_after(Drawn(base), Drawn(base, ((tmp_path / "full.safetensors", 1.0),)), PROMPTS, tmp_path / "sheet.png")
    assert max(each.largest for each in found) > 1


def test_without_prompts_the_trigger_words_are_drawn_and_something_else(tmp_path):
    lora = write_lora(tmp_path / "a.safetensors", "sd1", "lora", parts=["text_encoder"])
    assert len(usual_prompts([lora])) == 4
    said = {"ss_base_model_version": "sd_v1", "modelspec.trigger_phrase": "zorvex"}
    save_file(load_file(lora), tmp_path / "b.safetensors", said)
    prompts = [each.prompt for each in requests_of(usual_prompts([lora, tmp_path / "b.safetensors"]), PictureRequest())]
    assert len(prompts) == 4
    assert sum(prompt.startswith("zorvex, ") for prompt in prompts) == 3


def test_every_verb_that_rewrites_draws_on_request(lora, tmp_path, capsys):
    base, prompts = str(toy_folder("sd1")), tmp_path / "prompts.txt"
    prompts.write_text("zorvex, beach --s 1\n", encoding="utf-8")
    app(
        [
            "lora",
            "resize",
            str(lora),
            "--rank",
            "1",
            "--out",
            str(tmp_path / "one.safetensors"),
            "--pictures",
            base,
            "--prompts",
            str(prompts),
        ],
        standalone_mode=False,
    )
    assert "1 picture before and after: they differ by" in capsys.readouterr().out
    assert (tmp_path / "one-pictures.png").exists()
    with pytest.raises(SettingsError, match="no effect without --pictures"):
        app(["lora", "convert", str(lora), "--out", str(tmp_path / "c.safetensors"), "--prompts", str(prompts)], standalone_mode=False)


def test_nothing_to_draw_is_an_error(lora, tmp_path):
    resize_file(lora, tmp_path / "one.safetensors", 1)
    with pytest.raises(InputError, match="no prompt"):
        before_after(Drawn(toy_folder("sd1")), Drawn(toy_folder("sd1")), [], tmp_path / "sheet.png")
