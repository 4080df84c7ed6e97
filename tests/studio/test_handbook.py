"""`/docs`: the handbook, served by the studio itself, under the policy of all its pages."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from lorasmith.studio.access import Access
from lorasmith.studio.app import make_app


@pytest.fixture
def browser(tmp_path):
    return TestClient(make_app(tmp_path, Access(None, 8611), lambda *_: None), base_url="http://127.0.0.1:8611")


def test_the_contents_lead_to_every_page(browser):
    contents = browser.get("/docs").text
    links = re.findall(r'href="(/docs/[^"]+\.md)"', contents)
    assert "/docs/guide/proof.md" in links
    assert "/docs/reference/settings.md" in links
    assert {browser.get(link).status_code for link in links} == {200}


def test_a_page_runs_no_script_and_has_the_policy_of_all(browser):
    answer = browser.get("/docs/guide/proof.md")
    assert answer.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert '<h2 id="labels-and-their-limits">' in answer.text


def test_its_style_is_served(browser):
    assert browser.get("/docs/style.css").headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("place", ["guide/none.md", "../app.py", "%2e%2e/app.py", "guide/../../app.py", "/etc/passwd", "<script>"])
def test_what_is_not_there_says_so(browser, place):
    answer = browser.get(f"/docs/{place}")
    assert answer.status_code in (200, 404)
    assert "def " not in answer.text
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    ("link", "place"),
    [
        ("settings/network.rank", "reference/settings.md#network.rank"),
        ("settings/datasets.1.repeats", "reference/settings.md#datasets.repeats"),
        ("settings/network.rnak", "reference/settings.md"),
        ("findings/audit.too_small", "reference/findings.md#audit.too_small"),
        ("findings/check.misfit", "guide/lora-files.md#will-it-load"),
        ("findings/nothing", "reference/findings.md"),
        ("verdicts/cannot%20tell", "reference/findings.md#verdict.cannot-tell"),
        ("verdicts/sublime", "guide/proof.md#labels-and-their-limits"),
    ],
)
def test_the_page_links_by_name_and_code(browser, link, place):
    answer = browser.get(f"/docs/{link}", follow_redirects=False)
    assert answer.headers["location"] == f"/docs/{place}"
    assert browser.get(f"/docs/{place}").status_code == 200
