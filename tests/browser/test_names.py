"""Names with letters that mean something in an address are names like others: on every screen, in every link, and after a reload."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import Page, expect

from tests.browser.console import Console
from tests.browser.windows import new_project
from tests.running_studio import RunningStudio

NAME = "Tom & Jerry #1, 100% 猫"
PICTURE = "my%20cat & co.png"
"""As browsers save what an address names."""


def test_a_project_is_walked_through_whatever_its_name_is(page: Page, studio: RunningStudio, creatures: Path) -> None:
    project = new_project(studio, creatures, NAME)
    dataset = studio.workspace / "projects" / project / "dataset"
    (dataset / "0.png").rename(dataset / PICTURE)
    assert {"&", "#", "%"} <= set(project)
    page.reload()
    page.get_by_role("main").get_by_role("link", name=NAME).first.click()
    rail, main = page.get_by_role("navigation", name="Screens"), page.get_by_role("main")
    seen = {
        "Images": main.get_by_role("gridcell", name=PICTURE), "Captions": main.get_by_label("Trigger", exact=True),
        "Train": main.get_by_role("heading", name="Train", level=1), "Proof": main.get_by_text("This project has no run yet."),
    }  # fmt: skip
    for screen, sign in seen.items():
        rail.get_by_role("link", name=screen).click()
        expect(sign).to_be_visible()
        expect(rail.locator('[aria-current="page"]')).to_have_text(screen)
    found = urlencode({"q": f'name:"{PICTURE}"', "at": PICTURE}, quote_via=quote)
    page.goto(f"{studio.client.address}projects/{quote(project)}/images?{found}")
    expect(main.get_by_role("gridcell")).to_have_count(1)
    expect(main.get_by_role("gridcell", name=PICTURE)).to_have_attribute("data-here", "true")


@pytest.mark.parametrize(
    "address", ["projects/100%/images", "projects/100%/images/1%.png", "projects/100%/train", "runs/100%", "sweeps/100%"]
)
def test_an_address_with_a_lone_percent_sign_is_told_of_and_not_a_blank_page(
    page: Page, studio: RunningStudio, address: str, console: Console
) -> None:
    page.goto(studio.client.address + address)
    expect(page.get_by_role("main").get_by_role("link").first).to_be_visible()
    expect(page.get_by_text("mistake of its own")).to_have_count(0)
    console.expect("404 (Not Found)")
