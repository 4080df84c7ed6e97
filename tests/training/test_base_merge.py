"""LoRAs that are merged into the frozen base while it trains, and taken away again for samples."""

import numpy as np
import pytest
import torch
from PIL import Image

from lorasmith.adapters.attach import attach
from lorasmith.adapters.base_weights import empty_base
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.key_style import in_style_of
from lorasmith.adapters.files.lora_file import save_lora
from lorasmith.adapters.tools.merged_base import check_removable, with_merged, without_merged
from lorasmith.errors import AdapterError, RunError, SettingsError
from lorasmith.evaluation.sampling.loras import with_lora
from lorasmith.models.open import describe, load_base
from lorasmith.models.sampling import initial_latents
from lorasmith.models.texts import TextOptions
from lorasmith.training.forecast.report import make_report
from lorasmith.training.planning.lints.base import distilled_base
from lorasmith.training.run import resume, train
from lorasmith.training.settings.places import places
from lorasmith.training.settings.tree import settings_from
from tests.models import toys

FAMILY = "zimage"


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    """A LoRA on every layer of the toy's transformer that one may train, as strong as a base's own weights."""
    return written(tmp_path_factory.mktemp("adapter") / "adapter.safetensors", "transformer")


def written(path, part, family=FAMILY, seed=1):
    base = empty_base(describe(toys.toy_folder(family)))
    shapes = keys.weight_shapes(family, {part: base.parts[part]})
    generator, tensors = torch.Generator().manual_seed(seed), {}
    for name, (rows, width) in shapes.items():
        tensors[f"{name}.lora_down.weight"] = torch.randn(2, width, generator=generator) * 0.2
        tensors[f"{name}.lora_up.weight"] = torch.randn(rows, 2, generator=generator) * 0.2
        tensors[f"{name}.alpha"] = torch.tensor(2.0)
    save_lora(path, *in_style_of(family, tensors, {}), torch.float32)
    return path


def answer(base):
    texts = base.encode_texts(["a happy red cat", "dog"], TextOptions())
    return base.predict(initial_latents(base, [1, 2], toys.PICTURE, toys.PICTURE), torch.tensor([100.0, 700.0]), texts)


def opened(adapter=None, strength=1.0, quantize="none"):
    described = describe(toys.toy_folder(FAMILY))
    return load_base(with_merged(described, [(adapter, strength)] if adapter else []), torch.float32, "cpu", quantize)


@torch.no_grad()
def test_a_merged_base_predicts_as_one_with_the_lora_on_it(adapter):
    plain = opened()
    with with_lora(plain, adapter, 0.5):
        expected = answer(plain)
    merged = opened(adapter, 0.5)
    assert (expected - answer(plain)).abs().max() > 0.01
    torch.testing.assert_close(answer(merged), expected, atol=1e-4, rtol=1e-4)
    assert merged.fingerprints["transformer"] != plain.fingerprints["transformer"]
    assert merged.fingerprints["text_encoder"] == plain.fingerprints["text_encoder"], "cached captions stay"


@torch.no_grad()
@pytest.mark.parametrize("quantize", ["none", "int8"])
def test_it_is_taken_away_again_under_a_network_that_trains(adapter, quantize):
    """It is merged before quantising, so that what is left is what quantising loses."""
    plain, merged = opened(), opened(adapter, quantize=quantize)
    for base in (plain, merged):
        targets = keys.targets(FAMILY, "transformer", base.parts["transformer"])
        network = attach(base.parts["transformer"], targets, 2, 2.0, seed=1)
        for parameter in network.parameters():
            parameter.normal_(0, 0.05, generator=torch.Generator().manual_seed(3))
    expected, with_it = answer(plain), answer(merged)
    with without_merged(merged, [(adapter, 1.0)]):
        found = answer(merged)
    size = (with_it - expected).norm()
    assert (found - expected).norm() < (0.1 if quantize == "int8" else 1e-4) * size
    assert torch.equal(answer(merged), with_it), "as before outside the block"


def run_settings(settings_for, adapter, **changed):
    return settings_for(
        base={"path": str(toys.toy_folder(FAMILY)), "merge": [{"path": str(adapter), **changed}]}, network={"rank": 2},
        buckets={"resolution": toys.PICTURE, "min_bucket_reso": 32, "max_bucket_reso": 128, "bucket_reso_steps": 32},
        samples={"prompts": ["a red cat"], "every_n_epochs": 2, "width": 64, "height": 64, "steps": 2, "cfg_scale": 1.0},
        checkpoints={"save_precision": "fp32", "save_every_n_epochs": 2}, optimizer={"learning_rate": 1e-2},
    )  # fmt: skip


def first_sample(result):
    return np.asarray(Image.open(min(result.folder.glob("samples/*.png")))).astype(int)


def test_a_run_trains_with_it_and_draws_without_unless_it_stays(settings_for, adapter, tmp_path):
    left_out = train(run_settings(settings_for, adapter), tmp_path / "left-out")
    stays = train(run_settings(settings_for, adapter, in_samples=True), tmp_path / "stays")
    none = train(run_settings(settings_for, adapter, strength=0.0), tmp_path / "none")
    plain = first_sample(none)
    assert np.abs(first_sample(left_out) - plain).max() <= 1
    assert np.abs(first_sample(stays) - plain).max() > 2
    assert left_out.file.read_bytes()[-1000:] == stays.file.read_bytes()[-1000:] != none.file.read_bytes()[-1000:]


def test_another_adapter_is_another_base_to_a_run_that_goes_on(settings_for, adapter, tmp_path):
    own = tmp_path / "adapter.safetensors"
    own.write_bytes(adapter.read_bytes())
    settings = run_settings(settings_for, own)
    result = train(settings, tmp_path / "run")
    assert places(settings)["base.merge.0.path"] == own
    assert resume(result.folder, changes={"training.epochs": 3}).step > result.step
    written(own, "transformer", seed=2)
    with pytest.raises(RunError, match="base"):
        resume(result.folder, changes={"training.epochs": 4})


def test_what_cannot_be_taken_away_is_refused_before_the_run(settings_for, tmp_path):
    text = written(tmp_path / "text.safetensors", "text_encoder", "sd1")
    with pytest.raises(AdapterError, match="changes a text encoder.*Set in_samples"):
        check_removable("sd1", text)
    with pytest.raises(AdapterError):
        train(run_settings(settings_for, text), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_plan_names_an_adapter_that_is_not_there_or_not_for_the_base(settings_for, adapter, tmp_path):
    with pytest.raises(SettingsError, match=r"There is no LoRA .*gone.safetensors to merge") as missing:
        make_report(run_settings(settings_for, tmp_path / "gone.safetensors"), estimate=False)
    assert missing.value.values["setting"] == "base.merge.0.path"
    another = written(tmp_path / "another.safetensors", "transformer", "klein")
    for in_samples in (False, True):
        with pytest.raises(AdapterError, match=r"another.safetensors: .*another model") as unfit:
            make_report(run_settings(settings_for, another, in_samples=in_samples), estimate=True)
        assert unfit.value.values["setting"] == "base.merge.0.path"


def test_a_distilled_base_without_a_training_adapter_is_reported(adapter):
    def found(distilled, **base):
        settings = settings_from({"base": {"path": "base", **base}, "datasets": [{"path": "."}], "training": {"epochs": 1}})
        facts = type("Run", (), {"base": type("Base", (), {"distilled": distilled}), "settings": settings})
        return [finding.code for finding in distilled_base(facts)]

    assert found(True) == ["lint.distilled_base"]
    assert found(False) == found(True, merge=[{"path": str(adapter)}]) == []
