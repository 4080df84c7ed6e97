"""The metadata and the hashes in a LoRA file, against what kohya's trainer wrote in real runs."""

import dataclasses
import hashlib
import io
import json
from ast import literal_eval

import pytest
import torch

from lorasmith.adapters.files.hashes import auto_v1, model_hash
from lorasmith.adapters.files.lora_file import load_tensors, save_lora
from lorasmith.adapters.files.metadata import OPTIONS, TrainingFacts, base_model_version, kohya_metadata
from tests.reference import FOLDER, only, reference_cases, reference_json

FILE = "12_metadata_hash.json"

# Field of TrainingFacts -> kohya's key, where the names differ.
NAMES = {
    "batch_size": "ss_batch_size_per_device", "base_model_name": "ss_sd_model_name", "base_model_sha256": "ss_new_sd_model_hash",
    "comment": "ss_training_comment", "title": "modelspec.title", "prediction_type": "modelspec.prediction_type",
    "software": "modelspec.implementation_version",
}  # fmt: skip
# kohya's own version, which is not ours to claim.
NOT_OURS = {"ss_sd_scripts_commit_hash"}


def value_of(text, kind):
    """A value of kohya's metadata as it was before it became a string."""
    if text == "None":
        return None
    if kind == "json":
        return json.loads(text)
    return literal_eval(text) if kind in ("int", "float") or "tuple" in kind or text in ("True", "False") else text


def facts_of(case):
    """What a run of kohya's trainer knew of itself, from what it wrote."""
    values = {key: value_of(text, case["value_kind"][key]) for key, text in case["metadata"].items() if key not in NOT_OURS}
    fields = {field.name: NAMES.get(field.name, f"ss_{field.name}") for field in dataclasses.fields(TrainingFacts)}
    found = {name: values[key] for name, key in fields.items() if key in values}
    width, height = case["metadata"]["modelspec.resolution"].split("x")
    spec = {"author", "description", "license", "tags", "timestep_range"}
    return TrainingFacts(
        **{"batch_size": None} | found | {
            "resolution": (int(width), int(height)),
            "options": {name: values[f"ss_{name}"] for name in OPTIONS if f"ss_{name}" in values},
            "spec": {name: values[f"modelspec.{name}"] for name in spec if f"modelspec.{name}" in values},
        }
    )  # fmt: skip


@pytest.mark.parametrize("case", only(reference_cases(FILE), lambda case: case["id"] != "no_metadata"), ids=lambda case: case["id"])
def test_a_run_is_described_as_kohya_describes_it(case):
    theirs = {key: value for key, value in case["metadata"].items() if key not in NOT_OURS | set(case["volatile_keys"])}
    assert kohya_metadata(facts_of(case)) == theirs


SPECS = {
    "modelspec_sd15": ("sd1", "epsilon"),
    "modelspec_sd15_vpred": ("sd1", "v_prediction"),
    "modelspec_sdxl": ("sdxl", "epsilon"),
    "modelspec_sdxl_vpred": ("sdxl", "v_prediction"),
    "modelspec_flux": ("flux", "flow"),
}


def facts(**changes):
    """A run of which nothing else is of interest."""
    plain = {
        "output_name": "t", "base_model_version": "sd_v1", "network_dim": 4, "network_alpha": 1, "resolution": (512, 512),
        "learning_rate": 1e-4, "unet_lr": None, "text_encoder_lr": None, "optimizer": "x", "lr_scheduler": "constant",
        "num_train_images": 1, "num_epochs": 1, "epoch": 1, "max_train_steps": 1, "steps": 1, "seed": 1, "mixed_precision": "no",
    }  # fmt: skip
    return TrainingFacts(**plain | changes)


@pytest.mark.parametrize(("entry", "base"), SPECS.items(), ids=SPECS)
def test_every_family_is_described_as_kohya_describes_it(entry, base):
    theirs = reference_json(FILE)["other_architectures"][entry]
    family, predicts = base
    width, height = theirs["modelspec.resolution"].split("x")
    ours = kohya_metadata(
        facts(
            base_model_version=base_model_version(family, predicts),
            prediction_type={"epsilon": "epsilon", "v_prediction": "v", "flow": None}[predicts],
            resolution=(int(width), int(height)),
            clip_skip=2,
            spec={name: theirs[f"modelspec.{name}"] for name in ("description", "author", "license", "tags", "timestep_range")},
            software="sd-scripts/unknown",
        )
    )
    ours = {key: value for key, value in ours.items() if key.startswith("modelspec.")}
    assert ours == {key: value for key, value in theirs.items() if key != "modelspec.date"}


def test_the_families_have_kohyas_version_names():
    theirs = reference_json(FILE)["other_architectures"]["ss_base_model_version_values"]
    bases = {"sd1": ("sd1", "epsilon"), "sd1_vpred": ("sd1", "v_prediction"), "sd2": ("sd2", "epsilon"),
             "sd2_vpred": ("sd2", "v_prediction"), "sdxl": ("sdxl", "epsilon"), "flux": ("flux", "flow")}  # fmt: skip
    assert {name: base_model_version(*base) for name, base in bases.items()} == theirs


def test_what_flux_tells_besides_has_kohyas_names():
    theirs = reference_json(FILE)["other_architectures"]["flux_update_metadata"]
    ours = kohya_metadata(
        facts(base_model_version="flux1", prediction_type=None, options={key.removeprefix("ss_"): value for key, value in theirs.items()})
    )
    assert ours.items() >= theirs.items()


# ---- hashes


def described_file(record):
    """The bytes of one of the reference's files: as a file, or by its recipe."""
    if "file" in record:
        return (FOLDER / record["file"]).read_bytes()
    header = record["recipe"]["header_utf8"].encode()
    payload = bytes((k * 7 + (k >> 8) * 13 + (k >> 16)) & 255 for k in range(record["recipe"]["payload_length"]))
    return len(header).to_bytes(8, "little") + header + payload


@pytest.mark.parametrize("record", only(reference_cases(FILE, "hashes"), lambda record: "tensors" not in record), ids=lambda r: r["id"])
def test_hashes_of_files_are_those_that_the_uis_and_civitai_know(record):
    content = described_file(record)
    assert hashlib.sha256(content).hexdigest() == record["sha256"]
    assert hashlib.sha256(content).hexdigest()[:10] == record["AutoV2"]
    assert model_hash(io.BytesIO(content)) == record["addnet_sha256_full"]
    assert model_hash(io.BytesIO(content))[:12] == record["AutoV3"]
    assert auto_v1(io.BytesIO(content)) == record["AutoV1"]


@pytest.mark.parametrize("record", only(reference_cases(FILE, "hashes"), lambda record: "tensors" in record), ids=lambda r: r["id"])
def test_a_saved_file_carries_the_hashes_that_kohya_would_write(record, tmp_path):
    tensors = {
        "b.lora_up.weight": (torch.arange(150000) % 977) / 977,
        "a.lora_down.weight": (torch.arange(180000) % 311) / 311,
        "a.alpha": torch.tensor(1.0),
    }
    save_lora(tmp_path / "x.safetensors", tensors, record["metadata"], torch.float32)
    written = load_tensors(tmp_path / "x.safetensors").metadata
    assert {key: written[key] for key in ("sshs_model_hash", "sshs_legacy_hash")} == {
        key: record[key] for key in ("sshs_model_hash", "sshs_legacy_hash")
    }
