"""The built page: what is served for which address."""

import re

import pytest

from lorasmith.studio.page import STATIC, serve


@pytest.mark.parametrize("address", ["/", "/projects/mimi/images", "/runs/zorvex?compare=a,b", "/settings/bases", "/apis"])
def test_every_address_of_the_page_gets_the_page(browser, address):
    answer = browser.get(address)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-cache"  # a new version is seen at once
    assert '<div id="root">' in answer.text


def test_the_parts_of_the_page_never_change(browser):
    parts = re.findall(r'(?:src|href)="(/assets/[^"]+)"', browser.get("/").text)
    assert {part.rsplit(".")[-1] for part in parts} == {"js", "css"}
    for part in parts:
        answer = browser.get(part)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-type"].split(";")[0] in ("text/javascript", "text/css")


def test_a_part_of_an_older_page_is_not_the_page(browser):
    assert browser.get("/assets/index-old.js").status_code == 404


@pytest.mark.parametrize("address", ["/api", "/api/nothing", "/files/nothing"])
def test_an_unknown_call_is_no_page(script, address):
    assert script.get(address).status_code == 404
    assert script.post(address).status_code == 404


@pytest.mark.parametrize("address", ["../page.py", "/etc/passwd", "assets/../../page.py", "%2e%2e/page.py", "assets/\0", "..\\page.py"])
def test_no_address_leads_out_of_the_built_files(address):
    answer = serve(STATIC, address)
    assert answer.status_code == 404 or answer.body == (STATIC / "index.html").read_bytes()


def test_the_page_loads_nothing_from_elsewhere_and_runs_no_script_of_its_own_text():
    text = (STATIC / "index.html").read_text(encoding="utf-8")
    assert not re.findall(r"https?://", text)
    assert not re.findall(r"<script(?![^>]*src=)", text)
