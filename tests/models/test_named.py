"""What a model is called, by its file, folder or id of the hub."""

from pathlib import Path

import pytest

from lorasmith.demo.weights import BASE
from lorasmith.models.named import name_of, public_name_of

HUB = "hub/models--runwayml--stable-diffusion-v1-5/snapshots/451f4fe16113bff5a5d2269ed5ad43b0592e9a14"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/data/models/animagine-xl.safetensors", "animagine-xl.safetensors"), ("/data/stable-diffusion-v1-5", "stable-diffusion-v1-5"),
        (f"/data/{HUB}", "runwayml/stable-diffusion-v1-5"), (f"/data/{HUB}/unet", "runwayml/stable-diffusion-v1-5"),
        (f"/data/{HUB}/v1-5-pruned.safetensors", "v1-5-pruned.safetensors"),
        ("/data/animagine-xl/model.safetensors", "animagine-xl"), ("/data/animagine-xl/model.fp16.safetensors", "animagine-xl"),
        ("/data/animagine-xl/unet/diffusion_pytorch_model.safetensors", "animagine-xl"), ("/data/animagine-xl/transformer", "animagine-xl"),
        ("/data/sdxl/base", "sdxl base"), ("/data/demo/weights/base", "demo base"), ("/data/2024/model.safetensors", "2024"),
        ("owner/name", "owner/name"), ("owner/name@fp16", "owner/name"), ("owner/name/model.safetensors", "owner/name"),
        ("owner/name/anime.safetensors", "anime.safetensors"),
    ],
)  # fmt: skip
def test_a_model_is_called_what_people_recognise(source, name):
    assert name_of(source) == name


def test_what_is_given_away_has_no_name_of_a_folder_but_the_models_own(tmp_path):
    assert public_name_of(BASE) == "demo base"
    assert public_name_of("/anna/anime.safetensors") == "anime.safetensors"
    assert public_name_of("runwayml/stable-diffusion-v1-5") == public_name_of(f"/anna/{HUB}/unet") == "runwayml/stable-diffusion-v1-5"
    assert public_name_of("/anna/base") == "base"
    assert public_name_of("/anna/model.safetensors") == "model.safetensors"
    part = tmp_path / "anna" / "anime-xl" / "unet" / "diffusion_pytorch_model.safetensors"
    part.parent.mkdir(parents=True)
    (part.parents[1] / "model_index.json").touch()
    assert public_name_of(part) == public_name_of(part.parent) == public_name_of(part.parents[1]) == "anime-xl"


@pytest.mark.parametrize("folder", [Path.home(), Path("/home/anna"), Path("/Users/anna")])
def test_a_name_is_never_that_of_a_home_folder(folder):
    assert name_of(folder / "base") == "base"
    assert name_of(folder / "models" / "model.safetensors") == "model.safetensors"
