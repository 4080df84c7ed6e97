"""What axe-core finds on a page. It is evaluated beside the page, whose Content-Security-Policy stays on."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

GRAVE = ("serious", "critical")


def grave_findings(page: Page) -> list[str]:
    """Rules that the page breaks gravely, each with the elements that do."""
    broken = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['help']}: {[node['target'] for node in one['nodes']]}" for one in broken if one["impact"] in GRAVE]
