"""The OpenAPI document is the contract: it is kept in the documentation, and no call that it allows is our fault."""

import json
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene
from lorasmith.studio.app import make_api

from .test_runs import make_run

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "api.json"
ENDLESS = ("/api/events", "get")


def test_the_document_in_the_documentation_is_that_of_the_routes(tmp_path):
    assert json.loads(DOCUMENT.read_text(encoding="utf-8")) == make_api(tmp_path).openapi(), (
        "write it anew: python -m lorasmith.studio.app > docs/api.json"
    )


@pytest.fixture(scope="module")
def contract(tmp_path_factory):
    """The routes over a workspace with a project and a run, in which nobody works through the queue."""
    workspace = tmp_path_factory.mktemp("contract") / "workspace"
    pictures = workspace / "projects" / "0" / "dataset"
    pictures.mkdir(parents=True)
    (pictures.parent / "project.toml").write_text('name = "0"\n', encoding="utf-8")
    draw_scene(random_scene(0)).save(pictures / "0.png")
    (pictures / "0.txt").write_text("0", encoding="utf-8")
    make_run(workspace / "runs" / "0")
    return schemathesis.openapi.from_asgi("/api/openapi.json", make_api(workspace, start_supervisor=lambda workspace: None))


OPERATIONS = [
    (path, method)
    for path, operations in json.loads(DOCUMENT.read_text(encoding="utf-8"))["paths"].items()
    for method in operations
    if (path, method) != ENDLESS
]


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_nothing_that_the_document_allows_is_our_fault(contract, path, method):
    @settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
    @given(contract[path][method].as_strategy())
    def call(case):
        response = case.call()
        assert response.status_code < 500 or response.status_code == 507, response.text
        case.validate_response(response, checks=[content_type_conformance, response_schema_conformance])

    call()
