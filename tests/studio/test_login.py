"""The password's page: who knows it gets a session, and guessing is slow."""

import asyncio

import pytest
from starlette.testclient import TestClient

from lorasmith.errors import InputError
from lorasmith.studio import login as room
from lorasmith.studio.access import Access
from lorasmith.studio.app import make_app
from lorasmith.studio.login import Login
from lorasmith.studio.server import serve

from .conftest import ADDRESS, OUR_PAGE, PORT, TOKEN

WORD = "correct horse <b>"
FORM = {"Origin": ADDRESS, "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def visitor(workspace, monkeypatch):
    monkeypatch.setattr(room, "BETWEEN_TRIES", 0.0)
    app = make_app(workspace, Access(TOKEN, PORT), start_supervisor=lambda workspace: None, login=Login(WORD))
    with TestClient(app, base_url=ADDRESS, follow_redirects=False) as client:
        yield client


def log_in(visitor, password=WORD, to="/", **headers):
    return visitor.post(f"/login?to={to}", data={"password": password}, headers={**FORM, **headers})


def test_who_is_not_logged_in_gets_the_form_and_afterwards_what_was_asked_for(visitor):
    sent = visitor.get("/projects/mimi/images?q=hat")
    assert (sent.status_code, sent.headers["location"]) == (303, "/login?to=%2Fprojects%2Fmimi%2Fimages%3Fq%3Dhat")
    form = visitor.get(sent.headers["location"])
    assert (form.status_code, form.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<script" not in form.text
    assert 'type="password"' in form.text
    assert "form-action 'self'" in form.headers["content-security-policy"]
    done = log_in(visitor, to="%2Fprojects%2Fmimi%2Fimages%3Fq%3Dhat")
    assert (done.status_code, done.headers["location"]) == (303, "/projects/mimi/images?q=hat")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in done.headers["set-cookie"].split(";")}
    assert WORD not in done.headers["set-cookie"]
    assert visitor.get("/api/system").status_code == 200
    assert visitor.post("/api/projects", json={"name": "Mimi"}, headers=OUR_PAGE).status_code == 201
    assert visitor.post("/api/projects", json={"name": "Mimi"}).status_code == 403, "a foreign page is refused as ever"


@pytest.mark.parametrize(
    ("accepted", "language", "wrong"), [("ja,en;q=0.5", "ja", "パスワードが違います。"), ("de", "en", "This is not the password.")]
)
def test_the_form_speaks_the_browsers_language(visitor, accepted, language, wrong):
    assert f'<html lang="{language}">' in visitor.get("/login", headers={"Accept-Language": accepted}).text
    assert wrong in log_in(visitor, "another", **{"Accept-Language": accepted}).text


def test_another_word_is_not_the_password_and_no_cookie_comes_of_it(visitor):
    for word in ("", "wrong", WORD + " ", WORD.upper(), "\udcff", "x" * 3000):
        refused = visitor.post("/login", content=b"password=" + word.encode("utf-8", "surrogateescape"), headers=FORM)
        assert refused.status_code == 401
        assert "set-cookie" not in refused.headers
        assert "This is not the password." in refused.text
    assert visitor.post("/login", content=b"", headers=FORM).status_code == 400
    assert visitor.post("/login", content=b"password=" + b"x" * 5000, headers=FORM).status_code == 400
    assert visitor.put("/login", headers=FORM).status_code == 405
    assert visitor.get("/api/system").status_code == 401


def test_programs_get_a_problem_and_scripts_send_the_token_as_ever(visitor):
    assert visitor.get("/api/system").json()["code"] == "studio.no_token"
    assert visitor.get("/api/system", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert visitor.get(f"/?token={TOKEN}").headers["location"] == "/"


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}, {"Origin": "null", "Sec-Fetch-Site": ""}]
)
def test_a_foreign_page_cannot_send_the_form(visitor, headers):
    assert log_in(visitor, **headers).status_code == 403


def test_another_name_for_the_address_is_refused(visitor):
    assert visitor.get("/login", headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    "to", ["%2F%2Fevil.example", "https:%2F%2Fevil.example", "%5C%5Cevil.example", "%2F%5Cevil.example", "%0d%0aX: y", ""]
)
def test_a_login_never_leads_to_another_host(visitor, to):
    location = log_in(visitor, to=to).headers["location"]
    assert location.startswith("/")
    assert location[1:2] not in ("/", "\\")
    assert '"><' not in visitor.get('/login?to="><script>').text


def test_sessions_are_of_this_studio_alone_and_the_oldest_go(monkeypatch):
    monkeypatch.setattr(room, "MOST_SESSIONS", 2)
    login = Login(WORD)
    first, second, third = login.begin(), login.begin(), login.begin()
    assert [login.knows(cookie) for cookie in (first, second, third)] == [False, True, True]
    assert not Login(WORD).knows(second)
    assert not login.knows("")


def test_between_two_tries_is_a_second_and_too_many_at_once_are_refused(monkeypatch):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    login = Login(WORD)
    monkeypatch.setattr(room.time, "monotonic", lambda: 100.0)
    monkeypatch.setattr(room.asyncio, "sleep", sleep)

    async def tries():
        return [await login.is_password(word) for word in ("a", WORD, "b")]

    assert asyncio.run(tries()) == [False, True, False]
    assert slept == [0.0, 1.0, 1.0]
    login._waiting = room.MOST_WAITING
    assert asyncio.run(login.is_password(WORD)) is None


def test_a_short_password_is_refused(workspace):
    with pytest.raises(InputError, match="at least 8 characters"):
        serve(workspace, port=0, password="1234567")
