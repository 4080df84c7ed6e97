"""Pages of others: one under another name of this machine, and one that sends the studio something. Neither gets anything."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import FLAGS, chromium, flags
from tests.browser.console import Console
from tests.running_studio import RunningStudio

TRAP = """<!doctype html><title>trap</title><form method="post" action="{studio}api/projects" enctype="text/plain">
<input name='{{"name": "taken", "x": "' value='"}}'><button>Win</button></form>"""

TRY = """(studio) => fetch(studio + "api/projects", {method: "POST", mode: "no-cors", credentials: "include", body: '{"name": "taken"}'}).then(
    (answer) => answer.type, (error) => "refused")"""
READ = """(studio) => fetch(studio + "api/projects", {credentials: "include"}).then(() => "read", () => "refused")"""


@pytest.fixture
def foreign_page(studio: RunningStudio) -> Iterator[str]:
    """The address of somebody else's page on this machine."""

    class Trap(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(TRAP.format(studio=studio.client.address).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Trap)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def test_a_foreign_page_can_neither_change_nor_read_anything(
    page: Page, studio: RunningStudio, foreign_page: str, console: Console
) -> None:
    before = studio.client.get("projects")
    page.goto(foreign_page)
    assert page.evaluate(TRY, studio.client.address) == "refused"
    assert page.evaluate(READ, studio.client.address) == "refused"
    with page.expect_navigation() as answered:
        page.get_by_role("button", name="Win").click()
    assert answered.value is not None
    assert answered.value.status in (401, 403)
    assert studio.client.get("projects") == before
    console.clear()  # the browser says what it refused


def test_the_studio_is_in_no_frame(page: Page, studio: RunningStudio, foreign_page: str, console: Console) -> None:
    page.goto(foreign_page)
    page.evaluate("(studio) => { const frame = document.createElement('iframe'); frame.src = studio; document.body.append(frame) }", studio.client.address)  # fmt: skip
    expect(page.locator("iframe")).to_be_attached()
    assert page.frames[-1].get_by_role("heading").count() == 0
    console.clear()


def test_a_studio_that_is_asked_by_another_name_says_which_address_to_open(browser: Browser, studio: RunningStudio) -> None:
    """As when a page's name is made to lead to this machine after it was loaded."""
    named = [flag.replace("MAP * ~NOTFOUND", "MAP lora.example 127.0.0.1, MAP * ~NOTFOUND") for flag in flags()]
    assert named != list(FLAGS)
    other = browser.browser_type.launch(executable_path=chromium(), args=named)
    try:
        page = other.new_page()
        answer = page.goto(studio.address.replace("127.0.0.1", "lora.example"))
        assert answer is not None
        assert answer.status == 421
        expect(page.locator("body")).to_contain_text("Open the address that `lorasmith studio` printed")
    finally:
        other.close()
