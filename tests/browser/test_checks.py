"""A check of the audit is switched off and on again: what it found goes and comes back wherever it was shown, and no picture is measured again."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from lorasmith.images.picture_cache import PICTURES
from tests.browser.accessibility import grave_findings
from tests.browser.console import Console
from tests.running_studio import RunningStudio


def test_a_check_that_is_switched_off_stays_off_and_comes_back_without_a_look_at_the_pictures(
    page: Page, studio: RunningStudio, project: str, console: Console
) -> None:
    page.goto(f"{studio.client.address}projects/{project}/images")
    needed, found = (
        page.get_by_role("status").filter(has_text="5 pictures, "),
        page.get_by_role("button", name=re.compile("^Warning too small|^too small")),
    )
    tiles = page.get_by_role("grid", name="Pictures").get_by_role("gridcell", name=re.compile("too small"))
    expect(needed).to_contain_text("5 need a look")
    expect(found).to_be_visible()
    expect(tiles).to_have_count(5)
    seen = {file: file.read_bytes() for file in (studio.workspace / "cache" / PICTURES).rglob("*") if file.is_file()}
    assert seen

    page.get_by_text("Expert", exact=True).click()
    check = page.get_by_role("checkbox", name="too small")
    expect(check).to_be_checked()
    check.focus()
    page.keyboard.press("Space")
    expect(found).to_have_count(0)
    expect(tiles).to_have_count(0)
    expect(needed).to_contain_text("none needs a look")
    expect(page.get_by_text("1 check is off: too small")).to_be_visible()
    assert grave_findings(page) == []
    assert 'audit_without = ["too_small"]' in (studio.workspace / "projects" / project / "project.toml").read_text("utf-8")

    page.reload()
    expect(page.get_by_text("1 check is off: too small")).to_be_visible()
    expect(tiles).to_have_count(0)
    page.get_by_text("Expert", exact=True).click()
    expect(check).not_to_be_checked()
    check.click()
    expect(check).to_be_checked()
    expect(found).to_be_visible()
    expect(tiles).to_have_count(5)
    expect(needed).to_contain_text("5 need a look")
    expect(page.get_by_text("check is off")).to_have_count(0)
    assert {file: file.read_bytes() for file in seen} == seen
    assert not [job for job in studio.client.get("jobs") if job["kind"] == "audit"]
