"""`lorasmith sample`: pictures of any base, drawn as is usual for it."""

import json
from pathlib import Path

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


def call(*arguments):
    app = typer.Typer()
    app.command()(sample)
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_a_file_of_prompts_is_a_picture_for_each_and_a_png_is_drawn_again(tmp_path):
    (tmp_path / "prompts.txt").write_text("red cat --n dog --s 2 --d 7 --cn pose.png\nblue cat --s 3\n", encoding="utf-8")
    drawn = call("--base", toy_folder("sd1"), "--prompts-file", tmp_path / "prompts.txt", "--out", tmp_path / "a", "--json")
    assert drawn.exit_code == 0, drawn.output
    assert "warning: Flags that do nothing here: --cn." in drawn.stderr
    found = json.loads(drawn.stdout)["pictures"]
    assert [(Path(each["file"]).name, each["seed"]) for each in found] == [("0000-seed7.png", 7), ("0001-seed2.png", 2)]
    assert found[0]["parameters"].startswith("red cat\nNegative prompt: dog\nSteps: 2, Sampler: DDIM, CFG scale: 7, Seed: 7, ")
    again = call("--base", toy_folder("sd1"), "--from-png", found[0]["file"], "--out", tmp_path / "b")
    assert (again.exit_code, again.stderr) == (0, "")
    assert same(Image.open(found[0]["file"]), Image.open(again.stdout.strip()))
    other = call("--base", toy_folder("sd2"), "--from-png", found[0]["file"], "--out", tmp_path / "c")
    assert "warning: The picture was generated with the base" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--lora-folder", "."], "Give --prompt, --prompts-file, --from-captions or --from-png."),
        (["--from-png", "a.png", "--prompt", "a"], "Give --prompt or --from-png."),
    ],
)
def test_what_is_not_said_or_said_twice_is_asked_for(arguments, words):
    result = call("--base", toy_folder("sd1"), *arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.replace("│", "").split())


def test_emphasis_that_does_nothing_is_named(tmp_path):
    result = call("--base", toy_folder("flux"), "--prompt", "a (red:1.2) cat --s 1", "--out", tmp_path)
    assert "warning: The emphasis in 'a (red:1.2) cat' has no effect on" in result.stderr


def test_prompts_are_made_from_captions(tmp_path, creatures):
    result = call(
        "--base", toy_folder("sd1"), "--from-captions", creatures, "--trigger", "zorvex", "--steps", 1, "--out", tmp_path, "--json"
    )
    assert result.exit_code == 0, result.output
    prompts = [each["parameters"].split("\n")[0] for each in json.loads(result.stdout)["pictures"]]
    captions = {" ".join(path.read_text(encoding="utf-8").split()) for path in creatures.glob("*.txt")}
    assert "zorvex" in prompts, "the bare trigger"
    assert set(prompts) & captions, "training captions"
    assert [prompt for prompt in prompts if "zorvex" not in prompt], "other prompts"
    assert len(list(tmp_path.glob("*.png"))) == len(prompts)
