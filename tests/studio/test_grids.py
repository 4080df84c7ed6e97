"""The cells of a grid that a job generated: good, gone, outside."""

import json

import pytest
from PIL import Image

from lorasmith.evaluation.grid.record import GridRecord, write_record
from lorasmith.jobs.queue import Queue


@pytest.fixture
def grid(script, workspace):
    """Makes a grid of two columns, one row and two blocks that a job has generated, and says the job's number."""

    def make(*files, record="grids/weight.json"):
        for name, colour in zip("abcd", ("red", "green", "blue", "white"), strict=True):
            (workspace / "grids" / "cells").mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), colour).save(workspace / "grids" / "cells" / f"{name}.png")
        a, b, c, d = files or [f"cells/{name}.png" for name in "abcd"]
        said = GridRecord(("weight 0.5", "weight 1"), ("",), ("seed 1", "seed 2"), (((a, b),), ((c, d),)))
        write_record(said, workspace / record)
        with Queue(workspace) as queue:
            job = queue.add("grid", {"out": "grids", "x": "0.5, 1"}, "accelerator").id
            queue.claim("accelerator", "cpu")
            queue.end(job, "done", outcome={"sheet": "grids/weight.png", "page": "grids/weight.html", "record": record})
        return job

    return make


def test_the_cells_of_a_grid_are_shown_by_their_places(script, workspace, grid):
    job = grid()
    view = script.get(f"/api/jobs/{job}/grid").json()
    assert (view["columns"], view["rows"], view["blocks"]) == (["weight 0.5", "weight 1"], [""], ["seed 1", "seed 2"])
    shown = script.get(view["cells"][1][0][0])
    assert shown.headers["content-type"] == "image/png"
    assert shown.content == (workspace / "grids" / "cells" / "c.png").read_bytes()
    assert script.get(f"/files/jobs/{job}/cells", params={"column": 2}).status_code == 404


def test_a_cell_that_was_removed_has_no_address_and_the_others_have(script, workspace, grid):
    job = grid()
    (address,) = script.get(f"/api/jobs/{job}/grid").json()["cells"][0][0][:1]
    (workspace / "grids" / "cells" / "a.png").unlink()
    row = script.get(f"/api/jobs/{job}/grid").json()["cells"][0][0]
    assert (row[0], row[1] is None) == (None, False)
    assert script.get(address).status_code == 404


@pytest.mark.parametrize("damage", ["", "{", json.dumps({"columns": [], "rows": [""], "blocks": [""], "cells": [[["a"]]]})])
def test_a_grid_whose_record_is_gone_or_damaged_says_so(script, workspace, grid, damage):
    job = grid()
    (workspace / "grids" / "weight.json").write_text(damage, encoding="utf-8")
    refused = script.get(f"/api/jobs/{job}/grid")
    assert (refused.status_code, refused.json()["code"]) == (404, "jobs.grid_not_found")


def test_a_job_that_generated_no_grid_says_so(script, workspace):
    with Queue(workspace) as queue:
        job = queue.add("grid", {"out": "grids"}, "accelerator").id
    assert script.get(f"/api/jobs/{job}/grid").json()["code"] == "jobs.grid_not_found"


def test_a_record_leads_to_nothing_outside_of_its_folder(script, tmp_path, grid):
    Image.new("RGB", (8, 8)).save(tmp_path / "outside.png")
    job = grid("../../outside.png", "cells/b.png", "cells/c.png", "cells/d.png")
    assert script.get(f"/api/jobs/{job}/grid").status_code == 400
    assert script.get(f"/files/jobs/{job}/cells").status_code == 400
    outside = grid(record="../weight.json")
    assert script.get(f"/api/jobs/{outside}/grid").status_code == 400
