"""`/api/events`: one stream for a whole browser, as text/event-stream, which goes on where it broke off.

    GET  /api/events?watch=run:zorvex-3@88123       the stream; its first message names it
    POST /api/events/{stream}                       what to watch from now on

A page asks for a run's curve, which says up to which byte of the run's events it has come, and watches from there. `Last-Event-ID`, which
browsers send by themselves when they come back, is the last message that arrived.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from lorasmith.studio.stream import Stream, Streams

router = APIRouter(tags=["events"])

TOGETHER = 0.25
"""Seconds of which the news comes together."""
SIGN_OF_LIFE = 15.0
"""Seconds after which a comment is sent, so that nothing between thinks the connection dead."""
COME_BACK = 1000
"""Milliseconds after which a browser comes back."""

HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


def _streams_of(request: Request) -> Streams:
    streams: Streams = request.app.state.streams
    return streams


OpenStreams = Annotated[Streams, Depends(_streams_of)]


class Watch(BaseModel):
    """What to listen to."""

    watch: list[str] = Field(
        description="`run:ID` or `run:ID@BYTE` for a run's events; `dataset:PROJECT` or `dataset:PROJECT@VERSION` for changes of its pictures."
    )


class Watching(BaseModel):
    """The stream that was told."""

    stream: str


@router.get("/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
def open_events(
    streams: OpenStreams, watch: Annotated[list[str], Query()] = [], last_event_id: Annotated[str | None, Header()] = None  # noqa: B006
) -> StreamingResponse:  # fmt: skip
    """Everything that happens to jobs, how far runs are, and what is watched. It never ends by itself."""
    stream, last = streams.open(last_event_id, watch)
    return StreamingResponse(_lines(stream, last), media_type="text/event-stream", headers=HEADERS)


@router.post("/events/{stream}")
def watch_events(stream: str, wanted: Watch, streams: OpenStreams) -> Watching:
    """Listen to these topics alone from now on."""
    streams[stream].watch(wanted.watch)
    return Watching(stream=stream)


async def _lines(stream: Stream, last: str) -> AsyncIterator[str]:
    yield f"retry: {COME_BACK}\n\n"
    spoken = time.monotonic()
    while True:
        for message in stream.after(last):
            yield message.encoded()
            last, spoken = message.id, time.monotonic()
        if time.monotonic() - spoken > SIGN_OF_LIFE:
            yield ": still here\n\n"
            spoken = time.monotonic()
        await asyncio.sleep(TOGETHER)
        await run_in_threadpool(stream.collect)
