"""A real S3 server of the tests' own, on loopback: moto's, which keeps objects in its memory."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import pytest


@contextmanager
def s3_server() -> Iterator[str]:
    """The server's address; within the block fsspec's `s3://` is that server, with keys for it."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with redirect_stdout(io.StringIO()):
        server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "of-the-tests")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "of-the-tests-too")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        try:
            yield f"http://{host}:{port}"
        finally:
            server.stop()
