"""What is gone, or found by no filter, leads on: to the list of all of its kind, or to all pictures."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.console import Console
from tests.running_studio import RunningStudio

GONE = {
    "runs/none~first": "All runs", "runs/none~first/proof": "All runs", "library/none": "Library", "projects/none/train": "Find it among the projects",
}  # fmt: skip
"""Address of something that is not there -> the way on."""


@pytest.mark.parametrize("address", GONE)
def test_what_is_gone_leads_to_the_list_of_all(page: Page, studio: RunningStudio, address: str, console: Console) -> None:
    page.goto(studio.client.address + address)
    page.get_by_role("main").get_by_role("link", name=GONE[address]).click()
    page.wait_for_url(lambda url: address not in url)
    expect(page.get_by_role("main").get_by_role("heading", level=1)).to_be_visible()
    console.expect("404 (Not Found)")


def test_a_project_that_is_gone_is_not_gone_on_with(page: Page, studio: RunningStudio, console: Console) -> None:
    page.goto(f"{studio.client.address}projects/none/images")
    page.get_by_role("link", name="Find it among the projects").click()
    expect(page.get_by_role("navigation").get_by_role("link", name="Images")).to_have_count(0)
    console.expect("404 (Not Found)")


def test_pictures_that_no_filter_finds_are_one_click_away(page: Page, studio: RunningStudio, project: str) -> None:
    page.goto(f"{studio.client.address}projects/{project}/images?q=tag:nothing&concept=none&finding=image.dark&sort=newest")
    expect(page.get_by_text("No picture fits this filter.")).to_be_visible()
    page.get_by_role("main").get_by_role("button", name="Clear the filter").last.click()  # below that; the first is the field's
    expect(page.get_by_role("gridcell")).to_have_count(5)
    assert page.url.endswith("images?sort=newest")
