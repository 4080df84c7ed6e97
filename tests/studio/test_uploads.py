"""Each route of uploads: good, bad input, not there, busy, changed meanwhile; and what breaks off goes on."""

import io
import os
import threading
import time
import zipfile
from contextlib import chdir
from urllib.parse import quote

import pytest

from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.workspace import Workspace
from lorasmith.projects import uploads as room
from lorasmith.projects.uploads import Uploads
from lorasmith.studio.access import Access
from lorasmith.studio.app import make_app


@pytest.fixture
def upload(script):
    script.post("/api/projects", json={"name": "Mimi"})
    return script.post("/api/uploads", json={"project": "mimi"}).json()["id"]


def picture(number):
    written = io.BytesIO()
    draw_scene(random_scene(number)).save(written, "PNG")
    return written.getvalue()


def put(script, upload, number, name, content, length=None, offset=0):
    headers = {"X-Name": quote(name), "Upload-Length": str(len(content) if length is None else length), "Upload-Offset": str(offset)}
    return script.put(f"/api/uploads/{upload}/files/{number}", content=content, headers=headers)


def test_files_come_in_and_are_imported_as_a_job(script, upload, workspace):
    for number in range(3):
        answered = put(script, upload, number, f"anna/ü {number}.png", picture(number))
        assert answered.json() == {"number": number, "name": f"anna/ü {number}.png", "received": len(picture(number)), "complete": True}
    assert [file["complete"] for file in script.get(f"/api/uploads/{upload}").json()["files"]] == [True] * 3
    committed = script.post(f"/api/uploads/{upload}/commit", json={"concept": "mimi"})
    assert committed.status_code == 201
    job = committed.json()
    assert (job["kind"], job["project"]) == ("import", "mimi")
    assert script.get(f"/api/uploads/{upload}").json()["job"] == job["id"]
    _do(workspace, job["id"])
    assert len(list((workspace / "projects" / "mimi" / "dataset").rglob("*.png"))) == 3
    with Queue(workspace) as queue:
        queue.claim("cpu", "cpu")
        queue.end(job["id"], "done")
    script.post("/api/uploads", json={"project": "mimi"})
    assert script.get(f"/api/uploads/{upload}").status_code == 404, "what was imported is thrown away"
    assert len(list((workspace / "projects" / "mimi" / "dataset").rglob("*.png"))) == 3


def _do(workspace, id):
    """Do an import as its job would."""
    from lorasmith.jobs.kinds.registry import KINDS
    from lorasmith.jobs.work import Work

    with Queue(workspace) as queue:
        job = queue.get(id)
    folder = Workspace.at(workspace).job(id)
    folder.root.mkdir(parents=True)
    arguments = KINDS["import"].arguments.model_validate({**job.arguments, "cache": str(workspace / "cache")})
    with chdir(workspace):  # in which jobs work
        KINDS["import"].run(arguments, Work(folder))


def test_what_broke_off_goes_on_where_it_was(script, upload):
    content = picture(1)
    first = put(script, upload, 0, "a.png", content[:100], len(content))
    assert (first.json()["received"], first.json()["complete"]) == (100, False)
    assert script.post(f"/api/uploads/{upload}/commit", json={}).json()["code"] == "upload.incomplete"
    wrong = put(script, upload, 0, "a.png", content[50:], len(content), 50)
    assert (wrong.status_code, wrong.json()["values"]["received"]) == (409, 100)
    assert put(script, upload, 0, "a.png", content[100:], len(content), 100).json()["complete"]
    assert put(script, upload, 0, "a.png", content).json()["complete"], "from the beginning, once more"


def zipped(*numbers):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for number in numbers:
            archive.writestr(f"mine/{number}.png", picture(number))
    return written.getvalue()


@pytest.mark.parametrize("names", [["a.zip"], ["a.zip", "b.ZIP"], ["a.zip", "c.png"], ["folder/a.zip", "folder/c.png"], ["a.zip", "a.zip"]])
def test_the_pictures_in_archives_are_imported_whatever_came_with_them(script, upload, workspace, names):
    for number, name in enumerate(names):
        put(script, upload, number, name, zipped(2 * number, 2 * number + 1) if name.lower().endswith("zip") else picture(9))
    _do(workspace, script.post(f"/api/uploads/{upload}/commit", json={}).json()["id"])
    expected = sum(2 if name.lower().endswith("zip") else 1 for name in names)
    assert len(list((workspace / "projects" / "mimi" / "dataset").rglob("*.png"))) == expected


def test_what_is_there_is_imported_without_what_came_in_part(script, upload, workspace):
    put(script, upload, 0, "a.png", picture(1))
    put(script, upload, 1, "b.png", picture(2)[:100], len(picture(2)))
    assert script.post(f"/api/uploads/{upload}/commit", json={}).json()["code"] == "upload.incomplete"
    _do(workspace, script.post(f"/api/uploads/{upload}/commit", json={"without_incomplete": True}).json()["id"])
    assert len(list((workspace / "projects" / "mimi" / "dataset").rglob("*.png"))) == 1


@pytest.mark.parametrize(
    "name", ["../../evil.png", "/etc/passwd.png", "C:\\x\\evil.png", "..\\..\\evil.png", "con.png", "<script>.png", "a//b.png"]
)
def test_names_are_labels_and_lead_nowhere(script, upload, workspace, name):
    assert put(script, upload, 0, name, picture(1)).status_code == 200
    script.post(f"/api/uploads/{upload}/commit", json={})
    inside = workspace / ".lorasmith" / "uploads" / upload
    assert len([file for file in workspace.parent.rglob("*.png") if file.is_file()]) == 1
    assert [file for file in inside.rglob("*.png") if file.is_file()]


def test_two_files_of_one_name_are_two_files(script, upload, workspace):
    put(script, upload, 0, "a.png", picture(1))
    put(script, upload, 1, "a.png", picture(2))
    script.post(f"/api/uploads/{upload}/commit", json={})
    assert len(list((workspace / ".lorasmith" / "uploads" / upload / "named").iterdir())) == 2


def test_what_is_too_large_is_refused_before_it_comes(script, upload, monkeypatch):
    assert put(script, upload, 0, "a.png", b"", 300 * 2**20).json()["code"] == "upload.too_large"
    assert put(script, upload, 0, "a.zip", b"", 300 * 2**20).status_code == 200, "an archive may be larger"
    assert put(script, upload, 0, "a.zip", b"", 9 * 2**30).status_code == 413
    assert put(script, upload, 100_000, "a.png", b"").status_code == 413
    assert put(script, upload, 1, "b.png", b"12345", 3).status_code == 413, "more comes than was said"
    monkeypatch.setattr(room.shutil, "disk_usage", lambda folder: room.shutil._ntuple_diskusage(10**12, 10**12, 2**30 + 3))
    refused = put(script, upload, 2, "c.png", b"12345")
    assert (refused.status_code, refused.json()["code"]) == (507, "upload.disk_full")


def test_what_cannot_be_sent_is_refused(script, upload):
    assert put(script, upload, 0, "", b"x").status_code == 400
    assert put(script, upload, -1, "a.png", b"x").status_code == 400
    assert put(script, upload, 0, "a.png", b"x", offset=9).status_code == 409
    assert script.put(f"/api/uploads/{upload}/files/0", content=b"x").status_code == 422
    assert script.post(f"/api/uploads/{upload}/commit", json={}).json()["code"] == "upload.empty"
    assert script.post(f"/api/uploads/{upload}/commit", json={"repeats": 0}).status_code == 422


def test_what_is_not_there_is_404(script):
    assert script.post("/api/uploads", json={"project": "gone"}).status_code == 404
    for id in ("gone", "..", "..%2f..", "%00"):
        assert script.get(f"/api/uploads/{id}").status_code == 404
        assert put(script, id, 0, "a.png", b"x").status_code == 404
        assert script.delete(f"/api/uploads/{id}").status_code == 404


def test_a_committed_upload_takes_no_more(script, upload):
    put(script, upload, 0, "a.png", picture(1))
    script.post(f"/api/uploads/{upload}/commit", json={})
    assert put(script, upload, 1, "b.png", picture(2)).status_code == 409
    assert script.post(f"/api/uploads/{upload}/commit", json={}).status_code == 409


def test_an_upload_that_two_pages_commit_at_once_is_imported_once(script, upload, workspace):
    put(script, upload, 0, "a.png", picture(1))
    ours = Uploads(workspace)[upload]
    answers = []
    second = threading.Thread(target=lambda: answers.append(script.post(f"/api/uploads/{upload}/commit", json={})))
    with ours.alone():
        second.start()
        second.join(0.2)
        assert answers == [], "it waits for the first"
        ours.write(room.UploadInfo(project="mimi", job=7))
    second.join()
    assert (answers[0].status_code, answers[0].json()["values"]["job"]) == (409, 7)
    assert script.get("/api/jobs").json() == []


def test_an_upload_is_thrown_away(script, upload, workspace):
    put(script, upload, 0, "a.png", picture(1))
    assert script.delete(f"/api/uploads/{upload}").status_code == 204
    assert list(Uploads(workspace)) == []


def aged(folder, days):
    """Nothing of it was touched for so long."""
    for place in (folder, *folder.rglob("*")):
        os.utime(place, (time.time() - days * 86400,) * 2)


def test_what_nobody_goes_on_with_is_thrown_away_after_a_week(script, upload, workspace):
    folder = workspace / ".lorasmith" / "uploads"
    put(script, upload, 0, "a.png", picture(1)[:100], len(picture(1)))
    torn, damaged, ours = folder / "torn", folder / "damaged", folder / upload
    (torn / "files").mkdir(parents=True)
    damaged.mkdir()
    (damaged / "upload.json").write_bytes(b"{")
    assert script.post("/api/uploads", json={"project": "mimi"}).status_code == 201, "a damaged one is in nobody's way"
    for one in (torn, damaged, ours):
        aged(one, 8)
    os.utime(ours / "files" / "000000.part")  # in another studio, say
    make_app(workspace, Access(None, 8611), start_supervisor=print)
    assert (torn.exists(), damaged.exists(), ours.exists()) == (False, False, True)
    aged(ours, 8)
    make_app(workspace, Access(None, 8611), start_supervisor=print)
    assert not ours.exists()


@pytest.mark.parametrize("state", ["queued", "running", "paused", "failed", "cancelled", "done", "unknown"])
def test_an_upload_stays_as_long_as_its_import_may_go_on(script, upload, workspace, state):
    put(script, upload, 0, "a.png", picture(1))
    job = script.post(f"/api/uploads/{upload}/commit", json={}).json()["id"]
    folder = workspace / ".lorasmith" / "uploads" / upload
    aged(folder, 8)
    with Queue(workspace) as queue:
        if state in ("paused", "cancelled"):
            queue.request(job, "pause" if state == "paused" else "cancel")
        elif state == "unknown":
            queue._db.execute("DELETE FROM jobs")  # a queue that was set aside
        elif state != "queued":
            queue.claim("cpu", "cpu")
            if state != "running":
                queue.end(job, state)
        make_app(workspace, Access(None, 8611), start_supervisor=print)
        assert folder.exists() == (state not in ("done", "unknown"))
        if state in ("failed", "cancelled"):
            queue._db.execute("UPDATE jobs SET ended = ended - 8 * 86400")
            make_app(workspace, Access(None, 8611), start_supervisor=print)
            assert not folder.exists(), "nobody tried it again"


def test_the_rest_of_a_file_needs_room_for_the_rest_alone(script, upload, monkeypatch):
    put(script, upload, 0, "a.png", b"12345", 8)
    monkeypatch.setattr(room.shutil, "disk_usage", lambda folder: room.shutil._ntuple_diskusage(10**12, 10**12, 2**30 + 3))
    assert put(script, upload, 0, "a.png", b"678", 8, 5).json()["complete"]
