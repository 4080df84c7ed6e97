"""Every screen that there is loads under the policy, by its address, without a word in the console and with no grave finding of axe-core."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.accessibility import grave_findings
from tests.running_studio import RunningStudio

SCREENS = [
    "", "runs", "library", "playground", "projects/{project}/images", "projects/{project}/captions", "projects/{project}/train",
    "projects/{project}/proof",
]  # fmt: skip


def wait_for_screen(page: Page) -> None:
    """Until a screen is there with what it shows."""
    expect(page.get_by_role("main").locator("> *")).not_to_have_count(0)
    expect(page.locator("main .mantine-Skeleton-root")).to_have_count(0)
    expect(page.get_by_text("There is no page at this address")).to_have_count(0)


def test_home_is_shown_under_the_policy_and_the_token_is_not_in_its_address(page: Page, studio: RunningStudio):
    expect(page.get_by_text("Lorasmith 0.")).to_be_visible()  # what the machine has, asked of the API
    assert page.url == studio.client.address
    answer = page.reload()
    assert answer is not None
    rules = dict(rule.strip().split(" ", 1) for rule in answer.headers["content-security-policy"].split(";"))
    assert (rules["default-src"], rules["script-src"]) == ("'none'", "'self'")
    expect(page.get_by_text("Lorasmith 0.")).to_be_visible()


def test_who_does_not_know_the_token_sees_nothing(browser: Browser, studio: RunningStudio):
    with browser.new_context() as context:
        answer = context.new_page().goto(studio.client.address)
        assert answer is not None
        assert answer.status == 401


@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_is_where_its_address_says_and_stays_after_a_reload(page: Page, studio: RunningStudio, project: str, screen: str):
    address = studio.client.address + screen.format(project=project)
    for open_it in (lambda: page.goto(address), page.reload):
        open_it()
        wait_for_screen(page)
        assert page.url.partition("?")[0] == address


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_axe_finds_nothing_grave(page: Page, studio: RunningStudio, project: str, screen: str, scheme: str):
    page.emulate_media(color_scheme=scheme)
    page.goto(studio.client.address + screen.format(project=project))
    wait_for_screen(page)
    assert grave_findings(page) == []
