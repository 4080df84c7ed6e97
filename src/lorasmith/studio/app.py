"""The studio's application: the page, and every resource's routes below `/api`, behind the door that `security` is.

    api = make_api("lora")                       # the routes alone, for the OpenAPI document
    app = make_app("lora", Access(token, 8611))  # what a server runs

The server process never imports torch: what needs it runs as a job.
"""

from __future__ import annotations

import json
from pathlib import Path

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

import lorasmith
from lorasmith.jobs.enqueue import Start
from lorasmith.jobs.supervisor_process import start_supervisor
from lorasmith.studio import (
    arrangement,
    audits,
    buckets,
    captions,
    conversions,
    events,
    files,
    grids,
    handbook,
    history,
    imported_settings,
    jobs,
    labels,
    library,
    made_pictures,
    mends,
    models,
    page,
    pictures,
    places,
    plans,
    preferences,
    projects,
    proofs,
    registries,
    runs,
    settings,
    sweep_plans,
    sweeps,
    system,
    thumbnails,
    tokens,
    triggers,
    uploads,
    vocabularies,
)
from lorasmith.studio.access import Access
from lorasmith.studio.document import describe
from lorasmith.studio.login import Login
from lorasmith.studio.news import news_of
from lorasmith.studio.problems import add_handlers
from lorasmith.studio.security import Door
from lorasmith.studio.stream import Streams
from lorasmith.studio.studio import Studio
from lorasmith.studio.thumbnails import KeptThumbnails

RESOURCES = (
    system, preferences, projects, pictures, places, audits, buckets, mends, arrangement, captions, conversions, tokens, labels, history, triggers, vocabularies, uploads, models, registries, settings, imported_settings, plans, jobs, grids, runs, proofs, sweeps, sweep_plans, events,
    library,
)  # fmt: skip
"""Each has a `router` of routes below /api, which a row here puts into the API."""

OPENAPI = "/api/openapi.json"


def make_api(workspace: str | Path, start_supervisor: Start = start_supervisor) -> FastAPI:
    """The routes over a workspace, without what guards them; `start_supervisor` sees to it that somebody works through its queue."""
    api = FastAPI(
        title="Lorasmith", version=lorasmith.__version__, description="Everything that Lorasmith can do, over one API.",
        openapi_url=OPENAPI, docs_url=None, redoc_url=None, generate_unique_id_function=_operation, redirect_slashes=False,
    )  # fmt: skip
    api.openapi = lambda: describe(api)  # type: ignore[method-assign]
    studio = api.state.studio = Studio(Path(workspace).absolute(), start_supervisor)
    api.state.streams = Streams(news_of(studio))
    for resource in RESOURCES:
        api.include_router(resource.router, prefix="/api")
    for router in (thumbnails.router, files.router, mends.files, proofs.files, runs.files, library.files, made_pictures.files, grids.files):
        api.include_router(router, prefix="/files")
    api.include_router(handbook.router)
    api.include_router(page.router)
    add_handlers(api)
    return api


def make_app(
    workspace: str | Path, access: Access, start_supervisor: Start = start_supervisor, login: Login | None = None
) -> ASGIApp:  # fmt: skip
    """The routes over a workspace, for whoever `access` lets in, or knows the password of `login`. Jobs that wait there are seen to."""
    api = make_api(workspace, start_supervisor)
    api.state.studio.continue_jobs()
    api.state.studio.clear_uploads()
    return Door(KeptThumbnails(api, api.state.studio.thumbnails), access, login)


def _operation(route: APIRoute) -> str:
    """The name of an operation in generated clients: the function's."""
    return route.name


if __name__ == "__main__":  # python -m lorasmith.studio.app > docs/api.json
    print(json.dumps(make_api(Path()).openapi(), indent=1, ensure_ascii=False))
