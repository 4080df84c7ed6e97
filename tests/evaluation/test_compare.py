"""Runs beside each other: what was set otherwise, and which is better beyond the noise of the pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lorasmith.cli.main import app
from lorasmith.errors import InputError
from lorasmith.evaluation.compare import compare
from lorasmith.evaluation.measures.measured import CheckpointMeasures, Measure
from lorasmith.evaluation.prompts import Prompt, PromptSet
from lorasmith.evaluation.proof.record import PROOF, ProofRecord, write_record
from lorasmith.training.run import train

PROMPTS = PromptSet(tuple(Prompt("new", f"zorvex, place {k}", k) for k in range(8)), "zorvex", "tags")


@pytest.fixture
def two_runs(settings_for, tmp_path):
    """Two short runs that differ in rate and batch size."""
    folders = []
    for name, rate, batch in (("slow", 1e-4, 1), ("fast", 1e-3, 2)):
        settings = settings_for(training={"epochs": 1, "batch_size": batch}, optimizer={"learning_rate": rate})
        train(settings, tmp_path / name)
        folders.append(tmp_path / name)
    return folders


def proven(run: Path, subject: float, prompts: PromptSet = PROMPTS, turn: int = 1) -> None:
    """Leave a proof in a run's folder in which its pictures have come so far."""
    items = {prompt.name: subject + 0.02 * (turn * k % 3) for k, prompt in enumerate(prompts.prompts)}
    measures = {
        "subject": Measure.of(items),
        "keeps": Measure.of({"a": 0.99, "b": 1.0, "c": 1.01}),
        "narrow": Measure.of({"a": 0.0, "b": 0.01}),
    }
    measured = CheckpointMeasures("checkpoints/toy.safetensors", 1, 5, 1.0, measures)
    write_record(run / PROOF, ProofRecord("quick", prompts, 5, 0, {}, (measured,), ({PROMPTS.prompts[0].name: "a.png"},)))


def test_settings_that_differ_are_listed_and_no_folder_of_this_machine(two_runs, tmp_path):
    comparison = compare(two_runs)

    assert {one.setting: one.values for one in comparison.differences} == {
        "training.batch_size": (1, 2),
        "optimizer.learning_rate": (1e-4, 1e-3),
    }
    # Images seen: all five in both, in five steps of one, and in three of two, of which the last ones of the two buckets are short.
    assert [run.losses[-1][0] for run in comparison.runs] == [5, 5]
    assert [run["images_seen"] for run in comparison.as_data()["runs"]] == [5, 5]
    assert comparison.comparable is not None
    assert "not proven" in comparison.sentences[0]
    assert str(tmp_path) not in json.dumps(comparison.as_data())


def test_the_better_run_is_named_only_beyond_the_noise(two_runs):
    slow, fast = two_runs
    proven(slow, 0.5)
    proven(fast, 0.9)
    assert compare(two_runs).sentences[0].startswith("fast (epoch 1) is better than slow (epoch 1)")

    proven(fast, 0.505, turn=2)  # other prompts are the hard ones
    assert compare(two_runs).sentences == ("fast (epoch 1) and slow (epoch 1) cannot be told apart.",)


def test_runs_in_folders_of_one_name_are_told_apart(two_runs, tmp_path):
    folders = [tmp_path / project / "runs" / "first" for project in ("anna", "bert")]
    for run, folder, subject in zip(two_runs, folders, (0.5, 0.9), strict=True):
        folder.parent.mkdir(parents=True)
        run.rename(folder)
        proven(folder, subject)
    assert [run.name for run in compare(folders).runs] == ["anna/runs/first", "bert/runs/first"]
    assert compare(folders).sentences[0].startswith("bert/runs/first (epoch 1) is better than anna/runs/first (epoch 1)")
    assert [run.name for run in compare([folders[0], folders[0]]).runs] == ["first", "first"]


def test_runs_that_were_proven_with_other_prompts_are_no_comparison(two_runs):
    slow, fast = two_runs
    proven(slow, 0.5)
    other = replace(PROMPTS, prompts=tuple(replace(prompt, text=f"other {k}") for k, prompt in enumerate(PROMPTS.prompts)))
    proven(fast, 0.9, other)

    assert "other prompts" in compare(two_runs).sentences[0]


def test_runs_on_different_bases_are_no_comparison(two_runs):
    for run in two_runs:
        proven(run, 0.8)
    file = two_runs[1] / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["inputs"]["base"]["unet"] = "another"
    file.write_text(json.dumps(manifest))

    assert compare(two_runs).sentences == (
        "The runs were trained on different bases, and each was measured by its own: their numbers are no comparison.",
    )


def test_the_command_writes_a_page(two_runs, tmp_path):
    for run in two_runs:
        proven(run, 0.8)
    page = tmp_path / "compare.html"
    result = CliRunner().invoke(app, ["compare", *map(str, two_runs), "--html", str(page)])

    assert result.exit_code == 0, result.output
    assert "optimizer.learning_rate" in result.output
    assert "Loss over images seen" in page.read_text()
    assert str(tmp_path) not in page.read_text()


def test_one_run_is_no_comparison(two_runs):
    with pytest.raises(InputError, match="two runs"):
        compare(two_runs[:1])
