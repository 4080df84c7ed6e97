"""What lies ready to upload: the file under its public name, pictures with their prompts, a card that says what is known."""

import base64
import io
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from PIL import Image

from lorasmith.adapters.files.hashes import model_hash
from lorasmith.adapters.files.header import read_lora_header
from lorasmith.curation.rights import confirm
from lorasmith.errors import InputError
from lorasmith.evaluation.measures.measured import CheckpointMeasures, Measure
from lorasmith.evaluation.prompts import Prompt, PromptSet
from lorasmith.evaluation.proof.record import PROOF, WEIGHTS_PROOF, ProofRecord, write_record
from lorasmith.library.publish.pictures import prompts_for
from lorasmith.library.publish.publish import publish
from lorasmith.library.publish.subject import open_subject
from lorasmith.models.prompts.parameters import Parameters, png_bytes, read_png
from lorasmith.models.prompts.request import PictureRequest
from lorasmith.training import events
from lorasmith.training.records.event_log import EventLog
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.settings.tree import settings_from
from tests.library.lora_files import write_lora

PRIVATE = {
    "ss_output_name": "zorvex", "ss_dataset_dirs": json.dumps({"10_anna at home": {"n_repeats": 10, "img_count": 30}}), "ss_num_train_images": "300",
    "ss_tag_frequency": json.dumps({"10_anna at home": {"zorvex": 30, "anna": 3}}), "ss_unet_lr": "0.0001", "ss_steps": "400",
    "ss_training_comment": "/home/anna/loras", "modelspec.trigger_phrase": "zorvex", "modelspec.title": "zorvex",
}  # fmt: skip


@pytest.fixture
def lora(tmp_path):
    return write_lora(tmp_path / "zorvex.safetensors", PRIVATE)


def codes(published):
    return {finding.code.removeprefix("publish.") for finding in published.findings}


def head_of(folder):
    _, head, text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(head), text


def picture(path, prompt="zorvex, beach <lora:zorvex-000002:0.8>", **extra):
    request = PictureRequest(prompt, seed=3, width=8, height=8, sampler="ddim", steps=12, cfg_scale=7.0)
    named = "<lora:" in prompt
    parameters = Parameters(request, "base", "0123456789", {"zorvex-000002": "aaaabbbbcccc"} if named else {}, extra)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png_bytes(Image.new("RGB", (8, 8), "red"), parameters))
    return path


# -- a file ---------------------------------------------------------------------------------------------------------------


def test_a_file_is_published_without_what_is_private_and_with_the_same_tensors(tmp_path, lora):
    made = publish(lora, tmp_path / "up", license="cc-by-4.0", description="A small creature.", author="Anna")
    out = tmp_path / "up" / "zorvex.safetensors"
    metadata = read_lora_header(out).metadata
    assert "anna" not in json.dumps(metadata)
    assert (metadata["modelspec.license"], metadata["modelspec.description"]) == ("cc-by-4.0", "A small creature.")
    with out.open("rb") as new, lora.open("rb") as old:
        assert model_hash(new) == model_hash(old)
    assert {path.name for path in (tmp_path / "up").iterdir()} == {*made.files} - {"images/1.png"} | {"images"}
    assert "private_metadata" in codes(made)
    kept = publish(lora, tmp_path / "kept", keep_private=True)
    assert read_lora_header(tmp_path / "kept" / "zorvex.safetensors").metadata["ss_tag_frequency"] == PRIVATE["ss_tag_frequency"]
    assert next(finding for finding in kept.findings if finding.code == "publish.private_metadata").severity == "warning"


def test_the_card_says_how_to_use_it_and_that_nobody_has_measured_it(tmp_path, lora):
    publish(lora, tmp_path / "up", license="cc-by-4.0", base_model="runwayml/stable-diffusion-v1-5")
    head, text = head_of(tmp_path / "up")
    assert head["license"] == "cc-by-4.0"
    assert (head["base_model"], head["base_model_relation"]) == ("runwayml/stable-diffusion-v1-5", "adapter")
    assert head["instance_prompt"] == "zorvex"
    assert "template:sd-lora" in head["tags"]
    assert "    zorvex, your words <lora:zorvex:1>" in text
    assert "Nobody has measured how good this LoRA is.\nStart at weight 0.7 to 1" in text
    assert "Trained on 30 images." in text
    assert "- learning rate: 1e-4" in text
    assert 'weight_name="zorvex.safetensors"' in text
    card = json.loads((tmp_path / "up" / "card.json").read_text(encoding="utf-8"))
    assert (card["triggers"], card["loads_in"]) == ("zorvex", ["AUTOMATIC1111", "Forge", "ComfyUI", "diffusers"])


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (r"C:\Users\anna\models\base.safetensors", "base.safetensors"), ("/home/anna/models/base", ""), ("owner/base", "owner/base"),
        ("base.safetensors", "base.safetensors"),
    ],
)  # fmt: skip
def test_the_card_names_the_base_without_the_folders_around_it(tmp_path, said, shown):
    made = publish(write_lora(tmp_path / "zorvex.safetensors", {"ss_sd_model_name": said}), tmp_path / "up", dry_run=True)
    assert made.card.base == shown


def test_a_name_may_be_given_with_its_ending(tmp_path, lora):
    assert publish(lora, tmp_path / "up", name="mimi.safetensors", dry_run=True).files[0] == "mimi.safetensors"


def test_a_licence_of_its_own_is_named_as_the_hub_wants_it(tmp_path, lora):
    publish(lora, tmp_path / "up", license="Fair AI Public License 1.0-SD")
    assert {"license": "other", "license_name": "fair-ai-public-license-1.0-sd"}.items() <= head_of(tmp_path / "up")[0].items()


def test_the_first_picture_is_the_files_thumbnail(tmp_path, lora):
    publish(lora, tmp_path / "up", pictures=[picture(tmp_path / "a.png"), picture(tmp_path / "b.png")])
    shown = read_lora_header(tmp_path / "up" / "zorvex.safetensors").metadata["modelspec.thumbnail"]
    kind, data = shown.split(",", 1)
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as thumbnail:
        red, green, blue = thumbnail.convert("RGB").getpixel((4, 4))
    assert red > 200 > 60 > max(green, blue)
    publish(lora, tmp_path / "bare")
    assert "modelspec.thumbnail" not in read_lora_header(tmp_path / "bare" / "zorvex.safetensors").metadata


def test_the_maker_of_a_file_confirms_the_rights_on_publishing_it(tmp_path, lora):
    assert "no_rights" in codes(publish(lora, tmp_path / "up"))
    made = publish(lora, tmp_path / "sure", rights="my own photographs")
    assert "no_rights" not in codes(made)
    assert made.card.rights == ("The maker has confirmed the rights to the training images: my own photographs.",)
    assert "my own photographs" in head_of(tmp_path / "sure")[1]
    assert "private_path" in codes(publish(lora, tmp_path / "place", rights="from /home/anna/pictures"))


def test_a_file_is_published_without_making_its_family_of_models(tmp_path, lora):
    """Its layers are judged by names, shapes and numbers; diffusers takes seconds to import."""
    program = "import sys; from lorasmith.library.publish.publish import publish; publish(sys.argv[1], sys.argv[2]); print('diffusers' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program, str(lora), str(tmp_path / "up")], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_uis_find_triggers_and_picture_beside_the_file(tmp_path, lora):
    shown = picture(tmp_path / "a.png")
    publish(lora, tmp_path / "up", pictures=[shown])
    said = json.loads((tmp_path / "up" / "zorvex.json").read_text(encoding="utf-8"))
    assert (said["activation text"], said["sd version"]) == ("zorvex", "SD1")
    assert read_png(tmp_path / "up" / "zorvex.png").request.seed == 3


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("Zorvex the 2nd", "Zorvex_the_2nd"),
        ("Zörvéx", "Zorvex"),
        ("Smørebrød", "Smorebrod"),
        ('a/b:c*"d"', "a_b_c_d"),
        ("x" * 90, "x" * 60),
        ("con", "con_"),
    ],
)
def test_a_name_is_made_safe_and_the_change_is_said(tmp_path, lora, wanted, name):
    made = publish(lora, tmp_path / "up", name=wanted)
    assert (made.name, made.files[0]) == (name, f"{name}.safetensors")
    assert read_lora_header(tmp_path / "up" / f"{name}.safetensors").metadata["ss_output_name"] == name
    assert "name" in codes(made)


def test_a_name_without_a_letter_that_all_systems_have_is_refused(tmp_path, lora):
    with pytest.raises(InputError, match="Give another with --name"):
        publish(lora, tmp_path / "up", name="日本語")


def test_a_zip_holds_the_same(tmp_path, lora):
    made = publish(lora, tmp_path / "zorvex.zip", pictures=[picture(tmp_path / "a.png")])
    with zipfile.ZipFile(tmp_path / "zorvex.zip") as archive:
        assert tuple(archive.namelist()) == made.files
        assert archive.testzip() is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "zorvex.safetensors", "zorvex.zip"]


def test_a_dry_run_writes_nothing(tmp_path, lora):
    made = publish(lora, tmp_path / "up", dry_run=True)
    assert (made.out, (tmp_path / "up").exists()) == (None, False)


def test_only_what_was_published_before_is_replaced(tmp_path, lora):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(InputError, match="holds something else"):
        publish(lora, tmp_path / "mine", overwrite=True)
    publish(lora, tmp_path / "up")
    with pytest.raises(InputError, match="--overwrite"):
        publish(lora, tmp_path / "up")
    (tmp_path / "up" / "my notes.txt").touch()
    publish(lora, tmp_path / "up", name="second", overwrite=True)
    assert {path.name for path in (tmp_path / "up").iterdir()} == {
        "second.safetensors", "second.json", "README.md", "card.json", "images", "my notes.txt"
    }  # fmt: skip


def test_a_card_that_names_other_files_takes_nothing_away(tmp_path, lora):
    (tmp_path / "up").mkdir()
    (tmp_path / "thesis.txt").touch()
    (tmp_path / "up" / "card.json").write_text('{"files": ["../thesis.txt"]}', encoding="utf-8")
    publish(lora, tmp_path / "up", overwrite=True)
    assert (tmp_path / "thesis.txt").exists()


def test_a_checkpoint_without_metadata_loses_its_number(tmp_path):
    assert publish(write_lora(tmp_path / "cat-000004.safetensors", {}), tmp_path / "up").name == "cat"


def test_what_is_missing_is_said(tmp_path):
    made = publish(write_lora(tmp_path / "a.safetensors"), tmp_path / "up")
    assert {"no_trigger", "no_license", "no_pictures", "not_judged", "no_base_model"} <= codes(made)


@pytest.mark.parametrize("place", ["/home/anna/pictures", "C:\\Users\\anna", "~/loras/x"])
def test_a_place_on_the_machine_in_the_text_keeps_all_from_being_written(tmp_path, lora, place):
    made = publish(lora, tmp_path / "up", description=f"Trained on {place}, see there")
    assert (made.out, (tmp_path / "up").exists()) == (None, False)
    assert "private_path" in codes(made)


@pytest.mark.parametrize("text", ["Use at 0.7/0.8 and/or more", "See https://example.com/zorvex/x", "1/2 of 3:4"])
def test_what_only_looks_like_a_place_is_none(tmp_path, lora, text):
    assert "private_path" not in codes(publish(lora, tmp_path / "up", description=text, dry_run=True))


def test_the_hash_of_nothing_is_corrected(tmp_path):
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    lora = write_lora(tmp_path / "a.safetensors", {"sshs_model_hash": empty})
    assert "hash_of_nothing" in codes(publish(lora, tmp_path / "up"))
    with lora.open("rb") as file:
        assert read_lora_header(tmp_path / "up" / "a.safetensors").metadata["sshs_model_hash"] == model_hash(file)


# -- pictures -------------------------------------------------------------------------------------------------------------


def test_pictures_name_the_file_as_it_is_called_now_and_carry_nothing_else(tmp_path):
    lora = write_lora(tmp_path / "zorvex-000002.safetensors", PRIVATE)
    shown = picture(tmp_path / "a.png", Run="secret run", Epoch="2", Step="9")
    bare = tmp_path / "phone.jpg"
    Image.new("RGB", (8, 8), "blue").save(bare, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0")
    made = publish(lora, tmp_path / "up", pictures=[shown, bare])
    parameters = read_png(tmp_path / "up" / "images" / "1.png")
    assert parameters.request.prompt == "zorvex, beach <lora:zorvex:0.8>"
    assert parameters.lora_hashes == {"zorvex": "aaaabbbbcccc"}
    assert parameters.extra == {}
    (finding,) = [finding for finding in made.findings if finding.code == "publish.no_parameters"]
    assert finding.subjects == ("picture 2",)
    with Image.open(tmp_path / "up" / "images" / "2.png") as second:
        assert (second.info, dict(second.getexif())) == ({}, {})
    settings = json.loads((tmp_path / "up" / "card.json").read_text(encoding="utf-8"))["settings"]
    assert settings == {"sampler": "DDIM", "steps": "12", "CFG scale": "7", "size": "8x8"}


def test_the_card_shows_prompts_as_they_were_typed(tmp_path):
    lora = write_lora(tmp_path / "zorvex.safetensors", PRIVATE)
    typed = "<lora:zorvex:0.8> zorvex \\(series\\), *red* dress,\n(hat:1.2) | `x`"
    publish(lora, tmp_path / "up", pictures=[picture(tmp_path / "a.png", typed)], base_model="owner/base")
    head, text = head_of(tmp_path / "up")
    row = next(line for line in text.splitlines() if line.startswith("| ![](images/1.png)"))
    assert row == r"| ![](images/1.png) | `` <lora:zorvex:0.8> zorvex \(series\), *red* dress, (hat:1.2) \| `x` `` |"
    asked = r"zorvex \(series\), *red* dress, (hat:1.2) | `x`"
    assert head["widget"][0]["text"] == asked
    assert f"pipeline({asked!r})" in text


def test_a_run_sample_names_no_lora_and_gets_it(tmp_path):
    lora = write_lora(tmp_path / "zorvex.safetensors", PRIVATE)
    sample = picture(tmp_path / "a.png", "zorvex, snow", Run="secret run", Epoch="2", Step="9")
    publish(lora, tmp_path / "up", pictures=[sample])
    parameters = read_png(tmp_path / "up" / "images" / "1.png")
    with lora.open("rb") as file:
        assert (parameters.request.prompt, parameters.lora_hashes) == ("zorvex, snow <lora:zorvex:1>", {"zorvex": model_hash(file)[:12]})


@pytest.mark.parametrize("samples", ["null", "[1]", '{"prompts": 5}', '{"prompts": [5, "zorvex, tree"]}'])
def test_settings_of_a_stranger_name_prompts_or_none(tmp_path, samples):
    lora = write_lora(tmp_path / "zorvex.safetensors", PRIVATE | {"lorasmith_settings": f'{{"samples": {samples}}}'})
    assert prompts_for(open_subject(lora)) == (["zorvex, tree"] if "tree" in samples else ["zorvex"] * 4)


def test_pictures_are_generated_with_a_base_where_there_are_none(tmp_path, toy_base, settings_for):
    from lorasmith.jobs.training import start_training

    result = start_training(settings_for(training={"max_train_steps": 1, "epochs": None}), tmp_path / "run")
    made = publish(result.file, tmp_path / "up", base=toy_base, prompts=["zorvex, beach"])
    parameters = read_png(tmp_path / "up" / "images" / "1.png")
    assert (parameters.request.prompt, list(parameters.lora_hashes)) == ("zorvex, beach <lora:toy:1>", ["toy"])
    assert made.files[0] == "toy.safetensors"


# -- a run ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path):
    """A run of two checkpoints, with a sample of each."""
    pictures = tmp_path / "set" / "10_zorvex"
    pictures.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(pictures / "1.png")
    settings = settings_from(
        {
            "name": "zorvex",
            "base": {"path": "base"},
            "datasets": [{"path": str(tmp_path / "set")}],
            "captions": {"trigger": "zorvex"},
            "training": {"epochs": 2},
        }
    )
    folder = RunFolder(tmp_path / "run")
    folder.create(settings)
    log = EventLog(folder.events)
    for epoch, name in ((1, "zorvex-000001"), (2, "zorvex")):
        write_lora(folder.checkpoints / f"{name}.safetensors", PRIVATE, seed=epoch)
        log(events.CheckpointSaved(f"checkpoints/{name}.safetensors", epoch, 10 * epoch, epoch == 2))
        picture(folder.samples / f"{epoch}.png", f"zorvex, epoch {epoch}", Run="zorvex", Epoch=str(epoch), Step=str(10 * epoch))
        log(events.SampleReady(f"samples/{epoch}.png", "zorvex", 1, epoch, 10 * epoch))
    log.close()
    return folder.root


def judge(run, weight=None, **values):
    """Write a proof in which the first checkpoint is the better one; `values` are its measures, where they differ from sound ones."""
    sound = {
        "subject": 0.8,
        "keeps": 1.0,
        "moved": 0.0,
        "leaks": 0.0,
        "narrow": 0.0,
        "stuck": 0.0,
        "near": 0.0,
        "replay": 0.0,
        "gap_shape": 0.0,
    }

    def measured(name, epoch, at, **other):
        numbers = {key: Measure.of({f"p{k}": value + 0.01 * (k % 2) for k in range(12)}) for key, value in (sound | other).items()}
        return CheckpointMeasures(f"checkpoints/{name}.safetensors", epoch, 10 * epoch, at, numbers)

    prompts = PromptSet((Prompt("bare", "zorvex", 5), Prompt("new", "zorvex, moon", 6), Prompt("other", "a cat", 7)), "zorvex", "tags")
    shown = {prompt.name: f"x/{prompt.group}.png" for prompt in prompts.prompts}
    for prompt in prompts.prompts:
        picture(run / PROOF / "x" / f"{prompt.group}.png", f"{prompt.text} <lora:zorvex-000001:1>")
    both = (measured("zorvex-000001", 1, 1.0, **values), measured("zorvex", 2, 1.0, subject=0.1))
    write_record(run / PROOF, ProofRecord("quick", prompts, 1, 0, {}, both, (shown, {})))
    if weight is not None:
        tried = (replace(both[0], weight=weight), measured("zorvex-000001", 1, 1.0, subject=0.2))
        write_record(run / PROOF, ProofRecord("quick", prompts, 1, 0, {}, tried, (shown, {})), WEIGHTS_PROOF)


def test_of_a_run_the_recommended_checkpoint_is_published_with_its_weight(tmp_path, run):
    judge(run, weight=0.8)
    made = publish(run, tmp_path / "up")
    assert (made.source.name, made.name) == ("zorvex-000001.safetensors", "zorvex")
    assert (made.card.weight, made.card.verdict) == (0.8, ("Measured on prompts that it was not trained with: it is good.",))
    assert made.card.prompts == ("zorvex, moon <lora:zorvex:1>", "zorvex <lora:zorvex:1>")
    assert "- weight: 0.8" in head_of(tmp_path / "up")[1]
    assert read_lora_header(tmp_path / "up" / made.files[0]).metadata["lorasmith_weight"] == "0.8"
    assert "not_judged" not in codes(made)


def test_what_is_wrong_with_a_checkpoint_is_on_the_card(tmp_path, run):
    judge(run, keeps=0.3, moved=0.9)
    made = publish(run / "checkpoints" / "zorvex-000001.safetensors", tmp_path / "up")
    assert made.card.verdict == ("Measured: it is over-cooked.", "Pictures of other prompts suffer.")
    assert "not_good" in codes(made)


def test_another_checkpoint_than_the_recommended_one_is_published_where_it_is_named(tmp_path, run):
    judge(run)
    made = publish(run / "checkpoints" / "zorvex.safetensors", tmp_path / "up")
    assert made.source.name == "zorvex.safetensors"
    assert {"not_recommended", "not_good"} <= codes(made)
    assert made.card.prompts == ("zorvex, epoch 2 <lora:zorvex:1>",)


def test_of_a_run_that_nobody_judged_the_last_checkpoint_goes_with_its_samples(tmp_path, run):
    made = publish(run, tmp_path / "up")
    assert (made.source.name, made.card.prompts) == ("zorvex.safetensors", ("zorvex, epoch 2 <lora:zorvex:1>",))
    assert "not_judged" in codes(made)


def test_confirmed_rights_are_on_the_card(tmp_path, run):
    assert "no_rights" in codes(publish(run, tmp_path / "up", dry_run=True))
    confirm(tmp_path / "set", "my own photographs")
    made = publish(run, tmp_path / "up")
    assert "no_rights" not in codes(made)
    assert made.card.rights[0].startswith("The maker has confirmed the rights to 1 image: my own photographs (20")


def test_a_run_without_a_file_is_refused(run, tmp_path):
    for file in Path(run / "checkpoints").iterdir():
        file.unlink()
    with pytest.raises(InputError, match="has no LoRA file yet"):
        publish(run, tmp_path / "up")
