"""Who is let in, and what every answer says to the browser: each line of the safety rules is a test."""

import os
import stat

import pytest
from fastapi import FastAPI
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from lorasmith.studio.access import TOKEN as TOKEN_FILE
from lorasmith.studio.access import Access, token_of
from lorasmith.studio.security import MOST_SENT, Door

from .conftest import ADDRESS, OUR_PAGE, PORT, TOKEN


def test_a_script_with_the_token_is_answered_and_others_are_not(script, stranger):
    assert script.get("/api/system").status_code == 200
    refused = stranger.get("/api/system")
    assert (refused.status_code, refused.json()["code"]) == (401, "studio.no_token")
    assert stranger.get("/api/system", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert stranger.get("/api/system", headers={"Authorization": f"Basic {TOKEN}"}).status_code == 401
    assert stranger.get(f"/api/system?token={TOKEN}").status_code == 401, "an address of the API with a token would end up in logs"


def test_a_page_without_the_token_says_what_to_do(stranger):
    refused = stranger.get("/")
    assert refused.status_code == 401
    assert "Open the address that `lorasmith studio` printed" in refused.text
    assert stranger.get("/?token=wrong").status_code == 401


def test_the_opened_address_sets_a_cookie_and_leaves_the_token_out_of_the_history(stranger):
    opened = stranger.get(f"/projects/mimi/images?q=hat&token={TOKEN}")
    assert (opened.status_code, opened.headers["location"]) == (303, "/projects/mimi/images?q=hat")
    cookie = opened.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert TOKEN not in cookie
    assert stranger.get("/api/system").status_code == 200


def test_an_opened_address_never_leads_to_another_host(stranger):
    for path in ("//evil.example", "/%2F/evil.example", "/\\evil.example", "/%5C%5Cevil.example"):
        location = stranger.get(f"{ADDRESS}{path}?token={TOKEN}").headers["location"]
        assert location.startswith("/")
        assert location[1] not in "/\\"


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1:9999", "127.0.0.1", "localhost.evil.example:8611", ""])
def test_another_name_for_the_same_address_is_refused(script, host):
    refused = script.get("/api/system", headers={"Host": host})
    assert (refused.status_code, refused.json()["code"]) == (421, "studio.unknown_host")
    assert script.get(f"/?token={TOKEN}", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", [f"localhost:{PORT}", f"LOCALHOST:{PORT}", f"[::1]:{PORT}", f"127.0.0.1:{PORT}"])
def test_the_names_of_the_loopback_are_known(script, host):
    assert script.get("/api/system", headers={"Host": host}).status_code == 200


def test_a_name_that_was_allowed_is_known_and_no_other():
    access = Access(TOKEN, PORT, ("Studio.lan", "tunnel.example:443"))
    assert access.knows_host("studio.lan")
    assert access.knows_host("studio.lan:8080")
    assert access.knows_host("tunnel.example:443")
    assert not access.knows_host("tunnel.example:444")
    assert not access.knows_host("other.lan")


def changing(access=None):
    """An application with one route that changes something, and one that fails."""
    api = FastAPI()

    @api.get("/api/fails")
    def fails():
        raise ZeroDivisionError

    @api.post("/api/change")
    def change():
        return {"changed": True}

    return Door(api, access or Access(TOKEN, PORT))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (OUR_PAGE, 200),
        ({"X-Lorasmith": "1", "Sec-Fetch-Site": "none"}, 200),
        ({"X-Lorasmith": "1", "Origin": ADDRESS}, 200),
        ({"X-Lorasmith": "1"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": ADDRESS}, 403),
        ({"X-Lorasmith": "1", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"X-Lorasmith": "1", "Sec-Fetch-Site": "same-site"}, 403),
        ({"X-Lorasmith": "1", "Origin": "http://evil.example"}, 403),
        ({"X-Lorasmith": "1", "Origin": "http://127.0.0.1:9999"}, 403),
        ({"X-Lorasmith": "1", "Origin": "null"}, 403),
        ({"X-Lorasmith": "1", "Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"}, 403),
        ({"X-Lorasmith": "1", "Sec-Fetch-Site": "cross-site", "Origin": ADDRESS}, 403),
        ({}, 403),
    ],
)
def test_with_a_cookie_only_our_own_page_may_change_anything(headers, status):
    access = Access(TOKEN, PORT)
    with TestClient(changing(access), base_url=ADDRESS, cookies={access.cookie_name: access.cookie}) as client:
        assert client.post("/api/change", headers=headers).status_code == status


def test_a_script_may_change_things_without_a_browsers_headers():
    with TestClient(changing(), base_url=ADDRESS) as client:
        assert client.post("/api/change", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_without_a_token_anybody_on_the_machine_may_look_and_still_no_foreign_page_may_change():
    with TestClient(changing(Access(None, PORT)), base_url=ADDRESS) as client:
        assert client.post("/api/change", headers=OUR_PAGE).status_code == 200
        assert client.post("/api/change", headers={"Origin": "http://evil.example"}).status_code == 403
        assert client.post("/api/change", headers={"Authorization": "Bearer "}).status_code == 403


def test_the_cookie_of_another_token_or_port_is_not_taken(stranger):
    other = Access("another-token", PORT)
    stranger.cookies.set(other.cookie_name, other.cookie)
    assert stranger.get("/api/system").status_code == 401
    assert Access(TOKEN, 1).cookie_name != Access(TOKEN, 2).cookie_name


def test_every_answer_carries_the_headers_also_where_something_goes_wrong(script, stranger):
    for answer in (script.get("/"), script.get("/api/system"), script.get("/api/nothing"), stranger.get("/api/system"), stranger.get("/")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe-eval" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_answer_to_our_own_fault_carries_them_too():
    client = TestClient(changing(Access(None, PORT)), base_url=ADDRESS, raise_server_exceptions=False)
    answer = client.get("/api/fails")
    assert (answer.status_code, answer.headers["x-content-type-options"]) == (500, "nosniff")


def test_other_origins_are_never_allowed_to_ask(stranger):
    asked = stranger.options("/api/system", headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"})
    assert not [name for name in asked.headers if name.startswith("access-control")]


def test_a_body_that_is_too_large_is_refused():
    with TestClient(changing(), base_url=ADDRESS, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        refused = client.post("/api/change", content=b" " * (MOST_SENT + 1))
        assert (refused.status_code, refused.json()["code"]) == (413, "call.too_large")


def test_a_route_may_say_more_about_its_answer_than_the_door():
    async def picture(scope, receive, send):
        await PlainTextResponse("x", headers={"content-security-policy": "sandbox"})(scope, receive, send)

    client = TestClient(Door(picture, Access(None, PORT)), base_url=ADDRESS)
    assert client.get("/files/x").headers["content-security-policy"] == "sandbox"


@pytest.mark.parametrize("left", [b"", b"\n"])
def test_a_token_file_that_was_left_empty_lets_nobody_in(tmp_path, left):
    file = tmp_path / ".lorasmith" / "studio.token"
    file.parent.mkdir()
    file.write_bytes(left)  # as by a disk that was full when the first studio was started
    token = token_of(tmp_path)
    assert len(token) == 43
    assert file.read_text(encoding="ascii") == token == token_of(tmp_path)
    assert not Access(token, 8611).opens("")


def test_the_token_is_made_once_and_is_its_owners_alone(tmp_path):
    token = token_of(tmp_path)
    assert len(token) >= 43, "32 bytes in letters"
    assert token_of(tmp_path) == token
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / ".lorasmith" / TOKEN_FILE).stat().st_mode) == 0o600


def test_two_workspaces_have_different_tokens(tmp_path):
    (tmp_path / "other").mkdir()
    assert token_of(tmp_path) != token_of(tmp_path / "other")
