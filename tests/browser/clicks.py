"""Clicks, counted: what a person has to do."""

from __future__ import annotations

from playwright.sync_api import Page


class Clicks:
    """Clicks on what is there by its role and the beginning of its name."""

    def __init__(self, page: Page):
        self.page = page
        self.count = 0

    def on(self, role: str, *names: str, timeout: float | None = None) -> None:
        """Click on whichever of these is there."""
        there = self.page.locator("nothing")
        for name in names:
            there = there.or_(self.page.get_by_role(role, name=name, exact=name == "Train"))  # type: ignore[arg-type]
        there.first.click(timeout=timeout)
        self.count += 1
