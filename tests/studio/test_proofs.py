"""The proof of a run over the API, and keeping what it recommends."""

import json
import shutil
import tarfile
from dataclasses import replace
from urllib.parse import quote

import pytest
from PIL import Image

from lorasmith.evaluation.measures.measured import CheckpointMeasures, Measure
from lorasmith.evaluation.prompts import Prompt, PromptSet
from lorasmith.evaluation.proof.record import PROOF, VERDICT, WEIGHTS_PROOF, ProofRecord, read_record, write_record
from lorasmith.evaluation.run_list import listed_run
from lorasmith.images.file_part import FilePart
from lorasmith.images.read import content_hash
from tests.library.lora_files import write_lora
from tests.studio.test_runs import make_run

NEW, TRAINED = Prompt("new", "mimi, beach", 1), "mimi, red hat"


def measures(file, epoch, subject, weight=1.0):
    items = {f"{n}": subject + 0.01 * n for n in range(-2, 3)}
    return CheckpointMeasures(
        file, epoch, 10 * epoch, weight, {"subject": Measure.of(items), "keeps": Measure.of(dict.fromkeys(items, 0.95))}
    )


def make_proven(project):
    """A run of a project's folder with a proof of two checkpoints, of which the last was drawn, and of two weights."""
    picture = project / "dataset" / "5_mimi" / "a b.png"
    picture.parent.mkdir(parents=True)
    Image.new("RGB", (64, 64), "red").save(picture)
    run = make_run(project / "runs" / "first", pictures=str(project / "dataset"))
    trained = Prompt("trained", TRAINED, 2, f"a b.png {content_hash(picture)[:8]}")
    first, last = measures("checkpoints/x-1.safetensors", 1, 0.3), measures("checkpoints/x.safetensors", 2, 0.9)
    replay = {trained.name: 0.5}
    last = CheckpointMeasures(last.file, last.epoch, last.step, last.weight, {**last.measures, "replay": Measure.of(replay)})
    drawn = {NEW.name: "abc/x/new 1.png", trained.name: "abc/x/trained.png"}
    prompts = PromptSet((NEW, trained), "mimi", "something")
    folder = run.root / PROOF
    write_record(folder, ProofRecord("quick", prompts, 1, 0, {NEW.name: "abc/base/new.png"}, (first, last), ({}, drawn)))
    weights = tuple(measures(last.file, 2, 0.8, weight) for weight in (0.8, 1.0))
    write_record(folder, ProofRecord("quick", prompts, 1, 0, {}, weights, (drawn, drawn)), WEIGHTS_PROOF)
    (folder / "abc" / "x").mkdir(parents=True)
    Image.new("RGB", (64, 64), "blue").save(folder / "abc" / "x" / "new 1.png")
    return run


@pytest.fixture
def proven(script, workspace):
    script.post("/api/projects", json={"name": "Mimi"})
    return make_proven(workspace / "projects" / "mimi")


def test_lists_say_what_the_page_says_whatever_was_concluded_earlier(script, proven, workspace):
    (proven.root / PROOF / VERDICT).write_text('{"sentences": ["Use epoch 1."]}', encoding="utf-8")
    said = script.get("/api/runs/mimi~first/proof").json()["sentences"][0]
    assert said.startswith("Use epoch 2")
    run = script.get("/api/runs/mimi~first").json()
    assert [run["verdict"], listed_run(proven.root).verdict] == [said, said]
    assert (run["said"]["code"], run["said"]["values"]["checkpoint"]) == ("verdict.use_at_weight", {"epoch": 2})
    assert run["said"] == script.get("/api/runs/mimi~first/proof").json()["said"][0]


def test_a_proof_has_its_verdict_its_pictures_and_its_numbers(script, proven):
    proof = script.get("/api/runs/mimi~first/proof").json()
    assert proof["sentences"][0].startswith("Use epoch 2")
    assert proof["recommended"] == "checkpoints/x.safetensors"
    assert [one["name"] for one in proof["checkpoints"]] == ["epoch 1", "epoch 2"]
    assert [one["called"] for one in proof["checkpoints"]] == [{"epoch": 1}, {"epoch": 2}]
    assert proof["checkpoints"][0]["pictures"] == {}
    assert proof["checkpoints"][1]["measures"]["subject"]["value"] == pytest.approx(0.9)
    assert set(proof["measures"]) == {"subject", "keeps", "replay"}
    assert [one["weight"] for one in proof["weights"]] == [0.8, 1.0]
    assert proof["prompts"][0]["base"] == "/files/runs/mimi~first/proof/abc/base/new.png"
    drawn = proof["checkpoints"][1]["pictures"][NEW.name]
    assert script.get(drawn).headers["content-type"] == "image/png"


def test_checkpoints_that_were_not_judged_are_named_before_all_advice(script, proven):
    folder = proven.root / PROOF
    damaged = {"checkpoints/x-3.safetensors": "lora_unet_mid.lora_up.weight", "checkpoints/x-4.safetensors": "lora_unet_mid.alpha"}
    write_record(folder, replace(read_record(folder), left_out=damaged))
    found = script.get("/api/runs/mimi~first/proof").json()["findings"][:2]
    assert [(one["code"], one["subjects"]) for one in found] == [("proof.not_finite", [name]) for name in damaged]
    assert "lora_unet_mid.alpha" in found[1]["message"]


def test_training_pictures_stand_beside_what_their_captions_give(script, proven):
    (copy,) = script.get("/api/runs/mimi~first/proof").json()["copies"]
    assert copy["image"] == "a b.png"
    assert script.get(copy["original"]).headers["content-type"] == "image/png"
    assert copy["drawn"].endswith("/trained.png")


def test_a_training_picture_that_was_changed_is_not_shown_as_the_original(script, proven, workspace):
    Image.new("RGB", (64, 64), "green").save(workspace / "projects" / "mimi" / "dataset" / "5_mimi" / "a b.png")
    (copy,) = script.get("/api/runs/mimi~first/proof").json()["copies"]
    assert copy["original"] is None


def in_a_shard(picture, folder):
    with tarfile.open(folder / "set.tar", "w") as tar:
        tar.add(picture, "a b.png")
    with tarfile.open(folder / "set.tar") as tar:
        (member,) = tar.getmembers()
    return FilePart(folder / "set.tar", "a b.png", member.offset_data, member.size)


def of_a_manifest(picture, folder):
    return shutil.copy(picture, folder / "another name.png")


@pytest.mark.parametrize("where", [in_a_shard, of_a_manifest])
def test_a_training_picture_of_a_shard_or_a_manifest_is_shown_and_no_other_file_is(script, proven, workspace, tmp_path, where):
    picture = workspace / "projects" / "mimi" / "dataset" / "5_mimi" / "a b.png"
    content, record = picture.read_bytes(), read_record(proven.root / PROOF)
    (trained,) = record.prompts.of("trained")
    write_record(proven.root / PROOF, replace(record, originals={trained.picture: where(picture, tmp_path), NEW.name: picture}))
    picture.unlink()
    (copy,) = script.get("/api/runs/mimi~first/proof").json()["copies"]
    shown = script.get(copy["original"])
    assert (shown.headers["content-type"], shown.content) == ("image/png", content)
    assert script.get(copy["original"], headers={"if-none-match": shown.headers["etag"]}).status_code == 304
    address = copy["original"].removesuffix(quote(trained.picture))
    for other in (quote(NEW.name), "another%20name.png", "set.tar", "..%2F..%2F..%2Fproject.toml", quote(str(picture), safe="")):
        assert script.get(address + other).status_code == 404
    next(iter(tmp_path.glob("set.tar")), tmp_path / "another name.png").write_bytes(b"0" * 20_000)
    assert script.get("/api/runs/mimi~first/proof").json()["copies"][0]["original"] is None
    assert script.get(copy["original"]).status_code == 404


def test_numbers_that_are_none_are_left_out_and_the_answer_is_json(script, proven):
    record = json.loads((proven.root / PROOF / "proof.json").read_text())
    record["checkpoints"][0]["measures"]["keeps"]["value"] = float("nan")
    (proven.root / PROOF / "proof.json").write_text(json.dumps(record))
    assert "keeps" not in script.get("/api/runs/mimi~first/proof").json()["checkpoints"][0]["measures"]


@pytest.mark.parametrize(
    "damage", [lambda folder: (folder / "proof.json").unlink(), lambda folder: (folder / "proof.json").write_text("{")]
)
def test_a_run_without_a_proof_that_can_be_read_says_so(script, proven, damage):
    damage(proven.root / PROOF)
    refused = script.get("/api/runs/mimi~first/proof")
    assert (refused.status_code, refused.json()["code"]) == (404, "proof.not_found")


def test_what_is_kept_is_in_the_library(script, proven, workspace):
    write_lora(proven.root / "checkpoints" / "x.safetensors", {"ss_output_name": "mimi"})
    kept = script.post("/api/runs/mimi~first/keep", json={"file": "checkpoints/x.safetensors", "name": "Mimi 1"})
    assert kept.status_code == 201
    assert kept.json()["file"] == str(workspace / "loras" / "Mimi_1.safetensors")
    assert str(workspace / "loras") in script.get("/api/library/folders").json()["folders"]
    drawn = proven.root / PROOF / "abc" / "x" / "new 1.png"
    assert (workspace / "loras" / "Mimi_1.png").read_bytes() == drawn.read_bytes()
    assert script.post("/api/runs/mimi~first/keep", json={"file": "checkpoints/x.safetensors", "name": "Mimi 1"}).status_code == 201


def test_a_proof_knows_where_the_recommended_file_is_kept(script, proven, workspace):
    file = proven.root / script.get("/api/runs/mimi~first/proof").json()["recommended"]
    write_lora(file, {"ss_output_name": "mimi"})
    assert script.get("/api/runs/mimi~first/proof").json()["kept"] is None
    kept = script.post("/api/runs/mimi~first/keep", json={"file": file.relative_to(proven.root).as_posix()}).json()["file"]
    assert script.get("/api/runs/mimi~first/proof").json()["kept"] == kept
    (workspace / "loras" / "first.safetensors").unlink()
    assert script.get("/api/runs/mimi~first/proof").json()["kept"] is None


@pytest.mark.parametrize("file", ["checkpoints/none.safetensors", "../../../../etc/passwd", "/etc/passwd"])
def test_only_a_file_of_the_run_is_kept(script, proven, file):
    assert script.post("/api/runs/mimi~first/keep", json={"file": file}).status_code in (400, 403, 404)
