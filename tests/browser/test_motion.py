"""Who asks the system for less motion gets none: nothing on the page moves or fades, and curves and dialogs are there at once."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.windows import tab
from tests.running_studio import PATIENCE, RunningStudio

MOVING = """() => document.getAnimations().filter((one) => one.playState === 'running' && one.effect.getComputedTiming().duration > 1).map(
    (one) => one.effect.target?.outerHTML.slice(0, 120))"""
"""What moves at this moment."""
SLOWEST = """() => Math.max(...[...document.querySelectorAll('*')].map((element) => {
    const style = getComputedStyle(element);
    return Math.max(...[style.transitionDuration, style.animationDuration].map((all) => Math.max(...all.split(',').map(parseFloat))));
}))"""
"""The longest transition or animation of anything on the page, in seconds."""


@pytest.fixture
def still(page: Page) -> Page:
    """The studio as `page` is opened: with less motion."""
    assert page.evaluate("() => matchMedia('(prefers-reduced-motion: reduce)').matches")
    return page


@pytest.mark.parametrize("screen", ["", "projects/{demo}/images", "projects/{demo}/train", "settings"])
def test_nothing_moves_where_less_motion_is_asked_for(still: Page, studio: RunningStudio, demo: str, screen: str) -> None:
    still.goto(studio.client.address + screen.format(demo=demo))
    expect(still.get_by_role("main").locator("> *")).not_to_have_count(0)
    still.keyboard.press("?")
    expect(still.get_by_role("dialog", name="Keys")).to_be_visible()
    assert still.evaluate(MOVING) == []
    assert still.evaluate(SLOWEST) <= 0.001


def test_there_is_motion_where_none_is_refused(browser: Browser, studio: RunningStudio) -> None:
    with browser.new_context(reduced_motion="no-preference") as context:
        context.set_default_timeout(PATIENCE * 1000)
        assert tab(context, studio, []).evaluate(SLOWEST) > 0.05
