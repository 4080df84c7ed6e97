"""Joining a cluster: what cannot work is said in a sentence, and within seconds."""

from __future__ import annotations

import importlib
import os
import socket
import subprocess
import sys

import pytest

from lorasmith.cluster import imported, joined
from lorasmith.errors import InputError
from tests.ray_cluster import SURROUNDINGS


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)  # as where it is not installed
    with pytest.raises(InputError, match=r'Ray is missing. Install it with: pip install "lorasmith\[scale\]"'):
        imported()


@pytest.mark.slow  # it imports Ray
@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("127.0.0.1:PORT", "No head of a Ray cluster answers at"),
        ("ray://127.0.0.1:10001", "Run this on a node of the cluster"),
        ("nowhere", "nowhere is not the address of a Ray cluster. Give HEAD:PORT"),
        ("auto", "This machine is not a node of any Ray cluster"),
    ],
)
def test_an_address_without_a_cluster_is_said(address, sentence, monkeypatch, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'lorasmith[scale]'")
    if address == "auto" and importlib.import_module("ray._private.services").find_gcs_addresses():
        pytest.skip("this machine is a node of a cluster")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and nobody listens
        with pytest.raises(InputError, match=sentence), joined(address.replace("PORT", str(unused.getsockname()[1]))):
            pass


@pytest.mark.slow
def test_a_head_that_does_not_go_on_is_not_waited_for():
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'lorasmith[scale]'")
    with socket.create_server(("127.0.0.1", 0)) as mute:  # answers, and says nothing
        code = f"""
from lorasmith import cluster
cluster.JOIN_WITHIN = 1.0
with cluster.joined("127.0.0.1:{mute.getsockname()[1]}"):
    pass
"""
        said = subprocess.run(
            [sys.executable, "-c", code], env=os.environ | SURROUNDINGS, capture_output=True, text=True, timeout=60
        ).stderr
    assert "could not be joined (its head has not gone on within 1 s). Run this on one of its nodes." in said
