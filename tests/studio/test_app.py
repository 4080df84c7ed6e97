"""The application as a whole: its document, its first page, and what it keeps out of its process."""

import subprocess
import sys
import urllib.request

from lorasmith.cli.main import app as command_line
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene


def test_the_document_lists_every_route_and_that_problems_answer_what_goes_wrong(script):
    document = script.get("/api/openapi.json").json()
    assert "/api/system" in document["paths"]
    for path, operations in document["paths"].items():
        assert path.startswith(("/api/", "/files/"))
        for operation in operations.values():
            assert operation["description"], "each route says what it does"
            assert "$ref" in operation["responses"]["default"]["content"]["application/problem+json"]["schema"]
    assert {"Problem", "Action"} <= document["components"]["schemas"].keys()
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_each_operation_has_a_name_of_its_own(script):
    document = script.get("/api/openapi.json").json()
    names = [operation["operationId"] for operations in document["paths"].values() for operation in operations.values()]
    assert len(names) == len({*names})


def test_the_document_is_behind_the_token_as_well(stranger):
    assert stranger.get("/api/openapi.json").status_code == 401


def test_no_page_of_the_framework_is_served(script):
    assert "swagger" not in script.get("/docs").text
    assert "redoc" not in script.get("/redoc").text


LIGHT = """
import sys
from starlette.testclient import TestClient
from lorasmith.studio.access import Access
from lorasmith.studio.app import make_app
client = TestClient(make_app(sys.argv[1], Access(None, 8611)), base_url="http://127.0.0.1:8611")
document = client.get("/api/openapi.json").json()
for path, operations in document["paths"].items():
    if "get" in operations and "events" not in path:
        client.get(path)
print([name for name in ("torch", "diffusers", "transformers", "onnxruntime") if name in sys.modules])
"""


def test_the_server_never_imports_torch(workspace):
    result = subprocess.run([sys.executable, "-c", LIGHT, str(workspace)], capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "[]", result.stderr


def test_the_command_serves_the_address_that_it_prints(running):
    assert running.startswith("http://127.0.0.1:")
    address, token = running.split("?token=")
    with urllib.request.urlopen(urllib.request.Request(f"{address}api/system", headers={"Authorization": f"Bearer {token}"})) as answered:
        assert answered.status == 200
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with opener.open(running) as page:
        assert b"Lorasmith" in page.read()
    with opener.open(f"{address}api/system") as answered:
        assert answered.status == 200


def test_the_port_in_use_and_the_folder_that_is_none_are_sentences(workspace):
    import socket

    from typer.testing import CliRunner

    from lorasmith.errors import InputError

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = CliRunner().invoke(command_line, ["studio", "--workspace", str(workspace), "--port", port])
    assert isinstance(refused.exception, InputError)
    assert f"cannot listen on 127.0.0.1:{port}" in str(refused.exception)
    refused = CliRunner().invoke(command_line, ["studio", "--workspace", str(workspace / "gone")])
    assert "is not a folder" in str(refused.exception)
    refused = CliRunner().invoke(command_line, ["studio", "--workspace", str(workspace), "--no-token", "--host", "0.0.0.0"])
    assert "Remove --no-token" in str(refused.exception)


def test_without_its_packages_the_command_says_what_to_install(workspace):
    program = (
        "import sys; sys.modules['fastapi'] = None; sys.argv = ['lorasmith', 'studio', '--workspace', sys.argv[1]];"
        "from lorasmith.cli.main import main; main()"
    )
    result = subprocess.run([sys.executable, "-c", program, str(workspace)], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr.strip()) == (2, 'error: The studio needs an extra: pip install "lorasmith[studio]"')


OPEN_PROJECT = """
import sys
from lorasmith.imports import postpone
postpone("numpy", "cv2")
from starlette.testclient import TestClient
from lorasmith.studio.access import Access
from lorasmith.studio.app import make_app
client = TestClient(make_app(sys.argv[1], Access(None, 8611)), base_url="http://127.0.0.1:8611")
for path in ("pictures?q=tag:hat", "pictures/page", "pictures/cat.png", "tags", "audit", "duplicates"):
    assert client.get(f"/api/projects/mimi/{path}").status_code == 200, path
item = client.get("/api/projects/mimi/pictures/page").json()["items"][0]
assert item["badges"]
assert client.get(item["thumbnail"]).status_code == client.get(item["url"]).status_code == 200
print([name for name in sys.modules if name.startswith(("numpy.", "cv2."))])
"""


def test_looking_at_a_project_takes_no_library_for_pixels_into_the_server(workspace, script):
    script.post("/api/projects", json={"name": "Mimi"})
    dataset = workspace / "projects" / "mimi" / "dataset"
    draw_scene(random_scene(1)).save(dataset / "cat.png")
    (dataset / "cat.txt").write_text("cat, hat", encoding="utf-8")
    result = subprocess.run([sys.executable, "-c", OPEN_PROJECT, str(workspace)], capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "[]", result.stderr
