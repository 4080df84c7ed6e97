"""Taggers to choose from."""

import pytest

from lorasmith.jobs.queue import Queue


def test_the_taggers_that_jobs_used_are_listed_the_most_used_first(script, workspace):
    assert script.get("/api/taggers").json() == []
    with Queue(workspace) as queue:
        for tagger in ("a/one", "b/two", "b/two"):
            queue.add("tag", {"dataset": "x", "tagger": tagger}, "cpu")
        queue.add("audit", {"dataset": "x"}, "cpu")
    assert script.get("/api/taggers").json() == ["b/two", "a/one"]


def describe(script, source):
    return script.get("/api/taggers:describe", params={"source": source})


def test_a_tagger_is_known_by_its_files_or_by_its_name(script, workspace):
    assert describe(script, "SmilingWolf/wd-swinv2-tagger-v3").json() == {
        "source": "SmilingWolf/wd-swinv2-tagger-v3", "family": "wd", "local": False, "general_threshold": 0.35, "character_threshold": 0.85,
    }  # fmt: skip
    assert describe(script, "deepghs/pixai-tagger-v0.9-onnx").json()["family"] == "pixai"
    (workspace / "mine").mkdir()
    (workspace / "mine" / "tagger.toml").write_text("general_threshold = 0.2\n", encoding="utf-8")
    mine = describe(script, "mine").json()
    assert (mine["family"], mine["local"], mine["general_threshold"]) == ("own", True, 0.2)


@pytest.mark.parametrize("source", ["no tagger", "a\0b", "../../gone", "~nobody/gone/x", "owner/name/../x"])
def test_what_is_no_tagger_is_404(script, source):
    assert describe(script, source).status_code == 404


def test_a_damaged_description_is_a_sentence(script, workspace):
    (workspace / "mine").mkdir()
    (workspace / "mine" / "tagger.toml").write_text("damaged", encoding="utf-8")
    assert describe(script, "mine").status_code == 400
    assert script.get("/api/taggers:describe").status_code == 422
