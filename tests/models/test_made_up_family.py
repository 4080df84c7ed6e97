"""A family that the package does not know is added by its record alone, and trained, sampled, saved and read like any other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load

from lorasmith.adapters.files.lora_file import load_tensors
from lorasmith.datasets.texts import TextCache
from lorasmith.errors import BaseModelError
from lorasmith.evaluation.sampling.loras import with_lora
from lorasmith.models.families import FAMILIES
from lorasmith.models.open import describe, open_base
from lorasmith.models.parts import Part
from lorasmith.models.sampling import sample
from lorasmith.models.texts import EncodedTexts, TextOptions
from lorasmith.training.forecast.machine import Machine
from lorasmith.training.forecast.report import make_report
from lorasmith.training.learner.text_states import TextStates
from lorasmith.training.run import train
from tests.models.made_up.family import MADE_UP, PARTS, TRANSFORMER
from tests.models.made_up.folder import write_folder
from tests.models.test_detection import FLUX, header_file

CAPTIONS = ["a happy red cat", "the big dog of the beach, sad"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("made-up"))


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(FAMILIES, MADE_UP.name, MADE_UP)


def test_it_is_recognised_and_described(folder):
    described = describe(folder)
    assert (described.family, described.prediction_type, described.denoiser) == ("made-up", "flow", "transformer")
    assert any("distilled to few steps" in note for note in described.notes), "it cannot be seen in the files"
    assert (described.sizes.native, described.sizes.pixel_step) == (64, 16)


def test_a_newer_family_with_the_marks_of_an_older_one_is_recognised_by_its_own(tmp_path, monkeypatch):
    mark = "early_stream_modulations.image.lin.weight"
    file = header_file(tmp_path / "model.safetensors", FLUX | {mark: (4, 4)})
    with pytest.raises(BaseModelError, match="Flux.3"):
        describe(file)
    newer = replace(TRANSFORMER, anchors={mark: "diffusers"})
    forms = {"": replace(MADE_UP.usual, parts=PARTS | {"transformer": Part(newer, {})})}
    monkeypatch.setitem(FAMILIES, "made-up", replace(MADE_UP, variants=forms))
    assert describe(file).family == "made-up"


def test_a_caption_has_the_same_states_alone_and_in_a_batch_and_is_kept_at_its_own_length(folder):
    base = open_base(folder, torch.float32)
    with torch.no_grad():
        both = base.encode_texts(CAPTIONS, TextOptions())
        alone = [base.encode_texts([caption], TextOptions()) for caption in CAPTIONS]
    lengths = [int(one.mask.sum()) for one in alone]
    assert both.states.shape == (2, max(lengths), 2, 16)
    for k, one in enumerate(alone):
        cut = both[k : k + 1]
        assert cut.states.shape[1] == cut.extra["words"].shape[1] == lengths[k]
        torch.testing.assert_close(cut.states, one.states, atol=1e-5, rtol=1e-4)
        assert torch.equal(EncodedTexts.from_tensors(one.tensors()).extra["words"], one.extra["words"])
    joined = EncodedTexts.cat(alone)
    assert torch.equal(joined.mask, both.mask)
    torch.testing.assert_close(joined.states, both.states, atol=1e-5, rtol=1e-4)


def test_padding_changes_no_prediction(folder):
    base = open_base(folder, torch.float32)
    noisy = torch.randn(2, base.latent_channels, 8, 8, generator=torch.Generator().manual_seed(0))
    timesteps = torch.tensor([900.0, 100.0])
    with torch.no_grad():
        texts = base.encode_texts(CAPTIONS, TextOptions())
        together = base.predict(noisy, timesteps, texts)
        apart = [base.predict(noisy[k : k + 1], timesteps[k : k + 1], texts[k : k + 1]) for k in range(2)]
    torch.testing.assert_close(torch.cat(apart), together, atol=1e-5, rtol=1e-4)


def test_the_cache_keeps_each_caption_at_its_own_length(folder, tmp_path):
    base = open_base(folder, torch.float32)
    with torch.no_grad():
        lengths = [base.encode_texts([caption], TextOptions()).states.shape[1] for caption in CAPTIONS]
    kept = TextStates(base, TextOptions(), trained=False, cache=TextCache(tmp_path))
    first = kept(CAPTIONS)
    assert sorted(load(path.read_bytes()[32:])["states"].shape[1] for path in tmp_path.rglob("*.text")) == sorted(lengths)
    again = TextStates(base, TextOptions(), trained=False, cache=TextCache(tmp_path))
    again.free_encoders()
    for name, tensor in again(CAPTIONS).tensors().items():
        assert torch.equal(tensor, first.tensors()[name])


def test_a_run_on_it_can_be_planned(folder, settings_for):
    settings = settings_for(base={"path": str(folder)}, network={"rank": 2}, buckets={"resolution": 64, "bucket_reso_steps": 16})
    report = make_report(settings, Machine(1e9, 1e9, 1e-5))
    assert report.forecast.files.parameters == sum(2 * (rows + columns) for rows, columns in 2 * [*[(32, 32)] * 4, (64, 32), (32, 64)])


def test_a_run_ends_in_a_file_without_alphas_that_draws_as_in_training(folder, settings_for, tmp_path):
    drawn = {"width": 64, "height": 64, "steps": 2, "cfg_scale": 3.0}
    settings = settings_for(
        base={"path": str(folder)}, network={"rank": 2, "alpha": 1.0},
        buckets={"resolution": 64, "min_bucket_reso": 32, "max_bucket_reso": 128, "bucket_reso_steps": 16},
        samples={"prompts": [CAPTIONS[0]], "every_n_epochs": 2, **drawn}, checkpoints={"save_precision": "fp32", "save_every_n_epochs": 2},
        optimizer={"learning_rate": 1e-2},
    )  # fmt: skip
    result = train(settings, tmp_path / "run")

    tensors = load_tensors(result.file).tensors
    assert {key.rpartition(".lora_")[2] for key in tensors} == {"A.weight", "B.weight"}
    assert {key.split(".")[0] for key in tensors} == {"diffusion_model"}
    before, after = (np.asarray(Image.open(path)).astype(int) for path in sorted(Path(result.folder).glob("samples/*.png")))
    assert np.abs(after - before).max() > 2
    base = open_base(folder, torch.float32)
    with with_lora(base, result.file):
        (picture,) = sample(base, [CAPTIONS[0]], [settings.samples.seed], **drawn)
    assert np.abs(np.asarray(picture).astype(int) - after).max() <= 1  # where a sum's order tips a rounding
