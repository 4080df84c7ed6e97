"""Each route of models: good, bad input, not there; and a link's token is in no file, no answer and no log."""

import logging

import pytest

from lorasmith.demo.weights import BASE, TAGGER
from lorasmith.jobs.handing import take
from lorasmith.jobs.kinds.download import DownloadArguments, run
from lorasmith.jobs.work import Work
from lorasmith.jobs.workspace import Workspace
from tests.library.lora_files import write_lora
from tests.models.files.small_web import TOKEN, small_web

TAGS = "red_hat,0,500,\nblue_hat,0,700,\n"


def register(script, kind, source, **more):
    return script.post("/api/models", json={"kind": kind, "source": str(source), **more})


def test_models_of_this_machine_are_registered_listed_and_forgotten(script, workspace):
    (workspace / "vocabularies").mkdir()
    (workspace / "vocabularies" / "site.csv").write_text(TAGS, encoding="utf-8")
    write_lora(workspace / "up.safetensors", {})
    base = register(script, "base", BASE)
    assert (base.status_code, base.json()["job"]) == (201, None)
    model = base.json()["model"]
    assert (model["source"], model["family"], model["missing"], model["problem"]) == (str(BASE), "sd1", [], "")
    assert model["bytes"] > 1_000_000
    assert register(script, "tagger", TAGGER).json()["model"]["bytes"] > 0
    assert register(script, "vocabulary", "vocabularies/site.csv").json()["model"]["title"] == "2 tags"
    assert register(script, "upscaler", "up.safetensors").json()["model"]["source"] == str(workspace / "up.safetensors")
    assert [one["kind"] for one in script.get("/api/models").json()] == ["base", "tagger", "vocabulary", "upscaler"]
    assert [one["source"] for one in script.get("/api/models", params={"kind": "base"}).json()] == [str(BASE)]
    assert [base["source"] for base in script.get("/api/bases").json()] == [str(BASE)]
    assert script.get("/api/taggers").json() == [str(TAGGER)]
    forgotten = {"kind": "base", "source": str(BASE)}
    assert script.delete("/api/models", params=forgotten).status_code == 204
    assert script.delete("/api/models", params=forgotten).json()["code"] == "models.not_found"
    assert [base["source"] for base in script.get("/api/bases").json()] == [str(BASE)], "the demo's is there for whoever has no other"
    assert BASE.exists()


def test_a_model_that_went_away_is_listed_with_its_problem(script, workspace):
    write_lora(workspace / "up.safetensors", {})
    register(script, "upscaler", "up.safetensors")
    (workspace / "up.safetensors").unlink()
    (model,) = script.get("/api/models").json()
    assert "up.safetensors" in model["problem"]


@pytest.mark.parametrize(
    ("kind", "source", "status"),
    [
        ("base", "no model", 404), ("base", "/gone/model.safetensors", 404), ("base", "", 422), ("model", "a/b", 422), ("base", "a\0b", 400), ("base", "~nobody/x", 404),
        ("base", "x" * 3000, 404), ("base", "lora.safetensors", 400), ("tagger", "https://host/x.onnx", 400), ("tagger", "empty", 400), ("vocabulary", "empty", 400),
        ("base", "http://host/x.safetensors", 400), ("base", "https://name:word@host/x.safetensors", 400), ("upscaler", "owner/name", 400),
    ],
)  # fmt: skip
def test_what_is_no_model_is_refused(script, workspace, kind, source, status):
    write_lora(workspace / "lora.safetensors", {})
    (workspace / "empty").mkdir()
    assert register(script, kind, source).status_code == status
    assert script.get("/api/models").json() == []
    assert script.get("/api/jobs").json() == []
    assert script.delete("/api/models", params={"kind": "base"}).status_code == 422


def test_a_model_of_the_hub_is_downloaded_by_a_job(script):
    outcome = register(script, "base", "stabilityai/sdxl-turbo").json()
    assert outcome["model"] is None
    assert (outcome["job"]["kind"], outcome["job"]["state"]) == ("download", "queued")
    assert outcome["job"]["arguments"] == {"kind": "base", "source": "stabilityai/sdxl-turbo", "sha256": ""}
    described = script.get("/api/bases:describe", params={"source": "stabilityai/sdxl-turbo"})
    assert (described.status_code, described.json()["code"]) == (404, "hub.not_found"), "a call of a page downloads nothing"


def test_the_token_of_a_link_is_neither_kept_nor_shown_and_the_job_has_it(script, workspace, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    write_lora(workspace / "x.safetensors", {})
    with small_web() as web:
        web.files["/files/gated"] = (workspace / "x.safetensors").read_bytes()
        web.headers = {"Content-Disposition": "attachment; filename=mine.safetensors"}
        answered = register(script, "upscaler", f"{web.address}/files/gated?token={TOKEN}")
        arguments = answered.json()["job"]["arguments"]
        assert arguments["source"] == f"{web.address}/files/gated"
        monkeypatch.chdir(workspace)
        queued = script.get("/api/jobs").json()[0]
        place = Workspace.at(workspace)
        (name,) = [file.name for file in place.handed.iterdir()]
        assert take(place.handed, name) == f"token={TOKEN}"
        outcome = run(DownloadArguments(kind="upscaler", source=arguments["source"], handed=name), Work(place.job(queued["id"])))
    assert outcome["source"] == str(workspace / "models" / "upscalers" / "mine.safetensors")
    assert [one["title"] for one in script.get("/api/models").json()] == ["mine"]
    assert list(place.handed.iterdir()) == []
    kept = "".join(file.read_bytes().decode("latin-1") for file in workspace.rglob("*") if file.is_file())
    for shown in (kept, caplog.text, answered.text, script.get("/api/jobs").text):
        assert TOKEN not in shown


def test_a_job_with_a_token_in_its_link_is_refused_and_kept_nowhere(script, workspace):
    link = f"https://civitai.com/api/download/models/1?token={TOKEN}"
    refused = script.post("/api/jobs", json={"kind": "download", "arguments": {"kind": "base", "source": link}})
    assert (refused.status_code, refused.json()["code"]) == (422, "jobs.arguments")
    assert TOKEN not in refused.text
    assert TOKEN not in "".join(file.read_bytes().decode("latin-1") for file in workspace.rglob("*") if file.is_file())
