"""LoRAs that prompts call by name, switched on one opened base; and pictures that can be generated again."""

import pytest

from lorasmith.errors import AdapterError, SettingsError
from lorasmith.evaluation.sampling import loras
from lorasmith.evaluation.sampling.again import differences
from lorasmith.evaluation.sampling.lora_folder import LoraFolder
from lorasmith.evaluation.sampling.loras import LoraUse
from lorasmith.evaluation.sampling.sample import sample
from lorasmith.evaluation.sampling.session import SamplingSession
from lorasmith.models.prompts.parameters import read_png
from lorasmith.models.prompts.request import PictureRequest


def pixels(session, request, given=()):
    ((_, made),) = session.generate([session.drawing(request, given)])
    return made.picture.tobytes()


@pytest.fixture
def folder(lora, tmp_path):
    """loras/zorvex, loras/mimi for the denoiser alone, and two called twin."""
    root = tmp_path / "loras"
    lora(1, root / "zorvex.safetensors")
    lora(2, root / "mimi.safetensors", train_text_encoder=False)
    lora(3, root / "a" / "twin.safetensors")
    lora(4, root / "b" / "twin.safetensors")
    return root


def test_loras_called_in_a_prompt_are_those_given_beside_it(base, folder):
    (called,) = sample(base, "red cat <lora:zorvex:0.7> <lora:mimi:0.4>", lora_folder=folder, steps=2)
    (given,) = sample(base, "red cat", lora=[(folder / "zorvex.safetensors", 0.7), (folder / "mimi.safetensors", 0.4)], steps=2)
    assert called.tobytes() == given.tobytes() != sample(base, "red cat", steps=2)[0].tobytes()


def test_text_encoder_and_denoiser_have_their_own_strengths(base, folder):
    session = SamplingSession(base, LoraFolder(folder))
    drawn = {
        form: pixels(session, PictureRequest(f"red cat <lora:{form}>", steps=2))
        for form in ("zorvex:0:1", "zorvex:1:0", "zorvex:0:0", "zorvex")
    }
    assert len(set(drawn.values())) == 4
    assert drawn["zorvex:0:0"] == pixels(session, PictureRequest("red cat", steps=2))
    assert pixels(session, PictureRequest("red cat <lora:mimi:0:1>", steps=2)) == pixels(
        session, PictureRequest("red cat <lora:mimi:1>", steps=2)
    )


def test_names_are_looked_up_as_in_a1111(folder):
    loras = LoraFolder(folder)
    assert loras.find("zorvex") == folder / "zorvex.safetensors"
    assert loras.find("a/twin") == folder / "a" / "twin.safetensors"
    assert loras.find("out-2") == folder / "mimi.safetensors", "by the name that the trainer wrote into the file"
    for name, code, words in (
        ("zorvx", "lora.not_in_folder", "did you mean 'zorvex'"),
        ("twin", "lora.ambiguous", "Write a/twin or b/twin"),
    ):
        with pytest.raises(AdapterError, match=words) as caught:
            loras.find(name)
        assert caught.value.code == code
    (folder / "twin.safetensors").write_bytes((folder / "zorvex.safetensors").read_bytes())
    assert LoraFolder(folder).find("twin") == folder / "twin.safetensors", "others below are called with their folders"
    with pytest.raises(AdapterError, match="--lora-folder"):
        LoraFolder(None).find("zorvex")


def test_files_are_read_once_and_prompts_encoded_once_for_each_text_encoder(base, folder, monkeypatch):
    read, encoded = [], []
    monkeypatch.setattr(loras, "load_tensors", lambda path, load=loras.load_tensors: (read.append(path.stem), load(path))[1])
    monkeypatch.setattr(
        base, "encode_texts", lambda texts, options, encode=base.encode_texts: (encoded.extend(texts), encode(texts, options))[1]
    )
    session = SamplingSession(base, LoraFolder(folder))
    asked = [f"red cat <lora:mimi:{weight}>" for weight in (0.2, 0.6, 1)] + ["red cat <lora:zorvex:0.5:1>", "red cat <lora:zorvex:0.5:0.2>"]
    drawings = [session.drawing(PictureRequest(prompt, "dog", steps=1)) for prompt in asked]
    assert len({made.picture.tobytes() for _, made in session.generate(drawings)}) == 5
    assert sorted(read) == ["mimi", "zorvex"]
    assert sorted(encoded) == ["dog", "dog", "red cat", "red cat"], "without a change of the text encoder, and at zorvex' 0.5"


def test_strengths_of_a_prompt_line_are_for_the_loras_given(base, folder):
    session, given = SamplingSession(base), [LoraUse.of(folder / "zorvex.safetensors")]
    assert session.drawing(PictureRequest("a", strengths=(0.4,)), given).written == "a <lora:zorvex:0.4>"
    with pytest.raises(SettingsError, match="2 strengths"):
        session.drawing(PictureRequest("a", strengths=(0.4, 1)), given)


def test_a_picture_is_generated_again_from_its_png(base, folder, tmp_path):
    session = SamplingSession(base, LoraFolder(folder))
    drawing = session.drawing(
        PictureRequest("red (cat:1.2)", "dog", 3, sampler="euler_a", steps=3), [LoraUse(folder / "zorvex.safetensors", 0.5, 0.75)]
    )
    ((_, made),) = session.generate([drawing])
    made.save(tmp_path / "made.png")
    found = read_png(tmp_path / "made.png")
    assert found.request.prompt == "red (cat:1.2) <lora:zorvex:0.5:0.75>"
    assert found.lora_hashes.keys() == {"zorvex"}
    again = session.drawing(found.request)
    assert differences(found, session.parameters(again)) == []
    assert pixels(session, found.request) == made.picture.tobytes()


def test_what_keeps_a_picture_from_coming_back_is_named(base, folder, lora, tmp_path):
    session = SamplingSession(base, LoraFolder(folder))
    then = session.parameters(session.drawing(PictureRequest("a <lora:zorvex:1>")))
    lora(9, folder / "zorvex.safetensors")
    changed = session.parameters(session.drawing(PictureRequest("a <lora:zorvex:1>")))
    assert [finding.code for finding in differences(then, changed)] == ["sample.other_lora"]
