"""GET, PUT and PATCH /api/preferences: good, bad input, changed meanwhile."""


def test_preferences_are_kept_as_they_were_sent(script):
    assert script.get("/api/preferences").json() == {}
    sent = {"theme": "dark", "tiles": {"side": 160}}
    assert script.put("/api/preferences", json=sent).json() == sent
    assert script.get("/api/preferences").json() == sent


def test_preferences_that_changed_meanwhile_are_412(script):
    old = script.get("/api/preferences").headers["etag"]
    new = script.put("/api/preferences", json={"a": 1}, headers={"If-Match": old}).headers["etag"]
    refused = script.put("/api/preferences", json={"a": 2}, headers={"If-Match": old})
    assert (refused.status_code, refused.json()["code"]) == (412, "preferences.changed")
    assert script.put("/api/preferences", json={"a": 3}, headers={"If-Match": new}).status_code == 200


def test_two_pages_that_change_one_preference_each_keep_both(script):
    script.put("/api/preferences", json={"language": "en", "tile": 160, "base": "old"})
    script.patch("/api/preferences", json={"language": "ja"})
    assert script.patch("/api/preferences", json={"tile": 240, "base": None}).json() == {"language": "ja", "tile": 240}
    assert script.get("/api/preferences").json() == {"language": "ja", "tile": 240}
    assert script.patch("/api/preferences", json={"a": "x" * 70_000}).status_code == 413
    assert script.get("/api/preferences").json() == {"language": "ja", "tile": 240}


def test_what_cannot_be_kept_is_refused(script, workspace):
    assert script.put("/api/preferences", json=[1]).status_code == 422
    assert script.put("/api/preferences", json={"a": "x" * 70_000}).status_code == 413
    (workspace / ".lorasmith").mkdir(exist_ok=True)
    (workspace / ".lorasmith" / "preferences.json").write_text("{damaged", encoding="utf-8")
    assert script.get("/api/preferences").json() == {}
