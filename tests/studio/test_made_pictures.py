"""Pictures that jobs generated: good, not there, outside."""

import pytest
from PIL import Image

from lorasmith.jobs.queue import Queue


@pytest.fixture
def finished(script, workspace):
    """Makes a job that has ended with an outcome, and says its number."""

    def finish(**outcome):
        with Queue(workspace) as queue:
            job = queue.add("sample", {"base": "base", "prompts": ["a"], "out": "drawn"}, "accelerator").id
            queue.claim("accelerator", "cpu")
            queue.end(job, "done", outcome=outcome)
        return job

    return finish


def test_the_pictures_of_a_job_are_shown_by_their_order(script, workspace, finished):
    for nr, colour in enumerate(("red", "blue")):
        Image.new("RGB", (8, 8), colour).save(workspace / f"{nr}.png")
    job = finished(pictures=["0.png", "1.png"])
    shown = script.get(f"/files/jobs/{job}/pictures", params={"nr": 1})
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/png")
    assert shown.content == (workspace / "1.png").read_bytes()
    assert script.get(f"/files/jobs/{job}/pictures", params={"nr": 2}).status_code == 404


def test_a_grid_shows_its_sheet(script, workspace, finished):
    Image.new("RGB", (8, 8)).save(workspace / "sheet.png")
    assert script.get(f"/files/jobs/{finished(sheet='sheet.png', page='sheet.html')}/pictures").status_code == 200


def test_what_is_no_picture_of_the_workspace_is_not_shown(script, tmp_path, finished):
    Image.new("RGB", (8, 8)).save(tmp_path / "outside.png")
    assert script.get(f"/files/jobs/{finished(pictures=['../outside.png'])}/pictures").status_code == 400
    assert script.get(f"/files/jobs/{finished(file='lora.safetensors')}/pictures").status_code == 404
    assert script.get("/files/jobs/99/pictures").status_code == 404
