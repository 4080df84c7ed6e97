"""Kept thumbnails are answered before any route is looked for; everything else goes on."""

import pytest
from PIL import Image
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from lorasmith.images.thumbnails import Thumbnails
from lorasmith.studio.thumbnails import KeptThumbnails

KEPT, OTHER = "ab" * 32, "cd" * 32


@pytest.fixture
def client(tmp_path):
    """In front of routes that say `routes`; the smaller thumbnail of one picture is kept."""
    thumbnails = Thumbnails(tmp_path / "thumbs")
    Image.new("RGB", (400, 200), "red").save(tmp_path / "a.png")
    thumbnails.make(tmp_path / "a.png", KEPT, 256)
    return TestClient(KeptThumbnails(PlainTextResponse("routes"), thumbnails))


@pytest.mark.parametrize("query", ["", "?s=256"])
def test_a_kept_thumbnail_asks_nothing_of_the_routes_and_is_never_asked_for_again(client, query):
    answered = client.get(f"/files/thumbs/{KEPT}.webp{query}")
    assert answered.headers["content-type"] == "image/webp"
    assert "immutable" in answered.headers["cache-control"]
    assert "sandbox" in answered.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [f"{OTHER}.webp", f"{KEPT}.webp?s=1024", f"{KEPT}.webp?s=7", f"{KEPT}.webp?s=256&s=7", f"{KEPT.upper()}.webp", f"../thumbs/{KEPT}"],
)
def test_what_is_no_kept_thumbnail_is_left_to_the_routes(client, path):
    assert client.get(f"/files/thumbs/{path}").text == "routes"


def test_only_a_get_is_answered(client):
    assert client.post(f"/files/thumbs/{KEPT}.webp").text == "routes"
