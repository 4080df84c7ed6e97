"""`lorasmith sample`: pictures of any base, drawn as is usual for it."""

import pytest
import typer
from PIL import Image, ImageChops
from typer.testing import CliRunner

from lorasmith.cli.picture import sample
from lorasmith.errors import SettingsError
from tests.models.single_files import write_single_file
from tests.models.toys import PICTURE, toy_folder


@pytest.fixture
def draw(tmp_path):
    app = typer.Typer()
    app.command()(sample)

    def call(*arguments):
        out = tmp_path / f"pictures-{len(list(tmp_path.iterdir()))}"
        result = CliRunner().invoke(app, [*map(str, arguments), "--prompt", "red cat", "--out", str(out)])
        if result.exception:
            raise result.exception
        assert result.output.split() == [str(path) for path in sorted(out.iterdir())]
        return Image.open(result.output.strip())

    return call


def same(one, other):
    return ImageChops.difference(one, other).getbbox() is None


def test_a_flux_folder_is_drawn_in_its_own_usual_way(draw):
    defaults = draw("--base", toy_folder("flux"))
    assert defaults.size == (PICTURE, PICTURE)
    assert same(defaults, draw("--base", toy_folder("flux"), "--steps", 25, "--cfg-scale", 1, "--guidance", 3.5))
    assert not same(defaults, draw("--base", toy_folder("flux"), "--steps", 3, "--guidance", 1))


def test_a_single_file_takes_its_settings_and_its_autoencoder_from_elsewhere(draw, tmp_path):
    whole = write_single_file(toy_folder("sdxl"), tmp_path / "xl.safetensors")
    bare = write_single_file(toy_folder("sdxl"), tmp_path / "bare.safetensors", drop=["first_stage_model."])
    few = ("--steps", 2, "--width", 32, "--height", 64, "--config", toy_folder("sdxl"))
    picture = draw("--base", whole, *few)
    assert picture.size == (32, 64)
    assert same(picture, draw("--base", bare, "--vae", toy_folder("sdxl") / "vae", *few))


def test_a_size_that_the_base_cannot_draw_is_refused(draw):
    with pytest.raises(SettingsError, match="The width 33 does not fit this base, whose sides must be multiples of"):
        draw("--base", toy_folder("sd1"), "--width", 33, "--steps", 1)


def test_a_sampler_can_be_chosen_by_its_name(draw):
    few = ("--base", toy_folder("sd1"), "--steps", 3)
    assert same(draw(*few), draw(*few, "--sampler", "ddim"))
    assert not same(draw(*few), draw(*few, "--sampler", "euler_a"))
    assert same(draw(*few, "--sampler", "euler_a"), draw(*few, "--sampler", "euler_a"))
    with pytest.raises(SettingsError, match="There is no sampler .euler_b.: did you mean 'euler_a'?"):
        draw(*few, "--sampler", "euler_b")
    with pytest.raises(SettingsError, match="The sampler flow Euler does not fit this base"):
        draw(*few, "--sampler", "flow_euler")
