"""A studio in process: its application, a script that knows the token, and a browser that opened the printed address."""

import pytest

pytest.importorskip("fastapi")

from starlette.testclient import TestClient

from lorasmith.studio import datasets
from lorasmith.studio.access import Access
from lorasmith.studio.app import make_app
from lorasmith.studio.judging import judged
from tests.running_studio import running_studio

TOKEN = "a-token-of-the-tests"
PORT = 8611
ADDRESS = f"http://127.0.0.1:{PORT}"
OUR_PAGE = {"X-Lorasmith": "1", "Sec-Fetch-Site": "same-origin", "Origin": ADDRESS}
"""What the studio's own page sends with a call that changes something."""


@pytest.fixture(autouse=True)
def own_library(tmp_path_factory, monkeypatch):
    """A catalogue of the tests' own, and not the user's."""
    monkeypatch.setenv("LORASMITH_LIBRARY", str(tmp_path_factory.mktemp("library")))


@pytest.fixture(autouse=True)
def judged_here(monkeypatch):
    """Pictures are judged in this process, and not in one that each studio would start."""
    monkeypatch.setattr(datasets, "judge_beside", lambda: judged)


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


@pytest.fixture
def app(workspace):
    """Nobody works through its queue."""
    return make_app(workspace, Access(TOKEN, PORT), start_supervisor=lambda workspace: None)


@pytest.fixture
def script(app):
    """A script that sends the token."""
    with TestClient(app, base_url=ADDRESS, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield client


@pytest.fixture
def stranger(app):
    """Somebody who knows nothing."""
    with TestClient(app, base_url=ADDRESS, follow_redirects=False) as client:
        yield client


@pytest.fixture
def browser(app):
    """A browser in which the printed address was opened."""
    with TestClient(app, base_url=ADDRESS) as client:
        assert client.get(f"/?token={TOKEN}").status_code == 200
        yield client


@pytest.fixture
def running(workspace):
    """The address that `lorasmith studio` prints, while it runs."""
    with running_studio(workspace) as studio:
        yield studio.address
