"""A run, or anybody's LoRA file, gets a verdict: with real pictures of a toy base, kept, and gone on with after a stop."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import save_file
from typer.testing import CliRunner

from lorasmith.adapters.files.lora_file import load_tensors
from lorasmith.cli.main import app
from lorasmith.errors import InputError
from lorasmith.evaluation.copies import Originals
from lorasmith.evaluation.measures.measured import Measure
from lorasmith.evaluation.proof.record import PROOF, WEIGHTS_PROOF, read_record, write_record
from lorasmith.evaluation.prove import prove, prove_file
from lorasmith.evaluation.proven import proven_in
from lorasmith.evaluation.report import write_report
from lorasmith.evaluation.run_record import read_run
from lorasmith.evaluation.sampling.session import SamplingSession
from lorasmith.evaluation.verdict.wording import CANNOT_TELL
from lorasmith.evaluation.verdict_page import proof_page, proof_sections
from lorasmith.images.read import content_hash
from lorasmith.jobs.enqueue import checked
from lorasmith.pages.content import Figures
from lorasmith.pages.markup import escape
from lorasmith.pages.render import page_html
from tests.evaluation.conftest import trained_with_hold_out
from tests.evaluation.test_copies import as_manifest, as_shard

pytestmark = pytest.mark.usefixtures("tiny_effort")

SAMPLES = {"prompts": ["{trigger}"], "steps": 1, "cfg_scale": 1.0}


@pytest.fixture(scope="module")
def trained(toy_base, creatures, tmp_path_factory):
    """A run of two epochs, each with its checkpoint; two of its pictures are held out."""
    return trained_with_hold_out(toy_base, creatures, tmp_path_factory.mktemp("proof"), samples=SAMPLES)


@pytest.fixture
def run(trained, tmp_path):
    """A copy of that run, which was not proven yet."""
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture
def generated(monkeypatch):
    """How many pictures are generated, call by call."""
    counts = []
    generate = SamplingSession.generate

    def counted(session, drawings):
        counts.append(len(drawings))
        return generate(session, drawings)

    monkeypatch.setattr(SamplingSession, "generate", counted)
    return counts


def test_a_run_is_proven_once_and_its_report_shows_the_verdict(run, generated):
    seen = []
    proven = prove(run, effort="tiny", progress=lambda done, total: seen.append((done, total)))

    assert proven.complete
    assert [one.name for one in proven.verdict.checkpoints] == ["epoch 1", "epoch 2"]
    # A base of random weights recognises nothing, so that `keeps` has no ruler, and the verdict says that it cannot tell.
    assert {"subject", "replay", "gap_shape"} <= set(proven.verdict.checkpoints[0].measured.measures)
    assert all(done <= total for done, total in seen)
    assert proven.verdict.sentences[0] == CANNOT_TELL
    kept = json.loads((run / "proof" / "verdict.json").read_text())
    assert kept["sentences"] == list(proven.verdict.sentences)
    page = write_report(run).read_text()
    assert "Is it good?" in page
    assert proven.verdict.sentences[0] in page
    assert str(run.parent) not in page

    before = sum(generated)
    again = prove(run, effort="tiny")
    assert sum(generated) == before
    assert again.verdict.sentences == proven.verdict.sentences
    shown = proven_in(run)
    assert shown is not None
    assert shown.verdict.sentences == proven.verdict.sentences


def test_a_proof_that_was_stopped_says_so_and_goes_on_where_it_was(run, generated):
    stopped = prove(run, effort="tiny", weights=(), cancelled=lambda: sum(generated) >= 14)
    drawn = sum(generated)
    whole = prove(run, effort="tiny", weights=())

    assert not stopped.complete
    assert whole.complete
    assert drawn > 0
    assert sum(generated) == 3 * len(proven_in(run).record.prompts.prompts)  # the base and two checkpoints, nothing twice


def test_a_proof_that_was_stopped_before_anything_was_measured_says_so_and_goes_on(run):
    stopped = prove(run, effort="tiny", weights=(), cancelled=lambda: True)
    assert (stopped.complete, stopped.copies, stopped.verdict.checkpoints, stopped.verdict.recommended) == (False, [], (), None)
    assert stopped.as_data()["sentences"] == [CANNOT_TELL]


def test_a_lora_file_is_proven_with_its_base_and_images(run, toy_base, tmp_path):
    (file, *_) = sorted((run / "checkpoints").glob("*.safetensors"))
    pictures = run.parent / "pictures"
    shutil.copytree(read_run(run).settings.datasets[0].path, pictures)
    shutil.rmtree(pictures / "holdout")

    result = CliRunner().invoke(
        app,
        [
            "prove",
            str(file),
            "--base",
            str(toy_base),
            "--images",
            str(pictures),
            "--effort",
            "tiny",
            "--out",
            str(tmp_path / "out"),
            "--json",
        ],
    )

    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["complete"]
    assert data["checkpoints"][0]["name"] == file.name
    # Nothing was held out: what needs it is not told.
    assert "gap_shape" not in data["checkpoints"][0]["measures"]
    assert data["checkpoints"][0]["labels"]["memorised"] is not True


@pytest.mark.parametrize("arranged", [as_manifest, as_shard])
def test_a_lora_file_is_proven_with_the_images_of_a_manifest_or_of_shards(arranged, run, toy_base, creatures, tmp_path):
    source, out = arranged(creatures, tmp_path), tmp_path / "out"
    (file, *_) = sorted((run / "checkpoints").glob("*.safetensors"))
    proven = prove_file([file], toy_base, source, out, trigger="zorvex", effort="tiny", weights=())
    record = read_record(out)

    assert proven.complete
    assert record.trained == 4
    assert all(prompt.text.startswith("zorvex") for prompt in record.prompts.of("trained"))
    assert content_hash(Originals(read_run(run).settings, record.originals).of(record.prompts.of("trained")[0]))
    job = {"files": [str(file)], "base": str(toy_base), "images": str(source.with_name("{000..001}.tar")), "out": "proof"}
    assert dict(checked("prove", job).read_paths())["images"] == source.parent, "the folder of the shards has to be there"


def test_files_that_are_proven_together_are_called_by_their_files(run, toy_base, creatures, tmp_path):
    first, last = sorted((run / "checkpoints").glob("*.safetensors"))
    (tmp_path / "other").mkdir()
    same = shutil.copy(last, tmp_path / "other" / first.name)
    proven = prove_file([first, last, same], toy_base, creatures, tmp_path / "out", trigger="zorvex", effort="tiny", weights=())
    called = [str(first), last.name, str(same)]
    assert [one.name for one in proven.verdict.checkpoints] == called
    assert [one.called for one in proven.verdict.checkpoints] == [{"file": name} for name in called]
    assert not any("step" in sentence for sentence in proven.verdict.sentences)


def test_a_lora_that_is_not_finite_is_left_out_of_a_proof_and_named(run, toy_base, creatures, tmp_path):
    first, last = sorted((run / "checkpoints").glob("*.safetensors"))
    tensors, metadata = load_tensors(first).tensors, load_tensors(first).metadata
    up = next(name for name in tensors if name.endswith("lora_up.weight"))
    bad = tmp_path / "bad.safetensors"
    save_file({**tensors, up: tensors[up] * math.nan}, bad, metadata)
    proven = prove_file([bad, last], toy_base, creatures, tmp_path / "out", trigger="zorvex", effort="tiny", weights=())
    assert [one.name for one in proven.verdict.checkpoints] == [last.name]
    assert proven.signs[0].message == f"bad.safetensors has numbers that are not finite ({up}), so it is not judged."
    assert read_record(tmp_path / "out").left_out == {"bad.safetensors": up}
    assert escape(proven.signs[0].message) in page_html(proof_page(tmp_path / "out", proven.verdict))
    assert "NaN" not in (tmp_path / "out" / "verdict.json").read_text(encoding="utf-8")
    with pytest.raises(InputError, match=r"bad.safetensors has numbers that are not finite"):
        prove_file([bad], toy_base, creatures, tmp_path / "out", trigger="zorvex", effort="tiny")


def test_what_cannot_be_proven_is_refused_with_a_reason(run, toy_base, creatures):
    for file in (run / "checkpoints").glob("*.safetensors"):
        file.unlink()
    with pytest.raises(InputError, match="no checkpoint yet"):
        prove(run)
    with pytest.raises(InputError, match="thorough"):
        prove_file([run / "missing.safetensors"], toy_base, creatures, run, effort="thorugh")


def test_weights_of_another_checkpoint_than_the_recommended_one_do_not_count(run):
    """As they stay in the folder where a later proof recommends another one."""
    prove(run, effort="tiny", weights=())
    measured = read_record(run / PROOF).measured
    sure = {"subject": Measure.of({"a": 0.8, "b": 0.81}), "keeps": Measure.of({"c": 0.99, "d": 1.0})}
    first, last = (replace(one, measures=one.measures | sure) for one in measured)
    record = replace(read_record(run / PROOF), measured=(first, replace(last, measures={})))
    write_record(run / PROOF, record)
    for file, counts in ((last.file, False), (first.file, True)):
        write_record(run / PROOF, replace(record, measured=(replace(first, file=file, weight=0.6),), pictures=({},)), WEIGHTS_PROOF)
        shown = proven_in(run)
        assert shown.verdict.recommended == 0
        assert (shown.verdict.weight == 0.6) is counts


def test_a_copy_stands_beside_its_own_training_image_whatever_others_are_called(run):
    """Another folder may have pictures of the same names."""
    prove(run, effort="tiny", weights=())
    record = read_run(run)
    (dataset,) = record.settings.datasets
    others = run.parent / "others"
    others.mkdir()
    for file in Path(dataset.path).glob("*.png"):
        Image.new("RGB", (64, 64), "red").save(others / file.name)
    both = [dataset, dataset.model_copy(update={"path": others})]

    assert _originals(record)
    assert None not in _originals(record)
    write_record(run / PROOF, replace(read_record(run / PROOF), originals={}))  # as an earlier version left it
    assert _originals(replace(record, settings=record.settings.model_copy(update={"datasets": both}))) == _originals(record)


def _originals(record):
    """The training images that the report shows beside their copies, encoded."""
    (section,) = (one for one in proof_sections(record, proven_in(record.folder.root, record.settings)) if one.title == "Held by heart?")
    (figures,) = (block for block in section.blocks if isinstance(block, Figures))
    return [figure.panels[0].picture and figure.panels[0].picture.data for figure in figures.figures]
