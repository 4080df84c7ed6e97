"""The buckets that a project's pictures are cropped to."""

import pytest

from lorasmith.demo.weights import BASE

BUCKETS = "/api/projects/mimi/buckets"


def test_the_buckets_are_those_of_a_training_with_the_projects_base(script):
    script.post("/api/projects", json={"name": "Mimi", "base": str(BASE)})
    found = script.get(BUCKETS).json()
    assert (found["base"], found["resolution"]) == (str(BASE), 64)
    assert [64, 64] in found["sizes"]
    assert max(max(size) for size in found["sizes"]) == 128


@pytest.mark.parametrize("base", [None, "gone.safetensors"])
def test_where_no_base_is_known_they_are_the_usual_ones(script, base):
    script.post("/api/projects", json={"name": "Mimi", "base": base})
    found = script.get(BUCKETS).json()
    assert (found["base"], found["resolution"]) == (None, 1024)
    assert [832, 1216] in found["sizes"]
