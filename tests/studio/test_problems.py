"""What goes wrong is answered in our own sentences, with a code and values, and never with a traceback."""

import errno
import logging

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field
from starlette.testclient import TestClient

from lorasmith.errors import AdapterError, BaseModelError, DatasetError, InputError, LorasmithError, RunError, SettingsError
from lorasmith.studio.actions import actions_for
from lorasmith.studio.problems import MEDIA_TYPE, add_handlers, problem_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SettingsError("x", setting="network.rank"), 422),
        (DatasetError("x"), 400),
        (BaseModelError("x"), 400),
        (AdapterError("x"), 400),
        (InputError("x"), 400),
        (RunError("x"), 500),
        (LorasmithError("x"), 500),
        (DatasetError("x", code="captions.not_found"), 404),
        (SettingsError("x", code="run.no_run_folder"), 404),
        (DatasetError("x", code="captions.changed"), 412),
        (DatasetError("x", code="dataset.locked"), 423),
        (SettingsError("x", code="run.in_use"), 423),
        (RunError("x", code="run.disk_full"), 507),
    ],
)
def test_the_status_follows_from_the_error(error, status):
    assert problem_of(error).status == status


def test_a_problem_has_the_sentence_the_code_the_values_and_the_place():
    found = problem_of(SettingsError("network.rank = 0 is too small.", code="settings.value", setting="network.rank", value=0))
    assert found.model_dump() == {
        "type": "/problems/settings", "title": found.title, "status": 422, "detail": "network.rank = 0 is too small.", "code": "settings.value",
        "values": {"setting": "network.rank", "value": 0}, "place": "network.rank", "actions": [],
    }  # fmt: skip


def test_values_that_json_cannot_hold_become_text(tmp_path):
    found = problem_of(InputError("x \udcff", path=tmp_path, sizes=(1, 2), number=float("nan"), name="\udcff"))
    assert found.values == {"path": str(tmp_path), "sizes": [1, 2], "number": "nan", "name": "\\udcff"}
    assert found.model_dump_json()


def test_no_secret_is_in_a_problem():
    found = problem_of(InputError("hub_token = hf_abcdefghijklmnopqrstuvwxyz does not fit.", token="hf_abcdefghijklmnopqrstuvwxyz"))
    assert "abcdefgh" not in found.model_dump_json()


@pytest.mark.parametrize(
    ("error", "method", "path", "label", "call"),
    [
        (DatasetError("x", code="dataset.locked"), "PUT", "/api/projects/a/layout?dry=1", "Try again", "PUT /api/projects/a/layout?dry=1"),
        (RunError("x", code="jobs.disk_full"), "POST", "/api/jobs", "Try again", "POST /api/jobs"),
        (InputError("x", code="captions.changed"), "PUT", "/api/projects/a/captions/c%20d.txt", "Look at it again", "GET /api/projects/a/captions/c%20d.txt"),
        (InputError("x", code="project.changed"), "DELETE", "/api/projects/a", "Look at it again", "GET /api/projects/a"),
        (InputError("x", code="pictures.stale"), "GET", "/api/projects/a/pictures/page?version=1", "Show the pictures again", "GET /api/projects/a/pictures"),
        (InputError("x", code="jobs.state", id=12, state="paused"), "POST", "/api/jobs/12:retry", "Resume", "POST /api/jobs/12:resume"),
        (InputError("x", code="jobs.state", id=12, state="failed"), "POST", "/api/jobs/12:pause", "Retry", "POST /api/jobs/12:retry"),
    ],
)  # fmt: skip
def test_where_it_is_plain_what_gets_further_a_problem_says_the_call(error, method, path, label, call):
    found = problem_of(error)
    (action,) = actions_for(found.status, found.code, found.values, method, path)
    assert (action.label, action.call) == (label, call)
    assert action.again == (label == "Try again")


@pytest.mark.parametrize(
    "error",
    [
        InputError("x", code="jobs.state", id=12, state="done"),
        InputError("x", code="jobs.state", id=12, state="running"),
        InputError("x", code="project.exists"),
        InputError("x", code="captions.changed_outside"),
        InputError("x"),
    ],
)
def test_where_it_is_not_plain_a_problem_offers_nothing(error):
    found = problem_of(error)
    assert actions_for(found.status, found.code, found.values, "POST", "/api/projects/a/edits") == []


class Sent(BaseModel):
    rank: int = Field(ge=1)


@pytest.fixture
def client():
    api = FastAPI()
    add_handlers(api)

    @api.get("/fault")
    def fault():
        raise ZeroDivisionError("a secret detail")

    @api.get("/full")
    def full():
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere/file")

    @api.post("/send")
    def send(sent: Sent) -> Sent:
        return sent

    with TestClient(api, raise_server_exceptions=False) as opened:
        yield opened


def test_our_own_fault_has_a_number_that_is_in_the_log_and_no_detail(client, caplog):
    with caplog.at_level(logging.ERROR, "lorasmith"):
        answered = client.get("/fault")
    assert answered.status_code == 500
    assert answered.headers["content-type"] == MEDIA_TYPE
    assert "secret detail" not in answered.text
    assert answered.json()["values"]["number"] in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_a_full_disk_says_so(client):
    answered = client.get("/full")
    assert (answered.status_code, answered.json()["detail"]) == (
        507,
        "/somewhere/file could not be written: the disk is full. Make room and try again.",
    )


def test_a_call_that_does_not_fit_names_the_place(client):
    answered = client.post("/send", json={"rank": 0})
    assert (answered.status_code, answered.json()["place"]) == (422, "rank")
    assert answered.json()["detail"] == "rank of the body: input should be greater than or equal to 1."
    assert client.post("/send", content=b"{").json()["code"] == "call.value"
    assert client.post("/send").status_code == 422


def test_what_is_not_there_and_what_is_not_taken_are_sentences(client):
    assert client.get("/nothing").json()["detail"] == "There is nothing at /nothing. /api/openapi.json lists what there is."
    answered = client.get("/send")
    assert (answered.status_code, answered.headers["allow"]) == (405, "POST")
    assert "does not take GET" in answered.json()["detail"]
