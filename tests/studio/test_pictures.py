"""Pictures, their audit and their files: good, bad input, not there, changed meanwhile."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from PIL import Image

from lorasmith.captions.collection import open_captions
from lorasmith.curation.audit.dataset import audit_dataset
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene
from lorasmith.errors import InputError
from lorasmith.studio import datasets
from lorasmith.studio.files import picture_response
from lorasmith.studio.judging import judged
from tests.as_windows import needs_posix


@pytest.fixture
def mimi(script):
    return script.post("/api/projects", json={"name": "Mimi"}).json()


@pytest.fixture
def dataset(mimi, workspace):
    """Three pictures of one concept, one of another that is held out, one of regularisation."""
    folder = workspace / "projects" / "mimi" / "dataset"
    places = ["5_mimi/a.png", "5_mimi/b.jpg", "5_mimi/c d.webp", "holdout/1_mimi/e.png", "regularisation/1_cat/r.png"]
    for number, place in enumerate(places):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        draw_scene(random_scene(number)).save(folder / place)
    (folder / "5_mimi" / "a.txt").write_text("mimi, red hat", encoding="utf-8")
    (folder / "5_mimi" / "b.txt").write_text("mimi, blue hat", encoding="utf-8")
    return folder


IDS = ["5_mimi/a.png", "5_mimi/b.jpg", "5_mimi/c d.webp", "holdout/1_mimi/e.png", "regularisation/1_cat/r.png"]


def ids(script, **asked):
    return script.get("/api/projects/mimi/pictures", params=asked).json()["ids"]


def test_all_pictures_are_listed_and_a_filter_finds_some(script, dataset):
    assert ids(script) == IDS
    assert ids(script, q='tag:"red hat"') == ["5_mimi/a.png"]
    assert ids(script, q="tags:0 AND NOT path:holdout") == ["5_mimi/c d.webp", "regularisation/1_cat/r.png"]
    assert ids(script, concept="cat") == ["regularisation/1_cat/r.png"]
    sizes = {picture: (dataset / picture).stat().st_size for picture in IDS}
    assert ids(script, sort="largest") == sorted(IDS, key=lambda picture: -sizes[picture])
    assert sorted(ids(script, sort="findings")) == IDS


def test_an_empty_project_has_no_pictures(script, mimi):
    assert ids(script) == []
    assert script.get("/api/projects/mimi/pictures/page").json()["items"] == []
    assert script.get("/api/projects/mimi/audit").json()["score"] is None
    assert script.get("/api/projects/mimi/duplicates").json() == []


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"q": "tag:"}, 400),
        ({"q": "(hat"}, 400),
        ({"sort": "colour"}, 422),
        ({"start": -1}, 422),
        ({"count": 0}, 422),
        ({"count": 501}, 422),
        ({"count": "x"}, 422),
    ],
)
def test_what_cannot_be_asked_is_refused(script, dataset, asked, status):
    assert script.get("/api/projects/mimi/pictures/page", params=asked).status_code == status


def test_what_is_not_there_is_404(script, dataset):
    assert script.get("/api/projects/cat/pictures").status_code == 404
    for name in (
        "gone.png",
        "../project.toml",
        "..%2f..%2fproject.toml",
        "%2e%2e/project.toml",
        "5_mimi/a.txt",
        ".lorasmith/x.png",
        "%00",
        "/etc/passwd",
    ):
        assert script.get(f"/api/projects/mimi/pictures/{name}").status_code == 404, name
        assert script.get(f"/files/projects/mimi/pictures/{name}").status_code == 404, name
    assert script.get(f"/files/thumbs/{'0' * 64}.webp").status_code == 404
    assert script.get("/files/thumbs/..%2f..%2fx.webp").status_code in (404, 422)


def test_a_project_whose_folder_has_gone_says_so(script, dataset):
    dataset.rename(dataset.with_name("elsewhere"))
    refused = script.get("/api/projects/mimi/pictures")
    assert (refused.status_code, refused.json()["code"]) == (400, "dataset.no_folder")


def test_a_page_shows_what_is_known_of_each(script, dataset):
    script.get("/api/projects/mimi/audit")
    page = script.get("/api/projects/mimi/pictures/page", params={"start": 0, "count": 4}).json()
    assert (page["total"], [item["id"] for item in page["items"]]) == (5, IDS[:4])
    first, held_out = page["items"][0], page["items"][3]
    assert first["tags"] == ["mimi", "red hat"]
    assert (first["width"], first["height"], first["concept"], first["repeats"], first["caption"]) == (64, 64, "mimi", 5, "5_mimi/a.txt")
    assert (first["held_out"], held_out["held_out"]) == (False, True)
    assert any(badge["code"].startswith("audit.") for badge in first["badges"]), "64 pixels are too small for a base of 1024"


def test_the_list_brings_the_first_pictures_with_their_details(script, dataset):
    listed = script.get("/api/projects/mimi/pictures", params={"count": 2, "q": "tag:mimi"}).json()
    page = script.get("/api/projects/mimi/pictures/page", params={"count": 2, "q": "tag:mimi", "version": listed["version"]}).json()
    assert listed["items"] == page["items"] != []
    assert script.get("/api/projects/mimi/pictures").json()["items"] == []


def test_pictures_are_listed_while_others_are_still_judged(script, dataset, monkeypatch):
    judging, listed = threading.Event(), threading.Event()

    def slowly(question):
        judging.set()
        assert listed.wait(300), "the list waited for the judgement"
        return judged(question)

    monkeypatch.setattr(datasets, "judge_beside", lambda: slowly)
    audit = threading.Thread(target=script.get, args=["/api/projects/mimi/audit"])
    audit.start()
    assert judging.wait(300)
    first, *_ = script.get("/api/projects/mimi/pictures", params={"count": 5}).json()["items"]
    assert first["badges"] == []
    assert script.get("/api/projects/mimi/pictures/page").status_code == 200
    listed.set()
    audit.join()
    assert script.get("/api/projects/mimi/pictures/page").json()["items"][0]["badges"]


@pytest.fixture
def nothing_holds(monkeypatch):
    """Every call looks for changes made by other programs."""
    monkeypatch.setattr(datasets, "LOOK_HOLDS", 0.0)


def test_a_page_of_an_older_list_is_refused_with_the_new_version(script, dataset, nothing_holds):
    version = script.get("/api/projects/mimi/pictures").json()["version"]
    assert script.get("/api/projects/mimi/pictures/page", params={"version": version}).status_code == 200
    (dataset / "5_mimi" / "a.txt").write_text("mimi, green hat", encoding="utf-8")
    refused = script.get("/api/projects/mimi/pictures/page", params={"version": version})
    assert (refused.status_code, refused.json()["code"]) == (409, "pictures.stale")
    assert refused.json()["values"]["version"] == script.get("/api/projects/mimi/pictures").json()["version"] != version
    assert ids(script, q='tag:"green hat"') == ["5_mimi/a.png"]


def test_a_picture_comes_with_its_findings_and_its_text(script, dataset):
    picture = script.get("/api/projects/mimi/pictures/5_mimi/a.png").json()
    assert picture["text"] == "mimi, red hat"
    assert picture["mended"] == ""
    assert {finding["code"] for finding in picture["findings"]} == {badge["code"] for badge in picture["badges"]}


def test_a_mended_picture_comes_with_the_one_that_it_was(script, dataset):
    before = (dataset / "5_mimi" / "a.png").read_bytes()
    assert script.get("/api/projects/mimi/pictures/5_mimi/a.png").json()["original_url"] is None
    script.post("/api/projects/mimi/mends", json={"pictures": ["5_mimi/a.png"], "changes": [{"way": "flip"}]})
    script.post(
        "/api/projects/mimi/mends", json={"pictures": ["5_mimi/a.png"], "changes": [{"way": "rotate", "parameters": {"degrees": 90}}]}
    )
    picture = script.get("/api/projects/mimi/pictures/5_mimi/a.png").json()
    assert script.get(picture["original_url"]).content == before != script.get(picture["url"]).content


def test_the_audit_judges_for_the_base_and_counts_what_nobody_looked_at(script, dataset, workspace, monkeypatch, nothing_holds):
    audit_dataset(dataset, cache=workspace / "cache" / "pictures")
    audit = script.get("/api/projects/mimi/audit").json()
    assert (audit["pictures"], audit["not_looked_at"], audit["resolution"]) == (5, 0, 1024)
    assert "audit.too_small" in audit["counts"]
    from lorasmith.demo.weights import BASE

    script.patch("/api/projects/mimi", json={"base": str(BASE)})
    assert script.get("/api/projects/mimi/audit").json()["resolution"] == 64
    monkeypatch.setattr(datasets, "SECONDS_TO_LOOK", -1.0)
    draw_scene(random_scene(90)).save(dataset / "5_mimi" / "new.png")
    draw_scene(random_scene(91)).save(dataset / "5_mimi" / "newer.png")
    audit = script.get("/api/projects/mimi/audit").json()
    assert (audit["pictures"], audit["not_looked_at"]) == (6, 1)


def test_pictures_that_were_measured_since_are_judged_when_the_audit_is_asked_for(script, dataset, workspace, monkeypatch):
    monkeypatch.setattr(datasets, "SECONDS_TO_LOOK", -1.0)
    monkeypatch.setattr(datasets, "STAYS_NEW", -1.0)
    assert script.get("/api/projects/mimi/audit").json()["not_looked_at"] == 4
    audit_dataset(dataset, cache=workspace / "cache" / "pictures")
    script.put("/api/projects/mimi/captions/5_mimi/a.txt", json={"text": "mimi"})
    assert script.get("/api/projects/mimi/audit").json()["not_looked_at"] == 0


def test_pictures_are_judged_for_another_resolution(script, dataset):
    usual = script.get("/api/projects/mimi/audit").json()
    small = script.get("/api/projects/mimi/audit", params={"resolution": 64}).json()
    assert (usual["resolution"], small["resolution"]) == (1024, 64)
    assert "audit.too_small" in usual["counts"]
    assert "audit.too_small" not in small["counts"]
    facts = script.get("/api/projects/mimi/pictures/5_mimi/a.png", params={"resolution": 64}).json()
    assert "audit.too_small" not in {finding["code"] for finding in facts["findings"]}
    assert ids(script, finding="audit.too_small", resolution=64) == []
    assert script.get("/api/projects/mimi/audit", params={"resolution": 8}).status_code == 422


def test_a_check_that_is_switched_off_is_off_wherever_findings_are_shown_and_nothing_is_judged_anew(script, dataset, monkeypatch):
    asked = []
    monkeypatch.setattr(datasets, "judge_beside", lambda: lambda question: asked.append(question) or judged(question))
    project, audit = "/api/projects/mimi", "/api/projects/mimi/audit"
    (dataset / "5_mimi" / "z.png").write_bytes((dataset / "5_mimi" / "a.png").read_bytes())
    before = script.get(audit).json()
    assert before["off"] == []
    page = script.get(f"{project}/pictures/page").json()["items"]

    off = ["too_small", "exact_duplicate"]
    changed = script.patch(project, json={"audit_without": [*off[:1], "audit.exact_duplicate"]}).json()
    assert changed["audit_without"] == off
    items = script.get(f"{project}/pictures/page").json()["items"]
    assert not {badge["code"] for item in items for badge in item["badges"]} & {"audit.too_small", "audit.exact_duplicate"}
    after = script.get(audit).json()
    assert after["off"] == ["audit.exact_duplicate", "audit.too_small"]
    assert after["score"] > before["score"]
    assert (before["need_a_look"], after["need_a_look"]) == (6, 0)
    assert {row["code"] for row in before["codes"]} - {row["code"] for row in after["codes"]} == set(after["off"])
    assert script.get(f"{audit}/findings").json()["total"] == sum(after["counts"].values())
    assert script.get(f"{audit}/findings", params={"code": "audit.too_small"}).json()["total"] == 0
    assert script.get(f"{project}/duplicates").json() == []
    assert ids(script, finding="audit.too_small") == []
    assert "audit.too_small" not in {finding["code"] for finding in script.get(f"{project}/pictures/5_mimi/a.png").json()["findings"]}

    script.patch(project, json={"audit_without": []})
    assert script.get(audit).json() == before
    assert script.get(f"{project}/pictures/page").json()["items"] == page
    assert len(asked) == 1


def test_words_are_counted_as_unread_until_a_job_reads_them(script, dataset):
    assert script.get("/api/projects/mimi/audit").json()["words_unread"] == 0
    script.patch("/api/projects/mimi", json={"read_words": True})
    assert script.get("/api/projects/mimi/audit").json()["words_unread"] == 5
    script.patch("/api/projects/mimi", json={"audit_without": ["text"]})
    assert script.get("/api/projects/mimi/audit").json()["words_unread"] == 0


def test_the_checks_are_listed_with_what_they_look_for(script):
    listed = {check["check"]: check for check in script.get("/api/checks").json()}
    assert "unreadable" not in listed, "a picture that cannot be read cannot be trained on"
    assert listed["dark"]["code"] == "audit.dark"
    assert (listed["dark"]["title"], listed["dark"]["severity"], listed["dark"]["about"]) == ("very dark", "warning", "picture")
    assert listed["set_too_small"]["about"] == "set"
    assert [name for name, check in listed.items() if check["reads_words"]] == ["text"]


def test_the_audit_is_short_and_its_findings_come_by_the_page(script, dataset):
    audit = script.get("/api/projects/mimi/audit").json()
    small = next(row for row in audit["codes"] if row["code"] == "audit.too_small")
    assert (small["severity"], small["pictures"], small["of_set"]) == ("warning", 5, None)
    few = next(row for row in audit["codes"] if row["of_set"])
    assert few["of_set"]["code"] == few["code"]
    assert audit["need_a_look"] == 5

    address, asked = "/api/projects/mimi/audit/findings", {"code": "audit.too_small", "start": 3, "count": 2, "version": audit["version"]}
    page = script.get(address, params=asked).json()
    assert (page["total"], [finding["subjects"] for finding in page["findings"]]) == (5, [[IDS[3]], [IDS[4]]])
    assert script.get(address).json()["total"] == sum(audit["counts"].values())
    assert script.get(address, params={"version": "another"}).json()["code"] == "pictures.stale"


def test_what_loses_nothing_is_offered_together(script, dataset):
    for place in (IDS[0], IDS[2]):
        picture = Image.open(dataset / place).convert("RGBA")
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
        picture.save(dataset / place)
    assert script.get("/api/projects/mimi/audit").json()["safe_mends"] == [
        {"pictures": [IDS[0], IDS[2]], "changes": [{"way": "flatten", "parameters": {}}]}
    ]


def test_copies_are_found_in_groups(script, dataset):
    (dataset / "5_mimi" / "z.png").write_bytes((dataset / "5_mimi" / "a.png").read_bytes())
    (group,) = script.get("/api/projects/mimi/duplicates").json()
    assert sorted(group["pictures"]) == ["5_mimi/a.png", "5_mimi/z.png"]


def test_a_damaged_picture_is_shown_as_such_and_its_neighbours_as_ever(script, dataset):
    (dataset / "5_mimi" / "a.png").write_bytes(b"not a picture")
    script.get("/api/projects/mimi/audit")
    page = script.get("/api/projects/mimi/pictures/page").json()["items"]
    assert (page[0]["width"], page[0]["badges"][0]["severity"]) == (None, "error")
    assert page[1]["width"] == 64
    refused = script.get(page[0]["thumbnail"])
    assert (refused.status_code, refused.json()["code"]) == (400, "picture.not_a_picture")


def test_a_picture_that_a_browser_has_is_not_sent_again(script, dataset):
    address = f"/files/projects/mimi/pictures/{IDS[0]}"
    sent = script.get(address)
    again = script.get(address, headers={"If-None-Match": sent.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", sent.headers["etag"])
    draw_scene(random_scene(7)).save(dataset / IDS[0])
    assert script.get(address, headers={"If-None-Match": sent.headers["etag"]}).status_code == 200


def test_captions_of_a_page_are_the_same_before_and_after_all_are_read(script, dataset):
    (dataset / "5_mimi" / "c d.caption").write_bytes(b"caf\xe9")
    for places in (IDS[:2], IDS):
        first = script.get("/api/projects/mimi/pictures", params={"count": len(places)}).json()["items"]
        script.get("/api/projects/mimi/tags")
        assert script.get("/api/projects/mimi/pictures", params={"count": len(places)}).json()["items"] == first
    assert [item["caption"] for item in first] == [
        "5_mimi/a.txt",
        "5_mimi/b.txt",
        None,
        "holdout/1_mimi/e.txt",
        "regularisation/1_cat/r.txt",
    ]


def opened(answered):
    return Image.open(io.BytesIO(answered.content))


def test_thumbnails_are_small_kept_and_never_asked_for_again(script, dataset, workspace):
    Image.new("RGB", (1000, 500), "red").save(dataset / "5_mimi" / "wide.png")
    address = script.get("/api/projects/mimi/pictures/5_mimi/wide.png").json()["thumbnail"]
    answered = script.get(address)
    assert (answered.headers["content-type"], opened(answered).size) == ("image/webp", (256, 128))
    assert "immutable" in answered.headers["cache-control"]
    assert opened(script.get(f"{address}?s=1024")).size == (1000, 500)
    assert script.get(f"{address}?s=300").status_code == 400
    assert len(list((workspace / ".lorasmith" / "thumbs").rglob("*.webp"))) == 2
    (dataset / "5_mimi" / "wide.png").unlink()
    assert script.get(address).status_code == 200, "kept by content"


def test_full_pictures_are_served_as_they_are_and_others_as_webp(script, dataset, nothing_holds):
    for picture, kind in ((IDS[0], "image/png"), (IDS[1], "image/jpeg"), (IDS[2], "image/webp")):
        answered = script.get(f"/files/projects/mimi/pictures/{quote(picture)}")
        assert answered.headers["content-type"] == kind
        assert answered.content == (dataset / picture).read_bytes()
        assert "sandbox" in answered.headers["content-security-policy"]
    draw_scene(random_scene(7)).save(dataset / "5_mimi" / "old.bmp")
    answered = script.get("/files/projects/mimi/pictures/5_mimi/old.bmp")
    assert (answered.headers["content-type"], opened(answered).size) == ("image/webp", (64, 64))


def test_a_picture_that_goes_while_it_is_answered_is_sent_whole_or_is_not_there(dataset):
    picture = dataset / IDS[0]
    drawn = picture.read_bytes()
    answered = picture_response(picture, None)
    picture.unlink()
    assert answered.body == drawn  # all that is sent is there before the answer begins
    with pytest.raises(InputError, match="not there any more") as refused:
        picture_response(picture, None)
    assert refused.value.code == "picture.not_found"


def test_a_page_that_calls_itself_a_picture_is_not_served(script, dataset):
    (dataset / "5_mimi" / "evil.png").write_text("<html><script>alert(1)</script></html>", encoding="utf-8")
    answered = script.get("/files/projects/mimi/pictures/5_mimi/evil.png")
    assert answered.status_code == 400
    assert "<script>" not in answered.text


def test_a_name_that_is_no_text_is_a_sentence_and_no_fault(script, dataset):
    (dataset / "5_mimi" / "\udcff.png").write_bytes((dataset / "5_mimi" / "a.png").read_bytes())
    refused = script.get("/api/projects/mimi/pictures")
    assert (refused.status_code, refused.json()["code"]) == (400, "dataset.name_not_utf8")


@needs_posix
def test_names_with_markup_are_text(script, dataset):
    name = "<img src=x onerror=alert(1)>.png"
    draw_scene(random_scene(8)).save(dataset / "5_mimi" / name)
    item = script.get(f"/api/projects/mimi/pictures/5_mimi/{quote(name)}").json()
    assert item["id"] == f"5_mimi/{name}"
    assert "<" not in item["url"]
    assert script.get(item["url"]).status_code == 200


@pytest.fixture
def looks(monkeypatch):
    """How often the folder was looked at."""
    seen = []
    look = datasets.snapshot
    monkeypatch.setattr(datasets, "snapshot", lambda root: seen.append(root) or look(root))
    monkeypatch.setattr(datasets, "LOOK_HOLDS", 3600.0)
    return seen


def test_looking_for_what_other_programs_change_takes_a_fiftieth_of_a_core_at_most():
    assert datasets.look_holds(0.001) == 2.0
    assert datasets.look_holds(0.1) == pytest.approx(0.1 * 50)


def test_calls_that_come_together_share_one_look_at_the_folder(script, dataset, looks):
    with ThreadPoolExecutor(5) as browsers:
        pages = [browsers.submit(script.get, "/api/projects/mimi/pictures/page") for _ in range(10)]
    assert {page.result().json()["total"] for page in pages} == {5}
    assert len(looks) == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "captions/5_mimi/a.txt", {"text": "mimi, green hat"}),
        ("POST", "edits", {"edit": "add", "arguments": {"tags": ["green hat"]}}),
        ("PUT", "layout", {"repeats": {"mimi": 7}}),
        ("PUT", "holdout", {"share": 0.5}),
        ("POST", "mends", {"pictures": ["5_mimi/a.png"], "changes": [{"way": "rotate", "parameters": {"degrees": 90}}]}),
    ],
)
def test_what_a_call_changed_is_there_for_the_next_one_however_long_a_look_holds(script, dataset, looks, method, path, body):
    before = script.get("/api/projects/mimi/pictures").json()["version"]
    changed = script.request(method, f"/api/projects/mimi/{path}", json=body)
    assert changed.status_code == 200, changed.text
    assert script.get("/api/projects/mimi/pictures").json()["version"] != before


def test_what_another_process_of_ours_changed_is_there_at_once(script, dataset, looks):
    before = script.get("/api/projects/mimi/pictures").json()["version"]
    captions = open_captions(dataset)
    captions.save({"5_mimi/a.txt": captions["5_mimi/a.txt"].caption.with_text("mimi, green hat")}, "elsewhere")
    assert script.get("/api/projects/mimi/pictures").json()["version"] != before
    assert ids(script, q='tag:"green hat"') == ["5_mimi/a.png"]


def test_a_caption_that_another_program_changed_a_moment_ago_is_not_overwritten_unseen(script, dataset, looks):
    etag = script.get("/api/projects/mimi/captions/5_mimi/a.txt").headers["etag"]
    (dataset / "5_mimi" / "a.txt").write_text("typed elsewhere", encoding="utf-8")
    refused = script.put("/api/projects/mimi/captions/5_mimi/a.txt", json={"text": "mimi"}, headers={"If-Match": etag})
    assert (refused.status_code, refused.json()["code"]) == (412, "captions.changed")
    assert ids(script, q="typed") == ["5_mimi/a.png"]


def test_a_picture_that_went_away_a_moment_ago_makes_the_list_stale(script, dataset, looks):
    before = script.get("/api/projects/mimi/pictures").json()["version"]
    (dataset / "5_mimi" / "b.jpg").unlink()
    refused = script.get("/api/projects/mimi/pictures/page")
    assert (refused.status_code, refused.json()["code"]) == (409, "pictures.stale")
    assert refused.json()["values"]["version"] != before
    assert script.get("/api/projects/mimi/pictures/page").json()["total"] == 4


def test_the_cover_of_a_project_is_its_first_picture_small(script, dataset):
    cover = script.get("/files/projects/mimi/cover")
    assert cover.headers["content-type"] == "image/webp"
    assert "no-cache" in cover.headers["cache-control"]
    assert max(Image.open(io.BytesIO(cover.content)).size) <= 256


def test_a_project_without_pictures_has_no_cover(script):
    empty = script.post("/api/projects", json={"name": "Empty"}).json()["id"]
    assert script.get(f"/files/projects/{empty}/cover").status_code == 404
