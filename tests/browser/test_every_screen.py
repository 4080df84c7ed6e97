"""Every screen that there is loads under the policy, by its address, without a word in the console and with no grave finding of axe-core."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from lorasmith.demo.weights import BASE
from tests.browser.accessibility import grave_findings
from tests.browser.console import Console
from tests.browser.windows import new_project
from tests.library.lora_files import write_lora
from tests.running_studio import RunningStudio
from tests.studio.test_proofs import make_proven

SCREENS = [
    "", "?dialog=new", "runs", "runs/{project}~first", "runs/{project}~first?part=samples", "runs/{project}~first?part=log",
    "runs/{project}~first?part=settings", "runs/{project}~first/proof", "library", "library?dialog=folders", "library/{lora}", "playground",
    "playground?view=grid", "settings", "settings/bases", "projects/{project}/images", "projects/{project}/images/0.png",
    "projects/{project}/images?view=duplicates", "projects/{project}/captions", "projects/{project}/captions?dialog=label",
    "projects/{project}/captions?dialog=edit", "projects/{project}/captions?dialog=advice", "projects/{project}/captions?dialog=history", "projects/{project}/captions?dialog=encodings",
    "projects/{project}/train", "projects/{project}/train?level=expert&search=network", "projects/{project}/train?dialog=import",
]  # fmt: skip
OVER_A_SCREEN = ["?", "Control+k"]
"""Keys that open something over a screen."""


@pytest.fixture(scope="module")
def furnished(studio: RunningStudio, creatures: Path) -> dict[str, str]:
    """Something on every screen: a project with pictures and a base, a run with its proof, a LoRA."""
    project = new_project(studio, creatures)
    studio.client.patch(f"projects/{project}", {"base": str(BASE)})
    make_proven(studio.workspace / "projects" / project)
    loras = studio.workspace / "loras"
    write_lora(loras / "zorvex.safetensors", {"ss_output_name": "zorvex"})
    studio.client.put("library/folders", {"folders": [str(loras)]})
    studio.client.post("library:refresh")
    return {"project": project, "lora": studio.client.get("library")["items"][0]["id"]}


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
def test_a_screen_is_where_its_address_says_also_after_a_reload_and_axe_finds_nothing_grave(
    page: Page, studio: RunningStudio, furnished: dict[str, str], screen: str, console: Console
):
    address = studio.client.address + screen.format(**furnished)
    page.goto(address)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        wait_for_screen(page)
        assert page.url.partition("?")[0] == address.partition("?")[0]
        assert grave_findings(page) == [], scheme
        page.reload()
    console.expect("first/proof/")  # pictures that this proof has not


@pytest.mark.parametrize("screen", ["runs/{project}~first?part=samples", "runs/{project}~first/proof"])
def test_pictures_in_rows_and_columns_scroll_in_themselves_on_a_narrow_window(
    page: Page, studio: RunningStudio, furnished: dict[str, str], screen: str, console: Console
):
    studio.client.put("preferences", {"sample_side": 384, "proof_side": 384})
    page.set_viewport_size({"width": 400, "height": 700})
    page.goto(studio.client.address + screen.format(**furnished))
    expect(page.get_by_role("table").first).to_be_visible()
    assert page.get_by_role("table").first.evaluate("table => table.clientWidth > innerWidth"), "nothing would have to scroll"
    assert page.get_by_role("main").evaluate("main => main.scrollWidth <= main.clientWidth")
    console.expect("first/proof/")


def test_a_plan_that_is_older_than_the_settings_is_marked_and_can_still_be_read(
    page: Page, studio: RunningStudio, furnished: dict[str, str]
):
    page.goto(studio.client.address + "projects/{project}/train".format(**furnished))
    plan = page.get_by_role("region", name="Plan")
    expect(plan.locator("[aria-busy=false]").get_by_role("term").first).to_be_visible()
    page.route("**/api/plans", lambda _: None)  # no answer comes
    epochs = page.get_by_label("Length in epochs")
    epochs.fill(str(int(epochs.input_value()) + 1))
    expect(plan.locator("[aria-busy=true]").get_by_role("term").first).to_be_visible()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert grave_findings(page) == [], scheme


@pytest.mark.parametrize("key", OVER_A_SCREEN)
def test_axe_finds_nothing_grave_in_what_opens_over_a_screen(page: Page, key: str):
    page.keyboard.press(key)
    expect(page.get_by_role("dialog").last).to_be_visible()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert grave_findings(page) == [], scheme
