"""How much of a caption the base reads."""

import pytest

from lorasmith.demo.weights import BASE
from lorasmith.studio import studio
from lorasmith.studio.token_counting import Question, count_beside, counted
from tests.models.toys import toy_folder

TOKENS = "/api/projects/mimi/captions:tokens"


@pytest.fixture(autouse=True)
def counted_here(monkeypatch):
    """Tokens are counted in this process, and not in one that each studio would start."""
    monkeypatch.setattr(studio, "count_beside", lambda: counted)


@pytest.fixture
def mimi(script):
    return script.post("/api/projects", json={"name": "Mimi", "base": str(BASE)}).json()


def test_a_caption_that_is_too_long_is_cut_where_the_encoder_stops_reading(script, mimi):
    short = script.post(TOKENS, json={"text": "zorvex, red hat\nA second line is not read."}).json()
    usual = short["limits"][0]
    assert (usual["unread"], short["tokens"] < usual["tokens"]) == ("", True)
    long = script.post(TOKENS, json={"text": ", ".join(["red hat"] * 200) + ", a blue ball"}).json()
    assert long["tokens"] > long["limits"][0]["tokens"]
    assert long["limits"][0]["unread"].endswith("a blue ball")
    assert [limit["tokens"] for limit in long["limits"]] == sorted(limit["tokens"] for limit in long["limits"])


def test_a_language_model_reads_what_its_family_says_without_the_template():
    """Its tokenizer has no limit of its own."""
    count = counted(Question(str(toy_folder("zimage")), "red " * 600 + "hat"))
    (limit,) = count.limits
    assert 450 < limit.tokens < 512 < count.tokens
    assert limit.unread.endswith("red hat")


def test_without_a_base_nothing_can_be_counted(script):
    script.post("/api/projects", json={"name": "Mimi"})
    refused = script.post(TOKENS, json={"text": "hat"})
    assert (refused.status_code, refused.json()["code"]) == (400, "tokens.no_base")


def test_a_base_that_cannot_be_opened_is_named(script):
    script.post("/api/projects", json={"name": "Mimi", "base": "gone.safetensors"})
    refused = script.post(TOKENS, json={"text": "hat"})
    assert refused.status_code == 400
    assert "gone.safetensors" in refused.json()["detail"]


def test_the_other_process_counts_the_same():
    count = count_beside()
    question = Question(str(BASE), "zorvex, red hat")
    try:
        assert count(question) == counted(question)
    finally:
        count.end()
