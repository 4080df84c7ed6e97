"""What is private in the metadata of any trainer goes, and what tools read stays."""

import base64
import io
import json

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from lorasmith.library.privacy import PRIVATE, private_entries, without_private

MARKS = ("anna", "Anna", "ANNA", "geheim", "hf_abcdefghijklmnopqrst")


def said(metadata):
    """All that is left, in one text."""
    return json.dumps(without_private(metadata))


@pytest.mark.parametrize(
    "text",
    [
        "/home/anna/pics", "/home/anna/pics/cat one.png", "C:\\Users\\Anna Smith\\pics\\cat one.png", "c:/users/anna/x", "\\\\NAS\\anna\\pics",
        "~/anna/pics", "~anna/x", "../anna/pics", "./anna", "..\\anna\\x", "$HOME/anna", "${HOME}/anna", "%USERPROFILE%\\anna", "file:///home/anna/a b",
        "data/10_anna/1.png", "data\\10_anna\\1.txt", "anna_01.png", "anna.toml", "/anna",
        "trained on /home/anna/pics, with care", "log in 'C:\\Users\\Anna Smith\\log.txt' (see ../anna/x)", "--train_data_dir=/data/anna/img --seed 1",
        '{"a": [{"image_dir": "anna"}, "/home/anna/x"], "/home/anna/y": 1}', '{"a": "{\\"path\\": \\"10_anna\\"}"}', '["/home/anna"]',
        '{"args": ["--data", "/home/anna/a b/c"], "user": "anna", "hostname": "ANNA-PC"}', '{"concepts": [{"path": "anna", "include": true}]}',
        '{"hub_token": "geheim"}', "hf_abcdefghijklmnopqrst", "a\n/home/anna/x\nb", '{"cut short": "/home/anna/x',
    ],
)  # fmt: skip
def test_paths_and_names_are_taken_out_wherever_they_are(text):
    left = said({"some_entry": text})
    assert not any(mark in left for mark in MARKS)
    assert private_entries({"some_entry": text}) == ["some_entry"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ss_tag_frequency", '{"10_anna": {"cat": 3}}'), ("ss_dataset_dirs", '{"10_anna": {"n_repeats": 10}}'), ("ss_reg_dataset_dirs", '{"anna": {}}'),
        ("ss_session_id", "1234"), ("ss_training_comment", "made on ANNA-PC"), ("hostname", "anna-pc"), ("wandb_api_key", "geheim"), ("username", "anna"),
    ],
)  # fmt: skip
def test_entries_that_are_private_as_a_whole_are_left_out(key, value):
    assert without_private({key: value, "ss_seed": "1"}) == {"ss_seed": "1"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ss_sd_model_name", "anime.safetensors"), ("ss_sd_model_name", "runwayml/stable-diffusion-v1-5"), ("modelspec.architecture", "stable-diffusion-v1/lora"),
        ("modelspec.implementation", "https://github.com/Stability-AI/generative-models"), ("modelspec.implementation_version", "lorasmith/0.3"),
        ("ss_optimizer", "torch.optim.adamw.AdamW(weight_decay=0.1,betas=(0.9, 0.99))"), ("ss_network_args", '{"algo": "lokr", "conv_dim": "4"}'),
        ("ss_bucket_info", '{"buckets": {"0": {"resolution": [512, 640], "count": 3}}}'), ("ss_learning_rate", "1e-04"), ("ss_resolution", "(512, 512)"),
        ("modelspec.thumbnail", "data:image/jpeg;base64,/9j/4AAQ+/home/anna/Skd=="), ("modelspec.description", "For photos and/or paintings, 1/2 of them; see https://a.b/c/d.png"),
        ("modelspec.trigger_phrase", "anna cat, :/ , o/"), ("modelspec.date", "2024-01-02T03:04:05"), ("modelspec.license", "CC-BY-4.0"), ("x", ""), ("x", "{not json"),
    ],
)  # fmt: skip
def test_what_tools_read_stays_as_it_is(key, value):
    assert without_private({key: value}) == {key: value}


def test_of_a_path_to_weights_the_file_name_stays():
    for path in ("/home/anna/models/anime.safetensors", "C:\\Users\\anna\\anime.safetensors", "models/anime.safetensors"):
        assert without_private({"ss_sd_model_name": path}) == {"ss_sd_model_name": "anime.safetensors"}
    assert without_private({"x": "base /home/anna/anime.ckpt, 3 epochs"}) == {"x": "base anime.ckpt, 3 epochs"}


def test_our_own_settings_stay_settings():
    settings = {"base": {"path": "anime.safetensors"}, "datasets": [{"path": "10_anna", "repeats": 3}], "captions": {"trigger": "anna"}}
    left = json.loads(without_private({"lorasmith_settings": json.dumps(settings)})["lorasmith_settings"])
    assert left == {**settings, "datasets": [{"path": PRIVATE, "repeats": 3}]}


def test_sd_scripts_datasets_keep_their_numbers():
    dataset = {
        "resolution": [512, 512],
        "tag_frequency": {"10_anna": {"cat": 1}},
        "subsets": [{"image_dir": "10_anna", "num_repeats": 10, "class_tokens": "anna girl"}],
    }
    left = json.loads(without_private({"ss_datasets": json.dumps([dataset])})["ss_datasets"])
    assert left == [{"resolution": [512, 512], "subsets": [{"image_dir": PRIVATE, "num_repeats": 10, "class_tokens": PRIVATE}]}]


def test_taking_out_twice_changes_nothing_more():
    metadata = {"a": "/home/anna/x", "b": '{"path": "anna"}', "c": "see ../anna/x.png"}
    once = without_private(metadata)
    assert without_private(once) == once
    assert private_entries(once) == []


@pytest.mark.parametrize(
    "text", ["[" * 500_000, "/a" * 200_000, "+a/" * 100_000, "C:\\" + "a " * 100_000, "a+" * 100_000 + "/x.png", '{"a":' * 50_000]
)
def test_hostile_text_ends_soon(text):
    without_private({"x": text})


def thumbnail(kind, **beside):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, kind, **beside)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def test_a_thumbnail_keeps_its_pixels_and_nothing_beside_them():
    """Trainers put the file of a picture in as it is."""
    text = PngInfo()
    text.add_text("workflow", r'{"image": "C:\\Users\\anna\\face.png"}')
    place = Image.Exif()
    place[0x010E] = "anna at home"
    for odd in (thumbnail("PNG", pnginfo=text), thumbnail("JPEG", exif=place), thumbnail("WEBP", exif=place)):
        clean = without_private({"modelspec.thumbnail": odd})["modelspec.thumbnail"]
        raw = base64.b64decode(clean.partition(",")[2])
        assert b"anna" not in raw
        with Image.open(io.BytesIO(raw)) as picture:
            assert (picture.size, picture.convert("RGB").getpixel((4, 4))[0] > 250) == ((8, 8), True)
        assert private_entries({"modelspec.thumbnail": odd}) == ["modelspec.thumbnail"]
    for kept in (thumbnail("PNG"), thumbnail("JPEG", dpi=(72, 72)), "data:image/png;base64,AAAA", "data:image/png;base64,?"):
        assert without_private({"modelspec.thumbnail": kept}) == {"modelspec.thumbnail": kept}
