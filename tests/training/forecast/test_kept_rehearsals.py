"""A run is rehearsed again where anything changed that its rehearsal follows from, and only there; what is said is the same either way."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from lorasmith.models.parts import Part
from lorasmith.training.forecast import kept_rehearsals, rehearsal
from lorasmith.training.forecast.kept_rehearsals import key_of, rehearsal_of
from lorasmith.training.forecast.rehearsed import Rehearsal
from lorasmith.training.forecast.report import make_report
from lorasmith.training.planning.check import check
from lorasmith.training.settings.changes import with_changes
from lorasmith.training.settings.toml import settings_toml
from tests.training.forecast.test_estimate import SLOW_MACHINE


@pytest.fixture
def rehearsed(monkeypatch):
    """The runs that were rehearsed, in order."""
    made, rehearse = [], rehearsal.rehearse
    monkeypatch.setattr(rehearsal, "rehearse", lambda run: made.append(run) or rehearse(run))
    return made


SAMPLES = {"prompts": ["{trigger}"], "steps": 1}


@pytest.fixture
def settings(settings_for):
    return settings_for(samples=SAMPLES)


@pytest.fixture(scope="module")
def made(settings_with_cache, tmp_path_factory):
    """The rehearsal of these settings' run."""
    settings = settings_with_cache(tmp_path_factory.mktemp("made"), samples=SAMPLES)
    checked = check(settings)
    return rehearsal_of(settings, checked.description, checked.training_set)


@pytest.fixture
def requested(monkeypatch, made):
    """The runs that are to be rehearsed, in order; each is given that rehearsal, which saves time."""
    runs = []
    monkeypatch.setattr(rehearsal, "rehearse", lambda run: runs.append(run) or replace(made, run=run))
    return runs


@pytest.fixture
def planned(settings, made, monkeypatch):
    """The settings, whose rehearsal is kept."""
    with monkeypatch.context() as patched:
        patched.setattr(rehearsal, "rehearse", lambda run: made)
        checked = check(settings)
        rehearsal_of(settings, checked.description, checked.training_set)
    return settings


def test_a_second_plan_rehearses_nothing_and_says_the_same(settings, rehearsed):
    first, second = (make_report(settings, SLOW_MACHINE).forecast for _ in range(2))
    assert len(rehearsed) == 1
    assert second == first


ANOTHER_PLAN = """
import sys
from lorasmith.training.forecast.report import make_report
from lorasmith.training.settings.toml import load_settings
make_report(load_settings(sys.argv[1]))
print([name for name in ("diffusers", "transformers", "torch._dynamo") if name in sys.modules])
"""


def test_a_plan_in_another_process_imports_no_library_of_models(planned, tmp_path):
    (tmp_path / "run.toml").write_text(settings_toml(planned), encoding="utf-8")
    said = subprocess.run([sys.executable, "-c", ANOTHER_PLAN, tmp_path / "run.toml"], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


def test_what_is_kept_is_all_that_was_found(made):
    assert Rehearsal.of_data(made.run, json.loads(json.dumps(made.as_data))) == made
    assert made.step.products, "what the machine's speed is measured with"


@pytest.mark.parametrize(
    "changes",
    [
        {"network.rank": 3},
        {"network.kind": "loha"},
        {"network.layers": [{"pattern": "*attn2*", "rank": 2}]},
        {"network.train_text_encoder": False},
        {"optimizer.text_encoder_lr": 0.0},
        {"training.batch_size": 1},
        {"training.mixed_precision": "bf16"},
        {"training.gradient_checkpointing": True},
        {"loss.prior_preservation": 1.0},
        {"checkpoints.save_precision": "bf16"},
        {"base.clip_skip": 2},
        {"buckets.resolution": 64, "buckets.max_bucket_reso": 128},
        {"samples.prompts": ["{trigger}", "a dog"]},
        {"samples.width": 64},
        {"samples.cfg_scale": 1.0},
        {"samples.prompts": [], "samples.steps": None},
    ],
    ids=str,
)
def test_a_setting_that_counts_is_rehearsed_anew(planned, requested, changes):
    for settings in (planned, with_changes(planned, changes), planned, with_changes(planned, changes)):
        make_report(settings, SLOW_MACHINE)
    assert len(requested) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"training.epochs": 9},
        {"optimizer.learning_rate": 1e-5},
        {"optimizer.type": "Prodigy", "optimizer.learning_rate": 1.0},
        {"captions.trigger": "plonth"},
        {"base.quantize": "int8"},
        {"training.ema_decay": 0.9},
        {"name": "other"},
    ],
    ids=str,
)
def test_a_setting_that_does_not_count_is_forecast_as_if_nothing_were_kept(planned, rehearsed, changes, tmp_path):
    other = with_changes(planned, changes)
    kept = make_report(other, SLOW_MACHINE).forecast
    assert len(rehearsed) == 0
    anew = make_report(other.model_copy(update={"cache": tmp_path / "another"}), SLOW_MACHINE).forecast
    assert len(rehearsed) == 1
    assert kept.files == anew.files
    assert kept.duration == anew.duration
    without_program = [
        {phase: {name: size for name, size in shares.items() if name != "program"} for phase, shares in forecast.memory.phases.items()}
        for forecast in (kept, anew)
    ]
    assert without_program[0] == without_program[1]


def changed_part(description, name, **settings):
    place = description.parts[name]
    part = Part(place.config.architecture, {**place.config.settings, **settings})
    return replace(description, parts={**description.parts, name: replace(place, config=part)})


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_another_architecture_of_the_base_is_rehearsed_anew(made, part):
    run = made.run
    changed = changed_part(run.description, part, sample_size=123)
    assert key_of(run) != key_of(replace(run, description=changed))
    assert key_of(run) != key_of(replace(run, description=replace(run.description, variant="other")))
    assert key_of(run) != key_of(replace(run, description=replace(run.description, scheduler=("Other", {}))))


def test_other_code_other_libraries_and_other_variables_are_rehearsed_anew(made, monkeypatch):
    run = made.run
    keys = [key_of(run)]
    monkeypatch.setenv("DIFFUSERS_ATTN_BACKEND", "other")
    keys.append(key_of(run))
    monkeypatch.setattr(kept_rehearsals, "versions", lambda: {**dict.fromkeys(kept_rehearsals.LIBRARIES, ""), "torch": "3.0"})
    keys.append(key_of(run))
    monkeypatch.setattr(kept_rehearsals, "source_hash", lambda: "other")
    keys.append(key_of(run))
    assert len({*keys}) == 4


def test_the_source_is_read_to_its_last_byte(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_rehearsals.lorasmith, "__file__", str(tmp_path / "__init__.py"))
    found = set()
    for name, text in (("a.py", "1"), ("a.py", "2"), ("b/c.py", ""), ("b/d.py", "x")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
        found.add(kept_rehearsals.source_hash.__wrapped__())
    assert len(found) == 4


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"parts": 3}'])
def test_what_is_damaged_is_rehearsed_again(planned, requested, content):
    expected = make_report(planned, SLOW_MACHINE).forecast
    (kept,) = (planned.cache / kept_rehearsals.FOLDER).glob("*.json")
    kept.write_bytes(content)
    assert make_report(planned, SLOW_MACHINE).forecast.files == expected.files
    assert len(requested) == 1
    assert len(kept.read_bytes()) > 1000


def test_the_oldest_are_removed(settings, requested, monkeypatch):
    monkeypatch.setattr(kept_rehearsals, "MOST_KEPT", 2)
    for rank in (1, 2, 3, 4):
        make_report(with_changes(settings, {"network.rank": rank}), SLOW_MACHINE)
    assert len(list((settings.cache / kept_rehearsals.FOLDER).iterdir())) == 2


def test_a_cache_that_cannot_be_written_is_done_without(settings, requested, tmp_path):
    (tmp_path / "no folder").write_text("", encoding="utf-8")
    without = settings.model_copy(update={"cache": tmp_path / "no folder"})
    checked = check(settings)
    for _ in range(2):
        rehearsal_of(without, checked.description, checked.training_set)
    assert len(requested) == 2
